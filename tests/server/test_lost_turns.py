"""A turn whose worker died ends with its lease, if anybody looks: nobody has to ask again."""

from __future__ import annotations

import asyncio
import os
import signal
import tempfile
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest
from aiohttp import ClientError, ClientSession

from pgthreads.errors import UnavailableError
from pgthreads.turns.lost import GRACE_BEATS, LostTurns
from tests.server.command import serving
from tests.server.service import (
    CHAT,
    EVENTS,
    THREADS,
    Service,
    body_of,
    chunks_of,
    running_service,
    text_of,
)
from tests.server.test_changes import Events, listening
from tests.server.test_journal import BOT, until_journaled

HEARTBEAT = 0.2


@pytest.fixture
async def service(server_dsn: str, admin_dsn: str) -> AsyncIterator[Service]:
    async with running_service(
        server_dsn, admin_dsn, heartbeat=HEARTBEAT, journal_interval=0.05
    ) as running:
        running.rows("update pgthreads.config set lease = '1 second'")
        yield running


@asynccontextmanager
async def killed(service: Service, folder: Path, dsn: str, key: str) -> AsyncIterator[None]:
    """Enter while another server writes an answer; it is killed at the end."""
    (folder / "bot.py").write_text(BOT)
    with serving(
        *("--executor", "bot:answer", "--heartbeat", "0.2", "--journal-interval", "0.05"),
        cwd=folder,
        PGTHREADS_DATABASE_URL=dsn,
    ) as server:
        async with ClientSession() as session:
            response = await session.post(server.url + CHAT, json=body_of(key, "wait", "u"))
            await until_journaled(service, key, "tool-input-available")
            yield
            os.kill(server.process.pid, signal.SIGKILL)
            with pytest.raises(ClientError):
                await response.read()


async def assert_abandoned(service: Service, key: str) -> None:
    question, partial = await service.messages(key)
    assert (text_of(question), text_of(partial)) == ("wait", "What I know")
    assert partial["metadata"] == {"status": "abandoned"}
    assert [status for status, *_ in service.turns(key)] == ["abandoned"]


async def test_whoever_listens_sees_the_partial_answer(
    service: Service, tmp_path: Path, server_dsn: str
) -> None:
    async with listening(service) as events:
        async with killed(service, tmp_path, server_dsn, "listened"):
            assert await events.until(stateKey="listened", running=True, messageCount=1)
        assert await events.until(stateKey="listened", running=False, messageCount=2)
        await assert_abandoned(service, "listened")


async def test_whoever_follows_the_answer_sees_it_too(
    service: Service, tmp_path: Path, server_dsn: str
) -> None:
    async with killed(service, tmp_path, server_dsn, "followed"):
        following = await service.get(f"{CHAT}/followed/stream")
    chunks = chunks_of(await asyncio.wait_for(following.read(), 20))
    assert chunks[-1]["type"] == "error"
    # As the last chunk says.
    await assert_abandoned(service, "followed")


@pytest.fixture
def place() -> Iterator[Path]:
    """A folder that other accounts may enter, as that of PostgreSQL."""
    with tempfile.TemporaryDirectory() as folder:
        Path(folder).chmod(0o755)
        yield Path(folder)


async def test_an_embedded_database_does_not_wait_for_its_dead_server(place: Path) -> None:
    (place / "bot.py").write_text(BOT)
    options = ("--executor", "bot:answer", "--heartbeat", "0.2", "--journal-interval", "0.05")
    data = str(place / "data")
    async with ClientSession() as session:
        with serving(*options, "--data-dir", data, cwd=place) as server:
            response = await session.post(server.url + CHAT, json=body_of("dead", "wait", "u"))
            while b"tool-input-available" not in await response.content.readuntil(b"\n\n"):
                pass
            await asyncio.sleep(0.5)
            server.process.kill()
        with serving(*options, "--data-dir", data, cwd=place) as server:
            # The lease of a minute is over, and whoever listens gets the partial answer.
            async with session.get(f"{server.url}{THREADS}/dead/header") as header:
                assert not (await header.json())["running"]
            async with session.get(server.url + EVENTS) as listened:
                changed = await Events(listened).until(stateKey="dead")
            assert (changed["running"], changed["messageCount"]) == (False, 2)


class Calls:
    """Stands in for the database; `away` says whether it answers."""

    def __init__(self) -> None:
        self.away = False
        self.asked: list[list[str]] = []

    async def end_lost_turns(self, owners: Sequence[str], grace: float) -> list[int]:
        if self.away:
            raise UnavailableError("away")
        assert grace == GRACE_BEATS * 5
        self.asked.append(list(owners))
        return [0 for _ in owners]


@pytest.fixture
def calls() -> Calls:
    return Calls()


async def test_workers_get_time_to_come_back_with_the_database(calls: Calls) -> None:
    owners: set[str] = set()
    lost: Any = LostTurns(calls, lambda: owners, heartbeat=5)  # type: ignore[arg-type]
    await lost._look(0)
    assert calls.asked == []
    owners.add("ada")
    await lost._look(5)
    await lost._look(14)
    assert calls.asked == []
    await lost._look(15)
    assert calls.asked == [["ada"]]
    calls.away = True
    with pytest.raises(UnavailableError):
        await lost._look(20)
    # What `run` does then.
    lost._looking.clear()
    calls.away = False
    await lost._look(25)
    await lost._look(30)
    assert calls.asked == [["ada"]]
    await lost._look(35)
    assert calls.asked == [["ada"]] * 2
    owners.clear()
    await lost._look(40)
    assert calls.asked == [["ada"]] * 2
