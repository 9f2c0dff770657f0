"""What search costs an append, for each design, and how long a search takes."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import LiteralString

import psycopg

from bench.harness import Context, System, interleave
from bench.messages import WORDS, conversation, dumps, new_thread
from bench.report import Row
from bench.stores import (
    Call,
    Connection,
    PgThreads,
    append_system,
    bench_database,
    connect,
    settle,
)

_LENGTH = 20
_SIZES = (100, 1_000, 10_000)
_SMOKE_SIZES = (20, 40)
_THREAD = 50
_FOUND = 20
_APPEND: LiteralString = (
    "select a.state_key, a.message_count, a.appended from pgthreads.set_tenant(%s) as t(owner),"
    " lateral pgthreads.append_thread(t.owner, %s, %s::jsonb) as a"
)
_SEARCH: LiteralString = (
    "select s.state_key, s.title, s.seq, s.snippet from pgthreads.set_tenant(%s) as t(owner),"
    " lateral pgthreads.search_threads(t.owner, %s, %s) as s"
)
_NONE, _WORDS = "without search", "words, as installed"
_DESIGNS: dict[str, Sequence[LiteralString]] = {
    _NONE: (),
    _WORDS: (),
    "words with a GIN index": ("create index on pgthreads.message_search using gin (tsv)",),
    "a GIN index on an expression, no words": (
        "drop trigger message_search_messages on pgthreads.message",
        "drop trigger message_search_title on pgthreads.thread",
        "create index on pgthreads.message using gin"
        " (pgthreads.message_words('pg_catalog.english', message))",
    ),
}


def _owner(size: int) -> str:
    return f"owner-of-{size}"


def _fill(connection: Connection, size: int) -> None:
    for _ in range(-(-size // _THREAD)):
        messages = [m for each in conversation(min(size, _THREAD)) for m in each.messages()]
        connection.execute(_APPEND, (_owner(size), new_thread(), dumps(messages)))


def _search(connection: Connection, size: int) -> System:
    def ready() -> Call:
        # Words of medium frequency: many messages have one of them, some have both.
        words = " ".join(random.sample(WORDS[100:400], 2))
        values = (_owner(size), words, _FOUND)
        return lambda: connection.execute(_SEARCH, values).fetchall()

    return System(f"search in {size:,} messages", ready)


class Search:
    """The optional part for full text search."""

    name = "search"
    title = "Search, where it is installed"
    about = (
        f"`append_thread` with a user message and its answer, to threads of {_LENGTH} messages, in"
        " databases that keep different things for search; and `search_threads` for two words and"
        f" {_FOUND} hits, by the number of messages that the owner has."
    )

    def run(self, context: Context) -> list[Row]:
        """Measure designs against each other, then sizes."""
        rounds = context.rounds(25)
        systems = []
        searching: Connection | None = None
        for name, statements in _DESIGNS.items():
            database = bench_database(context, optional=() if name == _NONE else ("search",))
            with psycopg.connect(database.admin_dsn, autocommit=True) as admin:
                for statement in statements:
                    admin.execute(statement)
            store = PgThreads(database, context.stack)
            store.name = name
            systems.append(append_system(context, store, _LENGTH, rounds))
            if name == _WORDS:
                searching = connect(database, context.stack)
                sizes = _SMOKE_SIZES if context.smoke else _SIZES
                for size in sizes:
                    _fill(searching, size)
                searches = [_search(searching, size) for size in sizes]
            settle(database)
        samples = interleave(context, systems, rounds)
        base = systems[0].name
        rows = [
            Row.of_ratio(each.name, samples.median(each.name), samples.ratio(each.name, base))
            for each in systems
        ]
        samples = interleave(context, searches, rounds)
        base = searches[0].name
        return rows + [
            Row.of_ratio(each.name, samples.median(each.name), samples.ratio(each.name, base))
            for each in searches
        ]
