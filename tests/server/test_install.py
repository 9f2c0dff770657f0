"""psql and `pgthreads.migrate` install the same schema, again and twice at once."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any
from uuid import uuid4

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from pgthreads.postgres.migrate import MigrateError, migrate, optional_parts
from pgthreads.postgres.script import installation_script
from tests import programs
from tests.database import Database, Server, embedded_cluster, installed_cluster

ROOT = Path(__file__).resolve().parents[2]
INSTALL = ROOT / "db" / "install.sql"

OUR_ROLES = ("pgthreads_owner", "pgthreads_server", "pgthreads_maintenance", "pgthreads_backup")

FreshDatabase = Callable[..., Database]


def psql(
    dsn: str,
    file: str | Path = "db/install.sql",
    cwd: Path = ROOT,
    db: Path | None = None,
    before: tuple[str, ...] = (),
) -> subprocess.CompletedProcess[str]:
    """Run install.sql as documented."""
    environment = {name: value for name, value in os.environ.items() if name != "PGTHREADS_DB"}
    if db:
        environment["PGTHREADS_DB"] = str(db)
    program = programs.client("psql")
    return subprocess.run(
        [
            *(program, "-X", "-q", "-1", "-v", "ON_ERROR_STOP=1", "-d", dsn),
            *(word for name in (*before, file) for word in ("-f", str(name))),
        ],
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )


def psql_install(dsn: str) -> None:
    answer = psql(dsn)
    assert answer.returncode == 0, answer.stderr


def dump(database: Database) -> str:
    """Return everything in the database, without the times at which migrations were applied."""
    program = programs.client("pg_dump", database.server.major)
    text = subprocess.run(
        [program, "--inserts", "--column-inserts", "-d", database.admin_dsn],
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    # Newer releases of pg_dump write a random key into \restrict and \unrestrict.
    text = re.sub(r"^\\(un)?restrict .*$", "", text, flags=re.MULTILINE)
    # pgthreads.tenant_secret differs in each installation.
    text = re.sub(r"(?<=\(true, )'\\x[0-9a-f]{64}'\)", "'a secret')", text)
    return re.sub(r"'\d{4}-\d\d-\d\d \d\d:\d\d:\d\d[.\d]*[+-]\d\d(:\d\d)?'", "'a time'", text)


def roles(database: Database) -> list[tuple[object, ...]]:
    """Return our roles and their members, which pg_dump leaves out."""
    with psycopg.connect(database.admin_dsn) as connection:
        return connection.execute(
            """
            select r.rolname, r.rolsuper, r.rolinherit, r.rolcreaterole, r.rolcreatedb,
              r.rolcanlogin, r.rolbypassrls, r.rolconfig,
              shobj_description(r.oid, 'pg_authid'),
              array(select m.member::regrole::text from pg_auth_members as m
                    where m.roleid = r.oid order by 1)
            from pg_roles as r
            where r.rolname like 'pgthreads%'
            order by r.rolname
            """
        ).fetchall()


def test_psql_and_migrate_install_the_same(fresh_database: FreshDatabase) -> None:
    by_psql, by_migrate = fresh_database(migrated=False), fresh_database(migrated=False)

    psql_install(by_psql.admin_dsn)
    applied = migrate(by_migrate.admin_dsn)

    assert applied == sorted(file.stem for file in (ROOT / "db" / "migrations").glob("*.sql"))
    content = dump(by_psql)
    assert "CREATE FUNCTION pgthreads.append_thread" in content
    assert "INSERT INTO pgthreads.migration" in content
    assert "INSERT INTO pgthreads.config" in content
    assert "INSERT INTO pgthreads.redaction_rule" in content
    assert dump(by_migrate) == content


@pytest.mark.parametrize("first", ["psql", "migrate"])
def test_a_second_installation_changes_nothing(fresh_database: FreshDatabase, first: str) -> None:
    database = fresh_database(migrated=False)
    if first == "psql":
        psql_install(database.admin_dsn)
    else:
        migrate(database.admin_dsn)
    content, known_roles = dump(database), roles(database)

    psql_install(database.admin_dsn)
    assert migrate(database.admin_dsn) == []

    assert dump(database) == content
    assert roles(database) == known_roles


def test_a_second_installation_keeps_what_people_changed(fresh_database: FreshDatabase) -> None:
    database = fresh_database()
    with psycopg.connect(database.admin_dsn) as connection:
        connection.execute("update pgthreads.config set max_messages = 77")
        connection.execute("update pgthreads.redaction_rule set enabled = not enabled")
    content = dump(database)

    psql_install(database.admin_dsn)
    migrate(database.admin_dsn)

    assert dump(database) == content


def test_installations_at_once_make_one_schema(fresh_database: FreshDatabase) -> None:
    database, alone = fresh_database(migrated=False), fresh_database()

    with ThreadPoolExecutor(4) as pool:
        by_psql = [pool.submit(psql, database.admin_dsn) for _ in range(2)]
        by_migrate = [pool.submit(migrate, database.admin_dsn) for _ in range(2)]
        answers = [run.result() for run in by_psql]
        applied = [run.result() for run in by_migrate]

    assert [answer.returncode for answer in answers] == [0, 0], answers
    assert sum(bool(names) for names in applied) <= 1
    assert dump(database) == dump(alone)


def test_installations_into_two_databases_at_once(fresh_database: FreshDatabase) -> None:
    """Roles belong to the cluster, and the lock to one database."""
    databases = [fresh_database(migrated=False) for _ in range(3)]

    with ThreadPoolExecutor(len(databases)) as pool:
        applied = list(pool.map(lambda database: migrate(database.admin_dsn), databases))

    assert all(applied)


def test_psql_from_another_folder(fresh_database: FreshDatabase, tmp_path: Path) -> None:
    database = fresh_database(migrated=False)

    answer = psql(database.admin_dsn, INSTALL, cwd=tmp_path)

    assert answer.returncode == 0, answer.stderr
    assert dump(database) == dump(fresh_database())


def test_psql_reads_the_folder_of_pgthreads_db(
    fresh_database: FreshDatabase, tmp_path: Path
) -> None:
    database = fresh_database(migrated=False)
    folder = tmp_path / "with a space" / "db"
    shutil.copytree(ROOT / "db", folder)

    answer = psql(database.admin_dsn, folder / "install.sql", cwd=tmp_path, db=folder)

    assert answer.returncode == 0, answer.stderr
    assert dump(database) == dump(fresh_database())


def test_psql_says_nothing_when_all_is_well(fresh_database: FreshDatabase) -> None:
    answer = psql(fresh_database(migrated=False).admin_dsn)

    assert (answer.stdout, answer.stderr) == ("", "")


def test_psql_without_a_transaction_is_refused(fresh_database: FreshDatabase) -> None:
    database = fresh_database(migrated=False)

    answer = subprocess.run(
        [programs.client("psql"), "-X", "-f", "db/install.sql", "-d", database.admin_dsn],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )

    assert answer.returncode != 0
    assert "psql -1" in answer.stderr
    with psycopg.connect(database.admin_dsn) as connection:
        assert connection.execute("select to_regnamespace('pgthreads')").fetchone() == (None,)


def test_an_edited_migration_is_refused(fresh_database: FreshDatabase, tmp_path: Path) -> None:
    database = fresh_database()
    content = dump(database)
    folder = tmp_path / "db"
    shutil.copytree(ROOT / "db", folder)
    migration = min((folder / "migrations").glob("*.sql"))
    migration.write_text(migration.read_text() + "create table pgthreads.sneaked_in ();\n")

    answer = psql(database.admin_dsn, folder / "install.sql", cwd=tmp_path, db=folder)
    with pytest.raises(MigrateError) as refusal:
        migrate(database.admin_dsn, folder)

    assert answer.returncode != 0
    for text in (answer.stderr, str(refusal.value)):
        assert f"migration {migration.stem} was edited" in text
        assert "cannot reach" not in text
    assert "new migration" in refusal.value.hint
    assert dump(database) == content


def test_a_failing_migration_leaves_nothing(fresh_database: FreshDatabase, tmp_path: Path) -> None:
    database = fresh_database(migrated=False)
    content = dump(database)
    folder = tmp_path / "db"
    shutil.copytree(ROOT / "db", folder)
    (folder / "migrations" / "9999_broken.sql").write_text("select 1 / 0;\n")

    with pytest.raises(MigrateError, match="division by zero"):
        migrate(database.admin_dsn, folder)

    assert dump(database) == content


def test_install_lists_every_file() -> None:
    text = INSTALL.read_text()
    listed = re.findall(r"^\\ir (\S+)$", text, flags=re.MULTILINE)
    parts = [ROOT / "db", *(ROOT / "db" / "optional" / name for name in optional_parts())]
    files = {
        str(file.relative_to(ROOT / "db"))
        for part in parts
        for kind in ("functions", "views", "policies")
        for file in (part / kind).rglob("*.sql")
    }
    migrations = [file for part in parts for file in sorted((part / "migrations").glob("*.sql"))]

    assert len(files) > 20
    assert len(listed) == len(set(listed))
    assert set(listed) == files | {"roles.sql", "ledger.sql"}
    assert re.findall(r"apply_migration\('(\w+)'", text) == [file.stem for file in migrations]
    assert re.findall(r'cat "\$PGTHREADS_DB/(\S+)"', text) == [
        str(file.relative_to(ROOT / "db")) for file in migrations
    ]


def test_a_function_is_in_the_file_of_its_name() -> None:
    for file in (ROOT / "db").rglob("functions/**/*.sql"):
        text = file.read_text()
        made = re.findall(r"^create (?:or replace )?function pgthreads\.(\w+)", text, re.MULTILINE)
        # Overloads are one function to its callers, and lie in one file.
        assert set(made) == {file.stem}, file.name
        assert f"comment on function pgthreads.{file.stem}" in text, file.name


def test_a_function_is_in_the_folder_of_who_may_call_it(admin_dsn: str) -> None:
    """`api` may be called by a server, `maintenance` by its own role, `internal` by neither."""
    with psycopg.connect(admin_dsn) as connection:
        rows = connection.execute(
            "select p.proname,"
            " coalesce(array_agg(r.rolname) filter (where a.grantee <> p.proowner), '{}')"
            " from pg_proc as p, aclexplode(p.proacl) as a"
            " left join pg_roles as r on r.oid = a.grantee"
            " where p.pronamespace = 'pgthreads'::regnamespace and a.privilege_type = 'EXECUTE'"
            " group by p.oid"
        ).fetchall()
    folders = {file.stem: file.parent.name for file in (ROOT / "db/functions").rglob("*.sql")}
    callers = {name: set(roles) for name, roles in rows if name in folders}

    assert callers.keys() == folders.keys()
    for name, folder in folders.items():
        if folder == "api":
            assert "pgthreads_server" in callers[name], name
        elif folder == "maintenance":
            assert callers[name] == {"pgthreads_maintenance"}, name
        else:
            assert (folder, callers[name]) == ("internal", set()), name


def test_no_metacommand_but_in_install() -> None:
    for file in (ROOT / "db").rglob("*.sql"):
        if file != INSTALL:
            assert not re.findall(r"^\s*\\[a-z!]", file.read_text(), re.MULTILINE), file.name


def test_search_is_installed_alike_and_stays(fresh_database: FreshDatabase) -> None:
    by_psql, by_migrate = fresh_database(migrated=False), fresh_database()
    without = dump(by_migrate)
    answer = psql(by_psql.admin_dsn, before=("db/optional/search.sql",))
    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "", "")

    assert migrate(by_migrate.admin_dsn, optional=["search"]) == ["1001_message_search"]

    content = dump(by_psql)
    assert "CREATE FUNCTION pgthreads.search_threads" in content
    assert "CREATE FUNCTION pgthreads.search_threads" not in without
    assert dump(by_migrate) == content
    # An upgrade that does not name it creates its functions again.
    for again in (psql_install, migrate):
        for database in (by_psql, by_migrate):
            with psycopg.connect(database.admin_dsn) as admin:
                admin.execute("drop function pgthreads.search_threads")
            again(database.admin_dsn)
            assert dump(database) == content


def new_clusters() -> list[Any]:
    """Return functions that start a cluster without our roles, one for each PostgreSQL."""
    folder = programs.server_folder()
    found: dict[str, Callable[[], AbstractContextManager[str]]] = {"embedded": embedded_cluster}
    if folder:
        found["installed"] = lambda: installed_cluster(folder)
    return [pytest.param(start, id=name) for name, start in found.items()]


@pytest.fixture(scope="module", params=new_clusters())
def new_cluster(request: pytest.FixtureRequest) -> Iterator[str]:
    with request.param() as conninfo:
        yield conninfo


@pytest.fixture
def installer(new_cluster: str) -> Iterator[Callable[[], str]]:
    """`installer()`: a new role with CREATEROLE, and a database in which it may create schemas."""
    made: list[sql.Identifier] = []
    with psycopg.connect(new_cluster, autocommit=True) as admin:

        def make() -> str:
            name = f"installer_{uuid4().hex[:12]}"
            role = sql.Identifier(name)
            admin.execute(sql.SQL("create role {} login createrole password 'i'").format(role))
            admin.execute(sql.SQL("create database {}").format(role))
            admin.execute(sql.SQL("grant create on database {} to {}").format(role, role))
            made.append(role)
            return make_conninfo(new_cluster, dbname=name, user=name, password="i")

        yield make
        for role in made:
            admin.execute(sql.SQL("drop database {} with (force)").format(role))
        for role in (*map(sql.Identifier, OUR_ROLES), *made):
            admin.execute(sql.SQL("drop role if exists {}").format(role))


def install(way: str, dsn: str) -> None:
    if way == "psql":
        psql_install(dsn)
    elif way == "sql":
        with psycopg.connect(dsn, autocommit=True) as connection:
            connection.execute(installation_script().encode())
    else:
        migrate(dsn)


@pytest.mark.parametrize("way", ["psql", "migrate", "sql"])
def test_an_installer_who_is_no_superuser(installer: Callable[[], str], way: str) -> None:
    """CREATEROLE and CREATE in the database are enough, also for a second run."""
    dsn = installer()

    for _ in range(2):
        install(way, dsn)

    with psycopg.connect(dsn) as connection:
        owners = connection.execute(
            """
            select distinct c.relowner::regrole::text from pg_class as c
            where c.relnamespace = 'pgthreads'::regnamespace and c.relkind in ('r', 'v')
            union
            select distinct p.proowner::regrole::text from pg_proc as p
            where p.pronamespace = 'pgthreads'::regnamespace
            """
        ).fetchall()
        assert owners == [("pgthreads_owner",)]


def test_a_superuser_upgrades_what_another_installed(
    installer: Callable[[], str], new_cluster: str
) -> None:
    dsn = installer()
    migrate(dsn)

    assert migrate(make_conninfo(new_cluster, dbname=str(conninfo_to_dict(dsn)["dbname"]))) == []


@pytest.mark.parametrize("way", ["psql", "migrate", "sql"])
def test_an_installer_in_a_cluster_that_has_the_roles(
    installer: Callable[[], str], new_cluster: str, way: str
) -> None:
    """A member of pgthreads_owner installs into a second database; the roles are another's."""
    migrate(installer())
    second = installer()
    with psycopg.connect(new_cluster, autocommit=True) as admin:
        admin.execute(
            sql.SQL("grant pgthreads_owner to {}").format(
                sql.Identifier(str(conninfo_to_dict(second)["user"]))
            )
        )

    for _ in range(2):
        install(way, second)


@pytest.mark.parametrize("way", ["psql", "migrate"])
def test_an_installer_who_may_not_become_the_owner(
    installer: Callable[[], str], new_cluster: str, way: str
) -> None:
    """Since PostgreSQL 16: the error names who can help, and what to run."""
    helpful, dsn = installer(), installer()
    first, second = conninfo_to_dict(helpful), conninfo_to_dict(dsn)
    migrate(helpful)
    with psycopg.connect(new_cluster, autocommit=True) as admin:
        if admin.info.server_version < 160000:
            install(way, dsn)
            return
        if way == "psql":
            told = psql(dsn).stderr
        else:
            with pytest.raises(MigrateError) as refusal:
                migrate(dsn)
            told = f"{refusal.value} HINT: {refusal.value.hint}"
        assert f"role {second['user']} may not become pgthreads_owner" in told
        assert str(first["user"]) in told
        (command,) = re.findall(r"Ask one of them to run: (.*)", told)
        with psycopg.connect(helpful, autocommit=True) as helper:
            helper.execute(command)
        install(way, dsn)


def test_a_schema_of_somebody_else_is_refused(fresh_database: FreshDatabase) -> None:
    """Otherwise somebody who may create schemas could prepare tables of their own."""
    database = fresh_database(migrated=False)
    with psycopg.connect(database.admin_dsn, autocommit=True) as admin:
        admin.execute("create schema pgthreads authorization app_login")
        admin.execute("grant all on schema pgthreads to public")

    answer = psql(database.admin_dsn)
    with pytest.raises(MigrateError):
        migrate(database.admin_dsn)

    assert answer.returncode != 0
    assert "must be owner of schema pgthreads" in answer.stderr


def test_the_installers_search_path_does_not_matter(fresh_database: FreshDatabase) -> None:
    """A function that somebody has put where the installer looks first is not used."""
    for way in ("psql", "migrate"):
        database = fresh_database(migrated=False)
        with psycopg.connect(database.admin_dsn, autocommit=True) as admin:
            admin.execute("create schema trap")
            admin.execute("grant usage on schema trap to public")
            admin.execute(
                "create function trap.current_setting(text, boolean) returns text"
                " language sql as 'select null::text'"
            )
            admin.execute("create function trap.sha256(bytea) returns bytea return '\\x00'::bytea")
        install(
            way, make_conninfo(database.admin_dsn, options="-c search_path=trap,public,pg_catalog")
        )
        policies = re.findall(r"^CREATE POLICY .*$", dump(database), re.MULTILINE)
        assert len(policies) > 5
        assert not [policy for policy in policies if "trap." in policy]


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_a_database_that_is_not_in_utf8_is_refused(database_server: Server, encoding: str) -> None:
    name = f"pgthreads_test_{uuid4().hex[:12]}"
    database = Database(name, database_server)
    with psycopg.connect(database_server.conninfo, autocommit=True) as admin:
        admin.execute(
            sql.SQL(
                "create database {} encoding {} locale_provider libc lc_collate 'C' lc_ctype 'C'"
                " template template0"
            ).format(sql.Identifier(name), encoding)
        )
        try:
            answer = psql(database.admin_dsn)
            with pytest.raises(MigrateError, match="not in UTF-8") as refusal:
                migrate(database.admin_dsn)

            assert answer.returncode != 0
            assert "not in UTF-8" in answer.stderr
            assert "encoding 'UTF8'" in answer.stderr
            assert "encoding 'UTF8'" in refusal.value.hint
            with psycopg.connect(database.admin_dsn, client_encoding="utf8") as connection:
                assert connection.execute("select to_regnamespace('pgthreads')").fetchone() == (
                    None,
                )
        finally:
            admin.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


def test_who_holds_the_lock_of_installations_is_named(fresh_database: FreshDatabase) -> None:
    """Any login can take this lock, so the installer does not wait for ever."""
    database = fresh_database()
    impatient = make_conninfo(database.admin_dsn, options="-c lock_timeout=200ms")
    with psycopg.connect(
        database.server_dsn, autocommit=True, application_name="squatter"
    ) as holder:
        holder.execute("select pg_advisory_lock(7304721120260101)")

        answer = psql(impatient)
        with pytest.raises(MigrateError, match="squatter") as refusal:
            migrate(impatient)

        who = f"process {holder.info.backend_pid} of role app_login (squatter)"
        assert answer.returncode != 0
        assert who in answer.stderr
        assert who in str(refusal.value)
        assert "pg_terminate_backend" in refusal.value.hint
    assert migrate(impatient) == []


def test_no_literal_depends_on_a_setting() -> None:
    """With standard_conforming_strings off, a backslash in a plain literal would be an escape."""
    safe = re.compile(r"--[^\n]*|E'(?:[^'\\]|\\.|'')*'|\$([a-z]+)\$.*?\$\1\$", re.DOTALL)
    for file in (ROOT / "db").rglob("functions/**/*.sql"):
        text = file.read_text()
        if "\nset standard_conforming_strings = on\n" not in text:
            assert "\\" not in safe.sub("", text), file.name


def test_settings_of_the_installer_do_not_matter(fresh_database: FreshDatabase) -> None:
    database, alone = fresh_database(migrated=False), fresh_database()
    odd = (
        "-c standard_conforming_strings=off -c escape_string_warning=off"
        " -c quote_all_identifiers=on -c DateStyle=SQL,DMY -c check_function_bodies=on"
        " -c row_security=off"
    )

    migrate(make_conninfo(database.admin_dsn, options=odd))

    assert dump(database) == dump(alone)
