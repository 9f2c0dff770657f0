"""A model of the functions of turns, as docs/sql-api.md describes them, over a `View`."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from tests.properties.journal_model import write
from tests.properties.message_model import is_shallow
from tests.properties.question_model import STALE_POLICIES, STRICT, Asked, find, user_message
from tests.properties.read_model import prompt
from tests.properties.thread_model import (
    MAX_MESSAGES,
    MAX_QUEUED,
    abandon,
    append,
    close,
    open_answer,
    prepared,
    require_key,
    running_turn,
)
from tests.properties.world import Json, Queue, Refused, Thread, Turn, View

BeginResult = tuple[Any, ...]


def begin(
    view: View,
    owner: str,
    key: str,
    message: Json,
    turn_id: str,
    last: int | None = None,
    metadata: Json = None,
    replaces: str | None = None,
    regenerate: bool = False,
    busy: str = "reject",
    parent_id: str | None = None,
    stale: str | None = None,
) -> BeginResult:
    """`begin_turn`: outcome, key, turn id, count, whether there is a lease, history, answer."""
    if not 1 <= len(turn_id) <= 128 or (last is not None and last < 1):
        raise Refused("22023")
    if stale not in (None, *STALE_POLICIES):
        raise Refused("22023")
    if replaces is not None or regenerate or (parent_id is not None and stale in STRICT):
        asked = find(view, owner, key, message, turn_id, replaces, regenerate, parent_id, stale)
    else:
        asked = Asked(message=user_message(message))
    if busy != "reject":
        is_wish = busy == "interrupt" and regenerate and stale is not None
        ticket = f"~{asked.message_id}" if is_wish else asked.message_id
        if asked.attaches:
            line = ("queue", owner, key)
            queue: Queue = view.get(line) or Queue()
            view.put(line, Queue(tuple(each for each in queue.tickets if each[0] != ticket)))
            waited = None
        else:
            anew = asked.anew and asked.answer is None
            waited = _wait(view, owner, key, ticket, anew, busy)
        if waited is not None:
            return ("waiting", key, *waited, None, None)
    appended = 0
    if asked.seq is None:
        _, _, appended = append(
            view, owner, key, [asked.message], metadata=metadata, parent_id=asked.parent_id
        )
    thread: Thread = view.get(("thread", owner, key))
    count, seq = len(thread.messages), asked.seq or thread.seq_of(asked.message_id)
    assert seq is not None
    if not appended:
        found = _repeated(view, owner, key, thread, seq, turn_id, last, asked)
        if found is not None:
            return found
        count = len(view.get(("thread", owner, key)).messages)
    if count >= MAX_MESSAGES:
        raise Refused("THMAX")
    item = ("turn", owner, key, turn_id)
    used = view.get(item)
    if used is not None:
        raise Refused("THLST" if used.user_seq == seq else "22023")
    view.insert(item, Turn(seq, count))
    history = prompt(view, owner, key, last, thread.messages[seq - 1].message_id)
    return "started", key, turn_id, count, True, history, None


def _repeated(
    view: View,
    owner: str,
    key: str,
    thread: Thread,
    seq: int,
    turn_id: str,
    last: int | None,
    asked: Asked,
) -> BeginResult | None:
    """The result for a message that is stored already; None for a new turn."""
    count = len(thread.messages)
    running = running_turn(view, owner, key)
    item = ("turn", owner, key, running or "")
    turn: Turn | None = view.lock(item)
    if turn is not None and turn.live and turn.user_seq == seq:
        if running != turn_id:
            return "running", key, running, count, True, None, None
        message_id = thread.messages[seq - 1].message_id
        history = prompt(view, owner, key, last, message_id)
        return "started", key, turn_id, count, True, history, None
    if turn is not None and not turn.live:
        abandon(view, owner, key)
        turn, thread = None, view.get(("thread", owner, key))
        count = len(thread.messages)
    waits = open_answer(view, owner, key)
    if waits is not None and waits.user_seq == seq:
        is_its = asked.answer is not None and asked.answer > count
        if not asked.anew or is_its or waits.turn_id == turn_id:
            return "answered", key, None, count, False, None, waits.body
    if asked.answer is not None:
        body = thread.messages[asked.answer - 1].body
        return "answered", key, None, count, False, None, body
    if not asked.anew:
        answers = [m for m in thread.messages if m.parent == seq and m.role == "assistant"]
        if answers:
            return "answered", key, None, count, False, None, answers[-1].body
        if seq < count:
            raise Refused("THDUP")
    if turn is not None:
        raise Refused("THTRN")
    close(view, owner, key, "stopped")
    return None


def _wait(
    view: View, owner: str, key: str, message_id: str, anew: bool, busy: str
) -> tuple[str | None, int, bool] | None:
    """While the message has to wait for its thread: turn id, count, whether a turn runs."""
    if busy not in ("reject", "interrupt", "enqueue"):
        raise Refused("22023")
    require_key(key)
    item = ("queue", owner, key)
    for look in (1, 2):
        if look == 2 and view.lock(("thread", owner, key)) is None:
            view.insert(("thread", owner, key), Thread())
        thread: Thread = view.get(("thread", owner, key)) or Thread()
        tickets: tuple[tuple[str, bool], ...] = (view.get(item) or Queue()).tickets
        running = running_turn(view, owner, key)
        turn = None if running is None else view.get(("turn", owner, key, running))
        if turn is not None and not turn.live:
            running, turn = None, None
        places = [each for each, _ in tickets]
        mine = places.index(message_id) if message_id in places else None
        ahead = sum(live for each, live in tickets[:mine] if each != message_id)
        waits = _must_wait(thread, turn, message_id, anew, ahead)
        is_fresh = mine is not None and tickets[mine][1]
        if look == 1 and waits and is_fresh:
            if busy == "interrupt" and turn is not None and not turn.stop:
                continue
            return running, len(thread.messages), turn is not None
    left = tuple(t for t in tickets if (waits if t[0] == message_id else t[1]))
    view.put(item, Queue(left))
    if not waits:
        return None
    if mine is None and ahead >= MAX_QUEUED:
        raise Refused("THTRN")
    if mine is None:
        left += ((message_id, True),)
    view.put(item, Queue(tuple((m, live or m == message_id) for m, live in left)))
    if busy == "interrupt" and running is not None:
        locked = view.lock(("turn", owner, key, running))
        view.put(("turn", owner, key, running), replace(locked, stop=True))
    return running, len(thread.messages), turn is not None


def _must_wait(thread: Thread, turn: Turn | None, message_id: str, anew: bool, ahead: int) -> bool:
    seq = thread.seq_of(message_id)
    if thread.deleted or (turn is not None and turn.user_seq == seq):
        return False
    if seq is not None and seq < len(thread.messages) and not anew:
        return False
    return turn is not None or ahead > 0


def extend(view: View, owner: str, key: str, turn_id: str) -> tuple[bool, bool, bool]:
    """`extend_turn`: alive, stop requested, whether there is a lease."""
    item = ("turn", owner, key, turn_id)
    turn: Turn | None = view.get(item)
    if turn is not None and turn.status == "running":
        turn = view.lock(item)
    if turn is None or turn.status != "running":
        return False, False, False
    view.touch(item, replace(turn, live=True))
    return True, turn.stop, True


def finish(
    view: View,
    owner: str,
    key: str,
    turn_id: str,
    status: str,
    usage: Json = None,
    error_code: str | None = None,
) -> tuple[str, str, str | None]:
    """`finish_turn`: turn id, status, id of the answer."""
    if status not in ("completed", "stopped", "failed"):
        raise Refused("22023")
    thread: Thread = view.lock(("thread", owner, key)) or Thread()
    item = ("turn", owner, key, turn_id)
    turn: Turn | None = view.get(item)
    if turn is not None and turn.status == "running":
        if turn.continues is not None:
            close(view, owner, key, None if status == "completed" else status)
            thread = view.get(("thread", owner, key)) or thread
        turn = view.lock(item)
    if turn is None or turn.status not in ("running", status):
        raise Refused("THLST")
    if turn.status == "running":
        answer = thread.messages[-1] if len(thread.messages) > turn.begun_count else None
        turn = replace(
            turn,
            status=status,
            usage=usage,
            error_code=error_code,
            answer_id=answer.message_id if answer and answer.role == "assistant" else None,
        )
        view.put(item, turn)
    return turn_id, turn.status, turn.answer_id


def complete(
    view: View,
    owner: str,
    key: str,
    turn_id: str,
    status: str,
    message: Json = None,
    usage: Json = None,
    error_code: str | None = None,
    offset: int | None = None,
    frames: str | None = None,
) -> tuple[str, str, str | None, int, int, str | None]:
    """`complete_turn`: turn id, status, id of the answer, count, appended, what refused the usage.

    A lease that ran out is taken back; its time stays what it was if the answer is the first
    message that the turn appends, because then nobody has to extend it.
    """
    if status not in ("completed", "stopped", "failed"):
        raise Refused("22023")
    refused = None if is_shallow(usage) else "THMAX"
    item = ("turn", owner, key, turn_id)
    appended, is_first, live = 0, False, False
    if message is not None:
        prepared([message])
        view.lock(("thread", owner, key))
        turn: Turn | None = view.get(item)
        extend(view, owner, key, turn_id)
        _, count, appended = append(view, owner, key, [message], None, turn_id)
        if turn is not None:
            is_first, live = count - appended == turn.begun_count, turn.live
    if frames is not None and offset is not None:
        write(view, owner, key, turn_id, offset, frames)
    ended = finish(view, owner, key, turn_id, status, None if refused else usage, error_code)
    if appended and is_first:
        view.put(item, replace(view.get(item), live=live))
    thread: Thread = view.get(("thread", owner, key))
    return *ended, len(thread.messages), appended, refused
