"""A PostgreSQL cluster that can be killed, shut down and started again on the same port."""

from __future__ import annotations

import asyncio
import os
import secrets
import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import LiteralString

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from pgthreads.postgres.migrate import migrate
from tests import programs
from tests.database import (
    APP_ROLE,
    Database,
    NoDatabaseError,
    _account,
    _init_cluster,
    _running,
    cluster_home,
    free_port,
    prepared,
    wait_until_it_answers,
)

LEASE_SECONDS = 1.5
_START_ATTEMPTS = 20
_STOP_SECONDS = 30.0


class Cluster:
    """A running cluster in `home`, with one migrated database whose leases are short.

    `set_clock` makes its clock differ by so many seconds, if it has one of its own (clock.py).
    """

    def __init__(self, folder: Path, home: Path, **settings: str) -> None:
        self.port = free_port()
        self.set_clock: Callable[[float], None] | None = None
        self._folder = folder
        self._home = home
        self._settings = settings
        self._password = secrets.token_urlsafe(16)
        self._running = ExitStack()
        self._keeper: subprocess.Popen[bytes] | None = None
        self._conninfo = make_conninfo(
            host="127.0.0.1",
            port=self.port,
            user="postgres",
            password=self._password,
            dbname="postgres",
            sslmode="disable",
            gssencmode="disable",
        )
        _init_cluster(folder, home, self._password, _account())
        self._start()
        self.database = self._make_database()

    @property
    def pid(self) -> int:
        """The pid of the running postmaster."""
        return int((self._home / "data" / "postmaster.pid").read_text().split()[0])

    async def connections(self) -> int:
        """Return how many sessions the application has."""
        ((count,),) = await self._rows(
            "select count(*)::int from pg_stat_activity where usename = %s", APP_ROLE
        )
        assert isinstance(count, int)
        return count

    async def journal_rows(self) -> int:
        """Return how many rows the journal has."""
        dsn = self.database.admin_dsn
        async with await psycopg.AsyncConnection.connect(dsn, connect_timeout=5) as connection:
            cursor = await connection.execute("select count(*)::int from pgthreads.journal")
            ((count,),) = await cursor.fetchall()
        return int(count)

    async def kill(self) -> None:
        """`kill -9` the postmaster, then recover; its children end when they notice."""
        await self._end(signal.SIGKILL)

    async def shut_down_immediately(self) -> None:
        """Shut down without a checkpoint, then recover."""
        await self._end(signal.SIGQUIT)

    async def restart(self) -> None:
        """Shut down as `pg_ctl restart` does, every session ended, and start again."""
        await self._end(signal.SIGINT)

    async def kill_backend(self) -> None:
        """`kill -9` one session's process: the postmaster ends all others and recovers."""
        pids = await self._rows(
            "select pid from pg_stat_activity where usename = %s order by random() limit 1",
            APP_ROLE,
        )
        for (pid,) in pids:
            _signal(int(str(pid)), signal.SIGKILL)

    async def terminate_backends(self, share: float) -> None:
        """Call `pg_terminate_backend` on about this share of the application's sessions."""
        await self._rows(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where usename = %s and random() < %s",
            APP_ROLE,
            share,
        )

    async def reap(self) -> None:
        """Close abandoned turns, as an operator's job does."""
        async with await psycopg.AsyncConnection.connect(
            self.database.maintenance_dsn, autocommit=True, connect_timeout=5
        ) as connection:
            await connection.execute("select count(*) from pgthreads.reap_turns(100)")

    def stop(self) -> None:
        """Stop the cluster."""
        self._running.close()

    def _start(self) -> None:
        for attempt in range(_START_ATTEMPTS):
            try:
                self._keeper = self._running.enter_context(
                    _running(self._folder, self._home, self.port, _account(), self._settings)
                )
                wait_until_it_answers(self._conninfo, self._check)
            except NoDatabaseError:
                # For a moment, children of a killed postmaster still hold its memory.
                self._running.close()
                if attempt == _START_ATTEMPTS - 1:
                    raise
                time.sleep(0.1)
            else:
                return

    def _check(self) -> None:
        if self._keeper is not None and self._keeper.poll() is not None:
            log = (self._home / "log").read_text(errors="replace")
            raise NoDatabaseError(f"PostgreSQL did not start:\n{log}")

    async def _end(self, number: signal.Signals) -> None:
        _signal(self.pid, number)
        await asyncio.to_thread(self._wait_and_start)

    def _wait_and_start(self) -> None:
        assert self._keeper is not None
        self._keeper.wait(_STOP_SECONDS)
        self._running.close()
        self._start()

    def _make_database(self) -> Database:
        server = prepared(self._conninfo, "a cluster of the fault suite")
        database = Database("faults", server)
        with psycopg.connect(self._conninfo, autocommit=True) as connection:
            connection.execute("create database faults")
        migrate(database.admin_dsn)
        with psycopg.connect(database.admin_dsn, autocommit=True) as connection:
            connection.execute(
                sql.SQL("grant pgthreads_server to {}").format(sql.Identifier(APP_ROLE))
            )
            connection.execute(
                "update pgthreads.config set lease = make_interval(secs => %s)", [LEASE_SECONDS]
            )
        return database

    async def _rows(self, statement: LiteralString, *values: object) -> list[tuple[object, ...]]:
        async with await psycopg.AsyncConnection.connect(
            self._conninfo, autocommit=True, connect_timeout=5
        ) as connection:
            cursor = await connection.execute(statement, values)
            return await cursor.fetchall()


@contextmanager
def new_cluster(**settings: str) -> Iterator[Cluster]:
    """Yield a cluster of the newest PostgreSQL that is available; it ends with this process."""
    folder = programs.server_folder() or programs.wheel_folder()
    if folder is None:
        raise programs.MissingProgramError("no PostgreSQL server is installed here")
    with cluster_home() as home:
        cluster = Cluster(folder, home, **settings)
        try:
            yield cluster
        finally:
            cluster.stop()


def _signal(pid: int, number: signal.Signals) -> None:
    with suppress(ProcessLookupError):
        os.kill(pid, number)
