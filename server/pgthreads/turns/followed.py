"""Reads from the journal the turns of other workers that clients of this one follow.

That takes one statement for each tick, however many clients and turns there are, and none while
nobody reads.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from ..errors import PgThreadsError, UnavailableError
from ..events import UIMessage
from ..message.wire import DONE, error_frames, finish_frames, replay, rest, shown_of
from ..postgres.nesting import loads
from ..postgres.rows import JournalRead, TurnKey
from ..postgres.threads import Threads
from .ticker import TROUBLED_SECONDS, one_by_one
from .turn import Ending, LiveTurn

log = logging.getLogger(__name__)


class Followed(LiveTurn):
    """A turn of another worker. Its `stream` has the bytes that its own clients get.

    `added` is called when the first client begins to read it, and `removed` when the last one has
    left.
    """

    def __init__(
        self,
        key: TurnKey,
        added: Callable[[Followed], None],
        removed: Callable[[Followed], None],
        begun: UIMessage | None = None,
        *,
        patience: float = 0.0,
    ) -> None:
        super().__init__(key, asyncio.get_running_loop().create_future(), begun)
        self._patience = patience
        self._lost_since: float | None = None
        self._added = added
        self._removed = removed
        self._readers = 0

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Follow the turn for as long as somebody is in here."""
        self._readers += 1
        if self._readers == 1:
            self._added(self)
        try:
            yield
        finally:
            self._readers -= 1
            if not self._readers:
                self._removed(self)

    def take(self, read: JournalRead | PgThreadsError | None) -> None:
        """Add what a poll has read, or end the turn: None says that it is gone."""
        if self.ended.done():
            return
        if isinstance(read, PgThreadsError):
            log.warning("%s cannot be followed: %s %s", self.key, read, read.detail)
            read = None
        if read is None:
            self.end(Ending(status="abandoned"))
        elif read.frames:
            self.stream.write(read.frames.encode())
        elif self._may_change(read):
            # Its lease has ended. Its worker comes back, or somebody ends it and stores the rest.
            pass
        elif read.status != "running":
            self.end(Ending(status=read.status, code=read.error_code, stored=read.answer))

    def _may_change(self, read: JournalRead) -> bool:
        if read.status != "abandoned" or read.answer is not None:
            self._lost_since = None
            return False
        now = asyncio.get_running_loop().time()
        if self._lost_since is None:
            self._lost_since = now
        return now < self._lost_since + self._patience

    def end(self, ending: Ending) -> None:
        """Send the readers what they have not read yet: the answer, or why there is no more."""
        if not self.stream.ends_with(DONE):
            self.stream.write(self._last_frames(ending))
        self.stream.close()
        self.ended.set_result(ending)

    def _last_frames(self, ending: Ending) -> bytes:
        if ending.status == "failed":
            return error_frames(f"The answer failed: {ending.code}.")
        if ending.status == "abandoned":
            return error_frames("The answer broke off. What there is of it is in the thread.")
        if len(self.stream):
            # The last frames were deleted from the journal before they were read here.
            return error_frames("The connection to the answer broke off. It is in the thread.")
        if ending.stored is None:
            return finish_frames("stop")
        message = loads(ending.stored)
        return replay(message) if self.begun is None else rest(message, shown_of(self.begun))


class FollowedTurns:
    """The turns that are followed.

    With an `interval` of 0 there are none, because then there is no journal. A turn whose lease has
    ended is followed for `patience` seconds more: until then it should have been ended.
    """

    def __init__(self, threads: Threads, *, interval: float, patience: float = 0.0) -> None:
        self.enabled = interval > 0
        self._threads = threads
        self._interval = interval
        self._patience = patience
        # Compared by identity: two clients that come at once may each get an object for one turn.
        self._followed: set[Followed] = set()
        self._wanted = asyncio.Event()

    @property
    def owners(self) -> set[str]:
        """The owners of these turns."""
        return {each.key.owner_user_id for each in self._followed}

    async def find(self, owner_user_id: str, state_key: str) -> Followed | None:
        """Return the turn that runs on a thread, in whichever worker, or None if none is known."""
        if not self.enabled:
            return None
        read = await self._threads.read_running_turn(owner_user_id, state_key)
        if read is None:
            return None
        key = TurnKey(owner_user_id, state_key, read.turn_id)
        return self.turn(key, None if read.begun is None else loads(read.begun))

    async def begun_of(self, key: TurnKey) -> UIMessage | None:
        """Return the open answer that a running turn goes on with, or None."""
        found = await self.find(key.owner_user_id, key.state_key)
        return None if found is None or found.key != key else found.begun

    def turn(self, key: TurnKey, begun: UIMessage | None = None) -> Followed:
        """Return a turn of another worker; it is followed for as long as a client reads it.

        `begun` is the open answer that it goes on with.
        """
        known = next((each for each in self._followed if each.key == key), None)
        return known or Followed(key, self._add, self._remove, begun, patience=self._patience)

    def _add(self, followed: Followed) -> None:
        self._followed.add(followed)
        self._wanted.set()

    def _remove(self, followed: Followed) -> None:
        self._followed.discard(followed)

    def close(self) -> None:
        """Send the readers to another worker, because this one ends."""
        for followed in self._followed:
            if not followed.ended.done():
                followed.stream.write(
                    error_frames("This server is shutting down: resume the stream.")
                )
                followed.end(Ending(status="abandoned"))

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
                # A new reader is served at once.
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._wanted.wait(), self._interval)

    async def _poll(self) -> None:
        due = sorted(self._followed, key=lambda each: each.key)
        due = [each for each in due if not each.ended.done()]
        asked = [(each.key, len(each.stream)) for each in due]
        for followed, read in zip(
            due, await one_by_one(self._threads.read_journals, asked), strict=True
        ):
            followed.take(read)
