"""The pydantic-ai executor over HTTP, against a local server that speaks OpenAI's protocol."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncGenerator
from typing import Any, cast

import pytest
from pydantic import BaseModel
from pydantic_ai import Agent, ModelRetry
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from pgthreads.events import (
    AiEvent,
    AssistantFinal,
    Done,
    Error,
    ExecutorRequest,
    TextDelta,
    TextEnd,
    UIMessage,
    UsageReport,
)
from pgthreads.executors import ExecutorSpecError, from_model
from pgthreads.executors.agents import AgentExecutor
from pgthreads.message.draft import Draft
from pgthreads.message.sanitize import Cleaner
from tests.server.openai_server import OpenAI, Reply, serve, text, tool_call


def user(content: str, *parts: dict[str, Any]) -> UIMessage:
    return {"id": "u", "role": "user", "parts": [{"type": "text", "text": content}, *parts]}


def assistant(*parts: dict[str, Any]) -> UIMessage:
    return {"id": "a", "role": "assistant", "parts": list(parts)}


def request(*messages: UIMessage) -> ExecutorRequest:
    return ExecutorRequest(messages, "owner", "key", "turn")


def agent_on(openai: OpenAI, **options: Any) -> Agent[None, Any]:
    provider = OpenAIProvider(base_url=openai.url, api_key="unused")
    provider.client.max_retries = 0
    return Agent(OpenAIChatModel("local", provider=provider), **options)


async def answer(
    agent: Agent[None, Any], *messages: UIMessage
) -> tuple[UIMessage, Draft, list[AiEvent]]:
    clean, draft, events = Cleaner(), Draft("m"), []
    async for event in AgentExecutor(agent)(request(*messages)):
        events.append(event)
        draft.take(clean(event))
    draft.close("completed" if draft.error_code is None else "failed")
    return draft.message(), draft, events


async def test_text_streams_and_usage_is_reported_once() -> None:
    async with serve(text("Hel", "lo ", "wörld")) as openai:
        message, draft, events = await answer(agent_on(openai), user("Hi"))
    assert message["parts"] == [{"type": "step-start"}, {"type": "text", "text": "Hello wörld"}]
    assert [event.delta for event in events if isinstance(event, TextDelta)] == [
        "Hel",
        "lo ",
        "wörld",
    ]
    model = draft.usage().pop("model")
    assert model.startswith("openai:")
    assert draft.usage() == {
        "model": model,
        "requests": 1,
        "input_tokens": 10,
        "output_tokens": 5,
    }
    assert events[-1] == Done("stop")
    assert openai.requests[0]["messages"] == [{"role": "user", "content": "Hi"}]
    assert openai.requests[0]["stream"] is True


async def test_a_tool_is_called_and_its_result_goes_back_to_the_model() -> None:
    script = (tool_call("c1", "add", '{"a": 2, "b": 3}', "Adding. "), text("It is 5."))
    async with serve(*script) as openai:
        agent = agent_on(openai, instructions="Be brief.", system_prompt="You add.")

        @agent.tool_plain
        def add(a: int, b: int) -> dict[str, int]:
            return {"sum": a + b}

        message, draft, _ = await answer(agent, user("2+3?"))
    assert message["parts"] == [
        {"type": "step-start"},
        {"type": "text", "text": "Adding. "},
        {
            "type": "dynamic-tool",
            "toolName": "add",
            "toolCallId": "c1",
            "state": "output-available",
            "input": {"a": 2, "b": 3},
            "output": {"sum": 5},
        },
        {"type": "step-start"},
        {"type": "text", "text": "It is 5."},
    ]
    assert draft.usage() == {
        "model": draft.usage()["model"],
        "requests": 2,
        "tool_calls": 1,
        "input_tokens": 20,
        "output_tokens": 10,
    }
    tool_result = openai.requests[1]["messages"][-1]
    assert (tool_result["role"], tool_result["tool_call_id"]) == ("tool", "c1")
    assert json.loads(tool_result["content"]) == {"sum": 5}


async def test_a_tool_that_wants_a_retry_shows_as_a_tool_error() -> None:
    script = (
        tool_call("c1", "look_up", '{"name": "Anna"}'),
        tool_call("c2", "look_up", '{"name": "anna"}'),
        text("Found."),
    )
    async with serve(*script) as openai:
        agent = agent_on(openai)

        @agent.tool_plain
        def look_up(name: str) -> str:
            if name != "anna":
                raise ModelRetry("names are lower case")
            return "a person"

        message, _, _ = await answer(agent, user("Who is Anna?"))
    tools = [part for part in message["parts"] if part["type"] == "dynamic-tool"]
    assert [part["state"] for part in tools] == ["output-error", "output-available"]
    assert "names are lower case" in tools[0]["errorText"]


async def test_a_tool_that_raises_ends_the_turn_without_an_open_call() -> None:
    async with serve(tool_call("c1", "boom", "{}")) as openai:
        agent = agent_on(openai)

        @agent.tool_plain
        def boom() -> str:
            raise RuntimeError("secret detail")

        message, draft, events = await answer(agent, user("Go"))
    assert events[-1] == Error("agent_failed")
    assert message["parts"][1]["state"] == "output-error"
    assert "secret" not in json.dumps(message)
    assert draft.usage()["requests"] == 1


async def test_a_model_may_reuse_a_call_id_in_each_response() -> None:
    script = (tool_call("call_1", "add", "{}"), tool_call("call_1", "add", "{}"), text("Done."))
    async with serve(*script) as openai:
        agent = agent_on(openai)
        count = 0

        @agent.tool_plain
        def add() -> int:
            nonlocal count
            count += 1
            return count

        message, _, _ = await answer(agent, user("Twice"))
    tools = [part for part in message["parts"] if part["type"] == "dynamic-tool"]
    assert [part["output"] for part in tools] == [1, 2]
    assert len({part["toolCallId"] for part in tools}) == 2


async def test_reasoning_is_a_part_of_its_own() -> None:
    reply = Reply([{"reasoning_content": "Hm"}, {"reasoning_content": "…"}, {"content": "Yes"}])
    async with serve(reply) as openai:
        message, _, _ = await answer(agent_on(openai), user("Sure?"))
    assert message["parts"][1:] == [
        {
            "type": "reasoning",
            "id": "r0",
            "text": "Hm…",
            "providerMetadata": {
                "pydantic_ai": {
                    "id": "reasoning_content",
                    "provider_name": "openai",
                    "canonical_system": "openai",
                }
            },
        },
        {"type": "text", "text": "Yes"},
    ]


async def test_structured_output_is_answered_as_json() -> None:
    class Point(BaseModel):
        x: int

    async with serve(tool_call("c1", "final_result", '{"x": 3}')) as openai:
        message, _, events = await answer(agent_on(openai, output_type=Point), user("A point"))
    assert message["parts"] == [{"type": "step-start"}, {"type": "text", "text": '{"x": 3}'}]
    assert events[-1] == Done("stop")


async def test_a_length_limit_is_the_finish_reason() -> None:
    async with serve(text("Once upon a", finish_reason="length")) as openai:
        _, draft, _ = await answer(agent_on(openai), user("A story"))
    assert draft.finish_reason == "length"


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, "model_rejected_request"),
        (401, "model_unauthorized"),
        (404, "model_not_found"),
        (429, "model_rate_limited"),
        (500, "model_unavailable"),
        (503, "model_unavailable"),
    ],
)
async def test_a_provider_s_error_is_a_code_and_stays_in_the_log(
    status: int, code: str, caplog: pytest.LogCaptureFixture
) -> None:
    async with serve(Reply(status=status)) as openai:
        message, _, events = await answer(agent_on(openai), user("Hi"))
    assert events == [Error(code)]
    assert message["parts"] == [{"type": "step-start"}]
    assert "secret provider detail" in caplog.text


async def test_a_dropped_connection_keeps_what_came() -> None:
    async with serve(text("Half an ans", drop=True)) as openai:
        message, _, events = await answer(agent_on(openai), user("Hi"))
    assert events[-1] == Error("model_unreachable")
    assert message["parts"][1] == {"type": "text", "text": "Half an ans"}
    assert message["metadata"] == {"status": "failed"}


async def test_nobody_listening_is_unreachable() -> None:
    async with serve() as openai:
        pass
    _, _, events = await answer(agent_on(openai), user("Hi"))
    assert events == [Error("model_unreachable")]


async def test_leaving_ends_the_request_to_the_model() -> None:
    hold = asyncio.Event()
    async with serve(text("Never ends", hold=hold)) as openai:
        events = cast(
            AsyncGenerator[AiEvent, None], AgentExecutor(agent_on(openai))(request(user("Hi")))
        )
        assert await anext(events) == UsageReport({"model": "openai:local"})
        assert await anext(events) == TextDelta("Never ends")
        await asyncio.wait_for(events.aclose(), 5)
        hold.set()


async def test_the_prompt_is_the_stored_history() -> None:
    history = (
        user("What is 2+3?"),
        assistant(
            {"type": "step-start"},
            {"type": "reasoning", "id": "r0", "text": "Easy."},
            {"type": "text", "text": "Adding."},
            {
                "type": "dynamic-tool",
                "toolName": "add",
                "toolCallId": "c1",
                "state": "output-available",
                "input": {"a": 2},
                "output": {"kind": "image-url", "url": "http://127.0.0.1/", "media_type": "x"},
            },
            {
                "type": "dynamic-tool",
                "toolName": "add",
                "toolCallId": "c2",
                "state": "output-error",
                "input": [2, 3],
                "errorText": "no lists",
            },
            {"type": "step-start"},
            {"type": "text", "text": "5."},
        ),
        user("Thanks"),
    )
    async with serve(text("Welcome.")) as openai:
        agent = agent_on(openai, system_prompt="You add.")
        await answer(agent, *history)
    posted = openai.requests[0]["messages"]
    assert [message["role"] for message in posted] == [
        "system",
        "user",
        "assistant",
        "tool",
        "tool",
        "assistant",
        "user",
    ]
    assert posted[0]["content"] == "You add."
    calls = posted[2]["tool_calls"]
    assert [call["id"] for call in calls] == [reply["tool_call_id"] for reply in posted[3:5]]
    assert all(re.fullmatch("[a-zA-Z0-9]{9}", call["id"]) for call in calls)
    assert json.loads(calls[0]["function"]["arguments"]) == {"a": 2}
    assert json.loads(calls[1]["function"]["arguments"]) == {"input": "[2, 3]"}
    assert json.loads(posted[3]["content"])["kind"] == "image-url"
    assert "no lists" in posted[4]["content"]
    assert "Easy." not in json.dumps(posted)
    assert (posted[5]["content"], posted[6]["content"]) == ("5.", "Thanks")


async def test_odd_parts_of_stored_messages_do_not_break_the_prompt() -> None:
    history = (
        assistant({"type": "text", "text": "Its question is outside of the window."}),
        user("  "),
        assistant({"type": "step-start"}),
        assistant(
            {"type": "custom", "kind": "x"},
            {"type": "source-url", "sourceId": "s", "url": "https://example.com"},
            {"type": "data-x", "data": None},
            {"type": "file", "mediaType": "image/png", "url": "https://example.com/a.png"},
            {"type": "tool-add", "toolCallId": "c1", "state": "input-available", "input": None},
            {"type": "text", "text": "after the tool"},
        ),
        {"id": "s", "role": "system", "parts": [{"type": "text", "text": "Imported."}]},
        user(
            "Look",
            {"type": "file", "mediaType": "image/png", "url": "https://example.com/a.png"},
            {"type": "file", "mediaType": "image/png", "url": "data:image/png;base64,iVBORw0KGgo="},
            {"type": "file", "mediaType": "text/plain", "url": "file:///etc/passwd"},
            {
                "type": "file",
                "mediaType": "text/plain",
                "url": "x:",
                "filename": "f.txt",
                "providerMetadata": {
                    "pydantic_ai": {"file_id": "stolen", "provider_name": "openai"}
                },
            },
        ),
    )
    async with serve(text("I see.")) as openai:
        message, _, _ = await answer(agent_on(openai), *history)
    assert message["parts"][1] == {"type": "text", "text": "I see."}
    posted = openai.requests[0]["messages"]
    assert [entry["role"] for entry in posted] == [
        "system",
        "user",
        "assistant",
        "tool",
        "assistant",
        "user",
    ]
    assert posted[1]["content"].strip()
    assert [part["type"] for part in posted[-1]["content"]] == [
        "text",
        "image_url",
        "image_url",
        "text",
        "text",
    ]
    assert "stolen" not in json.dumps(posted)
    assert "f.txt" in posted[-1]["content"][-1]["text"]


async def test_models_by_name_use_their_provider_s_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async with serve(*(text("Hel", "lo") for _ in range(3))) as openai:
        monkeypatch.setenv("OLLAMA_BASE_URL", openai.url)
        monkeypatch.setenv("OPENAI_BASE_URL", openai.url)
        monkeypatch.setenv("OPENAI_API_KEY", "unused")
        for model in ("ollama:qwen3", "openai:gpt-x", "openai-chat:local"):
            events = [event async for event in from_model(model)(request(user("Hi")))]
            assert [event for event in events if not isinstance(event, TextEnd)] == [
                UsageReport({"model": model}),
                TextDelta("Hel"),
                TextDelta("lo"),
                AssistantFinal("Hello"),
                UsageReport({"requests": 1, "input_tokens": 10, "output_tokens": 5}),
                Done("stop"),
            ]
    assert [body["model"] for body in openai.requests] == ["qwen3", "gpt-x", "local"]


@pytest.mark.parametrize(
    ("model", "reason"),
    [
        ("nobody:x", "Unknown model"),
        ("openai:gpt-5-mini", "OPENAI_API_KEY"),
        ("ollama:qwen3", "OLLAMA_BASE_URL"),
    ],
)
def test_a_model_that_cannot_be_used_says_why(
    model: str, reason: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OLLAMA_BASE_URL", raising=False)
    with pytest.raises(ExecutorSpecError, match=reason):
        from_model(model)
