"""Arguments for the functions: few owners, keys and ids, so that calls meet."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias, TypeVar

from hypothesis import strategies as st

from tests.properties import calls
from tests.properties.message_model import REDACTED, SECRET, replaced
from tests.properties.world import Json, Thread

OWNERS = ("ada", "bea")
SESSION_COUNT = 3

T = TypeVar("T")


@dataclass(frozen=True)
class Place:
    """The session, the owner and the thread of a call; whether it uses a savepoint if it is in a
    transaction, and whether it opens a transaction."""

    session: int
    owner: str
    key: str
    savepoint: bool
    begins: bool = False


@dataclass(frozen=True)
class PageView:
    """A page that shows the branch of a message, without its last `cut` ones, and its action."""

    head: int
    cut: int
    does: str

    def of(self, thread: Thread, ask: Json) -> tuple[list[str], Json, str | None]:
        """Return the ids before the question, the question, and the id that it replaces."""
        count = len(thread.messages)
        path = [thread.messages[seq - 1] for seq in thread.path(min(self.head, count))]
        shown, dropped = path[: len(path) - self.cut], path[len(path) - self.cut :]
        while self.does != "send" and shown and shown[-1].role != "user":
            dropped = [shown.pop(), *dropped]
        if self.does == "send" or not shown:
            return [each.message_id for each in shown], ask, None
        asked, before = shown[-1], [each.message_id for each in shown[:-1]]
        if self.does == "edit":
            return before, ask | {"id": asked.message_id}, asked.message_id
        if self.does == "edited":
            # The page goes on using the id of the message that it has edited.
            return before, asked.body | {"id": asked.message_id.partition("~")[0]}, None
        named = dropped[0].message_id if dropped and self.does == "named" else None
        return before, asked.body, named


def maybe(strategy: st.SearchStrategy[T]) -> st.SearchStrategy[T | None]:
    """Mostly None."""
    return st.sampled_from([False, False, True]).flatmap(lambda yes: strategy if yes else st.none())


def mostly(strategy: st.SearchStrategy[T]) -> st.SearchStrategy[T | None]:
    """Seldom None."""
    return st.sampled_from([True, True, False]).flatmap(lambda yes: strategy if yes else st.none())


sessions = st.integers(0, SESSION_COUNT - 1)
commits = st.sampled_from([True, True, False])
owners = st.sampled_from(["ada", "ada", "ada", "bea"])
keys = st.sampled_from(["k", "k", "k", "l"])
wild_keys = st.sampled_from(["k"] * 9 + ["l"] * 3 + ["no key"])
lone_places = st.builds(Place, sessions, owners, wild_keys, st.booleans())
rarely = st.sampled_from([False, False, False, True])
seldom = st.sampled_from([False] * 9 + [True])
places = st.builds(Place, sessions, owners, wild_keys, st.booleans(), seldom)

ids = st.sampled_from(["m1", "m2", "m3", "m4", "m5", "m6", "m7"])
parents = ids | st.just("")
page_views = st.builds(
    PageView,
    st.integers(1, 9),
    st.sampled_from([0, 0, 1, 2]),
    st.sampled_from(["send", "edit", "edit", "again", "named", "edited"]),
)
stale = st.sampled_from([None, None, "append", "append", *["branch"] * 4, "reject"])
wild_stale = rarely.flatmap(lambda wild: st.just("other") if wild else stale)
FITTING = "fitting"
"""The running turn's id; a new id for a turn that begins."""

turn_ids = st.sampled_from([FITTING, FITTING, FITTING, "t1", "t2", "t3"])
counts = maybe(st.integers(0, 5))
windows = maybe(st.integers(0, 4))
busy = st.sampled_from(["reject"] * 4 + ["enqueue", "enqueue", "interrupt", "interrupt", "wait"])
policies = st.sampled_from(["reject", "reject", "enqueue", "interrupt", "interrupt"])
statuses = st.sampled_from(["completed", "completed", "stopped", "failed", "running"])
usages = maybe(st.just({"output_tokens": 3}))
_DEEP = json.loads("[" * 61 + "]" * 61)
wild_usages = maybe(st.sampled_from([{"output_tokens": 3}, {"output_tokens": 5}, _DEEP]))
limits = st.sampled_from([1, 2, 200])
titles = maybe(st.sampled_from(["", " A title ", f"with {SECRET}", "x" * 201]))
ARCHIVED_WITH: dict[str | None, bool] = {"": False, " A title ": True}
"""What `archived` is beside a title; a draw of its own would make other rules less frequent."""
changes = st.sampled_from(["none", "none", "shorter", "other", "unredacted"])
metadata = maybe(
    st.sampled_from(
        [{"a": 1}, {"b": [None, True]}, {"a": f"key {SECRET}"}, {"c": "x" * 70_000}, [], "text"]
    )
)

_texts = st.sampled_from(["Hello", "Hello", "a\n b ", "größer 😀", f"it is {SECRET}.", " "])
_text_parts = st.builds(lambda text: {"type": "text", "text": text}, _texts)
_other_parts = st.sampled_from(
    [
        {"type": "file", "mediaType": "text/plain", "url": "data:,x", "filename": "x"},
        {"type": "text", "text": "done", "state": "done"},
    ]
)
_server_parts = st.sampled_from(
    [
        {"type": "step-start"},
        {
            "type": "dynamic-tool",
            "toolName": "add",
            "toolCallId": "c",
            "state": "output-available",
            "input": {"a": 1},
            "output": f"found {SECRET}",
        },
    ]
)
_parts = st.lists(_text_parts | _text_parts | _other_parts, min_size=1, max_size=2)


def _message(message_id: str, role: str, parts: list[Json]) -> Json:
    return {"id": message_id, "role": role, "parts": parts}


user_messages = st.one_of(
    *[st.builds(_message, ids, st.just("user"), _parts)] * 5,
    st.builds(lambda m: m | {"metadata": {"from": "a client"}}, st.builds(
        _message, ids, st.just("user"), _parts)),
    st.builds(_message, ids, st.just("user"), st.lists(_server_parts, min_size=1, max_size=1)),
    st.builds(_message, ids, st.just("assistant"), _parts),
)  # fmt: skip
answers = st.builds(
    _message, ids, st.just("assistant"), st.lists(_text_parts | _server_parts, max_size=2)
)
_too_large = st.builds(
    _message, ids, st.just("user"), st.just([{"type": "text", "text": "x" * 2000}])
)
_no_messages = st.sampled_from(
    [
        {"id": "", "role": "user", "parts": [{"type": "text", "text": "x"}]},
        {"id": "m1", "role": "tool", "parts": []},
        {"id": "m1", "role": "user", "parts": []},
        {"id": "m1", "role": "user", "parts": [{"type": "text"}]},
        None,
        7,
    ]
)
_systems = st.builds(_message, ids, st.just("system"), _parts)


def _call(call: str, kind: str, secret: bool) -> Json:
    part: Json = {
        "type": f"tool-{kind}",
        "toolCallId": call,
        "input": {"key": SECRET} if secret else 1,
    }
    if kind == "client":
        return part | {"state": "input-available"}
    if kind == "approval":
        return part | {"state": "approval-requested", "approval": {"id": f"p-{call}"}}
    if kind == "done":
        return part | {"state": "output-available", "output": 1}
    return part | {"state": "input-streaming"}


call_ids = st.sampled_from(["c1", "c1", "c2", "c2", "c3"])
_kinds = st.sampled_from([*["approval", "client"] * 5, "done", "streaming"])
_calls = st.builds(_call, call_ids, _kinds, st.sampled_from([False, False, True]))
open_answers = st.builds(
    lambda message_id, parts, calls: _message(message_id, "assistant", parts + calls),
    ids,
    st.lists(_text_parts, max_size=1),
    st.lists(_calls, min_size=1, max_size=3),
)
"""Answers of which most wait for something; some have a call twice, or none that waits."""
_replies = st.sampled_from(
    [
        {"approved": True},
        {"approved": True},
        {"approved": False, "reason": "no"},
        {"output": f"it is {SECRET}"},
        {"output": None},
        {"errorText": "failed"},
    ]
)
_responses = st.builds(lambda call, reply: {"toolCallId": call} | reply, call_ids, _replies)
responses = st.one_of(
    *[st.lists(_responses, max_size=3)] * 6,
    st.just([{"toolCallId": "c2", "output": "x" * 1900}]),
    st.sampled_from([None, {}, [{"toolCallId": "c1"}], [{"toolCallId": "c1", "approved": "yes"}]]),
)

messages = st.one_of(user_messages, user_messages, answers, answers, _systems)
kept_answers = answers | _no_messages | _too_large
reasons = st.sampled_from(["lease_lost", "lease_lost", "refused", ""])
batches = st.one_of(
    *[st.lists(messages, max_size=3)] * 8,
    st.lists(messages, min_size=10, max_size=10),
    st.lists(messages | _no_messages | _too_large, max_size=3),
    st.sampled_from([{}, "text", 7]),
)


def _frame(**chunk: Json) -> str:
    return f"data: {json.dumps(chunk, ensure_ascii=False)}\n\n"


_starts = st.builds(lambda message_id: _frame(type="start", messageId=message_id), ids)
_pieces = st.sampled_from(
    [
        _frame(type="start"),
        _frame(type="start", messageMetadata={"model": "m"}),
        _frame(type="text-delta", id="t", delta="größer 😀"),
        _frame(type="text-delta", id="t", delta=f"it is {SECRET}."),
        _frame(type="text-delta", id="t", delta="x" * 900),
    ]
)
_text_starts = st.just(_frame(type="text-start", id="t"))
frames = st.builds(
    "".join, st.lists(_text_starts | _text_starts | _starts | _pieces, min_size=1, max_size=3)
)
begun_answers = st.builds(lambda start, rest: start + rest, _text_starts, frames)
writes = st.sampled_from(["on", "on", "on", "again", "known", "gap", "before"])


def unredacted(value: Json) -> Json:
    """The value as it was before redaction."""
    return replaced(value, REDACTED, SECRET)


CallOf: TypeAlias = Callable[[str, str], calls.Call]


def _with(function: Callable[..., calls.Call], *arguments: Any) -> CallOf:
    return lambda owner, key: function(owner, key, *arguments)


any_call: st.SearchStrategy[CallOf] = st.sampled_from(
    [
        _with(calls.append_thread, []),
        _with(calls.save_thread, []),
        _with(calls.begin_turn, None, "t1", None, None),
        _with(calls.extend_turn, "t1"),
        _with(calls.finish_turn, "t1", "completed"),
        _with(calls.complete_turn, "t1", "completed"),
        _with(calls.pause_turn, "t1", None),
        _with(calls.respond_turn, "m1", []),
        _with(calls.respond_turn, "m1", [], "t1"),
        _with(calls.write_journal, "t1", 0, "data: {}\n\n"),
        _with(calls.read_journal),
        _with(calls.keep_answer, "t1", {}, "stolen"),
        calls.request_stop,
        calls.soft_delete_thread,
        _with(calls.update_thread, "stolen"),
        _with(calls.load_thread),
        _with(calls.read_messages),
        _with(calls.read_thread, None, None, None),
        calls.list_branches,
        calls.verify_thread,
    ]
)
