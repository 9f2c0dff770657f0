"""What the database holds, read by a superuser with one statement per table and no function."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import class_row

from tests.faults.record import Thread


@dataclass(frozen=True, slots=True)
class StoredMessage:
    """A row of `pgthreads.message`; `body` is the stored text."""

    owner: str
    key: str
    seq: int
    message_id: str
    body: str
    digest: bytes
    parent_seq: int | None

    @property
    def message(self) -> dict[str, Any]:
        """The UIMessage."""
        message: dict[str, Any] = json.loads(self.body)
        return message

    @property
    def parent(self) -> int:
        """The seq of the message that it continues, 0 if none."""
        return self.seq - 1 if self.parent_seq is None else self.parent_seq


@dataclass(frozen=True, slots=True)
class StoredTurn:
    """A row of `pgthreads.turn`; `is_live` if it runs and its lease has not ended."""

    owner: str
    key: str
    turn_id: str
    status: str
    is_live: bool
    user_seq: int
    assistant_message_id: str | None
    error_code: str | None
    stop_requested_at: datetime | None
    started_at: datetime


@dataclass(slots=True)
class StoredThread:
    """A thread's row, its messages by seq, its turns by start, its late answers by turn.

    `open` is the answer that waits.
    """

    count: int
    head: bytes
    messages: list[StoredMessage] = field(default_factory=list)
    turns: list[StoredTurn] = field(default_factory=list)
    late: dict[str, dict[str, Any]] = field(default_factory=dict)
    open: dict[str, Any] | None = None

    def depth(self, seq: int) -> int:
        """Return how many messages the branch has that ends with this one."""
        parents = {each.seq: each.parent for each in self.messages}
        length = 0
        while seq > 0:
            length += 1
            # A broken chain must not be followed for ever.
            seq = min(parents.get(seq, 0), seq - 1)
        return length


def read(dsn: str) -> dict[Thread, StoredThread]:
    """Return every thread of the database."""
    with psycopg.connect(dsn) as connection:
        # One moment, even in a database in use.
        connection.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        rows = connection.execute(
            "select owner_user_id, state_key, message_count, head_digest from pgthreads.thread"
        )
        threads = {(owner, key): StoredThread(count, head) for owner, key, count, head in rows}
        with connection.cursor(row_factory=class_row(StoredMessage)) as messages:
            messages.execute(
                "select owner_user_id as owner, state_key as key, seq, message_id,"
                " message::text as body, digest, parent_seq from pgthreads.message order by seq"
            )
            for message in messages:
                threads[message.owner, message.key].messages.append(message)
        with connection.cursor(row_factory=class_row(StoredTurn)) as turns:
            turns.execute(
                "select owner_user_id as owner, state_key as key, turn_id, status,"
                " status = 'running' and lease_until > clock_timestamp() as is_live, user_seq,"
                " assistant_message_id, error_code, stop_requested_at, started_at"
                " from pgthreads.turn order by started_at"
            )
            for turn in turns:
                threads[turn.owner, turn.key].turns.append(turn)
        late = connection.execute(
            "select owner_user_id, state_key, turn_id, message from pgthreads.late_answer"
        )
        for owner, key, turn_id, text in late:
            threads[owner, key].late[turn_id] = json.loads(text)
        waiting = connection.execute(
            "select owner_user_id, state_key, message::text from pgthreads.open_answer"
        )
        for owner, key, text in waiting:
            threads[owner, key].open = json.loads(text)
    return threads
