"""Answers that wait for a person or for the client, and go on: Draft and the real AI SDK."""

from __future__ import annotations

import copy
import json
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

import pytest
from pydantic_ai import Agent
from pydantic_ai.exceptions import CallDeferred
from pydantic_ai.messages import ModelMessage, ToolReturnPart
from pydantic_ai.models.function import AgentInfo, DeltaToolCall, DeltaToolCalls, FunctionModel
from pydantic_ai.tools import DeferredToolRequests

from pgthreads.events import (
    AiEvent,
    Boundary,
    Data,
    Done,
    ExecutorRequest,
    ReasoningDelta,
    TextDelta,
    ToolApprovalRequest,
    ToolCallProgress,
    ToolCallResult,
    ToolCallStart,
    ToolResponse,
    UIMessage,
)
from pgthreads.executors.agents import AgentExecutor
from pgthreads.message.draft import Draft
from pgthreads.message.sanitize import Cleaner
from pgthreads.message.wire import finish_frames, replay
from tests.server import node_client
from tests.server.node_client import SdkChecker, comparable

QUESTION: UIMessage = {"id": "u1", "role": "user", "parts": [{"type": "text", "text": "Hi"}]}
KNOW_APPROVALS = ("6", "7")
STEP = {"type": "step-start"}

WAITING: list[AiEvent] = [
    ReasoningDelta("Hm."),
    TextDelta("I would pay."),
    ToolCallStart("c1", "pay", {"eur": 5}),
    ToolCallStart("c2", "pay", {"eur": 900}),
    ToolCallStart("c3", "locate", {}, by_client=True),
    ToolCallStart("c4", "look", {}),
    ToolCallResult("c4", "seen"),
    Data("chart", 1, id="1"),
    ToolApprovalRequest("c1"),
    ToolApprovalRequest("c2", "p2"),
    Done("tool-calls"),
]
RESPONSES: list[dict[str, Any]] = [
    {"id": "c1", "approved": True, "reason": "Fine."},
    {"id": "p2", "approved": False, "reason": "Too much."},
    {"tool": "locate", "toolCallId": "c3", "output": {"city": "Rome"}},
]
GOING_ON: list[AiEvent] = [
    ToolCallResult("c1", "paid"),
    ToolCallResult("c2", "whatever is said of it"),
    ToolCallResult("c3", "not the client's output"),
    ToolCallResult("c4", "not another one"),
    Data("chart", 2, id="1"),
    TextDelta("Paid from Rome."),
    Boundary(step=True),
    ReasoningDelta("Done?"),
    Done(),
]


def take(draft: Draft, events: Sequence[AiEvent]) -> bytes:
    clean = Cleaner()
    return draft.opening + b"".join(draft.take(clean(event)) for event in events)


def waiting(events: Sequence[AiEvent] = WAITING) -> tuple[bytes, UIMessage]:
    draft = Draft("m1")
    sse = take(draft, events)
    assert draft.waits
    sse += draft.pause() + finish_frames(draft.finish_reason or "stop")
    assert draft.pause() == b""
    return sse, draft.message()


def answered(message: UIMessage, responses: Sequence[dict[str, Any]] = RESPONSES) -> UIMessage:
    """The message with the responses in it, as the database gives it to the next turn."""
    message = copy.deepcopy(message)
    for part in message["parts"]:
        for each in responses:
            if "toolCallId" in each and each["toolCallId"] == part.get("toolCallId"):
                part |= {"state": "output-available", "output": each["output"]}
            elif "id" in each and each["id"] == part.get("approval", {}).get("id"):
                part |= {"state": "approval-responded", "approval": each}
    return message


def gone_on(message: UIMessage, events: Sequence[AiEvent] = GOING_ON) -> tuple[bytes, UIMessage]:
    draft = Draft("m1", answered(message))
    sse = take(draft, events)
    assert not draft.waits
    return sse + draft.close("completed") + finish_frames("stop"), draft.message()


@pytest.fixture(scope="module")
def sdk() -> Iterator[SdkChecker]:
    if reason := node_client.missing():
        pytest.fail(reason)
    with SdkChecker() as checker:
        yield checker


def states(message: UIMessage) -> dict[str, str]:
    return {part["toolCallId"]: part["state"] for part in message["parts"] if "toolCallId" in part}


def test_what_is_kept_of_an_answer_that_waits() -> None:
    _, message = waiting()
    assert states(message) == {
        "c1": "approval-requested",
        "c2": "approval-requested",
        "c3": "input-available",
        "c4": "output-available",
    }
    assert [part.get("approval") for part in message["parts"] if "approval" in part] == [
        {"id": "c1"},
        {"id": "p2"},
    ]
    assert "metadata" not in message


def test_what_becomes_of_it() -> None:
    _, before = waiting()
    _, after = gone_on(before)
    assert states(after) == {
        "c1": "output-available",
        "c2": "output-denied",
        "c3": "output-available",
        "c4": "output-available",
    }
    outputs = [part["output"] for part in after["parts"] if "output" in part]
    assert outputs == ["paid", {"city": "Rome"}, "seen"]
    assert after["parts"][: len(before["parts"]) - 1][0] == STEP
    assert after["parts"][len(before["parts"]) :] == [
        STEP,
        {"type": "text", "text": "Paid from Rome."},
        STEP,
        {"type": "reasoning", "id": "r9", "text": "Done?"},
    ]
    [chart] = [part for part in after["parts"] if part["type"] == "data-chart"]
    assert chart["data"] == 2


@pytest.mark.parametrize("status", ["completed", "stopped", "failed"])
def test_calls_that_did_not_run_end_with_the_answer(status: Any) -> None:
    _, before = waiting()
    draft = Draft("m1", answered(before))
    draft.close(status)
    assert states(draft.message()) == {
        "c1": "output-error",
        "c2": "output-denied",
        "c3": "output-available",
        "c4": "output-available",
    }


def test_only_calls_that_are_open_wait() -> None:
    draft = Draft("m1")
    take(
        draft,
        [
            ToolApprovalRequest("c0"),
            ToolCallStart("c1", "pay", {}),
            ToolCallResult("c1", "paid"),
            ToolApprovalRequest("c1"),
            ToolCallStart("c1", "pay", {}, by_client=True),
            ToolCallStart("c2", "locate", {}, by_client=True),
            ToolCallResult("c2", "here"),
            Done(),
        ],
    )
    assert not draft.waits
    draft.pause()
    assert states(draft.message()) == {"c1": "output-available", "c2": "output-available"}


def test_a_call_that_nobody_waits_for_ends_when_the_others_wait() -> None:
    _, message = waiting([ToolCallStart("c5", "lost", {}), *WAITING])
    assert states(message)["c5"] == "output-error"


def test_a_started_call_can_still_be_the_client_s() -> None:
    _, message = waiting(
        [
            ToolCallStart("c1", "locate", {"a": 1}),
            ToolCallStart("c1", "locate", {"a": 1}, by_client=True),
            Done(),
        ]
    )
    assert states(message) == {"c1": "input-available"}


@pytest.mark.parametrize("version", KNOW_APPROVALS)
def test_the_page_shows_what_is_kept_and_goes_on_with_the_same_message(
    sdk: SdkChecker, version: str
) -> None:
    sse, before = waiting()
    page = sdk.assemble(sse, version)
    assert page["errors"] == []
    assert comparable(page["message"], version) == comparable(before, version)

    sse, after = gone_on(before)
    assert json.loads(sse.split(b"\n\n")[0].removeprefix(b"data: ")) == {
        "type": "start",
        "messageId": "m1",
    }
    # In the page that saw it all, and in one that was opened meanwhile.
    for shown in (page["message"], before):
        seen = sdk.go_on([QUESTION, shown], RESPONSES, sse, version)
        assert seen["errors"] == []
        assert comparable(seen["message"], version) == comparable(after, version)
    valid = sdk.validate([QUESTION, after, {**QUESTION, "id": "u2"}], version)
    assert valid["valid"], valid
    assert "error" not in valid, valid
    assert sdk.validate([QUESTION, before], version)["valid"]


@pytest.mark.parametrize("version", KNOW_APPROVALS)
def test_a_stop_instead_of_a_pause(sdk: SdkChecker, version: str) -> None:
    draft = Draft("m1")
    sse = take(draft, WAITING[:-1]) + draft.close("stopped") + finish_frames("stop")
    page = sdk.assemble(sse, version)
    assert page["errors"] == []
    # Only the stored message says that nobody has approved: clients have no chunk for that.
    for part in page["message"]["parts"]:
        if "approval" in part:
            assert part["state"] == "output-denied"
            part["approval"]["approved"] = False
    assert comparable(page["message"], version) == comparable(draft.message(), version)
    valid = sdk.validate([QUESTION, draft.message(), {**QUESTION, "id": "u2"}], version)
    assert valid["valid"], valid


def test_static_calls_of_other_writers_go_on_as_well(sdk: SdkChecker) -> None:
    before: UIMessage = {
        "id": "m1",
        "role": "assistant",
        "parts": [
            STEP,
            {
                "type": "tool-pay",
                "toolCallId": "c1",
                "state": "approval-requested",
                "input": {},
                "approval": {"id": "p1"},
            },
        ],
    }
    responses = [{"id": "p1", "approved": True, "reason": "Fine."}]
    draft = Draft("m1", answered(before, responses))
    sse = take(draft, [ToolCallResult("c1", "paid"), TextDelta("Paid."), Done()])
    sse += draft.close("completed") + finish_frames("stop")
    seen = sdk.go_on([QUESTION, before], responses, sse)
    assert seen["errors"] == []
    assert comparable(seen["message"]) == comparable(draft.message())
    again = sdk.assemble(replay(draft.message()))
    assert states(again["message"]) == {"c1": "output-available"}


async def calls(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[DeltaToolCalls]:
    for number, tool in enumerate(info.function_tools):
        call = DeltaToolCall(name=tool.name, json_args="{}", tool_call_id=f"c{number}")
        yield {number: call}


async def test_an_agent_that_needs_an_approval_and_a_client() -> None:
    agent = Agent(FunctionModel(stream_function=calls), output_type=[str, DeferredToolRequests])

    @agent.tool_plain(requires_approval=True)
    def pay() -> str:
        raise AssertionError

    @agent.tool_plain
    def locate() -> str:
        raise CallDeferred

    request = ExecutorRequest([QUESTION], "owner", "key", "turn")
    draft, clean, events = Draft("m1"), Cleaner(), []
    async for event in AgentExecutor(agent)(request):
        events.append(event)
        draft.take(clean(event))
    assert events[-1] == Done("tool-calls")
    assert draft.waits
    draft.pause()
    waits = {part["toolName"]: part["state"] for part in draft.message()["parts"][1:]}
    assert waits == {"pay": "approval-requested", "locate": "input-available"}


async def test_an_agent_goes_on_with_the_responses() -> None:
    seen: list[list[ModelMessage]] = []
    ran: list[int] = []

    async def model(
        messages: list[ModelMessage], info: AgentInfo
    ) -> AsyncIterator[str | DeltaToolCalls]:
        seen.append(messages)
        if len(seen) == 1:
            yield {0: DeltaToolCall(name="pay", json_args='{"eur": 5}', tool_call_id="c1")}
            yield {1: DeltaToolCall(name="pay", json_args='{"eur": 900}', tool_call_id="c2")}
            yield {2: DeltaToolCall(name="locate", json_args="{}", tool_call_id="c3")}
            yield {3: DeltaToolCall(name="look", json_args="{}", tool_call_id="c4")}
        elif len(seen) == 2:
            yield {0: DeltaToolCall(name="pay", json_args='{"eur": 1}', tool_call_id="c1")}
        else:
            yield "Paid."

    function_model = FunctionModel(stream_function=model)
    agent = Agent(function_model, output_type=[str, DeferredToolRequests])

    @agent.tool_plain(requires_approval=True)
    def pay(eur: int) -> str:
        ran.append(eur)
        return f"paid {eur}"

    @agent.tool_plain
    def locate() -> str:
        raise CallDeferred

    @agent.tool_plain
    def look() -> str:
        return "seen"

    executor, clean = AgentExecutor(agent), Cleaner()
    draft = Draft("m1")
    async for event in executor(ExecutorRequest([QUESTION], "owner", "key", "turn")):
        draft.take(clean(event))
    assert draft.waits
    draft.pause()
    before = draft.message()

    given: list[dict[str, Any]] = [
        {"id": "c1", "approved": True},
        {"id": "c2", "approved": False, "reason": "Too much."},
        {"tool": "locate", "toolCallId": "c3", "output": "Rome"},
    ]
    open_answer = answered(before, given)
    responses = [
        ToolResponse("c1", approved=True),
        ToolResponse("c2", approved=False, reason="Too much."),
        ToolResponse("c3", output="Rome"),
    ]
    request = ExecutorRequest(
        [QUESTION], "owner", "key", "turn-2", answer=open_answer, responses=responses
    )
    draft = Draft("m1", open_answer)
    async for event in executor(request):
        draft.take(clean(event))
    # The agent asks again, for another call of the same id.
    assert draft.waits
    draft.pause()
    assert ran == [5]
    told = [
        part.content
        for message in seen[1]
        for part in message.parts
        if isinstance(part, ToolReturnPart)
    ]
    assert sorted(map(str, told)) == [
        "Rome",
        "The user denied this call, and the tool was not run. Reason: Too much.",
        "paid 5",
        "seen",
    ]
    again = draft.message()
    found = [(part["toolName"], part["state"]) for part in again["parts"] if "toolName" in part]
    assert found == [
        ("pay", "output-available"),
        ("pay", "output-denied"),
        ("locate", "output-available"),
        ("look", "output-available"),
        ("pay", "approval-requested"),
    ]
    last = again["parts"][-1]
    given = [{"id": last["approval"]["id"], "approved": True}]
    open_answer = answered(again, given)
    request = ExecutorRequest(
        [QUESTION],
        "owner",
        "key",
        "turn-3",
        answer=open_answer,
        responses=[ToolResponse(last["toolCallId"], approved=True)],
    )
    draft = Draft("m1", open_answer)
    async for event in executor(request):
        draft.take(clean(event))
    assert not draft.waits
    draft.close("completed")
    assert ran == [5, 1]
    assert [part["type"] for part in draft.message()["parts"]] == [
        *("step-start", *["dynamic-tool"] * 4, "step-start", "dynamic-tool"),
        *("step-start", "text"),
    ]
    assert len(set(states(draft.message()))) == 5


async def test_an_agent_goes_on_with_the_outputs_of_the_client_alone() -> None:
    seen: list[list[ModelMessage]] = []

    async def model(messages: list[ModelMessage], _: AgentInfo) -> AsyncIterator[str]:
        seen.append(messages)
        yield "In Rome."

    _, before = waiting([ToolCallStart("c3", "locate", {}, by_client=True), Done()])
    open_answer = answered(before, RESPONSES)
    responses = [ToolResponse("c3", output={"city": "Rome"})]
    request = ExecutorRequest(
        [QUESTION], "owner", "key", "turn-2", answer=open_answer, responses=responses
    )
    draft, clean = Draft("m1", open_answer), Cleaner()
    async for event in AgentExecutor(Agent(FunctionModel(stream_function=model)))(request):
        draft.take(clean(event))
    draft.close("completed")
    [result] = seen[0][-1].parts
    assert isinstance(result, ToolReturnPart)
    assert result.content == {"city": "Rome"}
    assert draft.message()["parts"][-1] == {"type": "text", "text": "In Rome."}


STARTED = ToolCallStart("c1", "pay", {})
BY_CLIENT = ToolCallStart("c1", "pay", {}, by_client=True)
PROGRESS = ToolCallProgress("c1", "half")
ASKED = ToolApprovalRequest("c1")


@pytest.mark.parametrize(
    "events",
    [
        (STARTED, PROGRESS, ASKED),
        (STARTED, PROGRESS, BY_CLIENT),
        (BY_CLIENT, PROGRESS),
        (ToolCallStart("c1", "pay", {}, provider_executed=True), BY_CLIENT),
        (ToolCallStart("c1", "pay", {}, provider_executed=True, by_client=True),),
        (ToolCallStart("c" * 257, "pay", {}, by_client=True), ToolApprovalRequest("c" * 257)),
    ],
)
def test_what_runs_already_waits_for_nobody(sdk: SdkChecker, events: Sequence[AiEvent]) -> None:
    draft = Draft("m1")
    stream = take(draft, (*events, Done("tool-calls")))
    assert not draft.waits
    stream += draft.close("completed") + finish_frames("stop")
    message = draft.message()
    assert list(states(message).values()) == ["output-error"]
    assert sdk.assemble(stream)["message"]["parts"] == message["parts"]
    assert sdk.validate([message])["valid"]


def test_nobody_is_asked_twice() -> None:
    _, message = waiting()
    draft = Draft("m1", answered(message))
    sse = take(draft, (ToolApprovalRequest("c1"), Done("tool-calls")))
    assert b"tool-approval-request" not in sse
    assert not draft.waits


def test_a_page_approves_one_call_at_a_time(sdk: SdkChecker) -> None:
    """A page gives its response to each call whose approval has the id."""
    calls = [ToolCallStart(call_id, "pay", {}) for call_id in ("c1", "c2", "c3", "p")]
    asked = [ToolApprovalRequest("c1", "p"), ToolApprovalRequest("c2", "p")]
    asked += [ToolApprovalRequest("c3", "c1"), ToolApprovalRequest("p")]
    _, message = waiting((*calls, *asked, Done("tool-calls")))
    ids = [part["approval"]["id"] for part in message["parts"] if "approval" in part]
    assert len(ids) == len(set(ids)) == 4
    draft = Draft("m1", answered(message, [{"id": ids[0], "approved": True}]))
    sse = take(draft, (ToolCallStart("c9", "pay", {}), ToolApprovalRequest("c9", "p")))
    assert f'"approvalId":"{ids[0]}"'.encode() not in sse
    assert b"tool-approval-request" in sse
    page = sdk.go_on([QUESTION, message], [{"id": ids[0], "approved": True}], finish_frames("stop"))
    assert list(states(page["message"]).values()).count("approval-responded") == 1
