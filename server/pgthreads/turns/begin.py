"""Begins a turn at once, or when the turns before it on the same thread have ended."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass

from nanoid import generate

from ..errors import PgThreadsError, TurnLostError, TurnRunningError, UnavailableError
from ..events import JsonText, UIMessage
from ..postgres.rows import BegunTurn
from ..postgres.threads import Threads
from .running import RunningTurns

log = logging.getLogger(__name__)

POLL_SECONDS = 0.2
"""How often a waiting message asks whether it may begin. The database forgets it after 5 s of
silence."""

TRIES = 2
"""How often to begin a turn whose lease runs out before the worker learns that it began."""

RELEASE_SECONDS = 60.0
"""How long to try to end a turn that nobody runs; after that, its lease runs out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatRequest:
    """What a client asks for when it sends a message.

    `replaces` is the id of the message that is edited, or whose answer is wanted again, and
    `regenerate` says whether it is the latter. `parent_id` is the message before the last user
    message on the page: "" if that is the first one, None if the client does not say. `on_stale` is
    what to do if the thread has gone on since then, and `on_busy` what to do while another turn
    runs; None leaves either to the `TurnPolicy`. With a `turn_id` the request can be sent again.
    `approvals` says whether the client's page can ask for approvals.
    """

    message: UIMessage | JsonText
    model: str | None = None
    replaces: str | None = None
    regenerate: bool = False
    on_busy: str | None = None
    parent_id: str | None = None
    on_stale: str | None = None
    turn_id: str | None = None
    approvals: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnPolicy:
    """What holds for every turn of a worker, unless a request asks for something else.

    `on_busy` and `on_stale` are those of `ChatRequest`. A message waits for `busy_timeout` seconds
    at most. `history_window` is how many messages the prompt is built from, and None is all of
    them. At most `max_turns` turns run at once; 0 is no limit.
    """

    on_busy: str = "reject"
    on_stale: str = "append"
    busy_timeout: float = 60.0
    history_window: int | None = None
    max_turns: int = 0


class Beginner:
    """Begins turns over the connections for requests.

    `turn_threads` has the connections that are kept for running turns; a turn that began for nobody
    is ended over them. `waiting` returns a context that is entered while a message waits.
    """

    def __init__(
        self,
        threads: Threads,
        turn_threads: Threads,
        running: RunningTurns,
        policy: TurnPolicy,
        waiting: Callable[[], AbstractContextManager[object]] = nullcontext,
    ) -> None:
        self._threads = threads
        self._turn_threads = turn_threads
        self._running = running
        self._policy = policy
        self._waiting = waiting

    async def begin(self, owner_user_id: str, state_key: str, chat: ChatRequest) -> BegunTurn:
        """Return what became of the message: its new turn, its running turn, or its answer.

        While another turn runs, `on_busy` decides. No connection is held while the message waits,
        and nothing of it is stored. Raises TurnRunningError, at once or after `busy_timeout`, and
        ShuttingDownError.
        """
        clock = asyncio.get_running_loop().time
        deadline = clock() + self._policy.busy_timeout
        attempt = _Attempt(owner_user_id, state_key, chat, chat.turn_id or generate())
        begun = await self._ask(attempt)
        if begun.outcome != "waiting":
            return begun
        with self._waiting():
            while begun.outcome == "waiting":
                self._running.require_open()
                left = deadline - clock()
                if left <= 0:
                    raise TurnRunningError(
                        "this thread stayed busy for too long",
                        hint="send the message again with the same id; it keeps its place for 5 s",
                    )
                await self._wait_for(attempt, begun.turn_id, min(POLL_SECONDS, left))
                begun = await self._ask(attempt)
            return begun

    async def _wait_for(self, attempt: _Attempt, turn_id: str | None, seconds: float) -> None:
        """Wait until the turn before this one may have ended, and interrupt it if that is asked."""
        before = self._running.get(attempt.owner_user_id, attempt.state_key)
        if before is None or before.key.turn_id != turn_id:
            await asyncio.sleep(seconds)
            return
        if self._on_busy(attempt.chat) == "interrupt":
            before.stop()
        await asyncio.wait((before.ended,), timeout=seconds)

    async def _ask(self, attempt: _Attempt) -> BegunTurn:
        for _ in range(TRIES):
            try:
                return await self._call(attempt)
            except TurnLostError as error:
                # The turn has ended without an answer: a connection broke and the lease ran out
                # before the second try came, or the client has sent the request again.
                attempt.turn_id, lost = generate(), error
        raise UnavailableError("the database is too slow for the lease of a turn") from lost

    async def _call(self, attempt: _Attempt) -> BegunTurn:
        chat = attempt.chat
        try:
            return await self._threads.begin_turn(
                attempt.owner_user_id,
                attempt.state_key,
                chat.message,
                attempt.turn_id,
                last=self._policy.history_window,
                replaces=chat.replaces,
                regenerate=chat.regenerate,
                busy=self._on_busy(chat),
                parent_id=chat.parent_id,
                stale=chat.on_stale or self._policy.on_stale,
            )
        except UnavailableError as error:
            if error.uncertain and not self._running.draining:
                release = self._release(attempt.owner_user_id, attempt.state_key, attempt.turn_id)
                self._running.beginning(release)
            raise

    def _on_busy(self, chat: ChatRequest) -> str:
        return chat.on_busy or self._policy.on_busy

    async def _release(self, owner_user_id: str, state_key: str, turn_id: str) -> None:
        """End a turn that may have begun although the worker never got the answer of the call.

        Nobody runs it. Otherwise a resend reports "running" until the lease expires.
        """
        clock = asyncio.get_running_loop().time
        until = clock() + RELEASE_SECONDS
        while clock() < until and not self._running.draining:
            try:
                await self._turn_threads.complete_turn(
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
                log.warning("turn %s began without anybody to run it, and was ended", turn_id)
                return


@dataclass(slots=True)
class _Attempt:
    """A message that is to get a turn. If the turn is lost, it gets another `turn_id`."""

    owner_user_id: str
    state_key: str
    chat: ChatRequest
    turn_id: str
