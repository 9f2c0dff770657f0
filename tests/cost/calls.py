"""The SQL functions that a client's bytes reach, each with a statement that calls it.

A client's bytes are what comes over HTTP, and what a model makes from it: streams, answers, usage.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import LiteralString

# As servers pass JSON.
_JSON: LiteralString = "pgthreads.clean_json(%(input)s)"
_TENANT: LiteralString = "select from pgthreads.set_tenant('ada') as t (owner), lateral pgthreads."
_APPEND: LiteralString = (
    _TENANT + "append_thread(t.owner, 'k', jsonb_build_array(pgthreads.clean_json(%(input)s))) as a"
)
_BEGIN: LiteralString = (
    _TENANT + "begin_turn(t.owner, 'k',"
    """ '{"id": "u1", "role": "user", "parts": [{"type": "text", "text": "hi"}]}', 'turn') as b"""
)
_JOURNAL: LiteralString = _TENANT + "write_journal(t.owner, 'k', 'turn', 0, %(input)s) as w"
_LATE: LiteralString = "update pgthreads.turn set lease_until = now() - interval '1 second'"
_SAVE: LiteralString = _TENANT + "save_thread(t.owner, 'k', pgthreads.clean_json(%(input)s)) a"
_AI_THREADS: LiteralString = "select t.messages from pgthreads.ai_threads as t"
_QUESTION: LiteralString = (
    _TENANT + "begin_turn(t.owner, 'k', pgthreads.clean_json(%(input)s), 'turn') as b"
)
_WAITING: LiteralString = """jsonb_build_object('id', 'a1', 'role', 'assistant', 'parts',
    '[{"type": "tool-x", "toolCallId": "c1", "state": "input-available", "input": {}}]'::jsonb"""
_PAUSE: LiteralString = _TENANT + "pause_turn(t.owner, 'k', 'turn', " + _WAITING + ")) as p"
_PAUSE_INPUT: LiteralString = (
    _TENANT + "pause_turn(t.owner, 'k', 'turn', pgthreads.clean_json(%(input)s)) as p"
)
_RESPOND: LiteralString = (
    _TENANT + "respond_turn(t.owner, 'k', 'a1', jsonb_build_array(jsonb_build_object("
    "'toolCallId', 'c1', 'output', pgthreads.clean_json(%(input)s))), 'next') as r"
)
_HELLO: LiteralString = '{"id": "u2", "role": "user", "parts": [{"type": "text", "text": "hi"}]}'
_OUTPUT: LiteralString = '{"toolCallId": "w", "output": "ok"}'
_GO_ON: LiteralString = (
    _TENANT + "respond_turn(t.owner, 'k', 'a1',"
    """ '[{"toolCallId": "c1", "output": "ok"}]', 'next') as r"""
)
_NEXT_JOURNAL: LiteralString = _TENANT + "write_journal(t.owner, 'k', 'next', 0, %(input)s) as w"
# The rows are like those of append_thread, which would take long for thousands of branches.
_HISTORY: Sequence[LiteralString] = (
    "insert into pgthreads.thread (owner_user_id, state_key) values ('ada', 'k')",
    "insert into pgthreads.message"
    " (owner_user_id, state_key, seq, message_id, message, digest, parent_seq)"
    " select 'ada', 'k', p.seq, 'm' || p.seq, json_build_object('id', 'm' || p.seq, 'role',"
    " (array['user', 'assistant'])[1 + p.seq %% 2], 'parts', '[]'::json), '',"
    " nullif(nullif(p.parent::int, p.seq - 1), 0)"
    " from jsonb_array_elements(%(input)s::jsonb) with ordinality as p (parent, seq)",
    "update pgthreads.thread set message_count = jsonb_array_length(%(input)s::jsonb)",
)


@dataclass(frozen=True)
class Call:
    """`before` runs in the same transaction, and is not measured; both may take `%(input)s`."""

    name: str
    domain: str
    statement: LiteralString
    before: Sequence[LiteralString] = ()


def _piece(name: LiteralString, domain: str, value: LiteralString = "%(input)s") -> Call:
    return Call(name, domain, "select pgthreads." + name + "(" + value + ")")


CALLS: Sequence[Call] = (
    _piece("redact_text", "text"),
    _piece("redact_message", "message", _JSON),
    _piece("redact_json", "json", _JSON),
    _piece("is_ui_message", "message", _JSON),
    Call("clean_json", "json", "select pg_column_size(pgthreads.clean_json(%(input)s))"),
    _piece("assemble_message", "frames"),
    Call("set_tenant", "text", "select pgthreads.set_tenant(%(input)s)"),
    Call("verify_tenant_token", "text", "select pgthreads.verify_tenant_token(%(input)s)"),
    Call(
        "append_thread",
        "messages",
        _TENANT + "append_thread(t.owner, 'k', pgthreads.clean_json(%(input)s)) a",
    ),
    Call(
        "append_thread: metadata",
        "object",
        _TENANT
        + "append_thread(t.owner, 'k', '[]', null, null, pgthreads.clean_json(%(input)s)) a",
    ),
    Call("save_thread", "messages", _SAVE),
    Call("save_thread: again", "messages", _SAVE, (_SAVE,)),
    Call("begin_turn", "question", _QUESTION),
    Call(
        "begin_turn: again",
        "question",
        _TENANT + "begin_turn(t.owner, 'k', pgthreads.clean_json(%(input)s), 'other') as b",
        (_QUESTION,),
    ),
    Call(
        "begin_turn: state key",
        "text",
        _TENANT + "begin_turn(t.owner, %(input)s, '{}', 'turn') as b",
    ),
    Call(
        "begin_turn: replaces",
        "text",
        _TENANT + "begin_turn(t.owner, 'k', '{}', 'turn', p_replaces => %(input)s) as b",
    ),
    Call(
        "begin_turn: history",
        "message",
        _BEGIN,
        (_APPEND,),
    ),
    Call("begin_turn: branches", "history", _BEGIN, _HISTORY),
    Call(
        "append_thread: answer and finish_turn",
        "message",
        "select from pgthreads.set_tenant('ada') as t (owner), lateral pgthreads.append_thread("
        "t.owner, 'k', jsonb_build_array(pgthreads.clean_json(%(input)s)), null, 'turn') as a,"
        " lateral pgthreads.finish_turn(t.owner, a.state_key, 'turn', 'completed') as f",
        (_BEGIN,),
    ),
    Call(
        "complete_turn: answer",
        "message",
        _TENANT + "complete_turn(t.owner, 'k', 'turn', 'completed',"
        " pgthreads.clean_json(%(input)s)) as c",
        (_BEGIN,),
    ),
    Call(
        "complete_turn: usage",
        "object",
        _TENANT + "complete_turn(t.owner, 'k', 'turn', 'completed',"
        """ '{"id": "a", "role": "assistant", "parts": []}',"""
        " pgthreads.clean_json(%(input)s)) as c",
        (_BEGIN,),
    ),
    Call(
        "complete_turn: frames",
        "frames",
        _TENANT + "complete_turn(t.owner, 'k', 'turn', 'completed',"
        """ '{"id": "a", "role": "assistant", "parts": []}', null, null, 0, %(input)s) as c""",
        (_BEGIN,),
    ),
    Call(
        "finish_turn: usage",
        "object",
        _TENANT + "finish_turn(t.owner, 'k', 'turn', 'completed',"
        " pgthreads.clean_json(%(input)s)) as f",
        (_BEGIN,),
    ),
    Call(
        "finish_turn: error code",
        "text",
        _TENANT + "finish_turn(t.owner, 'k', 'turn', 'failed', null, %(input)s) as f",
        (_BEGIN,),
    ),
    Call("pause_turn: answer", "waiting", _PAUSE_INPUT, (_BEGIN,)),
    Call(
        "pause_turn: again",
        "waiting",
        _PAUSE_INPUT,
        (_BEGIN, _PAUSE_INPUT),
    ),
    Call(
        "read_open_answer",
        "waiting",
        _TENANT + "read_open_answer(t.owner, 'k') as r",
        (_BEGIN, _PAUSE_INPUT),
    ),
    Call(
        "read_open_answer: response",
        "json",
        _TENANT + "read_open_answer(t.owner, 'k') as r",
        (_BEGIN, _PAUSE, _RESPOND),
    ),
    Call(
        "load_thread: open answer",
        "waiting",
        _TENANT + "load_thread(t.owner, 'k') as l",
        (_BEGIN, _PAUSE_INPUT),
    ),
    Call(
        "request_stop: open answer",
        "waiting",
        _TENANT + "request_stop(t.owner, 'k') as s",
        (_BEGIN, _PAUSE_INPUT),
    ),
    Call(
        "append_thread: open answer",
        "waiting",
        _TENANT + "append_thread(t.owner, 'k', '[" + _HELLO + "]') as a",
        (_BEGIN, _PAUSE_INPUT),
    ),
    Call(
        "soft_delete_thread: open answer",
        "waiting",
        _TENANT + "soft_delete_thread(t.owner, 'k') as s",
        (_BEGIN, _PAUSE_INPUT),
    ),
    Call(
        "reap_turns: open answer",
        "waiting",
        "select from pgthreads.reap_turns(10)",
        (
            _BEGIN,
            _PAUSE_INPUT,
            "update pgthreads.open_answer set open_since = now() - interval '1 year'",
        ),
    ),
    Call(
        "request_stop: continued",
        "frames",
        _TENANT + "request_stop(t.owner, 'k') as s",
        (_BEGIN, _PAUSE, _GO_ON, _NEXT_JOURNAL, _LATE),
    ),
    Call(
        "complete_turn: continued",
        "message",
        _TENANT + "complete_turn(t.owner, 'k', 'next', 'completed',"
        """ pgthreads.clean_json(%(input)s) || '{"id": "a1"}') as c""",
        (_BEGIN, _PAUSE, _GO_ON),
    ),
    Call("respond_turn: output", "json", _RESPOND, (_BEGIN, _PAUSE)),
    Call("respond_turn: again", "json", _RESPOND, (_BEGIN, _PAUSE, _RESPOND)),
    Call(
        "respond_turn: answer",
        "waiting",
        _TENANT + "respond_turn(t.owner, 'k', 'm1', '[" + _OUTPUT + "]', 'next') as r",
        (_BEGIN, _PAUSE_INPUT),
    ),
    Call(
        "respond_turn: responses",
        "json",
        _TENANT + "respond_turn(t.owner, 'k', 'a1', pgthreads.clean_json(%(input)s)) as r",
        (_BEGIN, _PAUSE),
    ),
    Call(
        "respond_turn: message id",
        "text",
        _TENANT + "respond_turn(t.owner, 'k', %(input)s, '[]', 'next') as r",
        (_BEGIN, _PAUSE),
    ),
    Call(
        "keep_answer",
        "message",
        _TENANT + "keep_answer(t.owner, 'k', 'turn', pgthreads.clean_json(%(input)s), 'late') as f",
        (_BEGIN,),
    ),
    Call("write_journal", "frames", _JOURNAL, (_BEGIN,)),
    Call("read_journal", "frames", _TENANT + "read_journal(t.owner, 'k') as r", (_BEGIN, _JOURNAL)),
    Call(
        "reap_turns",
        "frames",
        "select from pgthreads.reap_turns(10)",
        (_BEGIN, _JOURNAL, _LATE),
    ),
    Call(
        "update_thread: title",
        "text",
        _TENANT + "update_thread(t.owner, 'k', %(input)s) as u",
        (_BEGIN,),
    ),
    Call(
        "update_thread: metadata",
        "object",
        _TENANT + "update_thread(t.owner, 'k', null, pgthreads.clean_json(%(input)s)) as u",
        (_BEGIN,),
    ),
    Call(
        "list_threads: cursor",
        "text",
        _TENANT + "list_threads(t.owner, 50, %(input)s) as l",
    ),
    Call("read_share", "text", "select from pgthreads.read_share(%(input)s) as r"),
    Call("changed_threads", "text", _TENANT + "changed_threads(t.owner, %(input)s) as c"),
    _piece("change_cursor", "text"),
    Call(
        "read_share: stored",
        "message",
        "select from pgthreads.read_share(repeat('A', 43)) as r",
        (
            _APPEND,
            _TENANT + "share_thread(t.owner, 'k') as s",
            "update pgthreads.share set token_sha256 = sha256(convert_to(repeat('A', 43), 'UTF8'))",
        ),
    ),
    Call(
        "search_titles",
        "text",
        _TENANT + "search_titles(t.owner, %(input)s) as s",
        (_BEGIN,),
    ),
    Call("search_threads", "text", _TENANT + "search_threads(t.owner, %(input)s) as s", (_BEGIN,)),
    Call(
        "search_threads: stored",
        "message",
        _TENANT + "search_threads(t.owner, 'the quick brown fox') as s",
        (_APPEND,),
    ),
    Call("load_thread", "message", _TENANT + "load_thread(t.owner, 'k') as l", (_APPEND,)),
    Call(
        "load_thread: leaf", "text", _TENANT + "load_thread(t.owner, 'k', null, null, %(input)s) l"
    ),
    Call("read_thread", "message", _TENANT + "read_thread(t.owner, 'k') as l", (_APPEND,)),
    Call(
        "read_thread_details",
        "messages",
        _TENANT + "read_thread_details(t.owner, 'k') as l",
        (_SAVE,),
    ),
    Call("read_messages", "messages", _TENANT + "read_messages(t.owner, 'k') as l", (_SAVE,)),
    Call("verify_thread", "messages", _TENANT + "verify_thread(t.owner, 'k') as l", (_SAVE,)),
    Call("ai_threads: messages", "messages", _AI_THREADS, (_SAVE,)),
    Call("read_thread: branches", "history", _TENANT + "read_thread(t.owner, 'k') as r", _HISTORY),
    Call("list_branches", "history", _TENANT + "list_branches(t.owner, 'k') as b", _HISTORY),
    Call(
        "ai_threads",
        "history",
        _AI_THREADS,
        _HISTORY,
    ),
)
