"""From every release to this one, while clients of that release go on calling."""

from __future__ import annotations

import json
import shutil
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg import sql
from psycopg.types.json import Jsonb

from pgthreads.postgres.migrate import MigrateError, database_files, migrate
from pgthreads.postgres.pool import Pool
from pgthreads.postgres.rows import TurnState
from pgthreads.postgres.threads import Threads
from tests.database import APP_ROLE, Database
from tests.operations.chains import OWNERS, assert_grown, chains, fill, message, verify_by_schema
from tests.operations.release import releases
from tests.server.command import wait_until
from tests.server.test_install import dump, psql, psql_install

FreshDatabase = Callable[..., Database]

_TENANT: LiteralString = " from pgthreads.set_tenant(%s) as t(owner), lateral pgthreads."

# These calls name columns, as the first release's server did, so a column that a later release adds
# to a result does not change their type.
BEGIN: LiteralString = (
    "select b.outcome, b.state_key, b.turn_id, b.message_count, b.lease_until,"
    " b.max_message_bytes, b.history, b.answer"
    + _TENANT
    + "begin_turn(t.owner, %s, %s::jsonb, %s, %s) as b"
)
EXTEND: LiteralString = (
    "select e.alive, e.stop_requested, e.lease_until"
    + _TENANT
    + "extend_turn(t.owner, %s, %s) as e"
)
FINISH: LiteralString = (
    "select f.status"
    + _TENANT
    + "append_thread(t.owner, %s, jsonb_build_array(pgthreads.clean_json(%s)), null, %s) as a,"
    " lateral pgthreads.finish_turn(t.owner, a.state_key, %s, %s, pgthreads.clean_json(%s), %s)"
    " as f"
)
APPEND: LiteralString = (
    "select a.state_key, a.message_count, a.appended"
    + _TENANT
    + "append_thread(t.owner, %s, %s, %s) as a"
)
LOAD: LiteralString = "select l" + _TENANT + "load_thread(t.owner, %s) as l"
SAVE: LiteralString = (
    "select s.state_key, s.message_count, s.appended"
    + _TENANT
    + "save_thread(t.owner, %s, %s, %s) as s"
)
LIST: LiteralString = (
    "select l.state_key, l.title, l.message_count, l.metadata, l.created_at, l.updated_at,"
    " l.running, l.next_cursor" + _TENANT + "list_threads(t.owner, 50, null) as l"
)
READ: LiteralString = (
    "select r.state_key, r.title, r.message_count, r.metadata, r.created_at, r.updated_at,"
    " r.digest, r.messages" + _TENANT + "read_thread(t.owner, %s, null, null, null) as r"
)
UPDATE: LiteralString = (
    "select u.state_key, u.title" + _TENANT + "update_thread(t.owner, %s, %s, null) as u"
)
VIEW: LiteralString = (
    "select v.messages from pgthreads.set_tenant(%s) as t(owner)"
    " join pgthreads.ai_threads as v on v.owner_user_id = t.owner and v.state_key = %s"
)


@dataclass
class OldClient:
    """A server of an earlier release, with one owner and one thread, that records what it does."""

    dsn: str
    owner: str
    known: list[str] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)
    slowest: float = 0.0

    def run(self, stop: threading.Event) -> None:
        """Chat until `stop`; raises any error that does not go away when the call is repeated."""
        with psycopg.connect(self.dsn, autocommit=True, prepare_threshold=2) as connection:
            for round_ in count():
                if stop.is_set():
                    return
                self._round(connection, round_)

    def _round(self, connection: psycopg.Connection[Any], number: int) -> None:
        def call(statement: LiteralString, *values: object) -> Any:
            start = time.monotonic()
            try:
                row = connection.execute(statement, [self.owner, *values]).fetchone()
            except psycopg.Error as error:
                self.errors[f"{error.sqlstate} {error}"] += 1
                raise
            self.slowest = max(self.slowest, time.monotonic() - start)
            assert row is not None, statement
            return row

        turn, key = f"turn{number}", "chat"
        asked, answered, noted = f"u{number}", f"a{number}", f"n{number}"
        began = call(BEGIN, key, Jsonb(message(asked)), turn, 20)
        self.known.append(asked)
        assert (began[0], began[3]) == ("started", len(self.known))
        assert [each["id"] for each in began[6]] == self.known[-20:]
        assert call(EXTEND, key, turn)[0] is True
        answer = json.dumps(message(answered, "assistant", "x" * 500))
        assert call(FINISH, key, answer, turn, turn, "completed", "{}", None)[0] == "completed"
        self.known.append(answered)
        stored = call(LOAD, key)[0]
        assert [each["id"] for each in stored] == self.known
        assert call(SAVE, key, Jsonb([*stored, message(noted)]), len(self.known))[2] == 1
        self.known.append(noted)
        again = call(APPEND, key, Jsonb([message(noted)]), None)
        assert again[1:] == (len(self.known), 0)
        assert call(LIST)[0] == key
        assert call(READ, key)[2] == len(self.known)
        assert call(UPDATE, key, f"title {number}")[1] == f"title {number}"
        assert len(call(VIEW, key)[0]) == len(self.known)


@pytest.fixture(params=releases(), ids=lambda file: file.stem)
def release(request: pytest.FixtureRequest, template_database: str) -> LiteralString:
    """Return the SQL of a release's schema; the roles exist, because the template has them."""
    file: Path = request.param
    text: LiteralString = file.read_text(encoding="utf-8")
    return text


def install_release(database: Database, release: LiteralString) -> None:
    with psycopg.connect(database.admin_dsn, autocommit=True) as connection:
        connection.execute(release)
        connection.execute(sql.SQL("grant pgthreads_server to {}").format(sql.Identifier(APP_ROLE)))


@contextmanager
def at_work(database: Database, clients: int = 4) -> Iterator[list[OldClient]]:
    """Let clients chat meanwhile; none of them may get an error."""
    stop = threading.Event()
    old = [OldClient(database.server_dsn, f"user{number}") for number in range(clients)]
    with ThreadPoolExecutor(clients) as pool:
        running = [pool.submit(client.run, stop) for client in old]
        try:
            time.sleep(0.5)
            yield old
            time.sleep(0.5)
        finally:
            stop.set()
        for each in running:
            each.result(30)
    assert [client.errors for client in old] == [Counter()] * clients


@pytest.mark.parametrize("way", ["migrate", "psql"])
def test_an_upgrade_while_old_clients_chat(
    fresh_database: FreshDatabase, release: LiteralString, way: str
) -> None:
    """No error, no message lost or doubled, every chain whole; also if it is run again."""
    database = fresh_database(migrated=False)
    install_release(database, release)
    fill(database.server_dsn)
    upgrade = migrate if way == "migrate" else psql_install

    with at_work(database) as clients:
        before = chains(database.admin_dsn)
        for _ in range(4):
            upgrade(database.admin_dsn)
            time.sleep(0.2)
        rounds = [len(client.known) for client in clients]
        wait_until(
            lambda: all(len(c.known) > known for c, known in zip(clients, rounds, strict=True))
        )

    after = chains(database.admin_dsn)
    assert_grown(before, after)
    assert len(after) == 3 * len(OWNERS) + len(clients)
    for client, known in zip(clients, rounds, strict=True):
        assert [each[1] for each in after[client.owner, "chat"]] == client.known
        assert len(client.known) > known > 0, "it went on after the upgrade"
        assert client.slowest < 5
    assert verify_by_schema(database) == len(after)
    with psycopg.connect(database.admin_dsn) as admin:
        turns = admin.execute(
            "select status, count(*) from pgthreads.turn group by 1 order by 1"
        ).fetchall()
    assert turns[0][0] == "completed"
    assert len(turns) == 1


def test_an_upgraded_schema_is_a_new_one(
    fresh_database: FreshDatabase, release: LiteralString
) -> None:
    database = fresh_database(migrated=False)
    install_release(database, release)

    migrate(database.admin_dsn)

    assert dump(database) == dump(fresh_database())


@pytest.mark.parametrize("mode", ["access share", "share update exclusive"])
def test_an_upgrade_that_has_to_wait_gives_up_and_harms_nobody(
    fresh_database: FreshDatabase, release: LiteralString, mode: LiteralString
) -> None:
    """For example while pg_dump or VACUUM runs, which hold a table until they end."""
    database = fresh_database(migrated=False)
    install_release(database, release)
    content = dump(database)

    with psycopg.connect(database.admin_dsn) as reader:
        reader.execute("lock table pgthreads.message in " + mode + " mode")
        with at_work(database) as clients, pytest.raises(MigrateError, match="in use") as refusal:
            migrate(database.admin_dsn)
        # It names this session, and none of the clients, which hold tables only for moments.
        assert f"These sessions use them: {reader.info.backend_pid}." in str(refusal.value)

    assert "Run it again" in refusal.value.hint
    assert max(client.slowest for client in clients) < 5
    with psycopg.connect(database.admin_dsn, autocommit=True) as admin:
        admin.execute("truncate pgthreads.turn")
        admin.execute("set session_replication_role = replica")
        admin.execute("delete from pgthreads.message")
        admin.execute("delete from pgthreads.thread")
    assert dump(database) == content


def test_an_older_release_is_refused(fresh_database: FreshDatabase, tmp_path: Path) -> None:
    """Otherwise its functions would come back beside newer ones with other signatures."""
    database = fresh_database()
    folder = tmp_path / "db"
    shutil.copytree(database_files(), folder)
    newer = folder / "migrations" / "9999_newer.sql"
    newer.write_text("create table pgthreads.newer ();\n")
    migrate(database.admin_dsn, folder)
    content = dump(database)

    with pytest.raises(MigrateError, match="newer release") as refusal:
        migrate(database.admin_dsn)
    answer = psql(database.admin_dsn)

    assert "9999_newer" in str(refusal.value)
    assert answer.returncode != 0
    assert "newer release" in answer.stderr
    assert dump(database) == content


async def test_a_server_does_not_mind_more_columns(
    fresh_database: FreshDatabase, connect: Callable[..., psycopg.Connection[Any]]
) -> None:
    """A later release adds to a result, even for statements that are prepared already."""
    database = fresh_database()
    async with Pool(database.server_dsn, size=1) as pool:
        threads = Threads(pool)
        for _ in range(4):
            assert await threads.extend_turn("ann", "key", "turn") == TurnState(False, False)
        connect(database.admin_dsn).execute(
            """
            set role pgthreads_owner;
            drop function pgthreads.extend_turn;
            create function pgthreads.extend_turn(p_owner_user_id text, p_key text, p_turn text)
            returns table (alive boolean, stop_requested boolean, lease_until timestamptz, more int)
            language sql as 'select true, false, null::timestamptz, 1';
            """
        )
        assert await threads.extend_turn("ann", "key", "turn") == TurnState(True, False)


def test_an_operators_redaction_rules_survive(
    fresh_database: FreshDatabase, release: LiteralString
) -> None:
    database = fresh_database(migrated=False)
    install_release(database, release)
    with psycopg.connect(database.admin_dsn, autocommit=True) as admin:
        admin.execute(
            "insert into pgthreads.redaction_rule"
            " (name, category, pattern, replacement, screen, ordering) values"
            " ('aaa', 'Customers', '(^|[^A-Z])CUST-[0-9]{8}', '\\1[REDACTED:customer]', 'CUST-', 3)"
        )
        admin.execute("update pgthreads.redaction_rule set pattern = 'hunter2' where name = 'jwt'")
        admin.execute(
            "update pgthreads.redaction_rule set enabled = false where name = 'payment_card'"
        )
        admin.execute("delete from pgthreads.redaction_rule where name = 'us_ssn'")

    migrate(database.admin_dsn)
    migrate(database.admin_dsn)

    with psycopg.connect(database.admin_dsn, autocommit=True) as admin:

        def redacted(text: str) -> str:
            row = admin.execute(
                "select pgthreads.redact_message(%s) #>> '{parts,0,text}'",
                [Jsonb(message("m", "user", text))],
            ).fetchone()
            assert row
            return str(row[0])

        assert redacted("I am CUST-12345678") == "I am [REDACTED:customer]"
        assert redacted("eyJ hunter2") == "eyJ [REDACTED:jwt]"
        for left in ("4111 1111 1111 1111", "123-45-" + "6789", "visa 4222222" + "222222"):
            assert redacted(left) == left
        assert redacted("npm_" + "aB3x" * 9) == "[REDACTED:package_token]"
        faults = admin.execute("select rule from pgthreads.redaction_faults()").fetchall()
        assert sorted(faults) == [("aaa",), ("jwt",)]
        admin.execute("update pgthreads.redaction_rule set category = 'People' where name = 'aaa'")
        with pytest.raises(psycopg.errors.CheckViolation):
            admin.execute("update pgthreads.redaction_rule set pattern = 'CUST' where name = 'aaa'")
