"""The turns that run in this worker, and what happens to them when it shuts down."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from ..errors import BusyError, ShuttingDownError
from .pump import EXECUTOR_GRACE, Pump
from .turn import Ending

Begun = TypeVar("Begun")


class RunningTurns:
    """The turns that run in this worker."""

    def __init__(
        self,
        on_start: Callable[[], None] = lambda: None,
        on_end: Callable[[Ending | None], None] = lambda _: None,
    ) -> None:
        self.draining = False
        self._on_start = on_start
        self._on_end = on_end
        self._latest: dict[tuple[str, str], Pump] = {}
        # This includes turns that have lost their thread to a later one, and still store an answer.
        self._running: set[Pump] = set()
        self._beginning: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        return len(self._running)

    def beginning(self, begin: Coroutine[Any, Any, Begun]) -> asyncio.Task[Begun]:
        """Run what begins a turn as a task that `drain` waits for, even if the client leaves.

        Raises ShuttingDownError while draining: the turn would start in a process that ends.
        """
        try:
            self.require_open()
        except ShuttingDownError:
            begin.close()
            raise
        task = asyncio.create_task(begin)
        self._beginning.add(task)
        task.add_done_callback(self._beginning.discard)
        return task

    def require_open(self) -> None:
        """Raise ShuttingDownError while draining."""
        if self.draining:
            raise ShuttingDownError(hint="send the message again, with the same id")

    def require_room(self, owner_user_id: str, state_key: str, most: int) -> None:
        """Raise BusyError if `most` turns run or begin here; 0 means no limit.

        A message for a thread whose turn runs here is let through, because it may be asking for
        that turn.
        """
        if most and len(self._running) + len(self._beginning) >= most:
            if (owner_user_id, state_key) in self._latest:
                return
            raise BusyError(hint="send the message again, with the same id")

    def add(self, pump: Pump) -> None:
        """Add a turn that has just begun to run. It is removed when it has ended."""
        thread = (pump.key.owner_user_id, pump.key.state_key)
        if thread in self._latest:
            # The database has begun another turn, so the lease of this one is over.
            self._latest[thread].stop("turn_lost")
        self._latest[thread] = pump
        self._running.add(pump)
        self._on_start()

        def ended(task: asyncio.Future[Ending]) -> None:
            self._running.remove(pump)
            if self._latest.get(thread) is pump:
                del self._latest[thread]
            broke_off = task.cancelled() or task.exception() is not None
            self._on_end(None if broke_off else task.result())

        pump.ended.add_done_callback(ended)

    def get(self, owner_user_id: str, state_key: str) -> Pump | None:
        """Return the running turn of a thread, or the latest one if there are two."""
        return self._latest.get((owner_user_id, state_key))

    async def drain(self, seconds: float) -> None:
        """Take no new turns. Let the running ones finish; after `seconds`, store what they have."""
        self.draining = True
        clock = asyncio.get_running_loop().time
        until = clock() + seconds
        if self._beginning:
            # Messages that wait for another turn to end give up by themselves.
            await asyncio.wait(self._beginning, timeout=max(seconds, EXECUTOR_GRACE))
        if await self._ended_within(max(until - clock(), 0)):
            return
        for pump in list(self._running):
            pump.stop("shutting_down")
        if await self._ended_within(2 * EXECUTOR_GRACE):
            return
        for pump in list(self._running):
            pump.give_up()
        await self._ended_within(EXECUTOR_GRACE)

    async def _ended_within(self, seconds: float) -> bool:
        if self._running:
            await asyncio.wait([pump.ended for pump in self._running], timeout=seconds)
        return not self._running
