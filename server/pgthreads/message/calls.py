"""Gives stored tool calls the form in which a prompt tells the model of them.

Arguments and outputs come from models and tools, and older messages may come from other programs.
So each call gets a form that every provider accepts; the module `history` lists the rules.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from ..events import JsonValue
from .files import File
from .outputs import binary, file_in, items, without_files

MAX_DEPTH = 32
"""Levels of lists and objects in a tool's arguments or output; deeper ones become JSON text."""

MAX_TOOL_FILES = 4
"""How many of the newest files from tools the model sees again. Of older ones it is only told."""

MAX_ERROR_TEXT = 100_000
"""How many characters of an error text go into the prompt."""

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def is_tool(part: Mapping[str, Any]) -> bool:
    """Whether a part is a tool call."""
    kind: str = part["type"]
    return kind == "dynamic-tool" or kind.startswith("tool-")


def told_call(part: Mapping[str, Any], ids: CallIds) -> dict[str, Any]:
    """Return the tool part of a prompt for a stored tool part, with the output as it is stored."""
    name = part.get("toolName") if part["type"] == "dynamic-tool" else part["type"][5:]
    made = {
        "type": "dynamic-tool",
        "toolName": _tool_name(name),
        "toolCallId": ids.new(str(part.get("toolCallId"))),
        "input": _args(part.get("input", part.get("rawInput"))),
    }
    state = part.get("state")
    if state == "output-available":
        return {**made, "state": state, "output": part.get("output")}
    if (denied := denial(part)) is not None:
        return {**made, "state": "output-denied", "errorText": denied[:MAX_ERROR_TEXT]}
    error = part.get("errorText")
    if state == "approval-requested":
        error = "Nobody approved this call, and the tool was not run."
    elif state != "output-error":
        error = "The tool returned no result."
    if not isinstance(error, str) or not error.strip():
        error = "The tool failed."
    return {**made, "state": "output-error", "errorText": error[:MAX_ERROR_TEXT]}


def denial(part: Mapping[str, Any]) -> str | None:
    """What to say of a call that was denied, with the reason; None if it was not denied."""
    state, approval = part.get("state"), part.get("approval")
    given = approval if isinstance(approval, Mapping) else {}
    ended = state in ("output-available", "output-error")
    if state != "output-denied" and (ended or given.get("approved") is not False):
        return None
    reason = given.get("reason")
    told = f" Reason: {reason.strip()}" if isinstance(reason, str) and reason.strip() else ""
    return f"The user denied this call, and the tool was not run.{told}"


def _tool_name(name: object) -> str:
    safe = re.sub(r"[^a-zA-Z0-9_-]", "_", name if isinstance(name, str) else "")[:63]
    return safe if re.match(r"[a-zA-Z_]", safe) else f"_{safe}"


def _args(args: JsonValue) -> dict[str, Any]:
    args = _bounded(args)
    if isinstance(args, Mapping):
        return dict(args)
    # Providers want an object, but another executor may have stored something else.
    return {} if args is None else {"input": args if isinstance(args, str) else json.dumps(args)}


def _bounded(value: JsonValue) -> JsonValue:
    """The value, or its JSON text if it is nested deeper than providers accept."""
    level, depth = [value], 0
    while level:
        level = [
            inner
            for each in level
            if isinstance(each, Mapping | list)
            for inner in (each.values() if isinstance(each, Mapping) else each)
        ]
        depth += 1
        if depth > MAX_DEPTH:
            try:
                return json.dumps(value, ensure_ascii=False)
            except RecursionError:
                return "[A value that is nested too deep.]"
    return value


class CallIds:
    """Gives calls ids that are unique in a history, and the same each time it becomes a prompt."""

    def __init__(self) -> None:
        self._used: set[str] = set()
        self._counts: dict[str, int] = {}

    def new(self, call_id: str) -> str:
        """Return an id for the next call that is stored with the id `call_id`."""
        count = self._counts.get(call_id, 0)
        while (short := _short(f"{count}:{call_id}")) in self._used:
            count += 1
        self._counts[call_id] = count + 1
        self._used.add(short)
        return short


def _short(text: str) -> str:
    number = int.from_bytes(hashlib.sha256(text.encode(errors="replace")).digest()[:8], "big")
    digits = []
    for _ in range(9):
        number, digit = divmod(number, 62)
        digits.append(_DIGITS[digit])
    return "".join(digits)


def told_output(output: JsonValue, left: int) -> tuple[JsonValue, int]:
    """Return what a model is told of a tool's output, and how many files are shown to it.

    The last `left` files are shown. Each other file is replaced by a sentence about it.
    """
    told: list[JsonValue] = []
    used = 0
    values = items(output)
    for value in reversed(values):
        file = file_in(value)
        if file is None:
            told.append(without_files(_bounded(value), _not_shown))
        elif file.data and file.is_text:
            told.append(file.text())
        elif file.data and used < left and _is_shown(file):
            told.append(binary(file.data, file.media_type))
            used += 1
        else:
            told.append(_not_shown(file))
    told.reverse()
    if isinstance(output, list) or len(told) != 1:
        # Some adapters make each item a text of its own, and no text may be empty.
        whole: JsonValue = ['""' if _is_blank(item) else item for item in told]
    else:
        whole = told[0]
    if whole in (None, [], {}) or _is_blank(whole):
        return "The tool returned nothing.", used
    return whole, used


def _is_blank(value: JsonValue) -> bool:
    return isinstance(value, str) and not value.strip()


def _is_shown(file: File) -> bool:
    kind = file.media_type
    return kind.startswith(("image/", "audio/", "video/")) or kind == "application/pdf"


def _not_shown(file: File) -> str:
    return f"[A file of the tool's that is not shown again: {file.described()}.]"
