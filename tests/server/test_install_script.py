"""`pgthreads sql`: one statement that installs what psql and `migrate` install."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest

from pgthreads.postgres.migrate import migrate
from pgthreads.postgres.script import installation_script
from tests import programs
from tests.database import Database
from tests.operations.release import releases
from tests.server.command import COMMAND, environment
from tests.server.test_install import ROOT, dump, psql_install, roles

FreshDatabase = Callable[..., Database]


def in_one_message(dsn: str, script: str, tmp_path: Path) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(script.encode())


def prepared(dsn: str, script: str, tmp_path: Path) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        connection.execute(script.encode(), prepare=True)


def among_others(dsn: str, script: str, tmp_path: Path) -> None:
    """Send it as tools for migrations do, with other statements in the same message."""
    around = "create table app_before (); {} create table app_after ();"
    with psycopg.connect(dsn) as connection:
        connection.execute(around.format(script).encode())
        connection.execute("drop table app_before, app_after")


def by_psql_without_a_transaction(dsn: str, script: str, tmp_path: Path) -> None:
    """As the images of PostgreSQL run what is in docker-entrypoint-initdb.d."""
    file = tmp_path / "install.sql"
    file.write_text(script, encoding="utf-8")
    answer = subprocess.run(
        [programs.client("psql"), "-X", "-v", "ON_ERROR_STOP=1", "-d", dsn, "-f", str(file)],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "DO\n", "")


@pytest.mark.parametrize(
    "send", [in_one_message, prepared, among_others, by_psql_without_a_transaction]
)
def test_it_installs_the_same_as_psql_and_migrate(
    fresh_database: FreshDatabase, tmp_path: Path, send: Callable[[str, str, Path], None]
) -> None:
    by_script, by_migrate, by_psql = (fresh_database(migrated=False) for _ in range(3))
    migrate(by_migrate.admin_dsn)
    psql_install(by_psql.admin_dsn)

    send(by_script.admin_dsn, installation_script(), tmp_path)

    content = dump(by_script)
    assert "INSERT INTO pgthreads.migration" in content
    assert content == dump(by_migrate) == dump(by_psql)
    known_roles = roles(by_script)
    # None of the three has anything to do after another one.
    send(by_script.admin_dsn, installation_script(), tmp_path)
    psql_install(by_script.admin_dsn)
    assert migrate(by_script.admin_dsn) == []
    assert (dump(by_script), roles(by_script)) == (content, known_roles)


@pytest.mark.parametrize("release", releases(), ids=lambda release: release.stem)
def test_it_upgrades_every_release(
    fresh_database: FreshDatabase, tmp_path: Path, release: Path
) -> None:
    by_script, by_migrate = fresh_database(migrated=False), fresh_database(migrated=False)
    for database in (by_script, by_migrate):
        with psycopg.connect(database.admin_dsn) as connection:
            connection.execute(release.read_bytes())

    in_one_message(by_script.admin_dsn, installation_script(), tmp_path)
    migrate(by_migrate.admin_dsn)

    assert dump(by_script) == dump(by_migrate)


def test_it_installs_optional_parts(fresh_database: FreshDatabase, tmp_path: Path) -> None:
    by_script, by_migrate = fresh_database(migrated=False), fresh_database(migrated=False)
    migrate(by_migrate.admin_dsn, optional=["search"])

    in_one_message(by_script.admin_dsn, installation_script(optional=["search"]), tmp_path)
    content = dump(by_script)
    in_one_message(by_script.admin_dsn, installation_script(), tmp_path)

    assert "CREATE FUNCTION pgthreads.search_threads" in content
    assert content == dump(by_migrate) == dump(by_script)


def test_the_rest_of_the_transaction_has_its_own_settings(fresh_database: FreshDatabase) -> None:
    """A tool for migrations goes on in the same transaction, with tables of its own."""
    read = """
        select current_user, current_setting('role'), current_setting('search_path'),
          current_setting('row_security'), current_setting('check_function_bodies'),
          current_setting('client_min_messages'), current_setting('standard_conforming_strings')
    """
    with psycopg.connect(fresh_database(migrated=False).admin_dsn) as connection:
        connection.execute("create role migrator_of_script superuser")
        connection.execute("set role migrator_of_script")
        connection.execute("set search_path = app, public")
        before = connection.execute(read).fetchall()

        connection.execute(installation_script().encode())

        assert connection.execute(read).fetchall() == before
        assert before[0][:3] == ("migrator_of_script", "migrator_of_script", "app, public")
        connection.rollback()


def test_an_edited_migration_is_refused(fresh_database: FreshDatabase, tmp_path: Path) -> None:
    database = fresh_database()
    folder = tmp_path / "db"
    shutil.copytree(ROOT / "db", folder)
    with (folder / "migrations" / "0001_tables.sql").open("a") as file:
        file.write("select 1;\n")
    before = dump(database)

    with pytest.raises(psycopg.errors.ObjectNotInPrerequisiteState, match="0001_tables"):
        in_one_message(database.admin_dsn, installation_script(folder), tmp_path)

    assert dump(database) == before


def test_no_tool_reads_anything_into_it() -> None:
    script = installation_script()
    assert not re.findall(r"^\s*\\[a-z!]", script, re.MULTILINE), "a command of psql"
    assert "${" not in script, "a placeholder of Flyway"


@pytest.mark.parametrize("optional", [(), ("search",)])
def test_the_command_prints_it(optional: tuple[str, ...]) -> None:
    options = [word for name in optional for word in ("--with", name)]
    answer = subprocess.run(
        [*COMMAND, "sql", *options], env=environment(), capture_output=True, check=True
    )
    assert answer.stdout.decode() == installation_script(optional=optional)
