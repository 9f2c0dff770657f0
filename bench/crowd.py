"""A thousand streams at once: stalls, the delay of deltas, and the memory of a stream."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass

from bench import cluster
from bench.harness import Context
from bench.report import Bar, Row
from bench.service import Service
from bench.source import Plan
from bench.stores import bench_database
from bench.streaming import bare, ours
from bench.streams import Stream, stream, streams

_STREAMS = 1_000
_RATE = 20
_RAMP = 10.0
"""Seconds over which the streams begin."""
_TOGETHER = 6
"""Seconds for which all of them run, at least."""
_STALLED = 1.0
"""A stream has stalled if nothing comes for so many seconds."""
_KB_BAR = Bar(100)


@dataclass(frozen=True)
class _Load:
    """How many streams there are, how long each is, and when the last begins (`ramp`)."""

    number: int
    ramp: float
    together: float

    @property
    def plan(self) -> Plan:
        """Return what each stream sends."""
        return Plan(round((self.ramp + self.together) * _RATE), 1 / _RATE, stamped=True)


@dataclass(frozen=True)
class _Seen:
    """The result of a run; CPU is in cores, over the time in which all streams ran."""

    streams: Sequence[Stream]
    cores: float
    database: float
    memory: float

    def late(self, share: float) -> float:
        """Return the delay, in seconds, that this share of deltas does not exceed."""
        delays = sorted(delay for each in self.streams for delay in each.delays)
        return delays[min(int(share * len(delays)), len(delays) - 1)] if delays else 0.0

    @property
    def longest_gap(self) -> float:
        """Return the longest time in which a stream got nothing."""
        return max(each.longest_gap for each in self.streams)

    @property
    def stalled(self) -> int:
        """Return how many streams stalled."""
        return sum(each.longest_gap > _STALLED for each in self.streams)


async def _run(service: Service, load: _Load, conninfo: str) -> _Seen:
    # What is loaded or allocated only once does not belong to a stream.
    for _ in range(20):
        await stream(service.port, Plan(2))
    pids = service.pids()
    held = cluster.resident_bytes(pids)
    everyone = asyncio.create_task(streams(service.port, load.plan, load.number, load.ramp))
    await asyncio.sleep(load.ramp + 0.1 * load.together)
    database = cluster.server_processes(conninfo)
    begun = time.monotonic()
    used = [cluster.cpu_seconds(each) for each in (pids, database)]
    await asyncio.sleep(0.8 * load.together)
    held = cluster.resident_bytes(pids) - held
    seconds = time.monotonic() - begun
    cores = [
        (cluster.cpu_seconds(each) - before) / seconds
        for each, before in zip((pids, database), used, strict=True)
    ]
    return _Seen(await everyone, cores[0], cores[1], held / load.number)


class Crowd:
    """Streams of many clients."""

    name = "crowd"
    title = f"{_STREAMS:,} streams at once"
    about = (
        f"{_STREAMS:,} turns, each in a thread of its own, with {_RATE} deltas per second for"
        f" {_RAMP + _TOGETHER:.0f} seconds. They begin within {_RAMP:.0f} seconds and end in the"
        " same way, so beginning and storing turns is a part of it. A stream has stalled if"
        f" nothing came for {_STALLED:.0f} second. The delay is from the moment when the executor"
        " made a delta to the moment when the client had it. CPU and memory are those of the"
        " server's processes while all streams run, without the memory of an idle server; the"
        " text of the answers is included. All clients are one process, on the other core, and"
        " come back when they are refused; PostgreSQL uses both cores. The aiohttp handler is"
        " that of *Streaming a turn*."
    )

    def run(self, context: Context) -> list[Row]:
        """Run the load once against each server."""
        load = _Load(20, 0.2, 1) if context.smoke else _Load(_STREAMS, _RAMP, _TOGETHER)
        database = bench_database(context)
        own, other = context.cores.server, context.cores.client
        context.stack.enter_context(cluster.moved(context.server, own | other, own))
        servers: list[tuple[str, Callable[[], AbstractContextManager[Service]], bool]] = [
            ("aiohttp, one core", lambda: bare(own), False),
            ("pgthreads, one core", lambda: ours(database, own), True),
            (
                "pgthreads, two workers on all cores",
                lambda: ours(database, own | other, "--workers", "2"),
                True,
            ),
        ]
        rows = []
        for name, start, is_ours in servers:
            with start() as service:
                rows += _rows(
                    name, asyncio.run(_run(service, load, context.server.conninfo)), judged=is_ours
                )
        return rows


def _rows(name: str, seen: _Seen, *, judged: bool) -> list[Row]:
    late = ", ".join(f"{share:.0%} within {1e3 * seen.late(share):.0f} ms" for share in (0.5, 0.99))
    refused = sum(each.refusals for each in seen.streams)
    database = f"{100 * seen.database:.0f} % of a core in PostgreSQL" if judged else ""
    stored = statistics.median(each.ending for each in seen.streams)
    gap = (
        f"longest gap {1e3 * seen.longest_gap:.0f} ms; deltas come {late}; the end"
        f" {1e3 * stored:.0f} ms after the last; {refused} refused at first"
    )
    stalled = Row(f"{name}: stalled", gap, seen.stalled, bar=Bar(0) if judged else None, unit="")
    if not cluster.sees_processes():
        return [stalled]
    return [
        Row(f"{name}: CPU", database, 100 * seen.cores, unit=" % of a core"),
        stalled,
        Row(
            f"{name}: memory of a stream",
            "",
            seen.memory / 1024,
            bar=_KB_BAR if judged else None,
            unit=" KB",
        ),
    ]
