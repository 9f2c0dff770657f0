"""Finds out who is calling: the authenticated user's id is the owner of the request's threads."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from typing import Any, Protocol
from urllib.parse import urlsplit

import jwt
from aiohttp import web

from ..errors import ForbiddenError, UnauthorizedError
from ..settings import Settings, is_loopback
from .key_set import KeySet


class Authenticator(Protocol):
    """Finds out who sends a request."""

    def running(self) -> AbstractAsyncContextManager[None]:
        """Return a context that has to be entered while requests are served."""

    async def owner(self, request: web.Request) -> str:
        """Return the owner of this request. Raises UnauthorizedError or ForbiddenError."""


def authenticator(settings: Settings) -> Authenticator:
    """Return the authenticator that `--auth` names."""
    if settings.auth == "dev":
        return DevAuth(settings.dev_user, settings.cors_origin)
    return JwtAuth(settings)


class DevAuth:
    """One fixed user for everybody who reaches the loopback address.

    Pages of other sites reach that address, too, through the user's browser. Such a request names a
    foreign host (DNS rebinding) or a foreign origin, and is refused.
    """

    def __init__(self, user: str, origins: Sequence[str] = ()) -> None:
        self._user = user
        self._origins = frozenset(origins)

    def running(self) -> AbstractAsyncContextManager[None]:
        """Return a context that does nothing."""
        return nullcontext()

    async def owner(self, request: web.Request) -> str:
        """Return the fixed user."""
        # The settings allow no other address, but a process manager may listen at any.
        address = request.transport and request.transport.get_extra_info("sockname")
        if isinstance(address, tuple) and not is_loopback(address[0]):
            raise ForbiddenError(
                "--auth dev is allowed on loopback addresses only", hint="use --auth jwt"
            )
        if not is_loopback(urlsplit(f"//{request.host}").hostname):
            raise ForbiddenError(
                "the host is not this machine's loopback address", hint="use http://127.0.0.1"
            )
        origin = request.headers.get("Origin")
        own = f"{request.scheme}://{request.host}"
        if origin is not None and origin != own and origin not in self._origins:
            raise ForbiddenError(
                "the page's origin may not call this server", hint="allow it with --cors-origin"
            )
        return self._user


class JwtAuth:
    """A bearer token (RFC 6750), whose `sub` is the owner. `exp` and `sub` are required.

    Tokens are signed with HS256 and a shared secret, or with RS256, ES256, their longer variants or
    EdDSA and a key of the JWKS URL.
    """

    def __init__(self, settings: Settings) -> None:
        self._secret = settings.jwt_secret
        self._keys = (
            KeySet(settings.jwks_url, lifetime=settings.jwks_lifetime)
            if settings.jwks_url
            else None
        )
        self._audience = settings.jwt_audience
        self._issuer = settings.jwt_issuer
        self._leeway = settings.jwt_leeway

    def running(self) -> AbstractAsyncContextManager[None]:
        """Return a context in which the keys are fetched again and again."""
        return nullcontext() if self._keys is None else self._keys.running()

    async def owner(self, request: web.Request) -> str:
        """Return the token's subject. Raises UnauthorizedError and KeysUnavailableError."""
        scheme, _, token = request.headers.get("Authorization", "").partition(" ")
        if scheme.lower() != "bearer" or not token.strip():
            raise UnauthorizedError(
                "a bearer token is missing", hint="send authorization: Bearer <token>"
            )
        try:
            claims = await self._claims(token.strip())
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
            key = await self._key(self._keys, token)
            algorithms = ["RS256", "RS384", "RS512", "ES256", "ES384", "ES512", "EdDSA"]
        return jwt.decode(
            token,
            key,
            algorithms=algorithms,
            audience=self._audience,
            issuer=self._issuer,
            leeway=self._leeway,
            options={"require": ["exp", "sub"], "verify_aud": self._audience is not None},
        )

    @staticmethod
    async def _key(keys: KeySet, token: str) -> jwt.PyJWK:
        key_id = jwt.get_unverified_header(token).get("kid")
        # A token that names no key is refused without asking the key server.
        key = await keys.find(key_id) if isinstance(key_id, str) and key_id else None
        if key is None:
            raise jwt.InvalidKeyError("its kid is not in the key set")
        return key
