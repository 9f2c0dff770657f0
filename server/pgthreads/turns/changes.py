"""Tells clients which threads of their owner change, in whichever worker that happens.

That takes one statement for each tick, however many clients there are, and none while nobody
listens. docs/decisions/live.md describes the design.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field

from ..errors import PgThreadsError, UnavailableError
from ..postgres.rows import ThreadChange, ThreadChanges
from ..postgres.threads import Threads
from .ticker import TROUBLED_SECONDS, one_by_one

log = logging.getLogger(__name__)

INTERVAL = 0.5
"""Seconds between two ticks."""

SHARE = 0.5
"""The largest part of the time that ticks may take. With many clients there are fewer ticks."""

RELOAD_SECONDS = 5.0
"""How often an owner is told to list the threads again, at most."""

MOST_WAITING = 64 * 1024
"""Bytes of changes that wait for a slow client, about. More of them are one `RELOAD`."""

_ROW_BYTES = 200
"""What a change takes without its title and its key."""

READY = ThreadChange(None, *(None,) * 9, version="ready")
"""Says that the client is told of all changes from now on."""

RELOAD = ThreadChange(None, *(None,) * 9, version="all")
"""Says that the client has to list its threads again."""


class Listener:
    """One client. `cursor` is up to where it knows the changes; None for from now on."""

    def __init__(self, owner_user_id: str, cursor: str | None) -> None:
        self.owner_user_id = owner_user_id
        self.cursor = cursor
        self.closed = False
        self._is_welcome = False
        self._has_to_reload = False
        # The latest state of each thread that it has not been told yet.
        self._waiting: dict[str | None, ThreadChange] = {}
        self._bytes = 0
        self._news = asyncio.Event()

    def welcome(self, changes: ThreadChanges) -> None:
        """Give it what it has missed, and tell it that it will be told of everything else."""
        knew, self._is_welcome = self.cursor, True
        self.put(changes.threads if knew is not None else (), changes.cursor)
        self._news.set()

    def put(self, changes: Iterable[ThreadChange], cursor: str) -> None:
        """Give it changes, all that there were up to the cursor."""
        self.cursor = cursor
        for change in changes:
            if change.state_key is None or self._bytes > MOST_WAITING:
                self._has_to_reload = True
                self._waiting.clear()
            if self._has_to_reload:
                # It will list its threads, and sees the rest there.
                break
            older = self._waiting.pop(change.state_key, None)
            self._waiting[change.state_key] = change
            self._bytes += _size(change) - (0 if older is None else _size(older))
        if self._waiting or self._has_to_reload:
            self._news.set()

    def close(self) -> None:
        """Send the client to another worker."""
        self.closed = True
        self._news.set()

    async def read(self, idle: float) -> AsyncGenerator[list[ThreadChange], None]:
        """Yield what is new, and an empty list whenever nothing came for `idle` seconds."""
        while not self.closed:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), idle)
            self._news.clear()
            changes = [READY] if self._is_welcome else []
            changes += [RELOAD] if self._has_to_reload else self._waiting.values()
            self._is_welcome = self._has_to_reload = False
            self._waiting.clear()
            self._bytes = 0
            if not self.closed:
                yield changes


@dataclass(eq=False, slots=True)
class _Owner:
    """The listeners of one owner who know the changes up to `cursor`, or more."""

    cursor: str
    listeners: set[Listener] = field(default_factory=set)
    versions: dict[str | None, str] = field(default_factory=dict)
    """Which changes after the cursor's horizon they know; those may be returned again."""
    is_behind: bool = False
    next_reload: float = 0.0


class Changes:
    """The clients of this worker who listen for changes."""

    def __init__(self, threads: Threads, *, interval: float = INTERVAL) -> None:
        self._threads = threads
        self._interval = interval
        self._owners: dict[str, _Owner] = {}
        self._newcomers: set[Listener] = set()
        self._wanted = asyncio.Event()
        self._cursor: str | None = None

    @property
    def owners(self) -> set[str]:
        """The owners for whom somebody listens."""
        return set(self._owners)

    @contextmanager
    def listening(self, owner_user_id: str, cursor: str | None) -> Iterator[Listener]:
        """Tell a client of changes while it is in here: of those since a cursor, or from now on."""
        listener = Listener(owner_user_id, cursor)
        self._newcomers.add(listener)
        self._wanted.set()
        try:
            yield listener
        finally:
            self._newcomers.discard(listener)
            owner = self._owners.get(owner_user_id)
            if owner is not None:
                owner.listeners.discard(listener)
                if not owner.listeners:
                    del self._owners[owner_user_id]

    def close(self) -> None:
        """Send all clients to another worker, because this one ends."""
        for owner in self._owners.values():
            for listener in owner.listeners:
                listener.close()
        for listener in self._newcomers:
            listener.close()

    async def run(self) -> None:
        """Tick until cancelled."""
        loop = asyncio.get_running_loop()
        due = 0.0
        while True:
            self._wanted.clear()
            begun = loop.time()
            pause = self._interval
            try:
                if self._newcomers:
                    await self._welcome()
                if self._owners and loop.time() >= due:
                    begun = loop.time()
                    await self._tick(begun)
                    pause = max(pause, (loop.time() - begun) * (1 / SHARE - 1))
                    due = loop.time() + pause
            except UnavailableError as error:
                log.warning("changes cannot be read: %s %s", error, error.detail)
                await asyncio.sleep(TROUBLED_SECONDS)
            except Exception:
                log.exception("changes could not be read")
                await asyncio.sleep(TROUBLED_SECONDS)
            if not self._owners and not self._newcomers:
                await self._wanted.wait()
            elif not self._wanted.is_set():
                # A new client is served at once, but not all the others with it.
                with suppress(TimeoutError):
                    await asyncio.wait_for(self._wanted.wait(), max(0.0, due - loop.time()))

    async def _welcome(self) -> None:
        newcomers = list(self._newcomers)
        told = await self._ask([(each.owner_user_id, each.cursor) for each in newcomers])
        for listener, changes in zip(newcomers, told, strict=True):
            if listener not in self._newcomers:
                continue
            self._newcomers.discard(listener)
            if isinstance(changes, PgThreadsError):
                log.warning("nobody can listen for this owner: %s %s", changes, changes.detail)
                listener.close()
                continue
            owner = self._owners.setdefault(listener.owner_user_id, _Owner(changes.cursor))
            owner.listeners.add(listener)
            listener.welcome(changes)

    async def _tick(self, now: float) -> None:
        owners = list(self._owners.items())
        told = await self._ask([(name, owner.cursor) for name, owner in owners])
        for (_, owner), changes in zip(owners, told, strict=True):
            if isinstance(changes, PgThreadsError):
                for listener in owner.listeners:
                    listener.close()
                continue
            owner.cursor = changes.cursor
            new = [
                each
                for each in changes.threads
                if each.state_key is not None and owner.versions.get(each.state_key) != each.version
            ]
            owner.versions = {each.state_key: each.version for each in changes.threads}
            owner.is_behind |= None in owner.versions
            if owner.is_behind and now >= owner.next_reload:
                owner.is_behind = False
                owner.next_reload = now + RELOAD_SECONDS
                new = [RELOAD]
            for listener in owner.listeners:
                listener.put(new, changes.cursor)

    async def _ask(
        self, asked: list[tuple[str, str | None]]
    ) -> list[ThreadChanges | PgThreadsError]:
        before = self._cursor

        async def ask(some: Iterable[tuple[str, str | None]]) -> list[ThreadChanges]:
            changes = await self._threads.changed_threads(list(some), before)
            self._cursor = changes[0].cursor
            return changes

        return list(await one_by_one(ask, asked))


def _size(change: ThreadChange) -> int:
    return _ROW_BYTES + len(change.state_key or "") + 4 * len(change.title or "")
