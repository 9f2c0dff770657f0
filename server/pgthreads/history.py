"""A stored thread as a history that any model can be prompted with.

Whatever a thread holds, a turn has to be answered: what a model's provider would refuse is put
right or put into words here, once for all executors. The rules are those that providers check:

- The history begins with a question, and questions and answers alternate (Anthropic, Bedrock,
  Gemini, and the chat templates of many local models).
- Between a tool's result and the next question the answer says something (Mistral).
- Each tool call has its result in the same step, and an id that no other call of the history has:
  9 letters and digits, as Mistral asks, which all others take as well. Names have up to 64 letters,
  digits, underscores and hyphens, arguments are objects, and a step has up to 100 calls (OpenAI
  takes 128).
- No text is empty or blank (Anthropic, Bedrock).
- Text files, JSON and the like are text in the message, in whatever encoding they came.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from .events import JsonValue, UIMessage
from .message.files import File, file_of
from .message.outputs import binary, file_in, items, without_files
from .message.sanitize import clean_text

MAX_CALLS = 100
"""Tool calls in one step."""

MAX_DEPTH = 32
"""Levels of lists and objects in a tool's arguments or output; deeper ones become JSON text."""

MAX_TOOL_FILES = 4
"""Files that tools returned and that the model sees again, the newest; of others it is told."""

MAX_ERROR_TEXT = 100_000
"""Characters of an error text that are told."""

_NO_TEXT = "[This message has no text.]"
_NO_MORE = "[No text came after the tool calls.]"

_DIGITS = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"


def prompt_history(messages: Sequence[UIMessage]) -> list[UIMessage]:
    """The history for a prompt, oldest first: UIMessages of few kinds, which every provider takes.

    System messages come first. After them a user message begins, and the roles alternate. A user
    message has `text` parts and `file` parts (`mediaType`, `url`, perhaps `filename`), the latter
    with a whole `data:` or `http(s):` URL. An answer has `step-start`, `text` and `dynamic-tool`
    parts; the state of a tool part is `output-available` with its `output`, or `output-error` or
    `output-denied` with an `errorText`. A file in an output is `{"kind": "binary", "media_type",
    "data"}`, the output itself or an item of a list that it is. Left out is what says nothing to a
    model: reasoning, sources, data and unknown parts. The stored messages are not changed, and
    nothing in them makes this fail.
    """
    history: list[UIMessage] = []
    system: list[UIMessage] = []
    ids = _Ids()
    for message in messages:
        role, parts = message.get("role"), list(_parts_of(message))
        if role == "system":
            texts = [part for part in map(_text_part, parts) if part is not None]
            if texts:
                system.append({"id": message.get("id", ""), "role": "system", "parts": texts})
            continue
        if role == "user":
            made = [new for part in parts for new in _user_parts(part)] or [_words(_NO_TEXT)]
        else:
            made = list(_answer_parts(parts, ids))
        if not made or (role != "user" and not history):
            continue
        role = role if role == "user" else "assistant"
        if role == "user" and history and is_tool(history[-1]["parts"][-1]):
            history[-1]["parts"] += [{"type": "step-start"}, _words(_NO_MORE)]
        if history and history[-1]["role"] == role:
            history[-1]["parts"] += made
        else:
            history.append({"id": message.get("id", ""), "role": role, "parts": made})
    _tell_outputs(history)
    return [*system, *history]


def _tell_outputs(history: Sequence[UIMessage]) -> None:
    """Make of each tool's output what a model is told: the newest files are kept, as files."""
    left = MAX_TOOL_FILES
    for message in reversed(history):
        for part in reversed(message["parts"]):
            if "output" in part:
                part["output"], used = _told_output(part["output"], left)
                left -= used


def _told_output(output: JsonValue, left: int) -> tuple[JsonValue, int]:
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
        # Some adapters make a text of each item.
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


def _parts_of(message: UIMessage) -> Iterator[Mapping[str, Any]]:
    parts = message.get("parts")
    for part in parts if isinstance(parts, list) else ():
        if isinstance(part, Mapping) and isinstance(part.get("type"), str):
            yield part


def _text_part(part: Mapping[str, Any]) -> dict[str, Any] | None:
    text = part.get("text")
    if part["type"] != "text" or not isinstance(text, str) or not text.strip():
        return None
    return {"type": "text", "text": clean_text(text)}


def _user_parts(part: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    if part["type"] == "file":
        file = file_of(part)
        if file.data is None and file.url is None:
            yield _words(f"[A file that cannot be read was attached: {file.described()}.]")
        elif file.data is not None and file.is_text:
            yield _words(
                f"[An attached file: {file.described()}]\n{file.text()}\n[End of the file]"
            )
        elif file.data == b"":
            yield _words(f"[An empty file was attached: {file.described()}.]")
        else:
            yield _file_part(file, part)
    elif (text := _text_part(part)) is not None:
        yield text


def _file_part(file: File, part: Mapping[str, Any]) -> dict[str, Any]:
    named = {"filename": file.name} if file.name else {}
    return {"type": "file", "mediaType": file.media_type, "url": part["url"], **named}


def _words(text: str) -> dict[str, Any]:
    return {"type": "text", "text": clean_text(text)}


def _answer_parts(parts: Sequence[Mapping[str, Any]], ids: _Ids) -> Iterator[dict[str, Any]]:
    for step in _steps(parts):
        made: list[dict[str, Any]] = []
        calls = 0
        for part in step:
            if part["type"] == "file":
                made.append(
                    _words(f"[A file was part of this answer: {file_of(part).described()}.]")
                )
            elif is_tool(part):
                if calls == MAX_CALLS:
                    yield {"type": "step-start"}
                    yield from made
                    made, calls = [], 0
                made.append(_tool_part(part, ids))
                calls += 1
            elif (text := _text_part(part)) is not None:
                made.append(text)
        if made:
            yield {"type": "step-start"}
            yield from made


def _steps(parts: Sequence[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    """Parts by model response. Text after a finished tool begins one even without a marker."""
    step: list[Mapping[str, Any]] = []
    marked = any(part["type"] == "step-start" for part in parts)
    for part in parts:
        after_tool = bool(step) and is_tool(step[-1]) and not is_tool(part)
        if part["type"] == "step-start" or (after_tool and not marked):
            yield step
            step = []
        step.append(part)
    yield step


def is_tool(part: Mapping[str, Any]) -> bool:
    """Whether a part is a tool's call."""
    kind: str = part["type"]
    return kind == "dynamic-tool" or kind.startswith("tool-")


def _tool_part(part: Mapping[str, Any], ids: _Ids) -> dict[str, Any]:
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
    """What to say of a tool part whose call was denied, with the reason; None if it was not."""
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
    # Providers take an object; another executor may have stored something else.
    return {} if args is None else {"input": args if isinstance(args, str) else json.dumps(args)}


def _bounded(value: JsonValue) -> JsonValue:
    """The value, or its JSON text where providers would find it nested too deep."""
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


class _Ids:
    """Ids of calls that are unique in a history, the same ones each time it is prompted."""

    def __init__(self) -> None:
        self._used: set[str] = set()
        self._counts: dict[str, int] = {}

    def new(self, call_id: str) -> str:
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
