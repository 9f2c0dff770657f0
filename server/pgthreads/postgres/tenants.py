"""Tells the database the tenant: by name, or by a signed token if the database wants one.

A token is `base64url(owner).expiry.mac`. The mac is the HMAC-SHA256 in hex of what stands before
its dot, with a key of `pgthreads.tenant_key`. docs/security.md describes tokens in full.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from base64 import urlsafe_b64encode
from collections.abc import Callable
from pathlib import Path

TOKEN_SECONDS = 300
"""How long a token is valid. It is used for one call at once; the rest allows clocks to differ."""

Tenant = Callable[[str], str]
"""Makes of an owner what set_tenant is given: the name itself, or a token."""


def named(owner_user_id: str) -> str:
    """Return the owner itself, for a database that lets its clients name the tenant."""
    return owner_user_id


def signed_with(key: bytes) -> Tenant:
    """Return a function that makes a token signed with `key`, a new one for each call."""

    def token(owner_user_id: str) -> str:
        owner = urlsafe_b64encode(owner_user_id.encode()).decode().rstrip("=")
        head = f"{owner}.{int(time.time()) + TOKEN_SECONDS}"
        return f"{head}.{hmac.new(key, head.encode(), hashlib.sha256).hexdigest()}"

    return token


def tenant_of(key: str | None) -> Tenant:
    """Return the function that `--tenant-key` asks for. Raises what `read_key` raises."""
    return named if key is None else signed_with(read_key(key))


def read_key(value: str) -> bytes:
    """Return the key that `value` is in hex, or that is in hex in the file of this name.

    Raises ValueError if it is not a key of 32 to 64 bytes, and OSError if the file cannot be read.
    """
    try:
        key = bytes.fromhex(value)
    except ValueError:
        key = bytes.fromhex(Path(value).read_text(encoding="ascii").strip().removeprefix(r"\x"))
    if not 32 <= len(key) <= 64:
        raise ValueError(f"a key has 32 to 64 bytes, and this one has {len(key)}")
    return key
