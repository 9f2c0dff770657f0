"""Gives the database back the answers that it has lost and `--keep-answers` has kept.

After an asynchronous standby was promoted, the end of a turn may be missing, or its beginning with
the user's message as well, or the whole thread. A kept answer has what the turn was begun with, so
the turn can be begun again with the same id. Whatever the database still has stays as it is.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from ..errors import PgThreadsError, ThreadNotFoundError, UnavailableError
from ..events import JsonText, UIMessage
from ..message.calls import is_tool
from ..message.wire import open_calls
from ..postgres.threads import Threads
from .settle import Answer, Begin, Refusal, settle
from .spool import Kept

Verdict = Literal["stored", "given back", "late", "refused"]


@dataclass(frozen=True, slots=True)
class Recovered:
    """What became of a kept answer; `text` says why."""

    kept: Kept
    verdict: Verdict
    text: str


async def give_back(threads: Threads, kept: Iterable[Kept]) -> list[Recovered]:
    """Give back the answers that the database does not have, in this order.

    Raises UnavailableError.
    """
    return [Recovered(each, *await _give_back(threads, each)) for each in kept]


async def _give_back(threads: Threads, kept: Kept) -> tuple[Verdict, str]:
    answer = kept.answer
    try:
        if await _is_stored(threads, answer):
            return "stored", "the thread has it"
        turn = (answer.owner_user_id, answer.state_key, answer.turn_id)
        if (await threads.extend_turn(*turn)).alive:
            return _of(await settle(threads, answer), "the answer is in its thread again")
        message = answer.message or {}
        if await threads.keep_answer(
            *turn, message=message, reason="lost_by_failover", sqlstate=None
        ):
            return "late", "its turn has ended in another way: the answer is kept in late_answer"
        return await _begin_again(threads, answer, kept.begin)
    except UnavailableError:
        raise
    except PgThreadsError as error:
        return "refused", f"{error} {error.detail}".strip()


async def _begin_again(threads: Threads, answer: Answer, begin: Begin) -> tuple[Verdict, str]:
    """Begin a turn again that the database does not know, because its beginning is lost, too."""
    if await _respond_again(threads, answer):
        return _of(await settle(threads, answer), "the answer has gone on in its thread again")
    if not await _is_at_its_place(threads, answer, begin):
        return "refused", "the thread has gone on without it"
    begun = await threads.begin_turn(
        answer.owner_user_id,
        answer.state_key,
        begin.message,
        answer.turn_id,
        last=1,
        replaces=begin.replaces,
        regenerate=begin.regenerate,
        parent_id=begin.parent_id,
        stale=begin.stale,
    )
    if begun.outcome != "started":
        return "refused", "its question was asked again and has another answer"
    return _of(
        await settle(threads, answer), "the question and the answer are in their thread again"
    )


async def _respond_again(threads: Threads, answer: Answer) -> bool:
    """Go on with the open answer that this one was, if the database still has it.

    The responses are lost, but the answer tells what they were. Returns False if it was no other
    answer before.
    """
    thread = (answer.owner_user_id, answer.state_key)
    waiting = await threads.read_open_answer(*thread)
    message = answer.message or {}
    if waiting is None or waiting.message_id != message.get("id") or answer.status == "waiting":
        return False
    parts = {part["toolCallId"]: part for part in message["parts"] if is_tool(part)}
    given = [_response(parts[call["toolCallId"]], call) for call in json.loads(waiting.calls)]
    responded = await threads.respond_turn(
        *thread, waiting.message_id, JsonText(json.dumps(given)), answer.turn_id, last=1
    )
    return responded.outcome == "started"


def _response(part: Mapping[str, Any], call: Mapping[str, Any]) -> dict[str, Any]:
    """Return what was responded to a call, by what has become of it."""
    response: dict[str, Any] = {"toolCallId": call["toolCallId"]}
    if call["kind"] == "approval":
        approval = part.get("approval") or {}
        said = {name: approval[name] for name in ("approved", "reason") if name in approval}
        return response | said
    name = "output" if part["state"] == "output-available" else "errorText"
    return response | {name: part.get(name)}


def _of(refusal: Refusal | None, text: str) -> tuple[Verdict, str]:
    if refusal is None:
        return "given back", text
    if refusal.kept:
        return "late", f"the database refuses it ({refusal.code}): it is kept in late_answer"
    return "refused", f"the database refuses it: {refusal.code}"


async def _is_stored(threads: Threads, answer: Answer) -> bool:
    """Whether the thread has this answer, and not only what the journal had of it."""
    stored = await _message(threads, answer, str((answer.message or {}).get("id")))
    if stored is None or (answer.status != "waiting" and open_calls(stored)):
        # It was an open answer before, and that is what the database has.
        return False
    return (stored.get("metadata") or {}).get("status") != "abandoned"


async def _is_at_its_place(threads: Threads, answer: Answer, begin: Begin) -> bool:
    """Whether nothing came after the question in its thread."""
    thread = await threads.read_thread(answer.owner_user_id, answer.state_key, last=1)
    count = 0 if thread is None else thread.message_count
    if count < begin.message_count:
        return True
    if begin.regenerate:
        return count == begin.message_count
    question = str(begin.question.get("id"))
    return begin.replaces is None and await _message(threads, answer, question) is not None


async def _message(threads: Threads, answer: Answer, message_id: str) -> UIMessage | None:
    try:
        thread = await threads.read_thread(
            answer.owner_user_id, answer.state_key, last=1, leaf_id=message_id
        )
    except ThreadNotFoundError:
        return None
    messages: list[UIMessage] = json.loads((thread and thread.messages) or b"[]")
    return next((each for each in messages if each.get("id") == message_id), None)
