"""What verified tenancy costs: the same calls with a tenant's name, and with a token."""

from __future__ import annotations

from collections.abc import Callable
from typing import LiteralString

import psycopg
from tests.database import Database

from bench.harness import Context, System, interleave
from bench.messages import Exchange, conversation, dumps, new_thread
from bench.report import Row
from bench.stores import OWNER, Call, Connection, PgThreads, bench_database, connect, settle

_OFF, _ON = "off", "on"
_LENGTH = 50
_PAGE = 20
_APPEND = "append_thread, user message and answer"
_VIEW = f"ai_threads, {_LENGTH} messages, in a transaction"
_READS: dict[str, LiteralString] = {
    "set_tenant": "select pgthreads.set_tenant(%s)",
    "load_thread, 50 messages": (
        "select l.messages from pgthreads.set_tenant(%s) as t(owner),"
        " lateral pgthreads.load_thread(t.owner, 'full') as l(messages)"
    ),
    "list_threads, 20 threads": (
        "select l.state_key, l.title, l.message_count, l.metadata, l.created_at, l.updated_at,"
        " l.running, l.next_cursor, l.waiting from pgthreads.set_tenant(%s) as t(owner),"
        " lateral pgthreads.list_threads(t.owner, 20) as l"
    ),
}


def _fill(database: Database, context: Context) -> None:
    store = PgThreads(database, context.stack)
    store.fill("full", conversation(_LENGTH))
    for _ in range(_PAGE):
        store.fill(new_thread(), conversation(2))
    settle(database)


def _turned_on(database: Database) -> str:
    """Turn verified tenancy on, with two active keys; return a token of the owner."""
    with psycopg.connect(database.admin_dsn, autocommit=True) as admin:
        admin.execute("insert into pgthreads.tenant_key (id) values ('bench'), ('bench-next')")
        admin.execute("update pgthreads.config set require_verified_tenant = true")
        row = admin.execute("select pgthreads.mint_tenant_token(%s, '1 hour')", (OWNER,)).fetchone()
    return str((row or ("",))[0])


def _systems(connection: Connection, side: str, tenant: str) -> list[System]:
    def append() -> Call:
        values = (tenant, new_thread(), dumps(Exchange.new().messages()))
        return lambda: connection.execute(
            "select a.state_key, a.message_count, a.appended"
            " from pgthreads.set_tenant(%s) as t(owner),"
            " lateral pgthreads.append_thread(t.owner, %s, %s::jsonb) as a",
            values,
        ).fetchall()

    def view() -> None:
        with connection.transaction():
            connection.execute("select pgthreads.set_tenant(%s)", (tenant,))
            connection.execute(
                "select v.messages from pgthreads.ai_threads as v where v.state_key = 'full'"
            ).fetchall()

    def read(statement: LiteralString) -> Callable[[], Call]:
        return lambda: lambda: connection.execute(statement, (tenant,)).fetchall()

    systems = [System(_name(_APPEND, side), append), System(_name(_VIEW, side), lambda: view)]
    return systems + [System(_name(name, side), read(each)) for name, each in _READS.items()]


def _name(call: str, side: str) -> str:
    return f"{call}: {side}"


class VerifiedTenancy:
    """Signed tokens, compared with names that are believed."""

    name = "verified-tenancy"
    title = "Verified tenancy"
    about = (
        "The same calls in a database with `require_verified_tenant` off, as it is installed, and"
        " in one with it on and two active keys. Each append is to a new thread."
    )

    def run(self, context: Context) -> list[Row]:
        """Measure both sides against each other."""
        off, on = bench_database(context), bench_database(context)
        for database in (off, on):
            _fill(database, context)
        systems = _systems(connect(off, context.stack), _OFF, OWNER)
        systems += _systems(connect(on, context.stack), _ON, _turned_on(on))
        samples = interleave(context, systems, context.rounds(50))
        rows = []
        for call in (*_READS, _APPEND, _VIEW):
            base = _name(call, _OFF)
            rows += [
                Row.of_ratio(name, samples.median(name), samples.ratio(name, base))
                for name in (base, _name(call, _ON))
            ]
        return rows
