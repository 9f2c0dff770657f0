from __future__ import annotations

import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import pytest

from pgthreads.events import (
    AiEvent,
    Done,
    Error,
    ExecutorRequest,
    ReasoningDelta,
    TextDelta,
    ToolResponse,
    UIMessage,
)
from pgthreads.executors import ExecutorSpecError, OfflineExecutor, load
from pgthreads.executors.offline import MAX_WORDS, calculate
from pgthreads.message.draft import Draft
from pgthreads.message.sanitize import clean


def user(content: str) -> UIMessage:
    return {"id": "u", "role": "user", "parts": [{"type": "text", "text": content}]}


async def run(*messages: UIMessage) -> tuple[list[AiEvent], Draft]:
    request = ExecutorRequest(messages, "owner", "key", "turn")
    events = [event async for event in OfflineExecutor(delay=0)(request)]
    draft = Draft("m")
    for event in events:
        draft.take(clean(event))
    draft.close("completed" if draft.error_code is None else "failed")
    return events, draft


async def say(*messages: str | UIMessage) -> list[dict[str, Any]]:
    _, draft = await run(*(user(m) if isinstance(m, str) else m for m in messages))
    parts: list[dict[str, Any]] = draft.message()["parts"]
    return parts


async def test_it_repeats_and_offers_help() -> None:
    events, draft = await run(user("Grüße  aus\nBerlin"))
    text = draft.message()["parts"][1]["text"]
    assert text.startswith("You said: Grüße  aus\nBerlin")
    assert "help" in text
    assert events[-1] == Done("stop")
    assert not draft.corrected
    assert draft.usage()["output_words"] > 5


async def test_help_lists_what_works() -> None:
    text = (await say("help"))[1]["text"]
    asked = "what did I say first"
    for command in ("long 500", "time", "2+3*4", "1/0", "think", "pay 5", "my time", asked, "fail"):
        assert command in text


async def test_long_text_streams_word_by_word() -> None:
    events, draft = await run(user("long 500"))
    assert sum(isinstance(event, TextDelta) for event in events) == 500
    assert len(draft.message()["parts"][1]["text"].split()) == 500
    assert draft.usage() == {"requests": 1, "input_words": 2, "output_words": 500}


async def test_long_text_has_a_limit() -> None:
    assert len((await say("long 999999999"))[1]["text"].split()) == MAX_WORDS


async def test_the_clock_is_a_real_tool_call() -> None:
    parts = await say("time")
    assert [part["type"] for part in parts] == ["step-start", "dynamic-tool", "step-start", "text"]
    assert parts[1]["toolName"] == "clock"
    assert parts[1]["output"]["utc"] in parts[3]["text"]


async def test_a_calculation_is_a_tool_call_between_texts() -> None:
    parts = await say("2+3*4")
    assert [part["type"] for part in parts] == [
        "step-start",
        "text",
        "dynamic-tool",
        "step-start",
        "text",
    ]
    assert (parts[2]["input"], parts[2]["output"]) == ({"expression": "2+3*4"}, {"value": 14})
    assert parts[4]["text"] == "2+3*4 is 14."


async def test_a_failing_tool_is_an_error_and_the_answer_goes_on() -> None:
    parts = await say("1/0")
    assert parts[2]["state"] == "output-error"
    assert "division by zero" in parts[2]["errorText"]
    assert "failed" in parts[4]["text"]


async def test_thinking_streams_reasoning_before_the_answer() -> None:
    events, draft = await run(user("think about rain"))
    assert sum(isinstance(event, ReasoningDelta) for event in events) > 5
    assert [part["type"] for part in draft.message()["parts"]] == [
        "step-start",
        "reasoning",
        "text",
    ]


async def test_failing_keeps_what_was_said() -> None:
    events, draft = await run(user("fail"))
    assert events[-1] == Error("offline_failure")
    assert draft.message()["parts"][1]["text"]


@pytest.mark.parametrize(("question", "answer"), [("first", "I am Anna"), ("last", "It rains")])
async def test_it_remembers_the_thread(question: str, answer: str) -> None:
    earlier = [user("I am Anna"), {**user("Hello Anna"), "role": "assistant"}, user("It rains")]
    parts = await say(*earlier, f"What did I say {question}?")
    assert parts[1]["text"].endswith(f": {answer}")
    assert "first thing" in (await say(f"what did I say {question}"))[1]["text"]


async def test_files_are_mentioned() -> None:
    message = user("")
    message["parts"] = [{"type": "file", "mediaType": "image/png", "url": "data:image/png,x"}]
    assert "image/png" in (await say(message))[1]["text"]


@pytest.mark.parametrize(
    ("expression", "value"),
    [("2+3*4", 14), ("-(1.5 - 2)", 0.5), ("7//2 + 7%4", 6), ("2**10", 1024), ("1e3/8", 125)],
)
def test_calculations(expression: str, value: float) -> None:
    assert calculate(expression) == value


@pytest.mark.parametrize(
    "expression",
    [
        "",
        "2+",
        "2**1000",
        "9**99**9",
        "1e99*1e99",
        "(-8)**0.5",
        "1e308*10",
        "True+1",
        "'a'*9",
        "__import__('os')",
        "(1).real",
        "[1][0]",
        "1 if 1 else 2",
        "9" * 5000,
        "(" * 900 + "1" + ")" * 900,
        "1+" * 499 + "1" * 500,
    ],
)
def test_what_is_no_calculation_is_refused(expression: str) -> None:
    with pytest.raises(ValueError):  # noqa: PT011
        calculate(expression)


MODULE = """
from pgthreads.events import Done, TextDelta


async def answer(request):
    yield TextDelta("From my module.")
    yield Done()


class Bot:
    async def __call__(self, request):
        yield TextDelta("From my object.")


bot = Bot()
number = 3


async def coroutine(request):
    return None


def generator(request):
    yield None


async def two(request, more):
    yield None
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working directory with a user's modules."""
    (tmp_path / "my_bot.py").write_text(MODULE)
    (tmp_path / "needs_more.py").write_text("import a_package_that_is_not_there\n")
    (tmp_path / "raises.py").write_text("1 / 0\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield tmp_path
    for name in ("my_bot", "needs_more", "raises"):
        sys.modules.pop(name, None)


async def first_text(events: AsyncIterator[AiEvent]) -> str:
    async for event in events:
        assert isinstance(event, TextDelta)
        return event.delta
    raise AssertionError("no event")


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("spec", "text"), [("my_bot:answer", "From my module."), ("my_bot:bot", "From my object.")]
)
async def test_an_executor_of_the_user_s_is_loaded(spec: str, text: str) -> None:
    request = ExecutorRequest([user("Hi")], "owner", "key", "turn")
    assert await first_text(load(spec)(request)) == text


@pytest.mark.usefixtures("here")
@pytest.mark.parametrize(
    ("spec", "reason"),
    [
        ("my_bot", "not of the form"),
        ("my_bot:", "not of the form"),
        ("no_such_bot:answer", "there is no module 'no_such_bot'"),
        ("my_bot.sub:answer", "importing 'my_bot.sub' failed|there is no module"),
        ("needs_more:answer", "a_package_that_is_not_there"),
        ("raises:answer", "ZeroDivisionError"),
        ("my_bot:anser", "has no 'anser'; it has answer"),
        ("my_bot:number", "is a int, not an async generator"),
        ("my_bot:Bot", "is a class"),
        ("my_bot:coroutine", "no `yield`"),
        ("my_bot:generator", "async def"),
        ("my_bot:two", "one ExecutorRequest"),
    ],
)
def test_what_cannot_be_loaded_says_why(spec: str, reason: str) -> None:
    with pytest.raises(ExecutorSpecError, match=reason):
        load(spec)


def test_an_agent_is_loaded_as_an_executor(here: Path) -> None:
    (here / "my_bot.py").write_text("from pydantic_ai import Agent\nagent = Agent('test')\n")
    assert type(load("my_bot:agent")).__name__ == "AgentExecutor"


def test_without_pydantic_ai_everything_else_works() -> None:
    code = """
import sys
sys.modules["pydantic_ai"] = None
from pgthreads.executors import ExecutorSpecError, OfflineExecutor, from_model
OfflineExecutor()
try:
    from_model("ollama:x")
except ExecutorSpecError as error:
    print(error)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "pip install 'pgthreads[agents]'" in done.stdout


async def go_on(answer: UIMessage, *responses: ToolResponse) -> list[dict[str, Any]]:
    request = ExecutorRequest([user("?")], "o", "k", "t2", answer=answer, responses=responses)
    draft = Draft(answer["id"], answer)
    async for event in OfflineExecutor(delay=0)(request):
        draft.take(clean(event))
    assert not draft.waits
    draft.close("completed")
    parts: list[dict[str, Any]] = draft.message()["parts"]
    return parts


async def waits(text: str) -> UIMessage:
    request = ExecutorRequest([user(text)], "o", "k", "t1")
    draft = Draft("m")
    async for event in OfflineExecutor(delay=0)(request):
        draft.take(clean(event))
    assert draft.waits
    draft.pause()
    return draft.message()


async def test_payments_wait_for_approvals() -> None:
    answer = await waits("pay 5 20")
    calls = [part for part in answer["parts"] if part["type"] == "dynamic-tool"]
    assert [(c["state"], c["input"]) for c in calls] == [
        ("approval-requested", {"euros": 5}),
        ("approval-requested", {"euros": 20}),
    ]
    for call, approved in zip(calls, (True, False), strict=True):
        call["state"] = "approval-responded"
        call["approval"] |= {"approved": approved}
    said = [call["toolCallId"] for call in calls]
    parts = await go_on(
        answer,
        ToolResponse(said[0], approved=True),
        ToolResponse(said[1], approved=False, reason="too much"),
    )
    assert [part.get("state") for part in parts[2:4]] == ["output-available", "output-denied"]
    assert parts[2]["output"] == {"paid": 5}
    assert parts[-1]["text"] == "I paid 5 euros.\n\nNot 20 euros: too much"


async def test_the_browser_tells_its_time() -> None:
    answer = await waits("my time")
    call = answer["parts"][-1]
    assert (call["toolName"], call["state"]) == ("browser_clock", "input-available")
    call |= {"state": "output-available", "output": {"timeZone": "Europe/Rome"}}
    parts = await go_on(
        answer, ToolResponse(call["toolCallId"], output={"timeZone": "Europe/Rome"})
    )
    assert parts[-1]["text"] == 'Your browser says: {"timeZone": "Europe/Rome"}'
    parts = await go_on(answer, ToolResponse(call["toolCallId"], error_text="It has none."))
    assert parts[-1]["text"] == "Your browser says: It has none."
