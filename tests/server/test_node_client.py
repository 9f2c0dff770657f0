"""The chat client of `tests/clients` against a scripted stand-in for the server, over HTTP."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from pgthreads.events import Done, TextDelta, ToolCallResult, ToolCallStart
from pgthreads.message.draft import Draft, EndStatus
from pgthreads.message.wire import finish_frames
from tests.server import node_client
from tests.server.node_client import MAJORS, chat


@pytest.fixture(autouse=True, scope="module")
def node() -> None:
    if reason := node_client.missing():
        pytest.fail(reason)


@dataclass
class Script:
    """A server that says the same to every client, and waits for `go_on` in the middle."""

    bodies: list[dict[str, Any]] = field(default_factory=list)
    go_on: asyncio.Event = field(default_factory=asyncio.Event)
    stopped: asyncio.Event = field(default_factory=asyncio.Event)
    left: asyncio.Event = field(default_factory=asyncio.Event)

    async def post(self, request: web.Request) -> web.StreamResponse:
        self.bodies.append(await request.json())
        return await self._stream(request)

    async def resume(self, request: web.Request) -> web.StreamResponse:
        if request.match_info["key"] != "running":
            return web.Response(status=204)
        return await self._stream(request)

    async def stop(self, request: web.Request) -> web.Response:
        self.stopped.set()
        self.go_on.set()
        return web.Response(status=202)

    async def _stream(self, request: web.Request) -> web.StreamResponse:
        draft = Draft(f"m{len(self.bodies)}")
        headers = {"content-type": "text/event-stream", "X-State-Key": "key-1"}
        response = web.StreamResponse(headers=headers)
        await response.prepare(request)
        try:
            sse = draft.opening + draft.take(ToolCallStart("c", "add", {"a": 1}))
            await response.write(sse + draft.take(ToolCallResult("c", 2)))
            for piece in ("It ", "is "):
                await response.write(draft.take(TextDelta(piece)))
            await self.go_on.wait()
            await response.write(draft.take(TextDelta("2.")) + draft.take(Done()))
            status: EndStatus = "stopped" if self.stopped.is_set() else "completed"
            await response.write(draft.close(status) + finish_frames("stop"))
        except (asyncio.CancelledError, ConnectionError):
            self.left.set()
            raise
        return response


@pytest.fixture
async def script() -> Script:
    return Script()


@pytest.fixture
async def url(script: Script) -> AsyncIterator[str]:
    app = web.Application()
    app.router.add_post("/api/v1/ai/chat", script.post)
    app.router.add_get("/api/v1/ai/chat/{key}/stream", script.resume)
    app.router.add_post("/api/v1/ai/threads/{key}/stop", script.stop)
    server = TestServer(app)
    await server.start_server()
    yield str(server.make_url("/"))
    await server.close()


def texts(message: dict[str, Any]) -> list[str]:
    return [part["text"] for part in message["parts"] if part["type"] == "text"]


@pytest.mark.parametrize("version", MAJORS)
async def test_prompts_are_sent_one_after_the_other(script: Script, url: str, version: str) -> None:
    script.go_on.set()
    steps = [{"prompt": "1+1?", "messageId": "u1"}, {"prompt": "Sure?"}]
    result = await chat(url, steps, version=version, chatId="chat-1", token="t")
    assert [message["role"] for message in result["messages"]] == ["user", "assistant"] * 2
    assert result["messages"][0]["id"] == "u1"
    assert result["messages"][1]["id"] == "m1"
    assert texts(result["messages"][1]) == ["It is 2."]
    assert (result["status"], result["errors"]) == ("ready", [])
    assert [response["stateKey"] for response in result["responses"]] == ["key-1", "key-1"]
    assert script.bodies[1]["id"] == "chat-1"
    assert len(script.bodies[1]["messages"]) == 3


@pytest.mark.parametrize("version", MAJORS)
async def test_leaving_closes_the_connection(script: Script, url: str, version: str) -> None:
    result = await chat(url, [{"prompt": "1+1?", "abortAfter": 4}], version=version)
    await asyncio.wait_for(script.left.wait(), 10)
    assert result["status"] == "ready"
    assert result["finishes"][0]["isAbort"]
    assert texts(result["messages"][-1]) != ["It is 2."]


@pytest.mark.parametrize("version", MAJORS)
async def test_asking_the_server_to_stop(script: Script, url: str, version: str) -> None:
    result = await chat(url, [{"prompt": "1+1?", "stopAfter": 3}], version=version)
    assert script.stopped.is_set()
    assert result["messages"][-1]["metadata"] == {"status": "stopped"}
    assert result["status"] == "ready"


@pytest.mark.parametrize("version", MAJORS)
async def test_resuming_a_running_turn_and_none(script: Script, url: str, version: str) -> None:
    script.go_on.set()
    resumed = await chat(url, [{"resume": True}], version=version, chatId="running")
    assert texts(resumed["messages"][0]) == ["It is 2."]
    nothing = await chat(url, [{"resume": True}], version=version, chatId="idle")
    assert (nothing["messages"], nothing["status"], nothing["errors"]) == ([], "ready", [])
    assert nothing["responses"][0]["status"] == 204
