"""Who is calling: the authenticated user id is the owner of every thread that a request touches."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import Any, Protocol
from urllib.parse import urlsplit

import jwt
from aiohttp import web

from .errors import ForbiddenError, UnauthorizedError, UnavailableError
from .settings import Settings, is_loopback


class Authenticator(Protocol):
    """Returns the owner of a request; raises UnauthorizedError or ForbiddenError."""

    async def owner(self, request: web.Request) -> str:
        """Return the owner of this request."""


def authenticator(settings: Settings) -> Authenticator:
    """Return the authenticator that `--auth` names."""
    if settings.auth == "dev":
        return DevAuth(settings.dev_user, settings.cors_origin)
    return JwtAuth(settings)


class DevAuth:
    """One fixed user for everybody who reaches the loopback address.

    A web page of somebody else reaches it too, through the user's browser: such a request names a
    foreign host (DNS rebinding) or origin, and is refused.
    """

    def __init__(self, user: str, origins: Sequence[str] = ()) -> None:
        self._user = user
        self._origins = frozenset(origins)

    async def owner(self, request: web.Request) -> str:
        """Return the fixed user."""
        # The settings refuse another address, but a process manager listens where it is told.
        address = request.transport and request.transport.get_extra_info("sockname")
        if isinstance(address, tuple) and not is_loopback(address[0]):
            raise ForbiddenError("--auth dev is for loopback addresses", hint="use --auth jwt")
        if not is_loopback(urlsplit(f"//{request.host}").hostname):
            raise ForbiddenError(
                "the host is not this machine's loopback address", hint="use http://127.0.0.1"
            )
        origin = request.headers.get("Origin")
        own = f"{request.scheme}://{request.host}"
        if origin is not None and origin != own and origin not in self._origins:
            raise ForbiddenError(
                "the page's origin may not call this server", hint="add it by --cors-origin"
            )
        return self._user


class JwtAuth:
    """A bearer token (RFC 6750) whose `sub` is the owner; `exp` and `sub` are required.

    HS256 with a shared secret, or RS256/ES256 and their longer kin with the keys of a JWKS URL.
    """

    def __init__(self, settings: Settings) -> None:
        self._secret = settings.jwt_secret
        self._keys = (
            jwt.PyJWKClient(settings.jwks_url, cache_keys=True, timeout=10)
            if settings.jwks_url
            else None
        )
        self._audience = settings.jwt_audience
        self._issuer = settings.jwt_issuer

    async def owner(self, request: web.Request) -> str:
        """Return the token's subject."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise UnauthorizedError(
                "a bearer token is missing", hint="send authorization: Bearer <token>"
            )
        try:
            claims = await self._claims(token.strip())
        except jwt.PyJWKClientConnectionError as error:
            raise UnavailableError("the key set cannot be fetched", detail=str(error)) from error
        except jwt.PyJWTError as error:
            raise UnauthorizedError("the bearer token is not valid", detail=str(error)) from error
        subject = claims["sub"]
        if not isinstance(subject, str) or not 1 <= len(subject) <= 255 or "\x00" in subject:
            raise UnauthorizedError("the token's sub is not an owner id")
        return subject

    async def _claims(self, token: str) -> dict[str, Any]:
        key: Any = self._secret
        algorithms = ["HS256"]
        if self._keys is not None:
            # Fetches the key set over HTTP when it does not know the key: not on the event loop.
            key = await asyncio.to_thread(self._keys.get_signing_key_from_jwt, token)
            algorithms = ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "EdDSA"]
        return jwt.decode(
            token,
            key,
            algorithms=algorithms,
            audience=self._audience,
            issuer=self._issuer,
            options={"require": ["exp", "sub"], "verify_aud": self._audience is not None},
        )
