"""Begins a turn at once, or when those before it on the same thread have ended."""

from __future__ import annotations

import asyncio

from aiohttp import web

from .bodies import ChatRequest
from .errors import TurnRunningError
from .keys import METRICS, PUMPS, SETTINGS, THREADS
from .rows import BegunTurn

POLL_SECONDS = 0.2
"""How often a message that waits asks for its turn; the database forgets it after 5 s without."""


async def begin_turn(
    app: web.Application, owner_user_id: str, state_key: str, chat: ChatRequest, turn_id: str
) -> BegunTurn:
    """Return what became of the message: a turn that is the caller's, or its turn or answer.

    While another turn runs, `on_busy` decides. No connection is held while the message waits, and
    nothing of it is stored. Raises TurnRunningError, at once or after `busy_timeout`, and
    ShuttingDownError.
    """
    settings, pumps = app[SETTINGS], app[PUMPS]
    busy = chat.on_busy or settings.on_busy
    deadline = asyncio.get_running_loop().time() + settings.busy_timeout

    async def ask() -> BegunTurn:
        return await app[THREADS].begin_turn(
            owner_user_id,
            state_key,
            chat.message,
            turn_id,
            last=settings.history_window,
            replaces=chat.replaces,
            regenerate=chat.regenerate,
            busy=busy,
        )

    begun = await ask()
    if begun.outcome != "waiting":
        return begun
    with app[METRICS].waiting.track_inprogress():
        while begun.outcome == "waiting":
            pumps.require_open()
            left = deadline - asyncio.get_running_loop().time()
            if left <= 0:
                raise TurnRunningError(
                    "this thread stayed busy for too long",
                    hint="send the message again with the same id; it keeps its place for 5 s",
                )
            running = pumps.get(owner_user_id, state_key)
            if running is None or running[0].request.turn_id != begun.turn_id:
                await asyncio.sleep(min(POLL_SECONDS, left))
            else:
                if busy == "interrupt":
                    running[0].stop()
                await asyncio.wait((running[1],), timeout=min(POLL_SECONDS, left))
            begun = await ask()
        return begun
