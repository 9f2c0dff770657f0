"""Everything that a server needs to begin, run, resume and stop turns, in any web framework."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AbstractContextManager, asynccontextmanager, nullcontext, suppress
from typing import Protocol

from ..errors import PgThreadsError, TurnRunningError, UnavailableError
from ..events import Executor, ExecutorRequest
from ..postgres.nesting import loads
from ..postgres.pieces import load_messages
from ..postgres.rows import BegunTurn, OpenAnswer, RespondedTurn, TurnKey
from ..postgres.threads import Threads
from .begin import POLL_SECONDS, RELEASE_SECONDS, Beginner, ChatRequest, TurnPolicy
from .changes import Changes
from .followed import FollowedTurns
from .lost import GRACE_BEATS, LostTurns
from .pump import Pump
from .respond import Continuation, Responder, Response, going_on, require_same_ends
from .running import RunningTurns
from .settle import Begin
from .spool import Spool
from .store import keep_recovering
from .ticker import Ticker
from .turn import Ending, LiveTurn, answered

log = logging.getLogger(__name__)

LOST_BEATS = 2 * GRACE_BEATS + 1
"""Heartbeats after which a reader does not wait any more for a lost turn to be ended."""

SPOOL_SECONDS = 5.0
"""How long the start waits for the answers of the spool to be stored."""


class TurnWatch(Protocol):
    """Is told of the turns of a worker, for its metrics."""

    def turn_started(self) -> None:
        """Count a turn that has begun to run."""

    def turn_ended(self, ending: Ending | None) -> None:
        """Count a turn that has ended; `ending` is None if it broke off."""

    def message_waits(self) -> AbstractContextManager[object]:
        """Return a context that is entered while a message waits for another turn to end."""


class NoWatch:
    """Counts nothing."""

    def turn_started(self) -> None:
        """Do nothing."""

    def turn_ended(self, _: Ending | None) -> None:
        """Do nothing."""

    def message_waits(self) -> AbstractContextManager[object]:
        """Return a context that does nothing."""
        return nullcontext()


class TurnRuntime:
    """The turns of one worker. It works while `lifespan` is entered.

    Each of the three `Threads` should have connections of its own. Those of `threads` are for
    requests. Those of `turn_threads` store answers, so that requests cannot use them up, and the
    one of `heartbeats` extends the leases, so that neither requests nor answers can use it up.

    `heartbeat` is how many seconds pass between two extensions of a lease, and `journal_interval`
    between two pieces of the journal. With 0 there is no journal, and then turns of other workers
    cannot be followed. With a `spool`, answers that the database does not take survive the process.
    """

    def __init__(
        self,
        executor: Executor,
        *,
        threads: Threads,
        turn_threads: Threads,
        heartbeats: Threads,
        policy: TurnPolicy,
        heartbeat: float,
        journal_interval: float,
        spool: Spool | None = None,
        watch: TurnWatch | None = None,
    ) -> None:
        watch = watch or NoWatch()
        self.running = RunningTurns(watch.turn_started, watch.turn_ended)
        self.changes = Changes(threads)
        self._followed = FollowedTurns(
            threads, interval=journal_interval, patience=LOST_BEATS * heartbeat
        )
        self._lost = LostTurns(
            threads, lambda: self.changes.owners | self._followed.owners, heartbeat=heartbeat
        )
        self._ticker = Ticker(heartbeats, heartbeat=heartbeat, interval=journal_interval)
        self._beginner = Beginner(threads, turn_threads, self.running, policy, watch.message_waits)
        self._responder = Responder(threads, window=policy.history_window)
        self._executor = executor
        self._threads = threads
        self._turn_threads = turn_threads
        self._policy = policy
        self._spool = spool

    @property
    def draining(self) -> bool:
        """Whether this worker no longer takes new turns."""
        return self.running.draining

    @asynccontextmanager
    async def lifespan(self) -> AsyncIterator[None]:
        """Extend leases, write and read the journal, and store what is in the spool.

        Answers that earlier processes left are stored before this is entered, if that does not take
        longer than `SPOOL_SECONDS`. Call `drain` before this is left.
        """
        runners = (self._ticker, self._followed, self.changes, self._lost)
        tasks = [asyncio.create_task(each.run()) for each in runners]
        try:
            async with self._recovering():
                yield
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)

    async def drain(self, seconds: float) -> None:
        """Take no new turns, and let the running ones end; see `RunningTurns.drain`."""
        self.changes.close()
        await self.running.drain(seconds)
        self._followed.close()

    async def begin(self, owner_user_id: str, state_key: str, chat: ChatRequest) -> LiveTurn:
        """Return the turn that answers a message: a new one, a running one or one that has ended.

        A caller that is cancelled does not interrupt the beginning, so nothing comes between the
        commit of `begin_turn` and the start of the pump. Raises BusyError, ShuttingDownError,
        TurnRunningError and what `begin_turn` refuses.
        """
        self.running.require_room(owner_user_id, state_key, self._policy.max_turns)
        begin = self._begin(owner_user_id, state_key, chat)
        return await asyncio.shield(self.running.beginning(begin))

    async def respond(self, owner_user_id: str, state_key: str, asked: Continuation) -> LiveTurn:
        """Return the turn that goes on with an answer that has waited; see `begin`.

        While other calls of it still wait, or if it is complete, the stream has what the client's
        page lacks of it. Raises NotWaitingError, BusyError, ShuttingDownError and what
        `respond_turn` refuses.
        """
        self.running.require_room(owner_user_id, state_key, self._policy.max_turns)
        respond = self._respond(owner_user_id, state_key, asked)
        return await asyncio.shield(self.running.beginning(respond))

    async def resume(self, owner_user_id: str, state_key: str) -> LiveTurn | None:
        """Return the turn that runs on a thread, in whichever worker, or None."""
        pump = self.running.get(owner_user_id, state_key)
        return pump or await self._followed.find(owner_user_id, state_key)

    async def stop(self, owner_user_id: str, state_key: str) -> str | None:
        """Ask the turn of a thread to stop, in whichever worker it runs.

        Returns its id; None if nothing runs.
        """
        turn_id = await self._threads.request_stop(owner_user_id, state_key)
        pump = self.running.get(owner_user_id, state_key)
        if pump is not None and pump.key.turn_id == turn_id:
            pump.stop()
        return turn_id

    async def _begin(self, owner_user_id: str, state_key: str, chat: ChatRequest) -> LiveTurn:
        begun = await self._beginner.begin(owner_user_id, state_key, chat)
        if begun.answer is not None:
            key = TurnKey(owner_user_id, state_key, begun.turn_id or "")
            return answered(key, begun.answer, approvals=chat.approvals)
        if begun.outcome == "running":
            key = TurnKey(owner_user_id, state_key, begun.turn_id or "")
            # The client does not show what the turn goes on with, if it goes on with anything.
            return self._running_here(key) or await self._follow(key)
        return await self._start(owner_user_id, state_key, chat, begun)

    def _running_here(self, key: TurnKey) -> Pump | None:
        pump = self.running.get(key.owner_user_id, key.state_key)
        return pump if pump is not None and pump.key == key else None

    async def _follow(self, key: TurnKey, waiting: OpenAnswer | None = None) -> LiveTurn:
        """Return a turn that another worker runs.

        `waiting` is what waited a moment ago, for a turn that goes on with it and has just ended.
        """
        if not key.turn_id or not self._followed.enabled:
            raise TurnRunningError(
                "this message is being answered by another worker",
                hint="wait, then load the thread",
            )
        begun = await self._followed.begun_of(key)
        if begun is None and waiting is not None:
            begun = loads(waiting.message)
        return self._followed.turn(key, begun)

    async def _respond(self, owner_user_id: str, state_key: str, asked: Continuation) -> LiveTurn:
        response, waiting = await self._responder.read(owner_user_id, state_key, asked)
        try:
            responded = await self._responder.give(response)
        except UnavailableError as error:
            if error.uncertain and not self.running.draining:
                self.running.beginning(self._respond_again(response, asked))
            raise
        if responded.outcome == "started":
            return await self._go_on(response, responded, asked)
        key = TurnKey(owner_user_id, state_key, responded.turn_id or "")
        if responded.outcome == "running":
            return self._running_here(key) or await self._follow(key, waiting)
        answer = responded.answer or b"null"
        if responded.outcome == "answered":
            require_same_ends(loads(answer), asked)
        return answered(key, answer, asked.shown)

    async def _respond_again(self, response: Response, asked: Continuation) -> None:
        """Go on with an answer whose turn may have begun although the worker did not get to know.

        The client has sent its responses, and has perhaps left. Nobody else would run the turn, and
        what was approved would not happen.
        """
        clock = asyncio.get_running_loop().time
        until = clock() + RELEASE_SECONDS
        while clock() < until and not self.running.draining:
            try:
                responded = await self._responder.give(response)
            except UnavailableError:
                await asyncio.sleep(POLL_SECONDS)
            except PgThreadsError as error:
                log.warning("the responses to %s are not taken: %s", response.message_id, error)
                return
            else:
                if responded.outcome == "started":
                    await self._go_on(response, responded, asked)
                return

    async def _go_on(
        self, response: Response, responded: RespondedTurn, asked: Continuation
    ) -> LiveTurn:
        """Start the pump of a turn that goes on with an answer."""
        request = await going_on(response, responded, asked)
        pump = Pump(
            self._turn_threads,
            self._executor,
            request,
            max_message_bytes=responded.max_message_bytes or 0,
            ticker=self._ticker,
            spool=self._spool,
            begin=Begin(
                message=request.messages[-1],
                replaces=None,
                regenerate=False,
                message_count=responded.message_count,
            ),
            approvals=asked.approvals,
        )
        self.running.add(pump)
        return pump

    async def _start(
        self, owner_user_id: str, state_key: str, chat: ChatRequest, begun: BegunTurn
    ) -> LiveTurn:
        """Start the pump of a turn that has begun."""
        if begun.history is None or begun.turn_id is None or begun.max_message_bytes is None:
            raise PgThreadsError("begin_turn returned no history")
        messages = await load_messages(begun.history)
        pump = Pump(
            self._turn_threads,
            self._executor,
            ExecutorRequest(
                messages=messages,
                owner_user_id=owner_user_id,
                state_key=state_key,
                turn_id=begun.turn_id,
                model=chat.model,
            ),
            max_message_bytes=begun.max_message_bytes,
            ticker=self._ticker,
            spool=self._spool,
            begin=Begin(
                message=chat.message,
                replaces=chat.replaces,
                regenerate=chat.regenerate,
                message_count=begun.message_count,
                parent_id=chat.parent_id,
                stale=chat.on_stale or self._policy.on_stale,
            ),
            approvals=chat.approvals,
        )
        self.running.add(pump)
        return pump

    @asynccontextmanager
    async def _recovering(self) -> AsyncIterator[None]:
        if self._spool is None:
            yield
            return
        first = asyncio.Event()
        task = asyncio.create_task(keep_recovering(self._turn_threads, self._spool, first))
        with suppress(TimeoutError):
            await asyncio.wait_for(first.wait(), SPOOL_SECONDS)
        try:
            yield
        finally:
            task.cancel()
            await asyncio.wait((task,), timeout=SPOOL_SECONDS)
