"""The turns that run in this process, and what happens to them at its end."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from ..errors import BusyError, ShuttingDownError
from .pump import EXECUTOR_GRACE, Outcome, Pump

Begun = TypeVar("Begun")


class Pumps:
    """The turns that run in this process."""

    def __init__(
        self,
        on_start: Callable[[], None] = lambda: None,
        on_end: Callable[[Outcome | None], None] = lambda _: None,
    ) -> None:
        self.draining = False
        self._on_start = on_start
        self._on_end = on_end
        self._latest: dict[tuple[str, str], tuple[Pump, asyncio.Task[Outcome]]] = {}
        # Also those that have lost their thread to a later one, and have an answer to keep.
        self._running: dict[asyncio.Task[Outcome], Pump] = {}
        self._beginning: set[asyncio.Task[Any]] = set()

    def __len__(self) -> int:
        return len(self._running)

    def beginning(self, begin: Coroutine[Any, Any, Begun]) -> asyncio.Task[Begun]:
        """Run what begins a turn as a task that `drain` waits for, and nobody's leaving cancels.

        Raises ShuttingDownError once draining: the turn would start in a process that ends.
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
        """Raises ShuttingDownError once draining."""
        if self.draining:
            raise ShuttingDownError(hint="send the message again, with the same id")

    def require_room(self, owner_user_id: str, state_key: str, most: int) -> None:
        """Raises BusyError if `most` turns run or begin here; 0 is no limit.

        A thread whose turn runs here may be asked about: that turn may be what is wanted.
        """
        if most and len(self._running) + len(self._beginning) >= most:
            if (owner_user_id, state_key) in self._latest:
                return
            raise BusyError(hint="send the message again, with the same id")

    def start(self, pump: Pump) -> asyncio.Task[Outcome]:
        """Run a pump as a task of its own, which nobody's leaving cancels."""
        key = (pump.request.owner_user_id, pump.request.state_key)
        if key in self._latest:
            # The database has begun another turn, so the lease of this one is over.
            self._latest[key][0].stop("turn_lost")
        task = asyncio.create_task(pump.run(), name=f"turn {pump.request.turn_id}")
        self._latest[key] = (pump, task)
        self._running[task] = pump
        self._on_start()

        def ended(_: asyncio.Task[Outcome]) -> None:
            del self._running[task]
            if self._latest.get(key) == (pump, task):
                del self._latest[key]
            broke_off = task.cancelled() or task.exception() is not None
            self._on_end(None if broke_off else task.result())

        task.add_done_callback(ended)
        return task

    def get(self, owner_user_id: str, state_key: str) -> tuple[Pump, asyncio.Task[Outcome]] | None:
        """Return the running pump of a thread and its task; the latest, if there are two."""
        return self._latest.get((owner_user_id, state_key))

    async def drain(self, seconds: float) -> None:
        """Take no new turns; give running ones some time, then store what they have."""
        self.draining = True
        clock = asyncio.get_running_loop().time
        until = clock() + seconds
        if self._beginning:
            # Those that wait for their turn give up by themselves.
            await asyncio.wait(self._beginning, timeout=max(seconds, EXECUTOR_GRACE))
        if await self._ended_within(max(until - clock(), 0)):
            return
        for pump in list(self._running.values()):
            pump.stop("shutting_down")
        if await self._ended_within(2 * EXECUTOR_GRACE):
            return
        for pump in list(self._running.values()):
            pump.give_up()
        await self._ended_within(EXECUTOR_GRACE)

    async def _ended_within(self, seconds: float) -> bool:
        if self._running:
            await asyncio.wait(list(self._running), timeout=seconds)
        return not self._running
