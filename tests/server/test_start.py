"""The server does not start where it could not keep its promises."""

from __future__ import annotations

import logging
import re
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from pgthreads.app import StartError
from pgthreads.cli.checks import check_database
from tests.database import Database
from tests.server.command import COMMAND, environment
from tests.server.service import running_service

ROLES = {
    "superuser": "create role {} login superuser password 'x'",
    "bypassrls": "create role {} login bypassrls password 'x' in role pgthreads_server",
    "createrole": "create role {} login createrole password 'x' in role pgthreads_server",
    "owner": "create role {} login password 'x' in role pgthreads_owner, pgthreads_server",
    "maintenance": (
        "create role {} login password 'x' in role pgthreads_maintenance, pgthreads_server"
    ),
    "backup": "create role {} login password 'x' in role pgthreads_backup, pgthreads_server",
    "stranger": "create role {} login password 'x'",
}


@pytest.fixture(params=ROLES)
def unfit_dsn(request: pytest.FixtureRequest, database: Database) -> Iterator[str]:
    role = f"unfit_{request.param}"
    with psycopg.connect(database.admin_dsn, autocommit=True) as connection:
        connection.execute(f"drop role if exists {role}")
        connection.execute(ROLES[request.param].format(role))
        yield make_conninfo(database.admin_dsn, user=role, password="x")
        connection.execute(f"drop role {role}")


async def test_roles_that_must_not_serve(unfit_dsn: str, admin_dsn: str) -> None:
    with pytest.raises(StartError) as refusal:
        async with running_service(unfit_dsn, admin_dsn):
            pass
    assert "pgthreads" in refusal.value.hint


async def test_a_database_without_the_schema(
    fresh_database: Callable[..., Database], admin_dsn: str
) -> None:
    empty = fresh_database(migrated=False)
    with pytest.raises(StartError, match="cannot be used") as refusal:
        async with running_service(empty.server_dsn, admin_dsn):
            pass
    assert "migrate" in refusal.value.hint


@pytest.mark.parametrize("setting", ["row_security = off", "app.current_user_id = 'ada'"])
async def test_a_login_whose_settings_would_not_do(
    database: Database, admin_dsn: str, setting: str
) -> None:
    role = "unfit_settings"
    with psycopg.connect(database.admin_dsn, autocommit=True) as connection:
        connection.execute(f"create role {role} login password 'x' in role pgthreads_server")
        try:
            connection.execute(f"alter role {role} set {setting}")
            dsn = make_conninfo(database.admin_dsn, user=role, password="x")
            with pytest.raises(StartError, match="begins its sessions with") as refusal:
                async with running_service(dsn, admin_dsn):
                    pass
            assert "no other program uses" in refusal.value.hint
        finally:
            connection.execute(f"drop role {role}")


async def test_settings_of_the_login_are_told(
    database: Database, admin_dsn: str, caplog: pytest.LogCaptureFixture
) -> None:
    role = "app_of_two"
    with psycopg.connect(database.admin_dsn, autocommit=True) as connection:
        connection.execute(f"create role {role} login password 'x' in role pgthreads_server")
        try:
            connection.execute(f"alter role {role} set statement_timeout = '1min'")
            dsn = make_conninfo(database.admin_dsn, user=role, password="x")
            with caplog.at_level(logging.INFO):
                async with running_service(dsn, admin_dsn):
                    pass
            found = [each async for each in check_database(dsn)]
        finally:
            connection.execute(f"drop role {role}")
    note = "alter role app_of_two set statement_timeout=1min"
    assert note in caplog.text
    assert note in [each.text for each in found if each.verdict == "note"]


async def test_another_version_of_the_contract(
    fresh_database: Callable[..., Database],
) -> None:
    database = fresh_database()
    with psycopg.connect(database.admin_dsn, autocommit=True) as connection:
        connection.execute(
            "create or replace function pgthreads.api_version() returns int"
            " language sql immutable return 99"
        )
    with pytest.raises(StartError, match="version 99"):
        async with running_service(database.server_dsn, database.admin_dsn):
            pass


def starts(commands: dict[str, list[str]], place: Path, **variables: str) -> dict[str, str]:
    """Run `serve` with each, all at once; return their messages, each one line with a hint."""
    started = {
        name: subprocess.Popen(
            [*COMMAND, "serve", "--port", "0", *arguments],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=place,
            env=environment(**variables),
        )
        for name, arguments in commands.items()
    }
    said = {}
    try:
        for name, process in started.items():
            output, errors = process.communicate(timeout=60)
            assert (process.returncode, output) == (1, ""), f"{name}: {output}{errors}"
            # There is only the error, and perhaps a hint; no log.
            assert re.fullmatch(r"Error: .+\n(Hint: .+\n)?", errors), f"{name}: {errors}"
            said[name] = errors
    finally:
        for process in started.values():
            process.kill()
    return said


def test_each_fault_is_told_in_one_line(
    fresh_database: Callable[..., Database], database: Database, tmp_path: Path
) -> None:
    empty, older = fresh_database(migrated=False), fresh_database()
    with psycopg.connect(older.admin_dsn, autocommit=True) as admin:
        admin.execute("drop function pgthreads.api_version()")
    with socket.socket() as silent, socket.create_server(("127.0.0.1", 0)) as taken:
        silent.bind(("127.0.0.1", 0))
        dead = f"postgresql://app@127.0.0.1:{silent.getsockname()[1]}/chat"
        urls = {
            "dead": dead,
            "password": make_conninfo(database.server_dsn, password="wrong"),
            "database": make_conninfo(database.server_dsn, dbname="nosuch"),
            "schema": empty.server_dsn,
            "older": older.server_dsn,
            "superuser": database.admin_dsn,
        }
        commands = {name: ["--database-url", url] for name, url in urls.items()}
        for name in ("dead", "password", "database"):
            # It has tried for that long.
            commands[name] += ["--acquire-timeout", "0.5"]
        commands["workers"] = [*commands["dead"], "--workers", "2"]
        commands["port"] = ["--port", str(taken.getsockname()[1])]
        commands["spool"] = [*commands["dead"], "--spool-dir", "/proc/nosuch"]
        said = starts(commands, tmp_path)
    expected = {
        "dead": "refused",
        "password": "password authentication failed",
        "database": 'database "nosuch" does not exist',
        "schema": "pgthreads migrate",
        "older": "pgthreads migrate",
        "superuser": "is a superuser",
        "workers": "refused",
        "port": "in use by another program",
        "spool": "/proc/nosuch",
    }
    for name, text in expected.items():
        assert text in said[name], said[name]


def test_the_executor_is_looked_at_before_anything_is_started(tmp_path: Path) -> None:
    (tmp_path / "broken.py").write_text("\nimport nosuch\n")
    (tmp_path / "wrong.py").write_text("def answer(request) pass\n")
    data = ["--data-dir", str(tmp_path / "data")]
    executors = ("nosuch:x", "broken:answer", "wrong:answer", "os:name", "os:nosuch")
    commands = {each: [*data, "--executor", each] for each in executors}
    commands["workers"] = [*data, "--executor", "nosuch:x", "--workers", "2"]
    commands["model"] = [*data, "--model", "nosuch:x"]
    said = starts(commands, tmp_path)
    assert said["nosuch:x"] == "Error: --executor: there is no module 'nosuch' here or installed\n"
    assert said["workers"] == said["nosuch:x"]
    assert "No module named 'nosuch' (broken.py, line 2)" in said["broken:answer"]
    assert "SyntaxError" in said["wrong:answer"]
    assert "--model" in said["model"]
    assert not (tmp_path / "data").exists()
