"""Chunks and frames of the AI SDK's UI message stream, and stored messages as such streams.

The chunks are `UIMessageChunk` of the npm package `ai`, with only those types and keys that every
client from 5.0.92 on accepts. Older releases refuse a chunk with a key that they do not know. So
tool chunks have no `title`, and `providerMetadata` only on `tool-input-available`. A frame is
`data: <json>` and an empty line; the stream ends with `data: [DONE]`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from json.encoder import encode_basestring
from typing import Any, TypeAlias

from ..events import FinishReason, JsonValue, UIMessage
from .calls import denial

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


def replay(message: UIMessage) -> bytes:
    """A stored assistant message as a complete stream, from `start` to `[DONE]`.

    The client assembles the same message from it, except for what the chunks have no key for: the
    `filename` of a file, and what newer releases of the AI SDK add to tool calls. A call that was
    denied arrives as one that failed, with the reason as its text, because clients before AI SDK 6
    know no chunk for a denial. Parts of types for which there is no chunk are left out.
    """
    start: dict[str, Any] = {"type": "start", "messageId": message["id"]}
    if message.get("metadata") is not None:
        start["messageMetadata"] = message["metadata"]
    frames = [frame(start)]
    in_step = False
    for number, part in enumerate(message["parts"]):
        if part["type"] == "step-start":
            if in_step:
                frames.append(frame({"type": "finish-step"}))
            in_step = True
            frames.append(frame({"type": "start-step"}))
        else:
            frames.extend(frame(chunk) for chunk in _chunks_of_part(part, number))
    if in_step:
        frames.append(frame({"type": "finish-step"}))
    frames.append(frame({"type": "finish", "finishReason": "stop"}))
    frames.append(DONE)
    return b"".join(frames)


def nothing_to_add(message_id: str) -> bytes:
    """A stream that ends an answer which the client already has completely.

    It begins a step that stays empty. Without that step, a page whose `sendAutomaticallyWhen` looks
    at the last step would ask again and again. A client only notices a new step at the next chunk
    that makes it draw; here that chunk is `start`.
    """
    chunks: list[dict[str, Any]] = [
        {"type": "start-step"},
        {"type": "start", "messageId": message_id},
        {"type": "finish-step"},
        {"type": "finish", "finishReason": "stop"},
    ]
    return b"".join(map(frame, chunks)) + DONE


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
    elif (denied := denial(part)) is not None:
        yield {
            "type": "tool-output-error",
            "toolCallId": call_id,
            "errorText": denied,
            **flag,
        }


def _pick(part: Mapping[str, Any], *keys: str) -> dict[str, Any]:
    return {key: part[key] for key in keys if key in part}
