"""What search costs an append, by design, and what a search takes by how much the owner has.

`python -m bench.search [--rounds N]`: takes a server as the tests do. The designs, each in a
database of its own, called in turn: none; as installed (`words`); the same with a GIN index on the
words; a GIN index on an expression over the message and no table beside it.
"""

from __future__ import annotations

import argparse
import itertools
import json
import random
import statistics
import time
from contextlib import ExitStack
from typing import Any, LiteralString

import psycopg
from tests.database import choose, migrated_template, new_database, start_server

from pgthreads.migrate import migrate

_APPEND: LiteralString = (
    "select a.* from pgthreads.set_tenant(%s) as t(owner),"
    " lateral pgthreads.append_thread(t.owner, %s, %s::jsonb) as a"
)
_SEARCH: LiteralString = (
    "select s.* from pgthreads.set_tenant(%s) as t(owner),"
    " lateral pgthreads.search_threads(t.owner, %s) as s"
)
_GIN: LiteralString = "create index on pgthreads.message_search using gin (tsv)"
_EXPRESSION: LiteralString = (
    "create index on pgthreads.message using gin"
    " (pgthreads.message_words('pg_catalog.english', message))"
)
_DROP: LiteralString = """
    drop trigger message_search_messages on pgthreads.message;
    drop trigger message_search_title on pgthreads.thread;
"""
# Words as rare as words are: the n-th has 1/n of the first one's frequency.
_WORDS = ["".join(random.Random(n).choices("aeioubcdlmnrst", k=2 + n % 9)) for n in range(20_000)]
_WEIGHTS = list(itertools.accumulate(1 / (n + 1) for n in range(20_000)))
_ids = itertools.count()


def _message(characters: int = 1400) -> str:
    words = random.choices(_WORDS, cum_weights=_WEIGHTS, k=characters // 6)
    part = {"type": "text", "text": " ".join(words)}
    return json.dumps([{"id": f"m{next(_ids)}", "role": "user", "parts": [part]}])


def _timed(connection: psycopg.Connection[Any], statement: LiteralString, *values: str) -> float:
    start = time.perf_counter()
    connection.execute(statement, values).fetchall()
    return time.perf_counter() - start


def _wal(connection: psycopg.Connection[Any]) -> int:
    row = connection.execute("select pg_current_wal_insert_lsn() - '0/0'").fetchone()
    return int((row or (0,))[0])


def _design(dsn: str, name: str) -> None:
    if name == "none":
        return
    migrate(dsn, optional=["search"])
    with psycopg.connect(dsn, autocommit=True) as admin:
        if name == "words and GIN":
            admin.execute(_GIN)
        elif name == "GIN expression":
            admin.execute(_DROP)
            admin.execute(_EXPRESSION)


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.search", description=__doc__)
    parser.add_argument("--rounds", type=int, default=2000)
    rounds = parser.parse_args().rounds
    names = ["none", "words", "words and GIN", "GIN expression"]
    with ExitStack() as stack:
        server = stack.enter_context(start_server(choose()))
        template = stack.enter_context(migrated_template(server))
        connections = {}
        for name in names:
            dsn = stack.enter_context(new_database(server, template)).admin_dsn
            _design(dsn, name)
            connections[name] = stack.enter_context(
                psycopg.connect(dsn, autocommit=True, prepare_threshold=0)
            )
        seconds: dict[str, list[float]] = {name: [] for name in names}
        wal = dict.fromkeys(names, 0)
        for turn in range(rounds):
            body, thread = _message(), f"t{turn // 50}"
            for name in random.sample(names, len(names)):
                connection = connections[name]
                before = _wal(connection)
                seconds[name].append(_timed(connection, _APPEND, "ada", thread, body))
                wal[name] += _wal(connection) - before
        print(f"{server.label}\nappend of one message of 1.4 KB, {rounds} rounds")
        base = statistics.median(seconds["none"])
        for name in names:
            median = statistics.median(seconds[name])
            print(
                f"  {name:16}{median * 1e6:6.0f} µs {median / base:5.2f}"
                f"   {wal[name] / rounds / 1024:5.1f} KB of WAL"
            )
        words = connections["words"]
        print("search_threads, two words of medium frequency and 20 rows")
        for size in (100, 1_000, 10_000):
            owner = f"owner-{size}"
            for place in range(size):
                _timed(words, _APPEND, owner, f"t{place // 50}", _message())
            words.execute("vacuum analyze pgthreads.message_search")
            taken = [
                _timed(words, _SEARCH, owner, " ".join(random.sample(_WORDS[100:400], 2)))
                for _ in range(50)
            ]
            print(f"  {size:6} messages {statistics.median(taken) * 1e3:7.2f} ms")


if __name__ == "__main__":
    main()
