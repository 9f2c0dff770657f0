"""What fits into a message, what happens to the rest, and final texts that contradict."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest

from pgthreads.events import (
    AiEvent,
    AssistantFinal,
    Data,
    Done,
    FileOutput,
    MessageMetadata,
    ReasoningEnd,
    SourceUrl,
    Status,
    TextDelta,
    ToolCallProgress,
    ToolCallResult,
    ToolCallStart,
    ToolInputDelta,
    ToolInputStart,
    UIMessage,
)
from pgthreads.message.draft import Draft
from pgthreads.message.outputs import binary
from tests.server.service import Service, chunks_of, running_service, says, text_of


@pytest.fixture
async def service(server_dsn: str, admin_dsn: str) -> AsyncIterator[Service]:
    async with running_service(server_dsn, admin_dsn) as running:
        yield running


@pytest.mark.parametrize(
    ("key", "output", "kept"),
    [
        ("text", "x" * 970_000, True),
        ("quotes", '"' * 480_000, True),
        ("picture", binary(bytes(700_000), "image/png"), True),
        ("numbers", [1e300] * 4_000, False),
        ("large-picture", [1, binary(bytes(900_000), "image/png")], False),
        ("large-text", "x" * 1_040_000, False),
        ("lists", [[]] * 80_000, True),
        ("many-lists", [[]] * 100_000, False),
        ("brackets", "[" * 200_000, True),
    ],
)
async def test_a_tool_s_output_that_does_not_fit_is_told_in_its_place(
    service: Service, key: str, output: Any, kept: bool
) -> None:
    service.executor.script = says(
        ToolCallStart("c1", "look", {}),
        ToolCallResult("c1", output),
        TextDelta("y" * 40_000),
        AssistantFinal("y" * 40_000),
        Done(),
    )
    stream = chunks_of(await service.chat(key, "hi"))
    assert stream[-1]["type"] == "finish"
    stored = (await service.messages(key))[-1]
    [shown] = [chunk["output"] for chunk in stream if "output" in chunk]
    assert stored["parts"][1]["output"] == shown
    if kept:
        assert shown == output
    else:
        assert "too large to be kept" in json.dumps(shown)
        assert len(json.dumps(shown)) < 200
        assert not isinstance(output, list) or not isinstance(output[0], int) or shown[0] == 1
    assert text_of(stored) == "y" * 40_000


async def test_lists_of_several_calls_are_counted_together(service: Service) -> None:
    calls = [
        each
        for n in range(3)
        for each in (ToolCallStart(f"c{n}", "look", {}), ToolCallResult(f"c{n}", [{}] * 40_000))
    ]
    service.executor.script = says(*calls, TextDelta("Done."), Done())
    assert chunks_of(await service.chat("several", "hi"))[-1]["type"] == "finish"
    parts = (await service.messages("several"))[-1]["parts"]
    outputs = [part["output"] for part in parts if "output" in part]
    assert outputs[:2] == [[{}] * 40_000] * 2
    assert "too large to be kept" in outputs[2]
    assert text_of({"parts": parts}) == "Done."


async def test_arguments_and_errors_that_do_not_fit_are_told_in_their_place(
    service: Service,
) -> None:
    service.executor.script = says(
        ToolCallStart("c1", "look", {"a": "x" * 1_040_000}),
        ToolCallResult("c1", {"b": '"' * 400_000}, is_error=True),
        TextDelta("Done."),
        Done(),
    )
    assert chunks_of(await service.chat("args", "hi"))[-1]["type"] == "finish"
    [_, call, _, text] = (await service.messages("args"))[-1]["parts"]
    assert "too large to be kept" in call["input"]["omitted"]
    assert "too large to be kept" in call["errorText"]
    assert text["text"] == "Done."


async def test_a_long_answer_with_its_final_text_fits(service: Service) -> None:
    service.executor.script = says(TextDelta("x" * 600_000), AssistantFinal("x" * 600_000), Done())
    assert chunks_of(await service.chat("final", "hi"))[-1]["type"] == "finish"
    assert len(text_of((await service.messages("final"))[-1])) == 600_000


@pytest.mark.parametrize(
    ("key", "event"),
    [
        ("data", Data("table", "x" * 100_000)),
        ("sources", SourceUrl("s", "https://example.com/" + "x" * 100_000)),
        ("reasoning", ReasoningEnd({"p": {"signature": "x" * 100_000}})),
    ],
)
async def test_parts_that_do_not_fit_end_the_answer_and_leave_what_came(
    service: Service, key: str, event: AiEvent
) -> None:
    service.executor.script = says(*[event] * 20, Done())
    stream = chunks_of(await service.chat(key, "hi"))
    assert stream[-1] == {"type": "error", "errorText": "The answer failed: message_too_large."}
    assert len((await service.messages(key))[-1]["parts"]) == 11


async def test_a_file_that_does_not_fit_is_told_in_its_place(service: Service) -> None:
    image = "data:image/png;base64," + "iVBORw0KGgoA" * 60_000
    service.executor.script = says(
        FileOutput("image/png", image), FileOutput("image/png", image), Done()
    )
    assert chunks_of(await service.chat("files", "hi"))[-1]["type"] == "finish"
    [_, kept, told] = (await service.messages("files"))[-1]["parts"]
    assert kept == {"type": "file", "mediaType": "image/png", "url": image}
    assert told["text"].strip() == (
        "[A file that was too large to be kept: image/png, 540,000 bytes.]"
    )


async def test_what_is_replaced_takes_up_room_once(service: Service) -> None:
    service.executor.script = says(
        ToolCallStart("c", "long", {}),
        *[ToolCallProgress("c", str(number) * 300_000) for number in range(9)],
        *[Data("chart", str(number) * 300_000, id="1") for number in range(9)],
        *[MessageMetadata({"n": number}) for number in range(1000)],
        ToolCallResult("c", "x" * 300_000),
        TextDelta("Done."),
        Done(),
    )
    assert chunks_of(await service.chat("replaced", "hi"))[-1]["type"] == "finish"
    message = (await service.messages("replaced"))[-1]
    assert message["parts"][1]["output"] == "x" * 300_000
    assert message["parts"][2]["data"] == "8" * 300_000
    assert message["metadata"] == {"n": 999}


async def test_arguments_in_small_pieces_count_as_their_text(service: Service) -> None:
    service.executor.script = says(
        ToolInputStart("c", "write"),
        *[ToolInputDelta("c", "x" * 10)] * 30_000,
        ToolCallStart("c", "write", {"text": "x" * 300_000}),
        ToolCallResult("c", "y" * 400_000),
        *[TextDelta("z" * 1000)] * 400,
        Done(),
    )
    stream = chunks_of(await service.chat("pieces", "hi"))
    assert stream[-1] == {"type": "error", "errorText": "The answer failed: message_too_large."}
    [_, call, _, text] = (await service.messages("pieces"))[-1]["parts"]
    assert (len(call["input"]["text"]), len(call["output"])) == (300_000, 400_000)
    assert 300_000 < len(text["text"]) < 348_000


@pytest.mark.parametrize(
    ("key", "event"),
    [
        ("transient", Data("tick", "x" * 100_000, transient=True)),
        ("status", Status("tick", "x" * 100_000)),
        ("progress", ToolCallProgress("c", "x" * 100_000)),
    ],
)
async def test_what_only_passes_through_the_stream_has_a_limit(
    service: Service, key: str, event: AiEvent
) -> None:
    service.executor.script = says(
        ToolCallStart("c", "tick", {}), *[event] * 200, TextDelta("Done."), Done()
    )
    stream = await service.chat(key, "hi")
    assert 8_000_000 < len(stream) < 9_000_000
    assert text_of((await service.messages(key))[-1]) == "Done."


async def test_data_that_is_replaced_for_ever_ends_the_answer(service: Service) -> None:
    service.executor.script = says(*[Data("tick", "x" * 100_000, id="1")] * 200, Done())
    stream = await service.chat("for-ever", "hi")
    assert len(stream) < 9_000_000
    assert b"message_too_large" in stream


async def test_a_final_text_that_contradicts_is_stored_and_counted(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    service.executor.script = says(TextDelta("41"), AssistantFinal("42"), Done())
    await service.chat("contradiction", "hi")
    assert [
        part.get("text") for part in (await service.messages("contradiction"))[-1]["parts"]
    ] == [*(None, "41", None, "42")]
    assert "contradicts" in caplog.text
    async with await service.get("/metrics") as response:
        assert "pgthreads_answers_corrected_total 1.0" in await response.text()


@pytest.mark.parametrize(
    ("key", "events"),
    [
        (
            "transient",
            [
                Data("chart", "x" * 300_000, id="1"),
                *[Data("chart", "y", id="1", transient=True)] * 20,
            ],
        ),
        (
            "ended",
            [
                ToolCallStart("c", "look", {}),
                ToolCallResult("c", "x" * 300_000),
                *[ToolCallProgress("c", "x" * 300_000)] * 9,
                *[TextDelta("y" * 100_000), ToolCallResult("c", "again")],
            ],
        ),
        (
            "unknown",
            [
                *[ToolInputDelta("c", "x" * 300_000)] * 9,
                *[TextDelta("y" * 100_000), ToolCallStart("c", "look", {})],
            ],
        ),
    ],
)
async def test_what_replaces_nothing_gives_no_room(
    service: Service, key: str, events: list[AiEvent]
) -> None:
    service.executor.script = says(*events, *[TextDelta("\x01" * 1000)] * 200, Done())
    stream = chunks_of(await service.chat(key, "hi"))
    assert stream[-1] == {"type": "error", "errorText": "The answer failed: message_too_large."}
    assert len(json.dumps((await service.messages(key))[-1])) < 1 << 20


@pytest.fixture
def measured(monkeypatch: pytest.MonkeyPatch) -> list[UIMessage]:
    """The messages that were made of drafts, for their size or to be stored."""
    made: list[UIMessage] = []
    message = Draft.message

    def counted(draft: Draft) -> UIMessage:
        made.append(message(draft))
        return made[-1]

    monkeypatch.setattr(Draft, "message", counted)
    return made


async def test_what_is_left_out_of_a_full_message_is_cheap(
    service: Service, measured: list[UIMessage]
) -> None:
    service.executor.script = says(
        ToolCallStart("c", "look", {}),
        ToolCallResult("c", "x" * 978_000),
        ToolInputStart("d", "write"),
        *[ToolInputDelta("d", "x" * 10)] * 5000,
        ToolCallStart("d", "write", {"text": "x" * 10}),
        *[ToolCallProgress("d", "x" * 100_000)] * 50,
        ToolCallResult("d", "y"),
        Done(),
    )
    assert chunks_of(await service.chat("full", "hi"))[-1]["type"] == "finish"
    assert len(measured) < 30


async def test_metadata_that_replaces_itself_is_cheap(
    service: Service, measured: list[UIMessage]
) -> None:
    service.executor.script = says(
        MessageMetadata({"n": 10_000, "o": {"n": 1}}),
        ToolCallStart("c", "look", {}),
        ToolCallResult("c", "x" * 978_000),
        TextDelta("y" * 65_900),
        *[MessageMetadata({"n": number}) for number in range(5000)],
        Done(),
    )
    assert chunks_of(await service.chat("metadata", "hi"))[-1]["type"] == "finish"
    assert (await service.messages("metadata"))[-1]["metadata"] == {"n": 4999, "o": {"n": 1}}
    assert len(measured) < 30
