"""PostgreSQL and the real AI SDK make the same message from a stream that was cut off.

The journal of a dead worker has the frames of a stream that ends somewhere. `assemble_message`
makes the stored message from them; a page has made one from the same frames, and closes it in the
same way.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from hypothesis import Phase, given, settings
from hypothesis import strategies as st

from pgthreads.events import AiEvent
from pgthreads.message.draft import Draft, EndStatus
from pgthreads.message.sanitize import Cleaner
from pgthreads.message.wire import DONE
from tests.conftest import Connection
from tests.server import ai_events, node_client
from tests.server.node_client import MAJORS, SdkChecker, comparable
from tests.server.test_wire import QUESTION, with_doubles

ABANDONED = "The answer was abandoned before the tool returned a result."
BATCH = 40
Cut = tuple[list[AiEvent], EndStatus, float]


def cuts_of(turns: st.SearchStrategy[list[AiEvent]]) -> st.SearchStrategy[Cut]:
    return st.tuples(turns, ai_events.statuses, st.floats(0, 1))


@pytest.fixture(scope="module")
def sdk() -> Iterator[SdkChecker]:
    if reason := node_client.missing():
        pytest.fail(reason)
    with SdkChecker() as checker:
        yield checker


def journal_of(events: Sequence[AiEvent], status: EndStatus, at: float) -> list[bytes]:
    """The first frames of a turn's stream."""
    clean, draft = Cleaner(), Draft("m1")
    stream = draft.opening + b"".join(draft.take(clean(event)) for event in events)
    frames = [frame + b"\n\n" for frame in (stream + draft.close(status)).split(b"\n\n")[:-1]]
    return frames[: 1 + round(at * (len(frames) - 1))]


def closed(frames: list[bytes]) -> bytes:
    """The stream with the end that a server would send if it knew that the turn is abandoned."""
    calls: dict[str, dict[str, Any]] = {}
    for frame in frames:
        chunk = json.loads(frame.removeprefix(b"data: "))
        call_id = chunk.get("toolCallId")
        match chunk["type"]:
            case "tool-input-start":
                calls[call_id] = {"toolName": chunk["toolName"], "input": ""}
            case "tool-input-delta":
                calls[call_id]["input"] += chunk["inputTextDelta"]
            case "tool-input-available":
                calls[call_id]["input"] = ""
            case "tool-approval-request":
                calls[call_id] = {}
            case "tool-input-error" | "tool-output-error" | "tool-output-denied":
                del calls[call_id]
            case "tool-output-available" if "preliminary" not in chunk:
                del calls[call_id]
    ends: list[dict[str, Any]] = [
        {"type": "tool-output-error", "toolCallId": each, "errorText": ABANDONED, "dynamic": True}
        | ({"type": "tool-input-error", **call} if call["input"] else {})
        if call
        else {"type": "tool-output-denied", "toolCallId": each}
        for each, call in calls.items()
    ]
    ends.append({"type": "message-metadata", "messageMetadata": {"status": "abandoned"}})
    return b"".join([*frames, *(b"data: %b\n\n" % json.dumps(end).encode() for end in ends), DONE])


@pytest.mark.parametrize("version", MAJORS)
def test_any_stream_that_is_cut_off_is_assembled_alike(
    sdk: SdkChecker,
    server_dsn: str,
    connect: Callable[..., Connection],
    examples: settings,
    version: str,
) -> None:
    connection = connect(server_dsn)
    cuts = cuts_of(ai_events.turns if version.startswith("5") else ai_events.later_turns)

    @settings(
        examples, max_examples=max(examples.max_examples // BATCH, 8), phases=[Phase.generate]
    )
    @given(st.lists(cuts, min_size=BATCH, max_size=BATCH))
    def compare(batch: list[Cut]) -> None:
        journals = [journal_of(*cut) for cut in batch]
        rows = connection.execute(
            "select m, m is null or pgthreads.is_ui_message(m)"
            " from unnest(%s::text[]) with ordinality as f (frames, place),"
            " lateral pgthreads.assemble_message(f.frames) as m order by f.place",
            ([b"".join(frames).decode() for frames in journals],),
        ).fetchall()
        pages = sdk.assemble_all([closed(frames) for frames in journals], version)
        assert len(pages) == len(rows) == BATCH, (len(pages), len(rows))
        stored = [message for message, _ in rows if message is not None]
        for (message, is_valid), page in zip(rows, pages, strict=True):
            assert is_valid, message
            assert page["errors"] == []
            if message is None:
                parts = page["message"]["parts"]
                assert all(part["type"] == "step-start" for part in parts), parts
            else:
                for part in page["message"]["parts"]:
                    if part.get("state") == "output-denied":
                        # A page has no response to it.
                        part["approval"]["approved"] = False
                made = with_doubles(comparable(page["message"], version))
                assert with_doubles(comparable(message, version)) == made
        for message, valid in zip(
            stored, sdk.validate_all([[QUESTION, each] for each in stored], version), strict=True
        ):
            assert valid["valid"], (valid, message)
            assert "error" not in valid, (valid, message)

    compare()
