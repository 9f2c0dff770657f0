"""`GET /events`: which threads change, in order, without gaps, and for nobody else."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from typing import Any

import psycopg
import pytest
from aiohttp import ClientResponse

from pgthreads.errors import UnavailableError
from pgthreads.events import AiEvent, Done, Error, ExecutorRequest, TextDelta
from pgthreads.http.app_keys import RUNTIME
from pgthreads.postgres.rows import ThreadChange, ThreadChanges
from pgthreads.turns import changes as changes_module
from pgthreads.turns.changes import MOST_WAITING, RELOAD, Listener
from tests.properties.tenants import ANN, BEA, JWT, as_user
from tests.server.service import CHAT, EVENTS, THREADS, Service, body_of, running_service, says


class Events:
    """The events of one open response."""

    def __init__(self, response: ClientResponse) -> None:
        self.response = response
        self.last_id = ""

    async def next(self) -> tuple[str, dict[str, Any]]:
        """Return the next event, `(name, data)`."""
        while True:
            frame = (await asyncio.wait_for(self.response.content.readuntil(b"\n\n"), 10)).decode()
            fields = dict(line.split(": ", 1) for line in frame.strip().split("\n"))
            self.last_id = fields.get("id", self.last_id)
            if "event" in fields:
                return fields["event"], json.loads(fields["data"])

    async def until(self, **expected: Any) -> dict[str, Any]:
        """Return the next event's data that has these values."""
        while True:
            _, data = await self.next()
            if expected.items() <= data.items():
                return data


@asynccontextmanager
async def listening(
    service: Service, last_id: str | None = None, **headers: str
) -> AsyncIterator[Events]:
    """Listen, and wait until the server is ready to tell of changes."""
    if last_id is not None:
        headers["Last-Event-ID"] = last_id
    async with await service.get(EVENTS, headers=headers) as response:
        assert response.status == 200, await response.text()
        assert response.content_type == "text/event-stream"
        events = Events(response)
        assert await events.next() == ("ready", {})
        yield events


@pytest.fixture
async def service(server_dsn: str, admin_dsn: str) -> AsyncIterator[Service]:
    async with running_service(server_dsn, admin_dsn) as running:
        yield running


async def test_a_turn_is_seen_from_its_begin_to_its_end(service: Service) -> None:
    go_on = asyncio.Event()

    async def waits(_: ExecutorRequest) -> AsyncIterator[AiEvent]:
        yield TextDelta("Hi.")
        await go_on.wait()
        yield Done()

    service.executor.script = waits
    async with listening(service) as one, listening(service) as other:
        asking = asyncio.create_task(service.chat("turn", "Hello", "u1"))
        for events in (one, other):
            name, began = await events.next()
            assert (name, began["stateKey"], began["title"]) == ("thread", "turn", "Hello")
            assert (began["running"], began["messageCount"]) == (True, 1)
            assert began["turnId"]
        go_on.set()
        await asking
        for events in (one, other):
            ended = await events.until(stateKey="turn")
            assert (ended["running"], ended["messageCount"], ended["turnId"]) == (False, 2, None)


async def test_a_turn_that_ends_without_an_answer(service: Service) -> None:
    service.executor.script = says(Error("boom"))
    async with listening(service) as events:
        await service.chat("empty", "Hello", "u1")
        assert await events.until(stateKey="empty", running=False, messageCount=1)


async def test_renamed_archived_deleted(service: Service) -> None:
    await service.chat("edited", "Hello")
    async with listening(service) as events:
        url = f"{service.url}{THREADS}/edited"
        async with service.session.patch(url, json={"title": "New"}) as answer:
            assert answer.status == 200
        assert await events.until(stateKey="edited", title="New", archived=False)
        async with service.session.patch(url, json={"archived": True}) as answer:
            assert answer.status == 200
        assert await events.until(stateKey="edited", title="New", archived=True)
        async with service.session.delete(url) as answer:
            assert answer.status == 204
        assert await events.next() == ("deleted", {"stateKey": "edited"})


async def test_what_was_missed_comes_after_a_reconnect_to_another_worker(
    service: Service, server_dsn: str, admin_dsn: str
) -> None:
    await service.chat("before", "Hello")
    async with listening(service) as events:
        last_id = events.last_id
    await service.chat("missed", "Hello")
    async with (
        running_service(server_dsn, admin_dsn) as another,
        listening(another, last_id) as events,
    ):
        assert (await events.until())["stateKey"] == "missed"
        assert events.last_id != last_id
        await service.chat("after", "Hello")
        assert await events.until(stateKey="after", running=False)


@pytest.mark.parametrize("last_id", ["nonsense", "1.2.3.4.5", "Zoë", "9" * 200])
async def test_an_id_that_is_none(service: Service, last_id: str) -> None:
    async with listening(service, last_id) as events:
        assert await events.next() == ("reload", {})
        async with listening(service, events.last_id):
            pass


async def test_a_change_that_commits_late(
    service: Service, admin_dsn: str, connect: Callable[..., psycopg.Connection[Any]]
) -> None:
    late = connect(admin_dsn, autocommit=False)
    async with listening(service) as events:
        late.execute("select pgthreads.set_tenant('dev')")
        late.execute(
            "select pgthreads.append_thread('dev', 'late', jsonb_build_array(jsonb_build_object("
            "'id', 'm', 'role', 'user', 'parts',"
            " jsonb_build_array(jsonb_build_object('type', 'text', 'text', 'Late')))))"
        )
        await service.chat("early", "Hello")
        assert await events.until(stateKey="early", running=False)
        early_id = events.last_id
        late.commit()
        # What was told before is not told again.
        name, data = await events.next()
        assert (name, data["stateKey"]) == ("thread", "late")
    async with listening(service, early_id) as events:
        assert await events.until(stateKey="late")


async def test_nobody_asks_while_nobody_listens(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    # That a client has left is noticed at the next sign of life.
    monkeypatch.setattr("pgthreads.http.changes.KEEP_ALIVE_SECONDS", 0.1)
    changes = service.app[RUNTIME].changes
    asked: list[int] = []
    ask = changes._threads.changed_threads

    async def counted(owners: Any, cursor: Any) -> list[ThreadChanges]:
        asked.append(len(owners))
        return await ask(owners, cursor)

    monkeypatch.setattr(changes._threads, "changed_threads", counted)
    changes._interval = 0.05
    await asyncio.sleep(0.2)
    assert asked == []
    async with listening(service), listening(service), listening(service):
        asked.clear()
        await asyncio.sleep(0.3)
        # Three clients of one owner are asked for together.
        assert set(asked) == {1}
    async with asyncio.timeout(10):
        while changes.owners:  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    await asyncio.sleep(0.1)
    asked.clear()
    await asyncio.sleep(0.2)
    assert asked == []


async def test_a_database_that_does_not_answer(
    service: Service, monkeypatch: pytest.MonkeyPatch
) -> None:
    changes = service.app[RUNTIME].changes

    async def fails(_: Any, __: Any) -> list[ThreadChanges]:
        raise UnavailableError("away")

    async with listening(service) as events:
        monkeypatch.setattr(changes._threads, "changed_threads", fails)
        await service.chat("meanwhile", "Hello")
        await asyncio.sleep(0.6)
        monkeypatch.undo()
        assert await events.until(stateKey="meanwhile", running=False)


async def test_too_many_streams(server_dsn: str, admin_dsn: str) -> None:
    async with (
        running_service(server_dsn, admin_dsn, max_streams=1) as service,
        listening(service),
        await service.get(EVENTS) as refused,
    ):
        assert (refused.status, (await refused.json())["code"]) == (429, "too_many_requests")
        assert "Retry-After" in refused.headers


async def test_draining_ends_streams(service: Service) -> None:
    async with listening(service) as events:
        await service.app[RUNTIME].drain(1)
        assert await asyncio.wait_for(events.response.content.read(), 5) == b""
        async with await service.get(EVENTS) as refused:
            assert refused.status == 503


async def test_streams_end_by_themselves(service: Service, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pgthreads.http.changes.STREAM_SECONDS", 0.0)
    async with await service.get(EVENTS) as response:
        assert b"event: ready" in await asyncio.wait_for(response.content.read(), 5)


def _change(key: str, title: str = "", version: str = "1") -> ThreadChange:
    return ThreadChange(key, title, 1, None, None, False, False, False, None, None, version)


async def _told(listener: Listener) -> list[ThreadChange]:
    async for changes in listener.read(0.01):
        return changes
    return []


async def test_a_slow_client_gets_the_latest_states() -> None:
    listener = Listener("ada", None)
    for number in range(1000):
        listener.put([_change("a", str(number)), _change("b", str(number))], "1")
    assert await _told(listener) == [_change("a", "999"), _change("b", "999")]
    assert await _told(listener) == []


async def test_what_waits_for_a_slow_client_is_bounded() -> None:
    listener = Listener("ada", None)
    for number in range(MOST_WAITING):
        listener.put([_change(str(number))], str(number))
    assert await _told(listener) == [RELOAD]
    listener.put([_change("a")], "next")
    assert await _told(listener) == [_change("a")]


async def test_an_owner_with_too_many_changes_reloads_now_and_then(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class Threads:
        async def changed_threads(self, owners: Any, _: Any) -> list[ThreadChanges]:
            return [ThreadChanges("1", [RELOAD]) for _ in owners]

    monkeypatch.setattr(changes_module, "RELOAD_SECONDS", 0.2)
    changes = changes_module.Changes(Threads(), interval=0.01)  # type: ignore[arg-type]
    task = asyncio.create_task(changes.run())
    reloads = 0
    with changes.listening("ada", None) as listener:
        begun = asyncio.get_running_loop().time()
        async for told in listener.read(0.05):
            reloads += RELOAD in told
            if asyncio.get_running_loop().time() > begun + 0.9:
                break
    task.cancel()
    assert 1 <= reloads <= 6


async def test_an_owner_whom_the_database_refuses_keeps_nobody_from_listening(
    service: Service,
) -> None:
    changes = service.app[RUNTIME].changes
    with changes.listening("x" * 256, None) as refused:
        async with listening(service) as events:
            await service.chat("others", "Hello")
            assert await events.until(stateKey="others")
        assert refused.closed


async def test_a_page_asks_for_a_turn_that_it_heard_of(service: Service) -> None:
    go_on = asyncio.Event()

    async def waits(_: ExecutorRequest) -> AsyncIterator[AiEvent]:
        yield TextDelta("Hi.")
        await go_on.wait()
        yield Done()

    service.executor.script = waits
    async with (
        listening(service) as events,
        await service.post(CHAT, body_of("heard", "Hello", "u1")) as asking,
    ):
        await events.until(stateKey="heard", running=True)
        async with await service.get(f"{CHAT}/heard/stream") as following:
            assert following.status == 200
            go_on.set()
            assert (await following.read()).endswith(b"[DONE]\n\n")
        await asking.read()


async def test_another_user_hears_nothing(server_dsn: str, admin_dsn: str) -> None:
    async with running_service(server_dsn, admin_dsn, **JWT) as service:
        for user in (ANN, BEA):
            asked = body_of(f"of-{user}", "Hello")
            async with await service.post(CHAT, asked, headers=as_user(user)) as response:
                await response.read()
        async with (
            listening(service, **as_user(ANN)) as ann,
            # A cursor is about the database, so that of another user is worth nothing.
            listening(service, ann.last_id, **as_user(BEA)) as bea,
        ):
            for user in (ANN, BEA):
                asked = body_of(f"new-of-{user}", "Hello")
                async with await service.post(CHAT, asked, headers=as_user(user)) as response:
                    await response.read()
            assert (await ann.until())["stateKey"] == f"new-of-{ANN}"
            assert (await bea.until())["stateKey"] == f"new-of-{BEA}"
