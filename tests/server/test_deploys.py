"""SIGTERM while turns run: for the command, for its workers, and under gunicorn."""

from __future__ import annotations

import asyncio
import signal
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from aiohttp import ClientConnectionError, ClientError, ClientSession

from tests.server.command import Running, running, serving
from tests.server.service import CHAT, THREADS, body_of, chunks_of
from tests.server.test_workers import BOT, turn, wait_in_a_turn

MANAGERS = ("alone", "workers", "gunicorn")


def start(manager: str, place: Path, dsn: str, **settings: Any) -> AbstractContextManager[Running]:
    """A server under this process manager."""
    (place / "bot.py").write_text(BOT)
    settings = {"database_url": dsn, "executor": "bot:answer"} | settings
    variables = {f"PGTHREADS_{name.upper()}": str(value) for name, value in settings.items()}
    if manager.startswith("gunicorn"):
        command = [
            *(sys.executable, "-m", "gunicorn", "--workers", "2", "--bind", "127.0.0.1:0"),
            *("--worker-class", f"aiohttp.Gunicorn{'UVLoop' * ('uvloop' in manager)}WebWorker"),
            "--no-control-socket",
            "pgthreads.app:create_app()"
            if manager == "gunicorn-app"
            else "pgthreads.app:create_runner",
        ]
        return running(command, r"Listening at: (http://\S+)", place, **variables)
    more = ["--workers", "2"] if manager == "workers" else []
    return serving(*more, cwd=place, **variables)


@pytest.fixture
async def session() -> AsyncIterator[ClientSession]:
    async with ClientSession() as session:
        yield session


@pytest.fixture(params=MANAGERS)
def server(
    request: pytest.FixtureRequest, tmp_path: Path, server_dsn: str, admin_dsn: str
) -> Iterator[Running]:
    with psycopg.connect(admin_dsn, autocommit=True) as connection:
        connection.execute("set session_replication_role = replica")
        connection.execute("truncate pgthreads.turn, pgthreads.message, pgthreads.thread")
    with start(request.param, tmp_path, server_dsn) as server:
        yield server


async def draining(session: ClientSession, server: Running) -> None:
    """Return when no worker takes new turns any more."""
    async with asyncio.timeout(10):
        in_a_row = 0
        while in_a_row < 20:
            async with session.get(f"{server.url}/readyz") as response:
                in_a_row = in_a_row + 1 if response.status == 503 else 0


async def test_running_turns_finish(
    server: Running, session: ClientSession, tmp_path: Path, admin_dsn: str
) -> None:
    """While it drains, the server is not ready and takes no new turns, but answers reads."""
    response = await wait_in_a_turn(session, server, "deploy")
    server.process.send_signal(signal.SIGTERM)
    await draining(session, server)
    async with session.post(server.url + CHAT, json=body_of("late", "hi")) as refused:
        assert refused.status == 503
        assert refused.headers["Retry-After"] == "1"
        assert refused.headers["Connection"] == "close"
        assert (await refused.json())["code"] == "shutting_down"
    async with session.get(f"{server.url}{THREADS}/deploy") as thread:
        assert thread.status == 200
        assert (await thread.json())["messageCount"] == 1
    async with session.get(f"{server.url}{THREADS}/late") as thread:
        assert thread.status == 404
    (tmp_path / "go").touch()
    chunks = chunks_of(await response.read())
    assert [chunk["delta"] for chunk in chunks if chunk.get("delta")] == ["done"]
    assert chunks[-1]["type"] == "finish"
    assert await server.ended() == 0
    assert turn(admin_dsn, "deploy") == ("completed", None)


@pytest.mark.parametrize("manager", [*MANAGERS, "gunicorn-app", "gunicorn-uvloop"])
async def test_at_the_deadline_there_is_a_partial_answer(
    manager: str, tmp_path: Path, server_dsn: str, admin_dsn: str, session: ClientSession
) -> None:
    key = f"deadline-{manager}"
    with start(manager, tmp_path, server_dsn, drain_timeout=1) as server:
        response = await wait_in_a_turn(session, server, key)
        server.process.send_signal(signal.SIGTERM)
        chunks = chunks_of(await response.read())
        assert {"type": "message-metadata", "messageMetadata": {"status": "stopped"}} in chunks
        assert chunks[-1]["type"] == "finish"
        assert await server.ended() == 0
    assert turn(admin_dsn, key) == ("stopped", "shutting_down")
    # The next server goes on from there.
    (tmp_path / "go").touch()
    with start(manager, tmp_path, server_dsn) as server:
        async with session.get(f"{server.url}{THREADS}/{key}") as thread:
            messages = (await thread.json())["messages"]
        assert [m.get("metadata") for m in messages] == [None, {"status": "stopped"}]
        async with session.post(server.url + CHAT, json=body_of(key, "wait")) as response:
            assert chunks_of(await response.read())[-1]["type"] == "finish"


async def test_connections_that_are_kept_alive_do_not_hold_up_the_end(
    server: Running, session: ClientSession
) -> None:
    for _ in range(4):
        async with session.get(f"{server.url}/healthz") as response:
            assert response.status == 200
    begun = time.monotonic()
    server.process.send_signal(signal.SIGTERM)
    assert await server.ended() == 0
    # gunicorn's worker looks for signals once a second.
    assert time.monotonic() - begun < 3
    with pytest.raises(ClientConnectionError):
        await session.get(f"{server.url}/healthz")


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
async def test_a_second_signal_ends_it_at_once(
    tmp_path: Path, server_dsn: str, admin_dsn: str, session: ClientSession, number: signal.Signals
) -> None:
    key = f"second-{number.name}"
    with start("alone", tmp_path, server_dsn) as server:
        response = await wait_in_a_turn(session, server, key)
        server.process.send_signal(number)
        await draining(session, server)
        server.process.send_signal(number)
        assert await server.ended(3) == -number
        with pytest.raises(ClientError):
            await response.read()
    assert turn(admin_dsn, key) == ("running", None)
