"""How much room events take up: in the message, and in the stream alone.

The stream is kept in memory until the turn has ended. So what passes through it without staying in
the message, such as the progress of a tool, has a limit as well.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import fields

from ..events import (
    AiEvent,
    Data,
    FileOutput,
    JsonValue,
    MessageMetadata,
    ReasoningEnd,
    ReasoningStart,
    SourceDocument,
    SourceUrl,
    Status,
    TextEnd,
    TextStart,
    ToolApprovalRequest,
    ToolCallProgress,
    ToolCallResult,
    ToolCallStart,
    ToolInputDelta,
    ToolInputStart,
)
from .draft import error_text
from .outputs import json_size

CALL_SIZE = 300
"""Bytes of a tool part's keys and state, and of the error that it gets if the turn ends first."""

PART_SIZE = 150
"""Bytes of the keys of any other part."""

PASSING = 8
"""How many times the limit of a message may pass through the stream beside what the message keeps:
as previews, and as data or metadata that is replaced later."""


class Sizes:
    """Sizes of one turn's events. It remembers what a later event may replace."""

    def __init__(self) -> None:
        self._previews = 0
        self._replaced = 0
        self._replaceable: dict[tuple[str, ...], int] = {}

    def added(self, event: AiEvent) -> int:
        """Return how many bytes an event adds to the message, or a few more.

        It is negative if the event replaces something larger. Events of text are not asked for.
        """
        size = 0
        match event:
            case ToolInputStart(call_id, name):
                size = CALL_SIZE + _size(call_id, name)
            case ToolInputDelta(_, delta):
                size = json_size(delta) - 2
            case ToolCallStart(call_id):
                size = _call_size(event) - self._replaceable.get(("input", call_id), 0)
            case ToolCallProgress(call_id, output):
                size = json_size(output) - self._replaceable.get(("output", call_id), 0)
            case ToolCallResult(call_id):
                size = _call_size(event) - self._replaceable.get(("output", call_id), 0)
            case Data(transient=False):
                size = _data_size(event) - self._replaceable.get(_place(event), 0)
            case ToolApprovalRequest():
                size = PART_SIZE + _size(*_values(event))
            case MessageMetadata(metadata):
                size = sum(self._added_fact(key, value) for key, value in metadata.items())
            case SourceUrl() | SourceDocument() | FileOutput():
                size = PART_SIZE + _size(*_values(event))
            case TextStart() | TextEnd() | ReasoningStart() | ReasoningEnd():
                size = PART_SIZE + _size(event.provider_metadata)
        return size

    def take(self, event: AiEvent) -> None:
        """Remember the size of what a later event may replace, if the message has taken the event.

        An event that it did not take must not get here: what replaces nothing gives no room.
        """
        match event:
            case ToolInputStart(call_id) | ToolInputDelta(call_id):
                place = ("input", call_id)
                self._replaceable[place] = self._replaceable.get(place, 0) + self.added(event)
            case ToolCallStart(call_id):
                self._replaceable.pop(("input", call_id), None)
            case ToolCallProgress(call_id, output):
                self._replaceable["output", call_id] = json_size(output)
            case ToolCallResult(call_id):
                self._replaceable.pop(("output", call_id), None)
            case MessageMetadata(metadata):
                for key, value in metadata.items():
                    is_merged = isinstance(value, Mapping)
                    self._replaceable["metadata", key] = 0 if is_merged else _size(key, value)
            case Data(id=str(), transient=False):
                self._replaceable[_place(event)] = _data_size(event)

    def _added_fact(self, key: str, value: JsonValue) -> int:
        """What a key of the metadata adds. Objects are merged, and any other value replaces."""
        known = 0 if isinstance(value, Mapping) else self._replaceable.get(("metadata", key), 0)
        return _size(key, value) - known

    def may_pass(self, event: AiEvent, limit: int) -> bool:
        """Count what may not stay in the message. Return whether the stream has room for it."""
        if is_preview(event):
            self._previews += _sent(event)
            return self._previews <= limit * PASSING
        if isinstance(event, Data | MessageMetadata):
            self._replaced += _sent(event)
            return self._replaced <= limit * PASSING
        return True


def is_preview(event: AiEvent) -> bool:
    """Whether the message is complete without this event, which only shows how far things are."""
    if isinstance(event, Data):
        return event.transient
    return isinstance(event, Status | ToolInputDelta | ToolCallProgress)


def kept_of(event: AiEvent) -> JsonValue:
    """Return the values of an event that the message keeps."""
    if isinstance(event, ToolCallResult):
        return error_text(event.result) if event.is_error else event.result
    return list(_values(event))


def _call_size(event: ToolCallStart | ToolCallResult) -> int:
    constant = CALL_SIZE if isinstance(event, ToolCallStart) else 0
    return constant + json_size(kept_of(event))


def _place(event: Data) -> tuple[str, ...]:
    return ("data", event.name) if event.id is None else ("data", event.name, event.id)


def _data_size(event: Data) -> int:
    return PART_SIZE + _size(event.name, event.data, event.id)


def _sent(event: AiEvent) -> int:
    return PART_SIZE + _size(*_values(event))


def _values(event: AiEvent) -> Iterator[JsonValue]:
    return (getattr(event, each.name) for each in fields(event))


def _size(*values: JsonValue) -> int:
    return sum(json_size(value) for value in values if value is not None)
