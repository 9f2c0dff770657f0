"""Where messages are stored: pgthreads, bare tables for F1 and F2, and the base of other libraries.

A store's calls are prepared first and then timed. Whatever a library itself does with a message
before it sends it belongs to the call.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Coroutine, Sequence
from contextlib import ExitStack
from typing import Any, LiteralString, Protocol

import psycopg
from psycopg import sql
from tests.database import APP_ROLE, Database

from bench.harness import Context, System
from bench.messages import Exchange, conversation, dumps, new_thread
from pgthreads.postgres.calls import with_lock_timeout
from pgthreads.postgres.pool import Pool, RawJson
from pgthreads.postgres.threads import Threads

Call = Callable[[], object]
Connection = psycopg.Connection[tuple[Any, ...]]

OWNER = "ada"
WINDOW = 200
"""How many of a thread's messages a prompt has by default."""
_MOST_MESSAGES = 20_000
_APPEND: LiteralString = (
    "select a.state_key, a.message_count, a.appended from pgthreads.set_tenant(%s) as t(owner),"
    " lateral pgthreads.append_thread(t.owner, %s, %s::jsonb) as a"
)


def connect(database: Database, stack: ExitStack) -> Connection:
    """Return a connection like those of the server: the application's role, prepared statements."""
    connection = stack.enter_context(
        psycopg.connect(database.server_dsn, autocommit=True, prepare_threshold=0)
    )
    for kind in ("json", "text"):
        connection.adapters.register_loader(kind, RawJson)
    return connection


def bench_database(context: Context, *, optional: Sequence[str] = ()) -> Database:
    """Return a fresh database where the role makes tables and threads hold 20,000 messages.

    An owner may have any number of turns, because all turns of a benchmark have one owner.
    """
    database = context.database(optional=optional)
    with psycopg.connect(database.admin_dsn, autocommit=True) as admin:
        admin.execute(
            "update pgthreads.config set max_messages = %s, max_turns_per_owner = null",
            [_MOST_MESSAGES],
        )
        admin.execute(
            sql.SQL("grant create on schema public to {}").format(sql.Identifier(APP_ROLE))
        )
        admin.execute(
            sql.SQL("grant create on database {} to {}").format(
                sql.Identifier(database.name), sql.Identifier(APP_ROLE)
            )
        )
    return database


def settle(database: Database) -> None:
    """Vacuum and analyse after a load, so that plans are good and pages clean for every system."""
    with psycopg.connect(database.admin_dsn, autocommit=True) as admin:
        admin.execute("vacuum analyze")


class Sent(Exception):  # noqa: N818
    """Carries a statement and its values out of `Threads`."""

    def __init__(self, statement: LiteralString, values: Sequence[object]) -> None:
        super().__init__(statement)
        self.statement = statement
        self.values = values


class _Recorder(Threads):
    """Sends nothing, so that a benchmark can send exactly what the server would."""

    def __init__(self) -> None:
        super().__init__(Pool(""))

    async def _rows(
        self,
        statement: LiteralString,
        values: Sequence[object],
        _: object,
        *,
        alone: object = None,  # noqa: ARG002
    ) -> Any:
        raise Sent(with_lock_timeout(statement, self._lock_ms), values)


def statement_of(call: Callable[[Threads], Coroutine[Any, Any, object]]) -> Sent:
    """Return what `Threads` would send first."""
    try:
        call(_Recorder()).send(None)
    except Sent as sent:
        return sent
    raise AssertionError("this call sends nothing")


class Fills(Protocol):
    """A store that can be filled with threads."""

    def fill(self, thread: str, exchanges: Sequence[Exchange]) -> None:
        """Store a whole thread."""


class Store(Fills, Protocol):
    """A way to keep threads."""

    name: str

    def append(self, thread: str, exchange: Exchange) -> Call:
        """Return a call that appends a user message and its answer."""

    def load(self, thread: str) -> Call:
        """Return a call that reads the whole thread."""


class PgThreads:
    """The SQL functions by one connection."""

    name = "pgthreads"

    def __init__(self, database: Database, stack: ExitStack) -> None:
        self.connection = connect(database, stack)

    def fill(self, thread: str, exchanges: Sequence[Exchange]) -> None:
        """Store a whole thread, 50 messages a call."""
        for start in range(0, len(exchanges), 25):
            messages = [m for each in exchanges[start : start + 25] for m in each.messages()]
            self.connection.execute(_APPEND, (OWNER, thread, dumps(messages)))

    def append(self, thread: str, exchange: Exchange) -> Call:
        """One call of append_thread with both messages."""
        values = (OWNER, thread, dumps(exchange.messages()))
        return lambda: self.connection.execute(_APPEND, values).fetchall()

    def load(self, thread: str) -> Call:
        """One call of load_thread."""
        statement: LiteralString = (
            "select l.messages from pgthreads.set_tenant(%s) as t(owner),"
            " lateral pgthreads.load_thread(t.owner, %s) as l(messages)"
        )
        return lambda: self.connection.execute(statement, (OWNER, thread)).fetchall()

    def call(self, sent: Sent) -> Call:
        """Return a call that sends what the server would."""
        return lambda: self.connection.execute(sent.statement, sent.values).fetchall()


class Floor:
    """A table with a primary key and nothing else: F1 and F2 of docs/performance.md."""

    name = "floor"

    def __init__(self, database: Database, stack: ExitStack, client: int = 0) -> None:
        self.connection = connect(database, stack)
        # The best plan, whatever the planner thinks of a table with a few long threads.
        for way in ("seqscan", "bitmapscan", "sort"):
            self.connection.execute(sql.SQL("set {} = off").format(sql.Identifier(f"enable_{way}")))
        self.connection.execute(
            "create table if not exists public.floor_insert (id bigint primary key, message text)"
        )
        self.connection.execute(
            "create table if not exists public.floor_thread"
            " (thread text, seq int, message text, primary key (thread, seq))"
        )
        self._ids = itertools.count(client * 10**9)

    def insert(self, message: dict[str, Any]) -> Call:
        """F1: one durable INSERT of one message's bytes."""
        values = (next(self._ids), dumps(message))
        return lambda: self.connection.execute(
            "insert into public.floor_insert (id, message) values (%s, %s)", values
        )

    def insert_twice(self, exchange: Exchange) -> Call:
        """F1×2: two of them, the user's message and the answer."""
        first, second = (self.insert(message) for message in exchange.messages())
        return lambda: (first(), second())

    def fill(self, thread: str, exchanges: Sequence[Exchange]) -> None:
        """Store a thread for `load`."""
        messages = [m for each in exchanges for m in each.messages()]
        with self.connection.cursor() as cursor, self.connection.transaction():
            cursor.executemany(
                "insert into public.floor_thread (thread, seq, message) values (%s, %s, %s)",
                [(thread, seq, dumps(message)) for seq, message in enumerate(messages, 1)],
            )

    def load(self, thread: str) -> Call:
        """F2: one SELECT of the bytes of a thread."""
        return lambda: self.connection.execute(
            "select message from public.floor_thread where thread = %s order by seq", (thread,)
        ).fetchall()


class Supply:
    """Threads of about one length, to be appended to: none grows by more than a tenth.

    Those of the shortest length, two messages, are used once each.
    """

    def __init__(self, store: Store, length: int, calls: int) -> None:
        self._uses = max(1, length // 20)
        self._threads = [new_thread() for _ in range(-(-calls // self._uses))]
        for thread in self._threads:
            store.fill(thread, conversation(length))
        self._taken = 0

    def take(self) -> str:
        """Return a thread for one more append."""
        place, self._taken = self._taken // self._uses, self._taken + 1
        return self._threads[place]


def append_system(
    context: Context, store: Store, length: int, rounds: int, **options: int
) -> System:
    """Return a system that appends an exchange to threads of a length, which it fills."""

    def ready() -> Call:
        return store.append(supply.take(), Exchange.new())

    system = System(at(store.name, length), ready, **options)
    supply = Supply(store, length, system.calls(context, rounds))
    return system


def at(name: str, length: int) -> str:
    """Return the name of a system by the length of its threads."""
    return f"{name}, {length:,} messages"
