"""A database with config.require_verified_tenant: through the server, and against copied proofs."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner

from pgthreads.app import StartError
from pgthreads.cli.main import main
from pgthreads.postgres.tenants import read_key, signed_with
from pgthreads.settings import Settings, SettingsError
from tests.properties.tenants import ANN, BEA, JWT, as_user
from tests.server.service import CHAT, THREADS, answers, body_of, running_service, text_of
from tests.server.test_changes import listening

KEY = bytes(range(32))
NEXT = bytes(range(64, 128))


@pytest.fixture(scope="module", autouse=True)
def _required(admin_dsn: str) -> None:
    with psycopg.connect(admin_dsn) as admin:
        admin.execute(
            "insert into pgthreads.tenant_key (id, key) values ('first', %s), ('next', %s)",
            (KEY, NEXT),
        )
        admin.execute("update pgthreads.config set require_verified_tenant = true")


@pytest.mark.parametrize("key", [KEY, NEXT], ids=["first", "next"])
async def test_the_server_signs_its_tenants(server_dsn: str, admin_dsn: str, key: bytes) -> None:
    thread = f"signed-{len(key)}"
    async with running_service(server_dsn, admin_dsn, tenant_key=key.hex()) as service:
        service.executor.script = answers("Verified.")
        await service.chat(thread, "hi", "u1")
        await service.idle()
        assert [text_of(m) for m in await service.messages(thread)] == ["hi", "Verified."]
        async with await service.get(THREADS) as response:
            listed = (await response.json())["threads"]
        assert thread in {each["stateKey"] for each in listed}
        owner = "select owner_user_id from pgthreads.thread where state_key = %s"
        assert service.rows(owner, [thread]) == [("dev",)]


async def test_a_link_opens_its_thread_without_a_tenant(server_dsn: str, admin_dsn: str) -> None:
    async with running_service(server_dsn, admin_dsn, tenant_key=KEY.hex()) as service:
        await service.chat("linked", "hi", "u1")
        async with await service.post(f"{THREADS}/linked/shares", {}) as response:
            token = (await response.json())["token"]
        headers = {"Authorization": f"Share {token}"}
        async with await service.get("/api/v1/ai/shared", headers=headers) as response:
            assert response.status == 200
            shown = await response.json()
        assert [each["role"] for each in shown["messages"]] == ["user", "assistant"]


async def test_the_server_signs_the_tenants_of_all_who_listen(
    server_dsn: str, admin_dsn: str
) -> None:
    options = JWT | {"tenant_key": KEY.hex()}
    async with (
        running_service(server_dsn, admin_dsn, **options) as service,
        listening(service, **as_user(ANN)) as ann,
        listening(service, **as_user(BEA)) as bea,
    ):
        for user, events in ((ANN, ann), (BEA, bea)):
            asked = body_of(f"heard-by-{user}", "hi")
            async with await service.post(CHAT, asked, headers=as_user(user)) as response:
                await response.read()
            assert (await events.until())["stateKey"] == f"heard-by-{user}"


async def test_the_server_does_not_start_without_a_key(server_dsn: str, admin_dsn: str) -> None:
    with pytest.raises(StartError, match="not a tenant token") as refusal:
        async with running_service(server_dsn, admin_dsn):
            pass
    assert "--tenant-key" in refusal.value.hint


async def test_the_server_does_not_start_with_another_key(server_dsn: str, admin_dsn: str) -> None:
    with pytest.raises(StartError, match="known key"):
        async with running_service(server_dsn, admin_dsn, tenant_key="00" * 32):
            pass


async def test_a_key_that_ends_ends_the_server_s_access(server_dsn: str, admin_dsn: str) -> None:
    spare = b"\x01" * 32
    with psycopg.connect(admin_dsn, autocommit=True) as admin:
        admin.execute("insert into pgthreads.tenant_key (id, key) values ('spare', %s)", (spare,))
        async with running_service(server_dsn, admin_dsn, tenant_key=spare.hex()) as service:
            admin.execute(
                "update pgthreads.tenant_key set active_until = clock_timestamp()"
                " where id = 'spare'"
            )
            async with await service.post("/api/v1/ai/chat", body_of("ended", "hi")) as response:
                assert response.status == 403
                assert (await response.json())["code"] == "no_tenant"


async def test_tokens_are_taken_before_the_switch_is_turned(
    fresh_database: Callable[..., Any],
) -> None:
    """So a site can give keys to all its servers, and then turn the switch."""
    database = fresh_database()
    with psycopg.connect(database.admin_dsn) as admin:
        admin.execute("insert into pgthreads.tenant_key (id, key) values ('k', %s)", (KEY,))
    async with running_service(
        database.server_dsn, database.admin_dsn, tenant_key=KEY.hex()
    ) as service:
        await service.chat("early", "hi", "u1")
        await service.idle()
        assert service.rows("select owner_user_id from pgthreads.thread") == [("dev",)]


def test_a_proof_is_worth_nothing_in_another_session_or_transaction(
    server_dsn: str, connect: Callable[..., Any]
) -> None:
    sees = "select state_key from pgthreads.thread"
    token = signed_with(KEY)("mallory")
    victim, thief = connect(server_dsn), connect(server_dsn)
    with victim.transaction():
        victim.execute("select pgthreads.set_tenant(%s)", (token,))
        victim.execute("select pgthreads.append_thread('mallory', 'mine', '[]')")
        assert victim.execute(sees).fetchall() == [("mine",)]
        proof = victim.execute("select current_setting('app.tenant_proof')").fetchone()[0]
        for session in (thief,):
            with session.transaction():
                session.execute("set local app.current_user_id = 'mallory'")
                session.execute("select set_config('app.tenant_proof', %s, true)", (proof,))
                assert session.execute(sees).fetchall() == []
    with victim.transaction():
        victim.execute("set local app.current_user_id = 'mallory'")
        victim.execute("select set_config('app.tenant_proof', %s, true)", (proof,))
        assert victim.execute(sees).fetchall() == []
        with pytest.raises(psycopg.Error) as refusal:
            victim.execute("select pgthreads.load_thread('mallory', 'mine')")
        assert refusal.value.sqlstate == "THTEN"


def test_a_token_ends_with_its_transaction(server_dsn: str, connect: Callable[..., Any]) -> None:
    session = connect(server_dsn)
    session.execute("select pgthreads.set_tenant(%s)", (signed_with(KEY)("ann"),))
    assert session.execute("select pgthreads.current_tenant()").fetchone() == (None,)


@pytest.mark.parametrize("owner", ["a", "ab", "abc", "Zoë 日本 😀", "a.b.c", "x" * 255])
def test_python_and_sql_sign_alike(
    server_dsn: str, connect: Callable[..., Any], owner: str
) -> None:
    session = connect(server_dsn)
    row = session.execute("select pgthreads.set_tenant(%s)", (signed_with(KEY)(owner),)).fetchone()
    assert row == (owner,)


def test_an_upgrade_leaves_it_turned_on(
    fresh_database: Callable[..., Any], connect: Callable[..., Any]
) -> None:
    from pgthreads.postgres.migrate import migrate  # noqa: PLC0415

    database = fresh_database()
    admin = connect(database.admin_dsn)
    admin.execute("insert into pgthreads.tenant_key (id) values ('k')")
    admin.execute("update pgthreads.config set require_verified_tenant = true")
    migrate(database.admin_dsn)
    assert admin.execute("select pgthreads.requires_token()").fetchone() == (True,)


def test_the_commands_take_the_key(server_dsn: str, tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(f"\\x{KEY.hex()}\n")
    arguments = ["threads", "list", "--database-url", server_dsn, "--owner", "nobody"]
    assert CliRunner().invoke(main, [*arguments, "--tenant-key", str(file)]).exit_code == 0
    refused = CliRunner().invoke(main, arguments)
    assert refused.exit_code == 1
    assert "not a tenant token" in refused.output


def test_keys_in_hex_and_in_files(tmp_path: Path) -> None:
    file = tmp_path / "key"
    file.write_text(KEY.hex() + "\n")
    assert read_key(str(file)) == read_key(KEY.hex()) == KEY
    assert KEY.hex() not in repr(Settings(tenant_key=KEY.hex()))
    for wrong in ("00" * 31, "00" * 65, str(tmp_path / "none"), "no key"):
        with pytest.raises(SettingsError, match="--tenant-key"):
            Settings(tenant_key=wrong)


@pytest.fixture
def token_of_mallory(server_dsn: str, connect: Callable[..., Any]) -> str:
    """A token of an owner with one thread."""
    token = signed_with(KEY)("mallory")
    connect(server_dsn).execute(
        "select a.* from pgthreads.set_tenant(%s) as t(owner),"
        " lateral pgthreads.append_thread(t.owner, 'mine', '[]') as a",
        (token,),
    )
    return token


def last_rows(session: Any, message: Any) -> list[Any]:
    cursor = session.execute(message)
    rows: list[Any] = []
    while True:
        rows = cursor.fetchall() if cursor.description else rows
        if not cursor.nextset():
            return rows


@pytest.mark.parametrize("write", ["select", "select pg_current_xact_id()"])
def test_a_proof_is_worth_nothing_in_the_next_transaction_of_its_message(
    server_dsn: str, connect: Callable[..., Any], token_of_mallory: str, write: str
) -> None:
    """Both transactions have the same start, so that alone cannot tell them apart."""
    message: Any = f"""
        begin;
        select pgthreads.set_tenant('{token_of_mallory}');
        select set_config('my.kept', current_setting('app.tenant_proof'), false),
          set_config('my.first', pgthreads.current_tenant(), false),
          set_config('my.start', now()::text, false);
        commit;
        begin;
        {write};
        select set_config('app.current_user_id', 'mallory', true),
          set_config('app.tenant_proof', current_setting('my.kept'), true);
        select current_setting('my.first'), pgthreads.current_tenant(), count(*),
          now()::text = current_setting('my.start')
        from pgthreads.thread;
    """
    assert last_rows(connect(server_dsn), message) == [("mallory", None, 0, True)]


def test_a_proof_is_worth_nothing_after_a_commit_in_a_block(
    server_dsn: str, connect: Callable[..., Any], token_of_mallory: str
) -> None:
    """A `do` block is one statement with several transactions, each with a start of its own."""
    session = connect(server_dsn)
    session.execute(
        f"""
        do $$
        begin
          perform pgthreads.set_tenant('{token_of_mallory}');
          perform set_config('my.kept', current_setting('app.tenant_proof'), false);
          perform set_config('my.first', pgthreads.current_tenant(), false);
          commit;
          perform set_config('app.current_user_id', 'mallory', true);
          perform set_config('app.tenant_proof', current_setting('my.kept'), true);
          perform set_config('my.second', coalesce(pgthreads.current_tenant(), 'nobody'), false);
        end $$
        """
    )
    found = "select current_setting('my.first'), current_setting('my.second')"
    assert session.execute(found).fetchone() == ("mallory", "nobody")


def test_a_reader_gets_no_transaction_id(
    server_dsn: str, connect: Callable[..., Any], token_of_mallory: str
) -> None:
    session = connect(server_dsn)
    row = session.execute(
        "select pg_current_xact_id_if_assigned() is null, pgthreads.current_tenant()"
        " from pgthreads.set_tenant(%s) as t",
        (token_of_mallory,),
    ).fetchone()
    assert row == (True, "mallory")


def test_an_expired_token_ends_its_tenant_in_an_open_transaction(
    server_dsn: str, admin_dsn: str, connect: Callable[..., Any], token_of_mallory: str
) -> None:
    session = connect(server_dsn)
    sees = "select pgthreads.current_tenant(), count(*) from pgthreads.thread"
    minted = connect(admin_dsn).execute(
        "select pgthreads.mint_tenant_token('mallory', '2 seconds')"
    )
    with session.transaction():
        session.execute("select pgthreads.set_tenant(%s)", minted.fetchone())
        assert session.execute(sees).fetchone() == ("mallory", 1)
        session.execute("select pg_sleep(3.1)")
        assert session.execute(sees).fetchone() == (None, 0)
        with pytest.raises(psycopg.Error) as refusal, session.transaction():
            session.execute("select pgthreads.load_thread('mallory', 'mine')")
        assert refusal.value.sqlstate == "THTEN"
        assert "has expired" in str(refusal.value.diag.message_detail)
        session.execute("select pgthreads.set_tenant(%s)", (token_of_mallory,))
        assert session.execute(sees).fetchone() == ("mallory", 1)


@pytest.mark.parametrize("proof", ["", "x", "f" * 96, "0" * 96, "F" * 96, "é" * 96, "f" * 200_000])
def test_a_made_up_proof_is_no_error(
    server_dsn: str, connect: Callable[..., Any], proof: str
) -> None:
    session = connect(server_dsn)
    with session.transaction():
        session.execute("select set_config('app.current_user_id', 'mallory', true)")
        session.execute("select set_config('app.tenant_proof', %s, true)", (proof,))
        assert session.execute("select pgthreads.verified_tenant()").fetchone() == (None,)
