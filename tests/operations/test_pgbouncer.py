"""PgBouncer in transaction mode: clients share sessions, but never each other's settings."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from typing import Any

import jwt
import psycopg
import pytest

from pgthreads.errors import PgThreadsError
from pgthreads.events import AiEvent, Done, ExecutorRequest, TextDelta
from pgthreads.postgres.pool import Pool
from pgthreads.postgres.threads import Threads
from tests.database import Database
from tests.operations.chains import chains
from tests.operations.clusters import pgbouncer, pgbouncer_version
from tests.server.service import CHAT, THREADS, Service, body_of, running_service, text_of

TENANTS = 24
ROUNDS = 4
SECRET = "a secret of this test and of nothing else"
KNOWS_PREPARED = (1, 21)
"""Since this version PgBouncer supports prepared statements, with max_prepared_statements."""

ConnectAsync = Callable[..., Awaitable[psycopg.AsyncConnection[Any]]]


@pytest.fixture(scope="module")
def through(database: Database) -> Iterator[str]:
    """The application's connection string, through PgBouncer."""
    with pgbouncer(database) as conninfo:
        yield conninfo


async def echo(request: ExecutorRequest) -> AsyncIterator[AiEvent]:
    """Say the last message again, in two parts."""
    text = request.messages[-1]["parts"][0]["text"]
    yield TextDelta("echo ")
    await asyncio.sleep(0)
    yield TextDelta(str(text))
    yield Done()


async def chat(service: Service, tenant: str) -> None:
    """Chat in a thread whose key every tenant uses, and look at everything that can be seen."""
    token = jwt.encode({"sub": tenant, "exp": int(time.time()) + 600}, SECRET, "HS256")
    headers = {"authorization": f"Bearer {token}"}
    expected: list[str] = []
    for number in range(ROUNDS):
        text = f"{tenant} says {number}"
        body = body_of("same", text, f"m{number}")
        async with await service.post(CHAT, body, headers=headers) as response:
            stream = await response.text()
            assert response.status == 200, stream
        assert f"says {number}" in stream
        expected += [text, f"echo {text}"]
        async with await service.get(f"{THREADS}/same", headers=headers) as response:
            stored = (await response.json())["messages"]
        assert [part["text"] for each in stored for part in each["parts"] if "text" in part] == (
            expected
        )
        async with await service.get(THREADS, headers=headers) as response:
            listed = (await response.json())["threads"]
        assert [each["title"] for each in listed] == [f"{tenant} says 0"]


async def peep(connection: psycopg.AsyncConnection[Any], done: asyncio.Event) -> int:
    """Look, without a tenant, for what the sessions' previous users have left; count the looks."""
    looks = 0
    while not done.is_set():
        cursor = await connection.execute(
            "select coalesce(current_setting('app.current_user_id', true), ''),"
            " (select count(*) from pgthreads.ai_threads), pg_backend_pid()"
        )
        row = await cursor.fetchone()
        assert row is not None
        assert row[:2] == ("", 0)
        with pytest.raises(psycopg.Error) as refusal:
            await connection.execute("select pgthreads.load_thread('user0', 'same')")
        assert refusal.value.sqlstate == "THTEN"
        looks += 1
    return looks


async def test_many_tenants_through_few_sessions(
    through: str, database: Database, connect_async: ConnectAsync
) -> None:
    """The whole server with --no-prepare: every tenant sees its own thread and nothing else."""
    settings = {
        "auth": "jwt",
        "jwt_secret": SECRET,
        "prepare": False,
        "request_rate": 0.0,
        "fair_share": 0.0,
        "pool_size": 20,
    }
    async with running_service(through, database.admin_dsn, echo, **settings) as service:
        done = asyncio.Event()
        strangers = [await connect_async(through, prepare_threshold=None) for _ in range(3)]
        looks = [asyncio.create_task(peep(stranger, done)) for stranger in strangers]
        await asyncio.gather(*(chat(service, f"user{number}") for number in range(TENANTS)))
        done.set()
        assert min(await asyncio.gather(*looks)) > 5
        sessions = service.rows(
            "select count(*) from pg_stat_activity where usename = 'app_login'"
            " and datname = current_database()"
        )
    assert 1 <= sessions[0][0] <= 4, "clients shared them"
    found = chains(database.admin_dsn)
    assert {owner for owner, _ in found} == {f"user{number}" for number in range(TENANTS)}
    assert {len(chain) for chain in found.values()} == {2 * ROUNDS}


async def test_a_call_that_takes_too_long(through: str, database: Database) -> None:
    """A call is ended behind the pooler as well, by a limit that no session keeps."""
    settings = {"prepare": False, "statement_timeout": 0.5}
    async with running_service(through, database.admin_dsn, echo, **settings) as service:
        await service.chat("held", "hi")
        with psycopg.connect(database.admin_dsn) as admin:
            admin.execute("select from pgthreads.thread where state_key = 'held' for update")
            async with await service.post(CHAT, body_of("held", "and?", "u2")) as response:
                assert (response.status, (await response.json())["code"]) == (
                    503,
                    "database_unavailable",
                )
            assert service.rows(
                "select count(*) from pg_stat_activity"
                " where datname = current_database() and wait_event_type = 'Lock'"
            ) == [(0,)]
        await service.chat("held", "and?", "u2")
        messages = await service.messages("held")
    assert [text_of(each) for each in messages] == ["hi", "echo hi", "and?", "echo and?"]


async def test_a_lock_that_somebody_holds(
    through: str, database: Database, connect_async: ConnectAsync
) -> None:
    """The limit holds for the call only, and not for the next user of its session."""
    settings = {"prepare": False, "lock_timeout": 0.3}
    async with running_service(through, database.admin_dsn, echo, **settings) as service:
        await service.chat("locked", "hi")
        with psycopg.connect(database.admin_dsn) as admin:
            admin.execute("select from pgthreads.thread where state_key = 'locked' for update")
            async with await service.post(CHAT, body_of("locked", "and?", "u2")) as response:
                assert (response.status, (await response.json())["code"]) == (503, "thread_locked")
        await service.chat("locked", "and?", "u2")
        strangers = [await connect_async(through, prepare_threshold=None) for _ in range(4)]
        for stranger in strangers:
            cursor = await stranger.execute("select current_setting('lock_timeout')")
            assert await cursor.fetchone() == ("0",)


async def failures_of(through: str, *, prepare: bool) -> set[str]:
    """Return the SQLSTATEs that many calls at once got."""
    async with Pool(through, size=12, prepare=prepare) as pool:
        threads = Threads(pool)
        calls = [threads.list_threads(f"user{number % TENANTS}") for number in range(300)]
        answers = await asyncio.gather(*calls, return_exceptions=True)
    failed = [answer for answer in answers if isinstance(answer, BaseException)]
    assert all(isinstance(each, PgThreadsError) for each in failed), failed
    return {str(each.detail)[:5] for each in failed if isinstance(each, PgThreadsError)}


async def test_no_prepare_is_what_an_old_pgbouncer_needs(through: str) -> None:
    """What docs/operations.md says of the flag."""
    with_flag = await failures_of(through, prepare=False)
    without_flag = await failures_of(through, prepare=True)

    assert with_flag == set()
    if pgbouncer_version() >= KNOWS_PREPARED:
        assert without_flag == set()
    else:
        assert without_flag
        # Another client's statement has this name, or another session has this statement.
        assert without_flag <= {"42P05", "26000"}
