"""Any login can take advisory locks. Who waits for one names its holder; no call fails silently."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from tests.database import Database

OWNERS_LOCK = "select pg_advisory_lock(1886807154, hashtext('alice'))"
BEGIN = (
    "select from pgthreads.set_tenant('alice') as t (owner), lateral pgthreads.begin_turn(t.owner,"
    """ 'k', '{"id": "u1", "role": "user", "parts": [{"type": "text", "text": "hi"}]}', 't1')"""
)
WRITE = (
    "select w.end_offset from pgthreads.set_tenant('alice') as t (owner),"
    " lateral pgthreads.write_journal(t.owner, 'k', 't1', 0, 'frames') as w"
)
Connection = psycopg.Connection[Any]


@pytest.fixture
def other(server_dsn: str) -> Iterator[Connection]:
    """A login of the application that does something else."""
    with psycopg.connect(
        server_dsn, autocommit=True, application_name="careless", prepare_threshold=None
    ) as connection:
        yield connection


@pytest.fixture
def maintenance(database: Database) -> Iterator[Connection]:
    with psycopg.connect(database.maintenance_dsn, autocommit=True) as connection:
        yield connection


def _reports_of(connection: Connection) -> list[tuple[str, str, str]]:
    """Return what will be reported to the connection: severity, text, detail."""
    reports: list[tuple[str, str, str]] = []

    def keep(report: psycopg.errors.Diagnostic) -> None:
        facts = (report.severity_nonlocalized, report.message_primary, report.message_detail)
        reports.append((str(facts[0]), str(facts[1]), str(facts[2])))

    connection.add_notice_handler(keep)
    return reports


def test_a_journal_that_is_not_written_is_reported(server_dsn: str, other: Connection) -> None:
    with psycopg.connect(server_dsn, autocommit=True) as writer:
        reports = _reports_of(writer)
        writer.execute(BEGIN)
        other.execute(OWNERS_LOCK)
        assert writer.execute(WRITE).fetchall() == [(0,)]
        assert [text for _, text, _ in reports] == ["the journal of turn t1 is not written"]
        assert "(careless)" in reports[0][2]
        other.execute("select pg_advisory_unlock_all()")
        assert writer.execute(WRITE).fetchall() == [(6,)]
        assert len(reports) == 1


def test_an_erasure_says_who_keeps_it_waiting(other: Connection, maintenance: Connection) -> None:
    other.execute(BEGIN)
    other.execute(OWNERS_LOCK)
    maintenance.execute("set lock_timeout = '200ms'")
    with pytest.raises(psycopg.errors.LockNotAvailable) as caught:
        maintenance.execute("select pgthreads.erase_owner('alice')")
    assert "(careless)" in str(caught.value.diag.message_detail)
    other.execute("select pg_advisory_unlock_all()")
    erased = maintenance.execute("select pgthreads.erase_owner('alice') ->> 'threads'").fetchone()
    assert erased == ("1",)
    assert maintenance.execute("show lock_timeout").fetchone() == ("200ms",)


def test_two_purges_of_turns(
    database: Database, other: Connection, maintenance: Connection
) -> None:
    """The second purge says that it does nothing, and only maintenance can block a purge."""
    reports = _reports_of(maintenance)
    other.execute("select pg_advisory_lock(hashtextextended('pgthreads.purge_turns', 0))")
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        other.execute("begin; lock table pgthreads.retention in share update exclusive mode")
    other.rollback()
    maintenance.execute("select pgthreads.purge_turns()")
    assert not reports
    with psycopg.connect(database.maintenance_dsn) as first:
        first.execute("select pgthreads.purge_turns()")
        assert maintenance.execute(
            "select turns, more from pgthreads.purge_turns()"
        ).fetchone() == (
            0,
            False,
        )
        assert [severity for severity, _, _ in reports] == ["WARNING"]
        # Meanwhile somebody can edit holds without waiting.
        maintenance.execute("set lock_timeout = '1s'")
        maintenance.execute("insert into pgthreads.retention (owner_user_id) values ('alice')")
