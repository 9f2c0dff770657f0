"""What one call costs a backend of PostgreSQL: its CPU time, and the memory that it adds."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psycopg

from tests.cost.calls import Call

TIMEOUT = 30
"""Seconds after which a call is given up; its cost is what it has taken until then."""


@dataclass(frozen=True)
class Cost:
    """CPU seconds and bytes; `end` is "done", or the SQLSTATE that the call ended with."""

    seconds: float
    memory: int
    end: str


def measure(dsn: str, call: Call, value: str) -> Cost | None:
    """Return what the call costs a backend of its own; None if the statement before it is refused.

    What comes before the call is done, committed and removed again by another backend, because
    memory that a backend has had before would not count as added. Memory is the most that the
    backend has had at once beyond what it had before, pages of shared buffers aside. Where /proc
    does not show the backend, the time is that of the clock, and the memory is 0.
    """
    values = {"input": value}
    with (
        psycopg.connect(dsn, prepare_threshold=None) as connection,
        psycopg.connect(dsn, prepare_threshold=None) as other,
    ):
        # Plans and the caches of the catalogue are not a cost of this input.
        _warm(connection, call)
        try:
            for statement in call.before:
                other.execute(statement, values)
            other.commit()
        except psycopg.Error:
            other.rollback()
            return None
        try:
            connection.execute(f"set local statement_timeout = '{TIMEOUT}s'".encode())
            process = Path("/proc") / str(connection.info.backend_pid)
            before = _Usage.of(process)
            end = "done"
            begun = time.perf_counter()
            try:
                connection.execute(call.statement, values)
            except psycopg.Error as error:
                end = error.sqlstate or "lost"
            elapsed = time.perf_counter() - begun
            after = _Usage.of(process, peak=True)
            connection.rollback()
        finally:
            # Also what a call has left that was rolled back: dead rows make the next one slower.
            _clear(other)
        if before is None or after is None:
            return Cost(elapsed, 0, end)
        return Cost(after.seconds - before.seconds, max(0, after.memory - before.memory), end)


def _warm(connection: psycopg.Connection, call: Call) -> None:
    values: Mapping[str, str] = {"input": _SMALL[call.domain]}
    try:
        for statement in (*call.before, call.statement):
            connection.execute(statement, values)
    except psycopg.Error:
        # It was refused, but the caches are filled now.
        pass
    connection.rollback()


def _clear(connection: psycopg.Connection) -> None:
    """Empty the tables of tenants' data, whatever protects them."""
    connection.execute("set local session_replication_role = replica")
    connection.execute("set local client_min_messages = error")
    connection.execute(
        """
        do $$
        begin
          execute (
            select format('truncate %s cascade', string_agg(c.oid::regclass::text, ', '))
            from pg_class as c
            join pg_attribute as a on a.attrelid = c.oid and a.attname = 'owner_user_id'
            where c.relnamespace = 'pgthreads'::regnamespace and c.relkind in ('r', 'p')
          );
        end
        $$
        """
    )
    connection.commit()


_MESSAGE = '{"id": "w", "role": "user", "parts": [{"type": "text", "text": "4111 1111 sk-ant-"}]}'
_SMALL = {
    "text": "abc",
    "json": "[1]",
    "message": _MESSAGE,
    "question": _MESSAGE,
    "waiting": _MESSAGE,
    "messages": f"[{_MESSAGE}]",
    "object": '{"a": 1}',
    "frames": 'data: {"type": "text-start", "id": "1"}\n\n',
    "history": "[0, 1, 1]",
}


@dataclass(frozen=True)
class _Usage:
    seconds: float
    memory: int

    @classmethod
    def of(cls, process: Path, *, peak: bool = False) -> _Usage | None:
        """Read it; `peak` is the most memory since this was called last."""
        try:
            spent = int((process / "schedstat").read_text().split()[0]) / 1e9
            lines = (process / "status").read_text().splitlines()
            if not peak:
                (process / "clear_refs").write_text("5")
        except OSError:
            return None
        kilobytes = {
            name: int(rest.split()[0])
            for name, _, rest in (each.partition(":") for each in lines)
            if name in ("VmHWM", "VmRSS", "RssShmem")
        }
        whole = kilobytes["VmHWM" if peak else "VmRSS"]
        return cls(spent, 1024 * (whole - kilobytes["RssShmem"]))
