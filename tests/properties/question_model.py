"""A model of which question a turn answers, as docs/sql-api.md describes it, over a `View`."""

from __future__ import annotations

import re
from dataclasses import dataclass
from hashlib import sha256
from typing import TypeAlias

from tests.properties.message_model import is_message, json_text, redact
from tests.properties.thread_model import abandon, open_answer, require_key, running_turn
from tests.properties.world import Json, Refused, Thread, Turn, View

STALE_POLICIES = ("append", "branch", "reject")
STRICT = ("branch", "reject")
"""The policies that look at the parent."""


@dataclass(frozen=True)
class Asked:
    """The question: stored at `seq`, or `message` to be appended behind `parent_id`.

    `answer` is the seq of the answer that the same call got before.
    """

    seq: int | None = None
    stored_id: str | None = None
    message: Json = None
    parent_id: str | None = None
    anew: bool = False
    attaches: bool = False
    answer: int | None = None

    @property
    def message_id(self) -> str:
        """The id under which it is stored, or will be."""
        return str(self.stored_id or self.message["id"])


def user_message(message: Json) -> Json:
    """Return the parts of a client's message that count. Raises THMSG."""
    if not is_message(message) or message["role"] != "user":
        raise Refused("THMSG")
    parts = []
    for part in message["parts"]:
        if part["type"] == "text":
            parts.append({"type": "text", "text": part["text"]})
        elif part["type"] == "file":
            kept = ("type", "mediaType", "url", "filename")
            parts.append({name: part[name] for name in kept if name in part})
        else:
            raise Refused("THMSG")
    if all(part["type"] == "text" and not part["text"].strip() for part in parts):
        raise Refused("THMSG")
    metadata = {"metadata": message["metadata"]} if "metadata" in message else {}
    return {"id": message["id"], "role": "user", "parts": parts} | metadata


def find(
    view: View,
    owner: str,
    key: str,
    message: Json,
    turn_id: str,
    replaces: str | None,
    regenerate: bool,
    parent_id: str | None,
    stale: str | None,
) -> Asked:
    """Find the question under the lock of its thread. Raises THDEL, THMSG, THDUP, THSTL."""
    item = ("thread", owner, key)
    if view.lock(item) is None:
        require_key(key)
        view.insert(item, Thread())
    if view.get(item).deleted:
        raise Refused("THDEL")
    running = running_turn(view, owner, key)
    if running is not None and not view.get(("turn", owner, key, running)).live:
        abandon(view, owner, key)
    thread: Thread = view.get(item)
    named = thread.seq_of(replaces)
    role = thread.messages[named - 1].role if named else None
    is_told = regenerate and stale is not None
    waits = open_answer(view, owner, key)
    is_named = waits is not None and replaces in (None, waits.message_id)
    is_wish = (regenerate or replaces is not None) and (not is_told or message is None)
    if waits is not None and is_named and is_wish:
        return _stored(thread, waits.user_seq, anew=True)
    # The question that the newest branch ends with, and where its answer begins.
    newest = question_of(thread, len(thread.messages))
    if waits is not None:
        newest = (waits.user_seq, len(thread.messages) + 1)
    if message is None or not is_told:
        seq = _of_named(thread, named, replaces)
        if seq is not None and (regenerate or role == "assistant"):
            return _stored(thread, seq, anew=True)
    if role != "user" and not is_told:
        return _new(thread, message, parent_id, stale)
    if not regenerate:
        return _edited(view, owner, key, thread, named or 0, message, newest)
    asked = _shown_last(thread, message, parent_id, stale, newest)
    if named is not None:
        question, _ = question_of(thread, named)
        if (question is None or question != asked.seq) and replaces != message["id"]:
            raise Refused("THSTL")
    if asked.seq is None:
        return asked
    turns = {each[3]: view.get(each) for each in view.items("turn", owner, key)}
    turn: Turn | None = turns.get(turn_id)
    known = turn.answer_id if turn is not None and turn.user_seq == asked.seq else None
    running = running_turn(view, owner, key)
    attaches = (
        running is not None
        and turns[running].user_seq == asked.seq
        and (running == turn_id or role == "assistant")
    )
    before = None
    if named is not None:
        before = _answered_since(thread, asked.seq, named, newest)
        if before is not None and waits is not None:
            before = len(thread.messages) + 1
    answer = thread.seq_of(known) or before
    return _stored(thread, asked.seq, anew=True, attaches=attaches, answer=answer)


Newest: TypeAlias = tuple[int | None, int | None]


def _answered_since(thread: Thread, seq: int, named: int, newest: Newest) -> int | None:
    """Return the last message if it is a later answer to the question than the named one."""
    _, answer = question_of(thread, named)
    last_question, last_answer = newest
    is_later = answer and last_answer and last_answer > answer
    return len(thread.messages) if last_question == seq and is_later else None


def question_of(thread: Thread, seq: int) -> tuple[int | None, int | None]:
    """Return the user message that a message is, or answers, and where the answer begins."""
    first = None
    while seq and thread.messages[seq - 1].role == "assistant":
        first, seq = seq, thread.messages[seq - 1].parent
    if not seq or thread.messages[seq - 1].role != "user":
        return None, None
    return seq, first


def _stored(
    thread: Thread, seq: int, *, anew: bool, attaches: bool = False, answer: int | None = None
) -> Asked:
    message_id = thread.messages[seq - 1].message_id
    return Asked(seq, message_id, anew=anew, attaches=attaches, answer=answer)


def _of_named(thread: Thread, named: int | None, replaces: str | None) -> int | None:
    """Return the named question, or that of the named answer, or that of the newest answer."""
    seq = named if replaces is not None else len(thread.messages)
    if not seq:
        return None
    target = thread.messages[seq - 1]
    if target.role == "user":
        return seq if replaces is not None else None
    is_answer = target.role == "assistant" and target.parent > 0
    return target.parent if is_answer and _role(thread, target.parent) == "user" else None


def _new(thread: Thread, message: Json, parent_id: str | None, stale: str | None) -> Asked:
    message = user_message(message)
    parent = _parent(thread, message["id"], parent_id, stale)
    return Asked(message=message, parent_id=parent)


def _parent(
    thread: Thread, message_id: str, parent_id: str | None, stale: str | None
) -> str | None:
    """Return the message that the page continues, None for the last one. Raises THSTL."""
    count = len(thread.messages)
    parent = 0 if parent_id == "" else thread.seq_of(parent_id)
    if stale not in STRICT or parent is None or thread.seq_of(message_id) is not None:
        return None
    if parent != count and parent and _role(thread, parent) == "user":
        last_question, _ = question_of(thread, count)
        if last_question and _is_family(thread, last_question, parent, str(parent_id)):
            parent = last_question
    if parent == count:
        return None
    if stale == "reject":
        raise Refused("THSTL")
    return thread.messages[parent - 1].message_id if parent else ""


def _edited(
    view: View, owner: str, key: str, thread: Thread, named: int, message: Json, newest: Newest
) -> Asked:
    """Return the sibling of the named message: the last question, or a new one."""
    message_id = thread.messages[named - 1].message_id
    last_question, last_answer = newest
    if last_question and _is_family(thread, last_question, named, message_id, message):
        running = running_turn(view, owner, key)
        runs = running is not None and (
            view.get(("turn", owner, key, running)).user_seq == last_question
        )
        if last_question != named or last_answer is None or runs:
            return _stored(thread, last_question, anew=False)
    return _sibling(thread, named, message_id, message)


def _shown_last(
    thread: Thread, message: Json, parent_id: str | None, stale: str | None, newest: Newest
) -> Asked:
    """Return the message that the page shows last and wants answered."""
    known = thread.seq_of(message["id"])
    if known is None:
        return _new(thread, message, parent_id, stale)
    if _role(thread, known) != "user":
        raise Refused("THDUP")
    last_question, _ = newest
    if last_question and _is_family(thread, last_question, known, message["id"], message):
        return _stored(thread, last_question, anew=True)
    if _is_same(thread.messages[known - 1].body, message):
        return _stored(thread, known, anew=True)
    sibling = _sibling(thread, known, message["id"], message)
    same = [
        seq
        for seq, each in enumerate(thread.messages, 1)
        if each.parent == thread.messages[known - 1].parent
        and _is_numbered(each.message_id, sibling.message_id)
    ]
    return _stored(thread, same[-1], anew=True) if same else sibling


def _sibling(thread: Thread, seq: int, message_id: str, message: Json) -> Asked:
    message = user_message(message)
    content = {name: each for name, each in redact(message).items() if name != "id"}
    digest = sha256(json_text(content).encode()).hexdigest()[:16]
    name = f"{_root(message_id)}~{digest}"
    count = sum(_is_numbered(each.message_id, name) for each in thread.messages)
    message["id"] = f"{name}.{count + 1}" if count else name
    parent = thread.messages[seq - 1].parent
    return Asked(
        message=message, parent_id=thread.messages[parent - 1].message_id if parent else ""
    )


def _is_numbered(message_id: str, name: str) -> bool:
    base = re.sub(r"\.[0-9]+$", "", name)
    return message_id == base or message_id.startswith(f"{base}.")


def _is_family(thread: Thread, seq: int, other: int, other_id: str, message: Json = None) -> bool:
    """Whether one question is a sibling of the other, under the id that a page knows."""
    candidate, root = thread.messages[seq - 1], _root(other_id)
    return (
        candidate.parent == thread.messages[other - 1].parent
        and (
            seq == other
            or candidate.message_id == root
            or candidate.message_id.startswith(f"{root}~")
        )
        and (message is None or _is_same(candidate.body, message))
    )


def _root(message_id: str) -> str:
    return re.sub(r"~[0-9a-f]{16}(\.[0-9]+)?$", "", message_id)[:200]


def _is_same(stored: Json, shown: Json) -> bool:
    return bool(redact(_content(stored)) == redact(_content(shown)))


def _content(message: Json) -> Json:
    kept = {"text": ("type", "text"), "file": ("type", "mediaType", "url", "filename")}
    parts = [
        {name: part[name] for name in kept[part["type"]] if name in part}
        for part in message["parts"]
        if part["type"] in kept
    ]
    metadata = {"metadata": message["metadata"]} if "metadata" in message else {}
    return {"parts": parts} | metadata


def _role(thread: Thread, seq: int) -> str:
    return thread.messages[seq - 1].role
