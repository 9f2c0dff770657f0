"""It does not matter which worker a request reaches: `pgthreads serve --workers 2`."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientResponse, ClientSession, TCPConnector
from nanoid import generate

from tests.server.command import Running, serving, wait_until
from tests.server.service import CHAT, THREADS, body_of, chunks_of, text_of
from tests.server.test_workers import BOT, ask


@dataclass
class Caller:
    """A client with one connection, and so with one worker."""

    server: Running
    session: ClientSession
    pid: int

    async def post(self, path: str, body: Any = None) -> ClientResponse:
        return await self.session.post(self.server.url + path, json=body)

    async def get(self, path: str) -> ClientResponse:
        return await self.session.get(self.server.url + path)

    async def begin(self, key: str, text: str, **more: Any) -> ClientResponse:
        """Begin a turn; return its response after the first text."""
        response = await self.post(CHAT, body_of(key, text, f"m-{text}") | more)
        assert response.status == 200, await response.text()
        while b"text-delta" not in await response.content.readuntil(b"\n\n"):
            pass
        return response

    async def texts(self, key: str) -> list[str]:
        async with await self.get(f"{THREADS}/{key}") as response:
            return [text_of(message) for message in (await response.json())["messages"]]


@pytest.fixture
async def callers(tmp_path: Path, server_dsn: str) -> AsyncIterator[tuple[Caller, Caller, Caller]]:
    """Two callers of one worker and one of the other."""
    (tmp_path / "bot.py").write_text(BOT)
    async with AsyncExitStack() as stack:
        server = stack.enter_context(
            serving(
                *("--workers", "2", "--executor", "bot:answer", "--heartbeat", "0.2"),
                cwd=tmp_path,
                PGTHREADS_DATABASE_URL=server_dsn,
            )
        )
        wait_until(lambda: server.log.count(" listens\n") >= 2)

        async def call() -> Caller:
            session = ClientSession(connector=TCPConnector(limit=1))
            await stack.enter_async_context(session)
            answer = await ask(session, server, generate(), "hi")
            return Caller(server, session, int(answer.split()[0]))

        # The worker that is not stopped takes the next connection.
        one = await call()
        with stopped(one.pid):
            other = await call()
        with stopped(other.pid):
            two = await call()
        assert one.pid == two.pid != other.pid
        yield one, two, other


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


async def test_one_turn_runs_on_a_thread(callers: tuple[Caller, Caller, Caller]) -> None:
    one, _, other = callers
    response = await one.begin("single", "wait")
    async with await other.post(CHAT, body_of("single", "hi")) as refused:
        assert (refused.status, (await refused.json())["code"]) == (409, "turn_running")
    response.close()


async def test_stopping(callers: tuple[Caller, Caller, Caller]) -> None:
    one, _, other = callers
    response = await one.begin("stop", "wait")
    async with await other.post(f"{THREADS}/stop/stop") as stopped:
        assert stopped.status == 202
    chunks = chunks_of(await asyncio.wait_for(response.read(), 5))
    assert {"type": "message-metadata", "messageMetadata": {"status": "stopped"}} in chunks
    assert await other.texts("stop") == ["wait", f"{one.pid} "]


async def test_interrupting(callers: tuple[Caller, Caller, Caller]) -> None:
    one, _, other = callers
    response = await one.begin("interrupt", "wait")
    async with await other.post(
        CHAT, body_of("interrupt", "hi") | {"onBusy": "interrupt"}
    ) as second:
        assert chunks_of(await asyncio.wait_for(second.read(), 5))[-1]["type"] == "finish"
    await response.read()
    assert await one.texts("interrupt") == ["wait", f"{one.pid} ", "hi", f"{other.pid} done"]
