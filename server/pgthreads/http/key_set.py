"""Keeps the public keys of `--jwks-url`: fetched in advance, and forgotten in time.

PyJWT parses the keys. Its own client for key sets is not used: it blocks, its callers wait one
after the other for a key server that hangs, and a key may stay valid after the issuer has removed
it.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from math import ceil

import jwt
from aiohttp import ClientSession, ClientTimeout

from ..errors import KeysUnavailableError

log = logging.getLogger(__name__)

COOLDOWN = 10.0
"""Seconds after a fetch, successful or not, in which an unknown key causes no new fetch."""

FETCH_SECONDS = 5.0
"""How long one fetch may take."""

MAX_BYTES = 256 * 1024
"""How large a key set may be."""

REFRESHES = 3
"""How many fetches are tried before the keys of the last successful one are no longer valid."""


class KeySetError(Exception):
    """The key set cannot be fetched, or is not a key set."""


class KeySet:
    """The signing keys at `url`. A key is valid for `lifetime` seconds after it was last seen.

    `running` fetches them again and again, so that a request with a known key never waits.
    """

    def __init__(
        self,
        url: str,
        *,
        lifetime: float,
        cooldown: float = COOLDOWN,
        log_level: int = logging.WARNING,
    ) -> None:
        """A fetch that fails is logged at `log_level`."""
        self._url = url
        self._lifetime = lifetime
        self._cooldown = cooldown
        self._log_level = log_level
        self._keys: dict[str, jwt.PyJWK] = {}
        self._good_until = 0.0
        self._quiet_until = 0.0
        self._failure: KeySetError | None = None
        self._fetching: asyncio.Task[None] | None = None
        self._session: ClientSession | None = None

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        """Fetch the keys in the background, now and then again and again."""
        timeout = ClientTimeout(total=FETCH_SECONDS)
        # With trust_env it uses the proxy of the environment, if there is one.
        async with ClientSession(timeout=timeout, trust_env=True) as self._session:
            task = asyncio.create_task(self._keep_fresh())
            try:
                yield
            finally:
                left = [each for each in (task, self._fetching) if each is not None]
                for each in left:
                    each.cancel()
                await asyncio.wait(left)

    async def find(self, key_id: str) -> jwt.PyJWK | None:
        """Return the key with this id, or None if there is none.

        A known key is returned without waiting. An unknown one causes a fetch, unless there was one
        within the cooldown; everybody who asks meanwhile waits for the same fetch. If the key is
        unknown and the last fetch has failed, it raises KeysUnavailableError.
        """
        key = self._known(key_id)
        if key is not None:
            return key
        if self._fetching is not None or self._now() >= self._quiet_until:
            # A caller that leaves must not cancel the fetch for which others wait.
            await asyncio.shield(self._fetch())
            key = self._known(key_id)
        if key is None and self._failure is not None:
            raise KeysUnavailableError(
                "the key set cannot be fetched",
                detail=str(self._failure),
                hint="try again",
                retry_after=max(1, ceil(self._quiet_until - self._now())),
            ) from self._failure
        return key

    async def count(self) -> int:
        """Fetch the key set and return how many keys it has. Raises KeysUnavailableError."""
        await asyncio.shield(self._fetch())
        if self._failure is not None:
            raise KeysUnavailableError("the key set cannot be fetched", detail=str(self._failure))
        return len(self._keys)

    def _known(self, key_id: str) -> jwt.PyJWK | None:
        return self._keys.get(key_id) if self._now() < self._good_until else None

    async def _keep_fresh(self) -> None:
        while True:
            await self._fetch()
            await asyncio.sleep(self._lifetime / REFRESHES)

    def _fetch(self) -> asyncio.Task[None]:
        """Return the running fetch, or start one."""
        if self._fetching is None:
            self._fetching = asyncio.create_task(self._try())
        return self._fetching

    async def _try(self) -> None:
        begun = self._now()
        try:
            keys = await self._keys_of_server()
        except Exception as error:
            # Whatever the fault is, the known keys stay valid until their time is over.
            reason = str(error) or f"no answer within {FETCH_SECONDS:g} s"
            self._failure = KeySetError(f"{self._url}: {reason}")
            log.log(self._log_level, "the key set cannot be fetched: %s", self._failure)
        else:
            self._failure = None
            # The time counts from the request, because keys that the answer lacks may have been
            # removed since then.
            self._keys, self._good_until = keys, begun + self._lifetime
        finally:
            self._quiet_until = self._now() + self._cooldown
            self._fetching = None

    async def _keys_of_server(self) -> dict[str, jwt.PyJWK]:
        if self._session is None:
            raise KeySetError("the key set is not running")
        body = bytearray()
        # A redirect could lead to an address without TLS.
        async with self._session.get(self._url, allow_redirects=False) as response:
            if response.status != 200:
                raise KeySetError(f"the answer is {response.status}")
            async for piece in response.content.iter_any():
                body += piece
                if len(body) > MAX_BYTES:
                    raise KeySetError(f"the key set has more than {MAX_BYTES} bytes")
        return signing_keys(bytes(body))

    @staticmethod
    def _now() -> float:
        return asyncio.get_running_loop().time()


def signing_keys(body: bytes) -> dict[str, jwt.PyJWK]:
    """The keys of a JSON Web Key Set (RFC 7517) that have an id and are for signatures.

    Keys that are damaged or of an unknown type are left out (RFC 7517, 5). If the set is empty, its
    issuer has withdrawn all keys. Raises KeySetError.
    """
    try:
        listed = json.loads(body)["keys"]
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise KeySetError("the answer is not a JSON Web Key Set") from error
    if not isinstance(listed, list):
        raise KeySetError("the answer is not a JSON Web Key Set")
    keys = {}
    for each in listed:
        with suppress(jwt.PyJWTError, TypeError, ValueError, AttributeError):
            key = jwt.PyJWK(each)
            if isinstance(key.key_id, str) and key.public_key_use in ("sig", None):
                keys[key.key_id] = key
    return keys
