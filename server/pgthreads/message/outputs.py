"""Files in what tools return, and outputs that are too large for a message.

A file in a tool's output is an object that holds the bytes as base64: `{"kind": "binary",
"media_type", "data"}`, as pydantic-ai writes it, or `{"type": "image", "mimeType", "data"}` and the
like, as MCP and the AI SDK write it. As JSON in a prompt, it would be a hundred thousand characters
of noise.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterator, Mapping

from ..events import JsonValue
from .files import File, file_of, seen_type

_FILE_TYPES = frozenset(("image", "audio", "media", "file", "image-data", "file-data", "blob"))

_LONGEST_NUMBER = 330
"""Digits of the longest double. JSON writes it with an exponent, and jsonb writes every digit."""

MOST_LISTS = 90_000
"""Lists and objects that a message has room for. The database takes 100,000 (`clean_json.sql`)."""

_EXPONENT = re.compile(r"[0-9]e[+-]?[0-9]")


def binary(data: bytes, media_type: str = "") -> dict[str, JsonValue]:
    """The form in which bytes that a tool returned are stored."""
    kind = media_type or seen_type(data) or "application/octet-stream"
    return {"kind": "binary", "media_type": kind, "data": base64.b64encode(data).decode()}


def file_in(value: JsonValue) -> File | None:
    """The file that a value in a tool's output stands for, None if it is something else."""
    if isinstance(value, str):
        head = value[:200].lower()
        if len(value) < 500 or not head.startswith("data:") or ";base64," not in head:
            return None
        return file_of({"url": value})
    if not isinstance(value, Mapping) or not isinstance(data := value.get("data"), str):
        return None
    kind = value.get("media_type") or value.get("mediaType") or value.get("mimeType")
    named = value.get("kind") == "binary" or value.get("type") in _FILE_TYPES
    if not named or not isinstance(kind, str):
        return None
    name = value.get("filename") or ""
    file = file_of({"url": f"data:;base64,{data}", "mediaType": kind, "filename": name})
    return None if file.data is None else file


def items(output: JsonValue) -> list[JsonValue]:
    """The values of an output that may be files: the items of a list, or the output itself.

    The `content` of a `tool-return` (what a tool returned for the model beside its value) and of an
    MCP result count as such lists.
    """
    if isinstance(output, Mapping):
        content = output.get("content")
        if output.get("kind") == "tool-return" and isinstance(content, list):
            return [output.get("return_value"), *content]
        if isinstance(content, list) and any(file_in(item) for item in content):
            rest = {key: value for key, value in output.items() if key != "content"}
            return [*([rest] if rest else []), *map(_text_of, content)]
    return list(output) if isinstance(output, list) else [output]


def _text_of(item: JsonValue) -> JsonValue:
    """The text of MCP's `{"type": "text", "text"}`; anything else as it is."""
    if isinstance(item, Mapping) and item.get("type") == "text" and set(item) <= {"type", "text"}:
        return item.get("text")
    return item


def without_files(value: JsonValue, tell: Callable[[File], str]) -> JsonValue:
    """The value with each file in it replaced by what `tell` says of it."""
    file = file_in(value)
    if file is not None:
        return tell(file)
    if isinstance(value, Mapping):
        return {key: without_files(inner, tell) for key, inner in value.items()}
    if isinstance(value, list):
        return [without_files(inner, tell) for inner in value]
    return value


def fitting(output: JsonValue, room: int, limit: int) -> JsonValue:
    """The output, made to fit into `room` of the `limit` bytes of a message.

    If it is larger, its files are left out. If it is still larger then, a sentence replaces it.
    """
    if (size := json_size(output, limit)) <= room:
        return output
    smaller = without_files(
        output, lambda file: f"[A file that was too large to be kept: {file.described()}.]"
    )
    if json_size(smaller, limit) <= room:
        return smaller
    return f"[The tool's output was too large to be kept: {size:,} bytes.]"


def json_size(value: JsonValue, limit: int = 0) -> int:
    """How many bytes a value has as PostgreSQL's jsonb prints it, or a few more.

    With the `limit` of a message, a value of many lists and objects has the part of it that they
    are of `MOST_LISTS`, if that is more.
    """
    text = json.dumps(value, ensure_ascii=False)
    size = len(text) if text.isascii() else len(text.encode())
    if _EXPONENT.search(text):
        size += _LONGEST_NUMBER * sum("e" in repr(number) for number in _floats(value))
    if (text.count("[") + text.count("{")) * limit > size * MOST_LISTS:
        size = max(size, list_count(value) * limit // MOST_LISTS)
    return size


def list_count(value: JsonValue) -> int:
    """How many lists and objects a value consists of."""
    if not isinstance(value, Mapping | list):
        return 0
    inner = value.values() if isinstance(value, Mapping) else value
    return 1 + sum(list_count(each) for each in inner if isinstance(each, Mapping | list))


def _floats(value: JsonValue) -> Iterator[float]:
    if isinstance(value, float):
        yield value
    elif isinstance(value, Mapping | list):
        for inner in value.values() if isinstance(value, Mapping) else value:
            yield from _floats(inner)
