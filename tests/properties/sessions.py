"""Several sessions of one database, each in a thread of its own, so that they can wait."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Self

import psycopg

from tests.properties.calls import Call
from tests.properties.world import Outcome

PATIENCE_SECONDS = 30.0
"""After so many seconds a statement should have ended, or be seen waiting."""

_BLOCKERS = "select p.pid, pg_blocking_pids(p.pid) from unnest(%s::int[]) as p(pid)"


class Session:
    """A connection whose statements run beside those of others. It is not used while busy."""

    def __init__(self, dsn: str) -> None:
        self._connection = psycopg.connect(dsn, autocommit=True)
        self._connection.execute(f"set statement_timeout = '{PATIENCE_SECONDS}s'")
        self._worker = ThreadPoolExecutor(1)
        self.pid = self._connection.info.backend_pid
        self.pending: Future[Outcome] | None = None

    @property
    def is_idle_in_transaction(self) -> bool:
        """Whether it is idle in an open transaction, and so may block others for long."""
        if self.pending is not None and not self.pending.done():
            return False
        return self._connection.info.transaction_status != psycopg.pq.TransactionStatus.IDLE

    def start(self, call: Call, *, savepoint: bool) -> None:
        """Send a statement."""
        self.pending = self._worker.submit(self._run, call, savepoint)

    def result(self) -> Outcome:
        """Wait for what was sent."""
        assert self.pending is not None
        outcome = self.pending.result(2 * PATIENCE_SECONDS)
        self.pending = None
        return outcome

    def command(self, statement: Any) -> None:
        """Run `begin`, `commit` or `rollback`."""
        self._connection.execute(statement)

    def close(self) -> None:
        """Close the connection."""
        self._worker.shutdown()
        self._connection.close()

    def _run(self, call: Call, savepoint: bool) -> Outcome:
        try:
            if savepoint:
                self._connection.execute("savepoint before")
            rows = self._connection.execute(call.statement, call.values).fetchall()
            if savepoint:
                self._connection.execute("release savepoint before")
        except psycopg.Error as error:
            if savepoint:
                # Released as well: otherwise a later error would only end the savepoint.
                self._connection.execute("rollback to savepoint before; release savepoint before")
            return error.sqlstate or repr(error)
        return rows


class Sessions:
    """Several sessions of one login, and an administrator who sees who waits for whom."""

    def __init__(self, dsn: str, admin_dsn: str, count: int) -> None:
        self.admin = psycopg.connect(admin_dsn, autocommit=True)
        self.all: Sequence[Session] = [Session(dsn) for _ in range(count)]

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        for session in self.all:
            session.close()
        self.admin.close()

    def __getitem__(self, number: int) -> Session:
        return self.all[number]

    def settle(self) -> None:
        """Return when every statement has ended or waits for a session that does nothing."""
        deadline = time.monotonic() + PATIENCE_SECONDS
        while True:
            running = [s for s in self.all if s.pending is not None and not s.pending.done()]
            if not running or len(self._stuck(running)) == len(running):
                return
            assert time.monotonic() < deadline, "a statement neither ends nor waits"
            time.sleep(0.001)

    def reset(self) -> None:
        """Roll back what is open, until nothing runs or waits."""
        self.settle()
        while any(session.is_idle_in_transaction for session in self.all):
            for session in self.all:
                if session.is_idle_in_transaction:
                    session.command("rollback")
            self.settle()
        for session in self.all:
            session.pending = None

    def _stuck(self, running: Sequence[Session]) -> set[int]:
        # A session that was idle before is still idle; a waiting one may have ended in between.
        blocking = {s.pid for s in self.all if s.is_idle_in_transaction}
        rows = self.admin.execute(_BLOCKERS, ([s.pid for s in running],)).fetchall()
        blockers = {pid: set(found) for pid, found in rows}
        stuck: set[int] = set()
        while True:
            more = {pid for pid, found in blockers.items() if found & blocking} - stuck
            if not more:
                return stuck
            stuck |= more
            blocking |= more
