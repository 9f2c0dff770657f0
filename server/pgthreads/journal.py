"""What this process tells the database of its running turns, all of them in a statement a tick.

Heartbeats extend their leases. The journal gets what they have sent since the last tick, so that
other workers can follow them, and so that a partial answer is left if this process dies. Design:
docs/decisions/journal.md.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from .errors import PgThreadsError, UnavailableError
from .rows import JournalPiece, TurnKey
from .threads import Threads
from .turn_log import TurnLog

log = logging.getLogger(__name__)

KEPT_SECONDS = 5.0
"""How long the journal of an ended turn is kept for who still follows it."""

MOST_BYTES = 1024 * 1024
"""Of one turn in one tick; more waits for the next ones."""

TROUBLED_SECONDS = 1.0
"""How long to leave a database alone that does not answer."""

Asked = TypeVar("Asked")
Told = TypeVar("Told")


class Turn(Protocol):
    """A running turn, as the ticker sees it."""

    @property
    def key(self) -> TurnKey:
        """Which one it is."""

    @property
    def log(self) -> TurnLog:
        """What it has sent."""

    def stop(self, code: str | None = None) -> None:
        """End it: somebody asked for that, or it is lost."""


@dataclass(eq=False, slots=True)
class _Entry:
    turn: Turn
    began: float
    next_beat: float
    begun: bool = False
    """Whether the journal may have anything of this turn."""
    refused: bool = False
    offset: int = 0
    """Where its journal ends, as far as is known."""


class Ticker:
    """The heartbeats and the journal of this process's turns.

    With an `interval` of 0 there is no journal. A turn that is shorter than the interval is never
    in it, so it costs short turns nothing.
    """

    def __init__(self, threads: Threads, *, heartbeat: float, interval: float) -> None:
        self._threads = threads
        self._heartbeat = heartbeat
        self._interval = interval
        self._entries: dict[Turn, _Entry] = {}
        self._ended: list[tuple[float, TurnKey]] = []

    def add(self, turn: Turn) -> None:
        """Look after a turn from now on."""
        now = _now()
        self._entries[turn] = _Entry(turn, now, now + self._heartbeat)

    def remove(self, turn: Turn) -> None:
        """The turn has ended, and nothing more of it goes into the journal."""
        entry = self._entries.pop(turn, None)
        if entry is not None and entry.begun:
            self._ended.append((_now() + KEPT_SECONDS, turn.key))

    def last_piece(self, turn: Turn, end: bytes) -> JournalPiece | None:
        """Return what the journal lacks of a turn whose stream ends so; None if it has nothing.

        It belongs into the transaction that ends the turn, so that who follows reads all of the
        stream once the turn has ended, and its `finish` no sooner.
        """
        entry = self._entries.get(turn)
        if entry is None or not entry.begun or entry.refused:
            return None
        return JournalPiece(turn.key, entry.offset, (turn.log.since(entry.offset) + end).decode())

    async def run(self) -> None:
        """Tick until cancelled."""
        pause = min(self._interval, self._heartbeat) if self._interval else self._heartbeat / 2
        while True:
            await asyncio.sleep(pause)
            try:
                await self._beat()
                if self._interval:
                    await self._write()
                await self._forget()
            except UnavailableError as error:
                log.warning("no heartbeat, no journal: %s %s", error, error.detail)
                await asyncio.sleep(TROUBLED_SECONDS)
            except Exception:
                # Turns of all threads depend on this task.
                log.exception("a tick failed")

    async def _beat(self) -> None:
        now = _now()
        due = self._sorted(each for each in self._entries.values() if each.next_beat <= now)
        keys = [each.turn.key for each in due]
        for entry, state in zip(
            due, await one_by_one(self._threads.extend_turns, keys), strict=True
        ):
            entry.next_beat = now + self._heartbeat
            if isinstance(state, PgThreadsError):
                log.warning("%s: no heartbeat: %s %s", entry.turn.key, state, state.detail)
            else:
                self._obey(entry, alive=state.alive, stop=state.stop_requested)

    async def _write(self) -> None:
        now = _now()
        due = self._sorted(
            each
            for each in self._entries.values()
            if each.offset < len(each.turn.log)
            and each.began + self._interval <= now
            and not each.refused
        )
        pieces = []
        for entry in due:
            entry.begun = True
            frames = entry.turn.log.since(entry.offset, MOST_BYTES)
            pieces.append(JournalPiece(entry.turn.key, entry.offset, frames.decode()))
        states = await one_by_one(self._threads.write_journals, pieces)
        for entry, state in zip(due, states, strict=True):
            if isinstance(state, PgThreadsError):
                log.warning("%s: no journal: %s %s", entry.turn.key, state, state.detail)
                entry.refused = True
            else:
                # It may be behind: a crash of the database empties the journal.
                entry.offset = state.end_offset
                self._obey(entry, alive=state.alive, stop=state.stop_requested)

    async def _forget(self) -> None:
        now = _now()
        due = sorted(key for at, key in self._ended if at <= now)
        self._ended = [each for each in self._ended if each[0] > now]
        # If this fails, the next turn of the thread deletes it, or reap_turns.
        await one_by_one(self._threads.forget_journals, due)

    def _obey(self, entry: _Entry, *, alive: bool, stop: bool) -> None:
        if self._entries.get(entry.turn) is not entry:
            return
        if not alive:
            entry.turn.stop("turn_lost")
        elif stop:
            entry.turn.stop()

    @staticmethod
    def _sorted(entries: Iterable[_Entry]) -> list[_Entry]:
        """By owner, so that the tenant changes as seldom as it can."""
        return sorted(entries, key=lambda entry: entry.turn.key)


async def one_by_one(
    call: Callable[[Sequence[Asked]], Awaitable[Sequence[Told]]], rows: Sequence[Asked]
) -> Sequence[Told | PgThreadsError]:
    """Return what a call tells of each row, or why that row is refused.

    All in one call, and each alone if that is refused, so that one row does not stop the others.
    Raises UnavailableError.
    """
    if not rows:
        return []
    try:
        return await call(rows)
    except UnavailableError:
        raise
    except PgThreadsError as error:
        if len(rows) == 1:
            return [error]
    told: list[Told | PgThreadsError] = []
    for row in rows:
        told += await one_by_one(call, [row])
    return told


def _now() -> float:
    return asyncio.get_running_loop().time()
