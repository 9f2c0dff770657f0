"""An answer that is not stored before the process ends is appended later, exactly once."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import psycopg
import pytest
from aiohttp import ClientSession
from psycopg.conninfo import make_conninfo

from pgthreads.app import StartError
from pgthreads.cli.checks import Finding, check_installation
from pgthreads.events import AiEvent, Done, ExecutorRequest, TextDelta
from pgthreads.postgres.threads import Threads
from pgthreads.settings import Settings, SettingsError
from pgthreads.turns.settle import Answer, Begin, Refusal, settle
from pgthreads.turns.spool import Spool, Spooled, SpoolError
from tests.server import dying
from tests.server.command import wait_until
from tests.server.service import (
    CHAT,
    THREADS,
    Service,
    body_of,
    chunks_of,
    running_service,
    text_of,
)
from tests.server.test_deploys import start
from tests.server.test_workers import turn, two_workers, wait_in_a_turn

NOWHERE = make_conninfo(host="127.0.0.1", port=1, dbname="none", user="none")
ROOT = Path(__file__).resolve().parents[2]
ANSWER = dying.answer("held")
TEXT = "whole \N{REPLACEMENT CHARACTER} änswer"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "spool"


@pytest.fixture
def spool(folder: Path) -> Spool:
    spool = Spool(folder)
    spool.open()
    return spool


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make a shutdown that waits in vain end soon."""
    monkeypatch.setattr("pgthreads.turns.running.EXECUTOR_GRACE", 1.0)
    monkeypatch.setattr("pgthreads.turns.store.LAST_CHANCE", 0.1)


@pytest.fixture
def refusing(admin_dsn: str) -> Iterator[Any]:
    """`refusing(True)` refuses every connection; it is undone at the end."""

    def refuse(state: bool) -> None:
        with psycopg.connect(admin_dsn, autocommit=True) as admin:
            admin.execute(f"alter role app_login connection limit {0 if state else -1}")
            if state:
                admin.execute(
                    "select pg_terminate_backend(pid, 5000) from pg_stat_activity"
                    " where usename = 'app_login' and datname = current_database()"
                )

    yield refuse
    refuse(False)


@asynccontextmanager
async def serving(server_dsn: str, admin_dsn: str, folder: Path) -> AsyncIterator[Service]:
    async with running_service(
        server_dsn,
        admin_dsn,
        spool_dir=folder,
        drain_timeout=0.1,
        acquire_timeout=0.3,
        statement_timeout=5.0,
    ) as service:
        yield service


async def leave(server_dsn: str, admin_dsn: str, folder: Path, key: str, refusing: Any) -> None:
    """Let a server end with an answer that it cannot store."""
    opened = asyncio.Event()

    async def script(_: ExecutorRequest) -> AsyncIterator[AiEvent]:
        yield TextDelta("from ")
        await opened.wait()
        yield TextDelta("before")
        yield Done()

    async with serving(server_dsn, admin_dsn, folder) as service:
        service.executor.script = script
        response = await service.post(CHAT, body_of(key, "hi", "u1"))
        assert response.status == 200
        refusing(True)
        opened.set()
        async with asyncio.timeout(10):
            while not files(folder):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
    assert chunks_of(await response.read())[-1]["type"] == "error"
    refusing(False)


def files(folder: Path) -> list[str]:
    return sorted(each.suffix for each in folder.iterdir())


def modes(folder: Path) -> dict[str, int]:
    found = {each.suffix: each for each in folder.iterdir()} | {".": folder}
    return {name: each.stat().st_mode & 0o777 for name, each in found.items()}


def make(folder: Path, mode: int) -> None:
    folder.mkdir()
    folder.chmod(mode)


def damage(folder: Path) -> None:
    """Cut the end off each file; add an empty file, and one with a wrong sum."""
    for each in folder.iterdir():
        each.write_bytes(each.read_bytes()[:-10])
    (folder / ("0" * 40 + ".answer")).touch()
    (folder / ("1" * 40 + ".answer")).write_bytes(b"pgthreads answer 1 00\n{}")


async def texts(service: Service, key: str) -> list[str]:
    return [text_of(message) for message in await service.messages(key)]


def statuses(service: Service, key: str) -> list[str]:
    return [turn[0] for turn in service.turns(key)]


def late(service: Service, key: str) -> list[tuple[Any, ...]]:
    return service.rows("select reason from pgthreads.late_answer where state_key = %s", [key])


async def test_stored_at_the_next_start(
    server_dsn: str, admin_dsn: str, folder: Path, refusing: Any
) -> None:
    await leave(server_dsn, admin_dsn, folder, "next", refusing)
    assert modes(folder) == {".": 0o700, ".answer": 0o600}
    for _ in range(2):
        async with serving(server_dsn, admin_dsn, folder) as service:
            assert await texts(service, "next") == ["hi", "from before"]
            assert statuses(service, "next") == ["completed"]
            assert files(folder) == []


async def test_a_lease_that_ended_meanwhile(
    server_dsn: str, admin_dsn: str, folder: Path, refusing: Any
) -> None:
    await leave(server_dsn, admin_dsn, folder, "ended", refusing)
    end_leases(admin_dsn)
    async with serving(server_dsn, admin_dsn, folder) as service:
        assert await texts(service, "ended") == ["hi", "from before"]
        assert late(service, "ended") == []


async def test_a_thread_that_went_on_meanwhile(
    server_dsn: str, admin_dsn: str, folder: Path, refusing: Any
) -> None:
    await leave(server_dsn, admin_dsn, folder, "went-on", refusing)
    end_leases(admin_dsn)
    async with running_service(server_dsn, admin_dsn) as other:
        await other.chat("went-on", "still there?")
    async with serving(server_dsn, admin_dsn, folder) as service:
        assert await texts(service, "went-on") == ["hi", "still there?", "Hello."]
        assert late(service, "went-on") == [("turn_lost",)]
        assert files(folder) == []


async def test_a_part_that_the_journal_saved(
    server_dsn: str, admin_dsn: str, folder: Path, spool: Spool
) -> None:
    """The thread keeps the partial answer; the whole one, with the same id, is a late answer."""
    answer = dying.answer("part")
    spool.put(answer).release()
    async with running_service(server_dsn, admin_dsn) as other:
        begin(other, answer)
        frames = "".join(
            f"data: {json.dumps(chunk)}\n\n"
            for chunk in (
                {"type": "start", "messageId": "a1"},
                {"type": "text-start", "id": "1"},
                {"type": "text-delta", "id": "1", "delta": "who"},
            )
        )
        other.rows(
            "select w.* from pgthreads.set_tenant('dev') as t(owner),"
            " lateral pgthreads.write_journal(t.owner, 'part', 't', 0, %s) as w",
            [frames],
        )
        end_leases(admin_dsn)
        await other.chat("part", "still there?")
    async with serving(server_dsn, admin_dsn, folder) as service:
        assert await texts(service, "part") == ["hi", "who", "still there?", "Hello."]
        assert late(service, "part") == [("duplicate_message",)]
        assert statuses(service, "part") == ["abandoned", "completed"]
        assert files(folder) == []


async def test_two_that_start_at_once(
    server_dsn: str, admin_dsn: str, folder: Path, spool: Spool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Exactly one of them takes each answer."""
    taken: list[str] = []

    async def settle_slowly(threads: Threads, answer: Answer, **options: Any) -> Refusal | None:
        taken.append(answer.state_key)
        await asyncio.sleep(0.01)
        return await settle(threads, answer, **options)

    monkeypatch.setattr("pgthreads.turns.store.settle", settle_slowly)
    keys = [f"both-{number}" for number in range(20)]
    async with running_service(server_dsn, admin_dsn) as service:
        for key in keys:
            begin(service, dying.answer(key))
            spool.put(dying.answer(key)).release()
        async with AsyncExitStack() as stack:
            await asyncio.gather(
                *(
                    stack.enter_async_context(serving(server_dsn, admin_dsn, folder))
                    for _ in range(2)
                )
            )
        assert sorted(taken) == sorted(keys)
        for key in keys:
            assert await texts(service, key) == ["hi", TEXT]
            assert (statuses(service, key), late(service, key)) == (["completed"], [])
    assert files(folder) == []


async def test_a_process_that_lives_keeps_its_answer(
    server_dsn: str, admin_dsn: str, folder: Path, refusing: Any
) -> None:
    """It is spooled at its first failure, left alone by others, and deleted once it is stored."""
    opened = asyncio.Event()

    async def script(_: ExecutorRequest) -> AsyncIterator[AiEvent]:
        yield TextDelta("mine")
        await opened.wait()
        yield Done()

    async with serving(server_dsn, admin_dsn, folder) as service:
        service.executor.script = script
        response = await service.post(CHAT, body_of("lives", "hi", "u1"))
        refusing(True)
        opened.set()
        async with asyncio.timeout(10):
            while not files(folder):  # noqa: ASYNC110
                await asyncio.sleep(0.02)
        other = Spool(folder)
        assert [other.claim(name) for name in other.names()] == [None]
        refusing(False)
        assert chunks_of(await response.read())[-1]["type"] == "finish"
        assert await texts(service, "lives") == ["hi", "mine"]
        assert files(folder) == []


@pytest.mark.parametrize("moment", ["rename", "unlink"])
async def test_killed_at_a_moment(
    server_dsn: str, admin_dsn: str, folder: Path, spool: Spool, moment: str
) -> None:
    answer = dying.answer(moment)
    if moment == "unlink":
        spool.put(answer).release()
    async with running_service(server_dsn, admin_dsn) as service:
        begin(service, answer)
        assert await die(moment, folder, server_dsn if moment == "unlink" else NOWHERE) == -9
        assert files(folder) == [".partial" if moment == "rename" else ".answer"]
        assert len(await texts(service, moment)) == (1 if moment == "rename" else 2)
    for _ in range(2):
        async with serving(server_dsn, admin_dsn, folder) as service:
            assert await texts(service, moment) == ["hi", TEXT]
            assert service.turns(moment) == [("completed", {"output_tokens": 3}, None, "a1")]
            assert (files(folder), late(service, moment)) == ([], [])


async def test_all_processes_killed_while_the_database_is_away(
    server_dsn: str, admin_dsn: str, tmp_path: Path, folder: Path, refusing: Any
) -> None:
    """The answers of two workers outlive them, and are stored by those that come after."""
    keys = [f"killed-{number}" for number in range(8)]
    settings = {"spool_dir": folder, "acquire_timeout": 0.5}
    async with ClientSession() as session:
        with start("workers", tmp_path, server_dsn, **settings) as server:
            pids = two_workers(server)
            for key in keys:
                await wait_in_a_turn(session, server, key)
            refusing(True)
            (tmp_path / "go").touch()
            wait_until(lambda: files(folder) == [".answer"] * len(keys))
            for pid in (*pids, server.process.pid):
                os.kill(pid, signal.SIGKILL)
        refusing(False)
        with start("workers", tmp_path, server_dsn, **settings) as server:
            two_workers(server)
            wait_until(lambda: files(folder) == [])
            for key in keys:
                async with session.get(f"{server.url}{THREADS}/{key}") as response:
                    question, answer = (await response.json())["messages"]
                assert text_of(question) == "wait"
                assert text_of(answer).endswith(" done")
                assert turn(admin_dsn, key) == ("completed", None)


async def test_killed_while_writing(
    server_dsn: str, admin_dsn: str, folder: Path, spool: Spool
) -> None:
    assert await die("fsync", folder, NOWHERE) == -9
    damage(folder)
    async with serving(server_dsn, admin_dsn, folder) as service:
        assert "Hello." in str(await service.chat("corrupt", "hi"))
        assert files(folder) == [".corrupt"] * 3


async def test_an_answer_of_a_thread_that_is_gone(
    server_dsn: str, admin_dsn: str, folder: Path, spool: Spool
) -> None:
    """The database has no place for it: it is left to people, and tried only once."""
    spool.put(dying.answer("never-was")).release()
    async with serving(server_dsn, admin_dsn, folder):
        assert files(folder) == [".refused"]


def test_a_file_is_held_by_one(spool: Spool, folder: Path) -> None:
    held = spool.put(ANSWER)
    (name,) = spool.names()
    assert spool.claim(name) is None
    held.release()
    again = spool.claim(name)
    assert isinstance(again, Spooled)
    assert again.answer == ANSWER
    again.remove()
    assert (spool.claim(name), files(folder)) == (None, [])


BEGIN = Begin(
    message={"id": "u1", "role": "user", "parts": []},
    replaces=None,
    regenerate=False,
    message_count=1,
)


async def test_kept_after_it_was_stored(server_dsn: str, admin_dsn: str, folder: Path) -> None:
    async with running_service(server_dsn, admin_dsn, spool_dir=folder, keep_answers=60) as service:
        await service.chat("kept", "hi", "u1")
        (kept,) = Spool(folder).kept()
        assert kept.answer.message == (await service.messages("kept"))[-1]
        assert (kept.begin.question["id"], kept.begin.message_count) == ("u1", 1)
        assert modes(folder) == {".": 0o700, ".kept": 0o600}
    # Another start leaves the file alone, whatever its setting.
    async with serving(server_dsn, admin_dsn, folder):
        assert files(folder) == [".kept"]


def test_kept_for_so_long(folder: Path, spool: Spool) -> None:
    """The file itself says how long; a search for waiting answers does not see it."""
    Spool(folder, keep_seconds=60).keep(ANSWER, BEGIN)
    assert (spool.names(), spool.aside(), spool.forget()) == ([], [], 0)
    Spool(folder, keep_seconds=-1).keep(ANSWER, BEGIN)
    (kept,) = spool.kept()
    assert (kept.answer, kept.begin) == (ANSWER, BEGIN)
    assert (spool.forget(), files(folder)) == (1, [])


def test_a_kept_answer_that_is_not_whole(folder: Path, spool: Spool) -> None:
    Spool(folder, keep_seconds=60).keep(ANSWER, BEGIN)
    damage(folder)
    assert spool.kept() == []
    assert len(spool.aside()) == 1


def test_keeping_needs_a_folder() -> None:
    with pytest.raises(SettingsError, match="--keep-answers"):
        Settings(database_url="postgresql://db/chat", keep_answers=1)


def test_a_disk_that_takes_nothing(spool: Spool, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(_: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        spool.put(ANSWER)
    assert spool.names() == []


@pytest.mark.parametrize("mode", [0o770, 0o707])
async def test_a_folder_of_others_is_refused(
    server_dsn: str, admin_dsn: str, folder: Path, mode: int
) -> None:
    make(folder, mode)
    with pytest.raises(SpoolError, match="alone may write"):
        Spool(folder).open()
    with pytest.raises(StartError, match="alone may write"):
        async with serving(server_dsn, admin_dsn, folder):
            pass


def test_what_the_doctor_finds(spool: Spool, folder: Path) -> None:
    def found(settings: Settings) -> Finding:
        return check_installation(settings)[-1]

    settings = Settings(database_url="postgresql://db/chat", spool_dir=folder)
    assert found(settings).text == f"spool {folder}, 0 answers wait"
    spool.put(ANSWER).release()
    assert found(settings).text == f"spool {folder}, 1 answers wait"
    damage(folder)
    for name in spool.names():
        assert spool.claim(name) is None
    assert (found(settings).verdict, found(settings).text[:1]) == ("note", "3")
    folder.chmod(0o777)
    assert found(settings).verdict == "FAIL"


def test_a_folder_that_cannot_be(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(SpoolError):
        Spool(tmp_path / "file" / "spool").open()


def test_a_link_is_not_followed(spool: Spool, folder: Path, tmp_path: Path) -> None:
    other = Spool(tmp_path / "other")
    other.open()
    other.put(ANSWER).release()
    (name,) = other.names()
    (folder / name).symlink_to(tmp_path / "other" / name)
    assert spool.claim(name) is None


def begin(service: Service, answer: Answer) -> None:
    """Begin the turn of an answer."""
    service.rows(
        "select b.outcome from pgthreads.set_tenant(%s) as t(owner),"
        " lateral pgthreads.begin_turn(t.owner, %s,"
        """ '{"id":"u1","role":"user","parts":[{"type":"text","text":"hi"}]}', %s) as b""",
        [answer.owner_user_id, answer.state_key, answer.turn_id],
    )


def end_leases(admin_dsn: str) -> None:
    with psycopg.connect(admin_dsn, autocommit=True) as admin:
        admin.execute("update pgthreads.turn set lease_until = now() - interval '1 second'")


async def die(moment: str, folder: Path, dsn: str) -> int:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.server.dying", moment, str(folder), dsn, cwd=ROOT
    )
    async with asyncio.timeout(30):
        return await process.wait()
