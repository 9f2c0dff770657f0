"""How much one user may have at once, and how long a client may take to send a request."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

import pytest
from aiohttp import ClientResponse, web

from pgthreads.app import DrainingRunner, create_app
from pgthreads.errors import TooManyError
from pgthreads.events import AiEvent, Done, ExecutorRequest, TextDelta
from pgthreads.http import app_keys as keys
from pgthreads.http.limits import BURST_SECONDS, Limits
from pgthreads.postgres.fairness import KNOWN_USERS, LARGE, Fairness
from pgthreads.settings import Settings
from tests.server.service import CHAT, THREADS, Script, body_of, running_service
from tests.server.test_auth import SECRET, bearer, token

JWT: dict[str, Any] = {"auth": "jwt", "jwt_secret": SECRET}
POST = b"POST /api/v1/ai/chat HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"


def held() -> tuple[Script, asyncio.Event]:
    """An executor that answers once the event is set."""
    opened = asyncio.Event()

    async def script(_: ExecutorRequest) -> AsyncIterator[AiEvent]:
        yield TextDelta("held")
        await opened.wait()
        yield Done()

    return script, opened


@asynccontextmanager
async def guarded(server_dsn: str, **settings: Any) -> AsyncIterator[int]:
    """Run the server as `pgthreads serve` does; yield its port."""
    app = create_app(Settings(port=0, database_url=server_dsn, **settings))
    runner = DrainingRunner(app)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    try:
        yield runner.addresses[0][1]
    finally:
        await runner.cleanup()


async def refusal(response: ClientResponse) -> tuple[int, str, bool]:
    async with response:
        after = int(response.headers.get("Retry-After", 0))
        return response.status, (await response.json())["code"], after > 0


async def test_requests_of_one_user(server_dsn: str, admin_dsn: str) -> None:
    async with running_service(server_dsn, admin_dsn, request_rate=0.25, **JWT) as service:
        alice, bob = bearer(token("alice")), bearer(token("bob"))
        seen = []
        for headers in (alice, alice, bob):
            async with await service.get(THREADS, headers=headers) as response:
                seen.append((response.status, response.headers.get("Retry-After")))
        assert seen == [(200, None), (429, "4"), (200, None)]
        async with await service.get("/metrics") as response:
            assert 'pgthreads_limited_total{limit="requests"} 1.0' in await response.text()


def test_a_user_who_waits_may_go_on() -> None:
    now = 0.0
    limits = Limits(request_rate=2, max_streams=0, refused=lambda _: None, clock=lambda: now)
    for _ in range(int(2 * BURST_SECONDS)):
        limits.take_request("ada")
    with pytest.raises(TooManyError) as refused:
        limits.take_request("ada")
    assert refused.value.retry_after == 1
    now += 1
    limits.take_request("ada")
    limits.take_request("ada")
    with pytest.raises(TooManyError):
        limits.take_request("ada")
    for number in range(2 * KNOWN_USERS):
        limits.take_request(f"user {number}")
    assert len(limits._left) == KNOWN_USERS


async def test_costly_requests_wait_for_each_other() -> None:
    now, running, most, done = 0.0, 0, 0, []
    fairness = Fairness(0.25, patience=1, clock=lambda: now)

    async def use(owner: str, size: int = 0) -> None:
        nonlocal running, most
        async with fairness.turn(owner, size):
            running += 1
            most = max(most, running)
            await asyncio.sleep(0.01)
            running -= 1
            done.append(owner)

    await asyncio.gather(*(use(f"user {number}") for number in range(5)))
    assert most == 5
    most = 0
    await asyncio.gather(*(use(f"user {number}", LARGE + 1) for number in range(5)))
    assert most == 1
    # The time that a user has used is forgotten at the rate of the share.
    async with fairness.turn("eve"):
        now += 2
    seen = []
    for _ in range(3):
        seen.append(fairness.is_costly("eve"))
        now += 2.5
    assert seen == [True, True, False]
    # Users who are not costly pass by, and nobody waits for ever.
    async with fairness.turn("eve", LARGE + 1):
        await use("ada")
        with pytest.raises(TooManyError):
            await use("bob", LARGE + 1)
    await asyncio.sleep(2.5)
    await use("bob", LARGE + 1)
    async with Fairness(0, patience=0.1).turn("eve", LARGE + 1):
        pass


async def test_a_large_request_beside_others(server_dsn: str, admin_dsn: str) -> None:
    async with running_service(server_dsn, admin_dsn, acquire_timeout=1.0, **JWT) as service:
        headers = bearer(token("alice"))
        body = body_of("large", "x" * (LARGE + 1), "u1")
        async with await service.post(CHAT, body, headers=headers) as response:
            assert response.status == 200
        fairness = service.app[keys.THREADS]._fairness
        assert fairness is not None
        async with fairness.turn("eve", LARGE + 1):
            refused = await service.post(CHAT, body | {"id": "large-2"}, headers=headers)
            assert await refusal(refused) == (429, "too_many_requests", True)
            async with await service.post(CHAT, body_of("s", "hi"), headers=headers) as response:
                assert response.status == 200


async def test_open_answers_of_one_user(server_dsn: str, admin_dsn: str) -> None:
    async with running_service(server_dsn, admin_dsn, max_streams=1, **JWT) as service:
        service.executor.script, opened = held()
        alice, bob = bearer(token("alice")), bearer(token("bob"))
        first = await service.post(CHAT, body_of("open", "hi"), headers=alice)
        assert first.status == 200
        for attempt in (
            service.post(CHAT, body_of("open-2", "hi"), headers=alice),
            service.get(f"{CHAT}/open/stream", headers=alice),
        ):
            assert await refusal(await attempt) == (429, "too_many_requests", True)
        assert service.rows("select 1 from pgthreads.thread where state_key = 'open-2'") == []
        other = await service.post(CHAT, body_of("open", "hi"), headers=bob)
        assert other.status == 200
        opened.set()
        await first.read()
        await other.read()
        async with await service.post(CHAT, body_of("open-2", "hi"), headers=alice) as response:
            assert response.status == 200


async def test_turns_of_one_owner(server_dsn: str, admin_dsn: str) -> None:
    async with running_service(server_dsn, admin_dsn) as service:
        service.executor.script, opened = held()
        service.rows("update pgthreads.config set max_turns_per_owner = 1")
        try:
            first = await service.post(CHAT, body_of("turn-1", "hi", "u1"))
            second = await service.post(CHAT, body_of("turn-2", "hi", "u1"))
            assert await refusal(second) == (429, "too_many_requests", True)
            assert service.rows("select 1 from pgthreads.thread where state_key = 'turn-2'") == []
            again = await service.post(CHAT, body_of("turn-1", "hi", "u1"))
            assert again.status == 200
            opened.set()
            assert await again.read() == await first.read()
        finally:
            service.rows("update pgthreads.config set max_turns_per_owner = 100")


async def test_turns_of_a_server(server_dsn: str, admin_dsn: str) -> None:
    async with running_service(server_dsn, admin_dsn, max_turns=1) as service:
        service.executor.script, opened = held()
        first = await service.post(CHAT, body_of("all-1", "hi", "u1"))
        assert first.status == 200
        second = await service.post(CHAT, body_of("all-2", "hi", "u1"))
        assert await refusal(second) == (503, "server_busy", True)
        again = await service.post(CHAT, body_of("all-1", "hi", "u1"))
        assert again.status == 200
        opened.set()
        assert await again.read() == await first.read()
        async with await service.post(CHAT, body_of("all-2", "hi", "u1")) as response:
            assert response.status == 200


@pytest.mark.parametrize(
    ("begin", "answer"),
    [
        (b"", b""),
        (b"GET /heal", b"HTTP/1.1 408"),
        (POST + b"X-Long: ", b"HTTP/1.1 408"),
        (POST + b'Content-Length: 100\r\n\r\n{"mess', b"HTTP/1.1 408"),
        (POST + b"Transfer-Encoding: chunked\r\n\r\n2\r\n{ \r\n", b"HTTP/1.1 408"),
        (b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nGET /heal", b"HTTP/1.1 200"),
    ],
    ids=["nothing", "request line", "headers", "body", "chunked body", "a second request"],
)
async def test_half_sent_requests(server_dsn: str, begin: bytes, answer: bytes) -> None:
    """A client that sends a byte now and then is cut off as soon as one that sends nothing."""
    async with guarded(server_dsn, header_timeout=0.4, body_timeout=0.4, idle_timeout=1) as port:
        for drips in (False, True):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            begun = time.monotonic()
            writer.write(begin)
            dripping = asyncio.create_task(drip(writer)) if drips and begin else None
            async with asyncio.timeout(15):
                got = await reader.read(12)
                while await reader.read(1000):
                    pass
            assert got[:12] == answer[:12]
            assert time.monotonic() - begun > 0.3
            if dripping:
                dripping.cancel()
            writer.close()


async def drip(writer: asyncio.StreamWriter) -> None:
    while not writer.is_closing():
        writer.write(b"a")
        await asyncio.sleep(0.1)


async def test_a_slow_answer_is_no_slow_request(server_dsn: str) -> None:
    """The clock stops while a request is answered, and while a connection is idle."""
    async with guarded(server_dsn, header_timeout=0.2, heartbeat=0.05) as port:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for _ in range(2):
            writer.write(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n")
            async with asyncio.timeout(5):
                assert (await reader.readuntil(b'{"status": "ok"}')).startswith(b"HTTP/1.1 200")
            await asyncio.sleep(0.5)
        writer.close()


async def test_more_connections_than_there_is_room_for(
    server_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pgthreads.app.most_connections", lambda: 5)
    async with guarded(server_dsn, header_timeout=5) as port:
        held = [await asyncio.open_connection("127.0.0.1", port) for _ in range(5)]
        await asyncio.sleep(0.1)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        async with asyncio.timeout(2):
            assert await reader.read() == b""
        for _, each in held:
            each.close()
            await each.wait_closed()
        await asyncio.sleep(0.1)
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(b"GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\nConnection: close\r\n\r\n")
        async with asyncio.timeout(5):
            assert (await reader.read()).startswith(b"HTTP/1.1 200")
        writer.close()
