"""Takes from the body of a chat request what counts.

CLIENT_SENDS_USER_ONLY: of everything that a client sends, only the text and file parts of the last
user message are used. `begin_turn` checks them, and refuses any other role or part. The id of the
message before that one says where the page continues the thread; nothing else of it is used.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from itertools import compress

import msgspec
from msgspec import Raw, Struct
from nanoid import generate

from ..errors import BadRequestError, LimitError, MessageError, StateKeyError
from ..events import JsonText
from ..message.wire import Shown
from ..settings import BUSY_POLICIES, STALE_POLICIES
from ..turns.begin import ChatRequest
from ..turns.respond import Claim, Continuation
from .bodies import ABSENT, Body, is_given, is_list, is_object, json_text, string_of

USER_PARTS = frozenset(("text", "file"))
MAX_ID = 256
MAX_TURN_ID = 128

MAX_MESSAGES = 50_000
"""How many messages a body may have.

It is no setting, because nobody needs another value. A UIMessage has at least 60 bytes, so a body
of the default size hardly holds more; a thread has 10,000 messages by default; and a client may
always send the last message alone.
"""


class ChatBody(Body):
    """The body of a chat request."""

    id: Raw = ABSENT
    state_key: Raw = ABSENT
    message: Raw = ABSENT
    messages: Raw = ABSENT
    message_id: Raw = ABSENT
    parent_id: Raw = ABSENT
    turn_id: Raw = ABSENT
    trigger: Raw = ABSENT
    model: Raw = ABSENT
    on_busy: Raw = ABSENT
    on_stale: Raw = ABSENT
    approvals: Raw = ABSENT


class _Message(Struct, gc=False):
    id: Raw = ABSENT
    role: Raw = ABSENT
    parts: Raw = ABSENT
    metadata: Raw = ABSENT


class _Part(Struct, gc=False):
    type: Raw = ABSENT


class _Call(Struct, gc=False, rename="camel"):
    """A part of an answer, of which only what it may say of a tool call is read."""

    type: Raw = ABSENT
    tool_call_id: Raw = ABSENT
    state: Raw = ABSENT
    approval: Raw = ABSENT
    output: Raw = ABSENT
    error_text: Raw = ABSENT


class _Approval(Struct, gc=False):
    approved: Raw = ABSENT
    reason: Raw = ABSENT


@dataclass(frozen=True, slots=True)
class _Question:
    """The last user message, whether the page shows none after it, and the id of the one before."""

    message: _Message
    is_last: bool
    before: str | None = None


def chat_request(body: ChatBody) -> ChatRequest:
    """Take from the body of a chat request what counts. Raises MessageError, BadRequestError."""
    model = _model(body)
    turn_id = string_of(body.turn_id)
    if is_given(body.turn_id) and not _is_id(turn_id, MAX_TURN_ID):
        raise BadRequestError(f"turnId is not a string of 1 to {MAX_TURN_ID} characters")
    question = _question(body)
    regenerate = string_of(body.trigger) == "regenerate-message"
    replaces = string_of(body.message_id)
    is_edit = question.is_last and string_of(question.message.id) == replaces
    if not regenerate and not is_edit:
        replaces = None
    on_stale = _choice("onStale", body.on_stale, STALE_POLICIES)
    parent_id = string_of(body.parent_id)
    if not is_given(body.parent_id):
        parent_id = question.before
    elif parent_id == "" or _is_id(parent_id, MAX_ID):
        on_stale = "branch"
    else:
        raise BadRequestError(f"parentId is not a string of at most {MAX_ID} characters")
    return ChatRequest(
        message=_sent(question.message),
        model=model,
        replaces=replaces,
        regenerate=regenerate,
        on_busy=_choice("onBusy", body.on_busy, BUSY_POLICIES),
        parent_id=parent_id,
        on_stale=on_stale,
        turn_id=turn_id,
        approvals=_knows_approvals(body),
    )


def continuation(body: ChatBody) -> Continuation | None:
    """Return what a client says of an answer that it sends back; None if it asks a question.

    `sendAutomaticallyWhen` of the AI SDK sends such a request when the calls of an answer have
    their responses or results: the last message is then the answer, and `messageId` names it.
    Raises MessageError, BadRequestError.
    """
    message_id = string_of(body.message_id)
    if message_id is None or is_given(body.message):
        return None
    if string_of(body.trigger) == "regenerate-message":
        return None
    messages = _messages(body.messages)
    last = messages[-1] if messages else None
    if last is None or string_of(last.role) != "assistant" or string_of(last.id) != message_id:
        return None
    try:
        parts = msgspec.json.decode(last.parts, type=list[_Call]) if bytes(last.parts) else []
    except msgspec.DecodeError as error:
        raise MessageError("the answer's parts are not a list of objects") from error
    shown = [part for part in parts if bytes(part.type) != b'"step-start"']
    calls = [(string_of(part.tool_call_id), string_of(part.state), part) for part in shown]
    return Continuation(
        message_id=message_id,
        shown=Shown(len(shown), {id_: state for id_, state, _ in calls if id_ and state}),
        claims=[
            Claim(call_id, state, _response(part, state))
            for call_id, state, part in calls
            if call_id is not None and state in _RESPONDED
        ],
        model=_model(body),
        approvals=_knows_approvals(body),
    )


_RESPONDED = ("approval-responded", "output-available", "output-error")


def _response(part: _Call, state: str) -> JsonText:
    """Return what a part says as a response. The database refuses it if something is missing."""
    given = {"toolCallId": part.tool_call_id}
    if state == "output-available":
        given["output"] = part.output
    elif state == "output-error":
        given["errorText"] = part.error_text
    elif is_object(part.approval):
        approval = msgspec.json.decode(part.approval, type=_Approval)
        given |= {"approved": approval.approved, "reason": approval.reason}
    fields = [b'"%b": %b' % (name.encode(), value) for name, value in given.items() if bytes(value)]
    return json_text(b"{%b}" % b", ".join(fields))


def _model(body: ChatBody) -> str | None:
    model = string_of(body.model)
    if is_given(body.model) and (model is None or len(model) > 200):
        raise BadRequestError("model is not a string of at most 200 characters")
    return model


def state_key_of(body: ChatBody) -> str | None:
    """Return `stateKey`, or the chat's `id`, which is all that an unchanged `useChat` sends.

    Raises StateKeyError if it is not a string.
    """
    key = body.state_key if is_given(body.state_key) else body.id
    if not is_given(key):
        return None
    text = string_of(key)
    if text is None:
        raise StateKeyError("the state key is not a string")
    return text


def _is_id(value: str | None, longest: int) -> bool:
    """Whether this can be an id in the database."""
    return value is not None and 1 <= len(value) <= longest and "\0" not in value


def _choice(name: str, raw: Raw, choices: tuple[str, ...]) -> str | None:
    value = string_of(raw)
    if is_given(raw) and value not in choices:
        raise BadRequestError(f"{name} is not one of {', '.join(choices)}")
    return value


def _knows_approvals(body: ChatBody) -> bool:
    """Whether the page can ask for approvals, which AI SDK 5 cannot. It can unless it says no."""
    if is_given(body.approvals) and bytes(body.approvals) not in (b"true", b"false"):
        raise BadRequestError("approvals is neither true nor false")
    return bytes(body.approvals) != b"false"


def _question(body: ChatBody) -> _Question:
    """Return the last user message."""
    if not is_given(body.message):
        return _last_question(body)
    if string_of(body.message) is not None:
        parts = b'[{"type": "text", "text": %b}]' % bytes(body.message)
        return _Question(_Message(parts=Raw(parts)), is_last=True)
    sent = _message(body.message)
    if sent is None or string_of(sent.role) != "user":
        raise MessageError(
            "there is no user message", hint="message is a string or a UIMessage of role user"
        )
    return _Question(sent, is_last=True)


def _last_question(body: ChatBody) -> _Question:
    messages = _messages(body.messages)
    if messages is None:
        raise MessageError(
            "there is no user message", hint="send messages: UIMessage[], or message"
        )
    for place in reversed(range(len(messages))):
        message = messages[place]
        if message is not None and string_of(message.role) == "user":
            is_last = place == len(messages) - 1
            return _Question(message, is_last, _before(body, messages, place))
    raise MessageError(
        "there is no user message", hint="the last message of role user is the one that counts"
    )


def _messages(raw: Raw) -> list[_Message | None] | None:
    """Return what the page shows, with None for what is no message; None if it is no list."""
    if not is_list(raw):
        return None
    # Each message has a brace at least, and whatever is none has a comma behind it.
    if bytes(raw).count(b"{") + bytes(raw).count(b",") > MAX_MESSAGES:
        _require_messages(len(msgspec.json.decode(raw, type=list[Raw])))
    try:
        return list(msgspec.json.decode(raw, type=list[_Message]))
    except msgspec.ValidationError:
        return [_message(each) for each in msgspec.json.decode(raw, type=list[Raw])]


def _require_messages(count: int) -> None:
    if count > MAX_MESSAGES:
        raise LimitError(
            "there are too many messages in the body",
            hint=f"send at most {MAX_MESSAGES}; the last one is all that is needed",
        )


def _message(raw: Raw) -> _Message | None:
    return msgspec.json.decode(raw, type=_Message) if is_object(raw) else None


def _before(body: ChatBody, messages: list[_Message | None], place: int) -> str | None:
    """Return the id of the message before the question, "" if the question is the first one."""
    if place == 0:
        # The AI SDK's own transport names a trigger and sends everything that the page shows.
        # Others send only the last message, which does not say where it belongs.
        return "" if string_of(body.trigger) is not None else None
    known = messages[place - 1]
    before = None if known is None else string_of(known.id)
    return before if _is_id(before, MAX_ID) else None


def _sent(message: _Message) -> JsonText:
    """Return what is taken of a user message, as JSON of the bytes that came."""
    given = bytes(message.id) or json.dumps(generate()).encode()
    metadata = b', "metadata": %b' % bytes(message.metadata) if is_object(message.metadata) else b""
    return json_text(
        b'{"id": %b, "role": "user", "parts": %b%b}' % (given, _taken(message.parts), metadata)
    )


def _taken(parts: Raw) -> bytes:
    """Leave out the parts that are none of a user's. What is no part, the database refuses."""
    try:
        types = [bytes(each.type) for each in msgspec.json.decode(parts, type=list[_Part])]
    except msgspec.DecodeError:
        return bytes(parts) or b"null"
    is_taken = {each: _is_taken(each) for each in set(types)}
    if all(is_taken.values()):
        return bytes(parts)
    every = msgspec.json.decode(parts, type=list[Raw])
    return b"[%b]" % b",".join(compress(every, map(is_taken.__getitem__, types)))


def _is_taken(kind: bytes) -> bool:
    text = string_of(Raw(kind))
    return text is None or text in USER_PARTS
