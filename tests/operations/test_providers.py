"""docs/providers.md: managed databases have no superuser, and an administrator with CREATEROLE."""

from __future__ import annotations

import subprocess
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo
from psycopg.types.json import Jsonb

from pgthreads.postgres.migrate import migrate
from tests import programs
from tests.operations.chains import message
from tests.server.test_install import new_clusters

ADMINISTRATORS = {
    "RDS and Cloud SQL": "createdb createrole",
    "Neon and Supabase": "createdb createrole bypassrls replication",
}
"""The attributes of a provider's administrator."""


@pytest.fixture(scope="module", params=new_clusters())
def cluster(request: pytest.FixtureRequest) -> Iterator[str]:
    start: Callable[[], AbstractContextManager[str]] = request.param
    with start() as conninfo:
        yield conninfo


@pytest.fixture(params=ADMINISTRATORS)
def administrator(cluster: str, request: pytest.FixtureRequest) -> Iterator[str]:
    """The administrator's connection string; the database is theirs, and they are in a group."""
    attributes = ADMINISTRATORS[request.param]
    with psycopg.connect(cluster, autocommit=True) as superuser:
        superuser.execute("create role provider_superuser nologin")
        superuser.execute(
            sql.SQL(
                "create role administrator login {} in role provider_superuser password 'a'"
            ).format(sql.SQL(attributes))
        )
        superuser.execute("create database managed owner administrator")
        yield make_conninfo(cluster, dbname="managed", user="administrator", password="a")
        superuser.execute("drop database managed with (force)")
        roles = superuser.execute(
            "select r.rolname from pg_roles as r where r.rolname !~ '^(pg_|postgres$)'"
        ).fetchall()
        names = sql.SQL(", ").join(sql.Identifier(role) for (role,) in roles)
        superuser.execute(sql.SQL("drop role {}").format(names))


def test_an_administrator_installs_and_applications_serve(administrator: str) -> None:
    assert migrate(administrator) != []
    assert migrate(administrator) == []
    with psycopg.connect(administrator, autocommit=True) as admin:
        admin.execute("create role app login password 'b' in role pgthreads_server")
        admin.execute("alter role app set lock_timeout = '2s'")
        admin.execute("create role job login password 'b' in role pgthreads_maintenance")

    app = make_conninfo(administrator, user="app", password="b")
    with psycopg.connect(app, autocommit=True) as connection:
        connection.execute("select pgthreads.require_server_role()")
        row = connection.execute(
            "select a.message_count from pgthreads.set_tenant('ada') as t(owner),"
            " lateral pgthreads.append_thread(t.owner, 'k', %s) as a",
            (Jsonb([message("m")]),),
        ).fetchone()
        assert row == (1,)
        assert connection.execute("select from pgthreads.ai_threads").fetchall() == []
    job = make_conninfo(administrator, user="job", password="b")
    with psycopg.connect(job, autocommit=True) as connection:
        found = connection.execute("select v.ok from pgthreads.verify_threads() as v").fetchall()
        assert found == [(True,)]


def test_the_server_refuses_a_login_that_a_console_has_made(administrator: str) -> None:
    migrate(administrator)
    with psycopg.connect(administrator, autocommit=True) as admin:
        admin.execute("create role app login createrole password 'b' in role pgthreads_server")
    app = make_conninfo(administrator, user="app", password="b")
    with (
        psycopg.connect(app) as connection,
        pytest.raises(psycopg.errors.InsufficientPrivilege, match="must not serve clients"),
    ):
        connection.execute("select pgthreads.require_server_role()")


def test_a_backup_is_complete_and_can_be_restored(administrator: str, tmp_path: Path) -> None:
    migrate(administrator)
    with psycopg.connect(administrator, autocommit=True) as admin:
        admin.execute("create role app login password 'b' in role pgthreads_server")
        admin.execute("create role chat_backup login password 'b' in role pgthreads_backup")
        admin.execute("create database restored")
        admin.execute("grant create on database restored to pgthreads_owner")
    with psycopg.connect(make_conninfo(administrator, user="app", password="b")) as connection:
        connection.execute(
            "select a.message_count from pgthreads.set_tenant('ada') as t(owner),"
            " lateral pgthreads.append_thread(t.owner, 'k', %s) as a",
            (Jsonb([message("m")]),),
        )
    major = psycopg.connect(administrator).info.server_version // 10000
    file = tmp_path / "chat.dump"
    backup = make_conninfo(administrator, user="chat_backup", password="b")
    restored = make_conninfo(administrator, dbname="restored")
    options = ("--enable-row-security", "--no-unlogged-table-data", "-n", "pgthreads", "-Fc")
    commands: list[list[str | Path]] = [
        [programs.client("pg_dump", major), *options, "-f", file, "-d", backup],
        [programs.client("pg_restore", major), "--exit-on-error", "-1", "-d", restored, file],
    ]
    for command in commands:
        answer = subprocess.run(command, capture_output=True, text=True, check=False)
        assert answer.returncode == 0, answer.stderr

    with psycopg.connect(restored, autocommit=True) as admin:
        admin.execute("set role pgthreads_owner")
        row = admin.execute(
            "select l.messages -> 0 ->> 'id' from pgthreads.set_tenant('ada') as t(owner),"
            " lateral pgthreads.load_thread(t.owner, 'k') as l(messages)"
        ).fetchone()
        assert row == ("m",)
    assert migrate(restored) == []
    with psycopg.connect(administrator, autocommit=True) as admin:
        admin.execute("drop database restored with (force)")
