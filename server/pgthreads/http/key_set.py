"""The public keys behind `--jwks-url`: fetched beforehand, looked up at once, and gone in time.

PyJWT parses keys. Its own client of key sets is not used: it blocks, one caller after the other
waits for a key server that hangs, and a key that the issuer removed may stay valid.
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
"""Seconds after a fetch, whatever came of it, in which an unknown key causes no other one."""

FETCH_SECONDS = 5.0
"""How long one fetch may take in all."""

MAX_BYTES = 256 * 1024
"""How large a key set may be."""

REFRESHES = 3
"""So many fetches are tried in the time that a key is good after the last one that succeeded."""


class KeySetError(Exception):
    """The key set cannot be fetched, or is none."""


class KeySet:
    """The signing keys at `url`, each good for `lifetime` seconds after it was last seen there.

    `running` fetches them all the time, so that a request with a known key waits for nobody.
    """

    def __init__(
        self,
        url: str,
        *,
        lifetime: float,
        cooldown: float = COOLDOWN,
        log_level: int = logging.WARNING,
    ) -> None:
        """`log_level` is how loud a fetch that fails is."""
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
        """Fetch the keys now, without waiting for it, and then again and again."""
        timeout = ClientTimeout(total=FETCH_SECONDS)
        # The proxy of the environment, if there is one.
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
        """Return the key of this id, None if there is none.

        A key that is known is returned without waiting. Another one causes a fetch, if none was
        made within the cooldown; whoever asks meanwhile waits for that one. Where the key is not
        known and the last fetch failed, nobody can tell: it raises KeysUnavailableError.
        """
        key = self._known(key_id)
        if key is not None:
            return key
        if self._fetching is not None or self._now() >= self._quiet_until:
            # A caller that leaves must not end the fetch that others wait for.
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
        """The fetch that runs, else a new one."""
        if self._fetching is None:
            self._fetching = asyncio.create_task(self._try())
        return self._fetching

    async def _try(self) -> None:
        begun = self._now()
        try:
            keys = await self._keys_of_server()
        except Exception as error:
            # Whatever it is: what is known goes on until it ends.
            reason = str(error) or f"no answer within {FETCH_SECONDS:g} s"
            self._failure = KeySetError(f"{self._url}: {reason}")
            log.log(self._log_level, "the key set cannot be fetched: %s", self._failure)
        else:
            self._failure = None
            # Counted from the question: what the answer left out was gone by then.
            self._keys, self._good_until = keys, begun + self._lifetime
        finally:
            self._quiet_until = self._now() + self._cooldown
            self._fetching = None

    async def _keys_of_server(self) -> dict[str, jwt.PyJWK]:
        if self._session is None:
            raise KeySetError("it is not running")
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
    """The keys of a JSON Web Key Set (RFC 7517) that may sign and have an id. Raises KeySetError.

    What is of an unknown type or damaged is left out (RFC 7517, 5). A set may be empty: then its
    issuer has taken all keys back.
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
