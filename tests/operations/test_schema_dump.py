"""A dump of the schema without its data: it fails closed, and an installation repairs it."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from psycopg.types.json import Jsonb

from pgthreads.postgres.migrate import MigrateError, migrate
from pgthreads.postgres.script import installation_script
from tests import programs
from tests.database import Database
from tests.operations.chains import message
from tests.server.test_install import dump, psql_install

FreshDatabase = Callable[..., Database]

APPEND = """
    select a.message_count
    from pgthreads.set_tenant('ada') as t(owner),
      lateral pgthreads.append_thread(t.owner, 'k', %s) as a
"""


def by_script(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(installation_script().encode())


def by_migrate(dsn: str) -> None:
    migrate(dsn)


def load_schema(source: Database, target: Database, *options: str) -> None:
    """Load a dump of the schema alone; with Rails' options it names no owner and no privilege."""
    program = programs.client("pg_dump", source.server.major)
    text = subprocess.run(
        [program, "--schema-only", *options, "-d", source.admin_dsn],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    with psycopg.connect(target.admin_dsn, autocommit=True) as connection:
        connection.execute(re.sub(r"^\\.*$", "", text, flags=re.MULTILINE).encode())


OPTIONS = [
    pytest.param((), id="as pg_dump writes it"),
    pytest.param(("--no-owner", "--no-privileges"), id="as Rails writes it"),
]


@pytest.mark.parametrize("options", OPTIONS)
def test_it_fails_closed(fresh_database: FreshDatabase, options: tuple[str, ...]) -> None:
    loaded = fresh_database(migrated=False)
    load_schema(fresh_database(), loaded, *options)

    with psycopg.connect(loaded.admin_dsn, autocommit=True) as connection:
        body = Jsonb([message("m")])
        for call, values in (
            (APPEND, (body,)),
            ("select pgthreads.redact_text('card 4111 1111 1111 1111')", ()),
        ):
            with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState) as refusal:
                connection.execute(call.encode(), values)
            assert "pgthreads migrate" in str(refusal.value.diag.message_hint)


@pytest.mark.parametrize("options", OPTIONS)
@pytest.mark.parametrize("install", [psql_install, by_migrate, by_script])
def test_an_installation_repairs_it(
    fresh_database: FreshDatabase, options: tuple[str, ...], install: Callable[[str], None]
) -> None:
    whole, loaded = fresh_database(), fresh_database(migrated=False)
    load_schema(whole, loaded, *options)

    install(loaded.admin_dsn)

    assert dump(loaded) == dump(whole)
    assert migrate(loaded.admin_dsn) == []


def test_a_partitioned_schema_is_repaired(fresh_database: FreshDatabase) -> None:
    whole, loaded = fresh_database(), fresh_database(migrated=False)
    partition = Path(__file__).resolve().parents[2] / "db/optional/partition_by_owner.sql"
    with psycopg.connect(whole.admin_dsn) as connection:
        connection.execute(partition.read_bytes())
    load_schema(whole, loaded)

    migrate(loaded.admin_dsn)

    assert dump(loaded) == dump(fresh_database())


def test_what_depends_on_it_is_named(fresh_database: FreshDatabase) -> None:
    loaded = fresh_database(migrated=False)
    load_schema(fresh_database(), loaded)
    with psycopg.connect(loaded.admin_dsn) as connection:
        connection.execute(
            "create table note (owner text, thread text, constraint note_thread"
            " foreign key (owner, thread) references pgthreads.thread)"
        )
    before = dump(loaded)

    with pytest.raises(
        MigrateError, match=r"constraint note_thread on table public\.note"
    ) as refusal:
        migrate(loaded.admin_dsn)

    assert "pg_dump -N pgthreads" in refusal.value.hint
    assert dump(loaded) == before


def test_data_is_never_removed(fresh_database: FreshDatabase) -> None:
    """Not even rows that row level security hides from the owner role, who installs."""
    database = fresh_database()
    with psycopg.connect(database.admin_dsn, autocommit=True) as admin:
        admin.execute(
            APPEND.encode(),
            (Jsonb([message("m")]),),
        )
        admin.execute("truncate pgthreads.migration")
    before = dump(database)

    with pytest.raises(MigrateError, match=r"have been written to: .*\bthread\b"):
        migrate(database.admin_dsn)

    assert dump(database) == before
