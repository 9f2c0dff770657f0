"""`pgthreads serve --workers`: several workers at one address, and what happens if some end."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from aiohttp import ClientResponse, ClientSession, TCPConnector

from tests.database import Database
from tests.server.command import COMMAND, Running, environment, is_alive, serving, wait_until
from tests.server.service import CHAT, body_of, chunks_of

BOT = """
import asyncio, os
from pathlib import Path
from pgthreads.events import Done, TextDelta

async def answer(request):
    text = request.messages[-1]["parts"][0]["text"]
    yield TextDelta(f"{os.getpid()} ")
    while text == "wait" and not Path("go").exists():
        await asyncio.sleep(0.02)
    yield TextDelta("done")
    yield Done()
"""
"""Says which process answers; the message `wait` is answered when the file `go` exists."""


@pytest.fixture
def place(tmp_path: Path) -> Path:
    (tmp_path / "bot.py").write_text(BOT)
    return tmp_path


@pytest.fixture
def server(place: Path, server_dsn: str) -> Iterator[Running]:
    with start(place, server_dsn) as running:
        yield running


def start(place: Path, dsn: str, *more: str) -> Any:
    arguments = ["--workers", "2", "--executor", "bot:answer", "--drain-timeout", "10", *more]
    return serving(*arguments, cwd=place, PGTHREADS_DATABASE_URL=dsn)


@pytest.fixture
async def session() -> AsyncIterator[ClientSession]:
    # A connection for each request, so that they reach every worker.
    async with ClientSession(connector=TCPConnector(force_close=True)) as session:
        yield session


async def ask(session: ClientSession, server: Running, key: str, text: str) -> str:
    async with await session.post(server.url + CHAT, json=body_of(key, text)) as response:
        assert response.status == 200, await response.text()
        return text_in(await response.read())


def text_in(stream: bytes) -> str:
    return "".join(c["delta"] for c in chunks_of(stream) if c["type"] == "text-delta")


async def wait_in_a_turn(session: ClientSession, server: Running, key: str) -> ClientResponse:
    """Begin a turn that goes on until `go` exists; return its response after the first text."""
    response = await session.post(server.url + CHAT, json=body_of(key, "wait"))
    while b"text-delta" not in await response.content.readuntil(b"\n\n"):
        pass
    return response


def two_workers(server: Running) -> list[int]:
    wait_until(lambda: server.log.count(" listens\n") >= 2)
    pids = server.children()
    assert len(pids) == 2
    return pids


def turn(admin_dsn: str, key: str) -> tuple[Any, ...] | None:
    with psycopg.connect(admin_dsn) as connection:
        return connection.execute(
            "select status, error_code from pgthreads.turn where state_key = %s", [key]
        ).fetchone()


async def test_both_answer_at_one_address(server: Running, session: ClientSession) -> None:
    pids = two_workers(server)
    assert server.log.count(" serves http") == 1
    seen: set[int] = set()
    for attempt in range(20):
        answers = await asyncio.gather(
            *(ask(session, server, f"both-{attempt}-{n}", "hi") for n in range(8))
        )
        seen |= {int(answer.split()[0]) for answer in answers}
        if len(seen) == 2:
            break
    assert seen == set(pids)


async def test_any_worker_tells_the_metrics_of_all(
    server: Running, session: ClientSession, place: Path
) -> None:
    two_workers(server)
    for number in range(8):
        await ask(session, server, f"counted-{number}", "hi")
    waiting = [await wait_in_a_turn(session, server, f"running-{n}") for n in range(4)]

    for _ in range(6):
        await told(
            session,
            server,
            'pgthreads_turns_total{status="completed"} 8.0',
            "pgthreads_turns_running 4.0",
            "pgthreads_streams_open 4.0",
        )
    (place / "go").touch()
    for response in waiting:
        await response.read()
    await told(session, server, "pgthreads_turns_running 0.0", "pgthreads_streams_open 0.0")


async def told(session: ClientSession, server: Running, *lines: str) -> None:
    """Wait until the metrics say so: a turn is counted shortly after its client has read it."""
    seen: list[str] = []
    for _ in range(50):
        async with session.get(f"{server.url}/metrics") as response:
            seen = (await response.text()).splitlines()
        if set(lines) <= set(seen):
            return
        await asyncio.sleep(0.1)
    assert set(lines) <= set(seen)


async def test_a_worker_that_dies_is_replaced(server: Running, session: ClientSession) -> None:
    first, second = two_workers(server)
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: server.log.count(" listens\n") >= 3)
    assert f"worker {first} ended with SIGKILL" in server.log
    pids = server.children()
    assert second in pids
    assert len(pids) == 2
    for number in range(8):
        assert int((await ask(session, server, f"after-{number}", "hi")).split()[0]) in pids
    # The counts of the dead worker remain; its gauges do not.
    counted = 'pgthreads_turns_total{status="completed"} 8.0'
    await told(session, server, counted)
    os.kill(second, signal.SIGKILL)
    wait_until(lambda: server.log.count(" listens\n") >= 4)
    await told(session, server, counted)


def test_what_keeps_the_first_from_starting_ends_all(place: Path, admin_dsn: str) -> None:
    """As with one worker: it says once what is wrong and what to do, and exits with status 1."""
    told = [
        subprocess.run(
            [*COMMAND, "serve", "--port", "0", "--workers", workers],
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
            env=environment(PGTHREADS_DATABASE_URL=admin_dsn),
        )
        for workers in ("1", "2")
    ]
    for each in told:
        assert each.returncode == 1
        assert each.stderr.count("Error: the database cannot be used") == 1
        assert "\nHint: " in each.stderr
        assert "Traceback" not in each.stderr
    assert "serves" not in told[1].stdout


def test_an_end_when_no_worker_can_start_any_more(
    place: Path, fresh_database: Callable[..., Database]
) -> None:
    database = fresh_database()
    with start(place, database.server_dsn) as server:
        pids = two_workers(server)
        with psycopg.connect(database.admin_dsn, autocommit=True) as connection:
            connection.execute(
                "create or replace function pgthreads.api_version() returns int"
                " language sql immutable return 99"
            )
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        assert server.process.wait(timeout=60) == 1
        assert "Error: no worker can be started any more" in server.log
        assert "version 99" in server.log


async def test_one_that_cannot_start_does_not_end_the_other(
    place: Path, fresh_database: Callable[..., Database], session: ClientSession
) -> None:
    database = fresh_database()
    version = (
        "create or replace function pgthreads.api_version() returns int"
        " language sql immutable return {}"
    )
    with start(place, database.server_dsn) as server:
        first, second = two_workers(server)
        with psycopg.connect(database.admin_dsn, autocommit=True) as connection:
            connection.execute(version.format(99))
            os.kill(first, signal.SIGKILL)
            wait_until(lambda: server.log.count("Error: ") >= 3)
            assert int((await ask(session, server, "alone", "hi")).split()[0]) == second
            connection.execute(version.format(1))
        wait_until(lambda: server.log.count(" listens\n") >= 3)


@pytest.mark.parametrize("to_all", [False, True])
async def test_a_signal_drains_all(
    server: Running, session: ClientSession, place: Path, admin_dsn: str, to_all: bool
) -> None:
    """Also if a process manager signals every process, and the supervisor signals again."""
    key = f"drain-{to_all}"
    pids = two_workers(server)
    response = await wait_in_a_turn(session, server, key)
    for pid in (server.process.pid, *(pids if to_all else ())):
        os.kill(pid, signal.SIGTERM)
    await asyncio.sleep(0.5)
    assert server.process.poll() is None
    (place / "go").touch()
    assert chunks_of(await response.read())[-1]["type"] == "finish"
    assert await server.ended() == 0
    assert turn(admin_dsn, key) == ("completed", None)
    assert not any(is_alive(pid) for pid in pids)


async def test_an_interrupt_at_the_terminal_drains(
    server: Running, session: ClientSession, place: Path, admin_dsn: str
) -> None:
    response = await wait_in_a_turn(session, server, "terminal")
    os.killpg(server.process.pid, signal.SIGINT)
    await asyncio.sleep(0.5)
    (place / "go").touch()
    assert chunks_of(await response.read())[-1]["type"] == "finish"
    assert await server.ended() == 0
    assert turn(admin_dsn, "terminal") == ("completed", None)


async def test_a_second_signal_ends_all_at_once(
    server: Running, session: ClientSession, admin_dsn: str
) -> None:
    pids = two_workers(server)
    await wait_in_a_turn(session, server, "second")
    server.process.send_signal(signal.SIGTERM)
    await asyncio.sleep(0.5)
    server.process.send_signal(signal.SIGTERM)
    assert await server.ended(3) == -signal.SIGTERM
    wait_until(lambda: not any(is_alive(pid) for pid in pids), 3)
    assert turn(admin_dsn, "second") == ("running", None)


async def test_workers_outlive_no_parent(
    server: Running, session: ClientSession, admin_dsn: str
) -> None:
    """The turns that they ran are stored as they are."""
    pids = two_workers(server)
    response = await wait_in_a_turn(session, server, "orphan")
    server.process.kill()
    assert chunks_of(await response.read())[-1]["type"] == "finish"
    wait_until(lambda: not any(is_alive(pid) for pid in pids), 10)
    assert turn(admin_dsn, "orphan") == ("stopped", "shutting_down")


async def test_the_embedded_database_is_started_once(
    place: Path, session: ClientSession, tmp_path_factory: pytest.TempPathFactory
) -> None:
    data = tmp_path_factory.mktemp("embedded")
    for folder in (data, *list(data.parents)[:2]):
        folder.chmod(0o711)
    with serving("--workers", "2", "--data-dir", str(data / "data")) as server:
        wait_until(lambda: server.log.count(" listens\n") >= 2)
        for number in range(4):
            assert "4" in await ask(session, server, f"sum-{number}", "2+2")
        postmaster = int((data / "data/cluster/postmaster.pid").read_text().split()[0])
        server.process.terminate()
        assert await server.ended() == 0
        assert not is_alive(postmaster)
        assert server.log.count("PostgreSQL 18") == 1
