"""What a model cannot take is left out of the prompt, in at most one second request."""

from __future__ import annotations

import base64
import json
from typing import Any

import pytest
from pydantic_ai import Agent
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from pgthreads.events import (
    AiEvent,
    Error,
    ExecutorRequest,
    Status,
    TextDelta,
    UIMessage,
    UsageReport,
)
from pgthreads.executors.agents import AgentExecutor
from tests.server.openai_server import OpenAI, Reply, serve, text, tool_call

PNG = b"\x89PNG\r\n\x1a\n"
TOO_LONG = Reply(status=400, message="This model's maximum context length is 8192 tokens.")
REFUSED = Reply(status=400, message="Invalid file data.")


def file(media_type: str, content: bytes = b"PK", name: str | None = None) -> dict[str, Any]:
    url = f"data:{media_type};base64,{base64.b64encode(content).decode()}"
    named = {"filename": name} if name else {}
    return {"type": "file", "mediaType": media_type, "url": url, **named}


def user(said: str, *parts: dict[str, Any]) -> UIMessage:
    return {"id": f"u-{said}", "role": "user", "parts": [{"type": "text", "text": said}, *parts]}


def assistant(said: str) -> UIMessage:
    return {"id": f"a-{said}", "role": "assistant", "parts": [{"type": "text", "text": said}]}


def executor(openai: OpenAI, **options: Any) -> AgentExecutor:
    provider = OpenAIProvider(base_url=openai.url, api_key="unused")
    provider.client.max_retries = 0
    return AgentExecutor(Agent(OpenAIChatModel("gpt-4o", provider=provider), **options))


async def turn(run: AgentExecutor, *messages: UIMessage, key: str = "key") -> list[AiEvent]:
    return [event async for event in run(ExecutorRequest(messages, "owner", key, "turn"))]


def said(events: list[AiEvent]) -> str:
    return "".join(event.delta for event in events if isinstance(event, TextDelta))


def usage(events: list[AiEvent]) -> dict[str, Any]:
    facts: dict[str, Any] = {}
    for event in events:
        if isinstance(event, UsageReport):
            facts |= event.fact
    return facts


async def test_a_file_that_the_adapter_cannot_send_is_a_line_and_costs_no_request() -> None:
    async with serve(text("I see."), text("Yes.")) as openai:
        run = executor(openai)
        question = user("Look", file("audio/ogg"), file("video/mp4"), file("image/png", PNG))
        first = await turn(run, question)
        second = await turn(run, question, assistant("I see."), user("Sure?"))
    assert (said(first), said(second)) == ("I see.", "Yes.")
    assert len(openai.requests) == 2
    for request in openai.requests:
        content = request["messages"][0]["content"]
        assert [part["type"] for part in content] == ["text", "text", "text", "image_url"]
        assert "audio/ogg, 2 bytes" in content[1]["text"]
        assert "cannot read" in content[2]["text"]
    assert usage(first)["files_left_out"] == 2


async def test_a_refused_file_is_left_out_by_one_request_and_from_then_on(
    caplog: pytest.LogCaptureFixture,
) -> None:
    question = user("Look", file("application/zip", name="notes.zip"))
    async with serve(REFUSED, text("I cannot read it."), text("Yes."), text("One.")) as openai:
        run = executor(openai)
        first = await turn(run, question)
        second = await turn(run, question, assistant("I cannot read it."), user("Sure?"))
        # Another thread, with the same file.
        third = await turn(run, question, key="other")
    assert [said(each) for each in (first, second, third)] == ["I cannot read it.", "Yes.", "One."]
    assert len(openai.requests) == 4
    assert "file_data" in json.dumps(openai.requests[0])
    for request in openai.requests[1:]:
        assert "file_data" not in json.dumps(request)
        assert "notes.zip" in json.dumps(request)
    assert isinstance(first[0], Status | UsageReport)
    assert any(isinstance(event, Status) and event.phase == "prompt" for event in first)
    assert usage(first)["files_left_out"] == 1
    assert "trying with less" in caplog.text


async def test_files_that_the_model_has_taken_stay_and_others_are_not_suspected() -> None:
    good, bad = file("image/png", PNG + b"good"), file("image/png", PNG + b"bad")
    other = file("image/png", PNG + b"other")
    script = (text("A cat."), REFUSED, text("I cannot see that one."), text("A dog."))
    async with serve(*script) as openai:
        run = executor(openai)
        await turn(run, user("What?", good))
        await turn(run, user("What?", good), assistant("A cat."), user("And this?", bad))
        await turn(run, user("What?", other), key="other")
    images = [json.dumps(request).count('image_url": {') for request in openai.requests]
    assert images == [1, 2, 1, 1]
    assert good["url"] in json.dumps(openai.requests[2])
    assert other["url"] in json.dumps(openai.requests[3])


async def test_one_of_several_files_is_suspected_in_its_thread_alone() -> None:
    bad, logo = file("application/zip"), file("image/png", PNG + b"logo")
    script = (REFUSED, text("No."), text("Still no."), text("A logo."))
    async with serve(*script) as openai:
        run = executor(openai)
        await turn(run, user("What?", bad, logo))
        await turn(run, user("What?", bad, logo), assistant("No."), user("Sure?"))
        await turn(run, user("What?", logo), key="other")
    shown = [logo["url"] in json.dumps(request) for request in openai.requests]
    assert shown == [True, False, False, True]


async def test_a_prompt_that_is_too_long_loses_its_older_half_and_keeps_its_beginning() -> None:
    history = [
        message
        for n in range(10)
        for message in (user(f"question {n}"), assistant(f"answer {n} " + "x" * 1000))
    ]
    script = (TOO_LONG, text("Yes."), text("Again."))
    async with serve(*script) as openai:
        run = executor(openai)
        first = await turn(run, *history, user("Now?"))
        assert said(first) == "Yes."
        second = await turn(run, *history, user("Now?"), assistant("Yes."), user("And now?"))
        assert said(second) == "Again."
    whole, half, next_turn = (request["messages"] for request in openai.requests)
    assert len(whole) == 21
    assert half[0]["role"] == "user"
    assert 5 <= len(half) <= 11
    assert next_turn[0] == half[0]
    assert len(next_turn) == len(half) + 2
    assert usage(first)["messages_left_out"] == 21 - len(half)


async def test_a_question_that_is_too_long_by_itself_fails_alone() -> None:
    async with serve(TOO_LONG, TOO_LONG, TOO_LONG, text("Hello.")) as openai:
        run = executor(openai)
        first = await turn(run, user("a"), assistant("b"), user("x" * 5000))
        assert first[-1] == Error("prompt_too_large")
        second = await turn(run, user("a"), assistant("b"), user("x" * 5000), user("Short"))
        assert said(second) == "Hello."
    assert [len(str(request["messages"])) > 5000 for request in openai.requests] == [
        *(True, True, True, False)
    ]


async def test_a_refusal_without_a_reason_leaves_the_question_and_is_forgotten_if_no_help() -> None:
    history = [user("a"), assistant("b")]
    async with serve(REFUSED, text("Yes."), text("Again.")) as openai:
        run = executor(openai)
        assert said(await turn(run, *history, user("Now?"))) == "Yes."
        later = [*history, user("Now?"), assistant("Yes."), user("More")]
        assert said(await turn(run, *later)) == "Again."
    sizes = [len(request["messages"]) for request in openai.requests]
    assert sizes == [3, 1, 3]
    async with serve(REFUSED, REFUSED, text("Back.")) as openai:
        run = executor(openai)
        assert (await turn(run, *history, user("Now?")))[-1] == Error("model_rejected_request")
        later = [*history, user("Now?"), user("More")]
        assert said(await turn(run, *later)) == "Back."
    assert [len(request["messages"]) for request in openai.requests] == [3, 1, 3]


@pytest.mark.parametrize("status", [401, 404, 429, 500])
async def test_other_failures_are_not_tried_again(status: int) -> None:
    async with serve(Reply(status=status)) as openai:
        events = await turn(
            executor(openai), user("a", file("application/pdf")), assistant("b"), user("c")
        )
    assert isinstance(events[-1], Error)
    assert len(openai.requests) == 1


async def test_nothing_is_tried_again_once_something_came() -> None:
    async with serve(tool_call("c1", "add", "{}"), REFUSED) as openai:
        agent = executor(openai, tools=[add])
        events = await turn(agent, user("a", file("application/pdf")))
    assert events[-1] == Error("model_rejected_request")
    assert len(openai.requests) == 2


def add() -> int:
    """Add nothing."""
    return 1


async def test_a_plain_question_is_not_sent_twice() -> None:
    async with serve(REFUSED) as openai:
        assert (await turn(executor(openai), user("a")))[-1] == Error("model_rejected_request")
    assert len(openai.requests) == 1


async def test_what_is_kept_has_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pgthreads.executors.refusals.MAX_FILES", 3)
    async with serve(*[text("Yes.")] * 6) as openai:
        run = executor(openai)
        for n in range(6):
            await turn(run, user("a", file("image/png", PNG + bytes([n]))))
        assert len(run._refusals._taken._values) == 3
