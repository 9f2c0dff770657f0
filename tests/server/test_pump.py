"""Nothing is lost between `begin_turn` and the commit of the answer."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
from aiohttp import ClientError

from pgthreads.events import AiEvent, Done, ExecutorRequest, TextDelta, UsageReport
from tests.server.service import (
    CHAT,
    THREADS,
    Service,
    answers,
    body_of,
    chunks_of,
    running_service,
    text_of,
)


class Gate:
    """An executor that waits in the middle until the test lets it go on."""

    def __init__(self) -> None:
        self.reached = asyncio.Event()
        self.open = asyncio.Event()

    async def script(self, _: ExecutorRequest) -> AsyncIterator[AiEvent]:
        yield TextDelta("first ")
        self.reached.set()
        await self.open.wait()
        yield TextDelta("second")
        yield Done()


@pytest.fixture
async def service(server_dsn: str, admin_dsn: str) -> AsyncIterator[Service]:
    async with running_service(server_dsn, admin_dsn, heartbeat=0.1) as running:
        yield running


async def start(service: Service, key: str) -> tuple[Gate, Any]:
    gate = Gate()
    service.executor.script = gate.script
    response = await service.post(CHAT, body_of(key, "hi", "u1"))
    await gate.reached.wait()
    return gate, response


def kept(service: Service, key: str) -> list[tuple[Any, ...]]:
    """Return text, reason and SQLSTATE of a thread's late answers."""
    return service.rows(
        "select string_agg(p ->> 'text', ''), l.reason, l.sqlstate from pgthreads.late_answer as l,"
        " jsonb_array_elements(l.message::jsonb -> 'parts') as p"
        " where state_key = %s group by l.turn_id, l.reason, l.sqlstate",
        [key],
    )


def end_connections(service: Service) -> None:
    service.rows(
        "select pg_terminate_backend(pid) from pg_stat_activity"
        " where application_name = 'pgthreads' and datname = current_database()"
    )


async def test_connections_that_broke_meanwhile(service: Service) -> None:
    gate, response = await start(service, "broken")
    end_connections(service)
    gate.open.set()
    assert chunks_of(await response.read())[-1]["type"] == "finish"
    assert text_of((await service.messages("broken"))[-1]) == "first second"
    end_connections(service)
    service.executor.script = answers("on")
    assert chunks_of(await service.chat("broken", "go on"))[-1]["type"] == "finish"


async def test_an_answer_waits_for_a_database_that_refuses(service: Service) -> None:
    gate, response = await start(service, "refusing")
    service.rows("alter role app_login connection limit 0")
    end_connections(service)
    gate.open.set()
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(response.content.readuntil(b'"finish"'), 1.5)
    service.rows("alter role app_login connection limit -1")
    async with asyncio.timeout(20):
        await service.idle()
    assert text_of((await service.messages("refusing"))[-1]) == "first second"
    assert len(service.turns("refusing")) == 1


async def test_a_lease_that_ran_out_is_taken_back(server_dsn: str, admin_dsn: str) -> None:
    async with running_service(server_dsn, admin_dsn, heartbeat=30) as service:
        gate, response = await start(service, "stale")
        service.rows(
            "update pgthreads.turn set lease_until = clock_timestamp() - interval '1 second'"
            " where state_key = 'stale'"
        )
        gate.open.set()
        assert chunks_of(await response.read())[-1]["type"] == "finish"
        assert service.turns("stale")[0][0] == "completed"


async def test_a_turn_that_was_taken_over_appends_nothing(server_dsn: str, admin_dsn: str) -> None:
    async with running_service(server_dsn, admin_dsn, heartbeat=30) as service:
        gate, response = await start(service, "taken")
        service.rows(
            "update pgthreads.turn set lease_until = clock_timestamp() - interval '1 second'"
            " where state_key = 'taken'"
        )
        service.rows(
            "select b.outcome from pgthreads.set_tenant('dev') as t(owner),"
            " lateral pgthreads.begin_turn(t.owner, 'taken',"
            """ '{"id":"u2","role":"user","parts":[{"type":"text","text":"other"}]}', 'other')"""
            " as b"
        )
        gate.open.set()
        assert chunks_of(await response.read())[-1]["type"] == "error"
        assert [text_of(m) for m in await service.messages("taken")] == ["hi", "other"]
        assert [turn[0] for turn in service.turns("taken")] == ["abandoned", "running"]
        assert kept(service, "taken") == [("first second", "turn_lost", "THLST")]


async def test_a_lost_turn_stops_its_executor(service: Service) -> None:
    _, response = await start(service, "lost")
    service.rows(
        "update pgthreads.turn set status = 'abandoned', finished_at = now()"
        " where state_key = 'lost'"
    )
    assert chunks_of(await response.read())[-1]["type"] == "error"


async def test_a_thread_deleted_meanwhile(service: Service) -> None:
    gate, response = await start(service, "deleted")
    async with service.session.delete(f"{service.url}{THREADS}/deleted") as deleted:
        assert deleted.status == 204
    gate.open.set()
    assert chunks_of(await response.read())[-1]["type"] == "error"
    assert service.turns("deleted")[0][::2] == ("stopped", "thread_deleted")
    assert kept(service, "deleted") == [("first second", "thread_deleted", "THDEL")]


async def test_an_answer_that_the_database_refuses(service: Service) -> None:
    gate, response = await start(service, "refused")
    service.rows("update pgthreads.config set max_message_bytes = 10")
    gate.open.set()
    assert chunks_of(await response.read())[-1]["type"] == "error"
    service.rows("update pgthreads.config set max_message_bytes = 1048576")
    assert service.turns("refused")[0][::2] == ("failed", "limit_exceeded")
    rows = service.rows(
        "select reason, sqlstate, bytes > octet_length(message) from pgthreads.late_answer"
        " where state_key = 'refused'"
    )
    assert rows == [("limit_exceeded", "THMAX", True)]


async def test_usage_that_the_database_refuses_does_not_cost_the_answer(service: Service) -> None:
    async def script(_: ExecutorRequest) -> AsyncIterator[AiEvent]:
        yield TextDelta("dear")
        yield UsageReport({"log": "x" * 400_000})
        yield Done()

    service.executor.script = script
    assert chunks_of(await service.chat("usage", "hi"))[-1]["type"] == "finish"
    assert text_of((await service.messages("usage"))[-1]) == "dear"
    assert service.rows(
        "select status, usage from pgthreads.turn where state_key = %s", ["usage"]
    ) == [("completed", None)]


async def test_shutdown_lets_turns_finish(server_dsn: str, admin_dsn: str) -> None:
    async with running_service(server_dsn, admin_dsn) as service:
        gate, response = await start(service, "drain")
        asyncio.get_running_loop().call_later(0.5, gate.open.set)
    assert chunks_of(await response.read())[-1]["type"] == "finish"
    assert service.turns("drain")[0][0] == "completed"


async def test_shutdown_stores_what_there_is(server_dsn: str, admin_dsn: str) -> None:
    async with running_service(server_dsn, admin_dsn, drain_timeout=0.2) as service:
        _, response = await start(service, "partial")
    assert chunks_of(await response.read())[-1]["type"] == "finish"
    assert service.turns("partial")[0][0] == "stopped"
    assert service.rows(
        "select message::jsonb #>> '{metadata,status}' from pgthreads.message"
        " where state_key = 'partial' and seq = 2"
    ) == [("stopped",)]


async def test_shutdown_waits_for_a_turn_that_was_taken_over_in_this_process(
    server_dsn: str, admin_dsn: str
) -> None:
    async with running_service(
        server_dsn, admin_dsn, heartbeat=30, journal_interval=0, drain_timeout=0.2
    ) as service:
        _, first = await start(service, "twice")
        service.rows(
            "update pgthreads.turn set lease_until = clock_timestamp() - interval '1 second'"
            " where state_key = 'twice'"
        )
        gate = Gate()
        service.executor.script = gate.script
        second = await service.post(CHAT, body_of("twice", "more", "u2"))
        await gate.reached.wait()
    assert chunks_of(await first.read())[-1]["type"] == "error"
    assert chunks_of(await second.read())[-1]["type"] == "finish"
    assert [turn[0] for turn in service.turns("twice")] == ["abandoned", "stopped"]
    assert kept(service, "twice") == [("first ", "turn_lost", "THLST")]


async def test_what_is_just_beginning_has_no_time_of_its_own(service: Service) -> None:
    _, response = await start(service, "beginning")
    service.running.beginning(asyncio.sleep(2))
    clock = asyncio.get_running_loop().time
    begun = clock()
    await service.running.drain(2)
    assert clock() - begun < 4, "the turn had as long again after the beginning"
    assert chunks_of(await response.read())[-1]["type"] == "finish"
    assert service.turns("beginning")[0][0] == "stopped"


async def test_no_new_turns_while_draining(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    gate, response = await start(service, "busy")
    draining = asyncio.create_task(service.running.drain(5))
    await asyncio.sleep(0)
    async with await service.post(CHAT, body_of("late", "hi")) as refused:
        assert (refused.status, (await refused.json())["code"]) == (503, "shutting_down")
        assert refused.headers["Retry-After"] == "1"
    async with await service.get("/readyz") as ready:
        assert ready.status == 503
    gate.open.set()
    await draining
    await response.read()
    assert service.rows("select from pgthreads.thread where state_key = 'late'") == []
    assert not [each for each in caplog.records if each.levelname == "ERROR"], "that is no error"


async def test_an_executor_that_does_not_stop_is_left_behind(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pgthreads.turns.pump.EXECUTOR_GRACE", 0.1)
    started, release = asyncio.Event(), asyncio.Event()

    async def stubborn(_: ExecutorRequest) -> AsyncIterator[AiEvent]:
        yield TextDelta("mine")
        started.set()
        while not release.is_set():
            try:
                await release.wait()
            except asyncio.CancelledError:
                continue
        yield TextDelta(" not this")

    service.executor.script = stubborn
    response = await service.post(CHAT, body_of("stubborn", "hi"))
    await started.wait()
    async with await service.post(f"{THREADS}/stubborn/stop") as stopped:
        assert stopped.status == 202
    assert chunks_of(await response.read())[-1]["type"] == "finish"
    release.set()
    await service.idle()
    assert text_of((await service.messages("stubborn"))[-1]) == "mine"


async def test_a_client_that_leaves_at_once(service: Service) -> None:
    """At whatever moment a client leaves, its message is answered once or not stored."""
    for number in range(30):
        key = f"leaver-{number}"
        post = asyncio.create_task(service.post(CHAT, body_of(key, "hi", "u1")))
        await asyncio.sleep(number * 0.0005)
        post.cancel()
        with suppress(asyncio.CancelledError, ClientError):
            (await post).close()
    # The server ends its handlers first, and then waits for the turns that they began.
    await service.stop()
    rows = service.rows(
        "select t.message_count, (select count(*) from pgthreads.turn as n"
        " where n.state_key = t.state_key and n.status = 'completed')"
        " from pgthreads.thread as t where t.state_key like 'leaver-%%'"
    )
    assert set(rows) <= {(2, 1)}
    assert rows
