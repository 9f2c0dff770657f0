"""The installed suite: it works under load, blocks nobody, and can fail."""

from __future__ import annotations

import os
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest
from click.testing import CliRunner
from psycopg import sql
from psycopg.conninfo import make_conninfo
from psycopg.types.json import Jsonb

from pgthreads.cli.main import main
from pgthreads.postgres.migrate import migrate
from pgthreads.postgres.pgtap import SuiteError, SuiteResult, installed_suite, run_installed_suite
from pgthreads.postgres.tenants import signed_with
from tests import programs
from tests.database import Database, Server, load_pgtap
from tests.operations.chains import fill, message
from tests.operations.manifest import SUITE, with_manifest
from tests.operations.test_partitions import partition

ROOT = Path(__file__).resolve().parents[2]
_DBA = "tap_dba"

FreshDatabase = Callable[..., Database]


@pytest.fixture(scope="module", autouse=True)
def _dba(database_server: Server, template_database: str) -> Iterator[None]:
    """A login that is not a superuser, with what the suite needs."""
    assert template_database, "the roles are there"
    with psycopg.connect(database_server.conninfo, autocommit=True) as admin:
        for statement in (
            f"drop role if exists {_DBA}",
            f"create role {_DBA} login password '{_DBA}'"
            " in role pgthreads_server, pgthreads_maintenance",
        ):
            admin.execute(statement.encode())
    yield
    with psycopg.connect(database_server.conninfo, autocommit=True) as admin:
        admin.execute(f"drop role {_DBA}".encode())


def dba_of(database: Database) -> str:
    return make_conninfo(database.admin_dsn, user=_DBA, password=_DBA)


def run(database: Database) -> SuiteResult:
    """Run the suite as the DBA; pgTAP is in the database."""
    return run_installed_suite(dba_of(database))


def test_it_expects_what_this_checkout_installs(database_server: Server) -> None:
    suite = SUITE.read_text(encoding="utf-8")
    assert with_manifest(suite, database_server) == suite, "run `make manifest`, and commit it"


class Load:
    """Sessions that chat without a pause, and how long their calls took."""

    def __init__(self, dsn: str) -> None:
        self._dsn = dsn
        self._stop = threading.Event()
        self.calls: list[float] = []

    def chat(self, owner: str) -> None:
        with psycopg.connect(self._dsn, autocommit=True) as connection:

            def call(function: LiteralString, *values: object) -> Any:
                begun = time.monotonic()
                row = connection.execute(
                    "select f from pgthreads.set_tenant(%s) as t (owner),"
                    " lateral pgthreads." + function + " as f",
                    (owner, *values),
                ).fetchone()
                self.calls.append(time.monotonic() - begun)
                return row

            for number in count():
                if self._stop.is_set():
                    return
                key, turn = f"chat{number % 3}", f"turn{number}"
                answer = Jsonb([message(f"a{number}", "assistant", "x" * 500)])
                begin: LiteralString = "begin_turn(t.owner, %s, %s, %s, 20)"
                call(begin, key, Jsonb(message(f"u{number}")), turn)
                call("extend_turn(t.owner, %s, %s)", key, turn)
                call("append_thread(t.owner, %s, %s, null, %s)", key, answer, turn)
                call("finish_turn(t.owner, %s, %s, 'completed')", key, turn)
                call("list_threads(t.owner)")
                call("load_thread(t.owner, %s, 50)", key)

    @contextmanager
    def running(self, clients: int = 4) -> Iterator[None]:
        """Let so many clients chat; raises the error that one of them gets."""
        with ThreadPoolExecutor(clients) as pool:
            chats = [pool.submit(self.chat, f"user{number}") for number in range(clients)]
            try:
                time.sleep(0.3)
                yield
            finally:
                self._stop.set()
            for each in chats:
                each.result(30)


def test_it_is_right_under_load(
    fresh_database: FreshDatabase, capsys: pytest.CaptureFixture[str]
) -> None:
    """Run by pg_prove and by psql, as the file says; no call fails or waits for a lock."""
    database = fresh_database()
    load_pgtap(database)
    fill(database.server_dsn)
    load = Load(database.server_dsn)
    head = installed_suite().read_text(encoding="utf-8").split("\nbegin;")[0]
    assert "pg_prove -d chat db/pgtap/installed.sql" in head
    assert "psql -X -q -A -t -v ON_ERROR_STOP=1 -d chat -f db/pgtap/installed.sql" in head
    psql = [str(programs.client("psql")), "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", dba_of(database)]

    with load.running():
        before = len(load.calls)
        begun = time.monotonic()
        proved = subprocess.run(
            ["pg_prove", "-U", _DBA, str(SUITE)],
            capture_output=True,
            text=True,
            env={**os.environ, **database.environment(), "PGPASSWORD": _DBA},
            check=False,
        )
        told = subprocess.run(
            [*psql, "-f", str(SUITE)], capture_output=True, text=True, cwd=ROOT, check=False
        )
        seconds = time.monotonic() - begun
        during = load.calls[before:]

    assert proved.returncode == 0, proved.stdout + proved.stderr
    assert (told.returncode, told.stderr) == (0, "")
    assert "not ok" not in told.stdout
    assert len(during) > 20, "there was load"
    with capsys.disabled():
        print(
            f"\n# installed suite: twice in {seconds:.1f} s under load, of {len(during)} calls"
            f" meanwhile the longest took {max(during) * 1000:.0f} ms,"
            f" {max(load.calls[:before]) * 1000:.0f} ms before"
        )


def test_it_takes_no_lock_that_a_call_waits_for(fresh_database: FreshDatabase) -> None:
    """Its open transaction holds no stronger lock than an append does."""
    database = fresh_database()
    load_pgtap(database)
    fill(database.server_dsn)
    text = installed_suite().read_text(encoding="utf-8")
    begun, end = text.rsplit("rollback;", 1)
    assert end.strip() == ""
    with (
        psycopg.connect(dba_of(database), autocommit=True) as suite,
        psycopg.connect(database.admin_dsn, autocommit=True) as admin,
    ):
        suite.execute(begun.encode())
        locks = admin.execute(
            """
            select c.relname, l.mode
            from pg_locks as l
            join pg_class as c on c.oid = l.relation
            where l.pid = %s and l.granted and c.relnamespace = 'pgthreads'::regnamespace
              and l.database = (select oid from pg_database where datname = current_database())
            """,
            [suite.info.backend_pid],
        ).fetchall()
        assert {mode for _, mode in locks} == {
            "AccessShareLock",
            "RowShareLock",
            "RowExclusiveLock",
        }
        # And it holds no row of another owner.
        admin.execute("set lock_timeout = '100ms'")
        for table in ("thread", "turn", "config"):
            admin.execute(f"select from pgthreads.{table} for update".encode())
        suite.execute("rollback")
        left = admin.execute(
            "select count(*) from pgthreads.thread where owner_user_id like 'pgtap %'"
        ).fetchone()
        assert left == (0,)


DRIFT: dict[LiteralString, str] = {
    "alter table pgthreads.message disable trigger message_grow_only": "trigger message.",
    "alter table pgthreads.thread no force row level security": "table thread",
    "alter policy thread_server on pgthreads.thread using (true)": "policy thread.thread_server",
    "grant update on pgthreads.message to pgthreads_server": "table message",
    "grant execute on function pgthreads.erase_owner to pgthreads_server": "function erase_owner(",
    "alter function pgthreads.list_threads reset search_path": "function list_threads(",
    "create or replace function pgthreads.is_luhn(p_text text) returns boolean language sql"
    " immutable parallel safe set search_path = pg_catalog, pg_temp as 'select false'": (
        "function is_luhn("
    ),
    "drop index pgthreads.message_branch": "index pgthreads.message_branch",
    "alter table pgthreads.turn drop constraint turn_finished_check": "constraint turn.",
    "alter table pgthreads.config add column mine int": "nothing else is in the schema",
    "create policy everybody on pgthreads.turn using (true)": "nothing else is in the schema",
    "update pgthreads.redaction_rule set enabled = false": "redaction works as its rules say",
    "alter role tap_dba in database {} set app.current_user_id = 'ada'": (
        "no role and no database sets a tenant for its sessions"
    ),
}


def test_it_finds_what_has_changed(fresh_database: FreshDatabase) -> None:
    """Each of these alone would make it fail; together they take only one run."""
    database = fresh_database()
    load_pgtap(database)
    with psycopg.connect(database.admin_dsn, autocommit=True) as admin:
        for statement in DRIFT:
            admin.execute(sql.SQL(statement).format(sql.Identifier(database.name)))
    failed = run(database).failed
    for statement, name in DRIFT.items():
        assert any(each.startswith(name) for each in failed), (statement, failed)


def test_it_finds_calls_that_break_their_promise(fresh_database: FreshDatabase) -> None:
    """A trigger of somebody's that loses messages."""
    database = fresh_database()
    load_pgtap(database)
    with psycopg.connect(database.admin_dsn, autocommit=True) as admin:
        admin.execute(
            "create function public.lose() returns trigger language plpgsql as"
            " 'begin return null; end'"
        )
        admin.execute(
            "create trigger lose before insert on pgthreads.message for each row"
            " when (new.seq > 1) execute function public.lose()"
        )
        failed = run(database).failed
        assert any(each.startswith("load_thread returns what was appended") for each in failed)


def test_it_passes_on_partitions(fresh_database: FreshDatabase) -> None:
    database = fresh_database()
    partition(database)
    load_pgtap(database)
    assert run(database).failed == []


def test_the_doctor_runs_it(fresh_database: FreshDatabase) -> None:
    """It runs with pgTAP from a file, which is gone afterwards; with search; with tokens."""
    database = fresh_database()
    migrate(database.admin_dsn, optional=("search",))
    key = bytes(range(32))
    with psycopg.connect(database.admin_dsn, autocommit=True) as admin:
        admin.execute("insert into pgthreads.tenant_key (id, key) values ('one', %s)", (key,))
        admin.execute("update pgthreads.config set require_verified_tenant = true")
        admin.execute(
            sql.SQL("grant create on database {} to {}").format(
                sql.Identifier(database.name), sql.Identifier(_DBA)
            )
        )
        script = programs.pgtap_script()
        assert script is not None
        told = CliRunner().invoke(
            main,
            [
                *("doctor", "--database-url", database.server_dsn, "--tenant-key", key.hex()),
                *("--pgtap", "--pgtap-database-url", dba_of(database)),
                *("--pgtap-sql", str(script)),
            ],
        )
        assert told.exit_code == 0, told.output
        assert "assertions hold" in told.output
        left = admin.execute("select nspname from pg_namespace where nspname ~ 'pgtap'").fetchall()
        assert left == []
        load_pgtap(database)
        with pytest.raises(SuiteError, match="needs a tenant token"):
            run(database)
        assert run_installed_suite(dba_of(database), tenant=signed_with(key)).failed == []
        # A role that may become the owner can sign its own token.
        assert run_installed_suite(database.admin_dsn).failed == []


def test_who_may_not_run_it_is_told_why(fresh_database: FreshDatabase) -> None:
    database = fresh_database()
    with pytest.raises(SuiteError, match="may not become pgthreads_maintenance") as refusal:
        run_installed_suite(database.server_dsn)
    assert "grant pgthreads_server, pgthreads_maintenance to app_login" in refusal.value.hint
    with pytest.raises(SuiteError, match="pgTAP is n") as refusal:
        run_installed_suite(dba_of(database))
    assert refusal.value.hint
    empty = fresh_database(migrated=False)
    with pytest.raises(SuiteError, match="pgthreads is not in this database"):
        run_installed_suite(dba_of(empty))


def test_the_full_suite_refuses_a_database_in_use(fresh_database: FreshDatabase) -> None:
    """Each of its files except those of the catalogue stops before it touches anything."""
    folder = ROOT / "tests" / "pgtap"
    for file in folder.glob("*/*.sql"):
        text = file.read_text(encoding="utf-8")
        shared = ("../empty", "../helpers", "../operators", "../waiting")
        guarded = any(f"\\ir {name}" in text for name in shared)
        assert guarded or "attacks.psql" in text or file.parent.name == "catalog", file

    database = fresh_database()
    load_pgtap(database)
    fill(database.server_dsn, threads=1, messages=1)
    for name in ("grow_only/ddl.sql", "tenancy/session_wide.sql", "purge_threads/batches.sql"):
        told = subprocess.run(
            ["psql", "-X", "-d", database.admin_dsn, "-f", folder / name],
            capture_output=True,
            text=True,
            check=False,
        )
        assert told.returncode == 3, name
        assert "this one has threads" in told.stderr
        assert "db/pgtap/installed.sql" in told.stderr
        # psql leaves a file that includes another one at its next statement.
        others = told.stderr.count("ERROR") - told.stderr.count("current transaction is aborted")
        assert others == 1, told.stderr
