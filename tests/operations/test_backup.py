"""Dumps, base backups and a standby: every chain is whole, and threads can only grow."""

from __future__ import annotations

import asyncio
import json
import subprocess
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo
from psycopg.types.json import Jsonb

from pgthreads.postgres.migrate import migrate
from pgthreads.postgres.tenants import signed_with
from tests import programs
from tests.database import APP_ROLE, Database, Server, embedded_cluster, installed_cluster, prepared
from tests.operations.chains import (
    OWNERS,
    append,
    assert_grown,
    chains,
    fill,
    message,
    verify_by_schema,
)
from tests.operations.clusters import copied_cluster, folder_for, wait_for_replay
from tests.server.service import CHAT, THREADS, body_of, running_service

ROOT = Path(__file__).resolve().parents[2]

FreshDatabase = Callable[..., Database]


def run(
    program: str, database: Database, *options: str | Path, **variables: str
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [programs.client(program, database.server.major), *options],
        env=database.environment() | variables,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def assert_it_lives(database: Database) -> None:
    """An application goes on appending where it was; nobody can change what is stored."""
    before = chains(database.admin_dsn)
    assert verify_by_schema(database) == len(before)
    with psycopg.connect(database.server_dsn, autocommit=True) as app:
        for owner in OWNERS:
            count = len(before[owner, "old1"])
            assert append(app, owner, "old1", message("after the backup")) == count + 1
            assert append(app, owner, "old1", message("after the backup")) == count + 1
            with pytest.raises(psycopg.Error) as refusal:
                append(app, owner, "old0", message("to a deleted thread"))
            assert refusal.value.sqlstate == "THDEL"
        assert app.execute("select from pgthreads.ai_threads").fetchall() == []
    with psycopg.connect(database.admin_dsn, autocommit=True) as admin:
        for attack in (
            "update pgthreads.message set message = '{}'",
            "delete from pgthreads.message",
            "truncate pgthreads.message cascade",
        ):
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                admin.execute(attack)
    after = chains(database.admin_dsn)
    assert_grown(before, after)


def test_a_dump_restored_into_another_database(
    fresh_database: FreshDatabase, tmp_path: Path
) -> None:
    database, restored = fresh_database(), fresh_database(migrated=False)
    fill(database.server_dsn)

    dumped = run(
        "pg_dump", database, "--no-unlogged-table-data", "-Fc", "-f", tmp_path / "chat.dump"
    )
    loaded = run(
        "pg_restore", restored, "--exit-on-error", "-1", "-d", restored.name, tmp_path / "chat.dump"
    )

    assert (dumped.returncode, dumped.stderr) == (0, "")
    assert (loaded.returncode, loaded.stderr) == (0, "")
    assert chains(restored.admin_dsn) == chains(database.admin_dsn)
    assert_it_lives(restored)
    assert migrate(restored.admin_dsn) == []


def test_a_dump_has_no_text_before_redaction(fresh_database: FreshDatabase, tmp_path: Path) -> None:
    """The journal of a running turn is not redacted, and the flag leaves it out."""
    database = fresh_database()
    secret = "sk-" + "a1B2" * 8
    frame = json.dumps({"type": "text-delta", "id": "t0", "delta": secret})
    with psycopg.connect(database.server_dsn, autocommit=True) as application:
        application.execute(
            "select from pgthreads.set_tenant('ann') as t (owner),"
            " lateral pgthreads.begin_turn(t.owner, 'k', %s, 'turn') as b,"
            " lateral pgthreads.write_journal(t.owner, b.state_key, b.turn_id, 0, %s) as j",
            (Jsonb(message("u", text=f"my key is {secret}")), f"data: {frame}\n\n"),
        )
    documented = "pg_dump --no-unlogged-table-data -Fc -d chat -f chat.dump"
    assert documented in (ROOT / "docs" / "operations.md").read_text()

    plain = run("pg_dump", database, "-f", tmp_path / "plain.sql")
    safe = run("pg_dump", database, "--no-unlogged-table-data", "-f", tmp_path / "safe.sql")

    assert (plain.returncode, safe.returncode) == (0, 0)
    assert secret in (tmp_path / "plain.sql").read_text(), "the journal, and nothing else"
    text = (tmp_path / "safe.sql").read_text()
    assert secret not in text
    assert "my key is [REDACTED" in text
    with psycopg.connect(database.admin_dsn) as admin:
        unlogged = admin.execute(
            "select relname from pg_class"
            " where relnamespace = 'pgthreads'::regnamespace and relkind = 'r'"
            " and relpersistence = 'u' order by 1"
        ).fetchall()
    assert unlogged == [("journal",), ("queued_turn",)], "what a dump leaves out"


def test_a_dump_by_the_owner(fresh_database: FreshDatabase, tmp_path: Path) -> None:
    """Row level security is forced on it: the dump stops, or has no messages with the flag."""
    database = fresh_database()
    fill(database.server_dsn)
    role = "--role=pgthreads_owner"

    refused = run("pg_dump", database, role, "-f", tmp_path / "refused.sql")
    empty = run("pg_dump", database, role, "--enable-row-security", "-f", tmp_path / "empty.sql")

    assert refused.returncode != 0
    assert "row-level security" in refused.stderr
    assert empty.returncode == 0, empty.stderr
    _, _, data = (tmp_path / "empty.sql").read_text().partition("\nCOPY pgthreads.message ")
    header, end = data.splitlines()[:2]
    assert (header.endswith("FROM stdin;"), end) == (True, "\\.")


def counts(database: Database) -> dict[str, int]:
    """Return how many rows each table has that a crash would not empty."""
    with psycopg.connect(database.admin_dsn, autocommit=True) as admin:
        tables = admin.execute(
            "select c.relname from pg_class as c where c.relnamespace = 'pgthreads'::regnamespace"
            " and c.relkind = 'r' and c.relpersistence = 'p'"
        ).fetchall()
        found = {}
        for (name,) in tables:
            counting = sql.SQL("select count(*) from pgthreads.{}").format(sql.Identifier(name))
            row = admin.execute(counting).fetchone()
            found[name] = row[0] if row else 0
        return found


def test_a_dump_where_nobody_is_a_superuser(fresh_database: FreshDatabase, tmp_path: Path) -> None:
    """As in managed databases, the installer owns the databases, and has CREATEROLE."""
    fresh_database()  # This creates the cluster's roles, by another installer.
    databases = database, restored = fresh_database(migrated=False), fresh_database(migrated=False)
    installer, backup = f"installer_{uuid4().hex[:12]}", f"backup_{uuid4().hex[:12]}"
    dsns = [make_conninfo(each.admin_dsn, user=installer, password="i") for each in databases]

    def run_as(role: str, place: Database, program: str, *options: str | Path) -> str:
        answer = run(program, place, *options, PGUSER=role, PGPASSWORD="i")
        return answer.stderr if answer.returncode else ""

    with psycopg.connect(database.admin_dsn, autocommit=True) as admin:
        admin.execute(f"create role {installer} login createrole password 'i'")
        admin.execute(f"grant pgthreads_owner, pgthreads_backup to {installer} with admin option")
        for each in databases:
            admin.execute(f"alter database {each.name} owner to {installer}")
    try:
        migrate(dsns[0])
        fill(database.server_dsn)
        with psycopg.connect(database.admin_dsn, autocommit=True) as admin:
            admin.execute("insert into pgthreads.retention (owner_user_id) values ('ann')")
        with psycopg.connect(dsns[0], autocommit=True) as connection:
            connection.execute(f"create role {backup} login password 'i' in role pgthreads_backup")
            connection.execute("set role pgthreads_owner")
            connection.execute("insert into pgthreads.tenant_key (id) values ('k')")
        dump = ("-Fc", "-n", "pgthreads", "-f", tmp_path / "chat.dump")

        assert "row-level security" in run_as(installer, database, "pg_dump", *dump)
        rows = ("--enable-row-security", "--no-unlogged-table-data")
        assert run_as(backup, database, "pg_dump", *rows, *dump) == ""
        with psycopg.connect(dsns[1], autocommit=True) as connection:
            connection.execute(f"grant create on database {restored.name} to pgthreads_owner")
        restore = ("--exit-on-error", "-1", "-d", restored.name, tmp_path / "chat.dump")
        assert run_as(installer, restored, "pg_restore", *restore) == ""

        assert chains(restored.admin_dsn) == chains(database.admin_dsn)
        found = counts(restored)
        assert found == counts(database)
        assert min(found[name] for name in ("message", "tenant_key", "tenant_secret")) > 0
        assert_it_lives(restored)
        assert migrate(dsns[1]) == []
    finally:
        with psycopg.connect(database.admin_dsn, autocommit=True) as admin:
            for each in databases:
                admin.execute(f"alter database {each.name} owner to current_user")
                with psycopg.connect(each.admin_dsn, autocommit=True) as connection:
                    connection.execute(f"drop owned by {installer}, {backup}")
            admin.execute(f"drop role {installer}, {backup}")


def test_a_dump_for_a_postgresql_without_lz4(fresh_database: FreshDatabase, tmp_path: Path) -> None:
    """With messages compressed by lz4, only a dump that does not say so can be restored."""
    database = fresh_database()
    fill(database.server_dsn)
    with psycopg.connect(database.server_dsn, autocommit=True) as app:
        (notes,) = app.execute("select count(*) from pgthreads.site_notes()").fetchall()
    if notes == (0,):
        pytest.skip("this PostgreSQL has no lz4")
    plain, without = tmp_path / "plain", tmp_path / "without"
    for dump, options in ((plain, ()), (without, ("--no-toast-compression",))):
        dumped = run("pg_dump", database, *options, "-Fc", "-f", dump)
        assert (dumped.returncode, dumped.stderr) == (0, "")
    with embedded_cluster() as conninfo:
        restored = Database("chat", prepared(conninfo, "a PostgreSQL without lz4"))
        with psycopg.connect(conninfo, autocommit=True) as admin:
            admin.execute("create database chat")
            admin.execute("create database other")
            migrate(make_conninfo(conninfo, dbname="other"))
            admin.execute(f"grant pgthreads_server to {APP_ROLE}")
        restore = ("--exit-on-error", "-1", "-d", "chat")
        refused = run("pg_restore", restored, *restore, plain)
        loaded = run("pg_restore", restored, *restore, without)

        assert "compression method lz4 not supported" in refused.stderr
        assert (loaded.returncode, loaded.stderr) == (0, "")
        assert chains(restored.admin_dsn) == chains(database.admin_dsn)
        assert_it_lives(restored)
        assert migrate(restored.admin_dsn) == []


@pytest.fixture(scope="module")
def folder(database_server: Server) -> Path:
    return folder_for(database_server)


@pytest.fixture(scope="module")
def source(folder: Path) -> Iterator[Database]:
    """A database with data in a cluster of its own."""
    with installed_cluster(folder) as conninfo:
        server = prepared(conninfo, "the cluster to back up")
        with psycopg.connect(conninfo, autocommit=True) as admin:
            admin.execute("create database chat")
            migrate(make_conninfo(conninfo, dbname="chat"))
            admin.execute(f"grant pgthreads_server to {APP_ROLE}")
        database = Database("chat", server)
        fill(database.server_dsn)
        yield database


@contextmanager
def appending(database: Database) -> Iterator[None]:
    """Let an application append in the meantime."""
    stop = threading.Event()
    errors: list[Exception] = []

    def chat() -> None:
        try:
            with psycopg.connect(database.server_dsn, autocommit=True) as app:
                number = 0
                while not stop.is_set():
                    number += 1
                    append(app, OWNERS[0], "busy", message(f"b{number}"))
        except psycopg.Error as error:
            errors.append(error)

    thread = threading.Thread(target=chat)
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join(30)
    assert errors == []


def test_a_dump_restored_into_another_cluster(
    source: Database, folder: Path, tmp_path: Path
) -> None:
    """Roles are restored first, because pg_dump leaves them out."""
    roles = run(
        "pg_dumpall", source, "--roles-only", "--no-role-passwords", "-f", tmp_path / "roles.sql"
    )
    dumped = run("pg_dump", source, "--no-unlogged-table-data", "-Fc", "-f", tmp_path / "chat.dump")
    assert (roles.returncode, dumped.returncode) == (0, 0), roles.stderr + dumped.stderr

    with installed_cluster(folder) as conninfo:
        empty = Database("postgres", Server(conninfo, "another cluster", source.server.major))
        # An error about a role that exists already, like the superuser, does not matter.
        run("psql", empty, "-X", "-q", "-f", tmp_path / "roles.sql")
        loaded = run(
            "pg_restore", empty, "--exit-on-error", "-C", "-d", "postgres", tmp_path / "chat.dump"
        )
        restored = Database("chat", prepared(conninfo, "another cluster"))

        assert (loaded.returncode, loaded.stderr) == (0, "")
        assert chains(restored.admin_dsn) == chains(source.admin_dsn)
        assert_it_lives(restored)


def test_a_base_backup_of_a_busy_cluster(source: Database, folder: Path) -> None:
    before = chains(source.admin_dsn)

    with ExitStack() as stack:
        with appending(source):
            conninfo = stack.enter_context(copied_cluster(folder, source.server.conninfo))
        restored = Database("chat", Server(conninfo, "the backup", source.server.major))
        found = chains(restored.admin_dsn)
        assert_grown(before, found)
        assert_grown(found, chains(source.admin_dsn))
        assert_it_lives(restored)


READS = (
    "pgthreads.load_thread(t.owner, 'old1')",
    "pgthreads.read_messages(t.owner, 'old1', 5)",
    "pgthreads.read_thread(t.owner, 'old1')",
    "pgthreads.list_threads(t.owner)",
    "pgthreads.verify_thread(t.owner, 'old1')",
    "pgthreads.list_branches(t.owner, 'old1')",
    "(select v.messages from pgthreads.ai_threads as v where v.state_key = 'old1')",
)
WRITES = (
    """pgthreads.append_thread(t.owner, 'old1',
       '[{"id": "w", "role": "user", "parts": [{"type": "text", "text": "w"}]}]')""",
    """pgthreads.begin_turn(t.owner, 'old1',
       '{"id": "w", "role": "user", "parts": [{"type": "text", "text": "w"}]}', 'turn')""",
    "pgthreads.update_thread(t.owner, 'old1', 'title', null)",
    "pgthreads.soft_delete_thread(t.owner, 'old1')",
)


async def serve_on(standby: Database) -> None:
    """The server starts on a standby and answers reads; it refuses chats, which it cannot store."""
    async with running_service(standby.server_dsn, standby.admin_dsn) as service:
        async with await service.get(THREADS) as response:
            assert response.status == 200
        async with await service.post(CHAT, body_of("new", "Hello.")) as response:
            assert response.status == 503
            assert (await response.json())["code"] == "database_unavailable"


def test_a_standby_reads_and_takes_over(source: Database, folder: Path) -> None:
    """A standby runs functions that read, and refuses those that write until it is promoted."""
    key = b"k" * 32
    with psycopg.connect(source.admin_dsn, autocommit=True) as admin:
        admin.execute("insert into pgthreads.tenant_key (id, key) values ('k', %s)", [key])
    with copied_cluster(folder, source.server.conninfo, "-R") as conninfo:
        standby = Database("chat", Server(conninfo, "the standby", source.server.major))
        with psycopg.connect(source.server_dsn, autocommit=True) as app:
            append(app, OWNERS[0], "old1", message("seen on the standby"))
        wait_for_replay(source.server.conninfo, conninfo)

        with psycopg.connect(standby.server_dsn, autocommit=True) as app:

            def call(function: str) -> list[Any]:
                statement: Any = "select r from pgthreads.set_tenant(%s) as t(owner), lateral "
                statement += function if not function.startswith("(") else f"(select {function})"
                return app.execute(f"{statement} as r", [OWNERS[0]]).fetchall()

            for function in READS:
                assert call(function), function
            (loaded,) = call(READS[0])
            assert loaded[0][-1]["id"] == "seen on the standby"
            for function in WRITES:
                with pytest.raises(psycopg.errors.ReadOnlySqlTransaction):
                    call(function)
            assert app.execute("select from pgthreads.ai_threads").fetchall() == []
            token = signed_with(key)(OWNERS[0])
            assert app.execute("select pgthreads.set_tenant(%s)", [token]).fetchone() == (
                OWNERS[0],
            )
            several: Any = f"begin; select pgthreads.set_tenant('{token}'); commit"
            with pytest.raises(psycopg.Error, match="message of its own") as refusal:
                app.execute(several)
            assert refusal.value.sqlstate == "THTEN"
            app.rollback()
        assert chains(standby.admin_dsn) == chains(source.admin_dsn)
        asyncio.run(serve_on(standby))

        with psycopg.connect(conninfo, autocommit=True) as admin:
            assert admin.execute("select pg_promote(true, 20)").fetchone() == (True,)
        assert_it_lives(standby)
