"""A model of answers that wait, as docs/sql-api.md describes them, over a `View`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tests.properties.message_model import is_shallow, json_text, redact
from tests.properties.read_model import prompt
from tests.properties.thread_model import (
    MAX_MESSAGE_BYTES,
    abandon,
    close,
    open_answer,
    prepared,
    require_key,
    require_thread,
    running_turn,
)
from tests.properties.world import Given, Json, OpenAnswer, Refused, Thread, Turn, View


def _waiting_calls(message: Json) -> tuple[tuple[str, str], ...]:
    """The calls of an answer that wait, each with what it waits for. Raises THMSG."""
    calls = [part for part in message["parts"] if "toolCallId" in part]
    kinds = {"approval-requested": "approval", "input-available": "client"}
    ids = [part["toolCallId"] for part in calls]
    waiting = [(p["toolCallId"], kinds[p["state"]]) for p in calls if p["state"] in kinds]
    if (
        message["role"] != "assistant"
        or not waiting
        or any(ids.count(call) > 1 for call, _ in waiting)
        or any(part["state"] in ("input-streaming", "approval-responded") for part in calls)
    ):
        raise Refused("THMSG")
    return tuple(waiting)


def pause(
    view: View, owner: str, key: str, turn_id: str, message: Json, usage: Json = None
) -> tuple[str, str, str, int, list[str], str | None]:
    """`pause_turn`: turn id, status, message id, count, calls, what refused the usage."""
    require_key(key)
    refused = None if is_shallow(usage) else "THMAX"
    (body,) = prepared([message])
    calls = _waiting_calls(body)
    thread = require_thread(view, owner, key)
    item = ("turn", owner, key, turn_id)
    turn: Turn | None = view.lock(item)
    known = open_answer(view, owner, key)
    if turn is not None and turn.status == "waiting" and turn.answer_id == body["id"]:
        if known is not None and known.turn_id == turn_id:
            calls = known.calls
    else:
        if turn is None or turn.status != "running":
            raise Refused("THLST")
        if turn.continues is not None and turn.continues != body["id"]:
            raise Refused("THMSG")
        given = view.get(("given", owner, key, body["id"])) or Given()
        if turn.continues is not None and set(given.responses) & {call for call, _ in calls}:
            raise Refused("THMSG")
        if thread.seq_of(body["id"]) is not None:
            raise Refused("THDUP")
        waits = OpenAnswer(turn_id, turn.user_seq, body["id"], body, calls)
        view.put(("open", owner, key), waits)
        ended = replace(
            turn, status="waiting", answer_id=body["id"], usage=None if refused else usage
        )
        view.put(item, ended)
    ids = [call for call, _ in calls]
    return turn_id, "waiting", body["id"], len(thread.messages), ids, refused


def _given(responses: Json) -> list[tuple[str, Json]]:
    """What counts of the responses, each call once. Raises THMSG, THMAX, THRSP."""
    if not isinstance(responses, list):
        raise Refused("THMSG")
    if len(json_text(responses).encode()) > MAX_MESSAGE_BYTES:
        raise Refused("THMAX")
    found: dict[str, Json] = {}
    for each in responses:
        kinds = [name for name in ("approved", "output", "errorText") if name in each]
        if len(kinds) != 1 or not isinstance(each.get("approved", True), bool):
            raise Refused("THMSG")
    for each in responses:
        names = ("approved", "reason") if "approved" in each else ("output", "errorText")
        response = {name: each[name] for name in names if name in each}
        if found.setdefault(each["toolCallId"], response) != response:
            raise Refused("THRSP")
    return list(found.items())


def _applied(body: Json, new: Sequence[tuple[str, Json]]) -> Json:
    """The answer with responses applied, redacted. Raises THMAX."""
    parts = []
    for part in body["parts"]:
        response = dict(new).get(part.get("toolCallId"))
        if response is None:
            parts.append(part)
        elif "approved" in response:
            approval = part["approval"] | response
            parts.append(part | {"state": "approval-responded", "approval": approval})
        else:
            state = "output-available" if "output" in response else "output-error"
            parts.append(part | {"state": state} | response)
    (ready,) = prepared([body | {"parts": parts}])
    return ready


def respond(
    view: View,
    owner: str,
    key: str,
    message_id: str,
    responses: Json,
    turn_id: str | None = None,
    last: int | None = None,
) -> tuple[Any, ...]:
    """`respond_turn`: outcome, turn id, count, whether there is a lease, history, answer, which
    calls have their responses, and which miss theirs."""
    require_key(key)
    if (turn_id is not None and not 1 <= len(turn_id) <= 128) or (last is not None and last < 1):
        raise Refused("22023")
    given = _given(responses)
    item = ("given", owner, key, message_id)
    _, _, new, _ = _looked(view, owner, key, message_id, given)
    thread = require_thread(view, owner, key)
    running = running_turn(view, owner, key)
    turn: Turn | None = None
    if running is not None:
        turn = view.lock(("turn", owner, key, running))
        if turn is not None and not turn.live:
            abandon(view, owner, key)
            running, turn = None, None
            thread = view.get(("thread", owner, key))
    waits, known, new, body = _looked(view, owner, key, message_id, given)
    kinds = {} if waits is None else dict(waits.calls)
    for call, response in given:
        if call in known:
            if known[call] not in (response, redact(response)):
                raise Refused("THRSP")
        elif call not in kinds or (kinds[call] == "approval") != ("approved" in response):
            raise Refused("THWAI")
    count = len(thread.messages)
    if waits is None:
        seq = thread.seq_of(message_id)
        if seq is None or thread.messages[seq - 1].role != "assistant":
            raise Refused("THWAI")
        return "answered", None, count, False, None, thread.messages[seq - 1].body, None, None
    if new:
        waits = replace(waits, body=body)
        view.put(("open", owner, key), waits)
        known = known | {call: redact(response) for call, response in new}
        view.put(item, Given(known))
    if turn is not None and running != turn_id:
        return "running", running, count, True, None, None, None, None
    done = [call for call, _ in waits.calls if call in known]
    missing = [call for call, _ in waits.calls if call not in known] or None
    if missing or turn_id is None:
        outcome = "waiting" if missing else "ready"
        return outcome, None, count, False, None, waits.body, done, missing
    if turn is None:
        row = ("turn", owner, key, turn_id)
        used = view.get(row)
        if used is not None:
            raise Refused("THLST" if used.continues == message_id else "22023")
        view.insert(row, Turn(waits.user_seq, count, continues=message_id))
        view.put(("open", owner, key), replace(waits, continued_by=turn_id))
    question = thread.messages[waits.user_seq - 1].message_id
    history = prompt(view, owner, key, last, question)
    return "started", turn_id, count, True, history, waits.body, done, None


def _looked(
    view: View, owner: str, key: str, message_id: str, given: list[tuple[str, Json]]
) -> tuple[OpenAnswer | None, dict[str, Json], list[tuple[str, Json]], Json]:
    """The open answer if it is this one, what was given before, what is new, and what it makes."""
    waits = open_answer(view, owner, key)
    if waits is not None and waits.message_id != message_id:
        waits = None
    known = (view.get(("given", owner, key, message_id)) or Given()).responses
    kinds = {} if waits is None else dict(waits.calls)
    new = [
        (call, response)
        for call, response in given
        if call not in known
        and call in kinds
        and (kinds[call] == "approval") == ("approved" in response)
    ]
    body = None if waits is None else _applied(waits.body, new) if new else waits.body
    return waits, known, new, body


def request_stop(view: View, owner: str, key: str) -> str | None:
    """`request_stop`."""
    require_key(key)
    stopped = _stop_running(view, owner, key)
    thread: Thread | None = view.get(("thread", owner, key))
    if stopped is not None or thread is None or thread.deleted:
        return stopped
    if open_answer(view, owner, key) is None:
        return None
    view.lock(("thread", owner, key))
    abandon(view, owner, key)
    waits = open_answer(view, owner, key)
    close(view, owner, key, "stopped")
    return None if waits is None else waits.turn_id


def _stop_running(view: View, owner: str, key: str) -> str | None:
    running = running_turn(view, owner, key)
    if running is None:
        return None
    item = ("turn", owner, key, running)
    if not view.get(item).live:
        return None
    turn: Turn = view.lock(item)
    if turn.status != "running" or not turn.live:
        return None
    view.touch(item, replace(turn, stop=True))
    return running
