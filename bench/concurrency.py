"""Sixteen clients at once: how many exchanges per second they store, compared with two inserts.

Each client is a process with one connection. Clients and server share all cores here: if each had
a half, the clients' half would limit the two inserts.
"""

from __future__ import annotations

import multiprocessing
import random
import time
from collections import defaultdict
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from multiprocessing.connection import Connection as Pipe
from multiprocessing.synchronize import Barrier

from tests.database import Database

from bench import cluster
from bench.harness import Context
from bench.messages import Exchange, conversation, new_thread
from bench.report import Bar, Row, time_text
from bench.stats import Samples
from bench.stores import Call, Floor, PgThreads, bench_database, settle
from bench.turns import turn_calls

_CLIENTS = 16
_BLOCK = 50
_WINDOW = 20
_PATIENCE = 60.0
_FLOOR, _APPEND, _TURN, _SHARED = "F1×2", "append_thread", "a turn", "append_thread, one thread"
_BARS = {_APPEND: Bar(0.6, at_least=True), _TURN: Bar(0.27, at_least=True)}


@dataclass(frozen=True)
class _Block:
    """What every client has to do: so many calls, to its own thread or to this one."""

    case: str
    calls: int
    shared: str


def _ready(block: _Block, floor: Floor, store: PgThreads) -> Callable[[], Call]:
    if block.case == _FLOOR:
        return lambda: floor.insert_twice(Exchange.new())
    if block.case == _SHARED:
        return lambda: store.append(block.shared, Exchange.new())
    own = new_thread()
    store.fill(own, conversation(_WINDOW))
    if block.case == _APPEND:
        return lambda: store.append(own, Exchange.new())

    def turn() -> Call:
        begin, finish = turn_calls(store, own, Exchange.new(), _WINDOW)
        return lambda: (begin(), finish())

    return turn


def _client(
    number: int, database: Database, cores: frozenset[int], pipe: Pipe, barrier: Barrier
) -> None:
    """Run blocks until the pipe is closed; answer each with its start and its end."""
    cluster.pin(0, cores)
    with ExitStack() as stack, suppress(EOFError):
        floor = Floor(database, stack, number)
        store = PgThreads(database, stack)
        while True:
            block = pipe.recv()
            ready = _ready(block, floor, store)
            calls = [ready() for _ in range(block.calls)]
            barrier.wait()
            start = time.monotonic()
            for call in calls:
                call()
            pipe.send((start, time.monotonic()))


class _Clients:
    """The client processes, which all get the same orders."""

    def __init__(self, database: Database, context: Context, number: int) -> None:
        processes = multiprocessing.get_context("forkserver")
        processes.set_forkserver_preload([__name__])
        # Kept, because clients open it by its name. It has a time-out, in case one has failed.
        self._barrier = processes.Barrier(number, timeout=_PATIENCE)
        cores = context.cores.client | context.cores.server
        self._pipes = []
        for client in range(1, number + 1):
            ours, theirs = processes.Pipe()
            process = processes.Process(
                target=_client, args=(client, database, cores, theirs, self._barrier), daemon=True
            )
            process.start()
            theirs.close()
            context.stack.callback(process.join, _PATIENCE)
            # A client ends when its pipe is closed.
            context.stack.callback(ours.close)
            self._pipes.append(ours)

    def run(self, block: _Block) -> float:
        """Return the seconds from the first start to the last end; EOFError if a client failed."""
        for pipe in self._pipes:
            pipe.send(block)
        times = [pipe.recv() for pipe in self._pipes]
        return float(max(end for _, end in times) - min(start for start, _ in times))


class Concurrency:
    """Throughput of sixteen clients."""

    name = "concurrency"
    title = f"{_CLIENTS} clients at once"
    about = (
        f"{_CLIENTS} processes with one connection each, and the server, share all cores. An"
        " exchange is a user message and its answer; ratios are of exchanges per second, so more"
        " is better. Each client appends to a thread of its own, except in the last line. A turn"
        f" returns {_WINDOW} messages. The CPU is that of all processes of PostgreSQL, for each"
        " exchange."
    )

    def run(self, context: Context) -> list[Row]:
        """Measure all cases against each other."""
        number = context.size(_CLIENTS, 3)
        database = bench_database(context)
        Floor(database, context.stack)
        cores = context.cores
        everywhere = cluster.moved(context.server, cores.client | cores.server, cores.server)
        context.stack.enter_context(everywhere)
        clients = _Clients(database, context, number)
        cases = [_FLOOR, _APPEND, _TURN, _SHARED]
        calls = context.size(_BLOCK, 2)
        for case in cases:
            clients.run(_Block(case, calls, new_thread()))
        settle(database)
        pids = cluster.server_processes(context.server.conninfo)
        seconds: dict[str, dict[int, list[float]]] = defaultdict(dict)
        cpu: dict[str, float] = defaultdict(float)
        rounds = context.rounds(8)
        for turn in range(rounds):
            for case in random.sample(cases, len(cases)):
                before = cluster.cpu_seconds(pids)
                taken = clients.run(_Block(case, calls, new_thread()))
                cpu[case] += cluster.cpu_seconds(pids) - before
                seconds[case][turn] = [taken / (number * calls)]
        samples = Samples(seconds)
        rows = []
        for case in cases:
            ratio = samples.ratio(_FLOOR, case)
            used = time_text(cpu[case] / (number * calls * rounds))
            figure = f"{1 / samples.median(case):,.0f}/s, {used} of CPU"
            rows.append(Row(case, figure, ratio.value, (ratio.low, ratio.high), _BARS.get(case)))
        return rows
