"""Makes the stored UIMessage from a stream's chunks, by the same rules as a client."""

from __future__ import annotations

import copy
from collections.abc import Mapping
from typing import Any

from ..events import JsonValue, UIMessage
from .wire import Chunk

MAX_WAITING_ID = 256
"""Characters of the id of a call that waits; the database takes no longer ones."""


class StoredMessage:
    """An assistant message that grows with each chunk of its stream.

    `begun` is the message so far if the stream goes on with one.
    `pieces` holds the text of the open part, in the pieces in which it came. To append to it is to
    add a delta.
    """

    def __init__(self, message_id: str, begun: UIMessage | None = None) -> None:
        self.pieces: list[str] = []
        self._calls: dict[str, dict[str, Any]] = {}
        self._inputs: dict[str, list[str]] = {}
        self._data: dict[tuple[str, str], dict[str, Any]] = {}
        self._message_id = message_id
        self._parts: list[dict[str, Any]] = []
        self._open = -1
        self._metadata: dict[str, JsonValue] = {}
        for part in copy.deepcopy(begun["parts"]) if begun else ():
            self._parts.append(part)
            if "toolCallId" in part:
                self._calls[part["toolCallId"]] = part
            if part["type"].startswith("data-") and "id" in part:
                self._data[part["type"], part["id"]] = part
        if begun:
            self._metadata = copy.deepcopy(begun.get("metadata", {}))

    def add(self, chunk: Chunk) -> None:
        """Add what a chunk says. Chunks that do not change the message are ignored."""
        kind: str = chunk["type"]
        match kind:
            case "text-start":
                self._begin({"type": "text", "text": ""}, chunk)
            case "reasoning-start":
                # Clients keep the stream's id on a reasoning part, though not on a text part.
                self._begin({"type": "reasoning", "id": chunk["id"], "text": ""}, chunk)
            case "text-delta" | "reasoning-delta":
                self.pieces.append(chunk["delta"])
            case "text-end" | "reasoning-end":
                part = self._parts[self._open]
                part["text"] = "".join(self.pieces)
                part.update(_picked(chunk, "providerMetadata"))
                self.pieces = []
            case "file" | "source-url" | "source-document":
                self._parts.append(dict(chunk))
            case "start-step":
                self._parts.append({"type": "step-start"})
            case "message-metadata":
                merge(self._metadata, chunk["messageMetadata"])
            case _ if kind.startswith("tool-"):
                self._add_to_call(chunk)
            case _ if kind.startswith("data-") and not chunk.get("transient"):
                self._add_data(chunk)

    def _begin(self, part: dict[str, Any], chunk: Chunk) -> None:
        self._open = len(self._parts)
        self._parts.append({**part, **_picked(chunk, "providerMetadata")})

    def _add_to_call(self, chunk: Chunk) -> None:
        call_id = chunk["toolCallId"]
        call = self._calls.get(call_id)
        if call is None:
            call = {"type": "dynamic-tool", "toolName": chunk["toolName"], "toolCallId": call_id}
            self._calls[call_id] = call
            self._parts.append(call)
        match chunk["type"]:
            case "tool-input-start":
                call["state"] = "input-streaming"
            case "tool-input-delta":
                self._inputs.setdefault(call_id, []).append(chunk["inputTextDelta"])
            case "tool-input-available":
                self._inputs.pop(call_id, None)
                call.update(state="input-available", input=chunk["input"])
                call.update(_picked(chunk, "providerExecuted"))
                if "providerMetadata" in chunk:
                    call["callProviderMetadata"] = chunk["providerMetadata"]
            case "tool-output-available":
                call.pop("preliminary", None)
                call.update(state="output-available", output=chunk["output"])
                call.update(_picked(chunk, "preliminary"))
            case "tool-approval-request":
                call.update(state="approval-requested", approval={"id": chunk["approvalId"]})
            case "tool-output-denied":
                # Without `approved` it would be no UIMessage; a page lacks it if nobody responded.
                call.update(state="output-denied", approval={**call["approval"], "approved": False})
            case "tool-input-error" | "tool-output-error":
                for name in ("preliminary", "output"):
                    call.pop(name, None)
                call.update(_picked(chunk, "input"))
                call.update(state="output-error", errorText=chunk["errorText"])

    def _add_data(self, chunk: Chunk) -> None:
        place = (chunk["type"], chunk["id"]) if "id" in chunk else None
        if place is not None and place in self._data:
            self._data[place]["data"] = chunk["data"]
            return
        part = dict(chunk)
        self._parts.append(part)
        if place is not None:
            self._data[place] = part

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
        """Return the state of a tool call's part, None if there is no such call.

        A call that has shown its progress so far is still `input-available` here, and so is one
        that was approved. One that was denied is `denied` until it has ended.
        """
        call = self._calls.get(call_id)
        if call is None:
            return None
        state: str = call["state"]
        if state == "approval-responded":
            return "input-available" if call["approval"]["approved"] else "denied"
        return "input-available" if call.get("preliminary") else state

    def asks(self, call_id: str) -> bool:
        """Whether a call needs an approval."""
        state: str = self._calls[call_id]["state"]
        return state == "approval-requested"

    def may_ask(self, call_id: str) -> bool:
        """Whether a call could need an approval: it has its arguments, and nothing came of it."""
        call = self._calls.get(call_id, {})
        is_new: bool = call.get("state") == "input-available" and "approval" not in call
        return is_new and len(call_id) <= MAX_WAITING_ID

    def may_be_client_s(self, call_id: str) -> bool:
        """Whether the client could run a call: it could need an approval, and no provider runs it.

        These are the calls for whose outputs `pause_turn` lets an answer wait.
        """
        return self.may_ask(call_id) and not self._calls[call_id].get("providerExecuted")

    def name_of(self, call_id: str) -> str:
        """Return the name of the tool that a call is for."""
        part = self._calls[call_id]
        name: str = part["toolName"] if self.is_dynamic(call_id) else part["type"][5:]
        return name

    def is_dynamic(self, call_id: str) -> bool:
        """Whether the call's part is a `dynamic-tool`, as all are that this server makes."""
        kind: str = self._calls[call_id]["type"]
        return kind == "dynamic-tool"

    def input_so_far(self, call_id: str) -> str:
        """Return the JSON text of a call's arguments as far as it has come."""
        return "".join(self._inputs.get(call_id, ()))

    def open_calls(self) -> list[str]:
        """Return the ids of the calls that have not ended."""
        open_states = ("input-streaming", "input-available", "approval-requested", "denied")
        return [each for each in self._calls if self.state_of(each) in open_states]

    def texts(self) -> list[str]:
        """Return the text of each text part so far."""
        return [part["text"] for part in self._whole() if part["type"] == "text"]

    def message(self) -> UIMessage:
        """Return the message so far, `{id, role: "assistant", parts, metadata?}`, as a copy.

        While the stream lasts, the last text may be unfinished and tool calls may be open, just as
        a client sees them at that time. Arguments that are not complete are text, in `rawInput`.
        """
        message: UIMessage = {"id": self._message_id, "role": "assistant", "parts": self._whole()}
        if self._metadata:
            message["metadata"] = dict(self._metadata)
        return message

    def _whole(self) -> list[dict[str, Any]]:
        parts = [
            part | ({"rawInput": raw} if (raw := self._raw_input(part)) else {})
            for part in self._parts
        ]
        if self.pieces:
            parts[self._open]["text"] = "".join(self.pieces)
        return parts

    def _raw_input(self, part: Mapping[str, Any]) -> str:
        """Return the text of a part's arguments if they are not complete yet."""
        is_streaming = part.get("state") == "input-streaming"
        return self.input_so_far(part["toolCallId"]) if is_streaming else ""


def merge(value: dict[str, JsonValue], changes: Mapping[str, JsonValue]) -> None:
    """Merge an object into another, and the objects inside of them as well.

    That is how the AI SDK merges a message's metadata (`mergeObjects`), and `merge_json` in SQL.
    """
    for key, change in changes.items():
        known = value.get(key)
        if isinstance(known, dict) and isinstance(change, Mapping):
            merged = dict(known)
            merge(merged, change)
            value[key] = merged
        else:
            value[key] = change


def _picked(chunk: Chunk, key: str) -> dict[str, Any]:
    return {key: chunk[key]} if key in chunk else {}
