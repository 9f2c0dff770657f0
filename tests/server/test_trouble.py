"""PostgreSQL stopped, restarted, read-only, full, slow or silent: 503 soon, and no answer lost."""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from aiohttp import ClientResponse
from psycopg import sql
from psycopg.conninfo import make_conninfo
from psycopg.rows import args_row

from pgthreads.errors import (
    BadRequestError,
    PgThreadsError,
    ThreadLockedError,
    UnavailableError,
)
from pgthreads.events import AiEvent, Done, ExecutorRequest, TextDelta
from pgthreads.postgres.errors import from_database
from pgthreads.postgres.migrate import migrate
from pgthreads.postgres.pool import Pool
from tests.database import APP_ROLE, Database, Server, new_database, prepared
from tests.operations.clusters import folder_for
from tests.server.own_postgres import OwnPostgres, own_postgres
from tests.server.service import CHAT, THREADS, Service, body_of, chunks_of, running_service

SECONDS: dict[str, Any] = {"acquire_timeout": 1.0, "statement_timeout": 1.0, "connect_timeout": 1.0}
SOON = 8.0
"""The most seconds that a refusal may take with these settings, on a busy machine."""


@pytest.fixture(scope="module")
def postgres(database_server: Server) -> Iterator[OwnPostgres]:
    with own_postgres(folder_for(database_server)) as running:
        yield running


@pytest.fixture(scope="module")
def own(postgres: OwnPostgres) -> Iterator[Database]:
    server = prepared(postgres.conninfo, "the test's own")
    with new_database(server) as database:
        migrate(database.admin_dsn)
        with psycopg.connect(database.admin_dsn, autocommit=True) as admin:
            admin.execute(sql.SQL("grant pgthreads_server to {}").format(sql.Identifier(APP_ROLE)))
        yield database


@pytest.fixture
async def service(own: Database) -> AsyncIterator[Service]:
    async with running_service(own.server_dsn, own.admin_dsn, **SECONDS) as running:
        assert chunks_of(await running.chat("warm", "hi"))[-1]["type"] == "finish"
        yield running


class Gate:
    """An executor that waits before its last word until the test lets it go on."""

    def __init__(self) -> None:
        self.open = asyncio.Event()

    async def script(self, _: ExecutorRequest) -> AsyncIterator[AiEvent]:
        yield TextDelta("whole ")
        await self.open.wait()
        yield TextDelta("answer")
        yield Done()


async def begin(service: Service, key: str) -> tuple[Gate, ClientResponse]:
    gate = Gate()
    service.executor.script = gate.script
    response = await service.post(CHAT, body_of(key, "hi", "u1"))
    assert response.status == 200
    return gate, response


async def refused(response: ClientResponse) -> str:
    """What a client is told, whatever kind of trouble it is."""
    body = await response.json()
    assert (response.status, body["code"]) == (503, "database_unavailable"), body
    assert int(response.headers["Retry-After"]) >= 1
    assert "same id" in body["hint"]
    return str(body["error"])


@contextmanager
def soon() -> Iterator[None]:
    begun = time.monotonic()
    yield
    assert time.monotonic() - begun < SOON


async def until_it_works(service: Service, seconds: float = 10) -> None:
    async with asyncio.timeout(seconds):
        while (await service.get("/readyz")).status != 200:  # noqa: ASYNC110
            await asyncio.sleep(0.1)


def is_stored(service: Service, key: str) -> bool:
    stored = service.rows(
        "select string_agg(p ->> 'text', '') from pgthreads.message,"
        " jsonb_array_elements(message::jsonb -> 'parts') as p where state_key = %s and seq = 2",
        [key],
    )
    return stored == [("whole answer",)] and service.turns(key)[-1][0] == "completed"


async def test_a_server_that_is_stopped(postgres: OwnPostgres, service: Service) -> None:
    gate, response = await begin(service, "stopped")
    postgres.stop()
    try:
        for path in (THREADS, f"{THREADS}/stopped"):
            with soon():
                await refused(await service.get(path))
        with soon():
            await refused(await service.post(CHAT, body_of("other", "hi", "u1")))
        with soon():
            assert (await service.get("/readyz")).status == 503
        gate.open.set()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(response.content.readuntil(b'"finish"'), 2)
    finally:
        postgres.start()
    await until_it_works(service)
    assert chunks_of(await response.read())[-1]["type"] == "finish"
    assert is_stored(service, "stopped")
    assert service.rows("select from pgthreads.thread where state_key = 'other'") == []


async def test_an_outage_is_logged_once(
    postgres: OwnPostgres, service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    """Not once for each connection and each attempt."""
    for _ in range(2):
        caplog.clear()
        postgres.stop()
        try:
            for _ in range(3):
                await asyncio.gather(*[service.get(THREADS) for _ in range(4)])
        finally:
            postgres.start()
        lines = [each.getMessage() for each in caplog.records if each.name == "psycopg.pool"]
        await until_it_works(service)
        assert len(lines) == 1
        assert "error connecting" in lines[0]


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGQUIT])
async def test_a_restart_that_nobody_notices(
    postgres: OwnPostgres, service: Service, number: signal.Signals
) -> None:
    key = f"restart-{number.name}"
    gate, response = await begin(service, key)
    postgres.stop(number)
    postgres.start()
    assert (await service.get(THREADS)).status == 200
    gate.open.set()
    assert chunks_of(await response.read())[-1]["type"] == "finish"
    assert is_stored(service, key)


async def test_a_server_that_takes_no_writes(service: Service) -> None:
    gate, response = await begin(service, "read-only")
    service.rows("alter role app_login set default_transaction_read_only = on")
    end_sessions(service)
    try:
        assert (await service.get(f"{THREADS}/read-only")).status == 200
        with soon():
            error = await refused(await service.post(CHAT, body_of("new", "hi")))
        assert error == "the database takes no writes at the moment"
        gate.open.set()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(response.content.readuntil(b'"finish"'), 1)
    finally:
        service.rows("alter role app_login reset default_transaction_read_only")
    # The sessions are still those from the read-only time, like sessions to a former primary.
    assert chunks_of(await response.read())[-1]["type"] == "finish"
    assert is_stored(service, "read-only")
    service.executor.script = Gate.script.__get__(gate)
    assert chunks_of(await service.chat("new", "hi"))[-1]["type"] == "finish"


async def test_a_server_that_refuses_connections(own: Database, service: Service) -> None:
    gate, response = await begin(service, "refusing")
    service.rows("alter role app_login connection limit 1")
    end_sessions(service)
    with psycopg.connect(own.server_dsn):
        with soon():
            await refused(await service.get(THREADS))
        gate.open.set()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(response.content.readuntil(b'"finish"'), 1)
    service.rows("alter role app_login connection limit -1")
    await until_it_works(service)
    assert chunks_of(await response.read())[-1]["type"] == "finish"
    assert is_stored(service, "refusing")


async def test_a_call_that_takes_too_long(own: Database, service: Service) -> None:
    with psycopg.connect(own.admin_dsn) as admin:
        admin.execute("select from pgthreads.thread where state_key = 'warm' for update")
        with soon():
            error = await refused(await service.post(CHAT, body_of("warm", "and?", "u2")))
        assert error == "the database took too long"
        # PostgreSQL was asked to cancel it: nothing goes on there.
        assert waiting(service) == 0
    assert chunks_of(await service.chat("warm", "and?", "u2"))[-1]["type"] == "finish"


async def test_a_limit_of_the_server(own: Database, service: Service) -> None:
    service.rows("alter role app_login set statement_timeout = '300ms'")
    end_sessions(service)
    try:
        with psycopg.connect(own.admin_dsn) as admin:
            admin.execute("select from pgthreads.thread where state_key = 'warm' for update")
            await refused(await service.post(CHAT, body_of("warm", "and?", "u3")))
    finally:
        service.rows("alter role app_login reset statement_timeout")


async def test_a_server_that_is_silent(postgres: OwnPostgres, service: Service) -> None:
    gate, response = await begin(service, "silent")
    postgres.signal_all(signal.SIGSTOP)
    try:
        with soon():
            await refused(await service.get(THREADS))
        gate.open.set()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(response.content.readuntil(b'"finish"'), 1.5)
    finally:
        postgres.signal_all(signal.SIGCONT)
    await until_it_works(service)
    assert chunks_of(await response.read())[-1]["type"] == "finish"
    assert is_stored(service, "silent")


async def test_a_full_disk(service: Service) -> None:
    gate, response = await begin(service, "full")
    service.rows(
        """
        create function public.full_disk() returns trigger language plpgsql as
          $$begin raise exception using errcode = '53100'; end$$;
        create trigger full_disk before insert on pgthreads.message
          for each row execute function public.full_disk()
        """
    )
    try:
        error = await refused(await service.post(CHAT, body_of("fuller", "hi")))
        assert error == "the database has run out of a resource"
        gate.open.set()
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(response.content.readuntil(b'"finish"'), 1)
    finally:
        service.rows("drop function public.full_disk cascade")
    assert chunks_of(await response.read())[-1]["type"] == "finish"
    assert is_stored(service, "full")


async def test_requests_cannot_use_up_the_connections_of_turns(own: Database) -> None:
    limits = SECONDS | {"statement_timeout": 20.0, "lock_timeout": 20.0, "pool_size": 2}
    async with running_service(own.server_dsn, own.admin_dsn, **limits) as service:
        gate, response = await begin(service, "pump")
        with psycopg.connect(own.admin_dsn) as admin:
            admin.execute("select from pgthreads.thread where state_key = 'warm' for update")
            stuck = [
                asyncio.create_task(service.post(CHAT, body_of("warm", "x", f"stuck-{number}")))
                for number in range(3)
            ]
            await asyncio.wait(stuck, return_when=asyncio.FIRST_COMPLETED)
            assert waiting(service) == 2, "all connections for requests are taken"
            gate.open.set()
            async with asyncio.timeout(SOON):
                assert chunks_of(await response.read())[-1]["type"] == "finish"
            assert waiting(service) == 2
        for task in stuck:
            (await task).close()


async def test_who_waits_for_one_thread_takes_no_connection_from_others(own: Database) -> None:
    """A client sits in a transaction with a thread's lock; everybody else goes on."""
    limits = SECONDS | {"statement_timeout": 20.0, "acquire_timeout": 20.0, "pool_size": 3}
    async with running_service(
        own.server_dsn, own.admin_dsn, **limits, lock_timeout=3.0
    ) as service:
        await service.chat("free", "hi", "u1")
        await service.chat("held", "hi", "u1")
        with psycopg.connect(own.admin_dsn) as admin:
            admin.execute("select from pgthreads.thread where state_key = 'held' for update")
            stuck = [
                asyncio.create_task(service.post(CHAT, body_of("held", "x", f"stuck-{number}")))
                for number in range(12)
            ]
            async with asyncio.timeout(10):
                while waiting(service) < 2:  # noqa: ASYNC110
                    await asyncio.sleep(0.02)
            # The lock has not timed out yet, and these calls need connections as well.
            for _ in range(5):
                assert (await service.get(THREADS)).status == 200
                assert (await service.get(f"{THREADS}/held")).status == 200
            assert chunks_of(await service.chat("free", "and?"))[-1]["type"] == "finish"
            assert not any(task.done() for task in stuck)
            assert waiting(service) == 2
            done, _ = await asyncio.wait(stuck, return_when=asyncio.FIRST_COMPLETED)
            body = await next(iter(done)).result().json()
            assert (body["code"], body["error"]) == (
                "thread_locked",
                "the thread stayed locked for too long",
            )
            assert next(iter(done)).result().headers["Retry-After"] == "1"
        # The lock is free again: one waiting call begins its turn, the others find it running.
        statuses = [(await task).status for task in stuck]
        assert set(statuses) <= {200, 409, 503}
        assert 200 in statuses


async def test_a_thread_that_too_many_calls_wait_for(own: Database) -> None:
    limits = SECONDS | {"lock_timeout": 20.0, "statement_timeout": 20.0}
    async with running_service(own.server_dsn, own.admin_dsn, **limits) as service:
        await service.chat("crowd", "hi", "u1")
        with psycopg.connect(own.admin_dsn) as admin:
            admin.execute("select from pgthreads.thread where state_key = 'crowd' for update")
            stuck = [
                asyncio.create_task(service.post(CHAT, body_of("crowd", "x", f"stuck-{number}")))
                for number in range(3)
            ]
            with soon():
                done, _ = await asyncio.wait(stuck, return_when=asyncio.FIRST_COMPLETED)
            refusal = next(iter(done)).result()
            body = await refusal.json()
            assert (refusal.status, body["code"]) == (503, "thread_locked")
            assert body["error"] == "too many calls wait for this thread"
            assert waiting(service) == 2
        assert len([task for task in stuck if (await task).status == 200]) == 1


async def test_a_turn_whose_beginning_got_lost(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The connection breaks after the commit, twice: the message can be sent again at once."""
    send = Pool._send
    broken = 2

    async def send_and_break(pool: Pool, statement: Any, *values: Any) -> Any:
        nonlocal broken
        rows = await send(pool, statement, *values)
        if "begin_turn" in statement and broken:
            broken -= 1
            raise psycopg.OperationalError("cut")
        return rows

    monkeypatch.setattr(Pool, "_send", send_and_break)
    await refused(await service.post(CHAT, body_of("begun", "hi", "u1")))
    assert broken == 0
    async with asyncio.timeout(5):
        while service.turns("begun")[0][0] == "running":  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    assert chunks_of(await service.chat("begun", "hi", "u1"))[-1]["type"] == "finish"
    assert [turn[::2] for turn in service.turns("begun")] == [
        ("failed", "begin_lost"),
        ("completed", None),
    ]
    assert len(await service.messages("begun")) == 2


@pytest.mark.parametrize("broken", [1, 2])
async def test_a_turn_that_lost_its_lease_while_it_began(
    service: Service, monkeypatch: pytest.MonkeyPatch, broken: int
) -> None:
    """The connection breaks after the commit, and the second try comes late: it begins again."""
    send, key = Pool._send, f"late_{broken}"
    refusals = broken - 1

    async def send_and_break(pool: Pool, statement: Any, *values: Any) -> Any:
        nonlocal broken
        rows = await send(pool, statement, *values)
        if "begin_turn" in statement and broken:
            broken -= 1
            service.rows(
                "update pgthreads.turn set lease_until = now() where state_key = %s", [key]
            )
            raise psycopg.OperationalError("cut")
        return rows

    monkeypatch.setattr(Pool, "_send", send_and_break)
    for _ in range(refusals):
        await refused(await service.post(CHAT, body_of(key, "hi", "u1")))
    assert chunks_of(await service.chat(key, "hi", "u1"))[-1]["type"] == "finish"
    assert [turn[0] for turn in service.turns(key)][-1] == "completed"
    assert len(await service.messages(key)) == 2


@pytest.mark.parametrize(
    ("sqlstate", "expected"),
    [
        ("08006", UnavailableError),
        ("25006", UnavailableError),
        ("40P01", UnavailableError),
        ("53100", UnavailableError),
        ("53300", UnavailableError),
        ("55P03", ThreadLockedError),
        ("57014", UnavailableError),
        ("57P01", UnavailableError),
        ("57P03", UnavailableError),
        ("58030", UnavailableError),
        ("22P05", BadRequestError),
        ("42501", PgThreadsError),
        ("XX001", PgThreadsError),
    ],
)
def test_what_a_refusal_means(sqlstate: str, expected: type) -> None:
    error = psycopg.errors.lookup(sqlstate)("…")
    assert type(from_database(error)) is expected


@pytest.mark.parametrize(
    ("url", "variable", "name"),
    [("", None, "pgthreads"), ("", "of the variable", "of the variable")]
    + [("of the url", variable, "of the url") for variable in (None, "of the variable")],
)
async def test_the_name_that_sessions_have(
    own: Database, monkeypatch: pytest.MonkeyPatch, url: str, variable: str | None, name: str
) -> None:
    if variable is not None:
        monkeypatch.setenv("PGAPPNAME", variable)
    dsn = make_conninfo(own.server_dsn, **({"application_name": url} if url else {}))
    async with Pool(dsn, size=1) as pool:
        row = args_row(str)
        assert await pool.fetch("select current_setting('application_name')", (), row) == [name]


def waiting(service: Service) -> int:
    """How many of the server's statements wait for a lock."""
    (row,) = service.rows(
        "select count(*) from pg_stat_activity where application_name = 'pgthreads'"
        " and datname = current_database() and wait_event_type = 'Lock'"
    )
    return int(row[0])


def end_sessions(service: Service) -> None:
    service.rows(
        "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
        " where usename = 'app_login' and datname = current_database()"
    )


async def test_the_end_of_a_process_whose_server_is_silent(
    own: Database, postgres: OwnPostgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The worker spools its answer in time, without waiting for PostgreSQL or a lock."""
    monkeypatch.setattr("pgthreads.turns.running.EXECUTOR_GRACE", 1.0)
    monkeypatch.setattr("pgthreads.turns.store.LAST_CHANCE", 0.2)
    limits = SECONDS | {"statement_timeout": 60.0, "drain_timeout": 0.1, "spool_dir": tmp_path}
    begun = time.monotonic()
    try:
        async with running_service(own.server_dsn, own.admin_dsn, **limits) as service:
            gate, response = await begin(service, "ends")
            postgres.signal_all(signal.SIGSTOP)
            gate.open.set()
            begun = time.monotonic()
        assert time.monotonic() - begun < 20
    finally:
        postgres.signal_all(signal.SIGCONT)
    assert chunks_of(await response.read())[-1]["type"] == "error"
    async with running_service(own.server_dsn, own.admin_dsn, **limits) as service:
        assert is_stored(service, "ends")
