"""How turns fare as a database grows: ten million messages in four partitions, and a model.

`python -m bench.scaling --write` fills a cluster of its own by `append_thread`, stops at some
sizes to measure, and writes the results into docs/scaling.md. It takes most of an hour and some
40 GB of disk. `--messages 1000000` is a shorter look.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import random
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import LiteralString

import psycopg
from tests import programs
from tests.database import Database, NoDatabaseError, migrated_template

from bench import cluster, report
from bench.harness import Context, System, interleave
from bench.messages import Exchange, conversation, dumps, new_id
from bench.model import Cost, Load
from bench.report import Result, Row, bytes_text, time_text
from bench.stores import (
    Call,
    Connection,
    PgThreads,
    bench_database,
    connect,
    settle,
    statement_of,
)

_ROOT = Path(__file__).resolve().parent.parent
_DOCUMENT = _ROOT / "docs" / "scaling.md"
_USERS = (10**4, 10**6, 10**8)
_PARTITIONS = 4
_COUNTS = (0, 4, 16, 64, 256)
_THREAD = 100
_BATCH = 50
_THREADS_OF_OWNER = 10
_WINDOW = 20
_FILLERS = 2
_POOL = 64
_CALLS = 400
_APPEND: LiteralString = (
    "select 1 from pgthreads.set_tenant(%s) as t(owner),"
    " lateral pgthreads.append_thread(t.owner, %s, %s::jsonb) as a"
)


@dataclass(frozen=True)
class _Filled:
    """The threads of the database; all owners have about equally many."""

    threads: int
    owners: int

    @classmethod
    def of(cls, messages: int, most: int) -> _Filled:
        """Return the threads that hold so many messages; there will be `most` at the end."""
        return cls(messages // _THREAD, max(1, most // _THREAD // _THREADS_OF_OWNER))

    def name(self, number: int) -> tuple[str, str]:
        """Return the owner and the state key of the thread of a number."""
        return f"owner-{number % self.owners}", f"thread-{number // self.owners}"

    def any(self) -> tuple[str, str]:
        """Return one of the threads."""
        return self.name(random.randrange(self.threads))


def _fill(database: Database, filled: _Filled, numbers: range) -> None:
    """Store these threads, in batches of one call; a few batches are repeated under new names."""
    with ExitStack() as stack:
        connection = connect(database, stack)
        connection.execute("set synchronous_commit = off")
        batches = [_batch() for _ in range(_POOL)]
        for number in numbers:
            for batch in random.sample(batches, _THREAD // _BATCH):
                connection.execute(_APPEND, (*filled.name(number), batch))


def _batch() -> str:
    return dumps([m for each in conversation(_BATCH) for m in each.messages()])


def _grow(database: Database, filled: _Filled, start: int) -> float:
    """Store the threads from a number on, by some processes; return the seconds."""
    processes = multiprocessing.get_context("forkserver")
    began = time.monotonic()
    fillers = [
        processes.Process(
            target=_fill, args=(database, filled, range(start + n, filled.threads, _FILLERS))
        )
        for n in range(_FILLERS)
    ]
    for filler in fillers:
        filler.start()
    for filler in fillers:
        filler.join()
    if any(filler.exitcode for filler in fillers):
        raise RuntimeError("a process that fills the database has failed")
    return time.monotonic() - began


def partition(database: Database, number: int) -> None:
    """Split the tables into so many partitions, as the script's head says."""
    files = ["-f", "db/optional/partition_by_owner.sql", "-f", "db/install.sql"]
    environment = {
        **os.environ,
        **database.environment(),
        "PGOPTIONS": f"-c pgthreads.partitions={number} -c client_min_messages=warning",
    }
    command: list[str | Path] = [
        programs.client("psql"),
        "-X",
        "-q",
        "-1",
        "-v",
        "ON_ERROR_STOP=1",
        *files,
    ]
    answer = subprocess.run(
        command,
        cwd=_ROOT,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if answer.returncode:
        raise RuntimeError(f"the partitions could not be made: {answer.stderr}")


def _turn(store: PgThreads, owner: str, thread: str) -> Call:
    """Return a turn in a thread, with the server's own two statements."""
    turn_id, exchange = new_id(), Exchange.new()
    begin = statement_of(
        lambda threads: threads.begin_turn(owner, thread, exchange.user(), turn_id, last=_WINDOW)
    )
    finish = statement_of(
        lambda threads: threads.complete_turn(
            owner,
            thread,
            turn_id,
            status="completed",
            usage={"inputTokens": 1200, "outputTokens": 420},
            error_code=None,
            message=exchange.answer(),
        )
    )
    first, second = store.call(begin), store.call(finish)
    return lambda: (first(), second())


def _load(store: PgThreads, owner: str, thread: str) -> Call:
    return store.call(statement_of(lambda threads: threads.read_thread(owner, thread, last=50)))


def _list(store: PgThreads, owner: str) -> Call:
    return store.call(statement_of(lambda threads: threads.list_threads(owner, limit=50)))


@dataclass(frozen=True)
class _Taken:
    """The cost of one call: seconds, CPU seconds of its backend, bytes of WAL."""

    seconds: float
    cpu: float
    wal: float

    @classmethod
    def by(cls, admin: Connection, store: PgThreads, calls: Sequence[Call]) -> _Taken:
        """Make the calls; return the medians of time and backend's CPU, and the mean of WAL."""
        pid = [store.connection.info.backend_pid]
        start_of_wal, seconds, cpu = _position(admin), [], []
        for call in calls:
            before, start = cluster.cpu_seconds(pid), time.perf_counter()
            call()
            seconds.append(time.perf_counter() - start)
            cpu.append(cluster.cpu_seconds(pid) - before)
        wal = (_position(admin) - start_of_wal) / len(calls)
        return cls(statistics.median(seconds), statistics.median(cpu), wal)


def _position(admin: Connection) -> int:
    row = admin.execute("select pg_current_wal_insert_lsn() - '0/0'").fetchone()
    return int(row[0]) if row else 0


@dataclass(frozen=True)
class _Size:
    """The sizes of the tables, as PostgreSQL reports them."""

    tables: int
    indexes: int

    @classmethod
    def of(cls, admin: Connection) -> _Size:
        """Ask PostgreSQL for the sizes."""
        row = admin.execute(
            "select sum(pg_table_size(c.oid)), sum(pg_indexes_size(c.oid))"
            " from pg_class as c join pg_namespace as n on n.oid = c.relnamespace"
            " where n.nspname = 'pgthreads' and c.relkind = 'r'"
        ).fetchone()
        return cls(int(row[0]), int(row[1])) if row else cls(0, 0)

    @property
    def all(self) -> int:
        """Both."""
        return self.tables + self.indexes


def _sizes(most: int) -> list[int]:
    return [size for size in (most // 100, most // 10, most // 2, most) if size >= _THREAD]


def _growth(context: Context, database: Database, most: int) -> tuple[list[Row], Cost]:
    """Fill the database, and measure on the way."""
    admin = context.stack.enter_context(psycopg.connect(database.admin_dsn, autocommit=True))
    store = PgThreads(database, context.stack)
    cases: dict[str, Callable[[str, str], Call]] = {
        "turn": lambda owner, thread: _turn(store, owner, thread),
        "last 50 messages": lambda owner, thread: _load(store, owner, thread),
        "list of threads": lambda owner, _: _list(store, owner),
    }
    number = context.size(_CALLS, 5)
    rows: list[Row] = []
    first: dict[str, _Taken] = {}
    start = 0
    for size in _sizes(most):
        filled = _Filled.of(size, most)
        rate = (filled.threads - start) * _THREAD / _grow(database, filled, start)
        start = filled.threads
        began = time.monotonic()
        settle(database)
        vacuum = time.monotonic() - began
        stored = _Size.of(admin)
        figure = f"{bytes_text(stored.tables)} and {bytes_text(stored.indexes)} of indexes"
        rows.append(Row(f"{size:,} messages: stored", figure))
        rows.append(Row(f"filled by {_FILLERS} clients", f"{rate:,.0f} messages/s"))
        rows.append(Row("vacuum and analyse", time_text(vacuum)))
        for name, ready in cases.items():
            _Taken.by(admin, store, [ready(*filled.any()) for _ in range(10)])
            taken = _Taken.by(admin, store, [ready(*filled.any()) for _ in range(number)])
            growth = taken.cpu / first.setdefault(name, taken).cpu
            times = f"{time_text(taken.seconds)}, {time_text(taken.cpu)} of CPU"
            rows.append(Row(name, times, growth))
        print(report.text_table(Result("", "", [rows[-3 - len(cases) :]])), flush=True)
    # The same threads twice: the log has a whole page when it is first changed after a
    # checkpoint, and never again until the next one.
    names = [filled.any() for _ in range(number)]
    admin.execute("checkpoint")
    whole = _Taken.by(admin, store, [cases["turn"](*name) for name in names])
    usual = _Taken.by(admin, store, [cases["turn"](*name) for name in names])
    rows += [
        Row("turn: WAL", bytes_text(usual.wal)),
        Row("turn: WAL, first of its pages since a checkpoint", bytes_text(whole.wal)),
        Row("turn: stored", bytes_text(2 * stored.all / most)),
    ]
    return rows, Cost(usual.cpu, usual.wal, whole.wal, 2 * stored.all / most)


def _counts(context: Context) -> list[Row]:
    """Measure turns by the number of partitions, in small databases."""
    counts = (0, 4) if context.smoke else _COUNTS
    filled = _Filled(_POOL, _POOL)
    systems = []
    for number in counts:
        database = bench_database(context)
        if number:
            partition(database, number)
        _fill(database, filled, range(filled.threads))
        settle(database)
        systems.append(System(_count_name(number), _turns_of(context, database, filled)))
    samples = interleave(context, systems, context.rounds(60))
    base = _count_name(0)
    return [
        Row.of_ratio(each.name, samples.median(each.name), samples.ratio(each.name, base))
        for each in systems
    ]


def _count_name(number: int) -> str:
    return f"{number} partitions" if number else "not partitioned"


def _turns_of(context: Context, database: Database, filled: _Filled) -> Callable[[], Call]:
    store = PgThreads(database, context.stack)
    return lambda: _turn(store, *filled.any())


def _model(cost: Cost) -> str:
    columns = [Load(users, cost).lines() for users in _USERS]
    head = ["", *(f"{users:,} users" for users in _USERS)]
    rows = [[line[0][0], *(value for _, value in line)] for line in zip(*columns, strict=True)]
    return report.markdown_table([head, *rows])


def _run(arguments: argparse.Namespace) -> str:
    cores = cluster.split_cores()
    with ExitStack() as stack:
        server = stack.enter_context(cluster.running(cores))
        cluster.pin(0, cores.client)
        template = stack.enter_context(migrated_template(server))
        context = Context(
            server, template, cores, arguments.smoke, peers=False, asked_rounds=arguments.rounds
        )
        facts = cluster.facts(server, cores)
        print("\n".join(facts), flush=True)
        with ExitStack() as own:
            counts = Result(
                "Turns by the number of partitions",
                "The same turn in five small databases, one after another.",
                [_counts(replace(context, stack=own))],
            )
        print(report.text_table(counts), flush=True)
        with ExitStack() as own:
            database = bench_database(replace(context, stack=own))
            partition(database, _PARTITIONS)
            rows, cost = _growth(replace(context, stack=own), database, arguments.messages)
    growth = Result(
        f"{arguments.messages:,} messages in {_PARTITIONS} partitions",
        "Ratios are of the CPU of a call's backend, to that at the smallest size.",
        [rows],
    )
    print(report.text_table(growth), flush=True)
    model = _model(cost)
    print(f"\n{model}")
    return "\n\n".join(
        [
            "## The model",
            model,
            "## What was measured for it",
            "\n".join(f"- {fact}" for fact in facts),
            *(part for each in (growth, counts) for part in report.section(each)),
        ]
    )


def main(words: Sequence[str] | None = None) -> int:
    """Run what the command line asks for."""
    parser = argparse.ArgumentParser(prog="python -m bench.scaling", description=__doc__)
    parser.add_argument("--messages", type=int, default=10_000_000)
    parser.add_argument("--rounds", type=int, help="of turns by the number of partitions")
    parser.add_argument("--smoke", action="store_true", help="only see that it runs")
    parser.add_argument("--write", action="store_true", help=f"write {_DOCUMENT.name}")
    arguments = parser.parse_args(words)
    if arguments.smoke:
        arguments.messages = 10 * _THREAD
    if arguments.messages < 10 * _THREAD:
        parser.error(f"there have to be {10 * _THREAD} messages at least")
    if arguments.write and arguments.smoke:
        parser.error("--write is for a whole run")
    try:
        measured = _run(arguments)
    except NoDatabaseError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    if arguments.write:
        report.write(_DOCUMENT, measured)
        print(f"written: {_DOCUMENT}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
