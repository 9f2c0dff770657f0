"""Turns leave a bounded amount behind, and the first vacuum of a message freezes it."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from pgthreads.postgres.migrate import database_files, migrate
from tests.database import Database, Server, installed_cluster, prepared
from tests.operations.clusters import folder_for
from tests.operations.test_partitions import partition
from tests.server.command import wait_until

FreshDatabase = Callable[..., Database]

TURNS: LiteralString = """
do $$
declare
  v_key text;
  v_owner text;
begin
  for i in {}..{} loop
    v_key := left(md5(i::text), 20);
    v_owner := 'ann' || i % 50;
    perform pgthreads.set_tenant(v_owner);
    perform pgthreads.begin_turn(v_owner, v_key,
      '{{"id": "u", "role": "user", "parts": [{{"type": "text", "text": "hi"}}]}}', 't');
    perform pgthreads.finish_turn(v_owner, v_key, 't', 'completed', '{{"inputTokens": 2}}');
    commit;
  end loop;
end;
$$
"""


def run_turns(admin: psycopg.Connection[Any], first: int, last: int) -> None:
    admin.execute(TURNS.format(first, last).encode())


def value(admin: psycopg.Connection[Any], statement: LiteralString) -> Any:
    row = admin.execute(statement).fetchone()
    assert row
    return row[0]


@pytest.fixture
def admin(fresh_database: FreshDatabase) -> Iterator[psycopg.Connection[Any]]:
    database = fresh_database()
    with psycopg.connect(database.admin_dsn, autocommit=True) as connection:
        # As if vacuum came late: the scans for running turns have to be enough.
        connection.execute("alter table pgthreads.turn set (autovacuum_enabled = off)")
        yield connection


def test_the_index_of_running_turns_does_not_grow(admin: psycopg.Connection[Any]) -> None:
    """Entries of ended turns make room, even without vacuum."""
    # With many running turns another plan looks cheap, which marks no entries.
    run_turns(admin, 1, 300)
    admin.execute(
        "update pgthreads.turn set status = 'running', finished_at = null,"
        " lease_until = now() + interval '1 day'"
    )
    admin.execute("analyze pgthreads.turn")
    sizes = []
    for number in range(1, 5):
        run_turns(admin, number * 400, number * 400 + 399)
        # The first read marks the dead entries, so that insertions can take their places.
        admin.execute("select pgthreads.reap_turns()")
        sizes.append(value(admin, "select pg_relation_size('pgthreads.turn_one_running')"))
    assert sizes[-1] < 2 * sizes[0], sizes


def test_a_purge_reads_what_it_removes(admin: psycopg.Connection[Any]) -> None:
    """It does not read the table, and is cheap if nothing is due."""
    run_turns(admin, 1, 800)
    admin.execute(
        "update pgthreads.turn set finished_at = now() - interval '1 year'"
        " where state_key in (select left(md5(i::text), 20) from generate_series(1, 3) as i)"
    )
    admin.execute("analyze pgthreads.turn")

    def read() -> int:
        return int(
            value(
                admin,
                "select s.seq_tup_read + s.idx_tup_fetch from pg_stat_xact_user_tables as s"
                " where s.relid = 'pgthreads.turn'::regclass",
            )
        )

    for removed in (3, 0):
        with admin.transaction():
            before = read()
            row = admin.execute("select turns, more from pgthreads.purge_turns()").fetchone()
            assert row == (removed, False)
            assert read() - before <= 4 * removed + 4
    used: LiteralString = "select sum((usage ->> 'inputTokens')::int) from pgthreads.usage_total"
    assert value(admin, used) == 6


def test_a_purge_by_two_at_once(
    admin: psycopg.Connection[Any], connect: Callable[..., psycopg.Connection[Any]]
) -> None:
    """The second purge does not wait, and the totals count each turn once."""
    run_turns(admin, 1, 20)
    admin.execute("update pgthreads.turn set finished_at = now() - interval '1 year'")
    other = connect(admin.info.dsn, password=admin.info.password)
    other.execute("set lock_timeout = '1s'")
    with admin.transaction():
        assert value(admin, "select turns from pgthreads.purge_turns()") == 20
        assert value(other, "select turns from pgthreads.purge_turns()") == 0
    assert value(other, "select turns from pgthreads.purge_turns()") == 0
    assert value(other, "select sum(turns) from pgthreads.usage_total") == 20
    assert value(other, "select sum(turns) from pgthreads.owner_usage") == 20


def test_partitions_have_the_settings(fresh_database: FreshDatabase) -> None:
    """Also for a database that was partitioned before these settings existed."""
    database = fresh_database()
    partition(database)
    with psycopg.connect(database.admin_dsn, autocommit=True) as connection:

        def options() -> list[Any]:
            return connection.execute(
                "select distinct regexp_replace(relname, '_[0-9]+$', ''), reloptions"
                " from pg_class where relnamespace = 'pgthreads'::regnamespace and relispartition"
                " and relkind = 'r' order by 1"
            ).fetchall()

        expected = options()
        assert [name for name, _ in expected] == ["message", "thread", "turn"]
        assert "autovacuum_freeze_min_age=0" in expected[0][1]
        assert "autovacuum_vacuum_scale_factor=0.01" in expected[2][1]
        for number in range(16):
            connection.execute(
                f"alter table pgthreads.turn_{number} reset (autovacuum_vacuum_scale_factor,"
                f" vacuum_index_cleanup)".encode()
            )
        file = "0018_retention_of_turns.sql"
        block = (database_files() / "migrations" / file).read_text().split("\ndo $$")[1]
        connection.execute(f"do $${block}".encode())
        assert options() == expected


@contextmanager
def database_with_autovacuum(server: Server) -> Iterator[Database]:
    settings = {"autovacuum_naptime": "1s", "autovacuum": "on"}
    with installed_cluster(folder_for(server), **settings) as conninfo:
        own = prepared(conninfo, "a cluster with a quick autovacuum")
        migrate(make_conninfo(conninfo, dbname="postgres"))
        yield Database("postgres", own)


def test_autovacuum_freezes_messages(database_server: Server) -> None:
    """The first vacuum after inserts freezes them, and not one vacuum years later."""
    with (
        database_with_autovacuum(database_server) as database,
        psycopg.connect(database.admin_dsn, autocommit=True) as admin,
    ):
        message = json.dumps(
            {"id": "m", "role": "user", "parts": [{"type": "text", "text": "x" * 500}]}
        )
        admin.execute(
            "do $$ begin perform pgthreads.set_tenant('ann');"
            " perform pgthreads.append_thread('ann', 'k' || k, (select jsonb_agg("
            f" '{message}'::jsonb || jsonb_build_object('id', 'm' || i))"
            " from generate_series(1, 100) as i)) from generate_series(1, 30) as k;"
            " end $$".encode()
        )
        wait_until(
            lambda: value(
                admin,
                "select autovacuum_count from pg_stat_user_tables where relname = 'message'",
            ),
            60,
        )
        pages = value(admin, "select relpages from pg_class where relname = 'message'")
        assert pages > 100
        assert frozen_pages(admin) > 0.9 * pages


def frozen_pages(admin: psycopg.Connection[Any]) -> int:
    if admin.info.server_version >= 180000:
        return int(value(admin, "select relallfrozen from pg_class where relname = 'message'"))
    admin.execute("create extension if not exists pg_visibility")
    return int(
        value(admin, "select all_frozen from pg_visibility_map_summary('pgthreads.message')")
    )
