"""The whole server on a real port, with an executor that the test writes."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from typing import Any, Self

import psycopg
from aiohttp import ClientResponse, ClientSession, web

from pgthreads.app import create_app
from pgthreads.events import AiEvent, Done, Executor, ExecutorRequest, TextDelta, UIMessage
from pgthreads.http.app_keys import EXECUTOR, RUNTIME
from pgthreads.settings import Settings
from pgthreads.turns.running import RunningTurns

CHAT = "/api/v1/ai/chat"
EVENTS = "/api/v1/ai/events"
MODELS = "/api/v1/ai/models"
THREADS = "/api/v1/ai/threads"

Script = Callable[[ExecutorRequest], AsyncIterator[AiEvent]]


def says(*events: AiEvent) -> Script:
    """An executor that yields these events."""

    async def script(_: ExecutorRequest) -> AsyncIterator[AiEvent]:
        for event in events:
            yield event

    return script


def answers(text: str) -> Script:
    """An executor that says one text."""
    return says(TextDelta(text), Done())


class RecordingExecutor:
    """Runs the script that a test has set, and keeps the requests."""

    def __init__(self) -> None:
        self.script: Script = answers("Hello.")
        self.requests: list[ExecutorRequest] = []

    def __call__(self, request: ExecutorRequest, /) -> AsyncIterator[AiEvent]:
        self.requests.append(request)
        return self.script(request)


class Service:
    """A running server and a client of it."""

    def __init__(self, url: str, session: ClientSession, app: web.Application, dsn: str) -> None:
        self.url = url
        self.session = session
        self.app = app
        self.executor = RecordingExecutor()
        self.runner: web.AppRunner | None = None
        self._admin_dsn = dsn

    @property
    def running(self) -> RunningTurns:
        """The turns that run in the server, once it has started."""
        return self.app[RUNTIME].running

    async def post(self, path: str, body: Any = None, **options: Any) -> ClientResponse:
        """POST JSON."""
        return await self.session.post(self.url + path, json=body, **options)

    async def get(self, path: str, **options: Any) -> ClientResponse:
        """GET a path."""
        return await self.session.get(self.url + path, **options)

    async def chat(self, key: str, text: str, message_id: str | None = None) -> bytes:
        """Send a user message and return the whole stream."""
        async with await self.post(CHAT, body_of(key, text, message_id)) as response:
            assert response.status == 200, await response.text()
            return await response.read()

    async def messages(self, key: str) -> list[UIMessage]:
        """Return what GET returns for a thread."""
        async with await self.get(f"{THREADS}/{key}") as response:
            assert response.status == 200, await response.text()
            messages: list[UIMessage] = (await response.json())["messages"]
            return messages

    def rows(self, statement: Any, values: Iterable[object] = ()) -> list[tuple[Any, ...]]:
        """Run SQL as a superuser."""
        with psycopg.connect(self._admin_dsn, autocommit=True) as connection:
            cursor = connection.execute(statement, list(values))
            return cursor.fetchall() if cursor.description else []

    def turns(self, key: str) -> list[tuple[Any, ...]]:
        """`(status, usage, error_code, assistant_message_id)` of each turn, oldest first."""
        return self.rows(
            "select status, usage, error_code, assistant_message_id from pgthreads.turn"
            " where state_key = %s order by started_at",
            [key],
        )

    async def stop(self) -> None:
        """Shut the server down as SIGTERM does."""
        assert self.runner is not None
        await self.runner.cleanup()

    async def idle(self) -> Self:
        """Wait until no turn runs in the server any more."""
        await self.running._ended_within(20)
        assert len(self.running) == 0
        return self


def body_of(key: str, text: str, message_id: str | None = None) -> dict[str, Any]:
    """A chat request with one user message."""
    message: dict[str, Any] = {"role": "user", "parts": [{"type": "text", "text": text}]}
    if message_id is not None:
        message["id"] = message_id
    return {"id": key, "message": message}


def chunks_of(stream: bytes) -> list[dict[str, Any]]:
    """The chunks of a whole stream, without `[DONE]` and comments."""
    frames = [frame for frame in stream.split(b"\n\n") if frame.startswith(b"data: ")]
    assert frames[-1] == b"data: [DONE]"
    return [json.loads(frame.removeprefix(b"data: ")) for frame in frames[:-1]]


def text_of(message: UIMessage) -> str:
    """All text of a message."""
    return "".join(part["text"] for part in message["parts"] if part["type"] == "text")


@asynccontextmanager
async def running_service(
    server_dsn: str, admin_dsn: str, executor: Executor | None = None, **settings: Any
) -> AsyncIterator[Service]:
    """Start the server, on a free port unless one is given; drain and end it afterwards."""
    options = {"drain_timeout": 5.0, "port": 0} | settings
    app = create_app(Settings(database_url=server_dsn, **options))
    runner = web.AppRunner(app, access_log=None, shutdown_timeout=2.0)
    async with ClientSession() as session:
        service = Service("", session, app, admin_dsn)
        app[EXECUTOR] = executor or service.executor
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", options["port"], reuse_address=True).start()
        service.runner = runner
        service.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
        try:
            yield service
        finally:
            await runner.cleanup()
