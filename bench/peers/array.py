"""The array design: one jsonb `UIMessage[]` for each thread, which each save rewrites.

Many applications do this by hand. In its favour, the client already has the array here.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

from tests.database import Database

from bench.messages import Exchange, dumps
from bench.stores import Call, connect


class Array:
    """One row for each thread."""

    name = "jsonb array"
    grows = True
    longest = 10_000

    def __init__(self, database: Database, stack: ExitStack) -> None:
        self._connection = connect(database, stack)
        self._connection.execute(
            "create table public.array_thread (id text primary key, messages jsonb not null)"
        )
        self._threads: dict[str, list[dict[str, Any]]] = {}

    def fill(self, thread: str, exchanges: Sequence[Exchange]) -> None:
        """Store a whole thread."""
        self._threads[thread] = [m for each in exchanges for m in each.messages()]
        self._save(thread, dumps(self._threads[thread]))

    def append(self, thread: str, exchange: Exchange) -> Call:
        """Save the thread with both messages at its end."""
        self._threads[thread].extend(exchange.messages())
        body = dumps(self._threads[thread])
        return lambda: self._save(thread, body)

    def load(self, thread: str) -> Call:
        """Read the array as text."""
        return lambda: self._connection.execute(
            "select messages::text from public.array_thread where id = %s", (thread,)
        ).fetchall()

    def _save(self, thread: str, body: str) -> None:
        self._connection.execute(
            "insert into public.array_thread (id, messages) values (%s, %s::jsonb)"
            " on conflict (id) do update set messages = excluded.messages",
            (thread, body),
        )


def make(database: Database, stack: ExitStack) -> Array:
    """Make its table."""
    return Array(database, stack)
