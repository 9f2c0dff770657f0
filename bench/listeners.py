"""Clients that listen for changes of their threads while hardly anything changes."""

from __future__ import annotations

import asyncio
import json
import statistics
import time
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

import jwt
import psycopg
from tests.database import Database

from bench import cluster
from bench.harness import Context
from bench.report import Bar, Row
from bench.service import Service, serving
from bench.stores import bench_database

_LISTENERS = 1_000
_THREADS = 20
_SECONDS = 30.0
_CHANGES = 20
_SECRET = "a secret for tokens of benchmarks"  # noqa: S105


@dataclass(frozen=True)
class _Seen:
    """CPU is in cores; memory is in bytes for each listener; delays are in seconds."""

    server: float
    database: float
    memory: float
    delays: Sequence[float]


class Listeners:
    """Idle listeners: CPU and memory, and the delay of a change."""

    name = "listeners"
    title = f"{_LISTENERS:,} clients that listen for changes"
    about = (
        f"{_LISTENERS:,} users with {_THREADS} threads each, and one client of each that reads"
        " `GET /api/v1/ai/events` of one worker. Nothing changes for"
        f" {_SECONDS:.0f} seconds, in which CPU is measured, signs of life and all ticks included."
        f" Then {_CHANGES} threads of one user are renamed by SQL, and the delay is from the commit"
        " until the client has the event."
    )

    def run(self, context: Context) -> list[Row]:
        """Measure the listeners."""
        if not cluster.sees_processes():
            return []
        listeners, seconds = (20, 1.0) if context.smoke else (_LISTENERS, _SECONDS)
        database = bench_database(context)
        _store(database, listeners)
        options = ("--auth", "jwt", "--jwt-secret", _SECRET)
        with serving(database, context.cores.server, *options) as service:
            seen = asyncio.run(_run(service, database, context.server.conninfo, listeners, seconds))
        late = 1e3 * statistics.median(seen.delays)
        worst = 1e3 * max(seen.delays)
        return [
            Row("CPU of the worker", "", 100 * seen.server, unit=" % of a core"),
            Row("CPU of PostgreSQL", "", 100 * seen.database, unit=" % of a core"),
            Row("memory of each", "", seen.memory / 1024, bar=Bar(64), unit=" KB"),
            Row("delay of a change", f"at most {worst:.0f} ms", late, bar=Bar(1000), unit=" ms"),
        ]


def _user(number: int) -> str:
    return f"user-{number:05}"


def _store(database: Database, users: int) -> None:
    """Store threads that were written to an hour ago."""
    with psycopg.connect(database.admin_dsn, autocommit=True) as admin:
        admin.execute(
            "insert into pgthreads.thread (owner_user_id, state_key, updated_at, recent_at)"
            " select 'user-' || lpad(u::text, 5, '0'), 'k' || t, now() - interval '1 hour',"
            " now() - interval '1 hour' from generate_series(0, %s - 1) as u"
            " cross join generate_series(1, %s) as t",
            [users, _THREADS],
        )
        admin.execute("vacuum analyze pgthreads.thread")


async def _listen(port: int, user: str) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port, limit=4096)
    token = jwt.encode({"sub": user, "exp": int(time.time()) + 3600}, _SECRET, "HS256")
    writer.write(
        b"GET /api/v1/ai/events HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        b"Authorization: Bearer %b\r\n\r\n" % token.encode()
    )
    head = await reader.readuntil(b"\r\n\r\n")
    if not head.startswith(b"HTTP/1.1 200"):
        raise RuntimeError(f"the server answered {head!r}")
    while b"event: ready" not in await reader.readline():
        pass
    return reader, writer


async def _run(
    service: Service, database: Database, conninfo: str, number: int, seconds: float
) -> _Seen:
    async with AsyncExitStack() as stack:
        # What is loaded or allocated only once does not belong to a listener.
        for user in range(5):
            _, writer = await _listen(service.port, _user(user))
            writer.close()
        await asyncio.sleep(1)
        held = cluster.resident_bytes(service.pids())
        readers = []
        for user in range(number):
            reader, writer = await _listen(service.port, _user(user))
            stack.callback(writer.close)
            readers.append(reader)
        for reader in readers[1:]:
            stack.callback(asyncio.create_task(reader.read(-1)).cancel)
        await asyncio.sleep(0.1 * seconds)
        processes = (service.pids(), cluster.server_processes(conninfo))
        used = [cluster.cpu_seconds(each) for each in processes]
        begun = time.monotonic()
        await asyncio.sleep(seconds)
        passed = time.monotonic() - begun
        cores = [
            (cluster.cpu_seconds(each) - before) / passed
            for each, before in zip(processes, used, strict=True)
        ]
        held = cluster.resident_bytes(service.pids()) - held
        delays = [await _delay(database, readers[0], change) for change in range(_CHANGES)]
        return _Seen(cores[0], cores[1], held / number, delays)


async def _delay(database: Database, reader: asyncio.StreamReader, number: int) -> float:
    def rename() -> None:
        with psycopg.connect(database.server_dsn, autocommit=True) as connection:
            connection.execute(
                "select u.title from pgthreads.set_tenant(%s) as t(owner),"
                " lateral pgthreads.update_thread(t.owner, 'k1', %s) as u",
                [_user(0), f"title {number}"],
            )

    await asyncio.sleep(0.13)
    await asyncio.to_thread(rename)
    begun = time.monotonic()
    expected = json.dumps({"title": f"title {number}"})[1:-1].encode()
    while expected not in await asyncio.wait_for(reader.readline(), 10):
        pass
    return time.monotonic() - begun
