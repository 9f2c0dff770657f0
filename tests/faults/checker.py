"""Checks that the database holds what clients were promised, without code of the server.

Each rule is a function of one stored thread and of the record of its clients; it yields a text for
every violation.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from tests.faults.answers import complete, is_beginning
from tests.faults.record import Record, Thread
from tests.faults.snapshot import StoredMessage, StoredThread

PARTIAL = ("stopped", "failed", "abandoned")
"""`metadata.status` of answers that were not generated to their end."""


@dataclass(frozen=True, slots=True)
class Violation:
    """A violation of a rule, on a thread."""

    rule: str
    thread: Thread
    text: str


@dataclass(frozen=True, slots=True)
class Case:
    """One stored thread, and the record."""

    thread: Thread
    stored: StoredThread
    record: Record

    @property
    def answers(self) -> Iterator[StoredMessage]:
        """The assistant's messages."""
        return (each for each in self.stored.messages if each.message.get("role") == "assistant")

    @property
    def by_seq(self) -> dict[int, StoredMessage]:
        """The messages by seq."""
        return {each.seq: each for each in self.stored.messages}


Rule = Callable[[Case], Iterator[str]]


def chain(case: Case) -> Iterator[str]:
    """Seq is 1, 2, 3 without gaps, each digest fits, and the header has count and last digest."""
    digest = b""
    for place, each in enumerate(case.stored.messages, 1):
        branch = b"" if each.parent_seq is None else f"\n{each.parent_seq}".encode()
        digest = hashlib.sha256(digest + each.body.encode() + branch).digest()
        if each.seq != place:
            yield f"message {place} has seq {each.seq}"
        if each.digest != digest:
            yield f"the digest of message {each.seq} does not fit"
        if each.message.get("id") != each.message_id:
            yield f"message {each.seq} is stored under another id"
    if case.stored.count != len(case.stored.messages):
        yield f"the header counts {case.stored.count} of {len(case.stored.messages)} messages"
    if case.stored.head != digest:
        yield "the header has not the digest of the last message"


def once(case: Case) -> Iterator[str]:
    """A message id occurs once in its thread."""
    counts = Counter(each.message_id for each in case.stored.messages)
    for message_id, count in counts.items():
        if count > 1:
            yield f"message {message_id} is stored {count} times"


def acknowledged(case: Case) -> Iterator[str]:
    """A user message that was acknowledged is stored, as it was sent."""
    stored = {each.message_id: each.message for each in case.stored.messages}
    for turn in case.record.of(case.thread):
        message = stored.get(turn.message_id)
        if turn.acknowledged and message is None:
            yield f"user message {turn.message_id} was acknowledged and is not stored"
        elif message is not None and message != turn.message:
            yield f"user message {turn.message_id} is stored with other content"


def sent(case: Case) -> Iterator[str]:
    """Every user message was sent by a client."""
    known = {turn.message_id for turn in case.record.of(case.thread)}
    for each in case.stored.messages:
        if each.message.get("role") == "user" and each.message_id not in known:
            yield f"user message {each.message_id} was never sent"


def seen(case: Case) -> Iterator[str]:
    """An answer that a client saw complete is stored, unchanged, after the message it answers."""
    stored = {each.message_id: each for each in case.stored.messages}
    for message in case.record.seen[case.thread]:
        found = stored.get(message["id"])
        if found is None:
            yield f"answer {message['id']} was seen complete and is not stored"
        elif _shown(found.message) != _shown(message):
            yield f"answer {message['id']} was seen otherwise: {message}, stored {found.message}"
    for turn in case.record.of(case.thread):
        for message in turn.answers:
            found = stored.get(message["id"])
            before = case.by_seq.get(found.parent) if found else None
            if found and (before is None or before.message_id != turn.message_id):
                yield f"{turn.message_id} was answered by {message['id']}, which answers another"


def glimpsed(case: Case) -> Iterator[str]:
    """What a client saw of an answer is the beginning of that answer, if it is stored whole."""
    stored = {each.message_id: each.message for each in case.stored.messages}
    for (thread, message_id), message in case.record.glimpses.items():
        found = stored.get(message_id) if thread == case.thread else None
        if (
            found is not None
            and _status(found) not in PARTIAL
            and not is_beginning(message["parts"], found["parts"])
        ):
            yield f"the beginning of answer {message_id} was seen otherwise"


def one_answer(case: Case) -> Iterator[str]:
    """A message has one answer, whole or partial, and one more for each regeneration."""
    counts = Counter(each.parent for each in case.answers)
    for seq, count in counts.items():
        before = case.by_seq.get(seq)
        if before is None or before.message.get("role") != "user":
            yield f"an answer continues message {seq}, which is no user's"
        elif count > 1 + case.record.regenerations[case.thread, before.message_id]:
            yield f"message {before.message_id} has {count} answers"


def generated(case: Case) -> Iterator[str]:
    """An answer is what the model said to that prompt; a partial one is the beginning of it."""
    for each in case.answers:
        before = case.by_seq.get(each.parent)
        if before is None:
            continue
        whole = _whole(case, before)
        parts, status = each.message["parts"], _status(each.message)
        if status in PARTIAL and not is_beginning(parts, whole):
            yield f"partial answer {each.message_id} is not how the whole one begins: {parts}"
        elif status not in PARTIAL and parts != whole:
            yield f"answer {each.message_id} is not the whole one: {parts}, expected {whole}"


def turns(case: Case) -> Iterator[str]:
    """Each answer belongs to one turn and has its status; no turn runs without a valid lease."""
    stored = {each.message_id: each for each in case.stored.messages}
    named = Counter(
        turn.assistant_message_id for turn in case.stored.turns if turn.status != "waiting"
    )
    # Of an answer that nobody went on with, there is only the turn that left it.
    named |= Counter(
        turn.assistant_message_id for turn in case.stored.turns if turn.status == "waiting"
    )
    for each in case.answers:
        if named[each.message_id] != 1:
            yield f"answer {each.message_id} is of {named[each.message_id]} turns"
    if sum(turn.status == "running" for turn in case.stored.turns) > 1:
        yield "two turns run"
    for turn in case.stored.turns:
        if turn.status == "running" and not turn.is_live:
            yield f"turn {turn.turn_id} runs without a live lease"
        if turn.assistant_message_id is None:
            continue
        answer = stored.get(turn.assistant_message_id)
        status = None if turn.status == "completed" else turn.status
        is_open = (case.stored.open or {}).get("id") == turn.assistant_message_id
        if turn.status == "waiting" and is_open != (answer is None):
            yield f"the answer of turn {turn.turn_id} is both open and stored, or neither"
        elif turn.status == "waiting":
            continue
        elif answer is None:
            yield f"the answer of turn {turn.turn_id} is not stored"
        elif answer.parent != turn.user_seq:
            yield f"turn {turn.turn_id} answers message {turn.user_seq}, not {answer.parent}"
        elif _status(answer.message) != status:
            yield f"turn {turn.turn_id} is {turn.status}, its answer {_status(answer.message)}"


def kept(case: Case) -> Iterator[str]:
    """An answer that a model finished is stored or kept as late, unless its process was killed."""
    turns = {turn.turn_id: turn for turn in case.stored.turns}
    for turn_id, pid in case.record.generated[case.thread[1]].items():
        turn = turns.get(turn_id)
        is_stored = turn is not None and turn.status in ("completed", "stopped", "waiting")
        if not (is_stored or turn_id in case.stored.late or pid in case.record.killed):
            yield f"the answer of turn {turn_id} is lost: {turn}"
    for turn_id, message in case.stored.late.items():
        turn = turns.get(turn_id)
        before = case.by_seq.get(turn.user_seq) if turn else None
        if before is None:
            yield f"the late answer of turn {turn_id} answers nothing"
        elif not is_beginning(message["parts"], _whole(case, before)):
            yield f"the late answer of turn {turn_id} is not how the whole one begins: {message}"


def ran_once(case: Case) -> Iterator[str]:
    """A call that was approved is run once at most, whoever dies."""
    for (message_id, call_id), count in case.record.ran[case.thread[1]].items():
        if count > 1:
            yield f"call {call_id} of answer {message_id} was run {count} times"


def stopped(case: Case) -> Iterator[str]:
    """A turn is stopped only if somebody asked for it, and fails only if it began for nobody."""
    for turn in case.stored.turns:
        asked = turn.stop_requested_at is not None and case.record.stops[case.thread] > 0
        if turn.status == "stopped" and turn.error_code is None and not asked:
            yield f"turn {turn.turn_id} was stopped, and nobody asked for it"
        if turn.status == "failed" and turn.error_code != "begin_lost":
            yield f"turn {turn.turn_id} failed: {turn.error_code}"


def settled(case: Case) -> Iterator[str]:
    """Every message was settled in time, and every response was one that clients expect."""
    for turn in case.record.of(case.thread):
        if turn.outcome not in ("complete", "empty", "orphaned", "waits"):
            yield f"message {turn.message_id} is {turn.outcome}"
    for thread, text in case.record.strange:
        if thread == case.thread:
            yield f"a strange reply: {text}"


RULES: tuple[Rule, ...] = (
    chain,
    once,
    acknowledged,
    sent,
    seen,
    glimpsed,
    one_answer,
    generated,
    turns,
    kept,
    ran_once,
    stopped,
    settled,
)


def check(
    threads: dict[Thread, StoredThread], record: Record, rules: Iterable[Rule] = RULES
) -> list[Violation]:
    """Return every violation, on all threads that are stored or that clients used."""
    used = {turn.thread for turn in record.turns}
    violations = [
        Violation("kept", ("", ""), f"{name} is left")
        for name in record.spooled
        # What a kill has left of a file that was being written.
        if not (name.endswith(".partial.corrupt") and record.killed)
    ]
    for thread in sorted(threads.keys() | used):
        case = Case(thread, threads.get(thread, StoredThread(0, b"")), record)
        for rule in rules:
            violations += [Violation(rule.__name__, thread, text) for text in rule(case)]
    return violations


def _shown(message: dict[str, Any]) -> dict[str, Any]:
    """What every page shows of an answer.

    Only those that have denied a call show that it was denied. Some get an empty step at the end,
    so that they do not ask again.
    """
    parts = []
    for part in message["parts"]:
        shown = {name: value for name, value in part.items() if name != "approval"}
        if str(part.get("errorText")).startswith("The user denied this call"):
            del shown["errorText"]
            shown["state"] = "output-denied"
        parts.append(shown)
    while parts and parts[-1]["type"] == "step-start":
        parts.pop()
    return {**message, "parts": parts}


def _status(message: dict[str, Any]) -> Any:
    return message.get("metadata", {}).get("status")


def _whole(case: Case, question: StoredMessage) -> list[dict[str, Any]]:
    prompt = "".join(part.get("text", "") for part in question.message["parts"])
    return complete(prompt, case.stored.depth(question.seq))
