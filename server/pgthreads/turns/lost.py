"""Ends the turns of workers that are gone, for the owners whose clients look at their threads.

Otherwise such a turn ends with the next message of its thread, or when an operator reaps turns, and
until then what there is of its answer is not in the thread.
"""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Collection, Sequence

from ..errors import PgThreadsError, UnavailableError
from ..postgres.threads import Threads
from .ticker import one_by_one

log = logging.getLogger(__name__)

GRACE_BEATS = 2
"""Heartbeats that a worker may miss after its lease has ended.

A turn whose worker was cut off together with the database should not be lost when both are back.
"""


class LostTurns:
    """Looks for lost turns about once a heartbeat, in one statement, while anybody looks."""

    def __init__(
        self, threads: Threads, owners: Callable[[], Collection[str]], *, heartbeat: float
    ) -> None:
        self._threads = threads
        self._owners = owners
        self._heartbeat = heartbeat
        self._looking: dict[str, float] = {}

    async def run(self) -> None:
        """Look until cancelled."""
        while True:
            # Not all workers at once.
            await asyncio.sleep(self._heartbeat * random.uniform(0.75, 1.25))  # noqa: S311
            try:
                await self._look(asyncio.get_running_loop().time())
            except UnavailableError as error:
                # The other workers get time to extend their leases.
                self._looking.clear()
                log.warning("lost turns cannot be ended: %s %s", error, error.detail)
            except Exception:
                log.exception("lost turns could not be ended")

    async def _look(self, now: float) -> None:
        grace = GRACE_BEATS * self._heartbeat
        self._looking = {each: self._looking.get(each, now) for each in self._owners()}
        due = sorted(each for each, since in self._looking.items() if since <= now - grace)

        async def end(owners: Sequence[str]) -> list[int]:
            return await self._threads.end_lost_turns(owners, grace)

        for owner, ended in zip(due, await one_by_one(end, due), strict=True):
            if isinstance(ended, PgThreadsError):
                log.warning("lost turns of %s are not ended: %s %s", owner, ended, ended.detail)
            elif ended:
                log.warning("ended %s turns of %s whose workers are gone", ended, owner)
