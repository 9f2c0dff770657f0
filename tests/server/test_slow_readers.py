"""Clients that read slowly or not at all: what they cost, and when they are cut off."""

from __future__ import annotations

import asyncio
import json
import socket
import tracemalloc
from collections.abc import AsyncIterator
from contextlib import closing, suppress
from urllib.parse import urlsplit

import pytest

from pgthreads.events import (
    AiEvent,
    Done,
    ExecutorRequest,
    TextDelta,
    ToolApprovalRequest,
    ToolCallResult,
    ToolCallStart,
)
from pgthreads.turns.stream import PIECE, TurnStream
from tests.server.service import CHAT, THREADS, Service, body_of, chunks_of, running_service

LONG = "word " * 100_000
READERS = 20


@pytest.fixture
async def service(server_dsn: str, admin_dsn: str) -> AsyncIterator[Service]:
    async with running_service(
        server_dsn, admin_dsn, write_timeout=1.0, journal_interval=0
    ) as running:
        yield running


def connect(service: Service, request: str, received: int = 4096) -> socket.socket:
    """Send a request over a socket with little room for the answer."""
    at = urlsplit(service.url)
    client = socket.socket()
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, received)
    client.connect((at.hostname, at.port))
    client.sendall(f"{request} HTTP/1.1\r\nHost: {at.netloc}\r\n\r\n".encode())
    client.setblocking(False)
    return client


async def rest_of(client: socket.socket) -> bytes:
    """Return what comes until the connection ends, in whatever way."""
    got = b""
    with suppress(ConnectionResetError):
        while more := await asyncio.get_running_loop().sock_recv(client, 65536):
            got += more
    return got


async def open_streams(service: Service) -> int:
    async with await service.get("/metrics") as response:
        lines = (await response.text()).splitlines()
    (value,) = [line.split()[1] for line in lines if line.startswith("pgthreads_streams_open ")]
    return int(float(value))


async def test_pieces_are_of_bounded_size_and_the_rest_stays_in_the_log() -> None:
    log = TurnStream()
    log.write(b"x" * 5 * PIECE + b"\n\n")
    log.write((b"y" * 1000 + b"\n\n") * 100)
    log.close()
    pieces = [piece async for piece in log.read(60)]
    assert b"".join(pieces) == log.since(0)
    assert max(map(len, pieces)) <= PIECE
    assert {piece[-2:] for piece in pieces[6:]} == {b"\n\n"}, "frames are whole"


async def test_who_reads_nothing_of_a_stream_costs_little_and_is_cut_off(service: Service) -> None:
    goes_on, said = asyncio.Event(), asyncio.Event()

    async def script(_: ExecutorRequest) -> AsyncIterator[AiEvent]:
        for start in range(0, len(LONG), 500):
            yield TextDelta(LONG[start : start + 500])
        said.set()
        await goes_on.wait()
        yield Done()

    service.executor.script = script
    posted = await service.post(CHAT, body_of("long", "hi"))
    await said.wait()
    tracemalloc.start()
    try:
        clients, used = [], []
        for _ in range(2):
            clients += [connect(service, f"GET {CHAT}/long/stream") for _ in range(READERS)]
            await asyncio.sleep(0.4)
            assert await open_streams(service) == len(clients) + 1
            used.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
    assert used[1] - used[0] < READERS * 64 * 1024
    for _ in range(100):
        if await open_streams(service) == 1:
            break
        await asyncio.sleep(0.1)
    assert await open_streams(service) == 1
    for client in clients:
        client.close()
    # The turn and its other readers are not affected.
    goes_on.set()
    assert chunks_of(await posted.read())[-1]["type"] == "finish"


async def test_who_reads_nothing_of_what_has_waited_costs_little(service: Service) -> None:
    """A stream that goes on with a long answer begins with all of it."""
    goes_on = asyncio.Event()

    async def script(request: ExecutorRequest) -> AsyncIterator[AiEvent]:
        if request.answer is None:
            yield TextDelta(LONG)
            yield ToolCallStart("c", "pay", {})
            yield ToolApprovalRequest("c", "p")
            yield Done("tool-calls")
        else:
            await goes_on.wait()
            yield ToolCallResult("c", "paid")
            yield Done()

    service.executor.script = script
    await service.chat("waited", "hi")
    answer = (await service.messages("waited"))[1]
    asked = answer["parts"][-1]
    said = asked | {"state": "approval-responded", "approval": {"id": "p", "approved": True}}
    page = [{"id": answer["id"], "role": "assistant", "parts": [said]}]
    posted = await service.post(CHAT, {"id": "waited", "messages": page, "messageId": answer["id"]})
    clients = [connect(service, f"GET {CHAT}/waited/stream")]
    await asyncio.sleep(0.4)
    tracemalloc.start()
    try:
        used = []
        for _ in range(2):
            clients += [connect(service, f"GET {CHAT}/waited/stream") for _ in range(READERS)]
            await asyncio.sleep(0.4)
            assert await open_streams(service) >= READERS
            used.append(tracemalloc.get_traced_memory()[0])
    finally:
        tracemalloc.stop()
        for client in clients:
            client.close()
        goes_on.set()
    assert used[1] - used[0] < READERS * 64 * 1024
    assert chunks_of(await posted.read())[-1]["type"] == "finish"
    parts = (await service.messages("waited"))[1]["parts"]
    assert [part["output"] for part in parts if "output" in part] == ["paid"]


async def test_who_reads_slowly_gets_everything(service: Service) -> None:
    """Such a client takes several times as long as the time-out."""

    async def script(_: ExecutorRequest) -> AsyncIterator[AiEvent]:
        yield TextDelta(LONG)
        yield Done()

    service.executor.script = script
    await service.chat("slow", "hi")
    with closing(connect(service, f"GET {THREADS}/slow", 65536)) as client:
        loop = asyncio.get_running_loop()
        begun, got = loop.time(), b""
        while len(got) < len(LONG) + 100:
            more = await loop.sock_recv(client, 40_000)
            assert more, "cut off"
            got += more
            await asyncio.sleep(0.25)
        assert loop.time() - begun > 3.0
    head, _, body = got.partition(b"\r\n\r\n")
    assert b"content-length: %d" % len(body) in head.lower()
    assert json.loads(body)["messages"][1]["parts"][1]["text"] == LONG


async def test_who_reads_nothing_of_a_thread_is_cut_off(service: Service) -> None:
    async def script(_: ExecutorRequest) -> AsyncIterator[AiEvent]:
        yield TextDelta(LONG)
        yield Done()

    service.executor.script = script
    await service.chat("unread", "hi")
    with closing(connect(service, f"GET {THREADS}/unread")) as client:
        await asyncio.sleep(3)
        assert len(await rest_of(client)) < len(LONG)


async def test_who_does_not_read_the_end_is_cut_off(service: Service) -> None:
    """Otherwise the rest would wait in this process for as long as the client likes."""

    async def script(_: ExecutorRequest) -> AsyncIterator[AiEvent]:
        yield TextDelta("word " * 6000)
        yield Done()

    service.executor.script = script
    await service.chat("ends", "hi")
    with closing(connect(service, f"GET {THREADS}/ends", 1)) as client:
        await asyncio.sleep(3)
        async with asyncio.timeout(10):
            assert len(await rest_of(client)) < 30_000
