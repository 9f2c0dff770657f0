"""Makes what an executor yields fit for PostgreSQL's jsonb and for JavaScript's JSON.parse.

An executor's strings and values come from models and tools, so they may hold anything. Each rule
here is about values that one of these two readers would refuse or change:

- U+0000 and lone surrogates become U+FFFD: jsonb refuses both (PostgreSQL manual, "JSON Types"),
  and UTF-8 has no bytes for the second.
- NaN and Infinity become null, and so does an integer that no double can hold: JSON has no word
  for the first two, and JSON.parse reads such an integer as Infinity. -0.0 becomes 0.0, because
  jsonb drops the sign and JavaScript keeps it.
- Keys become strings the way `json.dumps` makes them; tuples become lists.
- The key `__proto__` gets U+FFFD in front of it, and so does `constructor` if its value is null or
  an object with `prototype`. The AI SDK's parser (`secureJsonParse`) throws on such keys, in older
  releases also if the value is null, and that would end the client's stream.

Integers beyond 2^53 are left alone: they are exact in the database, and a JavaScript client rounds
them.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Mapping
from typing import get_args

from ..events import (
    AiEvent,
    AssistantFinal,
    Boundary,
    Data,
    Done,
    Error,
    FileOutput,
    FinishReason,
    JsonValue,
    MessageMetadata,
    ProviderMetadata,
    ReasoningDelta,
    ReasoningEnd,
    ReasoningStart,
    SourceDocument,
    SourceUrl,
    Status,
    TextDelta,
    TextEnd,
    TextStart,
    ToolApprovalRequest,
    ToolCallProgress,
    ToolCallResult,
    ToolCallStart,
    ToolInputDelta,
    ToolInputStart,
    UsageReport,
)

MAX_DEPTH = 200
"""Levels of lists and objects in one value. A deeper value raises `ValueError`."""

KEPT_DEPTH = 56
"""Levels that are kept as they are. What is deeper becomes a string that holds its JSON, so that
the answer is not refused: the database accepts 60 levels, and a message has four of its own around
a tool's value."""

_FINISH_REASONS = frozenset(get_args(FinishReason))


def _is_plain(text: object) -> bool:
    return isinstance(text, str) and text.isascii() and "\x00" not in text


def clean_text(text: str) -> str:
    """The text with U+FFFD in place of U+0000 and lone surrogates; halves that meet become a pair.

    Raises `TypeError` for anything but a string.
    """
    if not isinstance(text, str):
        raise TypeError(f"expected a string, got {type(text).__name__}")
    if "\x00" in text:
        text = text.replace("\x00", "\ufffd")
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "replace")
    return text


def clean_json(value: JsonValue, depth: int = 0) -> JsonValue:
    """A deep copy of `value` that jsonb and JSON.parse read as the same value.

    Raises `TypeError` for what is not JSON, such as a datetime or a model object (the executor
    decides how to show those), and `ValueError` for a value deeper than `MAX_DEPTH`.
    """
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return clean_text(value)
    if isinstance(value, int):
        return value if abs(value) <= sys.float_info.max else None
    if isinstance(value, float):
        return value + 0.0 if math.isfinite(value) else None
    if depth >= MAX_DEPTH:
        raise ValueError(f"a value is nested deeper than {MAX_DEPTH} levels")
    whole: JsonValue
    if isinstance(value, Mapping):
        cleaned = ((key, clean_json(item, depth + 1)) for key, item in value.items())
        whole = {_key(key, item): item for key, item in cleaned}
    elif isinstance(value, list | tuple):
        whole = [clean_json(item, depth + 1) for item in value]
    else:
        raise TypeError(f"expected a JSON value, got {type(value).__name__}")
    return json.dumps(whole, ensure_ascii=False) if depth == KEPT_DEPTH else whole


def _key(key: object, value: JsonValue) -> str:
    if key is None or isinstance(key, bool):
        return {None: "null", True: "true", False: "false"}[key]
    if isinstance(key, int | float):
        return repr(key)
    if not isinstance(key, str):
        raise TypeError(f"expected a string as a key, got {type(key).__name__}")
    forbidden = key == "__proto__" or (
        key == "constructor"
        and (value is None or (isinstance(value, dict) and "prototype" in value))
    )
    return f"\ufffd{key}" if forbidden else clean_text(key)


def clean_metadata(metadata: Mapping[str, JsonValue]) -> dict[str, JsonValue]:
    """Metadata of a message, with names that every release of the AI SDK merges alike.

    Newer releases skip `constructor` and `prototype` when they merge objects, so these two get
    U+FFFD in front of them. `status` belongs to the server, and `pgthreads` to the details that
    readers of a thread get with it, so these two are left out.
    """
    cleaned: dict[str, JsonValue] = _mergeable(clean_json(_mapping(metadata)))
    for reserved in ("status", "pgthreads"):
        cleaned.pop(reserved, None)
    return cleaned


def _mergeable(value: JsonValue) -> JsonValue:
    if not isinstance(value, dict):
        return value
    return {
        f"\ufffd{key}" if key in ("constructor", "prototype") else key: _mergeable(inner)
        for key, inner in value.items()
    }


def _mapping(value: object) -> Mapping[str, JsonValue]:
    if not isinstance(value, Mapping):
        raise TypeError(f"expected an object as metadata, got {type(value).__name__}")
    return value


def _provider(metadata: ProviderMetadata | None) -> ProviderMetadata | None:
    """The metadata of a part; None if there is nothing in it."""
    if metadata is None:
        return None
    cleaned: ProviderMetadata = clean_json(
        {name: _mapping(each) for name, each in _mapping(metadata).items()}
    )
    return cleaned or None


def _optional(text: str | None) -> str | None:
    return None if text is None else clean_text(text)


def clean(event: AiEvent) -> AiEvent:
    """The event with every string and value in it cleaned; the same object if its text was clean.

    The result shares nothing mutable with the executor. Raises `TypeError` for something that is
    not an AiEvent or not JSON, and `ValueError` for a value that is nested too deep.
    """
    cleaned: AiEvent
    match event:
        case TextDelta(delta) | ReasoningDelta(delta):
            text = clean_text(delta)
            cleaned = event if text is delta else type(event)(text)
        case TextStart() | TextEnd() | ReasoningStart() | ReasoningEnd():
            cleaned = type(event)(_provider(event.provider_metadata))
        case (
            ToolInputStart()
            | ToolInputDelta()
            | ToolCallStart()
            | ToolApprovalRequest()
            | ToolCallProgress()
        ):
            cleaned = _clean_call(event)
        case ToolCallResult(call_id, result, is_error):
            cleaned = ToolCallResult(clean_text(call_id), clean_json(result), bool(is_error))
        case SourceUrl() | SourceDocument() | FileOutput() | Data() | MessageMetadata():
            cleaned = _clean_part(event)
        case Status(phase, label):
            cleaned = Status(clean_text(phase), clean_text(label))
        case UsageReport(fact):
            cleaned = UsageReport(clean_json(fact))
        case AssistantFinal(content):
            cleaned = AssistantFinal(clean_text(content))
        case Boundary(step):
            cleaned = Boundary(bool(step))
        case Done(reason):
            cleaned = event if reason in _FINISH_REASONS else Done("other")
        case Error(code):
            cleaned = Error(clean_text(code))
        case _:
            raise TypeError(f"an executor yielded {type(event).__name__}, not an AiEvent")
    return cleaned


def _clean_call(
    event: ToolInputStart | ToolInputDelta | ToolCallStart | ToolApprovalRequest | ToolCallProgress,
) -> AiEvent:
    call_id = clean_text(event.tool_call_id)
    match event:
        case ToolInputStart(_, name):
            return ToolInputStart(call_id, clean_text(name))
        case ToolInputDelta(_, delta):
            return ToolInputDelta(call_id, clean_text(delta))
        case ToolCallProgress(_, output):
            return ToolCallProgress(call_id, clean_json(output))
        case ToolApprovalRequest(_, approval_id):
            return ToolApprovalRequest(call_id, clean_text(approval_id))
        case ToolCallStart(_, name, args, by_provider, metadata, by_client):
            return ToolCallStart(
                call_id,
                clean_text(name),
                clean_json(args),
                bool(by_provider),
                _provider(metadata),
                bool(by_client),
            )


def _clean_part(
    event: SourceUrl | SourceDocument | FileOutput | Data | MessageMetadata,
) -> AiEvent:
    match event:
        case SourceUrl(source_id, url, title, metadata):
            return SourceUrl(
                clean_text(source_id), clean_text(url), _optional(title), _provider(metadata)
            )
        case SourceDocument(source_id, kind, title, filename, metadata):
            return SourceDocument(
                clean_text(source_id),
                clean_text(kind),
                clean_text(title),
                _optional(filename),
                _provider(metadata),
            )
        case FileOutput(kind, url, metadata):
            return FileOutput(clean_text(kind), clean_text(url), _provider(metadata))
        case Data(name, data, data_id, transient):
            if not name:
                raise ValueError("the name of Data is empty")
            return Data(clean_text(name), clean_json(data), _optional(data_id), bool(transient))
        case MessageMetadata(facts):
            return MessageMetadata(clean_metadata(facts))


class Cleaner:
    """Cleans the events of one turn, and keeps surrogate pairs that are split over two deltas.

    The first half is held back until the next delta of its kind. If none follows, it is dropped,
    because half a character is not text. Call it with each event in order; it returns one event for
    each.
    """

    def __init__(self) -> None:
        self._held: TextDelta | ReasoningDelta | None = None

    def __call__(self, event: AiEvent) -> AiEvent:
        """Return the cleaned event, whose delta may be empty. Raises what `clean` raises."""
        # Nearly every event of a turn is of this kind, so it is tested first and not copied.
        if type(event) is TextDelta and self._held is None and _is_plain(event.delta):
            return event
        if not isinstance(event, TextDelta | ReasoningDelta):
            if not isinstance(event, Status | UsageReport):
                self._held = None
            return clean(event)
        kind, text = type(event), event.delta
        if self._held is not None:
            if type(self._held) is kind:
                text = self._held.delta + text
            self._held = None
        if text and "\ud800" <= text[-1] <= "\udbff":
            self._held = kind(text[-1])
            text = text[:-1]
        return clean(event if text is event.delta else kind(text))
