"""Events in, the stored UIMessage out. The twin of `wire`."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..events import AiEvent, JsonValue, UIMessage
from .parts import EndStatus, PartKind, Segmenter
from .sanitize import clean_json


class Accumulator(Segmenter):
    """Collects one turn's events as the message that the client assembles from the same stream.

    Takes events as `clean` returns them.
    """

    def __init__(self, message_id: str) -> None:
        super().__init__()
        self._message_id = message_id
        self._parts: list[dict[str, Any]] = []
        self._pieces: list[str] = []
        self._tools: dict[str, dict[str, Any]] = {}
        self._message_metadata: dict[str, JsonValue] = {}
        self._facts: dict[str, JsonValue] = {}
        self._begin_step()

    def apply(self, event: AiEvent) -> None:
        """Add an event. After `Done`, `Error` or `close` only usage is still counted."""
        self._apply(event)

    def close(self, status: EndStatus) -> None:
        """End the message: open tool calls become `output-error`; see `segments.UNANSWERED`.

        `stopped` and `failed` are kept as `metadata.status`. A second call changes nothing.
        """
        self._close(status)

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing worth storing: no part but `step-start`."""
        return all(part["type"] == "step-start" for part in self._parts)

    def message(self) -> UIMessage:
        """The message so far, `{id, role: "assistant", parts, metadata?}`; a copy of its own.

        Before `close` a text may be unfinished and a tool call open, as a client sees them then.
        """
        parts = [dict(part) for part in self._parts]
        if self._pieces:
            parts[-1]["text"] = "".join(self._pieces)
        message: UIMessage = {"id": self._message_id, "role": "assistant", "parts": parts}
        if self._message_metadata:
            message["metadata"] = dict(self._message_metadata)
        return message

    def usage(self) -> dict[str, JsonValue]:
        """All `UsageReport` facts as one: numbers added up, objects merged, else the last wins."""
        usage: dict[str, JsonValue] = clean_json(self._facts)
        return usage

    def _begin_step(self) -> None:
        self._parts.append({"type": "step-start"})

    def _end_step(self) -> None:
        pass

    def _open_part(self, kind: PartKind, part_id: str) -> None:
        # Clients keep the stream's id on a reasoning part, though not on a text part.
        named = {"id": part_id} if kind == "reasoning" else {}
        self._parts.append({"type": kind, **named, "text": ""})

    def _delta(self, delta: str) -> None:
        self._pieces.append(delta)

    def _end_part(self) -> None:
        self._parts[-1]["text"] = "".join(self._pieces)
        self._pieces = []

    def _tool_call(self, call_id: str, name: str, args: JsonValue) -> None:
        part = {
            "type": "dynamic-tool",
            "toolName": name,
            "toolCallId": call_id,
            "state": "input-available",
            "input": args,
        }
        self._tools[call_id] = part
        self._parts.append(part)

    def _tool_output(self, call_id: str, output: JsonValue) -> None:
        self._tools[call_id].update(state="output-available", output=output)

    def _tool_error(self, call_id: str, error_text: str) -> None:
        self._tools[call_id].update(state="output-error", errorText=error_text)

    def _metadata(self, metadata: dict[str, JsonValue]) -> None:
        self._message_metadata.update(metadata)

    def _status(self, phase: str, label: str) -> None:
        pass

    def _usage(self, fact: Mapping[str, JsonValue]) -> None:
        _add_up(self._facts, fact)


def _add_up(total: dict[str, JsonValue], fact: Mapping[str, JsonValue]) -> None:
    for name, value in fact.items():
        known = total.get(name)
        if isinstance(value, Mapping):
            inner = dict(known) if isinstance(known, Mapping) else {}
            _add_up(inner, value)
            total[name] = inner
        elif _is_number(value) and _is_number(known):
            total[name] = known + value
        else:
            total[name] = value


def _is_number(value: JsonValue) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
