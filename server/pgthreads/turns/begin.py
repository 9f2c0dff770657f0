"""Begins a turn at once, or when those before it on the same thread have ended."""

from __future__ import annotations

import asyncio
import logging

from aiohttp import web
from nanoid import generate

from ..errors import PgThreadsError, TurnLostError, TurnRunningError, UnavailableError
from ..http.app_keys import METRICS, PUMPS, SETTINGS, THREADS, TURNS
from ..http.bodies import ChatRequest
from ..postgres.rows import BegunTurn

log = logging.getLogger(__name__)

POLL_SECONDS = 0.2
"""How often a message that waits asks for its turn; the database forgets it after 5 s without."""

TRIES = 2
"""How often a turn is begun whose lease ends before that is known."""

RELEASE_SECONDS = 60.0
"""How long a turn that began for nobody is tried to be ended; then its lease does it."""


async def begin_turn(
    app: web.Application, owner_user_id: str, state_key: str, chat: ChatRequest
) -> BegunTurn:
    """Return what became of the message: a turn that is the caller's, or its turn or answer.

    While another turn runs, `on_busy` decides. No connection is held while the message waits, and
    nothing of it is stored. Raises TurnRunningError, at once or after `busy_timeout`, and
    ShuttingDownError.
    """
    settings, pumps = app[SETTINGS], app[PUMPS]
    busy = chat.on_busy or settings.on_busy
    deadline = asyncio.get_running_loop().time() + settings.busy_timeout

    turn_id = chat.turn_id or generate()

    async def ask() -> BegunTurn:
        nonlocal turn_id
        for _ in range(TRIES):
            try:
                return await ask_for(turn_id)
            except TurnLostError as error:
                # The turn has ended without an answer: a connection broke, and it lost its lease
                # before the second try came; or the client has sent the request again.
                turn_id, lost = generate(), error
        raise UnavailableError("the database is too slow for the lease of a turn") from lost

    async def ask_for(turn_id: str) -> BegunTurn:
        try:
            return await app[THREADS].begin_turn(
                owner_user_id,
                state_key,
                chat.message,
                turn_id,
                last=settings.history_window,
                replaces=chat.replaces,
                regenerate=chat.regenerate,
                busy=busy,
                parent_id=chat.parent_id,
                stale=chat.on_stale or settings.on_stale,
            )
        except UnavailableError as error:
            if error.uncertain and not pumps.draining:
                pumps.beginning(_release(app, owner_user_id, state_key, turn_id))
            raise

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


async def _release(app: web.Application, owner_user_id: str, state_key: str, turn_id: str) -> None:
    """End a turn that may have begun by a call whose answer got lost: nobody runs it.

    Else its message, sent again, would be told for the time of a lease that its turn runs.
    """
    clock = asyncio.get_running_loop().time
    until = clock() + RELEASE_SECONDS
    while clock() < until and not app[PUMPS].draining:
        try:
            await app[TURNS].complete_turn(
                owner_user_id,
                state_key,
                turn_id,
                status="failed",
                usage={},
                error_code="begin_lost",
                message=None,
            )
        except UnavailableError:
            await asyncio.sleep(POLL_SECONDS)
        except PgThreadsError:
            # It never began.
            return
        else:
            log.warning("turn %s began for nobody, and is ended", turn_id)
            return
