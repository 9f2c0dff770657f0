"""A model of the journal and late answers, as docs/sql-api.md describes them, over a `View`.

Nobody writes a journal inside a longer transaction, and the journal of a turn whose end is not
committed may still be written. So the model only adds to journals, and never removes anything.
Nobody reads the journal of a turn that has ended.
"""

from __future__ import annotations

from typing import Any

from tests.properties.message_model import json_text, redact
from tests.properties.thread_model import open_answer, require_key, running_turn
from tests.properties.world import Json, Refused, Thread, Turn, View


def write(
    view: View, owner: str, key: str, turn_id: str, offset: int, frames: str
) -> tuple[str, bool, bool, int]:
    """`write_journal`: turn id, alive, stop requested, where the journal ends."""
    turn: Turn | None = view.get(("turn", owner, key, turn_id))
    if turn is None or turn.status != "running":
        return turn_id, False, False, 0
    item = ("journal", owner, key, turn_id)
    known = (view.get(item) or "").encode()
    fresh = frames.encode()[len(known) - offset :] if 0 <= offset <= len(known) else b""
    if fresh:
        view.put(item, (known + fresh).decode())
    return turn_id, True, turn.stop, len(known + fresh)


def read(
    view: View, owner: str, key: str, turn_id: str | None = None, offset: int = 0
) -> list[tuple[Any, ...]]:
    """`read_journal`: turn id, status, error code, answer; end and frames while the turn runs."""
    require_key(key)
    wanted = turn_id or running_turn(view, owner, key)
    turn: Turn | None = view.get(("turn", owner, key, wanted or ""))
    if wanted is None or turn is None or (turn_id is None and not turn.live):
        return []
    if turn.status == "running" and turn.live:
        known = (view.get(("journal", owner, key, wanted)) or "").encode()
        frames = known[offset:].decode() or None
        return [(wanted, "running", turn.error_code, None, max(offset, len(known)), frames)]
    thread: Thread = view.get(("thread", owner, key))
    seq = None if thread.deleted else thread.seq_of(turn.answer_id)
    answer = None if seq is None or turn.status == "running" else thread.messages[seq - 1].body
    waits = open_answer(view, owner, key)
    if turn.status == "waiting" and seq is None and waits and waits.message_id == turn.answer_id:
        answer = waits.body
    status = "abandoned" if turn.status == "running" else turn.status
    return [(wanted, status, turn.error_code, answer, None, None)]


def keep(view: View, owner: str, key: str, turn_id: str, message: Json, reason: str) -> bool:
    """`keep_answer`."""
    require_key(key)
    if message is None or not reason:
        raise Refused("22023")
    if view.get(("thread", owner, key)) is not None:
        view.share(("thread", owner, key))
    item = ("late", owner, key, turn_id)
    if view.get(("turn", owner, key, turn_id)) is None:
        return False
    if view.get(item) is None:
        view.put(item, (json_text(redact(message)), reason))
    return True
