"""A model of the functions that read, as docs/sql-api.md describes them, over a `View`."""

from __future__ import annotations

from typing import Any

from tests.properties.thread_model import (
    open_answer,
    require_key,
    running_turn,
    shown_answer,
    shown_head,
)
from tests.properties.world import Json, Refused, Thread, View


def _visible(view: View, owner: str, key: str) -> Thread | None:
    thread: Thread | None = view.get(("thread", owner, key))
    return None if thread is None or thread.deleted else thread


def window(
    view: View,
    owner: str,
    key: str,
    last: int | None = None,
    before: int | None = None,
    leaf_id: str | None = None,
) -> list[tuple[int, Json]]:
    """`read_messages`: seq and message of a branch, or of a window of it."""
    require_key(key)
    if (last is not None and last < 1) or (before is not None and before < 1):
        raise Refused("22023")
    thread = _visible(view, owner, key)
    if thread is None:
        return []
    waits = open_answer(view, owner, key)
    shown, head = None, thread.seq_of(leaf_id)
    if waits is not None and leaf_id in (None, waits.message_id):
        head, shown = waits.user_seq, shown_answer(view, owner, key)
    elif leaf_id is None:
        head = shown_head(view, owner, key)
    if head is None:
        raise Refused("THNON")
    rows = [(seq, thread.messages[seq - 1].body) for seq in thread.path(head)]
    rows += [] if shown is None else [(len(thread.messages) + 1, shown.body)]
    rows = [row for row in rows if before is None or row[0] < before]
    return rows if last is None else rows[-last:]


def load(view: View, owner: str, key: str, *bounds: Any) -> list[Json]:
    """`load_thread`."""
    return [body for _, body in window(view, owner, key, *bounds)]


def prompt(view: View, owner: str, key: str, last: int | None, leaf_id: str) -> list[Json]:
    """The history of a turn; if older messages are left out, it begins with a user's."""
    rows = window(view, owner, key, last, None, leaf_id)
    thread: Thread = view.get(("thread", owner, key))
    if thread.messages[rows[0][0] - 1].parent > 0:
        while rows[0][1]["role"] != "user":
            del rows[0]
    return [body for _, body in rows]


def read(view: View, owner: str, key: str, *bounds: Any) -> list[tuple[Any, ...]]:
    """`read_thread`, without times and digest."""
    rows = window(view, owner, key, *bounds)
    thread = _visible(view, owner, key)
    if thread is None:
        return []
    first = rows[0][0] if rows else 0
    has_earlier = first > len(thread.messages) or (
        first > 0 and thread.messages[first - 1].parent > 0
    )
    return [
        (
            key,
            thread.title,
            len(thread.messages),
            thread.metadata,
            [body for _, body in rows],
            first if has_earlier else None,
        )
    ]


def branches(view: View, owner: str, key: str) -> list[tuple[str, int, int]]:
    """`list_branches`: id, seq and length of each branch's last message, the newest first."""
    require_key(key)
    thread = _visible(view, owner, key)
    if thread is None:
        return []
    parents = {message.parent for message in thread.messages}
    return [
        (thread.messages[seq - 1].message_id, seq, len(thread.path(seq)))
        for seq in range(len(thread.messages), 0, -1)
        if seq not in parents
    ]


def listed(view: View, owner: str, archived: bool | None) -> dict[str, tuple[Any, ...]]:
    """What `list_threads` returns for each of the owner's threads, without times and order."""
    found = {}
    for item in view.items("thread", owner):
        key = item[2]
        thread = _visible(view, owner, key)
        if thread is not None and archived in (None, thread.archived):
            turn_id = running_turn(view, owner, key)
            is_running = turn_id is not None and view.get(("turn", owner, key, turn_id)).live
            waits = open_answer(view, owner, key) is not None and not is_running
            found[key] = (thread.title, len(thread.messages), thread.metadata, is_running, waits)
    return found


def verify(view: View, owner: str, key: str) -> tuple[bool, int, None]:
    """`verify_thread`: everything always fits."""
    require_key(key)
    thread = _visible(view, owner, key)
    if thread is None:
        raise Refused("THNON")
    return True, len(thread.messages), None
