"""What one user may have of one process: requests a second, and answers that are open at once.

These keep a user from taking the time of others in this process. What has to hold whoever calls is
in the database: `config.max_turns_per_owner` and `config.max_queued_per_owner`.
"""

from __future__ import annotations

import asyncio
import math
import time
from collections import Counter, OrderedDict
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager

from .errors import TooManyError

BURST_SECONDS = 4.0
"""A user who was silent may send the requests of so many seconds at once."""

KNOWN_USERS = 10_000
"""Of so many users it is known what they have sent; the one longest silent is forgotten first."""

ALLOWANCE = 1.0
"""Seconds of the database's time that a user may use at once, beyond the share."""

LARGE = 65_536
"""Characters above which a request is among the costly ones, whoever sends it."""

MOST_USED = 5.0
"""So many seconds beyond the share are remembered at most."""


class Limits:
    """Counts by user. A limit of 0 is none; `refused` is told the name of one that was reached."""

    def __init__(
        self,
        *,
        request_rate: float,
        max_streams: int,
        refused: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rate = request_rate
        self._max_streams = max_streams
        self._refused = refused
        self._clock = clock
        # By user: how many requests he may send at once, and when that was so.
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._streams: Counter[str] = Counter()

    def take_request(self, owner: str) -> None:
        """Count a request. Raises TooManyError if this user has sent too many."""
        if not self._rate:
            return
        now = self._clock()
        burst = max(1.0, self._rate * BURST_SECONDS)
        left, since = self._left.get(owner, (burst, now))
        left = min(burst, left + (now - since) * self._rate)
        is_allowed = left >= 1
        self._left[owner] = (left - is_allowed, now)
        self._left.move_to_end(owner)
        if len(self._left) > KNOWN_USERS:
            self._left.popitem(last=False)
        if not is_allowed:
            self._refused("requests")
            raise TooManyError(
                "too many requests",
                hint=f"send at most {self._rate:g} in a second",
                retry_after=math.ceil((1 - left) / self._rate),
            )

    @contextmanager
    def stream(self, owner: str) -> Iterator[None]:
        """Count an answer as open. Raises TooManyError if this user has too many of them."""
        if self._max_streams and self._streams[owner] >= self._max_streams:
            self._refused("streams")
            raise TooManyError(
                "too many answers are open", hint=f"read at most {self._max_streams} at once"
            )
        self._streams[owner] += 1
        try:
            yield
        finally:
            self._streams[owner] -= 1
            if not self._streams[owner]:
                del self._streams[owner]


class Fairness:
    """What costs the database much waits for its turn, one after the other, beside all else.

    Large requests wait for each other, and so do those of users who have used much of its time
    lately: two connections in all. Otherwise ten
    who ask for what is costly, again and again, would hold all connections, and all cores of the
    database. `share` is how many seconds of it a user may use in a second; 0 is no limit.
    """

    def __init__(
        self, share: float, *, patience: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._share = share
        self._patience = patience
        self._clock = clock
        # By user: the seconds that were used beyond the share, and when that was so.
        self._used: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._large, self._costly = asyncio.Lock(), asyncio.Lock()

    @asynccontextmanager
    async def turn(self, owner: str, size: int = 0) -> AsyncIterator[None]:
        """Work for a user in here, on `size` characters.

        Raises TooManyError after a wait of `patience` seconds.
        """
        lane = self._lane_of(owner, size)
        if lane is not None:
            try:
                async with asyncio.timeout(self._patience):
                    await lane.acquire()
            except TimeoutError as error:
                raise TooManyError(
                    "too much is asked of the database", hint="send less, and less often"
                ) from error
            try:
                async with self._counted(owner):
                    yield
            finally:
                lane.release()
        else:
            async with self._counted(owner):
                yield

    def is_costly(self, owner: str) -> bool:
        """Whether a user has used more than the share, and some more that everybody may."""
        return self._now(owner) > ALLOWANCE

    def _lane_of(self, owner: str, size: int) -> asyncio.Lock | None:
        if not self._share:
            return None
        if size > LARGE:
            return self._large
        return self._costly if self.is_costly(owner) else None

    def _now(self, owner: str) -> float:
        used, since = self._used.get(owner, (0.0, 0.0))
        return max(0.0, used - (self._clock() - since) * self._share)

    @asynccontextmanager
    async def _counted(self, owner: str) -> AsyncIterator[None]:
        begun = self._clock()
        try:
            yield
        finally:
            now = self._clock()
            self._used[owner] = (min(MOST_USED, self._now(owner) + now - begun), now)
            self._used.move_to_end(owner)
            if len(self._used) > KNOWN_USERS:
                self._used.popitem(last=False)
