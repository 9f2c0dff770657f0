"""The chat routes: post a message and stream the answer, resume or stop a turn, list the models."""

from __future__ import annotations

import asyncio
import re
from contextlib import aclosing
from functools import partial

from aiohttp import web
from msgspec import Raw

from ..errors import BadRequestError, ExecutorError
from ..turns.begin import ChatRequest
from ..turns.respond import Continuation
from ..turns.turn import Ending, LiveTurn
from .app_keys import LIMITS, METRICS, OWNER, RUNTIME, SETTINGS, STATE_KEY
from .bodies import is_given, read_object
from .chat_body import ChatBody, chat_request, continuation, state_key_of
from .sending import Sender
from .state_keys import require_state_key

SSE_HEADERS = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-cache",
    "Connection": "keep-alive",
    "X-Vercel-AI-UI-Message-Stream": "v1",
    "X-Accel-Buffering": "no",
}
"""The headers that the AI SDK's own `createUIMessageStreamResponse` sends."""

_OLD_SDK = re.compile(r"\bai-sdk/5\.")
"""Some releases of AI SDK 5 name themselves in `User-Agent`. They have no chunk for approvals."""

KEEP_ALIVE = b": keep-alive\n\n"


async def post_chat(request: web.Request) -> web.StreamResponse:
    """Answer the last user message of the body: as a stream, or as one JSON message."""
    with request.app[LIMITS].stream(request[OWNER]):
        return await _answer(request)


async def _answer(request: web.Request) -> web.StreamResponse:
    asked = await read_object(request, ChatBody, partial(_asked, request))
    _require_offered(request, asked.model)
    runtime = request.app[RUNTIME]
    thread = (request[OWNER], request[STATE_KEY])
    if isinstance(asked, ChatRequest):
        turn = await runtime.begin(*thread, asked)
        before = turn.before
    else:
        # The page shows what the turn goes on with.
        turn, before = await runtime.respond(*thread, asked), b""
    with turn.reading():
        if _wants_json(request):
            return _response(await asyncio.shield(turn.ended))
        return await _stream(request, turn, before)


def _asked(request: web.Request, body: ChatBody) -> ChatRequest | Continuation:
    """Return what is asked for: the answer to a message, or to go on with an answer."""
    may_ask = is_given(body.approvals) or request.app[SETTINGS].approvals
    if not may_ask or _OLD_SDK.search(request.headers.get("User-Agent", "")):
        body.approvals = Raw(b"false")
    key = state_key_of(body)
    if key is not None:
        require_state_key(key)
        request[STATE_KEY] = key
    return continuation(body) or chat_request(body)


def _require_offered(request: web.Request, model: str | None) -> None:
    """Raise BadRequestError for a model that is not among those of `--models`, if it is set."""
    settings = request.app[SETTINGS]
    if model is None or not settings.models or model in settings.offered_models:
        return
    raise BadRequestError(
        "this model is not offered here",
        detail=model,
        hint=f"choose one of {', '.join(settings.offered_models)}",
    )


async def get_models(request: web.Request) -> web.Response:
    """Return the models that a request may ask for, for a page that lets people choose."""
    settings = request.app[SETTINGS]
    return web.json_response({"models": settings.offered_models, "default": settings.model})


async def get_stream(request: web.Request) -> web.StreamResponse:
    """Stream a running turn from its start, in whichever worker it runs; 204 if none runs."""
    with request.app[LIMITS].stream(request[OWNER]):
        return await _resume(request)


async def _resume(request: web.Request) -> web.StreamResponse:
    key = require_state_key(request.match_info["state_key"])
    turn = await request.app[RUNTIME].resume(request[OWNER], key)
    if turn is None:
        return web.Response(status=204)
    with turn.reading():
        return await _stream(request, turn, turn.before)


async def post_stop(request: web.Request) -> web.Response:
    """Ask the running turn to stop, in whichever worker it runs; 404 if none runs."""
    key = request.match_info["state_key"]
    if await request.app[RUNTIME].stop(request[OWNER], key) is None:
        return web.json_response(
            {"error": "no turn is running", "code": "no_turn", "hint": ""}, status=404
        )
    return web.json_response({"stateKey": key, "stopping": True}, status=202)


async def _stream(request: web.Request, turn: LiveTurn, before: bytes) -> web.StreamResponse:
    """Send the stream of a turn, and `before` in front of it."""
    response = web.StreamResponse(headers=SSE_HEADERS)
    response.headers["X-State-Key"] = turn.key.state_key
    readers = request.app[METRICS].readers
    readers.inc()
    try:
        async with Sender(request, response) as sender:
            if before:
                await sender.write(before)
            async with aclosing(turn.stream.read(request.app[SETTINGS].heartbeat)) as pieces:
                async for piece in pieces:
                    await sender.write(piece or KEEP_ALIVE)
            await sender.end()
    except ConnectionError:
        # The client has left or was cut off. The pump goes on.
        pass
    finally:
        readers.dec()
    return response


def _response(ending: Ending) -> web.Response:
    """Return the answer of a turn as one JSON message; 204 if there is no answer.

    Raises ExecutorError.
    """
    answer = ending.answer()
    if ending.failure is not None:
        raise ExecutorError(
            f"the answer failed: {ending.failure}",
            hint="the part of it that exists is in the thread" if answer else "",
        )
    if answer is None:
        return web.Response(status=204)
    return web.Response(body=answer, content_type="application/json")


def _wants_json(request: web.Request) -> bool:
    """Whether the client asks for JSON and not for a stream (RFC 9110, 12.5.1, without weights)."""
    accepted = [
        each.partition(";")[0].strip().lower()
        for each in ",".join(request.headers.getall("Accept", [])).split(",")
    ]
    return "application/json" in accepted and "text/event-stream" not in accepted
