"""Chunks and frames of the AI SDK's UI message stream, and stored messages as such streams.

The chunks are `UIMessageChunk` of the npm package `ai`, with only those types and keys that every
client from 5.0.92 on accepts. Older releases refuse a chunk with a key that they do not know. So
tool chunks have no `title`, and `providerMetadata` only on `tool-input-available`. A frame is
`data: <json>` and an empty line; the stream ends with `data: [DONE]`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from json.encoder import encode_basestring
from typing import Any, TypeAlias

from ..events import FinishReason, JsonValue, UIMessage
from .calls import denial, is_tool

Chunk: TypeAlias = Mapping[str, Any]
"""A `UIMessageChunk`: `{type}` and the keys of its type."""

DONE = b"data: [DONE]\n\n"
"""The last frame of every stream."""

_dumps = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


def frame(chunk: Chunk) -> bytes:
    """Return a chunk as a frame."""
    # To set up an encoder costs more than everything else here, and most values are short strings.
    pairs = [
        f'"{key}":{encode_basestring(value) if isinstance(value, str) else _json(value)}'
        for key, value in chunk.items()
    ]
    return f"data: {{{','.join(pairs)}}}\n\n".encode()


def _json(value: JsonValue) -> str:
    return "true" if value is True else _dumps(value)


def delta_prefix(kind: str, part_id: str) -> str:
    """Return the beginning of each `text-delta` or `reasoning-delta` frame of a part."""
    return f'data: {{"type":"{kind}-delta","id":"{part_id}","delta":'


def delta_frame(prefix: str, delta: str) -> bytes:
    """Return the frame of a delta. It sets up no encoder, because nearly all frames are deltas."""
    return f"{prefix}{encode_basestring(delta)}}}\n\n".encode()


def finish_frames(reason: FinishReason) -> bytes:
    """Return the end of a stream whose answer is stored."""
    return frame({"type": "finish", "finishReason": reason}) + DONE


def error_frames(text: str) -> bytes:
    """Return the end of a stream that failed, with a text that is safe to show.

    Clients read nothing after it.
    """
    return frame({"type": "error", "errorText": text}) + DONE


def replay(message: UIMessage, *, approvals: bool = True) -> bytes:
    """A stored assistant message as a complete stream, from `start` to `[DONE]`.

    The client assembles the same message from it, except for what the chunks have no key for: the
    `filename` of a file, and what newer releases of the AI SDK add to tool calls. A call that was
    denied arrives as one that failed, with the reason as its text, because clients before AI SDK 6
    know no chunk for a denial. Parts of types for which there is no chunk are left out. Without
    `approvals`, a call that waits for one arrives as failed as well, for such clients.
    """
    told = [_told(part, approvals=approvals) for part in message["parts"]]
    reason: FinishReason = "tool-calls" if open_calls(message) else "stop"
    return beginning({**message, "parts": told}) + finish_frames(reason)


def beginning(message: UIMessage) -> bytes:
    """The stream of an answer so far, which is an open one that a turn goes on with.

    Calls that were responded to still wait in it, because clients have no chunk for a response.
    Their results follow in the stream of that turn.
    """
    return b"".join(map(frame, (_start(message), *_chunks_of_parts(message["parts"], 0))))


@dataclass(frozen=True, slots=True)
class Shown:
    """What a page shows of an answer: how many parts beside steps, and the states of its calls."""

    parts: int
    calls: Mapping[str, str]


def shown_of(message: UIMessage) -> Shown:
    """Return what a page shows that has all of a message."""
    parts = [part for part in message["parts"] if part["type"] != "step-start"]
    calls = {part["toolCallId"]: part["state"] for part in parts if is_tool(part)}
    return Shown(len(parts), calls)


def rest(message: UIMessage, shown: Shown) -> bytes:
    """The stream of what a page lacks of an answer that it shows a part of.

    Those are the calls whose state has changed, and the parts behind. If that leaves a last step
    that a `sendAutomaticallyWhen` of the AI SDK may take for complete, an empty step follows:
    otherwise such a page would ask again and again. A client only notices a new step at the next
    chunk that makes it draw; here that chunk is a second `start`.
    """
    chunks = [_start(message)]
    left, place = shown.parts, 0
    for place, part in enumerate([*message["parts"], None]):
        if part is None or left == 0:
            break
        if part["type"] != "step-start":
            left -= 1
            chunks.extend(_news(part, shown, place))
    chunks.extend(_chunks_of_parts(message["parts"][place:], place))
    if _seems_complete(message):
        chunks += ({"type": "start-step"}, _start(message), {"type": "finish-step"})
    reason: FinishReason = "tool-calls" if open_calls(message) else "stop"
    return b"".join(map(frame, chunks)) + finish_frames(reason)


def open_calls(message: UIMessage) -> list[str]:
    """Return the ids of the calls that wait in a message, or have not ended after a response."""
    states = ("input-available", "approval-requested", "approval-responded")
    parts = [part for part in message["parts"] if is_tool(part)]
    return [part["toolCallId"] for part in parts if part["state"] in states]


UNASKED = "The tool needs an approval, which could not be asked for. It was not run."
"""`errorText` of a call that needs an approval, for a page that knows no approvals."""


def _told(part: dict[str, Any], *, approvals: bool) -> dict[str, Any]:
    """A part without what its clients have no chunk for."""
    if not is_tool(part) or part["state"] not in ("approval-requested", "approval-responded"):
        return part
    if denial(part) is not None:
        return {**part, "state": "output-denied"}
    return part if approvals else {**part, "state": "output-error", "errorText": UNASKED}


def _start(message: UIMessage) -> dict[str, Any]:
    start: dict[str, Any] = {"type": "start", "messageId": message["id"]}
    if message.get("metadata") is not None:
        start["messageMetadata"] = message["metadata"]
    return start


def _news(part: Mapping[str, Any], shown: Shown, number: int) -> Iterator[dict[str, Any]]:
    """The chunks for a part that the page shows, if it has changed since."""
    if part["type"].startswith("data-") and "id" in part:
        yield from _chunks_of_part(part, number)
    elif is_tool(part) and shown.calls.get(part["toolCallId"], part["state"]) != part["state"]:
        ended = part["state"].startswith("output-")
        known = ("tool-approval-request",) if not ended else ()
        if part["state"] == "output-denied":
            yield {"type": "tool-output-denied", "toolCallId": part["toolCallId"]}
        elif part["state"] != "approval-responded":
            for chunk in _chunks_of_tool(part, dynamic=part["type"] == "dynamic-tool"):
                if chunk["type"].startswith("tool-output-") or chunk["type"] in known:
                    yield chunk


def _seems_complete(message: UIMessage) -> bool:
    """Whether the last step has calls and all of them have ended or had their response."""
    steps = [place for place, each in enumerate(message["parts"]) if each["type"] == "step-start"]
    last = message["parts"][steps[-1] if steps else 0 :]
    states = [part["state"] for part in last if is_tool(part)]
    return bool(states) and all(
        state.startswith("output-") or state == "approval-responded" for state in states
    )


def _chunks_of_parts(parts: Sequence[Mapping[str, Any]], first: int) -> Iterator[dict[str, Any]]:
    """The chunks of parts of which the first one has this number in its message."""
    in_step = False
    for number, part in enumerate(parts, first):
        if part["type"] == "step-start":
            if in_step:
                yield {"type": "finish-step"}
            in_step = True
            yield {"type": "start-step"}
        else:
            yield from _chunks_of_part(part, number)
    if in_step:
        yield {"type": "finish-step"}


def _chunks_of_part(part: Mapping[str, Any], number: int) -> Iterator[dict[str, Any]]:
    kind: str = part["type"]
    if kind in ("text", "reasoning"):
        part_id = part.get("id") or f"{kind[0]}{number}"
        yield {"type": f"{kind}-start", "id": part_id, **_pick(part, "providerMetadata")}
        if part["text"]:
            yield {"type": f"{kind}-delta", "id": part_id, "delta": part["text"]}
        yield {"type": f"{kind}-end", "id": part_id}
    elif kind == "dynamic-tool" or kind.startswith("tool-"):
        yield from _chunks_of_tool(part, dynamic=kind == "dynamic-tool")
    elif kind == "file":
        yield _pick(part, "type", "mediaType", "url", "providerMetadata")
    elif kind == "source-url":
        yield _pick(part, "type", "sourceId", "url", "title", "providerMetadata")
    elif kind == "source-document":
        keys = ("type", "sourceId", "mediaType", "title", "filename", "providerMetadata")
        yield _pick(part, *keys)
    elif kind.startswith("data-"):
        yield _pick(part, "type", "id", "data")


def _chunks_of_tool(part: Mapping[str, Any], *, dynamic: bool) -> Iterator[dict[str, Any]]:
    flag: dict[str, Any] = {"dynamic": True} if dynamic else {}
    call_id = part["toolCallId"]
    name = part["toolName"] if dynamic else part["type"].removeprefix("tool-")
    call = {"toolCallId": call_id, "toolName": name}
    yield {"type": "tool-input-start", **call, **flag}
    if "input" in part and part["state"] != "input-streaming":
        metadata = part.get("callProviderMetadata")
        yield {
            "type": "tool-input-available",
            **call,
            "input": part["input"],
            **flag,
            **_pick(part, "providerExecuted"),
            **({} if metadata is None else {"providerMetadata": metadata}),
        }
    if part["state"] == "output-available":
        yield {
            "type": "tool-output-available",
            "toolCallId": call_id,
            "output": part.get("output"),
            **flag,
            **_pick(part, "preliminary"),
        }
    elif part["state"] == "output-error":
        yield {
            "type": "tool-output-error",
            "toolCallId": call_id,
            "errorText": part["errorText"],
            **flag,
        }
    elif part["state"] in ("approval-requested", "approval-responded"):
        asked = part["approval"]["id"]
        yield {"type": "tool-approval-request", "approvalId": asked, "toolCallId": call_id}
    elif (denied := denial(part)) is not None:
        yield {
            "type": "tool-output-error",
            "toolCallId": call_id,
            "errorText": denied,
            **flag,
        }


def _pick(part: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: part[key] for key in keys if key in part}
