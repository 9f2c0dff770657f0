"""The route that tells a client which of its threads change, as Server-Sent Events.

Every event has the cursor as its `id`, so a client that comes back with `Last-Event-ID` is told
what it has missed, by any worker.
"""

from __future__ import annotations

import asyncio
import json
import random
import re
from contextlib import aclosing
from datetime import datetime

from aiohttp import web

from ..postgres.rows import ThreadChange
from ..turns.changes import READY, Listener
from .app_keys import LIMITS, METRICS, OWNER, RUNTIME, STATE_KEY
from .sending import Sender

KEEP_ALIVE_SECONDS = 15.0

STREAM_SECONDS = 900.0
"""After this time, or somewhat less, a stream ends, and its client comes back.

Then its token is checked again, and clients spread over the workers.
"""

_CURSOR = re.compile(r"[0-9.]{1,100}")

_HEADERS = {
    "Content-Type": "text/event-stream",
    "Cache-Control": "no-cache",
    "Connection": "keep-alive",
    "X-Accel-Buffering": "no",
}


async def get_events(request: web.Request) -> web.StreamResponse:
    """Tell the caller of changes since `Last-Event-ID`, or from now on, until the client leaves."""
    runtime = request.app[RUNTIME]
    runtime.running.require_open()
    with (
        request.app[LIMITS].stream(request[OWNER]),
        request.app[METRICS].listeners.track_inprogress(),
        runtime.changes.listening(request[OWNER], _known_cursor(request)) as listener,
    ):
        return await _stream(request, listener)


def _known_cursor(request: web.Request) -> str | None:
    """Return the client's cursor; one that cannot be right is "", of which the database says so."""
    known = request.headers.get("Last-Event-ID")
    if not known:
        return None
    return known if _CURSOR.fullmatch(known) else ""


async def _stream(request: web.Request, listener: Listener) -> web.StreamResponse:
    response = web.StreamResponse(headers=_HEADERS)
    response.headers["X-State-Key"] = request[STATE_KEY]
    time = asyncio.get_running_loop().time
    until = time() + STREAM_SECONDS * random.uniform(0.75, 1)  # noqa: S311
    try:
        async with Sender(request, response) as sender:
            async with aclosing(listener.read(KEEP_ALIVE_SECONDS)) as news:
                async for changes in news:
                    cursor = listener.cursor
                    frames = b"".join(_frame(each, cursor) for each in changes)
                    # Without data it is no event, but the client takes note of the id.
                    await sender.write(frames or f": keep-alive\nid: {cursor or ''}\n\n".encode())
                    if time() >= until or request.method == "HEAD":
                        break
            await sender.end()
    except ConnectionError:
        # The client has left or was cut off.
        pass
    return response


def _frame(change: ThreadChange, cursor: str | None) -> bytes:
    data: dict[str, object]
    if change.state_key is None:
        name, data = ("ready" if change is READY else "reload"), {}
    elif change.deleted:
        name, data = "deleted", {"stateKey": change.state_key}
    else:
        name = "thread"
        data = {
            "stateKey": change.state_key,
            "title": change.title,
            "createdAt": _time(change.created_at),
            "updatedAt": _time(change.updated_at),
            "messageCount": change.message_count,
            "archived": change.archived_at is not None,
            "running": change.running,
            "waiting": change.waiting,
            "turnId": change.turn_id,
        }
    return f"id: {cursor}\nevent: {name}\ndata: {json.dumps(data)}\n\n".encode()


def _time(time: datetime | None) -> str | None:
    return None if time is None else time.isoformat()
