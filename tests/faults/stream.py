"""What a client makes of a stream: it takes frames and gives the UIMessage that it shows."""

from __future__ import annotations

import copy
import json
from typing import Any

Message = dict[str, Any]


class Assembly:
    """Reads server-sent events as they come, by the AI SDK's rules and not by the server's code.

    `message` is what has come so far. `is_complete` is set once `finish` and `[DONE]` were read;
    `error` is the text of an error that came in their place.
    """

    def __init__(self, known: Message | None = None) -> None:
        """Make a message; with `known`, go on with that one."""
        self.message: Message = copy.deepcopy(known or {"id": "", "role": "assistant", "parts": []})
        self.is_complete = False
        self.error: str | None = None
        self._buffer = b""
        self._open: dict[tuple[str, str], dict[str, Any]] = {}
        calls = [part for part in self.message["parts"] if "toolCallId" in part]
        self._calls: dict[str, dict[str, Any]] = {part["toolCallId"]: part for part in calls}
        self._finished = False

    def feed(self, data: bytes) -> None:
        """Take bytes that may be cut anywhere. Raises ValueError for what no server may send."""
        self._buffer += data
        *frames, self._buffer = self._buffer.split(b"\n\n")
        for frame in frames:
            if frame.startswith(b":"):
                continue
            if not frame.startswith(b"data: "):
                raise ValueError(f"not a frame: {frame[:200]!r}")
            body = frame.removeprefix(b"data: ")
            if body == b"[DONE]":
                self.is_complete = self._finished
                continue
            chunk = json.loads(body)
            try:
                self._take(chunk)
            except (KeyError, TypeError) as error:
                raise ValueError(f"a chunk that does not fit: {chunk}") from error

    @property
    def is_empty(self) -> bool:
        """Whether nothing was said."""
        return all(part["type"] == "step-start" for part in self.message["parts"])

    @property
    def waits(self) -> bool:
        """Whether the answer has ended with calls that wait."""
        states = {part.get("state") for part in self.message["parts"]}
        waiting = {"approval-requested", "approval-responded", "input-available"}
        return self.is_complete and not waiting.isdisjoint(states)

    def _take(self, chunk: dict[str, Any]) -> None:
        parts = self.message["parts"]
        match chunk["type"]:
            case "start":
                self.message["id"] = chunk["messageId"]
                self._add_metadata(chunk)
            case "start-step":
                parts.append({"type": "step-start"})
            case "text-start":
                self._begin("text", chunk["id"], {"type": "text", "text": ""})
            case "reasoning-start":
                part = {"type": "reasoning", "id": chunk["id"], "text": ""}
                self._begin("reasoning", chunk["id"], part)
            case "text-delta" | "reasoning-delta" as kind:
                self._open[kind.removesuffix("-delta"), chunk["id"]]["text"] += chunk["delta"]
            case "text-end" | "reasoning-end" as kind:
                del self._open[kind.removesuffix("-end"), chunk["id"]]
            case "tool-input-available":
                call = {
                    "type": "dynamic-tool",
                    "toolName": chunk["toolName"],
                    "toolCallId": chunk["toolCallId"],
                    "state": "input-available",
                    "input": chunk["input"],
                }
                self._calls[chunk["toolCallId"]] = call
                parts.append(call)
            case "tool-output-available":
                call = self._calls[chunk["toolCallId"]]
                call.update(state="output-available", output=chunk["output"])
            case "tool-output-error":
                call = self._calls[chunk["toolCallId"]]
                call.update(state="output-error", errorText=chunk["errorText"])
            case "tool-approval-request":
                call = self._calls[chunk["toolCallId"]]
                call.update(state="approval-requested", approval={"id": chunk["approvalId"]})
            case "tool-output-denied":
                self._calls[chunk["toolCallId"]]["state"] = "output-denied"
            case "message-metadata" | "finish":
                self._add_metadata(chunk)
                self._finished = self._finished or chunk["type"] == "finish"
            case "error":
                self.error = chunk["errorText"]
            case "tool-input-start" | "finish-step" | "data-status":
                pass
            case unknown:
                raise ValueError(f"not a chunk that a client knows: {unknown!r}")

    def _begin(self, kind: str, part_id: str, part: dict[str, Any]) -> None:
        self._open[kind, part_id] = part
        self.message["parts"].append(part)

    def _add_metadata(self, chunk: dict[str, Any]) -> None:
        metadata = chunk.get("messageMetadata")
        if metadata:
            self.message.setdefault("metadata", {}).update(metadata)
