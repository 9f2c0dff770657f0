"""The chat routes: post a message and stream its answer, resume a running turn, stop it."""

from __future__ import annotations

import asyncio
import json
from contextlib import aclosing

from aiohttp import web

from ..errors import ExecutorError, PgThreadsError, TurnRunningError
from ..events import ExecutorRequest
from ..message.wire import nothing_to_add, replay
from ..postgres.nesting import loads
from ..postgres.rows import TurnKey
from ..turns.begin import begin_turn
from ..turns.pump import Outcome, Pump
from ..turns.settle import Begin
from ..turns.stream import TurnLog
from .app_keys import (
    EXECUTOR,
    FOLLOWERS,
    LIMITS,
    METRICS,
    OWNER,
    PUMPS,
    SETTINGS,
    SPOOL,
    STATE_KEY,
    THREADS,
    TICKER,
    TURNS,
)
from .bodies import (
    ChatRequest,
    chat_request,
    continued_answer,
    read_object,
    state_key_of,
    without_gc,
)
from .sending import Sender
from .state_keys import require_state_key

SSE_HEADERS = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-cache",
    "Connection": "keep-alive",
    "X-Vercel-AI-UI-Message-Stream": "v1",
    "X-Accel-Buffering": "no",
}
"""What the AI SDK's own `createUIMessageStreamResponse` sends."""

KEEP_ALIVE = b": keep-alive\n\n"


async def post_chat(request: web.Request) -> web.StreamResponse:
    """Answer the last user message of the body: as a stream, or as one JSON message."""
    with request.app[LIMITS].stream(request[OWNER]):
        return await _answer(request)


async def _answer(request: web.Request) -> web.StreamResponse:
    body = await read_object(request)
    key = state_key_of(body)
    if key is not None:
        require_state_key(key)
        request[STATE_KEY] = key
    continued = continued_answer(body)
    if continued is not None:
        # No call waits for what the client could send, so there is nothing to continue with.
        if _wants_json(request):
            return web.Response(status=204)
        return web.Response(body=nothing_to_add(continued), headers=SSE_HEADERS)
    request.app[PUMPS].require_room(
        request[OWNER], request[STATE_KEY], request.app[SETTINGS].max_turns
    )
    # A task of its own: a client that leaves must not cancel anything between the commit of
    # begin_turn and the start of the pump.
    turn = _begin(request, request[STATE_KEY], chat_request(body))
    answer = await asyncio.shield(request.app[PUMPS].beginning(turn))
    wants_json = _wants_json(request)
    if isinstance(answer, bytes):
        return _json(answer) if wants_json else _replayed(answer)
    if isinstance(answer, TurnKey):
        return await _follow(request, answer, wants_json=wants_json)
    pump, task = answer
    if wants_json:
        return _outcome(await asyncio.shield(task))
    return await _stream(request, pump.log, pump.key)


async def get_stream(request: web.Request) -> web.StreamResponse:
    """Stream a running turn from its start, on whichever server it runs; 204 if nothing runs."""
    with request.app[LIMITS].stream(request[OWNER]):
        return await _resume(request)


async def _resume(request: web.Request) -> web.StreamResponse:
    key = require_state_key(request.match_info["state_key"])
    running = request.app[PUMPS].get(request[OWNER], key)
    if running is not None:
        return await _stream(request, running[0].log, running[0].key)
    turn = await request.app[FOLLOWERS].find(request[OWNER], key)
    if turn is None:
        return web.Response(status=204)
    return await _follow(request, turn)


async def post_stop(request: web.Request) -> web.Response:
    """Ask the running turn to stop, on whichever server it runs."""
    key, owner = request.match_info["state_key"], request[OWNER]
    turn_id = await request.app[THREADS].request_stop(owner, key)
    if turn_id is None:
        return web.json_response(
            {"error": "no turn is running", "code": "no_turn", "hint": ""}, status=404
        )
    running = request.app[PUMPS].get(owner, key)
    if running is not None and running[0].request.turn_id == turn_id:
        running[0].stop()
    return web.json_response({"stateKey": key, "stopping": True}, status=202)


async def _begin(
    request: web.Request, state_key: str, chat: ChatRequest
) -> bytes | TurnKey | tuple[Pump, asyncio.Task[Outcome]]:
    """Begin a turn and start its pump, or find what answers this message already.

    Returns the running pump, the turn of another server, or the stored answer as JSON.
    """
    app, owner = request.app, request[OWNER]
    turns, pumps = app[TURNS], app[PUMPS]
    begun = await begin_turn(app, owner, state_key, chat)
    if begun.answer is not None:
        return begun.answer
    running = pumps.get(owner, state_key)
    if begun.outcome == "running":
        if running is not None and running[0].request.turn_id == begun.turn_id:
            return running
        if begun.turn_id is None or not app[FOLLOWERS].enabled:
            raise TurnRunningError(
                "this message is being answered by another server",
                hint="wait, then load the thread",
            )
        return TurnKey(owner, state_key, begun.turn_id)
    if begun.history is None or begun.turn_id is None or begun.max_message_bytes is None:
        raise PgThreadsError("begin_turn returned no history")
    with without_gc():
        messages = loads(begun.history)
    pump = Pump(
        turns,
        app[EXECUTOR],
        ExecutorRequest(
            messages=messages,
            owner_user_id=owner,
            state_key=state_key,
            turn_id=begun.turn_id,
            model=chat.model,
        ),
        max_message_bytes=begun.max_message_bytes,
        ticker=app[TICKER],
        spool=app.get(SPOOL),
        begin=Begin(
            message=chat.message,
            replaces=chat.replaces,
            regenerate=chat.regenerate,
            message_count=begun.message_count,
            parent_id=chat.parent_id,
            stale=chat.on_stale or app[SETTINGS].on_stale,
        ),
    )
    return pump, pumps.start(pump)


async def _follow(
    request: web.Request, key: TurnKey, *, wants_json: bool = False
) -> web.StreamResponse:
    """Answer from a turn that another server runs."""
    async with request.app[FOLLOWERS].follow(key) as turn:
        if not wants_json:
            return await _stream(request, turn.log, key)
        ending = await asyncio.shield(turn.ended)
    if ending.status in ("failed", "abandoned"):
        raise ExecutorError(
            f"the answer failed: {ending.error_code or ending.status}",
            hint="what there is of it is in the thread" if ending.answer else "",
        )
    return _json(ending.answer) if ending.answer else web.Response(status=204)


async def _stream(request: web.Request, log: TurnLog, key: TurnKey) -> web.StreamResponse:
    response = web.StreamResponse(headers=SSE_HEADERS)
    response.headers["X-State-Key"] = key.state_key
    readers = request.app[METRICS].readers
    readers.inc()
    try:
        async with Sender(request, response) as sender:
            async with aclosing(log.read(request.app[SETTINGS].heartbeat)) as pieces:
                async for piece in pieces:
                    await sender.write(piece or KEEP_ALIVE)
            await sender.end()
    except ConnectionError:
        # The client left, or was cut off, perhaps in a write. The pump goes on.
        pass
    finally:
        readers.dec()
    return response


def _replayed(answer: bytes) -> web.Response:
    return web.Response(body=replay(loads(answer)), headers=SSE_HEADERS)


def _outcome(outcome: Outcome) -> web.Response:
    if outcome.error is not None:
        raise ExecutorError(
            f"the answer failed: {outcome.error}",
            hint="what there is of it is in the thread" if outcome.message else "",
        )
    if outcome.message is None:
        return web.Response(status=204)
    return _json(json.dumps(outcome.message, ensure_ascii=False).encode())


def _json(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="application/json")


def _wants_json(request: web.Request) -> bool:
    """Whether the client asks for JSON and not for a stream (RFC 9110, 12.5.1, without weights)."""
    accepted = [
        each.partition(";")[0].strip().lower()
        for each in ",".join(request.headers.getall("Accept", [])).split(",")
    ]
    return "application/json" in accepted and "text/event-stream" not in accepted
