"""How the database is told the tenant: by name, or by a signed token where it wants one.

A token is `base64url(owner).expiry.mac`, where the mac is the HMAC-SHA256, in hex, of what stands
before it, with a key of `pgthreads.tenant_key`; docs/security.md has the whole of it.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path

TOKEN_SECONDS = 300
"""How long a token is good: it is for one call, the rest is for clocks that differ."""

Tenant = Callable[[str], str]
"""What set_tenant is given for an owner."""


def named(owner_user_id: str) -> str:
    """The owner itself, for a database that trusts its clients to name the tenant."""
    return owner_user_id


def signed_with(key: bytes) -> Tenant:
    """Tokens signed with `key`, a new one for each call."""

    def token(owner_user_id: str) -> str:
        owner = urlsafe_b64encode(owner_user_id.encode()).decode().rstrip("=")
        head = f"{owner}.{int(time.time()) + TOKEN_SECONDS}"
        return f"{head}.{hmac.new(key, head.encode(), hashlib.sha256).hexdigest()}"

    return token


def tenant_of(key: str | None) -> Tenant:
    """From the setting `--tenant-key`. Raises ValueError, OSError."""
    return named if key is None else signed_with(read_key(key))


def read_key(value: str) -> bytes:
    """Return the key that is `value` in hex, or in hex in the file of that name.

    Raises ValueError for what is no key of 32 to 64 bytes, OSError for a file that is not there.
    """
    try:
        key = bytes.fromhex(value)
    except ValueError:
        key = bytes.fromhex(Path(value).read_text(encoding="ascii").strip().removeprefix(r"\x"))
    if not 32 <= len(key) <= 64:
        raise ValueError(f"a key has 32 to 64 bytes, this one {len(key)}")
    return key
