"""What a turn writes besides its two messages: WAL, dead tuples, updates that are not HOT."""

from __future__ import annotations

from collections.abc import Callable

import psycopg

from bench.harness import Context
from bench.messages import Exchange, dumps
from bench.peers import peer_stores
from bench.report import Bar, Row, bytes_text
from bench.stores import Call, Connection, Floor, PgThreads, Supply, at, bench_database, settle
from bench.turns import turn_calls

_LENGTH = 20
_LONG = 200
_KEPT = {"thread", "turn"}
"""Tables whose rows a turn has to change."""


class Wal:
    """WAL, dead tuples and HOT."""

    name = "wal"
    title = "What a turn writes"
    about = (
        "Bytes of WAL between two positions in the log, divided by the bytes of the messages,"
        " without full page images except in the line that says so. Each turn is in another"
        f" thread of {_LENGTH} messages; other libraries append to threads of {_LONG}. Updates and"
        " dead tuples are those that PostgreSQL's statistics count."
    )

    def run(self, context: Context) -> list[Row]:
        """Count rather than time."""
        database = bench_database(context)
        turns = context.size(300, 5)
        floor, store = Floor(database, context.stack), PgThreads(database, context.stack)
        peers = peer_stores(database, context)
        supply = Supply(store, _LENGTH, 3 * turns + 1)
        few = context.size(20, 2)
        supplies = [Supply(peer, _LONG, few + 1) for peer in peers]
        settle(database)
        admin = context.stack.enter_context(psycopg.connect(database.admin_dsn, autocommit=True))

        def turn(exchange: Exchange) -> Call:
            begin, finish = turn_calls(store, supply.take(), exchange, 1)
            return lambda: (begin(), finish())

        def append(exchange: Exchange) -> Call:
            return store.append(supply.take(), exchange)

        turn(Exchange.new())()
        before = _counts(admin, store.connection)
        rows = [_row(admin, "turn", turn, turns, Bar(1.65))]
        after = _counts(admin, store.connection)
        rows.append(_row(admin, "both messages in one call", append, turns))
        rows.append(_row(admin, "F1×2", floor.insert_twice, turns))
        for peer, threads in zip(peers, supplies, strict=True):
            peer.append(threads.take(), Exchange.new())()
            rows.append(_row(admin, at(peer.name, _LONG), _appends(peer.append, threads), few))
        admin.execute("checkpoint")
        rows.append(_row(admin, "turn right after a checkpoint, with full pages", turn, turns))
        return rows + _updates(before, after, turns)


def _appends(
    append: Callable[[str, Exchange], Call], threads: Supply
) -> Callable[[Exchange], Call]:
    return lambda exchange: append(threads.take(), exchange)


def _row(
    admin: Connection,
    what: str,
    ready: Callable[[Exchange], Call],
    times: int,
    bar: Bar | None = None,
) -> Row:
    exchanges = [Exchange.new() for _ in range(times)]
    sent = sum(len(dumps(m).encode()) for each in exchanges for m in each.messages())
    calls = [ready(each) for each in exchanges]
    before = _position(admin)
    for call in calls:
        call()
    written = _position(admin) - before
    return Row(what, f"{bytes_text(written / times)} of WAL", written / sent, bar=bar)


def _position(admin: Connection) -> int:
    row = admin.execute("select pg_current_wal_insert_lsn() - '0/0'").fetchone()
    return int(row[0]) if row else 0


def _counts(admin: Connection, used: Connection) -> dict[str, tuple[int, ...]]:
    # Backends keep their counts for a while, and hand them over between transactions.
    used.execute("select pg_stat_force_next_flush()")
    used.execute("select 1")
    rows = admin.execute(
        "select relname, n_tup_upd, n_tup_hot_upd, n_dead_tup"
        " from pg_stat_user_tables where schemaname = 'pgthreads'"
    )
    return {name: tuple(counts) for name, *counts in rows}


def _updates(
    before: dict[str, tuple[int, ...]], after: dict[str, tuple[int, ...]], turns: int
) -> list[Row]:
    rows = []
    littered = 0.0
    for table in sorted(after):
        updated, hot, dead = (
            (now - then) / turns for now, then in zip(after[table], before[table], strict=True)
        )
        if table not in _KEPT:
            littered += updated + max(dead, 0)
            continue
        share = f"{hot / updated:.0%} of them HOT" if updated else ""
        rows.append(Row(f"updates of `{table}` a turn", share, updated, unit=""))
        rows.append(Row(f"dead tuples of `{table}` a turn", "", max(dead, 0), unit=""))
    rows.append(Row("updates and dead tuples elsewhere", "", littered, bar=Bar(0), unit=""))
    return rows
