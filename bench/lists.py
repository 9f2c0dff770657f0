"""A page of 50 threads, by the number of the owner's threads and of other owners."""

from __future__ import annotations

from typing import LiteralString

import psycopg
from tests.database import Database

from bench.harness import Context, System, interleave
from bench.report import Bar, Row
from bench.stores import PgThreads, bench_database, settle, statement_of

_SIZES = (100, 1_000, 10_000, 100_000)
_SMOKE_SIZES = (60, 120)
_OTHERS = 10_000
_EACH = 10
"""Threads of each other owner."""
_PAGE = 50
_IN_THE_MIDDLE = ", a page in the middle"
# "Flat" and "no difference" as a number: one more level of an index, and noise.
_FLAT = Bar(1.1)
_FILL: LiteralString = """
    insert into pgthreads.thread
      (owner_user_id, state_key, message_count, title, head_digest, updated_at, recent_at)
    select o.owner, 'thread-' || n, 20, 'A thread about subject ' || n,
      sha256(convert_to(o.owner || n, 'UTF8')), a.at, a.at
    from unnest(%s::text[]) as o (owner), generate_series(1, %s) as n,
      -- Of n, or it would be one moment for all.
      lateral (select now() - random() * interval '300 days' - n * interval '0' as at) as a
"""


def _owner(size: int) -> str:
    return f"owner-of-{size}"


def _fill(database: Database, sizes: tuple[int, ...], others: int) -> None:
    # As a superuser: 200,000 threads by append_thread would take minutes.
    with psycopg.connect(database.admin_dsn, autocommit=True) as admin:
        for size in sizes:
            admin.execute(_FILL, ([_owner(size)], size))
        admin.execute(_FILL, ([f"other-{number}" for number in range(others)], _EACH))
    settle(database)


def _pages(store: PgThreads, name: str, size: int) -> list[System]:
    """Return the first page, and the one that begins in the middle."""
    owner = _owner(size)
    first = statement_of(lambda threads: threads.list_threads(owner, limit=_PAGE))
    cursor = _middle(store, owner, size)
    middle = statement_of(lambda threads: threads.list_threads(owner, limit=_PAGE, cursor=cursor))
    return [
        System(name, lambda: store.call(first)),
        System(f"{name}{_IN_THE_MIDDLE}", lambda: store.call(middle)),
    ]


def _middle(store: PgThreads, owner: str, size: int) -> str:
    # Text comes as bytes over connections of benchmarks.
    rows = store.connection.execute(
        "select format('%%s.%%s', (extract(epoch from t.updated_at) * 1000000)::bigint,"
        " t.state_key) from pgthreads.set_tenant(%s) as s (owner), lateral (select * from"
        " pgthreads.thread as t where t.owner_user_id = s.owner order by t.updated_at desc,"
        " t.state_key desc offset %s limit 1) as t",
        (owner, size // 2),
    ).fetchall()
    return bytes(rows[0][0]).decode()


class Lists:
    """Listing threads."""

    name = "lists"
    title = "A list of 50 threads"
    about = (
        "`list_threads` with the server's own statement: the first page, and a page that begins"
        " in the middle. Ratios are to the same page of an owner of 100 threads, in a database"
        f" with {_OTHERS:,} other owners of {_EACH} threads each. The last line compares this"
        " owner with the same one in a database without the others."
    )

    def run(self, context: Context) -> list[Row]:
        """Measure all sizes against each other."""
        sizes = _SMOKE_SIZES if context.smoke else _SIZES
        crowded, alone = bench_database(context), bench_database(context)
        _fill(crowded, sizes, context.size(_OTHERS, 10))
        _fill(alone, sizes[:1], 0)
        store = PgThreads(crowded, context.stack)
        systems = [system for size in sizes for system in _pages(store, f"{size:,} threads", size)]
        alone_name = f"{sizes[0]} threads, no other owner"
        systems += _pages(PgThreads(alone, context.stack), alone_name, sizes[0])[:1]
        samples = interleave(context, systems, context.rounds(50))
        first, middle = systems[0].name, systems[1].name
        rows = []
        for system in systems:
            base = middle if system.name.endswith(_IN_THE_MIDDLE) else first
            bar = None if system.name in {base, alone_name} else _FLAT
            ratio = samples.ratio(system.name, base)
            rows.append(Row.of_ratio(system.name, samples.median(system.name), ratio, bar))
        others = samples.ratio(first, alone_name)
        what = f"{sizes[0]} threads, with {_OTHERS:,} other owners against none"
        rows.append(Row(what, "", others.value, (others.low, others.high), _FLAT))
        return rows
