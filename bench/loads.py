"""Loading whole threads and windows, compared with one SELECT of the same bytes."""

from __future__ import annotations

import http.client
from collections.abc import Sequence
from dataclasses import dataclass
from typing import LiteralString

from bench.appends import LENGTHS
from bench.harness import Context, System, interleave
from bench.messages import conversation, new_thread
from bench.peers import peer_stores
from bench.report import Bar, Row
from bench.service import get, serving
from bench.stats import Samples
from bench.stores import (
    OWNER,
    Call,
    Fills,
    Floor,
    PgThreads,
    at,
    bench_database,
    settle,
    statement_of,
)

_SMOKE_LENGTHS = (2, 60)
_LAST = 50
_GET_BARS = {2: Bar(4.4), 20: Bar(4.4), 10_000: Bar(1.5)}
"""Of a short thread the request is most: 0.35 ms where F2 takes 0.08."""
# For others, longer threads take seconds and show nothing new.
_LONGEST_OF_PEERS = 1_000
# Otherwise the planner would take every thread for a large part of the table.
_OTHER_THREADS = 200
_READ_MESSAGES: LiteralString = (
    "select r.seq, r.message from pgthreads.set_tenant(%s) as t(owner),"
    " lateral pgthreads.read_messages(t.owner, %s) as r"
)
_LOAD_LAST: LiteralString = (
    "select l.messages from pgthreads.set_tenant(%s) as t(owner),"
    " lateral pgthreads.load_thread(t.owner, %s, %s) as l(messages)"
)


@dataclass(frozen=True)
class _Way:
    """A way to read a whole thread, and its bar."""

    name: str
    call: Call
    bar: Bar


def _ways(
    store: PgThreads, client: http.client.HTTPConnection, thread: str, length: int
) -> list[_Way]:
    read = statement_of(lambda threads: threads.read_thread(OWNER, thread))
    return [
        _Way("load_thread", store.load(thread), Bar(1.5)),
        _Way(
            "read_messages",
            lambda: store.connection.execute(_READ_MESSAGES, (OWNER, thread)).fetchall(),
            Bar(1.5),
        ),
        _Way("read_thread", store.call(read), Bar(1.5)),
        _Way("GET", get(client, f"/api/v1/ai/threads/{thread}"), _GET_BARS.get(length, Bar(2.0))),
    ]


def _last_of(store: PgThreads, client: http.client.HTTPConnection, thread: str) -> list[_Way]:
    read = statement_of(lambda threads: threads.read_thread(OWNER, thread, last=_LAST))
    return [
        _Way(
            "load_thread",
            lambda: store.connection.execute(_LOAD_LAST, (OWNER, thread, _LAST)).fetchall(),
            Bar(1.3),
        ),
        _Way("read_thread", store.call(read), Bar(1.3)),
        _Way("GET", get(client, f"/api/v1/ai/threads/{thread}?last={_LAST}"), Bar(1.3)),
    ]


def _filled(stores: Sequence[Fills], length: int) -> str:
    thread, exchanges = new_thread(), conversation(length)
    for store in stores:
        store.fill(thread, exchanges)
    return thread


def _system(name: str, call: Call, length: int, *, ours: bool = True) -> System:
    # For threads of megabytes, and for others, a few calls tell as much as many.
    few = length > _LONGEST_OF_PEERS or not ours
    options = {"block": 1, "every": 5, "warm_up": 3} if few else {}
    return System(name, lambda: call, **options)


class Loads:
    """Reading threads."""

    name = "loads"
    title = "Loading a thread"
    about = (
        "Ratios are to F2 on a thread of the same length; psycopg hands over its rows as bytes,"
        " as it does those of pgthreads. `GET` is a request to the server in a process of its"
        " own, read to the last byte over one connection. The last 50 messages of a long thread"
        " are compared with the whole of a thread of 50. Other libraries return objects, so their"
        " figures include parsing; agno also keeps a cache of what it has parsed before."
    )

    def run(self, context: Context) -> list[Row]:
        """Measure all lengths and ways against each other."""
        database = bench_database(context)
        lengths = _SMOKE_LENGTHS if context.smoke else LENGTHS
        floor, store = Floor(database, context.stack), PgThreads(database, context.stack)
        peers = peer_stores(database, context)
        client = context.stack.enter_context(serving(database, context.cores.server)).client
        for _ in range(context.size(_OTHER_THREADS, 2)):
            _filled([floor, store, *peers], 10)
        systems: list[System] = []
        rows_of: list[tuple[str, str, Bar | None]] = []
        for length in lengths:
            short = [p for p in peers if length <= min(p.longest, _LONGEST_OF_PEERS)]
            thread = _filled([floor, store, *short], length)
            base = at("F2", length)
            systems.append(_system(base, floor.load(thread), length))
            rows_of.append((base, base, None))
            for way in _ways(store, client, thread, length):
                name = at(way.name, length)
                systems.append(_system(name, way.call, length))
                rows_of.append((name, base, way.bar))
            for peer in short:
                name = at(peer.name, length)
                systems.append(_system(name, peer.load(thread), length, ours=False))
                rows_of.append((name, base, None))
        short_thread = _filled([store], _LAST)
        windows = zip(
            _last_of(store, client, short_thread), _last_of(store, client, thread), strict=True
        )
        for few, many in windows:
            name, base = f"{many.name}, last {_LAST} of {lengths[-1]:,}", f"{few.name}, {_LAST}"
            systems += [_system(base, few.call, _LAST), _system(name, many.call, _LAST)]
            rows_of += [(base, base, None), (name, base, many.bar)]
        settle(database)
        samples = interleave(context, systems, context.rounds(25))
        return [_row(samples, *each) for each in rows_of]


def _row(samples: Samples, name: str, base: str, bar: Bar | None) -> Row:
    return Row.of_ratio(name, samples.median(name), samples.ratio(name, base), bar)
