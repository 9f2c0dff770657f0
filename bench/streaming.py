"""A streamed turn, compared with an aiohttp handler that writes the same bytes."""

from __future__ import annotations

import asyncio
import random
import statistics
import time
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager

from tests.database import Database, free_port

from bench import cluster
from bench.harness import Context
from bench.report import Bar, Row
from bench.service import Service, program, serving, started
from bench.source import Plan
from bench.stats import Samples, quartiles
from bench.stores import bench_database
from bench.streams import stream

DELTAS = 2_000
_EXECUTOR = "bench.source:execute"
_BAR = Bar(1.5)
_SETTLE = 0.02
_PACES: dict[str, float | None] = {
    "one after the other, as fast as they are taken": None,
    "one in each turn of the loop": 0,
    "one a millisecond": 0.001,
}
"""The pause before each delta; None awaits nothing."""


@contextmanager
def bare(cores: frozenset[int]) -> Iterator[Service]:
    """Run bench/bare.py."""
    port = free_port()
    with started(program("-m", "bench.bare", str(port)), port, cores, {}) as service:
        yield service


@contextmanager
def ours(database: Database, cores: frozenset[int], *options: str) -> Iterator[Service]:
    """Run pgthreads with the deltas of bench/source.py."""
    with serving(database, cores, "--executor", _EXECUTOR, *options) as service:
        yield service


class Streaming:
    """CPU of a turn, and time to its first chunk."""

    name = "streaming"
    title = "Streaming a turn"
    about = (
        f"The CPU time of the server's process for a turn of {DELTAS:,} deltas, from the request"
        " to the stored answer. It is compared with an aiohttp handler that takes the same deltas"
        " from the same generator and writes each as the bytes of its frame, without a database,"
        " JSON or anything to resume. The time to the first chunk is measured from the request,"
        " over an open connection, to the first delta of an executor that yields it at once, so"
        " none of it is the executor's. PostgreSQL shares the server's core here."
    )

    def run(self, context: Context) -> list[Row]:
        """Measure turn by turn, in random order."""
        cores = context.cores.server
        database = bench_database(context)
        services = {
            "aiohttp": context.stack.enter_context(bare(cores)),
            "pgthreads": context.stack.enter_context(ours(database, cores)),
        }
        deltas = context.size(DELTAS, 50)
        paces = list(_PACES) if cluster.sees_processes() else []
        cases = [(pace, name) for pace in paces for name in services]
        for pace, name in cases:
            _cpu(services[name], Plan(deltas, _PACES[pace]))
        seconds: dict[str, dict[int, list[float]]] = defaultdict(dict)
        for turn in range(context.rounds(8)):
            for pace, name in random.sample(cases, len(cases)):
                plan = Plan(deltas, _PACES[pace])
                seconds[f"{name}: {pace}"][turn] = [_cpu(services[name], plan)]
        samples = Samples(seconds)
        rows = []
        for pace in paces:
            base = f"aiohttp: {pace}"
            for name, its_bar in ((base, None), (f"pgthreads: {pace}", _BAR)):
                ratio = samples.ratio(name, base)
                rows.append(Row.of_ratio(name, samples.median(name), ratio, its_bar))
        firsts = [
            1e3 * asyncio.run(stream(services["pgthreads"].port, Plan(1))).first_delta
            for _ in range(context.size(200, 3))
        ]
        spread = quartiles(firsts)
        first = Row("first chunk", "", statistics.median(firsts), spread, Bar(5), " ms")
        return [*rows, first]


def _cpu(service: Service, plan: Plan) -> float:
    """Return the CPU seconds of a turn."""
    pids = service.pids()
    before = cluster.cpu_seconds(pids)
    asyncio.run(stream(service.port, plan))
    # The kernel counts a process's CPU time when it pauses, which is after the client has ended.
    time.sleep(_SETTLE)
    return cluster.cpu_seconds(pids) - before
