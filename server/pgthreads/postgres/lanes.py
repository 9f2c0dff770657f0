"""Limits how many calls of one thread hold a connection at the same time.

Calls that write to a thread queue up behind its lock in the database anyway. If somebody holds that
lock for long, the waiting calls would otherwise take every connection of the pool, and none would
be left for other threads and other people.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from ..errors import ThreadLockedError

Thread = tuple[str, str]
"""A thread's owner and state key."""

WIDTH = 2
"""One call has the thread's lock, and another waits for it. More would not be faster."""


class Lanes:
    """A queue for each thread that is being called at the moment, and none for any other."""

    def __init__(self, width: int = WIDTH, seconds: float = 5.0) -> None:
        self._width = width
        self._seconds = seconds
        self._lanes: dict[Thread, tuple[asyncio.Semaphore, int]] = {}

    def __len__(self) -> int:
        return len(self._lanes)

    @asynccontextmanager
    async def enter(self, thread: Thread) -> AsyncIterator[None]:
        """Wait for a place in the thread's lane. Raises ThreadLockedError after `seconds`."""
        lane, users = self._lanes.get(thread, (asyncio.Semaphore(self._width), 0))
        self._lanes[thread] = lane, users + 1
        try:
            try:
                async with asyncio.timeout(self._seconds):
                    await lane.acquire()
            except TimeoutError as error:
                raise ThreadLockedError(
                    "too many calls wait for this thread", detail=f"thread {thread[1]}"
                ) from error
            try:
                yield
            finally:
                lane.release()
        finally:
            _, users = self._lanes[thread]
            if users == 1:
                del self._lanes[thread]
            else:
                self._lanes[thread] = lane, users - 1
