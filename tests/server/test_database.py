"""The databases of tests are as they should be, and no server outlives its tests."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from tests import programs
from tests.database import Database

ROOT = Path(__file__).resolve().parents[2]


def test_who_the_connection_strings_are(
    database: Database, connect: Callable[..., psycopg.Connection[Any]]
) -> None:
    query = """
        select current_user::text, r.rolsuper or r.rolbypassrls,
          pg_has_role('pgthreads_server', 'usage')
        from pg_roles as r where r.rolname = current_user
    """
    assert connect(database.server_dsn).execute(query).fetchone() == ("app_login", False, True)
    owner = connect(database.owner_dsn).execute(query).fetchone()
    assert owner == ("pgthreads_owner", False, False)
    maintenance = connect(database.maintenance_dsn).execute(query).fetchone()
    assert maintenance == ("pgthreads_maintenance", False, False)


async def test_a_connection_for_asyncio(
    server_dsn: str, connect_async: Callable[..., Awaitable[psycopg.AsyncConnection[Any]]]
) -> None:
    connection = await connect_async(server_dsn)
    cursor = await connection.execute("select pgthreads.api_version()")
    assert await cursor.fetchone() == (1,)


def test_fresh_databases_share_nothing(
    fresh_database: Callable[..., Database], connect: Callable[..., psycopg.Connection[Any]]
) -> None:
    first, second = fresh_database(), fresh_database()
    connect(first.admin_dsn).execute("update pgthreads.config set max_messages = 3")
    row = connect(second.admin_dsn).execute("select max_messages from pgthreads.config").fetchone()
    assert row == (10000,)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_no_server_outlives_its_tests(number: signal.Signals) -> None:
    kind = "installed" if programs.server_folder() else "embedded"
    environment = {**os.environ, "PGTHREADS_TEST_SERVER": kind}
    tell = "import os, time; print(os.environ['PGTHREADS_TEST_DSN'], flush=True); time.sleep(60)"
    run = [sys.executable, "-m", "tests.database", "run", "--", sys.executable, "-c", tell]
    with subprocess.Popen(
        run, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        assert process.stdout
        dsn = process.stdout.readline().strip()
        psycopg.connect(dsn).close()
        if number == signal.SIGINT:
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
        process.wait(30)
        if number != signal.SIGINT:
            os.killpg(process.pid, signal.SIGKILL)

    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        try:
            psycopg.connect(dsn, connect_timeout=2).close()
        except psycopg.OperationalError:
            return
        time.sleep(0.1)
    pytest.fail(f"still there: port {conninfo_to_dict(dsn)['port']}")
