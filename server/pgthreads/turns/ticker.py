"""What this process tells the database of its running turns, all of them in a statement a tick.

Heartbeats extend their leases. The journal gets what they have sent since the last tick, so that
other workers can follow them, and so that a partial answer is left if this process dies. Design:
docs/decisions/journal.md.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Protocol, TypeVar

from ..errors import PgThreadsError, UnavailableError
from ..postgres.rows import JournalPiece, TurnKey
from ..postgres.threads import Threads
from .stream import TurnStream

log = logging.getLogger(__name__)

KEPT_SECONDS = 5.0
"""How long the journal of an ended turn is kept for who still follows it."""

MOST_BYTES = 1024 * 1024
"""Of one turn in one tick; more waits for the next ones."""

MOST_TURNS = 100
"""Of one statement. It holds locks until its end, which is that of a turn in it, too."""

QUIET_SECONDS = 2.0
"""How long ticks leave out a turn that is about to end: one of the two would wait for the other."""

TROUBLED_SECONDS = 1.0
"""How long to leave a database alone that does not answer."""

SHARE = 0.2
"""Of the time, what ticks may take at most: with many turns they come more seldom."""

Asked = TypeVar("Asked")
Told = TypeVar("Told")


class Turn(Protocol):
    """A running turn, as the ticker sees it."""

    @property
    def key(self) -> TurnKey:
        """Which one it is."""

    @property
    def stream(self) -> TurnStream:
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
    quiet_until: float = 0.0


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
        self._sending: frozenset[_Entry] = frozenset()
        self._sent = asyncio.Event()

    def add(self, turn: Turn) -> None:
        """Look after a turn from now on."""
        now = _now()
        self._entries[turn] = _Entry(turn, now, now + self._heartbeat)

    def remove(self, turn: Turn) -> None:
        """The turn has ended, and nothing more of it goes into the journal."""
        entry = self._entries.pop(turn, None)
        if entry is not None and entry.begun:
            self._ended.append((_now() + KEPT_SECONDS, turn.key))

    async def last_piece(self, turn: Turn, end: bytes) -> JournalPiece | None:
        """Return what the journal lacks of a turn whose stream ends so; None if it has nothing.

        It belongs into the transaction that ends the turn, so that who follows reads all of the
        stream once the turn has ended, and its `finish` no sooner. Waits for a statement that
        has this turn in it, and keeps it out of the next ones for a while.
        """
        entry = self._entries.get(turn)
        if entry is None:
            return None
        entry.quiet_until = _now() + QUIET_SECONDS
        if entry in self._sending:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._sent.wait(), QUIET_SECONDS / 2)
        if not entry.begun or entry.refused:
            return None
        return JournalPiece(
            turn.key, entry.offset, (turn.stream.since(entry.offset) + end).decode()
        )

    async def run(self) -> None:
        """Tick until cancelled."""
        usual = min(self._interval, self._heartbeat) if self._interval else self._heartbeat / 2
        pause = usual
        while True:
            await asyncio.sleep(pause)
            begun = _now()
            try:
                await self._beat()
                if self._interval:
                    await self._write()
                await self._forget()
            except UnavailableError as error:
                log.warning("no heartbeat, no journal: %s %s", error, error.detail)
                pause = TROUBLED_SECONDS + usual
            except Exception:
                # Turns of all threads depend on this task.
                log.exception("a tick failed")
                pause = usual
            else:
                rest = (_now() - begun) * (1 / SHARE - 1)
                pause = max(usual, min(rest, self._heartbeat / 2))

    async def _beat(self) -> None:
        now = _now()
        for due in self._batches(lambda each: each.next_beat <= now):
            keys = [each.turn.key for each in due]
            for entry, state in await self._send(self._threads.extend_turns, due, keys):
                entry.next_beat = now + self._heartbeat
                if isinstance(state, PgThreadsError):
                    log.warning("%s: no heartbeat: %s %s", entry.turn.key, state, state.detail)
                else:
                    self._obey(entry, alive=state.alive, stop=state.stop_requested)

    async def _write(self) -> None:
        latest = _now() - self._interval

        def is_due(entry: _Entry) -> bool:
            has_news = entry.offset < len(entry.turn.stream)
            return has_news and entry.began <= latest and not entry.refused

        for due in self._batches(is_due):
            pieces = []
            for entry in due:
                entry.begun = True
                frames = entry.turn.stream.since(entry.offset, MOST_BYTES)
                pieces.append(JournalPiece(entry.turn.key, entry.offset, frames.decode()))
            for entry, state in await self._send(self._threads.write_journals, due, pieces):
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

    def _batches(self, is_due: Callable[[_Entry], bool]) -> Iterator[list[_Entry]]:
        """Yield the turns that are due by owner, so that the tenant changes as seldom as it can."""
        due = sorted(filter(is_due, self._entries.values()), key=lambda entry: entry.turn.key)
        for start in range(0, len(due), MOST_TURNS):
            now = _now()
            batch = due[start : start + MOST_TURNS]
            # Some may have ended, or be about to, since the batch before.
            yield [e for e in batch if e.quiet_until <= now and e.turn in self._entries]

    async def _send(
        self,
        call: Callable[[Sequence[Asked]], Awaitable[Sequence[Told]]],
        entries: Sequence[_Entry],
        rows: Sequence[Asked],
    ) -> Iterable[tuple[_Entry, Told | PgThreadsError]]:
        """Return what a call tells of each turn; see `one_by_one`."""
        self._sending = frozenset(entries)
        try:
            return zip(entries, await one_by_one(call, rows), strict=True)
        finally:
            self._sending = frozenset()
            self._sent.set()
            self._sent.clear()


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
