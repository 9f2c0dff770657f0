"""docs/drivers.md: what it says of Python's drivers and ORMs holds, for calls and for refusals."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import sys
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

import asyncpg
import pg8000.dbapi
import psycopg
import psycopg2
import psycopg2.extras
import pytest
from psycopg.conninfo import conninfo_to_dict
from psycopg.types.json import Jsonb
from sqlalchemy import URL, create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import create_async_engine

from pgthreads.postgres.script import installation_script
from tests.database import Database

FreshDatabase = Callable[..., Database]

DOCS = Path(__file__).resolve().parents[2] / "docs" / "drivers.md"
MESSAGES = [{"id": "m", "role": "user", "parts": [{"type": "text", "text": "100 % ?"}]}]
JSON = json.dumps(MESSAGES)
OWNERS = ["ada", 7, uuid.UUID("0d3c5b6a-1111-4222-8333-0123456789ab")]
"""An owner's id as text, as a number, and as a uuid."""

Refusal = tuple[str | None, str | None, str | None]
"""SQLSTATE, detail and hint."""


def statement(*places: str) -> str:
    owner, key, messages, expected = places
    return (
        f"select a.state_key, a.message_count, a.appended from pgthreads.set_tenant({owner})"
        f" as t(owner), lateral pgthreads.append_thread(t.owner, {key}, {messages}, {expected})"
        " as a"
    )


PERCENT = statement("%s", "%s", "%s", "%s")
DOLLAR = statement("$1", "$2", "$3", "$4")
NAMED = statement(":owner", ":key", "cast(:messages as jsonb)", ":expected")


def login(database: Database) -> dict[str, Any]:
    parts = conninfo_to_dict(database.server_dsn)
    return {
        "host": parts["host"],
        "port": int(str(parts["port"])),
        "user": parts["user"],
        "password": parts["password"],
        "database": parts["dbname"],
    }


def with_psycopg(database: Database, owner: Any, expected: int | None) -> tuple[Any, ...] | Refusal:
    with psycopg.connect(database.server_dsn, autocommit=True) as connection:
        try:
            row = connection.execute(
                PERCENT.encode(), (owner, None, Jsonb(MESSAGES), expected)
            ).fetchone()
        except psycopg.Error as error:
            return error.sqlstate, error.diag.message_detail, error.diag.message_hint
    assert row is not None
    return row


def with_psycopg2(database: Database, owner: Any, expected: int | None) -> Any:
    psycopg2.extras.register_uuid()
    connection = psycopg2.connect(**login(database))
    try:
        with connection, connection.cursor() as cursor:
            cursor.execute(PERCENT, (owner, None, JSON, expected))
            return cursor.fetchone()
    except psycopg2.Error as error:
        return error.pgcode, error.diag.message_detail, error.diag.message_hint
    finally:
        connection.close()


def with_pg8000(database: Database, owner: Any, expected: int | None) -> Any:
    connection = pg8000.dbapi.connect(**login(database))
    try:
        cursor = connection.cursor()
        cursor.execute(PERCENT, (owner, None, JSON, expected))
        row = cursor.fetchone()
        connection.commit()
        return tuple(row)
    except pg8000.dbapi.DatabaseError as error:
        fields = error.args[0]
        return fields["C"], fields["D"], fields["H"]
    finally:
        connection.close()


def with_asyncpg(database: Database, owner: Any, expected: int | None) -> Any:
    async def call() -> Any:
        connection = await asyncpg.connect(**login(database))
        # asyncpg asks the database for the types of parameters, and without a cast this is text.
        cast = {int: "$1::bigint", uuid.UUID: "$1::uuid"}.get(type(owner), "$1")
        try:
            return tuple(
                await connection.fetchrow(DOLLAR.replace("$1", cast), owner, None, JSON, expected)
            )
        except asyncpg.PostgresError as error:
            return error.sqlstate, error.detail, error.hint
        finally:
            await connection.close()

    return asyncio.run(call())


def of_driver(error: Any) -> Refusal:
    """What SQLAlchemy's `orig` has, which is the driver's own error or a wrapper of it."""
    cause = error.__cause__ or error
    if hasattr(cause, "diag"):
        state = getattr(cause, "sqlstate", None) or cause.pgcode
        return state, cause.diag.message_detail, cause.diag.message_hint
    if hasattr(cause, "sqlstate"):
        return cause.sqlstate, cause.detail, cause.hint
    return cause.args[0]["C"], cause.args[0]["D"], cause.args[0]["H"]


def url(database: Database, driver: str) -> URL:
    parts = login(database)
    parts["username"] = parts.pop("user")
    return URL.create(f"postgresql+{driver}", **parts)


def with_sqlalchemy(driver: str) -> Callable[[Database, Any, int | None], Any]:
    def call(database: Database, owner: Any, expected: int | None) -> Any:
        values = {"owner": owner, "key": None, "messages": JSON, "expected": expected}
        engine = create_engine(url(database, driver))
        try:
            with engine.begin() as connection:
                return tuple(connection.execute(text(NAMED), values).one())
        except DBAPIError as error:
            return of_driver(error.orig)
        finally:
            engine.dispose()

    return call


def with_sqlalchemy_asyncpg(database: Database, owner: Any, expected: int | None) -> Any:
    async def call() -> Any:
        values = {"owner": str(owner), "key": None, "messages": JSON, "expected": expected}
        engine = create_async_engine(url(database, "asyncpg"))
        try:
            async with engine.begin() as connection:
                return tuple((await connection.execute(text(NAMED), values)).one())
        except DBAPIError as error:
            return of_driver(error.orig)
        finally:
            await engine.dispose()

    return asyncio.run(call())


DRIVERS = {
    "psycopg 3": with_psycopg,
    "psycopg2": with_psycopg2,
    "pg8000": with_pg8000,
    "asyncpg": with_asyncpg,
    "SQLAlchemy, psycopg": with_sqlalchemy("psycopg"),
    "SQLAlchemy, psycopg2": with_sqlalchemy("psycopg2"),
    "SQLAlchemy, pg8000": with_sqlalchemy("pg8000"),
    "SQLAlchemy, asyncpg": with_sqlalchemy_asyncpg,
}


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_call_takes_every_kind_of_owner(driver: str, database: Database) -> None:
    for owner in OWNERS:
        key, *counts = DRIVERS[driver](database, owner, None)
        assert (len(key), counts) == (21, [1, 1])
        with psycopg.connect(database.admin_dsn) as connection:
            found = connection.execute(
                "select t.owner_user_id from pgthreads.thread as t where t.state_key = %s", (key,)
            ).fetchone()
        assert found == (str(owner),)


@pytest.mark.parametrize("driver", DRIVERS)
def test_a_refusal_has_its_sqlstate_detail_and_hint(driver: str, database: Database) -> None:
    state, detail, hint = DRIVERS[driver](database, "ada", 5)
    assert state == "THCNT"
    assert str(detail).endswith("has 0 messages, but the caller expected 5.")
    assert str(hint).startswith("Load the thread again")


def test_every_driver_here_has_its_row() -> None:
    rows = re.findall(r"^\| ([^|]+?) \|.*\| the tests \|$", DOCS.read_text(), re.MULTILINE)
    assert {*DRIVERS, "Django", "Drizzle"} == set(rows)


@pytest.mark.parametrize("driver", ["psycopg", "psycopg2", "pg8000"])
def test_alembic_can_install(driver: str, fresh_database: FreshDatabase) -> None:
    """`op.execute` makes a text() of a string, which takes `:name` for a parameter."""
    database = fresh_database(migrated=False)
    parts = conninfo_to_dict(database.admin_dsn)
    engine = create_engine(
        url(database, driver).set(username=str(parts["user"]), password=str(parts["password"]))
    )
    with engine.begin() as connection:
        connection.execute(text(installation_script().replace(":", r"\:")))
        connection.execute(text("create table alembic_version ()"))
    engine.dispose()
    with psycopg.connect(database.admin_dsn) as admin:
        row = admin.execute(
            "select to_regclass('public.alembic_version') is not null, pgthreads.api_version()"
        ).fetchone()
    assert row == (True, 1)


def test_django_can_install(fresh_database: FreshDatabase) -> None:
    """Its own table of migrations is in the same transaction."""
    database = fresh_database(migrated=False)
    parts = conninfo_to_dict(database.admin_dsn)
    program = """
import sys, django
from django.conf import settings
host, port, name, user, password = sys.argv[1:]
settings.configure(DATABASES={"default": {
    "ENGINE": "django.db.backends.postgresql", "HOST": host, "PORT": port, "NAME": name,
    "USER": user, "PASSWORD": password}})
django.setup()
from django.db import connection
from django.db.migrations import RunSQL
from django.db.migrations.recorder import MigrationRecorder
from django.db.migrations.state import ProjectState
with connection.schema_editor(atomic=True) as editor:
    install = RunSQL(sys.stdin.read(), RunSQL.noop)
    install.database_forwards("chat", editor, ProjectState(), ProjectState())
    MigrationRecorder(connection).record_applied("chat", "0001")
"""
    names = ("host", "port", "dbname", "user", "password")
    subprocess.run(
        [sys.executable, "-c", program, *(str(parts[name]) for name in names)],
        input=installation_script(),
        text=True,
        check=True,
    )
    with psycopg.connect(database.admin_dsn) as admin:
        row = admin.execute(
            "select (select count(*) from public.django_migrations), pgthreads.api_version()"
        ).fetchone()
    assert row == (1, 1)
