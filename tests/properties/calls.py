"""The functions as statements, each with the result that the model expects."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, LiteralString

from psycopg.types.json import Jsonb

from tests.properties import (
    journal_model,
    read_model,
    thread_model,
    turn_model,
    waiting_model,
)
from tests.properties.world import Json, Outcome, Refused, View


@dataclass(frozen=True)
class Call:
    """One statement of one tenant; `text` is for people, `model` returns the expected result."""

    text: str
    statement: LiteralString
    values: tuple[Any, ...]
    model: Callable[[View], Outcome]

    def __str__(self) -> str:
        return self.text


def _call(
    owner: str,
    function: LiteralString,
    columns: LiteralString,
    arguments: tuple[Any, ...],
    model: Callable[[View], Outcome],
    json: Sequence[int] = (),
) -> Call:
    """Call a function; the arguments at the places `json` are JSON."""
    places: LiteralString = ", ".join(("t.owner", *("%s" for _ in arguments)))
    values = [
        Jsonb(each) if place in json and each is not None else each
        for place, each in enumerate(arguments)
    ]
    return Call(
        f"{function}{(owner, *arguments)}",
        f"select {columns} from pgthreads.set_tenant(%s) as t(owner),"
        f" lateral pgthreads.{function}({places}) as f",
        (owner, *values),
        model,
    )


def of_another_tenant(call: Call, tenant: str) -> Call:
    """The same call with another tenant in the transaction."""

    def refuse(_: View) -> Outcome:
        raise Refused("THTEN")

    statement = call.statement.replace("(t.owner,", "(coalesce(%s, t.owner),", 1)
    values = (tenant, *call.values)
    return Call(f"{call.text} as {tenant}", statement, values, refuse)


APPENDED: LiteralString = "f.state_key, f.message_count, f.appended"


def append_thread(owner: str, *arguments: Any) -> Call:
    """State key, messages, expected count, turn id, metadata, parent id."""
    return _call(
        owner,
        "append_thread",
        APPENDED,
        arguments,
        lambda view: [thread_model.append(view, owner, *arguments)],
        json=(1, 4),
    )


def save_thread(owner: str, *arguments: Any) -> Call:
    """State key, messages, expected count, metadata."""
    return _call(
        owner,
        "save_thread",
        APPENDED,
        arguments,
        lambda view: [thread_model.save(view, owner, *arguments)],
        json=(1, 3),
    )


def begin_turn(owner: str, *arguments: Any) -> Call:
    """State key, message, turn id, last, metadata, replaces, regenerate, busy, parent, stale."""
    return _call(
        owner,
        "begin_turn",
        "f.outcome, f.state_key, f.turn_id, f.message_count, f.lease_until is not null,"
        " f.history, f.answer",
        arguments,
        lambda view: [turn_model.begin(view, owner, *arguments)],
        json=(1, 4),
    )


def extend_turn(owner: str, *arguments: Any) -> Call:
    """State key, turn id."""
    return _call(
        owner,
        "extend_turn",
        "f.alive, f.stop_requested, f.lease_until > clock_timestamp() is true",
        arguments,
        lambda view: [turn_model.extend(view, owner, *arguments)],
    )


FINISHED: LiteralString = "f.turn_id, f.status, f.assistant_message_id"


def finish_turn(owner: str, *arguments: Any) -> Call:
    """State key, turn id, status, usage, error code."""
    return _call(
        owner,
        "finish_turn",
        FINISHED,
        arguments,
        lambda view: [turn_model.finish(view, owner, *arguments)],
        json=(3,),
    )


def complete_turn(owner: str, *arguments: Any) -> Call:
    """State key, turn id, status, message, usage, error code, offset, frames."""
    return _call(
        owner,
        "complete_turn",
        f"{FINISHED}, f.message_count, f.appended, f.usage_refused",
        arguments,
        lambda view: [turn_model.complete(view, owner, *arguments)],
        json=(3, 4),
    )


def pause_turn(owner: str, *arguments: Any) -> Call:
    """State key, turn id, message, usage."""
    return _call(
        owner,
        "pause_turn",
        "f.turn_id, f.status, f.message_id, f.message_count,"
        " jsonb_path_query_array(f.calls, '$[*].toolCallId'), f.usage_refused",
        arguments,
        lambda view: [waiting_model.pause(view, owner, *arguments)],
        json=(2, 3),
    )


def respond_turn(owner: str, *arguments: Any) -> Call:
    """State key, message id, responses, turn id, last."""
    return _call(
        owner,
        "respond_turn",
        "f.outcome, f.turn_id, f.message_count, f.lease_until is not null, f.history, f.answer,"
        " case when f.responses is not null then"
        " jsonb_path_query_array(f.responses, '$[*].toolCallId') end, f.missing",
        arguments,
        lambda view: [waiting_model.respond(view, owner, *arguments)],
        json=(2,),
    )


def answer(owner: str, key: str, turn_id: str, messages: Json, status: str) -> Call:
    """The statement that ends a turn: `append_thread` and `finish_turn`."""

    def both(view: View) -> Outcome:
        appended = thread_model.append(view, owner, key, messages, None, turn_id)
        return [(*appended, *turn_model.finish(view, owner, key, turn_id, status))]

    return Call(
        f"answer{(owner, key, turn_id, messages, status)}",
        "select a.state_key, a.message_count, a.appended,"
        " f.turn_id, f.status, f.assistant_message_id"
        " from pgthreads.set_tenant(%s) as t(owner),"
        " lateral pgthreads.append_thread(t.owner, %s, %s, null, %s) as a,"
        " lateral pgthreads.finish_turn(t.owner, a.state_key, %s, %s) as f",
        (owner, key, Jsonb(messages), turn_id, turn_id, status),
        both,
    )


def write_journal(owner: str, *arguments: Any) -> Call:
    """State key, turn id, offset, frames."""
    return _call(
        owner,
        "write_journal",
        "f.turn_id, f.alive, f.stop_requested, f.end_offset",
        arguments,
        lambda view: [journal_model.write(view, owner, *arguments)],
    )


def read_journal(owner: str, *arguments: Any) -> Call:
    """State key, turn id, offset."""
    return _call(
        owner,
        "read_journal",
        "f.turn_id, f.status, f.error_code, f.answer,"
        " case when f.status = 'running' then f.end_offset end,"
        " case when f.status = 'running' then f.frames end",
        arguments,
        lambda view: journal_model.read(view, owner, *arguments),
    )


def keep_answer(owner: str, *arguments: Any) -> Call:
    """State key, turn id, message, reason."""
    return _call(
        owner,
        "keep_answer",
        "f",
        arguments,
        lambda view: [(journal_model.keep(view, owner, *arguments),)],
        json=(2,),
    )


def request_stop(owner: str, key: str) -> Call:
    """Ask the running turn to stop."""
    return _call(
        owner,
        "request_stop",
        "f",
        (key,),
        lambda view: [(waiting_model.request_stop(view, owner, key),)],
    )


def soft_delete_thread(owner: str, key: str) -> Call:
    """Delete a thread."""
    return _call(
        owner,
        "soft_delete_thread",
        "f",
        (key,),
        lambda view: [(thread_model.soft_delete(view, owner, key),)],
    )


def update_thread(owner: str, *arguments: Any) -> Call:
    """State key, title, metadata, archived."""
    return _call(
        owner,
        "update_thread",
        "f.state_key, f.title, f.message_count, f.metadata, f.archived_at is not null",
        arguments,
        lambda view: [thread_model.update(view, owner, *arguments)],
        json=(2,),
    )


def load_thread(owner: str, *arguments: Any) -> Call:
    """State key, last, before, leaf id."""
    return _call(
        owner,
        "load_thread",
        "f",
        arguments,
        lambda view: [(read_model.load(view, owner, *arguments),)],
    )


def read_messages(owner: str, *arguments: Any) -> Call:
    """State key, last, before, leaf id."""
    return _call(
        owner,
        "read_messages",
        "f.seq, f.message",
        arguments,
        lambda view: list(read_model.window(view, owner, *arguments)),
    )


def read_thread(
    owner: str, key: str, last: int | None, before: int | None, leaf: str | None
) -> Call:
    """State key, last, before, leaf id."""
    return _call(
        owner,
        "read_thread",
        "f.state_key, f.title, f.message_count, f.metadata, f.messages, f.earlier_seq",
        (key, last, before, None, leaf),
        lambda view: read_model.read(view, owner, key, last, before, leaf),
    )


def list_branches(owner: str, key: str) -> Call:
    """The thread's branches."""
    return _call(
        owner,
        "list_branches",
        "f.leaf_id, f.leaf_seq, f.message_count",
        (key,),
        lambda view: list(read_model.branches(view, owner, key)),
    )


def verify_thread(owner: str, key: str) -> Call:
    """Check the digest chain."""
    return _call(
        owner,
        "verify_thread",
        "f.ok, f.checked, f.bad_seq",
        (key,),
        lambda view: [read_model.verify(view, owner, key)],
    )
