"""Checks state keys before they are echoed in `X-State-Key`.

The rule itself is a CHECK constraint and the function `require_state_key` in the database.
"""

from __future__ import annotations

import re

from ..errors import StateKeyError

_STATE_KEY = re.compile(r"[a-zA-Z0-9_-]{1,128}")


def is_state_key(key: object) -> bool:
    """Whether this is a state key."""
    return isinstance(key, str) and _STATE_KEY.fullmatch(key) is not None


def require_state_key(key: str) -> str:
    """Return the key. Raises StateKeyError if it is not a state key."""
    if not is_state_key(key):
        raise StateKeyError(
            "this is not a state key", hint="use 1 to 128 letters, digits, underscores and hyphens"
        )
    return key
