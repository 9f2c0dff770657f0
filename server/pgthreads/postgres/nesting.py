"""Reads JSON that is nested too deeply for Python, and was stored before there was a limit.

The database now refuses more than 60 levels (`is_shallow`), but older messages must not keep their
thread from going on.
"""

from __future__ import annotations

import json
import re
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
