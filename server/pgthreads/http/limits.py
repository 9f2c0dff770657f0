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
from contextlib import asynccontextmanager, contextmanager, nullcontext

from ..errors import TooManyError

BURST_SECONDS = 4.0
"""A user who was silent may send the requests of so many seconds at once."""

KNOWN_USERS = 10_000
"""Of so many users it is known what they have sent; the one longest silent is forgotten first."""

ALLOWANCE = 1.0
"""Seconds of the database's time that a user may use at once, beyond the share."""

LARGE = 65_536
"""Characters above which a request is among the costly ones, whoever sends it."""

BODY_PATIENCE = 30.0
"""Seconds that a large body waits at most to be parsed."""

MOST_REST = 2.0
"""Seconds for which nothing costly follows on what was costly, at most."""

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
        self.bodies = Lane(BODY_PATIENCE)

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


class Lane:
    """One after the other, and as long as one took there is a rest behind it."""

    def __init__(self, patience: float) -> None:
        self._patience = patience
        self._lock = asyncio.Lock()

    @asynccontextmanager
    async def enter(self) -> AsyncIterator[None]:
        """Work in here. Raises TooManyError after a wait of `patience` seconds."""
        loop = asyncio.get_running_loop()
        try:
            async with asyncio.timeout(self._patience):
                await self._lock.acquire()
        except TimeoutError as error:
            raise TooManyError("too much is asked at once", hint="send less, or later") from error
        begun = loop.time()
        try:
            yield
        finally:
            loop.call_later(min(loop.time() - begun, MOST_REST), self._lock.release)


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
        self._clock = clock
        # By user: the seconds that were used beyond the share, and when that was so.
        self._used: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._large, self._costly = Lane(patience), Lane(patience)

    @asynccontextmanager
    async def turn(self, owner: str, size: int = 0) -> AsyncIterator[None]:
        """Work for a user in here, on `size` characters.

        Raises TooManyError after a wait of `patience` seconds.
        """
        lane = self._lane_of(owner, size)
        async with lane.enter() if lane else nullcontext(), self._counted(owner):
            yield

    def is_costly(self, owner: str) -> bool:
        """Whether a user has used more than the share, and some more that everybody may."""
        return self._now(owner) > ALLOWANCE

    def _lane_of(self, owner: str, size: int) -> Lane | None:
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
