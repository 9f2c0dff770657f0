"""The pump: drives an executor to its end, whoever is listening, and stores the answer.

Between `begin_turn` and the commit of the answer, only this task holds what was generated. So
whatever happens, it ends with `_store`. Clients are told of success after the commit, never before.
"""

from __future__ import annotations

import asyncio
import json
import logging
from collections.abc import AsyncGenerator
from dataclasses import replace

from nanoid import generate

from ..events import (
    AiEvent,
    AssistantFinal,
    Boundary,
    Done,
    Error,
    Executor,
    ExecutorRequest,
    FileOutput,
    JsonValue,
    ReasoningDelta,
    TextDelta,
    ToolApprovalRequest,
    ToolCallResult,
    ToolCallStart,
)
from ..message.draft import Draft, EndStatus, error_text
from ..message.files import file_of
from ..message.outputs import MOST_LISTS, fitting, json_size, list_count
from ..message.sanitize import Cleaner
from ..message.sizes import CALL_SIZE, Sizes, is_preview, kept_of
from ..message.wire import UNASKED, error_frames, finish_frames
from ..postgres.rows import JournalPiece, TurnKey
from ..postgres.threads import Threads
from .settle import Answer, Begin, Status
from .spool import Spool
from .store import store
from .ticker import Ticker
from .turn import Ending, LiveTurn

log = logging.getLogger(__name__)

EXECUTOR_GRACE = 5.0
"""Seconds that a stopped executor gets to clean up before the turn is stored without it."""

UNASKED_TEXT = "This page cannot ask for approvals, so these tools were not run: {}."
"""What the answer says of such calls in the end."""

ROOM_FOR_METADATA = 4096
"""Bytes of a message's limit that its parts have to leave free."""

ROOM_FOR_TEXT = 1 / 16
"""The share of a message that the arguments and outputs of tools have to leave free for text."""


class Pump(LiveTurn):
    """A turn that runs in this worker.

    It runs from its construction on, as a task of its own: a client that leaves does not cancel it.
    Without `approvals`, the client's page cannot ask for any: a call that needs one fails.
    """

    def __init__(
        self,
        threads: Threads,
        executor: Executor,
        request: ExecutorRequest,
        *,
        max_message_bytes: int,
        ticker: Ticker,
        spool: Spool | None = None,
        begin: Begin | None = None,
        approvals: bool = True,
    ) -> None:
        self.request = request
        super().__init__(
            TurnKey(request.owner_user_id, request.state_key, request.turn_id),
            asyncio.create_task(self._run(), name=f"turn {request.turn_id}"),
            request.answer,
        )
        self._threads = threads
        self._executor = executor
        self._ticker = ticker
        self._spool = spool
        self._begin = begin
        self._approvals = approvals
        self._unasked: list[str] = []
        begun = request.answer
        self._draft = Draft(generate()) if begun is None else Draft(begun["id"], begun)
        self._limit = max_message_bytes - ROOM_FOR_METADATA
        self._size = 0
        self._lists = 0
        self._is_measured = False
        self._sizes = Sizes()
        self._stop = asyncio.Event()
        self._stop_code: str | None = None
        self._give_up = asyncio.Event()
        if begun is not None:
            self._measure()
        self.stream.write(self._draft.opening)

    def stop(self, code: str | None = None) -> None:
        """End the generation. What exists of the answer is stored, as `stopped`."""
        if not self._stop.is_set():
            self._stop_code = code
            self._stop.set()

    def give_up(self) -> None:
        """Stop trying to store the answer, because the process must exit; the spool keeps it."""
        self._give_up.set()

    async def _run(self) -> Ending:
        """Generate the answer, store it, and send its end to the readers."""
        self._ticker.add(self)
        try:
            ended, code = await self._generate()
            status = self._close(ended)
            if self._draft.corrected:
                log.warning(
                    "turn %s: the final text contradicts what was streamed, and is stored after it",
                    self.request.turn_id,
                )
            failed = status == "failed"
            end = (
                error_frames(f"The answer failed: {code}.")
                if failed
                else finish_frames(self._draft.finish_reason or "stop")
            )
            refusal = await self._store(status, code, await self._ticker.last_piece(self, end))
            self._ticker.remove(self)
            if refusal is not None:
                self.stream.write(error_frames("The answer could not be stored."))
                return Ending(status="failed", code=refusal, lost=not self._draft.is_empty)
            self.stream.write(end)
            message = None if self._draft.is_empty else self._draft.message()
            return Ending(
                status=status,
                code=code,
                message=message,
                corrected=self._draft.corrected,
            )
        finally:
            self._ticker.remove(self)
            self.stream.close()

    def _close(self, ended: EndStatus) -> Status:
        """End the message, and return how the turn has ended."""
        if ended == "completed" and self._draft.finish_reason is None:
            # The executor has just returned.
            self._take(Done())
        is_wanted = not self._stop.is_set() or self._stop_code is not None
        if ended == "completed" and self._draft.waits:
            if is_wanted:
                self.stream.write(self._draft.pause())
                return "waiting"
            ended = "stopped"
        self.stream.write(self._draft.close(ended))
        return ended

    async def _generate(self) -> tuple[EndStatus, str | None]:
        """Return how the generation ended, and the code of a failure or a stop."""
        consumer = asyncio.create_task(self._consume())
        stopper = asyncio.create_task(self._stop.wait())
        try:
            await asyncio.wait((consumer, stopper), return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopper.cancel()
            if not consumer.done():
                consumer.cancel()
                await asyncio.wait((consumer,), timeout=EXECUTOR_GRACE)
        if not consumer.done():
            log.error("turn %s: the executor has not stopped in time", self.request.turn_id)
            return "stopped", self._stop_code
        if consumer.cancelled():
            return "stopped", self._stop_code
        failure = consumer.exception()
        if failure is not None:
            log.error("turn %s: the executor failed", self.request.turn_id, exc_info=failure)
            return "failed", "executor_failed"
        if self._draft.error_code is not None:
            return "failed", self._draft.error_code
        if self._stop.is_set() and self._draft.finish_reason is None:
            return "stopped", self._stop_code
        return "completed", None

    async def _consume(self) -> None:
        clean = Cleaner()
        events = self._executor(self.request)
        try:
            async for event in events:
                self._take(clean(event))
                if self._stop.is_set() or isinstance(event, Done | Error):
                    return
        finally:
            if isinstance(events, AsyncGenerator):
                await events.aclose()

    def _take(self, event: AiEvent) -> None:
        if not isinstance(event, TextDelta | ReasoningDelta):
            event = self._possible(event)
        if isinstance(event, Done) and self._unasked:
            names = ", ".join(f"`{name}`" for name in dict.fromkeys(self._unasked))
            self._unasked = []
            self._take(Boundary())
            self._take(TextDelta(UNASKED_TEXT.format(names)))
        if not self._fits(event):
            if is_preview(event):
                return
            log.error("turn %s: the answer is too large", self.request.turn_id)
            event = Error("message_too_large")
        frames = self._draft.take(event)
        if frames and not isinstance(event, TextDelta | ReasoningDelta):
            self._sizes.take(event)
        self.stream.write(frames)
        if isinstance(event, Error):
            self.stop()

    def _possible(self, event: AiEvent) -> AiEvent:
        """The event, or one in its place that this turn and its message can take."""
        if isinstance(event, ToolApprovalRequest) and not self._approvals:
            name = self._draft.open_tool(event.tool_call_id)
            if name is not None:
                self._unasked.append(name)
            event = ToolCallResult(event.tool_call_id, UNASKED, is_error=True)
        if isinstance(event, ToolCallStart | ToolCallResult | FileOutput):
            return self._fitting(event)
        return event

    def _fitting(self, event: ToolCallStart | ToolCallResult | FileOutput) -> AiEvent:
        """The event, or one with a text in place of a value for which the message has no room."""
        room = self._limit - int(self._limit * ROOM_FOR_TEXT) - CALL_SIZE
        value = kept_of(event)
        size = json_size(value, self._limit)
        if max(self._size, self._lists) + size <= room:
            return event
        self._measure()
        room -= max(self._size, self._lists)
        if size <= room:
            return event
        if isinstance(event, FileOutput):
            log.warning("turn %s: a file of the answer is too large", self.request.turn_id)
            file = file_of({"url": event.url, "mediaType": event.media_type})
            told = f"[A file that was too large to be kept: {file.described()}.]"
            return TextDelta(f"\n\n{told}\n\n")
        log.warning("turn %s: arguments or output of a tool are too large", self.request.turn_id)
        if isinstance(event, ToolCallResult):
            result = error_text(event.result) if event.is_error else event.result
            return replace(event, result=fitting(result, room, self._limit))
        return replace(event, args={"omitted": fitting(json.dumps(event.args), 0, 0)})

    def _fits(self, event: AiEvent) -> bool:
        """Whether the message can still be stored with this event in it.

        It adds up worst cases, and measures the real size only when they reach the limit.
        """
        if type(event) is TextDelta and self._size + 6 * len(event.delta) <= self._limit:
            self._size += 6 * len(event.delta)
            self._is_measured = False
            return True
        limit, text = self._limit, None
        match event:
            case AssistantFinal(content):
                text = self._draft.missing(content)[0]
            case TextDelta(delta) | ReasoningDelta(delta):
                text = delta
            case _ if not self._sizes.may_pass(event, limit):
                return False
            case _ if is_preview(event):
                limit -= int(limit * ROOM_FOR_TEXT)
        if text is None:
            added, lists = self._sizes.added(event), self._share(kept_of(event))
        else:
            added, lists = 6 * len(text), 0
        if self._has_no_room(added, lists, limit):
            self._measure()
            if text is not None:
                added = json_size(text)
            if self._has_no_room(added, lists, limit):
                return False
        self._size += added
        self._lists += lists
        self._is_measured = False
        return True

    def _has_no_room(self, added: int, lists: int, limit: int) -> bool:
        # What makes the message smaller fits, however large the message is.
        return (added > 0 and self._size + added > limit) or self._lists + lists > limit

    def _measure(self) -> None:
        """Put the message's real size in place of the sums of worst cases."""
        if self._is_measured:
            # What came since then was left out. It may be thousands of events.
            return
        self._is_measured = True
        message = self._draft.message()
        self._size, self._lists = json_size(message), self._share(message)

    def _share(self, value: JsonValue) -> int:
        """The part of the message's limit that the lists and objects in a value take."""
        return list_count(value) * self._limit // MOST_LISTS

    async def _store(
        self, status: Status, code: str | None, journal: JournalPiece | None
    ) -> str | None:
        """Store the answer and end the turn. Return why that failed for good, or None."""
        turn = self.request
        answer = Answer(
            owner_user_id=turn.owner_user_id,
            state_key=turn.state_key,
            turn_id=turn.turn_id,
            status=status,
            usage=self._draft.usage(),
            error_code=code,
            message=None if self._draft.is_empty else self._draft.message(),
        )
        return await store(
            self._threads,
            answer,
            journal,
            give_up=self._give_up,
            spool=self._spool,
            begin=self._begin,
        )
