"""The turn runtime works without a web framework, and is one type of turn to whoever uses it."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager

import pytest

import pgthreads.message
import pgthreads.postgres
import pgthreads.turns
from pgthreads.events import AiEvent, Done, ExecutorRequest, TextDelta, UIMessage
from pgthreads.postgres.pool import Pool
from pgthreads.postgres.threads import Threads
from pgthreads.turns.begin import ChatRequest, TurnPolicy
from pgthreads.turns.runtime import TurnRuntime
from pgthreads.turns.turn import Ending, LiveTurn
from tests.server.service import chunks_of

IMPORT_ALL = """
import pkgutil, sys
from importlib import import_module
for each in ("aiohttp", "pgthreads.http", "pgthreads.app"):
    sys.modules[each] = None
room = import_module(sys.argv[1])
names = [each.name for each in pkgutil.iter_modules(room.__path__)]
for name in names:
    import_module(f"{room.__name__}.{name}")
print(len(names))
"""


@pytest.mark.parametrize("room", [pgthreads.message, pgthreads.postgres, pgthreads.turns])
def test_rooms_that_know_nothing_of_http(room: object) -> None:
    command = [sys.executable, "-c", IMPORT_ALL, getattr(room, "__name__", "")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert int(done.stdout) > 5


def question(text: str, message_id: str = "u1") -> ChatRequest:
    message: UIMessage = {
        "id": message_id,
        "role": "user",
        "parts": [{"type": "text", "text": text}],
    }
    return ChatRequest(message=message)


class Echo:
    """Answers with the question, once it may."""

    def __init__(self) -> None:
        self.may_go_on = asyncio.Event()

    async def __call__(self, request: ExecutorRequest) -> AsyncIterator[AiEvent]:
        yield TextDelta("You said: ")
        await self.may_go_on.wait()
        yield TextDelta(request.messages[-1]["parts"][0]["text"])
        yield Done()


@asynccontextmanager
async def running(dsn: str, executor: Echo) -> AsyncIterator[TurnRuntime]:
    async with Pool(dsn, size=2) as pool:
        threads = Threads(pool)
        runtime = TurnRuntime(
            executor,
            threads=threads,
            turn_threads=threads,
            heartbeats=threads,
            policy=TurnPolicy(),
            heartbeat=1.0,
            journal_interval=0.05,
        )
        async with runtime.lifespan():
            yield runtime
            await runtime.drain(5)


async def read(turn: LiveTurn) -> bytes:
    with turn.reading():
        async with aclosing(turn.stream.read(60.0)) as pieces:
            return b"".join([piece async for piece in pieces])


async def test_a_turn_without_a_web_framework(server_dsn: str) -> None:
    echo = Echo()
    async with running(server_dsn, echo) as runtime:
        turn = await runtime.begin("ann", "plain", question("hello"))
        echo.may_go_on.set()
        chunks = chunks_of(await read(turn))
        ending = await turn.ended
    assert (chunks[0]["type"], chunks[-1]["type"]) == ("start", "finish")
    assert (ending.status, ending.failure) == ("completed", None)
    answer = json.loads(ending.answer() or b"")
    assert answer["parts"][-1]["text"] == "You said: hello"


async def test_the_same_turn_here_elsewhere_and_afterwards(server_dsn: str) -> None:
    echo = Echo()
    async with running(server_dsn, echo) as here, running(server_dsn, Echo()) as elsewhere:
        turn = await here.begin("ann", "shared", question("hello"))
        joined = await here.begin("ann", "shared", question("hello"))
        followed = await elsewhere.begin("ann", "shared", question("hello"))
        resumed = await elsewhere.resume("ann", "shared")
        assert resumed is not None
        reads = [asyncio.create_task(read(each)) for each in (turn, joined, followed, resumed)]
        while not (len(followed.stream) and len(resumed.stream)):  # noqa: ASYNC110 - the journal tells
            await asyncio.sleep(0.01)
        echo.may_go_on.set()
        assert len(set(await asyncio.gather(*reads))) == 1
        endings = [await each.ended for each in (turn, joined, followed, resumed)]
        afterwards = await elsewhere.begin("ann", "shared", question("hello"))
        endings.append(await afterwards.ended)
        assert chunks_of(await read(afterwards))[-1]["type"] == "finish"
    assert {each.key for each in (turn, joined, followed, resumed)} == {turn.key}
    assert {each.status for each in endings} == {"completed"}
    texts = {json.loads(each.answer() or b"{}")["parts"][-1]["text"] for each in endings}
    assert texts == {"You said: hello"}


async def test_a_turn_is_stopped_from_elsewhere(server_dsn: str) -> None:
    async with running(server_dsn, Echo()) as here, running(server_dsn, Echo()) as elsewhere:
        turn = await here.begin("ann", "stopped", question("hello"))
        assert await elsewhere.stop("ann", "stopped") == turn.key.turn_id
        ending = await turn.ended
        assert await elsewhere.stop("ann", "stopped") is None
    assert (ending.status, ending.failure) == ("stopped", None)
    assert json.loads(ending.answer() or b"")["parts"][-1]["text"] == "You said: "


def test_failure_is_why_there_is_no_whole_answer() -> None:
    assert Ending(status="completed").failure is None
    assert Ending(status="stopped", code="shutting_down").failure is None
    assert Ending(status="failed", code="executor_failed").failure == "executor_failed"
    assert Ending(status="abandoned").failure == "abandoned"
