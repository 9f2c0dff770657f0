"""Tells the database of all running turns of this worker, in one statement for each tick.

Heartbeats extend the leases of the turns. The journal gets what they have sent since the last tick,
so that other workers can follow them, and so that a partial answer remains if this worker dies.
docs/decisions/journal.md describes the design.
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
"""How long the journal of an ended turn is kept for clients that still follow the turn."""

MOST_BYTES = 1024 * 1024
"""Bytes of one turn in one tick. The rest waits for the next ticks."""

MOST_TURNS = 100
"""Turns per statement. Its locks last until it ends, so a turn that wants to finish waits for the
batch."""

QUIET_SECONDS = 2.0
"""How long ticks leave out a turn that is about to end: one of the two would wait for the other's
lock."""

TROUBLED_SECONDS = 1.0
"""How long to wait after the database did not answer."""

SHARE = 0.2
"""The largest part of the time that ticks may take. With many turns there are fewer ticks."""

Asked = TypeVar("Asked")
Told = TypeVar("Told")


class Turn(Protocol):
    """A running turn, as the ticker sees it."""

    @property
    def key(self) -> TurnKey:
        """Which turn it is."""

    @property
    def stream(self) -> TurnStream:
        """What it has sent."""

    def stop(self, code: str | None = None) -> None:
        """End the turn, because somebody asked for that or because its lease is lost."""


@dataclass(eq=False, slots=True)
class _Entry:
    turn: Turn
    began: float
    next_beat: float
    begun: bool = False
    """Whether the journal may have anything of this turn."""
    refused: bool = False
    offset: int = 0
    """Where its journal ends, as far as this worker knows."""
    quiet_until: float = 0.0


class Ticker:
    """The heartbeats and the journal of this worker's turns.

    With an `interval` of 0 there is no journal. A turn that is shorter than the interval is never
    written to the journal, so short turns cost nothing.
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
        """Send heartbeats for a turn and write its journal from now on."""
        now = _now()
        self._entries[turn] = _Entry(turn, now, now + self._heartbeat)

    def remove(self, turn: Turn) -> None:
        """Leave a turn alone that has ended, and delete its journal after `KEPT_SECONDS`."""
        entry = self._entries.pop(turn, None)
        if entry is not None and entry.begun:
            self._ended.append((_now() + KEPT_SECONDS, turn.key))

    async def last_piece(self, turn: Turn, end: bytes) -> JournalPiece | None:
        """Return what the journal lacks of a turn whose stream ends with `end`.

        It returns None if the journal has nothing of the turn. The piece belongs into the
        transaction that ends the turn: then followers can read the whole stream once the turn has
        ended, and its `finish` not before that. If a statement with this turn is under way, this
        waits for it, and it keeps the turn out of the next ones for a while.
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
                log.warning(
                    "neither heartbeats nor the journal could be written: %s %s",
                    error,
                    error.detail,
                )
                pause = TROUBLED_SECONDS + usual
            except Exception:
                # The turns of all threads depend on this task, so it goes on.
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
                    log.warning(
                        "%s: its lease cannot be extended: %s %s",
                        entry.turn.key,
                        state,
                        state.detail,
                    )
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
                    log.warning(
                        "%s: its journal cannot be written: %s %s",
                        entry.turn.key,
                        state,
                        state.detail,
                    )
                    entry.refused = True
                else:
                    # It may be less than before: a crash of the database empties the journal.
                    entry.offset = state.end_offset
                    self._obey(entry, alive=state.alive, stop=state.stop_requested)

    async def _forget(self) -> None:
        now = _now()
        due = sorted(key for at, key in self._ended if at <= now)
        self._ended = [each for each in self._ended if each[0] > now]
        # If this fails, the thread's next turn or reap_turns deletes the journal.
        await one_by_one(self._threads.forget_journals, due)

    def _obey(self, entry: _Entry, *, alive: bool, stop: bool) -> None:
        if self._entries.get(entry.turn) is not entry:
            return
        if not alive:
            entry.turn.stop("turn_lost")
        elif stop:
            entry.turn.stop()

    def _batches(self, is_due: Callable[[_Entry], bool]) -> Iterator[list[_Entry]]:
        """Yield the turns that are due, ordered by owner, so that the tenant changes rarely."""
        due = sorted(filter(is_due, self._entries.values()), key=lambda entry: entry.turn.key)
        for start in range(0, len(due), MOST_TURNS):
            now = _now()
            batch = due[start : start + MOST_TURNS]
            # Since the last batch, some may have ended, or may be about to end.
            yield [e for e in batch if e.quiet_until <= now and e.turn in self._entries]

    async def _send(
        self,
        call: Callable[[Sequence[Asked]], Awaitable[Sequence[Told]]],
        entries: Sequence[_Entry],
        rows: Sequence[Asked],
    ) -> Iterable[tuple[_Entry, Told | PgThreadsError]]:
        """Return what a call says about each turn; see `one_by_one`."""
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
    """Return what a call says about each row, or why the row is refused.

    All rows are sent in one call. If that is refused, each row is sent alone, so that one does not
    stop the others. Raises UnavailableError.
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
