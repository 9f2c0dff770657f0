"""Turns that run in other workers, for clients that came to this one: read from the journal.

However many clients and turns there are, it is one statement a tick, and none while nobody reads.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

from ..errors import PgThreadsError, UnavailableError
from ..message.wire import DONE, error_frames, finish_frames, replay
from ..postgres.nesting import loads
from ..postgres.rows import JournalRead, TurnKey
from ..postgres.threads import Threads
from .stream import TurnLog
from .ticker import TROUBLED_SECONDS, one_by_one

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Ending:
    """How a followed turn ended: its status, as in the table `turn`, and its stored answer."""

    status: str
    error_code: str | None = None
    answer: bytes | None = None


class Followed:
    """A turn of another worker. Its `log` has the bytes that its own clients get."""

    def __init__(self, key: TurnKey) -> None:
        self.key = key
        self.log = TurnLog()
        self.ended: asyncio.Future[Ending] = asyncio.get_running_loop().create_future()
        self.readers = 0

    def take(self, read: JournalRead | PgThreadsError | None) -> None:
        """Add what a poll brought; None is a turn that is gone."""
        if self.ended.done():
            return
        if isinstance(read, PgThreadsError):
            log.warning("%s cannot be followed: %s %s", self.key, read, read.detail)
            read = None
        if read is None:
            self.end(Ending("abandoned"))
        elif read.frames:
            self.log.write(read.frames.encode())
        elif read.status != "running":
            self.end(Ending(read.status, read.error_code, read.answer))

    def end(self, ending: Ending) -> None:
        """Say to the readers what they have not read yet: the answer, or why there is no more."""
        if not self.log.ends_with(DONE):
            self.log.write(self._last_frames(ending))
        self.log.close()
        self.ended.set_result(ending)

    def _last_frames(self, ending: Ending) -> bytes:
        if ending.status == "failed":
            return error_frames(f"The answer failed: {ending.error_code}.")
        if ending.status == "abandoned":
            return error_frames("The answer broke off. What there is of it is in the thread.")
        if len(self.log):
            # What was sent last, in the moment of the end, was deleted before it was read here.
            return error_frames("The connection to the answer broke off. It is in the thread.")
        return replay(loads(ending.answer)) if ending.answer else finish_frames("stop")


class Followers:
    """The turns that are followed; none with an `interval` of 0, for then there is no journal."""

    def __init__(self, threads: Threads, *, interval: float) -> None:
        self.enabled = interval > 0
        self._threads = threads
        self._interval = interval
        self._followed: dict[TurnKey, Followed] = {}
        self._wanted = asyncio.Event()

    async def find(self, owner_user_id: str, state_key: str) -> TurnKey | None:
        """Return the turn that runs on a thread, in whichever worker; None if it is not known."""
        if not self.enabled:
            return None
        read = await self._threads.read_journal(owner_user_id, state_key)
        return None if read is None else TurnKey(owner_user_id, state_key, read.turn_id)

    @asynccontextmanager
    async def follow(self, key: TurnKey) -> AsyncIterator[Followed]:
        """Follow a turn for as long as somebody is in here."""
        followed = self._followed.setdefault(key, Followed(key))
        followed.readers += 1
        self._wanted.set()
        try:
            yield followed
        finally:
            followed.readers -= 1
            if not followed.readers and self._followed.get(key) is followed:
                del self._followed[key]

    def close(self) -> None:
        """This process ends: send the readers to another one."""
        for followed in self._followed.values():
            if not followed.ended.done():
                followed.log.write(error_frames("This server is shutting down: resume the stream."))
                followed.end(Ending("abandoned"))

    async def run(self) -> None:
        """Poll until cancelled."""
        while True:
            self._wanted.clear()
            try:
                await self._poll()
            except UnavailableError as error:
                log.warning("turns cannot be followed: %s %s", error, error.detail)
                await asyncio.sleep(TROUBLED_SECONDS)
            except Exception:
                log.exception("turns could not be followed")
            if not self._followed:
                await self._wanted.wait()
            else:
                # At once for somebody new.
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._wanted.wait(), self._interval)

    async def _poll(self) -> None:
        due = [self._followed[key] for key in sorted(self._followed)]
        due = [each for each in due if not each.ended.done()]
        asked = [(each.key, len(each.log)) for each in due]
        for followed, read in zip(
            due, await one_by_one(self._threads.read_journals, asked), strict=True
        ):
            followed.take(read)
