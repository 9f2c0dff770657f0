"""Puts a finished answer into its thread, or keeps it where people can find it."""

from __future__ import annotations

import json
import logging
from dataclasses import dataclass, replace
from typing import Literal, TypeAlias

from ..errors import AnswerTooSlowError, PgThreadsError, TurnLostError, UnavailableError
from ..events import JsonText, JsonValue, UIMessage
from ..message.draft import EndStatus
from ..postgres.rows import JournalPiece
from ..postgres.threads import Threads

log = logging.getLogger(__name__)

MOST_TIMEOUTS = 3
"""How often each step of `settle` may time out. A database that is only slow for a while is done
by then."""


Status: TypeAlias = EndStatus | Literal["waiting"]
"""How a turn ended. With `waiting`, its message is the thread's open answer."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """Everything that it takes to end a turn. `message` is None if nothing was generated."""

    owner_user_id: str
    state_key: str
    turn_id: str
    status: Status
    usage: dict[str, JsonValue]
    error_code: str | None
    message: UIMessage | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Begin:
    """What a turn was begun with.

    `message_count` is how many messages its thread had then, including the question.
    """

    message: UIMessage | JsonText
    replaces: str | None
    regenerate: bool
    message_count: int
    parent_id: str | None = None
    stale: str = "append"

    @property
    def question(self) -> UIMessage:
        """The message as an object, which takes a while if it is large."""
        if not isinstance(self.message, JsonText):
            return self.message
        question: UIMessage = json.loads(self.message)
        return question


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why an answer is not in its thread and never will be.

    `kept` says whether the database keeps it as a late answer.
    """

    code: str
    kept: bool


async def settle(
    threads: Threads,
    answer: Answer,
    journal: JournalPiece | None = None,
    *,
    timeouts: int = 0,
) -> Refusal | None:
    """Append the answer and end its turn. If that is refused for good, keep it as a late answer.

    `journal` is the last piece of the turn's journal, for clients that follow the turn. Raises
    UnavailableError, and may be called again after that.

    `timeouts` is how often it has failed so far because a call took too long (`timed_out`). An
    answer that always takes the database longer than a call may last would be tried forever, and
    would hold a connection that other turns need. So after some attempts it counts as refused: it
    is kept as a late answer, unless that takes too long as well, and its turn is ended without it,
    or by its lease.
    """
    try:
        if timeouts >= MOST_TIMEOUTS:
            raise AnswerTooSlowError(detail=f"{timeouts} calls were cancelled")
        await _finish(threads, answer, journal)
    except UnavailableError:
        raise
    except PgThreadsError as error:
        refused = error
    else:
        return None
    size = 0 if answer.message is None else len(json.dumps(answer.message))
    kept = answer.message is None
    if not kept and timeouts < 2 * MOST_TIMEOUTS:
        kept = await _keep(threads, answer, refused)
    log.error(
        "turn %s of thread %s: the answer is not stored: %s %s (%s, %s bytes, %s)",
        answer.turn_id,
        answer.state_key,
        refused,
        refused.detail,
        refused.code,
        size,
        "kept in late_answer" if kept else "not kept",
    )
    ends = answer.message is not None and not isinstance(refused, TurnLostError)
    if ends and timeouts < 3 * MOST_TIMEOUTS:
        await _end_without_message(threads, answer, refused.code)
    return Refusal(refused.code, kept)


async def _finish(threads: Threads, answer: Answer, journal: JournalPiece | None = None) -> None:
    """End the turn with its message. A journal or usage that is refused is left out.

    The answer matters more than either of them. Raises the refusal of the message itself.
    """
    tries = [(answer.usage, journal), (answer.usage, None), ({}, None)]
    tries = [each for place, each in enumerate(tries) if each not in tries[:place]]
    refused: PgThreadsError | None = None
    for usage, piece in tries:
        try:
            usage_refused = await _end(threads, replace(answer, usage=usage), piece)
        except (UnavailableError, TurnLostError):
            raise
        except PgThreadsError as error:
            refused = error
        else:
            if usage != answer.usage and refused is not None:
                usage_refused = f"{refused} {refused.detail}"
            if usage_refused is not None:
                log.error("turn %s: its usage is not stored: %s", answer.turn_id, usage_refused)
            return
    if refused is not None:
        raise refused


async def _end(threads: Threads, answer: Answer, journal: JournalPiece | None) -> str | None:
    """End the turn, or pause it. Return the SQLSTATE for which its usage was left out."""
    turn = (answer.owner_user_id, answer.state_key, answer.turn_id)
    if answer.status == "waiting" and answer.message is not None:
        return await threads.pause_turn(
            *turn, usage=answer.usage, message=answer.message, journal=journal
        )
    return await threads.complete_turn(
        *turn,
        status=answer.status,
        usage=answer.usage,
        error_code=answer.error_code,
        message=answer.message,
        journal=journal,
    )


async def _keep(threads: Threads, answer: Answer, refused: PgThreadsError) -> bool:
    try:
        return await threads.keep_answer(
            answer.owner_user_id,
            answer.state_key,
            answer.turn_id,
            message=answer.message or {},
            reason=refused.code,
            sqlstate=refused.sqlstate,
        )
    except UnavailableError:
        raise
    except PgThreadsError as error:
        log.exception("turn %s: the answer cannot be kept: %s", answer.turn_id, error.detail)
        return False


async def _end_without_message(threads: Threads, answer: Answer, code: str) -> None:
    """End the turn without the message that the database refuses, so that the thread can go on."""
    try:
        await _finish(threads, replace(answer, status="failed", error_code=code, message=None))
    except UnavailableError:
        raise
    except PgThreadsError as error:
        log.warning("turn %s could not be ended: %s %s", answer.turn_id, error, error.detail)
