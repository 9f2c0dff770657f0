"""Following changes on a standby, over its promotion, and over a crash of PostgreSQL."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from pgthreads.postgres.migrate import migrate
from tests.database import Database, Server, new_database, prepared
from tests.operations.chains import append, message
from tests.operations.clusters import copied_cluster, folder_for, wait_for_replay
from tests.server.own_postgres import OwnPostgres, own_postgres


@pytest.fixture
def primary(database_server: Server) -> Iterator[OwnPostgres]:
    with own_postgres(folder_for(database_server)) as running:
        yield running


@pytest.fixture
def stored(primary: OwnPostgres) -> Iterator[Database]:
    with new_database(prepared(primary.conninfo, "the primary")) as database:
        migrate(database.admin_dsn)
        with psycopg.connect(database.admin_dsn, autocommit=True) as admin:
            admin.execute("grant pgthreads_server to app_login")
        yield database


def write(dsn: str, key: str) -> None:
    with psycopg.connect(dsn) as connection:
        append(connection, "ada", key, message("m1"))


def look(dsn: str, cursor: str | None) -> tuple[str, set[str | None]]:
    """Return the next cursor, and the keys that have changed since this one."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        rows: list[tuple[Any, ...]] = connection.execute(
            "select n.cursor, c.state_key, c.version from pgthreads.change_cursor(%(cursor)s) as n"
            " (cursor) left join lateral (select c.state_key, c.version"
            " from pgthreads.set_tenant('ada') as t(owner),"
            " lateral pgthreads.changed_threads(t.owner, %(cursor)s) as c) as c on true",
            {"cursor": cursor},
        ).fetchall()
    return rows[0][0], {key for _, key, version in rows if version is not None}


def test_a_standby_tells_what_it_has_replayed(primary: OwnPostgres, stored: Database) -> None:
    folder = folder_for(prepared(primary.conninfo, "the primary"))
    with copied_cluster(folder, primary.conninfo, "-R") as standby:
        copy = make_conninfo(standby, dbname=stored.name)
        write(stored.admin_dsn, "before")
        wait_for_replay(primary.conninfo, standby)
        cursor, _ = look(copy, None)
        with psycopg.connect(stored.admin_dsn) as late:
            append(late, "ada", "late", message("m1"))
            write(stored.admin_dsn, "early")
            wait_for_replay(primary.conninfo, standby)
            cursor, keys = look(copy, cursor)
            assert keys == {"early"}
            wait_for_replay(primary.conninfo, standby)
        wait_for_replay(primary.conninfo, standby)
        cursor, keys = look(copy, cursor)
        assert "late" in keys
        # A cursor of the primary says nothing about the standby, and the other way round.
        of_primary, _ = look(stored.admin_dsn, None)
        assert look(copy, of_primary)[1] == {None}
        assert look(stored.admin_dsn, cursor)[1] == {None}
        with psycopg.connect(standby, autocommit=True) as admin:
            assert admin.execute("select pg_promote(true, 20)").fetchone() == (True,)
        write(copy, "promoted")
        assert look(copy, cursor)[1] >= {"promoted"}


def test_a_crash_ends_all_cursors(primary: OwnPostgres, stored: Database) -> None:
    cursor, _ = look(stored.admin_dsn, None)
    write(stored.admin_dsn, "before")
    assert look(stored.admin_dsn, cursor)[1] == {"before"}
    primary.stop(signal.SIGINT)
    primary.start()
    # A clean restart changes nothing.
    assert look(stored.admin_dsn, cursor)[1] == {"before"}
    primary.stop(signal.SIGQUIT)
    primary.start()
    # Transaction ids may be given out again.
    assert look(stored.admin_dsn, cursor)[1] == {None}
