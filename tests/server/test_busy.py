"""A second message for a busy thread is refused, interrupts the first, or waits behind it."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from typing import Any

import pytest
from aiohttp import ClientResponse, ClientTimeout

from pgthreads.events import AiEvent, Done, ExecutorRequest, TextDelta
from tests.server.service import CHAT, Service, body_of, chunks_of, running_service, text_of


class Echo:
    """Answers each message with its text, in halves; the second one waits for `let(text)`."""

    def __init__(self) -> None:
        self.begun: list[str] = []
        self._began: dict[str, asyncio.Event] = defaultdict(asyncio.Event)
        self._gates: dict[str, asyncio.Event] = defaultdict(asyncio.Event)

    async def __call__(self, request: ExecutorRequest) -> AsyncIterator[AiEvent]:
        text = text_of(request.messages[-1])
        self.begun.append(text)
        self._began[text].set()
        yield TextDelta(f"{text}:")
        await self._gates[text].wait()
        yield TextDelta(" done")
        yield Done()

    def let(self, *texts: str) -> None:
        for text in texts:
            self._gates[text].set()

    async def has_begun(self, text: str) -> None:
        async with asyncio.timeout(10):
            await self._began[text].wait()


@pytest.fixture
def echo() -> Echo:
    return Echo()


@pytest.fixture
async def services(
    server_dsn: str, admin_dsn: str, echo: Echo
) -> AsyncIterator[tuple[Service, Service]]:
    """Two servers of one database."""
    async with AsyncExitStack() as stack:
        one, two = [
            await stack.enter_async_context(
                running_service(server_dsn, admin_dsn, echo, heartbeat=0.1, drain_timeout=0.5)
            )
            for _ in range(2)
        ]
        yield one, two


def send(
    service: Service, key: str, text: str, on_busy: str | None = None, **more: Any
) -> asyncio.Task[ClientResponse]:
    body = body_of(key, text, f"m-{text}") | ({"onBusy": on_busy} if on_busy else {}) | more
    return asyncio.create_task(service.post(CHAT, body))


async def waiting(service: Service, key: str, count: int) -> None:
    """Return when that many messages wait."""
    async with asyncio.timeout(10):
        while queue(service, key) < count:  # noqa: ASYNC110 - only the table tells
            await asyncio.sleep(0.02)


def queue(service: Service, key: str) -> int:
    [(count,)] = service.rows(
        "select count(*) from pgthreads.queued_turn where state_key = %s", [key]
    )
    return int(count)


def said(messages: list[dict[str, Any]]) -> list[str]:
    return [text_of(message) for message in messages]


async def status_of(task: asyncio.Task[ClientResponse]) -> tuple[int, str]:
    async with await task as response:
        return response.status, (await response.json())["code"]


async def test_reject_is_the_default(services: tuple[Service, Service], echo: Echo) -> None:
    one, two = services
    first = send(one, "reject", "a")
    await echo.has_begun("a")
    for service in services:
        assert await status_of(send(service, "reject", "b")) == (409, "turn_running")
    assert queue(two, "reject") == 0
    echo.let("a")
    async with await first as response:
        await response.read()
    assert said(await one.messages("reject")) == ["a", "a: done"]


@pytest.mark.parametrize("elsewhere", [False, True])
async def test_interrupt_keeps_the_partial_answer(
    services: tuple[Service, Service], echo: Echo, elsewhere: bool
) -> None:
    key = f"interrupt-{elsewhere}"
    first = send(services[0], key, "a")
    await echo.has_begun("a")
    echo.let("b")
    async with await send(services[elsewhere], key, "b", "interrupt") as response:
        assert response.status == 200
        assert chunks_of(await response.read())[-1]["type"] == "finish"
    async with await first as response:
        chunks = chunks_of(await response.read())
    assert {"type": "message-metadata", "messageMetadata": {"status": "stopped"}} in chunks
    assert chunks[-1]["type"] == "finish"
    messages = await services[0].messages(key)
    assert said(messages) == ["a", "a:", "b", "b: done"]
    assert messages[1]["metadata"] == {"status": "stopped"}
    assert queue(services[0], key) == 0


async def test_enqueued_messages_keep_their_order(
    services: tuple[Service, Service], echo: Echo
) -> None:
    key, texts = "order", ["a", "b", "c", "d", "e"]
    tasks = []
    for place, text in enumerate(texts):
        tasks.append(send(services[place % 2], key, text, "enqueue"))
        if place == 0:
            await echo.has_begun("a")
        else:
            await waiting(services[0], key, place)
    echo.let(*texts)
    for task in tasks:
        async with await task as response:
            assert chunks_of(await response.read())[-1]["type"] == "finish"
    assert echo.begun == texts
    assert said(await services[0].messages(key)) == [
        part for text in texts for part in (text, f"{text}: done")
    ]


async def test_the_queue_is_bounded(services: tuple[Service, Service], echo: Echo) -> None:
    one = services[0]
    one.rows("update pgthreads.config set max_queued = 1")
    first = send(one, "bound", "a")
    await echo.has_begun("a")
    second = send(one, "bound", "b", "enqueue")
    await waiting(one, "bound", 1)
    async with await one.get("/metrics") as response:
        assert "pgthreads_messages_waiting 1.0" in (await response.text()).splitlines()
    async with await send(one, "bound", "c", "enqueue") as response:
        assert response.status == 409
        answer = await response.json()
        assert (answer["code"], "max_queued" in answer["hint"]) == ("turn_running", True)
    echo.let("a", "b")
    for task in (first, second):
        async with await task as response:
            await response.read()
    one.rows("update pgthreads.config set max_queued = 8")


async def test_a_message_sent_again_waits_once(
    services: tuple[Service, Service], echo: Echo
) -> None:
    one, two = services
    first = send(one, "again", "a")
    await echo.has_begun("a")
    second = send(one, "again", "b", "enqueue")
    await waiting(one, "again", 1)
    third = send(two, "again", "b", "enqueue")
    await asyncio.sleep(0.3)
    assert queue(two, "again") == 1
    third.cancel()
    echo.let("a", "b")
    for task in (first, second):
        async with await task as response:
            assert chunks_of(await response.read())[-1]["type"] == "finish"
    assert echo.begun == ["a", "b"]
    assert said(await one.messages("again")) == ["a", "a: done", "b", "b: done"]


async def test_who_leaves_while_waiting_is_answered_all_the_same(
    services: tuple[Service, Service], echo: Echo
) -> None:
    one, _ = services
    first = send(one, "leaver", "a")
    await echo.has_begun("a")
    with pytest.raises(TimeoutError):
        await one.post(
            CHAT,
            body_of("leaver", "b", "m-b") | {"onBusy": "enqueue"},
            timeout=ClientTimeout(total=0.4),
        )
    assert queue(one, "leaver") == 1
    echo.let("a", "b")
    async with await first as response:
        await response.read()
    await echo.has_begun("b")
    await one.idle()
    assert said(await one.messages("leaver")) == ["a", "a: done", "b", "b: done"]


async def test_who_waits_at_a_shutdown_is_sent_away(
    services: tuple[Service, Service], echo: Echo
) -> None:
    one, two = services
    first = send(two, "deploy", "a")
    await echo.has_begun("a")
    second = send(one, "deploy", "b", "enqueue")
    await waiting(one, "deploy", 1)
    draining = asyncio.create_task(one.running.drain(5))
    async with await second as response:
        assert response.status == 503
        assert response.headers["Retry-After"] == "1"
        assert (await response.json())["code"] == "shutting_down"
    await draining
    # The same message has kept its place when it reaches the other server.
    third, again = send(two, "deploy", "c", "enqueue"), send(two, "deploy", "b", "enqueue")
    await waiting(two, "deploy", 2)
    echo.let("a", "b", "c")
    for task in (first, again, third):
        async with await task as response:
            assert chunks_of(await response.read())[-1]["type"] == "finish"
    assert echo.begun == ["a", "b", "c"]


async def test_waiting_ends_after_a_while(server_dsn: str, admin_dsn: str, echo: Echo) -> None:
    async with running_service(
        server_dsn, admin_dsn, echo, on_busy="enqueue", busy_timeout=0.3
    ) as service:
        first = send(service, "patience", "a")
        await echo.has_begun("a")
        async with await send(service, "patience", "b") as response:
            assert response.status == 409
            answer = await response.json()
        assert (answer["code"], "same id" in answer["hint"]) == ("turn_running", True)
        assert await status_of(send(service, "patience", "c", "reject")) == (409, "turn_running")
        echo.let("a")
        async with await first as response:
            await response.read()
        assert said(await service.messages("patience")) == ["a", "a: done"]


async def test_an_answer_is_wanted_anew_behind_another(
    services: tuple[Service, Service], echo: Echo
) -> None:
    one, two = services
    echo.let("a")
    async with await send(one, "anew", "a") as response:
        answer = chunks_of(await response.read())[0]["messageId"]
    first = send(one, "anew", "b")
    await echo.has_begun("b")
    anew = send(
        two, "anew", "a", "enqueue", trigger="regenerate-message", messageId=answer, message=None,
        messages=[body_of("", "a", "m-a")["message"]],
    )  # fmt: skip
    await waiting(one, "anew", 1)
    echo.let("b")
    for task in (first, anew):
        async with await task as response:
            assert chunks_of(await response.read())[-1]["type"] == "finish"
    assert echo.begun == ["a", "b", "a"]
    assert said(await one.messages("anew")) == ["a", "a: done"]
    async with await one.get("/api/v1/ai/threads/anew/branches") as response:
        assert [b["messageCount"] for b in (await response.json())["branches"]] == [2, 4]
