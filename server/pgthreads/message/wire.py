"""Events in, frames of the AI SDK's UI message stream out. The twin of `accumulator`.

The chunks are `UIMessageChunk` of the npm package `ai`, with only the types and keys that every
client from 5.0.92 on accepts: older releases refuse a chunk with a key they do not know, so tool
chunks carry `dynamic` and nothing else that is optional. A frame is `data: <json>` and a blank
line; the stream ends with `data: [DONE]`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from json.encoder import encode_basestring
from typing import Any

from ..events import AiEvent, FinishReason, JsonValue, UIMessage
from ..history import denial
from .parts import EndStatus, PartKind, Segmenter

DONE = b"data: [DONE]\n\n"
"""The last frame of every stream."""

_dumps = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode


def _frame(chunk: Mapping[str, Any]) -> bytes:
    return b"data: " + _dumps(chunk).encode() + b"\n\n"


def finish_frames(reason: FinishReason) -> bytes:
    """Return the end of a stream whose answer is stored."""
    return _frame({"type": "finish", "finishReason": reason}) + DONE


def error_frames(text: str) -> bytes:
    """Return the end of a stream that failed, with a text that is safe to show.

    Clients read nothing after it.
    """
    return _frame({"type": "error", "errorText": text}) + DONE


class WireEncoder(Segmenter):
    """Encodes one turn's events as they come. Takes events as `clean` returns them.

    The order is `start`, `encode` for each event, `close`, then, after the commit, `finish`; or
    `error_frames` in its place. Every method returns whole frames, perhaps several, perhaps none.
    """

    def __init__(self, message_id: str) -> None:
        super().__init__()
        self._message_id = message_id
        self._frames: list[bytes] = []
        self._part_id = ""
        self._delta_prefix = b""

    def start(self) -> bytes:
        """The beginning: the message's id, and its first step."""
        self._send({"type": "start", "messageId": self._message_id})
        self._begin_step()
        return self._take()

    def encode(self, event: AiEvent) -> bytes:
        """What an event adds to the stream."""
        self._apply(event)
        return self._take()

    def close(self, status: EndStatus) -> bytes:
        """Everything that can be said before the answer is stored.

        Ends the open text, fails the open tool calls, sends `metadata.status` of a stopped or
        failed answer, ends the step. A second call returns nothing.
        """
        self._close(status)
        return self._take()

    def finish(self, reason: FinishReason | None = None) -> bytes:
        """Success, to be sent after the commit. Without a reason it is the one of `Done`."""
        return finish_frames(reason or self.finish_reason or "stop")

    def _send(self, chunk: Mapping[str, Any]) -> None:
        self._frames.append(_frame(chunk))

    def _take(self) -> bytes:
        if len(self._frames) == 1:
            return self._frames.pop()
        frames = b"".join(self._frames)
        self._frames.clear()
        return frames

    def _begin_step(self) -> None:
        self._send({"type": "start-step"})

    def _end_step(self) -> None:
        self._send({"type": "finish-step"})

    def _open_part(self, kind: PartKind, part_id: str) -> None:
        self._part_id = part_id
        self._delta_prefix = f'data: {{"type":"{kind}-delta","id":"{part_id}","delta":'.encode()
        self._send({"type": f"{kind}-start", "id": part_id})

    def _delta(self, delta: str) -> None:
        # The hot path: one frame a token, so no dict and no general encoder.
        self._frames.append(self._delta_prefix + encode_basestring(delta).encode() + b"}\n\n")

    def _end_part(self) -> None:
        self._send({"type": f"{self._open}-end", "id": self._part_id})

    def _tool_call(self, call_id: str, name: str, args: JsonValue) -> None:
        call = {"toolCallId": call_id, "toolName": name}
        self._send({"type": "tool-input-start", **call, "dynamic": True})
        self._send({"type": "tool-input-available", **call, "input": args, "dynamic": True})

    def _tool_output(self, call_id: str, output: JsonValue) -> None:
        self._send(
            {
                "type": "tool-output-available",
                "toolCallId": call_id,
                "output": output,
                "dynamic": True,
            }
        )

    def _tool_error(self, call_id: str, error_text: str) -> None:
        self._send(
            {
                "type": "tool-output-error",
                "toolCallId": call_id,
                "errorText": error_text,
                "dynamic": True,
            }
        )

    def _metadata(self, metadata: dict[str, JsonValue]) -> None:
        self._send({"type": "message-metadata", "messageMetadata": metadata})

    def _status(self, phase: str, label: str) -> None:
        data = {"phase": phase, "label": label}
        self._send({"type": "data-status", "data": data, "transient": True})

    def _usage(self, fact: Mapping[str, JsonValue]) -> None:
        pass


def replay(message: UIMessage, finish_reason: FinishReason = "stop") -> bytes:
    """A stored assistant message as a whole stream, from `start` to `[DONE]`.

    The client assembles the same message, with exceptions that the chunks have no key for: a file's
    `filename`, and `providerMetadata`. A call that was denied arrives as one that failed, with the
    reason as its text, because clients before AI SDK 6 know no chunk for a denial. Parts of a type
    that no chunk carries are left out.
    """
    start: dict[str, Any] = {"type": "start", "messageId": message["id"]}
    if message.get("metadata") is not None:
        start["messageMetadata"] = message["metadata"]
    frames = [_frame(start)]
    in_step = False
    for number, part in enumerate(message["parts"]):
        if part["type"] == "step-start":
            if in_step:
                frames.append(_frame({"type": "finish-step"}))
            in_step = True
            frames.append(_frame({"type": "start-step"}))
        else:
            frames.extend(_frame(chunk) for chunk in _chunks_of_part(part, number))
    if in_step:
        frames.append(_frame({"type": "finish-step"}))
    frames.append(_frame({"type": "finish", "finishReason": finish_reason}))
    frames.append(DONE)
    return b"".join(frames)


def nothing_to_add(message_id: str) -> bytes:
    """A stream that ends an answer which the client has whole.

    It begins a step that stays empty. Without it a page whose `sendAutomaticallyWhen` looks at the
    last step would ask again, and again. A client takes a step in with the chunk after it that
    makes it draw, and that is `start`.
    """
    chunks: list[dict[str, Any]] = [
        {"type": "start-step"},
        {"type": "start", "messageId": message_id},
        {"type": "finish-step"},
        {"type": "finish", "finishReason": "stop"},
    ]
    return b"".join(map(_frame, chunks)) + DONE


def _chunks_of_part(part: Mapping[str, Any], number: int) -> Iterator[dict[str, Any]]:
    kind: str = part["type"]
    if kind in ("text", "reasoning"):
        part_id = part.get("id") or f"{kind[0]}{number}"
        yield {"type": f"{kind}-start", "id": part_id}
        if part["text"]:
            yield {"type": f"{kind}-delta", "id": part_id, "delta": part["text"]}
        yield {"type": f"{kind}-end", "id": part_id}
    elif kind == "dynamic-tool" or kind.startswith("tool-"):
        yield from _chunks_of_tool(part, dynamic=kind == "dynamic-tool")
    elif kind == "file":
        yield _pick(part, "type", "mediaType", "url")
    elif kind == "source-url":
        yield _pick(part, "type", "sourceId", "url", "title")
    elif kind == "source-document":
        yield _pick(part, "type", "sourceId", "mediaType", "title", "filename")
    elif kind.startswith("data-"):
        yield _pick(part, "type", "id", "data")


def _chunks_of_tool(part: Mapping[str, Any], *, dynamic: bool) -> Iterator[dict[str, Any]]:
    flag: dict[str, Any] = {"dynamic": True} if dynamic else {}
    call_id = part["toolCallId"]
    name = part["toolName"] if dynamic else part["type"].removeprefix("tool-")
    call = {"toolCallId": call_id, "toolName": name}
    yield {"type": "tool-input-start", **call, **flag}
    if "input" in part and part["state"] != "input-streaming":
        yield {"type": "tool-input-available", **call, "input": part["input"], **flag}
    if part["state"] == "output-available":
        yield {
            "type": "tool-output-available",
            "toolCallId": call_id,
            "output": part.get("output"),
            **flag,
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
