"""Reads JSON that is nested too deeply for Python, and was stored before there was a limit.

The database now refuses more than 60 levels (`is_shallow`), but older messages must not keep their
thread from going on.
"""

from __future__ import annotations

import gc
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

MAX_LEVELS = 60
"""Levels of lists and objects that are read as they are. What is deeper becomes a string."""

_TOKEN = re.compile(r'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]|[^"\[\]{}]+')


def loads(body: bytes) -> Any:
    """Parse JSON of any depth. What is too deep becomes a string that holds the JSON."""
    try:
        return json.loads(body)
    except RecursionError:
        return json.loads(_flat(body.decode()))


@contextmanager
def without_gc() -> Iterator[None]:
    """Keep the garbage collector off while a body is parsed, because a parser makes no cycles.

    With it on, a megabyte of lists takes three times as long.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


def _flat(text: str) -> str:
    pieces: list[str] = []
    deep: list[str] = []
    depth = 0
    for piece in _TOKEN.findall(text):
        if piece in "[{":
            depth += 1
        (pieces if depth <= MAX_LEVELS else deep).append(piece)
        if piece in "]}":
            depth -= 1
            if depth == MAX_LEVELS:
                pieces.append(json.dumps("".join(deep)))
                deep.clear()
    return "".join(pieces)
