from __future__ import annotations

import json
import math
from typing import Any

import pytest
from hypothesis import given

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
    ReasoningStart,
    SourceDocument,
    SourceUrl,
    Status,
    TextDelta,
    TextEnd,
    TextStart,
    ToolCallProgress,
    ToolCallResult,
    ToolCallStart,
    ToolInputDelta,
    ToolInputStart,
    UsageReport,
)
from pgthreads.message.draft import Draft, EndStatus
from pgthreads.message.sanitize import KEPT_DEPTH, MAX_DEPTH, Cleaner, clean, clean_json, clean_text
from tests.server import ai_events

STEP = {"type": "step-start"}


def text(content: str) -> dict[str, Any]:
    return {"type": "text", "text": content}


def tool(call_id: str, state: str, **fields: Any) -> dict[str, Any]:
    return {
        "type": "dynamic-tool",
        "toolName": "add",
        "toolCallId": call_id,
        "state": state,
        "input": {"x": 1},
        **fields,
    }


def call(call_id: str) -> ToolCallStart:
    return ToolCallStart(call_id, "add", {"x": 1})


def draft_of(*events: AiEvent, status: EndStatus | None = "completed") -> Draft:
    draft = Draft("m1")
    for event in events:
        draft.take(clean(event))
    if status is not None:
        draft.close(status)
    return draft


def parts(*events: AiEvent, status: EndStatus | None = "completed") -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = draft_of(*events, status=status).message()["parts"]
    return found


def test_consecutive_deltas_are_one_part() -> None:
    draft = draft_of(TextDelta("Hel"), TextDelta(""), TextDelta("lo"), Done())
    assert draft.message() == {
        "id": "m1",
        "role": "assistant",
        "parts": [STEP, text("Hello")],
    }


def test_another_kind_closes_the_part_and_reasoning_keeps_its_stream_id() -> None:
    assert parts(ReasoningDelta("a"), ReasoningDelta("b"), TextDelta("c"), ReasoningDelta("d")) == [
        STEP,
        {"type": "reasoning", "id": "r0", "text": "ab"},
        text("c"),
        {"type": "reasoning", "id": "r2", "text": "d"},
    ]


def test_parallel_calls_stay_in_one_step_and_output_after_a_result_begins_the_next() -> None:
    assert parts(
        TextDelta("Let me add."),
        call("1"),
        call("2"),
        ToolCallResult("2", [3]),
        ToolCallResult("1", None),
        TextDelta("Done."),
    ) == [
        STEP,
        text("Let me add."),
        tool("1", "output-available", output=None),
        tool("2", "output-available", output=[3]),
        STEP,
        text("Done."),
    ]


@pytest.mark.parametrize("output", [TextDelta("x"), ReasoningDelta("x"), call("2")])
def test_any_output_after_a_result_begins_a_step(output: AiEvent) -> None:
    found = parts(call("1"), ToolCallResult("1", 2), output)
    assert [part["type"] for part in found][:3] == ["step-start", "dynamic-tool", "step-start"]


def test_a_result_in_the_middle_of_text_ends_that_text() -> None:
    found = parts(call("1"), TextDelta("a"), ToolCallResult("1", 2), TextDelta("b"))
    assert found == [STEP, tool("1", "output-available", output=2), text("a"), STEP, text("b")]


@pytest.mark.parametrize(
    ("result", "error_text"),
    [("no such file", "no such file"), ({"wo": "größe"}, '{"wo": "größe"}'), (None, "null")],
)
def test_a_tool_error_is_text(result: Any, error_text: str) -> None:
    assert parts(call("1"), ToolCallResult("1", result, is_error=True)) == [
        STEP,
        tool("1", "output-error", errorText=error_text),
    ]


def test_a_boundary_begins_another_part_or_step_of_the_same_kind() -> None:
    assert parts(
        Boundary(),
        ReasoningDelta("a"),
        Boundary(),
        ReasoningDelta("b"),
        TextDelta("c"),
        Boundary(),
        Boundary(),
        TextDelta("d"),
        Boundary(step=True),
        Boundary(step=True),
        TextDelta("e"),
        Boundary(step=True),
    ) == [
        STEP,
        {"type": "reasoning", "id": "r0", "text": "a"},
        {"type": "reasoning", "id": "r1", "text": "b"},
        text("c"),
        text("d"),
        STEP,
        text("e"),
    ]


def test_the_final_text_may_be_that_of_the_last_part() -> None:
    assert parts(TextDelta("a"), Boundary(), TextDelta("b"), AssistantFinal("bc")) == [
        STEP,
        text("a"),
        text("bc"),
    ]


def test_results_without_a_call_and_calls_twice_are_dropped() -> None:
    assert parts(
        ToolCallResult("0", 1),
        call("1"),
        ToolCallStart("1", "other", {}),
        ToolCallResult("1", 2),
        ToolCallResult("1", 3),
        ToolCallStart("1", "other", {}),
        TextDelta("a"),
    ) == [STEP, tool("1", "output-available", output=2), STEP, text("a")]


@pytest.mark.parametrize(
    ("status", "metadata"),
    [("completed", {}), ("stopped", {"status": "stopped"}), ("failed", {"status": "failed"})],
)
def test_close_fails_open_calls_and_keeps_the_status(
    status: EndStatus, metadata: dict[str, str]
) -> None:
    draft = draft_of(call("1"), TextDelta("so"), status=status)
    draft.close("failed")
    draft.take(TextDelta("too late"))
    message = draft.message()
    assert [part.get("state") for part in message["parts"]] == [None, "output-error", None]
    assert message["parts"][1]["errorText"]
    assert message.get("metadata", {}) == metadata
    assert message["parts"][2] == text("so")


def test_nothing_is_added_after_the_end_but_usage() -> None:
    draft = draft_of(
        TextDelta("a"), Done("length"), TextDelta("b"), Error("x"), UsageReport({"n": 1})
    )
    assert draft.message()["parts"] == [STEP, text("a")]
    assert draft.finish_reason == "length"
    assert draft.error_code is None
    assert draft.usage() == {"n": 1}


@pytest.mark.parametrize(
    ("said", "final", "expected"),
    [
        ([TextDelta("Hel")], "Hello", [STEP, text("Hello")]),
        ([TextDelta("Hello")], "Hello", [STEP, text("Hello")]),
        ([], "Hello", [STEP, text("Hello")]),
        ([TextDelta("Hello")], "", [STEP, text("Hello")]),
        ([TextDelta(" Hello\n")], "Hello", [STEP, text(" Hello\n")]),
        ([TextDelta("Hello")], "Hello\n", [STEP, text("Hello\n")]),
        ([TextDelta("Hello")], "Bye", [STEP, text("Hello"), STEP, text("Bye")]),
        (
            [TextDelta("a"), ReasoningDelta("r")],
            "ab",
            [STEP, text("a"), {"type": "reasoning", "id": "r1", "text": "r"}, text("b")],
        ),
    ],
)
def test_the_final_text_adds_what_is_missing(
    said: list[AiEvent], final: str, expected: list[dict[str, Any]]
) -> None:
    assert parts(*said, AssistantFinal(final)) == expected


@pytest.mark.parametrize(
    ("after", "final", "expected"),
    [
        ([], "B", [STEP, text("B")]),
        ([], "A", []),
        ([TextDelta("B")], "B!", [STEP, text("B!")]),
        ([TextDelta("B")], "AB!", [STEP, text("B!")]),
        ([TextDelta("B"), ReasoningDelta("r")], "B", None),
    ],
)
def test_the_final_text_may_be_that_of_the_last_step(
    after: list[AiEvent], final: str, expected: list[dict[str, Any]] | None
) -> None:
    before: list[AiEvent] = [TextDelta("A"), call("1"), ToolCallResult("1", 2)]
    found = parts(*before, *after, AssistantFinal(final))[3:]
    assert found == (parts(*before, *after)[3:] if expected is None else expected)


def test_the_final_text_may_come_before_the_last_tool() -> None:
    said: list[AiEvent] = [TextDelta("A"), call("1"), ToolCallResult("1", 2), TextDelta("B")]
    searched: list[AiEvent] = [call("2"), ToolCallResult("2", 3)]
    assert parts(*said, *searched, AssistantFinal("B")) == parts(*said, *searched)


def test_a_final_text_that_contradicts_the_stream_is_reported() -> None:
    assert draft_of(TextDelta("yes"), AssistantFinal("no")).corrected
    assert not draft_of(TextDelta("yes"), AssistantFinal("yes!")).corrected


def test_usage_adds_up_and_stays_out_of_the_message() -> None:
    draft = draft_of(
        UsageReport({"input_tokens": 2, "details": {"cached": 1}, "model": "a", "ok": True}),
        Status("thinking", "Thinking"),
        UsageReport(
            {"input_tokens": 3, "details": {"cached": 4, "new": 1}, "model": "b", "ok": True}
        ),
    )
    assert draft.usage() == {
        "input_tokens": 5,
        "details": {"cached": 5, "new": 1},
        "model": "b",
        "ok": True,
    }
    assert draft.message()["parts"] == [STEP]
    assert draft.is_empty


def test_is_empty_until_something_is_said() -> None:
    assert draft_of(TextDelta(""), Error("x"), status="failed").is_empty
    assert not draft_of(TextDelta("a"), status=None).is_empty
    assert not draft_of(call("1"), status=None).is_empty


def test_the_message_can_be_read_on_the_way_and_is_a_copy() -> None:
    draft = draft_of(call("1"), TextDelta("a"), TextDelta("b"), status=None)
    early = draft.message()
    assert early["parts"] == [STEP, tool("1", "input-available"), text("ab")]
    draft.take(TextDelta("c"))
    draft.take(ToolCallResult("1", 2))
    assert early["parts"][1:] == [tool("1", "input-available"), text("ab")]
    assert draft.message()["parts"][2] == text("abc")


SIGNED = {"pydantic_ai": {"signature": "s"}}


def test_blocks_begin_and_end_and_keep_their_metadata() -> None:
    assert parts(
        ReasoningStart(),
        ReasoningDelta("a"),
        ReasoningEnd(SIGNED),
        ReasoningStart(),
        ReasoningDelta("b"),
        ReasoningEnd(),
        ReasoningStart(),
        ReasoningEnd(),
        ReasoningStart(SIGNED),
        ReasoningEnd(),
        ReasoningEnd(SIGNED),
        TextStart({"p": {"n": 1}}),
        TextDelta("c"),
        TextEnd({"p": {"n": 2}}),
        TextDelta("d"),
    ) == [
        STEP,
        {"type": "reasoning", "id": "r0", "text": "a", "providerMetadata": SIGNED},
        {"type": "reasoning", "id": "r1", "text": "b"},
        {"type": "reasoning", "id": "r2", "text": "", "providerMetadata": SIGNED},
        {"type": "reasoning", "id": "r3", "text": "", "providerMetadata": SIGNED},
        {**text("c"), "providerMetadata": {"p": {"n": 2}}},
        text("d"),
    ]


def test_arguments_that_come_in_pieces() -> None:
    streamed: list[AiEvent] = [
        ToolInputDelta("1", "dropped"),
        ToolInputStart("1", "add"),
        ToolInputStart("1", "other"),
        ToolInputDelta("1", '{"x"'),
        ToolInputDelta("1", ": 1}"),
    ]
    draft = draft_of(*streamed, status=None)
    assert draft.message()["parts"] == [
        STEP,
        {
            "type": "dynamic-tool",
            "toolName": "add",
            "toolCallId": "1",
            "state": "input-streaming",
            "rawInput": '{"x": 1}',
        },
    ]
    assert parts(*streamed, call("1"), ToolCallResult("1", 2), TextDelta("a")) == [
        STEP,
        tool("1", "output-available", output=2),
        STEP,
        text("a"),
    ]
    [_, unfinished] = parts(*streamed, status="stopped")
    assert unfinished == tool(
        "1",
        "output-error",
        input='{"x": 1}',
        errorText="Stopped before the tool returned a result.",
    )


def test_no_step_begins_before_the_arguments_are_complete() -> None:
    found = parts(
        call("1"),
        ToolInputStart("2", "add"),
        ToolCallResult("1", 2),
        TextDelta("a"),
        Boundary(step=True),
        call("2"),
        TextDelta("b"),
    )
    assert [part["type"] for part in found] == [
        *("step-start", "dynamic-tool", "dynamic-tool", "text", "step-start", "text")
    ]


def test_the_progress_of_a_tool_is_replaced_and_is_no_result() -> None:
    progress: list[AiEvent] = [
        ToolCallProgress("1", 0),
        call("1"),
        ToolCallProgress("1", 1),
        ToolCallProgress("1", 2),
    ]
    assert parts(*progress, status=None)[1] == tool(
        "1", "output-available", output=2, preliminary=True
    )
    assert parts(*progress, ToolCallResult("1", 3), ToolCallProgress("1", 4)) == [
        STEP,
        tool("1", "output-available", output=3),
    ]
    assert parts(*progress) == [
        STEP,
        tool("1", "output-error", errorText="The tool returned no result."),
    ]


def test_sources_and_data_stand_beside_the_text_and_a_file_ends_it() -> None:
    assert parts(
        TextDelta("a"),
        SourceUrl("s", "https://example.com", provider_metadata={"p": {}}),
        SourceDocument("d", "text/plain", "T", filename="t.txt"),
        Data("chart", [1], id="1"),
        TextDelta("b"),
        FileOutput("image/png", "data:image/png;base64,AA=="),
        TextDelta("c"),
    ) == [
        STEP,
        text("ab"),
        {
            "type": "source-url",
            "sourceId": "s",
            "url": "https://example.com",
            "providerMetadata": {"p": {}},
        },
        {
            "type": "source-document",
            "sourceId": "d",
            "mediaType": "text/plain",
            "title": "T",
            "filename": "t.txt",
        },
        {"type": "data-chart", "id": "1", "data": [1]},
        {"type": "file", "mediaType": "image/png", "url": "data:image/png;base64,AA=="},
        text("c"),
    ]


def test_what_a_tool_shows_belongs_to_its_step_and_what_a_new_step_shows_to_that() -> None:
    source = SourceUrl("s", "https://example.com")
    found = parts(
        call("1"), ToolCallResult("1", 2), source, TextDelta("a"), Boundary(step=True), source
    )
    assert [part["type"] for part in found] == [
        *("step-start", "dynamic-tool", "source-url", "step-start", "text"),
        *("step-start", "source-url"),
    ]


def test_data_with_an_id_is_replaced_and_transient_data_is_not_kept() -> None:
    assert parts(
        Data("a", 1, id="1"),
        Data("a", 2),
        Data("b", 3, id="1"),
        Data("a", None, id="1"),
        Data("a", 4, id="1", transient=True),
    ) == [
        STEP,
        {"type": "data-a", "id": "1", "data": None},
        {"type": "data-a", "data": 2},
        {"type": "data-b", "id": "1", "data": 3},
    ]
    with pytest.raises(ValueError, match="name"):
        clean(Data("", 1))


def test_metadata_is_merged_and_the_status_is_the_server_s() -> None:
    draft = draft_of(
        MessageMetadata({"model": "m", "a": {"b": 1, "prototype": 0}, "status": "completed"}),
        MessageMetadata({"a": {"c": [2], "prototype": 1}, "constructor": "x"}),
        MessageMetadata({"status": "failed", "pgthreads": {"status": "failed"}}),
        TextDelta("x"),
        status="stopped",
    )
    assert draft.message()["metadata"] == {
        "model": "m",
        "a": {"b": 1, "\ufffdprototype": 1, "c": [2]},
        "\ufffdconstructor": "x",
        "status": "stopped",
    }
    assert "metadata" not in draft_of(MessageMetadata({"status": "failed"})).message()


@pytest.mark.parametrize("wrong", [[], "x", {"p": 1}, {"p": None}])
def test_metadata_of_a_provider_is_an_object_of_objects(wrong: Any) -> None:
    for kind in (TextStart, TextEnd, ReasoningStart, ReasoningEnd):
        with pytest.raises(TypeError, match="object"):
            clean(kind(wrong))
    with pytest.raises(TypeError, match="object"):
        clean(ToolCallStart("1", "add", {}, provider_metadata=wrong))


def test_a_call_of_the_provider_s_own_tool() -> None:
    assert parts(
        ToolCallStart("1", "add", {"x": 1}, provider_executed=True, provider_metadata=SIGNED),
        ToolCallResult("1", 2),
    )[1] == tool(
        "1",
        "output-available",
        output=2,
        providerExecuted=True,
        callProviderMetadata=SIGNED,
    )


@ai_events.patient
@given(ai_events.turns, ai_events.statuses)
def test_a_closed_message_holds_no_open_call_and_no_empty_text(
    events: list[AiEvent], status: EndStatus
) -> None:
    message = draft_of(*events, status=status).message()
    for part in message["parts"]:
        assert part["type"] not in ("text", "reasoning") or part["text"] or part["providerMetadata"]
        assert part.get("state") in (None, "output-available", "output-error")
        assert "preliminary" not in part
    assert json.loads(json.dumps(message, allow_nan=False)) == message


def test_clean_events_pass_as_they_are() -> None:
    for event in (TextDelta("plain"), TextDelta("grüße 😀"), ReasoningDelta("x"), Done()):
        assert clean(event) is event


@pytest.mark.parametrize(
    ("dirty", "cleaned"),
    [
        ("a\x00b", "a\ufffdb"),
        ("a\ud83db", "a\ufffdb"),
        ("\ude00\ud83d", "\ufffd\ufffd"),
        ("\ud83d\ude00", "😀"),
    ],
)
def test_what_postgresql_refuses_becomes_a_replacement_character(dirty: str, cleaned: str) -> None:
    assert clean_text(dirty) == cleaned
    assert clean_json({dirty: [dirty]}) == {cleaned: [cleaned]}
    assert clean(ToolCallStart(dirty, dirty, dirty)) == ToolCallStart(cleaned, cleaned, cleaned)


def test_json_values_are_what_both_readers_understand() -> None:
    assert clean_json((math.nan, math.inf, 10**400, 2**60, 1.0, True, None)) == [
        None,
        None,
        None,
        2**60,
        1.0,
        True,
        None,
    ]
    assert math.copysign(1, clean_json(-0.0)) == 1
    assert clean_json({1: "a", None: "b", False: "c", 1.5: "d"}) == {
        "1": "a",
        "null": "b",
        "false": "c",
        "1.5": "d",
    }
    assert clean_json({"__proto__": 1, "constructor": {"prototype": 1}}) == {
        "\ufffd__proto__": 1,
        "\ufffdconstructor": {"prototype": 1},
    }
    assert clean_json({"constructor": "x"}) == {"constructor": "x"}
    assert clean_json({"constructor": math.nan}) == {"\ufffdconstructor": None}


def test_what_is_not_json_is_refused_clearly() -> None:
    with pytest.raises(TypeError, match="JSON value, got object"):
        clean(ToolCallResult("1", {"at": object()}))
    with pytest.raises(TypeError, match="string, got NoneType"):
        clean(TextDelta(None))  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="str, not an AiEvent"):
        clean("hello")  # type: ignore[arg-type]
    kept: Any = 1
    for _ in range(KEPT_DEPTH):
        kept = [kept]
    assert clean_json(kept) == kept
    deep = kept
    for _ in range(MAX_DEPTH - KEPT_DEPTH):
        deep = [deep]
    cleaned: Any = clean_json(deep)
    for _ in range(KEPT_DEPTH):
        cleaned = cleaned[0]
    assert cleaned == "[" * (MAX_DEPTH - KEPT_DEPTH) + "1" + "]" * (MAX_DEPTH - KEPT_DEPTH)
    with pytest.raises(ValueError, match="deeper"):
        clean_json([deep])


def test_a_cleaned_value_is_the_executor_s_no_more() -> None:
    args = {"list": [1]}
    event = clean(ToolCallStart("1", "add", args))
    args["list"].append(2)
    assert event == ToolCallStart("1", "add", {"list": [1]})


@ai_events.patient
@given(ai_events.values)
def test_cleaning_again_changes_nothing(value: Any) -> None:
    once = clean_json(value)
    assert clean_json(once) == once
    json.dumps(once, allow_nan=False).encode()


def test_a_pair_split_over_two_deltas_survives() -> None:
    cleaner = Cleaner()
    split: list[AiEvent] = [
        TextDelta("a\ud83d"),
        Status("x", "y"),
        TextDelta("\ude00b"),
        TextDelta("\ud83d"),
        ReasoningDelta("\ude00c"),
    ]
    assert [cleaner(event) for event in split] == [
        TextDelta("a"),
        Status("x", "y"),
        TextDelta("😀b"),
        TextDelta(""),
        ReasoningDelta("\ufffdc"),
    ]
