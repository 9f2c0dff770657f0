"""Turns seen from another worker than their own, and after their worker has died."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AsyncExitStack
from pathlib import Path
from types import FrameType
from typing import Any, LiteralString

import pytest
from aiohttp import ClientError, ClientSession
from psycopg import _queries, sql
from psycopg.adapt import Transformer
from psycopg.rows import BaseRowFactory

from pgthreads.events import (
    AiEvent,
    Done,
    Error,
    ExecutorRequest,
    ReasoningDelta,
    TextDelta,
    ToolCallResult,
    ToolCallStart,
)
from pgthreads.postgres.pool import Pool, Timeouts
from pgthreads.postgres.rows import JournalPiece, TurnKey
from pgthreads.postgres.threads import Threads
from tests.server.command import serving, wait_until
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

INTERVAL = 0.05


class Gate:
    """An executor that goes on step by step, when the test lets it."""

    def __init__(self, *steps: list[AiEvent]) -> None:
        self._steps = steps
        self._open = [asyncio.Event() for _ in steps]

    async def script(self, _: ExecutorRequest) -> AsyncIterator[AiEvent]:
        for events, gate in zip(self._steps, self._open, strict=True):
            await gate.wait()
            for event in events:
                yield event

    def let(self, step: int) -> None:
        self._open[step].set()


@pytest.fixture
async def two(server_dsn: str, admin_dsn: str) -> AsyncIterator[tuple[Service, Service]]:
    """Two servers on one database."""
    async with AsyncExitStack() as stack:
        first, second = [
            await stack.enter_async_context(
                running_service(server_dsn, admin_dsn, heartbeat=0.2, journal_interval=INTERVAL)
            )
            for _ in range(2)
        ]
        yield first, second


async def begin(service: Service, key: str, *steps: list[AiEvent]) -> tuple[Gate, Any]:
    """Begin a turn; its message has the id `u`."""
    gate = Gate(*steps)
    service.executor.script = gate.script
    response = await service.post(CHAT, body_of(key, "hi", "u"))
    assert response.status == 200, await response.text()
    return gate, response


def journal(service: Service, key: str) -> str:
    """Return what the journal has of a thread's turns."""
    rows = service.rows(
        "select coalesce(string_agg(frames, '' order by start_offset), '')"
        " from pgthreads.journal where state_key = %s",
        [key],
    )
    return str(rows[0][0])


async def until_journaled(service: Service, key: str, text: str) -> None:
    await until(lambda: text in journal(service, key))


async def until(condition: Callable[[], object]) -> None:
    for _ in range(400):
        if condition():
            return
        await asyncio.sleep(INTERVAL / 2)
    pytest.fail("it took too long")


def bare(stream: bytes) -> bytes:
    return stream.replace(b": keep-alive\n\n", b"")


async def test_a_stream_is_the_same_at_every_server(two: tuple[Service, Service]) -> None:
    one, other = two
    gate, response = await begin(
        one,
        "same",
        [ReasoningDelta("thé "), TextDelta("first "), ToolCallStart("c", "clock", {})],
        [ToolCallResult("c", {"at": "now"}), TextDelta("second\n\n"), TextDelta("third")],
        [Done("length")],
    )
    gate.let(0)
    await until_journaled(one, "same", "tool-input-available")
    resumed = asyncio.create_task(other_stream(other, "same"))
    again = asyncio.create_task(other.chat("same", "hi", "u"))
    gate.let(1)
    await until_journaled(one, "same", "third")
    late = await other.get(f"{CHAT}/same/stream")
    gate.let(2)
    own = await response.read()
    assert chunks_of(own)[-1] == {"type": "finish", "finishReason": "length"}
    for stream in (await resumed, await again, await late.read()):
        assert bare(stream) == bare(own)
    assert late.headers["X-State-Key"] == "same"
    assert [m["role"] for m in await other.messages("same")] == ["user", "assistant"]
    assert len(one.executor.requests) + len(other.executor.requests) == 1


async def other_stream(service: Service, key: str) -> bytes:
    async with await service.get(f"{CHAT}/{key}/stream") as response:
        assert response.status == 200
        return await response.read()


async def test_json_from_another_server(two: tuple[Service, Service]) -> None:
    one, other = two
    gate, response = await begin(one, "json", [TextDelta("x")], [TextDelta("y"), Done()])
    gate.let(0)
    asked = asyncio.create_task(
        other.post(CHAT, body_of("json", "hi", "u"), headers={"Accept": "application/json"})
    )
    await asyncio.sleep(3 * INTERVAL)
    gate.let(1)
    await response.read()
    async with await asked as told:
        assert told.status == 200
        assert await told.json() == (await one.messages("json"))[-1]


async def test_a_turn_that_fails_elsewhere(two: tuple[Service, Service]) -> None:
    one, other = two
    gate, response = await begin(one, "failing", [TextDelta("half")], [Error("overloaded")])
    gate.let(0)
    await until_journaled(one, "failing", "half")
    resumed = asyncio.create_task(other_stream(other, "failing"))
    asked = asyncio.create_task(
        other.post(CHAT, body_of("failing", "hi", "u"), headers={"Accept": "application/json"})
    )
    await asyncio.sleep(3 * INTERVAL)
    gate.let(1)
    own = await response.read()
    assert bare(await resumed) == bare(own)
    assert chunks_of(own)[-1] == {"type": "error", "errorText": "The answer failed: overloaded."}
    async with await asked as told:
        assert (told.status, (await told.json())["code"]) == (502, "executor_failed")


async def test_stopping_reaches_the_other_server_with_the_next_tick(
    server_dsn: str, admin_dsn: str
) -> None:
    async with (
        running_service(server_dsn, admin_dsn, heartbeat=30, journal_interval=INTERVAL) as one,
        running_service(server_dsn, admin_dsn, heartbeat=30, journal_interval=INTERVAL) as other,
    ):

        async def endless(_: ExecutorRequest) -> AsyncIterator[AiEvent]:
            while True:
                yield TextDelta("on ")
                await asyncio.sleep(0.01)

        one.executor.script = endless
        response = await one.post(CHAT, body_of("endless", "hi", "u"))
        await until_journaled(one, "endless", "on ")
        async with await other.post(f"{THREADS}/endless/stop") as stopped:
            assert stopped.status == 202
        assert chunks_of(await asyncio.wait_for(response.read(), 5))[-1]["type"] == "finish"
        assert one.turns("endless")[0][0] == "stopped"


async def test_a_short_turn_leaves_nothing_in_the_journal(two: tuple[Service, Service]) -> None:
    one, _ = two
    writes = "select n_tup_ins from pg_stat_user_tables where relname = 'journal'"
    one.executor.script = answers("short")
    before = one.rows(writes)
    for number in range(5):
        await one.chat("short", "hi", f"u{number}")
    await asyncio.sleep(1.5)
    assert one.rows(writes) == before


async def test_the_journal_is_forgotten(
    two: tuple[Service, Service], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("pgthreads.turns.ticker.KEPT_SECONDS", 0.2)
    one, _ = two
    gate, response = await begin(one, "gone", [TextDelta("a")], [TextDelta("b"), Done()])
    gate.let(0)
    await until_journaled(one, "gone", '"a"')
    gate.let(1)
    await response.read()
    await until(lambda: not journal(one, "gone"))


async def test_who_comes_after_the_end_gets_the_stored_answer(two: tuple[Service, Service]) -> None:
    one, other = two
    one.executor.script = answers("done")
    await one.chat("after", "hi", "u")
    async with await other.get(f"{CHAT}/after/stream") as nothing:
        assert nothing.status == 204
    chunks = chunks_of(await other.chat("after", "hi", "u"))
    assert [c["delta"] for c in chunks if c["type"] == "text-delta"] == ["done"]


async def test_a_journal_that_is_lost_is_written_again(two: tuple[Service, Service]) -> None:
    """As after a crash of the database: the rows are gone, and new ones begin at an offset."""
    one, other = two
    gate, response = await begin(
        one, "lost", [TextDelta("é first ")], [TextDelta("second ")], [TextDelta("third"), Done()]
    )
    gate.let(0)
    await until_journaled(one, "lost", "first")
    resumed = asyncio.create_task(other_stream(other, "lost"))
    await asyncio.sleep(3 * INTERVAL)
    one.rows("truncate pgthreads.journal")
    gate.let(1)
    await until_journaled(one, "lost", "second")
    assert "first" in journal(one, "lost")
    await asyncio.sleep(3 * INTERVAL)
    gate.let(2)
    assert bare(await resumed) == bare(await response.read())


async def test_one_refused_row_does_not_stop_the_others(
    two: tuple[Service, Service],
) -> None:
    one, _ = two
    gate, response = await begin(one, "fine", [TextDelta("a")], [Done()])
    gate.let(0)
    one.rows(
        sql.SQL(
            "create function public.refuse() returns trigger language plpgsql as"
            " $$ begin raise exception 'no' using errcode = 'THKEY'; end $$;"
            " create trigger refuse before insert on pgthreads.journal for each row"
            " when (new.state_key = 'bad') execute function public.refuse()"
        )
    )
    try:
        bad_gate, bad = await begin(one, "bad", [TextDelta("b")], [Done()])
        bad_gate.let(0)
        await until_journaled(one, "fine", '"a"')
        await asyncio.sleep(4 * INTERVAL)
        assert journal(one, "bad") == ""
        bad_gate.let(1)
        gate.let(1)
        assert chunks_of(await bad.read())[-1]["type"] == "finish"
        assert chunks_of(await response.read())[-1]["type"] == "finish"
        assert [status for status, *_ in one.turns("bad")] == ["completed"]
    finally:
        one.rows("drop trigger refuse on pgthreads.journal; drop function public.refuse()")


async def test_a_journal_that_fails_at_last_does_not_cost_the_answer(
    two: tuple[Service, Service],
) -> None:
    one, _ = two
    gate, response = await begin(one, "last", [TextDelta("a")], [TextDelta("b"), Done()])
    gate.let(0)
    await until_journaled(one, "last", '"a"')
    one.rows("alter table pgthreads.journal add constraint no_more check (false) not valid")
    try:
        gate.let(1)
        assert chunks_of(await response.read())[-1]["type"] == "finish"
        assert [text_of(m) for m in await one.messages("last")] == ["hi", "ab"]
    finally:
        one.rows("alter table pgthreads.journal drop constraint no_more")


async def test_without_a_journal(server_dsn: str, admin_dsn: str) -> None:
    async with (
        running_service(server_dsn, admin_dsn, journal_interval=0, heartbeat=0.2) as one,
        running_service(server_dsn, admin_dsn, journal_interval=0, heartbeat=0.2) as other,
    ):
        gate, response = await begin(one, "off", [TextDelta("a")], [Done()])
        gate.let(0)
        await asyncio.sleep(0.5)
        assert journal(one, "off") == ""
        async with await other.get(f"{CHAT}/off/stream") as nothing:
            assert nothing.status == 204
        async with await other.post(CHAT, body_of("off", "hi", "u")) as refused:
            assert (refused.status, (await refused.json())["code"]) == (409, "turn_running")
        gate.let(1)
        assert chunks_of(await response.read())[-1]["type"] == "finish"


async def test_a_follower_that_shuts_down_says_so(two: tuple[Service, Service]) -> None:
    one, other = two
    gate, response = await begin(one, "moving", [TextDelta("a")], [Done()])
    gate.let(0)
    await until_journaled(one, "moving", '"a"')
    resumed = await other.get(f"{CHAT}/moving/stream")
    while b"text-delta" not in await resumed.content.readuntil(b"\n\n"):
        pass
    await other.stop()
    assert b"shutting down" in await resumed.read()
    gate.let(1)
    assert chunks_of(await response.read())[-1]["type"] == "finish"


BOT = """
import asyncio
from pgthreads.events import Done, TextDelta, ToolCallStart

async def answer(request):
    text = request.messages[-1]["parts"][0]["text"]
    yield TextDelta("What I know")
    if text == "wait":
        yield ToolCallStart("c", "clock", {"zone": "UTC"})
        await asyncio.sleep(3600)
    yield Done()
"""


async def test_what_a_killed_server_leaves_of_an_answer(
    tmp_path: Path, server_dsn: str, admin_dsn: str
) -> None:
    (tmp_path / "bot.py").write_text(BOT)
    async with running_service(server_dsn, admin_dsn, journal_interval=INTERVAL) as other:
        other.rows("update pgthreads.config set lease = '1 second'")
        with serving(
            *("--executor", "bot:answer", "--heartbeat", "0.2", "--journal-interval", "0.05"),
            cwd=tmp_path,
            PGTHREADS_DATABASE_URL=server_dsn,
        ) as server:
            async with ClientSession() as session:
                response = await session.post(server.url + CHAT, json=body_of("dead", "wait", "u"))
                await until_journaled(other, "dead", "tool-input-available")
                following = await other.get(f"{CHAT}/dead/stream")
                os.kill(server.process.pid, signal.SIGKILL)
                with pytest.raises(ClientError):
                    await response.read()
            followed = chunks_of(await asyncio.wait_for(following.read(), 20))
            assert followed[-1]["type"] == "error"
            assert "broke off" in followed[-1]["errorText"]
        wait_until(lambda: not live_leases(other, "dead"))
        # The same message again gets the partial answer; another message goes on.
        chunks = chunks_of(await other.chat("dead", "wait", "u"))
        assert {"delta": "What I know"}.items() <= next(
            c for c in chunks if c["type"] == "text-delta"
        ).items()
        user, partial = await other.messages("dead")
        assert user["id"] == "u"
        assert partial["metadata"] == {"status": "abandoned"}
        assert partial["parts"][-1]["state"] == "output-error"
        assert json.dumps(partial).count("What I know") == 1
        other.executor.script = answers("Go on.")
        await other.chat("dead", "and?", "u2")
        assert [text_of(m) for m in await other.messages("dead")] == [
            "wait",
            "What I know",
            "and?",
            "Go on.",
        ]
        assert [status for status, *_ in other.turns("dead")] == ["abandoned", "completed"]
        assert journal(other, "dead") == ""


def live_leases(service: Service, key: str) -> list[tuple[Any, ...]]:
    return service.rows(
        "select turn_id from pgthreads.turn"
        " where state_key = %s and status = 'running' and lease_until > clock_timestamp()",
        [key],
    )


async def test_many_owners_in_one_statement(server_dsn: str) -> None:
    """The tenant changes from row to row, even if an earlier one comes again."""
    async with Pool(server_dsn, size=1) as pool:
        await many_owners(Threads(pool))


async def many_owners(threads: Threads) -> None:
    turns = [TurnKey(f"owner-{n % 3}", f"many-{n}", f"turn-{n}") for n in range(30)]
    message: dict[str, Any] = {"id": "u", "role": "user", "parts": [{"type": "text", "text": "?"}]}
    for key in turns:
        await threads.begin_turn(key.owner_user_id, key.state_key, message, key.turn_id)
    assert [s.alive for s in await threads.extend_turns(turns)] == [True] * 30
    pieces = [JournalPiece(key, 0, f"data: {key.turn_id}\n\n") for key in turns]
    written = await threads.write_journals(pieces)
    assert [s.end_offset for s in written] == [len(each.frames) for each in pieces]
    unknown = TurnKey("owner-0", "many-0", "unknown")
    read = await threads.read_journals([(key, 0) for key in (*turns, unknown)])
    assert [r and r.frames for r in read] == [*(each.frames for each in pieces), None]
    for key in turns:
        await threads.complete_turn(*key, status="failed", usage={}, error_code="x", message=None)
    assert await threads.forget_journals(turns) == [1] * 30


class UnsentPool(Pool):
    """Sends nothing, and remembers what it would send."""

    def __init__(self) -> None:
        self.timeouts = Timeouts()
        self.calls: list[tuple[LiteralString, Sequence[object]]] = []

    async def fetch(
        self, statement: LiteralString, values: Sequence[object], row: BaseRowFactory[Any]
    ) -> list[Any]:
        self.calls.append((statement, values))
        return []


async def test_frames_are_sent_as_they_are() -> None:
    """As text, Python would escape each of their quotes, and serve nobody else meanwhile."""
    pool, frames = UnsentPool(), 'data: {"type":"text-delta","id":"0","delta":"a"}\n\n' * 2000
    await Threads(pool).write_journals([JournalPiece(TurnKey("ada", "k", "t"), 0, frames)])
    ((statement, values),) = pool.calls
    calls = 0

    def count(_frame: FrameType, event: str, _argument: object) -> None:
        nonlocal calls
        calls += event == "call"

    query = _queries.PostgresQuery(Transformer())
    sys.setprofile(count)
    try:
        query.convert(statement, values)
    finally:
        sys.setprofile(None)
    sent = (query.params or ())[-1]
    assert sent is not None
    assert frames.encode() in bytes(sent)
    assert calls < 1000
