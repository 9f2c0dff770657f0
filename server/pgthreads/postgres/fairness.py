"""Keeps users who cost the database much from slowing down everybody else."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, nullcontext

from ..errors import TooManyError

ALLOWANCE = 1.0
"""Seconds of the database's time that a user may use at once, in addition to the share."""

LARGE = 65_536
"""A request with more characters than this counts as costly, whoever sends it."""

MOST_REST = 2.0
"""The longest rest after a costly request, in seconds."""

MOST_USED = 5.0
"""How many seconds beyond the share are remembered, at most."""

KNOWN_USERS = 10_000
"""How many users are remembered; whoever has been silent for longest is forgotten first."""


class Lane:
    """Lets one caller in after the other, and rests after each for as long as it took."""

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
    """Lets costly requests wait for each other, so that other requests need not wait.

    Large requests use one connection, and requests of users who have used much of the database's
    time lately use another. Otherwise ten users with costly requests could hold all connections and
    all cores of the database. `share` is how many seconds of the database's time a user may use per
    second; 0 means no limit.
    """

    def __init__(
        self, share: float, *, patience: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._share = share
        self._clock = clock
        # For each user: the seconds used beyond the share, and at what time.
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
        """Whether a user has used more than the share and `ALLOWANCE`."""
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
