"""Makes JSON, or the text of an answer, of the values that tools and agents return."""

from __future__ import annotations

import dataclasses
import json
import logging
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel
from pydantic_ai.messages import BinaryContent, tool_return_ta

from ..events import JsonValue
from ..message.outputs import binary, without_files
from ..message.sanitize import MAX_DEPTH

log = logging.getLogger(__name__)


def output_text(output: object) -> str:
    """The text of an answer for an agent's output: JSON unless the output is a string or None."""
    if isinstance(output, str):
        return output
    if output is None:
        return ""
    value = without_files(jsonable(output), lambda file: f"[A file: {file.described()}]")
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def jsonable(value: object) -> JsonValue:
    """A value of a tool or an agent as JSON, with bytes as `outputs.binary` stores them.

    It never raises.
    """
    try:
        plain = _without_bytes(value, 0)
        return tool_return_ta.dump_python(plain, mode="json", warnings=False, fallback=str)
    except Exception as error:
        log.warning("a tool's output is not JSON: %s", error)
        return f"[An output that cannot be shown: {type(value).__name__}]"


def _without_bytes(value: Any, depth: int) -> Any:
    """The value with its bytes as objects; whatever has no bytes is left to pydantic."""
    if isinstance(value, bytes | bytearray | memoryview):
        return binary(bytes(value))
    if isinstance(value, BinaryContent):
        return binary(value.data, value.media_type)
    if depth > MAX_DEPTH or isinstance(value, str | int | float | None):
        return value
    if isinstance(value, BaseModel) or (
        dataclasses.is_dataclass(value) and not isinstance(value, type)
    ):
        dumped = tool_return_ta.dump_python(value, mode="python", warnings=False)
        if not isinstance(dumped, Mapping) or not _has_bytes(dumped, depth):
            return value
        value = dumped
    if isinstance(value, Mapping):
        value = {key: _without_bytes(item, depth + 1) for key, item in value.items()}
    elif isinstance(value, list | tuple | set | frozenset) and not hasattr(value, "_fields"):
        value = [_without_bytes(item, depth + 1) for item in value]
    return value


def _has_bytes(value: Any, depth: int) -> bool:
    if isinstance(value, Mapping | list | tuple | set | frozenset) and depth <= MAX_DEPTH:
        inner = value.values() if isinstance(value, Mapping) else value
        return any(_has_bytes(item, depth + 1) for item in inner)
    return isinstance(value, bytes | bytearray | memoryview)
