"""Hash partitions by owner: the schema and the data stay the same for everybody."""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql

from pgthreads.postgres.migrate import migrate
from tests import programs
from tests.database import Database, load_pgtap
from tests.operations.chains import OWNERS, append, assert_grown, chains, fill, message
from tests.operations.chains import verify_by_schema as verify

ROOT = Path(__file__).resolve().parents[2]

FreshDatabase = Callable[..., Database]
Connect = Callable[..., psycopg.Connection[Any]]


def partition(database: Database) -> None:
    """Partition the tables as the head of the script says."""
    files = ["-f", "db/optional/partition_by_owner.sql", "-f", "db/install.sql"]
    answer = subprocess.run(
        [programs.client("psql"), "-X", "-q", "-1", "-v", "ON_ERROR_STOP=1", *files],
        cwd=ROOT,
        env={**os.environ, **database.environment()},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")


def names(database: Database) -> list[tuple[Any, ...]]:
    """Return columns, constraints, indexes, triggers, policies and grants of the three tables."""
    with psycopg.connect(database.admin_dsn) as connection:
        return connection.execute(
            """
            with t as (
              select c.oid, c.relname, c.relowner, c.relacl, c.relforcerowsecurity
              from pg_class as c
              where c.oid in ('pgthreads.thread'::regclass, 'pgthreads.message'::regclass,
                'pgthreads.turn'::regclass)
            )
            select t.relname, a.attname, format_type(a.atttypid, a.atttypmod),
              a.attnotnull::text, a.attcompression::text || pg_get_expr(d.adbin, d.adrelid),
              col_description(t.oid, a.attnum)
            from t
            join pg_attribute as a on a.attrelid = t.oid and a.attnum > 0
            left join pg_attrdef as d on d.adrelid = t.oid and d.adnum = a.attnum
            union all
            select t.relname, c.conname, pg_get_constraintdef(c.oid), c.contype::text, null, null
            from t join pg_constraint as c on c.conrelid = t.oid and c.contype <> 'n'
              and c.conparentid = 0
            union all
            select t.relname, i.relname, regexp_replace(pg_get_indexdef(i.oid), ' ONLY', ''),
              null, null, null
            from t
            join pg_index as x on x.indrelid = t.oid
            join pg_class as i on i.oid = x.indexrelid
            union all
            select t.relname, g.tgname, pg_get_triggerdef(g.oid), null, null, null
            from t join pg_trigger as g on g.tgrelid = t.oid and not g.tgisinternal
            union all
            select t.relname, p.polname, pg_get_expr(p.polqual, p.polrelid),
              pg_get_expr(p.polwithcheck, p.polrelid), p.polcmd::text, p.polroles::text
            from t join pg_policy as p on p.polrelid = t.oid
            union all
            select t.relname, 'table', t.relowner::regrole::text, t.relacl::text,
              t.relforcerowsecurity::text, obj_description(t.oid, 'pg_class')
            from t
            order by 1, 2, 3
            """
        ).fetchall()


def test_the_tables_split_with_their_data(fresh_database: FreshDatabase, connect: Connect) -> None:
    database, plain = fresh_database(), fresh_database()
    fill(database.server_dsn)
    before = chains(database.admin_dsn)

    partition(database)

    assert chains(database.admin_dsn) == before
    assert names(database) == names(plain)
    with psycopg.connect(database.server_dsn, autocommit=True) as app:
        for owner in OWNERS:
            count = len(before[owner, "old1"])
            assert append(app, owner, "old1", message("after")) == count + 1
    assert_grown(before, chains(database.admin_dsn))
    assert migrate(database.admin_dsn) == []
    assert verify(database) == len(before)
    parts = connect(database.admin_dsn).execute("select distinct tableoid from pgthreads.message")
    assert len(parts.fetchall()) > 1


def test_a_partition_named_directly(fresh_database: FreshDatabase, connect: Connect) -> None:
    """A partition hides its rows from the owner role and the server, and nobody can change them."""
    database = fresh_database()
    fill(database.server_dsn)
    partition(database)
    admin = connect(database.admin_dsn)
    row = admin.execute("select tableoid::regclass::text from pgthreads.message").fetchone()
    assert row
    part = sql.SQL(row[0])

    for attack in ("update {} set message = '{{}}'", "delete from {}", "truncate {}"):
        for dsn in (database.admin_dsn, database.owner_dsn):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                connect(dsn).execute(sql.SQL(attack).format(part))
    owner = connect(database.owner_dsn)
    assert owner.execute(sql.SQL("select from {}").format(part)).fetchall() == []
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        connect(database.server_dsn).execute(sql.SQL("select from {}").format(part))


def test_the_view_needs_the_tenant_before_its_statement(
    fresh_database: FreshDatabase, connect: Connect
) -> None:
    """PostgreSQL chooses a plain query's partitions when it begins, before the tenant is set.

    If this fails, docs/operations.md can say something nicer.
    """
    database = fresh_database()
    fill(database.server_dsn)
    partition(database)
    app = connect(database.server_dsn)
    at_once = (
        "select v.* from pgthreads.set_tenant(%s) as t(owner)"
        " join pgthreads.ai_threads as v on v.owner_user_id = t.owner"
    )

    assert app.execute(at_once, [OWNERS[0]]).fetchall() == []
    with app.transaction():
        app.execute("select pgthreads.set_tenant(%s)", [OWNERS[0]])
        assert len(app.execute("select * from pgthreads.ai_threads").fetchall()) == 2
    app.execute("set enable_partition_pruning = off")
    assert len(app.execute(at_once, [OWNERS[0]]).fetchall()) == 2


# These tests are about tables without partitions.
WHOLE = {
    "ai_threads/contract.sql": "reads the view in the statement that sets the tenant, see above",
    "grow_only/disable_trigger.sql": "a partition's own trigger stops what the test wants to show",
    "thread_stats/counts.sql": "asks for the size of the table, not of its partitions",
}


@pytest.mark.timeout(300)
def test_pgtap_on_partitions(fresh_database: FreshDatabase) -> None:
    """The pgTAP tests of the schema, on partitioned tables."""
    folder = ROOT / "tests" / "pgtap"
    files = [
        str(f) for f in sorted(folder.rglob("*.sql")) if str(f.relative_to(folder)) not in WHOLE
    ]
    assert len(files) > 50
    database = fresh_database()
    partition(database)
    load_pgtap(database)

    assert shutil.which("pg_prove"), "pg_prove is missing"
    answer = subprocess.run(
        ["pg_prove", "--quiet", *files],
        cwd=ROOT,
        env={**os.environ, **database.environment()},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )

    assert answer.returncode == 0, answer.stdout
