"""Makes the stored UIMessage from a stream's chunks, by the same rules as a client."""

from __future__ import annotations

from typing import Any

from ..events import JsonValue, UIMessage
from .wire import Chunk


class StoredMessage:
    """An assistant message that grows with each chunk of its stream.

    `pieces` holds the text of the open part, in the pieces in which it came. To append to it is to
    add a delta.
    """

    def __init__(self, message_id: str) -> None:
        self.pieces: list[str] = []
        self._calls: dict[str, dict[str, Any]] = {}
        self._message_id = message_id
        self._parts: list[dict[str, Any]] = []
        self._metadata: dict[str, JsonValue] = {}

    def add(self, chunk: Chunk) -> None:
        """Add what a chunk says. Chunks that do not change the message are ignored."""
        match chunk["type"]:
            case "text-start":
                self._parts.append({"type": "text", "text": ""})
            case "reasoning-start":
                # Clients keep the stream's id on a reasoning part, though not on a text part.
                self._parts.append({"type": "reasoning", "id": chunk["id"], "text": ""})
            case "text-delta" | "reasoning-delta":
                self.pieces.append(chunk["delta"])
            case "text-end" | "reasoning-end":
                self._parts[-1]["text"] = "".join(self.pieces)
                self.pieces = []
            case "tool-input-available":
                call = {
                    "type": "dynamic-tool",
                    "toolName": chunk["toolName"],
                    "toolCallId": chunk["toolCallId"],
                    "state": "input-available",
                    "input": chunk["input"],
                }
                self._calls[chunk["toolCallId"]] = call
                self._parts.append(call)
            case "tool-output-available":
                self._calls[chunk["toolCallId"]].update(
                    state="output-available", output=chunk["output"]
                )
            case "tool-output-error":
                self._calls[chunk["toolCallId"]].update(
                    state="output-error", errorText=chunk["errorText"]
                )
            case "start-step":
                self._parts.append({"type": "step-start"})
            case "message-metadata":
                self._metadata.update(chunk["messageMetadata"])

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing to store, because all parts are `step-start`."""
        return all(part["type"] == "step-start" for part in self._parts)

    @property
    def step_is_empty(self) -> bool:
        """Whether the last step has no parts yet."""
        kind: str = self._parts[-1]["type"]
        return kind == "step-start"

    def state_of(self, call_id: str) -> str | None:
        """Return the state of a tool call's part, None if there is no such call."""
        state: str | None = self._calls.get(call_id, {}).get("state")
        return state

    def open_calls(self) -> list[str]:
        """Return the ids of the calls that have neither output nor error yet."""
        return [each for each, call in self._calls.items() if call["state"] == "input-available"]

    def texts(self) -> list[str]:
        """Return the text of each text part so far."""
        return [part["text"] for part in self._whole() if part["type"] == "text"]

    def message(self) -> UIMessage:
        """Return the message so far, `{id, role: "assistant", parts, metadata?}`, as a copy.

        While the stream lasts, the last text may be unfinished and tool calls may be open, just as
        a client sees them at that time.
        """
        message: UIMessage = {"id": self._message_id, "role": "assistant", "parts": self._whole()}
        if self._metadata:
            message["metadata"] = dict(self._metadata)
        return message

    def _whole(self) -> list[dict[str, Any]]:
        parts = [dict(part) for part in self._parts]
        if self.pieces:
            parts[-1]["text"] = "".join(self.pieces)
        return parts
