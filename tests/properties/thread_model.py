"""A model of the functions of threads and messages (docs/sql-api.md), over a `View`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from tests.properties.message_model import (
    assemble,
    closed,
    continued,
    is_message,
    json_text,
    redact,
)
from tests.properties.world import Json, Message, OpenAnswer, Refused, Thread, Turn, View

MAX_MESSAGES = 9
MAX_MESSAGE_BYTES = 2000
MAX_METADATA_BYTES = 65_536
MAX_QUEUED = 2
"""Limits that the tests set in `config`, low enough to be reached."""


def require_key(key: str | None) -> str:
    """Raise THKEY for what is not a state key."""
    if key is None or not re.fullmatch(r"[a-zA-Z0-9_-]{1,128}", key):
        raise Refused("THKEY")
    return key


def running_turn(view: View, owner: str, key: str) -> str | None:
    """Return the id of the turn that runs, as this statement sees it."""
    for item in view.items("turn", owner, key):
        if view.get(item).status == "running":
            return item[3]
    return None


def shown_head(view: View, owner: str, key: str) -> int:
    """Return the seq up to which the newest branch is shown: the question of a turn that answers it
    again and has stored nothing yet, or otherwise the last message."""
    count = len(view.get(("thread", owner, key)).messages)
    running = running_turn(view, owner, key)
    turn: Turn | None = None if running is None else view.get(("turn", owner, key, running))
    return turn.user_seq if turn is not None and turn.live and turn.begun_count == count else count


def open_answer(view: View, owner: str, key: str) -> OpenAnswer | None:
    """Return the answer that waits or is continued, as this statement sees it."""
    found: OpenAnswer | None = view.get(("open", owner, key))
    return found


def shown_answer(view: View, owner: str, key: str) -> OpenAnswer | None:
    """Return the open answer unless a turn continues it, because then readers see the question."""
    running = running_turn(view, owner, key)
    if running is not None and view.get(("turn", owner, key, running)).live:
        return None
    return open_answer(view, owner, key)


def close(view: View, owner: str, key: str, status: str | None) -> int:
    """`close_answer`: append the open answer with all calls ended, or keep it aside."""
    waits = open_answer(view, owner, key)
    if waits is None:
        return 0
    view.put(("open", owner, key), None)
    body = redact(closed(waits.body, status))
    if len(json_text(body).encode()) > MAX_MESSAGE_BYTES:
        late = ("late", owner, key, waits.turn_id)
        if view.get(late) is None:
            view.put(late, (json_text(body), "open_refused"))
        return 0
    thread: Thread = view.get(("thread", owner, key))
    stored = Message(body["id"], body, waits.user_seq)
    messages = (*thread.messages, stored)
    changed = replace(thread, messages=messages, touched=thread.touched + 1)
    view.put(("thread", owner, key), changed)
    return 1


def append(
    view: View,
    owner: str,
    key: str | None,
    messages: Json,
    expected: int | None = None,
    turn_id: str | None = None,
    metadata: Json = None,
    parent_id: str | None = None,
) -> tuple[str, int, int]:
    """`append_thread`."""
    key = require_key(key)
    batch = prepared(messages)
    item = ("thread", owner, key)
    thread: Thread | None = view.lock(item)
    if thread is None and not expected and turn_id is None:
        view.insert(item, thread := Thread())
    thread = thread or Thread()
    count = len(thread.messages)
    if thread.deleted:
        raise Refused("THDEL")
    new = _unknown(thread, batch)
    if batch and not new:
        return key, count, 0
    if expected is not None and expected != count:
        raise Refused("THCNT")
    running = running_turn(view, owner, key)
    if turn_id is None and running is not None:
        if view.lock(("turn", owner, key, running)).live:
            raise Refused("THTRN")
        abandon(view, owner, key)
        return append(view, owner, key, messages, None, None, metadata, parent_id)
    if turn_id is None and new and open_answer(view, owner, key) is not None:
        close(view, owner, key, "stopped")
        return append(view, owner, key, messages, None, None, metadata, parent_id)
    parent = _parent(view, owner, key, thread, turn_id, parent_id)
    if count + len(new) > MAX_MESSAGES:
        raise Refused("THMAX")
    waits = open_answer(view, owner, key)
    if turn_id is not None and new and waits is not None:
        if new[0]["id"] != waits.message_id:
            raise Refused("THMSG")
        view.put(("open", owner, key), None)
    if new or metadata is not None:
        stored = [
            Message(body["id"], body, parent if n == 0 else count + n) for n, body in enumerate(new)
        ]
        title = thread.title
        if title is None and not any(each.role == "user" for each in thread.messages):
            title = _title(new)
        view.put(
            item,
            replace(
                thread,
                messages=(*thread.messages, *stored),
                title=title,
                metadata=merge(thread.metadata, metadata),
                archived=thread.archived and (turn_id is not None or not new),
                touched=thread.touched + 1,
            ),
        )
    return key, count + len(new), len(new)


def prepared(messages: Json) -> list[Json]:
    """Return the messages as they would be stored, each id once."""
    if not isinstance(messages, list):
        raise Refused("THMSG")
    if len(messages) > MAX_MESSAGES:
        raise Refused("THMAX")
    for message in messages:
        if not is_message(message):
            raise Refused("THMSG")
        if len(json_text(message).encode()) > MAX_MESSAGE_BYTES:
            raise Refused("THMAX")
    # Only messages that could be stored are compared with each other.
    batch: dict[str, Json] = {}
    for body in map(redact, messages):
        if batch.setdefault(body["id"], body) != body:
            raise Refused("THDUP")
    return list(batch.values())


def _unknown(thread: Thread, batch: Sequence[Json]) -> list[Json]:
    new = []
    for body in batch:
        seq = thread.seq_of(body["id"])
        if seq is None:
            new.append(body)
        elif thread.messages[seq - 1].body != body:
            raise Refused("THDUP")
    return new


def _parent(
    view: View, owner: str, key: str, thread: Thread, turn_id: str | None, parent_id: str | None
) -> int:
    """Return what the first new message continues, if the turn may append."""
    count = len(thread.messages)
    if turn_id is not None:
        turn = view.get(("turn", owner, key, turn_id))
        if running_turn(view, owner, key) != turn_id or not turn.live:
            raise Refused("THLST")
        return int(turn.user_seq) if count == turn.begun_count else count
    if parent_id is None:
        return count
    parent = 0 if parent_id == "" else thread.seq_of(parent_id)
    if parent is None:
        raise Refused("THNON")
    return parent


def abandon(view: View, owner: str, key: str) -> None:
    """`abandon_turn` of the running turn: its journal becomes its answer, if that can be stored."""
    thread = view.lock(("thread", owner, key))
    item = ("turn", owner, key, running_turn(view, owner, key) or "")
    turn: Turn | None = view.get(item)
    if thread is None or turn is None or turn.live:
        return
    view.lock(item)
    journal, error_code = view.get(("journal", *item[1:])) or "", None
    waits = open_answer(view, owner, key)
    answer = assemble(journal) if waits is None else continued(waits.body, journal)
    if answer is not None:
        answer = {"id": item[3]} | answer
        view.put(item, replace(turn, live=True))
        try:
            append(view, owner, key, [answer], None, item[3])
        except Refused:
            late, error_code = ("late", *item[1:]), "partial_refused"
            if view.get(late) is None:
                view.put(late, (json_text(redact(answer)), error_code))
            answer = None
    if turn.continues is not None and close(view, owner, key, "abandoned"):
        answer = {"id": turn.continues}
    answer_id = None if answer is None else answer["id"]
    view.put(item, replace(turn, status="abandoned", answer_id=answer_id, error_code=error_code))


def _title(bodies: Sequence[Json]) -> str | None:
    for body in bodies:
        parts = body["parts"] if body["role"] == "user" else []
        texts = [part["text"] for part in parts if part["type"] == "text"]
        # Every file in these tests has a name.
        names = [part["filename"] for part in parts if part["type"] == "file"]
        for words in (*texts, *names):
            title = re.sub(r"\s+", " ", words.strip())[:80].strip(" ")
            if title:
                return title
    return None


def merge(metadata: Json, changes: Json) -> Json:
    """Return the metadata with these keys merged into it. Raises THMSG, THMAX."""
    if changes is None:
        return metadata
    if not isinstance(changes, dict):
        raise Refused("THMSG")
    merged = {**metadata, **redact(changes)}
    if len(json_text(merged).encode()) > MAX_METADATA_BYTES:
        raise Refused("THMAX")
    return merged


def save(
    view: View,
    owner: str,
    key: str,
    messages: Json,
    expected: int | None = None,
    metadata: Json = None,
) -> tuple[str, int, int]:
    """`save_thread`."""
    if not isinstance(messages, list):
        raise Refused("THMSG")
    require_key(key)
    item = ("thread", owner, key)
    thread: Thread | None = view.lock(item)
    if thread is None and not expected:
        view.insert(item, Thread())
    branch: list[Json] = []
    if thread is not None and not thread.deleted:
        count = len(thread.messages)
        head, waits = shown_head(view, owner, key), open_answer(view, owner, key)
        head = head if waits is None else waits.user_seq
        branch = [thread.messages[seq - 1].body for seq in thread.path(head)]
        shown = shown_answer(view, owner, key)
        branch += [] if shown is None else [shown.body]
        differs = len(messages) < len(branch) or any(
            stored != sent and not (is_message(sent) and stored == redact(sent))
            for stored, sent in zip(branch, messages, strict=False)
        )
        if branch:
            is_same = not differs and len(messages) == len(branch)
            if is_same and (metadata is None or (expected is not None and expected != count)):
                return key, count, 0
            if expected is not None and expected != count:
                raise Refused("THCNT")
            if differs:
                raise Refused("THSHR")
    rest = messages[len(branch) :]
    result = append(view, owner, key, rest, expected, metadata=metadata)
    if result[2] != len(rest):
        raise Refused("THDUP")
    return result


def require_thread(view: View, owner: str, key: str) -> Thread:
    """Lock a thread that has to exist. Raises THNON, THDEL."""
    require_key(key)
    thread: Thread | None = view.lock(("thread", owner, key))
    if thread is None:
        raise Refused("THNON")
    if thread.deleted:
        raise Refused("THDEL")
    return thread


def update(
    view: View,
    owner: str,
    key: str,
    title: str | None = None,
    metadata: Json = None,
    archived: bool | None = None,
) -> tuple[Any, ...]:
    """`update_thread`."""
    thread = require_thread(view, owner, key)
    trimmed = None if title is None else redact(title).strip(" ")
    if trimmed is not None and len(trimmed) > 200:
        raise Refused("22001")
    changed = replace(
        thread,
        title=thread.title if trimmed is None else trimmed or None,
        metadata=merge(thread.metadata, metadata),
        archived=thread.archived if archived is None else archived,
    )
    view.put(("thread", owner, key), changed)
    return key, changed.title, len(changed.messages), changed.metadata, changed.archived


def soft_delete(view: View, owner: str, key: str) -> bool:
    """`soft_delete_thread`; one that was deleted before stays unlocked."""
    item = ("thread", owner, key)
    held = set(view.locks)
    try:
        thread = require_thread(view, owner, key)
    except Refused as refused:
        if refused.sqlstate != "THDEL":
            raise
        view.locks = held
        return False
    close(view, owner, key, "stopped")
    thread = view.get(item)
    view.put(item, replace(thread, deleted=True))
    running = running_turn(view, owner, key)
    if running is not None:
        turn = view.lock(("turn", owner, key, running))
        ended = replace(turn, status="stopped", error_code="thread_deleted")
        view.put(("turn", owner, key, running), ended)
    return True
