"""Compares what a turn sends and what it stores with the real AI SDK."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pgthreads.events import (
    AiEvent,
    AssistantFinal,
    Boundary,
    Data,
    Done,
    Error,
    FileOutput,
    MessageMetadata,
    ReasoningDelta,
    ReasoningEnd,
    SourceDocument,
    SourceUrl,
    Status,
    TextDelta,
    TextEnd,
    ToolCallProgress,
    ToolCallResult,
    ToolCallStart,
    ToolInputDelta,
    ToolInputStart,
    UIMessage,
    UsageReport,
)
from pgthreads.message.draft import Draft, EndStatus
from pgthreads.message.sanitize import Cleaner
from pgthreads.message.wire import error_frames, finish_frames, replay
from tests.server import ai_events, node_client
from tests.server.node_client import VERSIONS, SdkChecker, comparable

QUESTION: UIMessage = {"id": "u1", "role": "user", "parts": [{"type": "text", "text": "Hi"}]}

CHUNK_KEYS = {
    "start": ({"messageId"}, {"messageMetadata"}),
    "start-step": (set(), set()),
    "finish-step": (set(), set()),
    "text-start": ({"id"}, {"providerMetadata"}),
    "text-delta": ({"id", "delta"}, set()),
    "text-end": ({"id"}, {"providerMetadata"}),
    "reasoning-start": ({"id"}, {"providerMetadata"}),
    "reasoning-delta": ({"id", "delta"}, set()),
    "reasoning-end": ({"id"}, {"providerMetadata"}),
    "tool-input-start": ({"toolCallId", "toolName", "dynamic"}, set()),
    "tool-input-delta": ({"toolCallId", "inputTextDelta"}, set()),
    "tool-input-available": (
        {"toolCallId", "toolName", "input", "dynamic"},
        {"providerExecuted", "providerMetadata"},
    ),
    "tool-input-error": ({"toolCallId", "toolName", "input", "errorText", "dynamic"}, set()),
    "tool-output-available": ({"toolCallId", "output", "dynamic"}, {"preliminary"}),
    "tool-output-error": ({"toolCallId", "errorText", "dynamic"}, set()),
    "message-metadata": ({"messageMetadata"}, set()),
    "source-url": ({"sourceId", "url"}, {"title", "providerMetadata"}),
    "source-document": (
        {"sourceId", "mediaType", "title"},
        {"filename", "providerMetadata"},
    ),
    "file": ({"mediaType", "url"}, {"providerMetadata"}),
    "data-a": ({"data"}, {"id", "transient"}),
    "data-b": ({"data"}, {"id", "transient"}),
    "data-status": ({"data"}, {"id", "transient"}),
    "error": ({"errorText"}, set()),
    "finish": ({"finishReason"}, set()),
}
"""Required and optional keys of the chunks that this server sends."""


def chunks(sse: bytes) -> list[Any]:
    """The frames of a stream, each checked to be whole."""
    assert sse.endswith(b"\n\n")
    found = []
    for frame in sse[:-2].split(b"\n\n"):
        assert frame.startswith(b"data: ")
        assert b"\n" not in frame
        body = frame.removeprefix(b"data: ")
        found.append("[DONE]" if body == b"[DONE]" else json.loads(body))
    return found


def run(events: Sequence[AiEvent], status: EndStatus = "completed") -> tuple[bytes, UIMessage]:
    """Return a turn's whole stream, and its stored message."""
    clean, draft = Cleaner(), Draft("m1")
    sse = draft.opening
    for event in events:
        sse += draft.take(clean(event))
    sse += draft.close(status)
    if status == "failed":
        sse += error_frames("It failed.")
    else:
        sse += finish_frames(draft.finish_reason or "stop")
    return sse, draft.message()


def stored(message: UIMessage) -> UIMessage:
    """The message as it comes back from JSON."""
    copy: UIMessage = json.loads(json.dumps(message, allow_nan=False))
    return copy


def with_doubles(message: UIMessage) -> UIMessage:
    """The message with its numbers as JavaScript has them."""
    copy: UIMessage = json.loads(json.dumps(message), parse_int=float)
    return copy


@pytest.fixture(scope="module")
def sdk() -> Iterator[SdkChecker]:
    if reason := node_client.missing():
        pytest.fail(reason)
    with SdkChecker() as checker:
        yield checker


TURNS: dict[str, tuple[list[AiEvent], EndStatus]] = {
    "text": ([TextDelta("Hel"), TextDelta("lo, wörld 😀\n\n\u2028")], "completed"),
    "nothing": ([], "completed"),
    "reasoning": ([ReasoningDelta("Hm"), ReasoningDelta("…"), TextDelta("Yes.")], "completed"),
    "tool": (
        [
            Status("tool", "Adding"),
            TextDelta("Let me add."),
            ToolCallStart("c1", "add", {"a": 1, "b": [None, 2.5]}),
            ToolCallResult("c1", {"sum": 3}),
            UsageReport({"input_tokens": 3}),
            TextDelta("It is 3."),
            Done(),
        ],
        "completed",
    ),
    "parallel tools, one late": (
        [
            ToolCallStart("c1", "add", {}),
            ToolCallStart("c2", "add", []),
            ToolCallResult("c2", None),
            TextDelta("One is in."),
            ToolCallResult("c1", "two"),
            TextDelta("Both are in."),
        ],
        "completed",
    ),
    "tool error": (
        [ToolCallStart("c1", "add", "x"), ToolCallResult("c1", {"e": 1}, True), TextDelta("Oh.")],
        "completed",
    ),
    "a call without a result": ([ToolCallStart("c1", "add", None), TextDelta("?")], "completed"),
    "final": ([TextDelta("Hel"), AssistantFinal("Hello"), Done("length")], "completed"),
    "two parts of a kind, two steps without a tool": (
        [
            ReasoningDelta("One."),
            Boundary(),
            ReasoningDelta("Two."),
            TextDelta("A."),
            Boundary(),
            TextDelta("B."),
            Boundary(step=True),
            TextDelta("C."),
        ],
        "completed",
    ),
    "a final text that contradicts": ([TextDelta("41"), AssistantFinal("42"), Done()], "completed"),
    "every part": (
        [
            MessageMetadata({"model": "m", "a": {"b": 1}}),
            MessageMetadata({"a": {"c": 2}}),
            ReasoningDelta("Hm."),
            ReasoningEnd({"pydantic_ai": {"signature": "s", "provider_name": "p"}}),
            ReasoningEnd({"pydantic_ai": {"id": "rs_1", "signature": "encrypted"}}),
            ToolInputStart("c1", "add"),
            ToolInputDelta("c1", '{"a": 1, "b": [nul'),
            ToolInputDelta("c1", "l]}"),
            ToolCallStart("c1", "add", {"a": 1, "b": [None]}, False, {"p": {"id": "fc_1"}}),
            ToolCallProgress("c1", {"percent": 50}),
            ToolCallProgress("c1", {"percent": 99}),
            ToolCallResult("c1", 3),
            SourceUrl("s1", "https://example.com", "T", {"p": {}}),
            SourceDocument("s2", "text/plain", "D", "d.txt"),
            TextDelta("It is "),
            Data("chart", [1], id="1"),
            Data("note", "n"),
            Data("chart", [2], id="1"),
            Data("tick", 1, transient=True),
            TextDelta("3."),
            TextEnd({"p": {"citations": [1]}}),
            FileOutput("image/png", "data:image/png;base64,iVBORw0KGgo="),
            ToolCallStart("c2", "search", {"q": "x"}, True),
            ToolCallResult("c2", ["found"]),
            Done(),
        ],
        "completed",
    ),
    "stop in the arguments": (
        [ToolInputStart("c1", "add"), ToolInputDelta("c1", '{"a": [1, {"b')],
        "stopped",
    ),
    "stop in a long tool": (
        [ToolCallStart("c1", "add", {}), ToolCallProgress("c1", {"percent": 50})],
        "stopped",
    ),
    "stop": ([TextDelta("Let"), ToolCallStart("c1", "add", {})], "stopped"),
    "stop before anything": ([], "stopped"),
    "error": ([ToolCallStart("c1", "add", {}), TextDelta("Let"), Error("upstream")], "failed"),
    "hostile names": (
        [
            ToolCallStart("__proto__", "__proto__", {"__proto__": {"a": 1}}),
            ToolCallResult("__proto__", {"constructor": {"prototype": 1}}),
            TextDelta("a\x00\ud83d"),
            TextDelta("\ude00"),
        ],
        "completed",
    ),
}


def test_the_frames_of_a_turn() -> None:
    sse, _ = run(
        [
            ReasoningDelta("R"),
            TextDelta('"ü"\n'),
            ToolCallStart("c", "add", {"a": 1}),
            ToolCallResult("c", 2),
            TextDelta("B"),
            Done("length"),
        ]
    )
    assert chunks(sse) == [
        {"type": "start", "messageId": "m1"},
        {"type": "start-step"},
        {"type": "reasoning-start", "id": "r0"},
        {"type": "reasoning-delta", "id": "r0", "delta": "R"},
        {"type": "reasoning-end", "id": "r0"},
        {"type": "text-start", "id": "t1"},
        {"type": "text-delta", "id": "t1", "delta": '"ü"\n'},
        {"type": "text-end", "id": "t1"},
        {"type": "tool-input-start", "toolCallId": "c", "toolName": "add", "dynamic": True},
        {
            "type": "tool-input-available",
            "toolCallId": "c",
            "toolName": "add",
            "input": {"a": 1},
            "dynamic": True,
        },
        {"type": "tool-output-available", "toolCallId": "c", "output": 2, "dynamic": True},
        {"type": "finish-step"},
        {"type": "start-step"},
        {"type": "text-start", "id": "t2"},
        {"type": "text-delta", "id": "t2", "delta": "B"},
        {"type": "text-end", "id": "t2"},
        {"type": "finish-step"},
        {"type": "finish", "finishReason": "length"},
        "[DONE]",
    ]
    assert "ü".encode() in sse


def test_closing_says_everything_before_the_commit() -> None:
    draft = Draft("m1")
    draft.take(ToolCallStart("c", "add", {}))
    draft.take(TextDelta("a"))
    assert [chunk["type"] for chunk in chunks(draft.close("stopped"))] == [
        "text-end",
        "tool-output-error",
        "message-metadata",
        "finish-step",
    ]
    assert draft.close("stopped") == b""
    assert draft.take(TextDelta("too late")) == b""
    assert chunks(finish_frames("other")) == [
        {"type": "finish", "finishReason": "other"},
        "[DONE]",
    ]
    assert chunks(error_frames("No.")) == [{"type": "error", "errorText": "No."}, "[DONE]"]


def test_what_is_not_for_the_client_sends_nothing() -> None:
    draft = Draft("m1")
    for event in (UsageReport({"n": 1}), TextDelta(""), ToolCallResult("x", 1), Done(), Error("x")):
        assert draft.take(event) == b""


@ai_events.patient
@given(ai_events.turns, ai_events.statuses)
def test_only_known_chunks_with_known_keys(events: list[AiEvent], status: EndStatus) -> None:
    sse, message = run(events, status)
    for frame in [*chunks(sse), *chunks(replay(message))]:
        if frame != "[DONE]":
            required, optional = CHUNK_KEYS[frame["type"]]
            keys = set(frame) - {"type"}
            assert required <= keys <= required | optional
            assert all(value is not None for key, value in frame.items() if key not in JSON_KEYS)


JSON_KEYS = {"input", "output", "data"}
"""Chunk keys whose value may be null."""


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("name", TURNS)
def test_the_sdk_assembles_what_is_stored(sdk: SdkChecker, version: str, name: str) -> None:
    events, status = TURNS[name]
    sse, message = run(events, status)
    page = sdk.assemble(sse, version, split=7)
    assert page["message"] is not None
    assert comparable(page["message"], version) == comparable(stored(message), version)
    if status == "failed":
        assert page["status"] == "error"
        assert page["errors"] == ["It failed."]
    else:
        assert page["status"] == "ready"
        assert page["errors"] == []
        assert page["finish"]["finishReason"] in ("stop", "length")
    replayed = sdk.assemble(replay(stored(message)), version)
    assert replayed["status"] == "ready"
    assert comparable(replayed["message"], version) == comparable(stored(message), version)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_status_reaches_the_page_and_not_the_message(sdk: SdkChecker, version: str) -> None:
    sse, _ = run([Status("tool", "Adding"), TextDelta("3")])
    page = sdk.assemble(sse, version)
    assert page["data"] == [
        {"type": "data-status", "data": {"phase": "tool", "label": "Adding"}, "transient": True}
    ]
    assert [part["type"] for part in page["message"]["parts"]] == ["step-start", "text"]


@pytest.mark.parametrize("version", VERSIONS)
def test_what_is_stored_is_valid_and_makes_a_prompt(sdk: SdkChecker, version: str) -> None:
    threads = [
        [QUESTION, stored(run(events, status)[1]), {**QUESTION, "id": "u2"}]
        for events, status in TURNS.values()
    ]
    for thread, result in zip(threads, sdk.validate_all(threads, version), strict=True):
        assert result["valid"], (result, thread)
        assert "error" not in result
        assert_every_call_is_answered(result["modelMessages"])


def assert_every_call_is_answered(model_messages: list[dict[str, Any]]) -> None:
    content = [
        part
        for message in model_messages
        if isinstance(message["content"], list)
        for part in message["content"]
    ]
    called = [part["toolCallId"] for part in content if part["type"] == "tool-call"]
    answered = [part["toolCallId"] for part in content if part["type"] == "tool-result"]
    assert sorted(called) == sorted(answered)


@pytest.mark.parametrize("version", VERSIONS)
@ai_events.in_batches
@given(st.lists(st.tuples(ai_events.turns, ai_events.statuses), min_size=40, max_size=40))
def test_any_turn_is_assembled_stored_replayed_and_prompted_alike(
    sdk: SdkChecker, version: str, turns: list[tuple[list[AiEvent], EndStatus]]
) -> None:
    runs = [run(events, status) for events, status in turns]
    expected = [stored(message) for _, message in runs]
    live = sdk.assemble_all([sse for sse, _ in runs], version)
    again = sdk.assemble_all([replay(message) for message in expected], version)
    checked = sdk.validate_all([[QUESTION, message] for message in expected], version)
    for (_, status), message, page, replayed, valid in zip(
        turns, expected, live, again, checked, strict=True
    ):
        wanted = with_doubles(comparable(message, version))
        assert page["errors"] == (["It failed."] if status == "failed" else [])
        assert with_doubles(comparable(page["message"], version)) == wanted
        assert replayed["errors"] == []
        assert with_doubles(comparable(replayed["message"], version)) == wanted
        assert valid["valid"], valid
        assert "error" not in valid, valid


@pytest.mark.parametrize("version", VERSIONS)
def test_other_parts_of_stored_messages_are_replayed_too(sdk: SdkChecker, version: str) -> None:
    message: UIMessage = {
        "id": "m1",
        "role": "assistant",
        "metadata": {"model": "x"},
        "parts": [
            {"type": "text", "text": "before any step"},
            {"type": "step-start"},
            {"type": "source-url", "sourceId": "s1", "url": "https://example.com", "title": "T"},
            {"type": "source-document", "sourceId": "s2", "mediaType": "text/plain", "title": "D"},
            {"type": "file", "mediaType": "text/plain", "url": "data:text/plain,hi"},
            {"type": "data-weather", "id": "w", "data": {"c": 20}},
            {
                "type": "tool-add",
                "toolCallId": "c1",
                "state": "output-available",
                "input": {"a": 1},
                "output": 1,
            },
            {"type": "tool-add", "toolCallId": "c2", "state": "output-error", "errorText": "no"},
        ],
    }
    page = sdk.assemble(replay(message), version)
    assert page["errors"] == []
    assert comparable(page["message"], version) == message


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("state", ["output-denied", "approval-responded"])
def test_a_denied_call_is_not_left_open_by_a_replay(
    sdk: SdkChecker, version: str, state: str
) -> None:
    call = {"type": "dynamic-tool", "toolName": "pay", "toolCallId": "c1", "input": {"eur": 5}}
    approval = {"id": "p1", "approved": False, "reason": "Too much."}
    part = {**call, "state": state, "approval": approval}
    page = sdk.assemble(replay({"id": "m1", "role": "assistant", "parts": [part]}), version)
    assert page["errors"] == []
    [shown] = comparable(page["message"], version)["parts"]
    denied = "The user denied this call, and the tool was not run. Reason: Too much."
    assert shown == {**call, "state": "output-error", "errorText": denied}
