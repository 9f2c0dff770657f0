"""Writes a stored message as Markdown that people read, and that its content cannot break.

Headings stand at the beginning of a line, and what somebody has said stands in block quotes or in
fences that are longer than any in it. So no text can end its message and pretend to be another one.
HTML in texts is escaped, except inside of code, where it means nothing.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import quote, urlsplit

from .files import file_of

_ROLES = {"user": "User", "assistant": "Assistant", "system": "System"}
_ENDINGS = {
    "stopped": "This answer was stopped.",
    "failed": "This answer failed.",
    "abandoned": "This answer was cut off.",
}
_STATES = {
    "input-streaming": "was being called",
    "input-available": "was called",
    "approval-requested": "waits for an approval",
    "approval-responded": "has a response to its approval",
    "output-available": "answered",
    "output-error": "failed",
    "output-denied": "was denied",
}
_OPENING = re.compile(r"(`{3,})[^`]*|(~{3,}).*")
_CLOSING = re.compile(r" {0,3}(`{3,}|~{3,})[ \t]*")
_TABBED = re.compile(r"[ \t]+(?=```|~~~)")
_TICKS = re.compile(r"`+")
_SPECIAL = re.compile(r"([\\`*_\[\]#!|~$^&])")
_SPACE = re.compile(r"\s+")
_SAFE_IN_URLS = ":/?#@!$&'*+,;=%~-._"


def heading(title: str) -> str:
    """Return a title as a heading of one line."""
    return f"# {inline(title)}\n"


def message_markdown(message: Mapping[str, Any], said_at: str = "") -> str:
    """Return a UIMessage as Markdown. `said_at` is shown beside its role."""
    role = str(message.get("role"))
    title = _ROLES.get(role) or inline(role)
    pieces = [f"## {title}" + (f" · {inline(said_at)}" if said_at else "")]
    parts = message.get("parts")
    for part in parts if isinstance(parts, list) else []:
        if isinstance(part, dict):
            pieces.extend(_part(part))
    metadata = message.get("metadata")
    status = metadata.get("status") if isinstance(metadata, dict) else None
    if isinstance(status, str) and status in _ENDINGS:
        pieces.append(f"*{_ENDINGS[status]}*")
    return "\n" + "\n\n".join(pieces) + "\n"


def inline(text: str) -> str:
    """Return a short text for use within a line, in which nothing means anything to Markdown."""
    escaped = _SPECIAL.sub(r"\\\1", _SPACE.sub(" ", text.strip()))
    return escaped.replace("<", "&lt;").replace(">", "&gt;")


def _part(part: Mapping[str, Any]) -> Iterator[str]:
    kind = str(part.get("type"))
    if kind == "text":
        if text := _string(part.get("text")):
            yield quoted(text)
    elif kind == "reasoning":
        if text := _string(part.get("text")):
            yield "**Reasoning**"
            yield quoted(text)
    elif kind == "file":
        yield _file(part)
    elif kind == "source-url":
        url = _string(part.get("url"))
        yield f"Source: {_link(_string(part.get('title')) or url, url)}"
    elif kind == "source-document":
        name = _string(part.get("title")) or _string(part.get("filename"))
        yield f"Source: {inline(name) or 'a document'}"
    elif kind == "dynamic-tool" or kind.startswith("tool-"):
        yield from _tool(part, kind)
    elif kind != "step-start":
        yield f"**{inline(kind)}**"
        yield fenced(_printed(part.get("data", part)), "json")


def _file(part: Mapping[str, Any]) -> str:
    file = file_of(part)
    media_type = _string(part.get("mediaType"))
    name = _string(part.get("filename"))
    url = _string(part.get("url"))
    about = [inline(media_type)] if media_type else []
    if file.data is not None:
        about.append(f"{len(file.data)} bytes")
    shown = _link(name or url, url) if file.url else inline(name) or "a file"
    return f"File: {shown}" + (f" ({', '.join(about)})" if about else "")


def _tool(part: Mapping[str, Any], kind: str) -> Iterator[str]:
    name = _string(part.get("toolName")) or kind.removeprefix("tool-")
    state = _STATES.get(str(part.get("state")), "")
    yield f"**Tool {inline(name)}**" + (f" {state}" if state else "")
    for key, said in (("input", "Input"), ("output", "Output"), ("errorText", "Error")):
        if key in part:
            value = part[key]
            yield f"{said}:"
            if isinstance(value, str):
                yield fenced(value)
            else:
                yield fenced(_printed(value), "json")


def quoted(text: str) -> str:
    """Return a text as a block quote. Its Markdown stays, and its HTML is escaped."""
    lines: list[str] = []
    fence = ""
    is_clear = True
    for line in _lines(text):
        shown = line
        if fence:
            # Within a block quote a tab is not as wide as elsewhere, so it may end a fence or not.
            shown = _TABBED.sub(lambda found: found[0].replace("\t", "    "), line)
            closing = _CLOSING.fullmatch(shown)
            if closing and closing[1][0] == fence[0] and len(closing[1]) >= len(fence):
                fence = ""
        elif opening := _OPENING.fullmatch(line):
            fence = opening[1] or opening[2]
            is_clear = True
        else:
            shown, is_clear = _without_html(line, is_clear=is_clear or not line.strip(" \t"))
        lines.append(f"> {shown}" if shown else ">")
    return "\n".join(lines)


def fenced(text: str, language: str = "") -> str:
    """Return a text as a block of code, in a fence that is longer than any in it."""
    longest = max(map(len, _TICKS.findall(text)), default=0)
    fence = "`" * max(3, longest + 1)
    return "\n".join([fence + language, *_lines(text), fence])


def _without_html(line: str, *, is_clear: bool) -> tuple[str, bool]:
    """Escape the HTML of a line outside of its code spans; return whether the next line is clear.

    A code span counts only if every reader sees it as one: both of its ends are in this line, and
    nothing before it in this paragraph could take one of its backticks, as another backtick, a link
    or a table can.
    """
    is_clear = is_clear and "|" not in line and "]" not in line
    pieces: list[str] = []
    at = 0
    for begin, end in _spans(line) if is_clear else ():
        if begin < at:
            continue
        if end < 0 or line.endswith("\\", 0, begin):
            is_clear = False
            break
        pieces.append(_escaped(line[at:begin]))
        pieces.append(line[begin:end])
        at = end
    pieces.append(_escaped(line[at:]))
    return "".join(pieces), is_clear


def _spans(line: str) -> list[tuple[int, int]]:
    """Return where each run of backticks begins, and where the next equal one ends, or -1."""
    ends: dict[int, int] = {}
    spans: list[tuple[int, int]] = []
    for begin, end in reversed([run.span() for run in _TICKS.finditer(line)]):
        spans.append((begin, ends.get(end - begin, -1)))
        ends[end - begin] = end
    spans.reverse()
    return spans


def _escaped(text: str) -> str:
    return text.replace("<", "&lt;")


def _link(text: str, url: str) -> str:
    """Return a link; only its text if the address is none of the web."""
    try:
        is_web = urlsplit(url).scheme in ("http", "https")
    except ValueError:
        is_web = False
    if not is_web:
        return inline(text) or "no address"
    return f"[{inline(text)}](<{quote(url, safe=_SAFE_IN_URLS)}>)"


def _lines(text: str) -> list[str]:
    return text.replace("\r\n", "\n").replace("\r", "\n").split("\n")


def _printed(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)


def _string(value: Any) -> str:
    return value if isinstance(value, str) else ""
