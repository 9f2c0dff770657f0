"""The SQL functions for operators, one method each; docs/sql-api.md says what they do.

They work across tenants, so the caller has to be a member of `pgthreads_maintenance`, or a
superuser. Each call is one transaction: if a loop over batches is stopped, what it has done stays
done.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import LiteralString, TypeVar

import psycopg
from psycopg.rows import class_row

from ..errors import OperatorError

Row = TypeVar("Row")


class MaintenanceError(OperatorError):
    """The database refused the call."""


@dataclass(frozen=True, slots=True)
class Purged:
    """What one batch of `purge_threads` removed; `more` says whether it was full."""

    threads: int
    messages: int
    turns: int
    bytes: int
    more: bool


@dataclass(frozen=True, slots=True)
class PurgedTurns:
    """What one batch of `purge_turns` removed; `more` says whether it was full."""

    turns: int
    late_answers: int
    more: bool


@dataclass(frozen=True, slots=True)
class VerifiedThread:
    """What `verify_threads` found about a thread. `detail` is None if every digest fits."""

    owner_user_id: str
    state_key: str
    ok: bool
    checked: int
    bad_seq: int | None
    detail: str | None


@dataclass(frozen=True, slots=True)
class ReapedTurn:
    """A turn that `reap_turns` has ended."""

    owner_user_id: str
    state_key: str
    turn_id: str
    lease_until: datetime


@dataclass(frozen=True, slots=True)
class ThreadStats:
    """Counts, and the tables' sizes on disk in bytes.

    `dead_turns` are turns that count as running although their lease has ended, and `open_answers`
    are those that wait for a person or for a client.
    """

    owners: int
    threads: int
    deleted_threads: int
    due_threads: int
    messages: int
    running_turns: int
    dead_turns: int
    oldest_turn: timedelta | None
    thread_bytes: int
    message_bytes: int
    turn_bytes: int
    waiting_messages: int
    late_answers: int
    journal_bytes: int
    late_answer_bytes: int
    open_answers: int
    oldest_open_answer: timedelta | None


@dataclass(frozen=True, slots=True)
class NotedVerification:
    """When `note_verification` was called, by the clock of the database."""

    finished_at: datetime


class Maintenance:
    """The operators' functions over one autocommit connection. Each raises MaintenanceError."""

    def __init__(self, connection: psycopg.Connection) -> None:
        self._connection = connection

    def purge_threads(self, deleted_before: str | None = None, batch: int = 100) -> Purged:
        """Remove a batch of threads that were deleted long enough ago.

        `deleted_before` is an interval as PostgreSQL reads it. It can only lengthen the time that
        `retention` and `config` set.
        """
        (row,) = self._rows(
            "select p.threads, p.messages, p.turns, p.bytes, p.more"
            " from pgthreads.purge_threads(%s::interval, %s) as p",
            (deleted_before, batch),
            Purged,
        )
        return row

    def purge_turns(self, before: str | None = None, batch: int = 1000) -> PurgedTurns:
        """Remove a batch of finished turns and late answers that are old enough.

        `before` is an interval as PostgreSQL reads it. It can only lengthen the time that `config`
        sets.
        """
        (row,) = self._rows(
            "select p.turns, p.late_answers, p.more"
            " from pgthreads.purge_turns(%s::interval, %s) as p",
            (before, batch),
            PurgedTurns,
        )
        return row

    def verify_threads(
        self, owner_user_id: str | None = None, batch: int = 100
    ) -> Iterator[list[VerifiedThread]]:
        """Verify all threads, or one owner's, page by page."""
        after: tuple[str | None, str | None] = (None, None)
        while page := self._rows(
            "select v.owner_user_id, v.state_key, v.ok, v.checked, v.bad_seq, v.detail"
            " from pgthreads.verify_threads(%s, %s, %s, %s) as v",
            (owner_user_id, batch, *after),
            VerifiedThread,
        ):
            yield page
            after = (page[-1].owner_user_id, page[-1].state_key)

    def reap_turns(self, batch: int = 100, grace: str = "0") -> list[ReapedTurn]:
        """End a batch of running turns whose lease ended at least the interval `grace` ago."""
        return self._rows(
            "select r.owner_user_id, r.state_key, r.turn_id, r.lease_until"
            " from pgthreads.reap_turns(%s, %s::interval) as r",
            (batch, grace),
            ReapedTurn,
        )

    def thread_stats(self) -> ThreadStats:
        """Return counts and sizes."""
        # The columns are named because later releases may add more.
        columns: LiteralString = ", ".join(f"s.{each.name}" for each in fields(ThreadStats))
        statement: LiteralString = "select " + columns + " from pgthreads.thread_stats() as s"  # noqa: S608
        (row,) = self._rows(statement, (), ThreadStats)
        return row

    def note_verification(self, threads: int, bad: int) -> None:
        """Record for monitoring that all threads have just been verified."""
        self._rows(
            "select pgthreads.note_verification(%s, %s) as finished_at",
            (threads, bad),
            NotedVerification,
        )

    def _rows(
        self, statement: LiteralString, values: Sequence[object], row: type[Row]
    ) -> list[Row]:
        try:
            with self._connection.cursor(row_factory=class_row(row)) as cursor:
                return cursor.execute(statement, values).fetchall()
        except psycopg.Error as error:
            raise _explained(error, self._connection.info.user) from error


@contextmanager
def connected(conninfo: str) -> Iterator[Maintenance]:
    """Yield the functions over a new connection. Raises psycopg.OperationalError."""
    with psycopg.connect(
        conninfo,
        autocommit=True,
        connect_timeout=10,
        # This counts if neither the URL nor PGAPPNAME gives an application_name.
        fallback_application_name="pgthreads",
        # Behind a pooler in transaction mode there may be no prepared statements.
        prepare_threshold=None,
    ) as connection:
        yield Maintenance(connection)


def _explained(error: psycopg.Error, user: str) -> MaintenanceError:
    message = (error.diag.message_primary or str(error)).strip()
    hint = error.diag.message_hint or ""
    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        message = f"{user} is not a member of pgthreads_maintenance ({message})"
        hint = f'a superuser can run: grant pgthreads_maintenance to "{user}"'
    elif isinstance(error, psycopg.errors.InvalidSchemaName | psycopg.errors.UndefinedFunction):
        message = f"the schema pgthreads is missing, or older than this program ({message})"
        hint = "install or upgrade it with: pgthreads migrate"
    elif error.diag.message_detail:
        message = f"{message}: {error.diag.message_detail}"
    return MaintenanceError(message, hint)
