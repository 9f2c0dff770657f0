"""State keys as the HTTP layer sees them: echoed in `X-State-Key`, so checked before they are.

The rule itself is a CHECK constraint and `require_state_key` of the database.
"""

from __future__ import annotations

import re

from ..errors import StateKeyError

_STATE_KEY = re.compile(r"[a-zA-Z0-9_-]{1,128}")


def is_state_key(key: object) -> bool:
    """Whether this is a state key."""
    return isinstance(key, str) and _STATE_KEY.fullmatch(key) is not None


def require_state_key(key: str) -> str:
    """Return the key; raises StateKeyError for what is none."""
    if not is_state_key(key):
        raise StateKeyError(
            "not a state key", hint="1 to 128 letters, digits, underscores and hyphens"
        )
    return key
