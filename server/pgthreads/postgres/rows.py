"""A class for each kind of row of the SQL functions; docs/sql-api.md explains the columns."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class BegunTurn:
    """What `begin_turn` returned.

    `outcome` is `started`, `running`, `answered` or `waiting`. `turn_id` is the id of the turn that
    runs, which may be the one that the message waits for. `history` is a UIMessage[] and `answer` a
    UIMessage, both as UTF-8 JSON. `max_message_bytes` is the limit for the answer.
    """

    outcome: str
    state_key: str
    turn_id: str | None
    message_count: int
    max_message_bytes: int | None
    history: bytes | None
    answer: bytes | None


@dataclass(frozen=True, slots=True)
class RespondedTurn:
    """What `respond_turn` returned.

    `outcome` is `started`, `running`, `waiting` or `answered`. `history`, a UIMessage[], is that of
    `begin_turn`, and `answer`, a UIMessage, has the responses in it. `responses` are those to the
    calls that waited. All three are UTF-8 JSON.
    """

    outcome: str
    turn_id: str | None
    message_count: int
    max_message_bytes: int | None
    history: bytes | None
    answer: bytes | None
    responses: bytes | None


@dataclass(frozen=True, slots=True)
class OpenAnswer:
    """What `read_open_answer` returned: a UIMessage, and the calls that wait in it, as UTF-8 JSON.

    A call has `respondedBy` if it has had its response.
    """

    message_id: str
    message: bytes
    calls: bytes


@dataclass(frozen=True, slots=True)
class TurnState:
    """What `extend_turn` returned. `alive` says whether the turn is still the caller's."""

    alive: bool
    stop_requested: bool


class TurnKey(NamedTuple):
    """Names a turn for the functions about turns."""

    owner_user_id: str
    state_key: str
    turn_id: str


class SiteNote(NamedTuple):
    """A row of `site_notes`. `topic` is `login setting` or `compression`."""

    topic: str
    note: str


class JournalPiece(NamedTuple):
    """What a turn has sent: frames as text, and the offset in bytes at which they begin."""

    key: TurnKey
    offset: int
    frames: str


@dataclass(frozen=True, slots=True)
class JournalState:
    """What `write_journal` returned. `end_offset` is where the writer goes on, in bytes."""

    alive: bool
    stop_requested: bool
    end_offset: int


@dataclass(frozen=True, slots=True)
class JournalRead:
    """What `read_journal` returned. After the end, `answer` is a UIMessage as UTF-8 JSON."""

    turn_id: str
    status: str
    error_code: str | None
    end_offset: int
    frames: str | None
    answer: bytes | None


@dataclass(frozen=True, slots=True)
class RunningTurn(JournalRead):
    """A running turn, and `begun`, the open answer that it goes on with: a UIMessage as JSON."""

    begun: bytes | None


@dataclass(frozen=True, slots=True)
class ThreadHeader:
    """A thread without its messages. `metadata` is an object as UTF-8 JSON."""

    state_key: str
    title: str | None
    message_count: int
    metadata: bytes
    created_at: datetime
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class ChangedThread(ThreadHeader):
    """A thread after a change. `archived_at` is None if it is in the list."""

    archived_at: datetime | None


@dataclass(frozen=True, slots=True)
class ThreadState(ThreadHeader):
    """A thread and what happens in it: a turn is `running`, or an answer is `waiting`."""

    running: bool
    waiting: bool
    archived_at: datetime | None


@dataclass(frozen=True, slots=True)
class ListedThread(ThreadState):
    """A row of a list. The last row of a page has a `next_cursor` if another page follows."""

    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class ExportedMessage:
    """A row of `export_thread`: a UIMessage as UTF-8 JSON. A waiting answer has no `created_at`."""

    seq: int
    message: bytes
    created_at: datetime | None
    head_seq: int


@dataclass(frozen=True, slots=True)
class Share:
    """A link to a thread, which shows its messages up to `head_seq`."""

    share_id: str
    title: str | None
    head_seq: int
    created_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class NewShare(Share):
    """A link with its token, which the database does not store."""

    token: str


@dataclass(frozen=True, slots=True)
class SharedThread:
    """What a link shows. `messages` is a UIMessage[] as UTF-8 JSON."""

    title: str | None
    messages: bytes
    earlier_seq: int | None
    shared_at: datetime
    expires_at: datetime


@dataclass(frozen=True, slots=True)
class SearchedThread:
    """A row of `search_threads`. `message_id` and `role` are None if the best hit is the title."""

    state_key: str
    title: str | None
    message_count: int
    updated_at: datetime
    message_id: str | None
    role: str | None
    snippet: str
    hits: int


@dataclass(frozen=True, slots=True)
class FoundTitle:
    """A row of `search_titles`."""

    state_key: str
    title: str
    message_count: int
    updated_at: datetime


@dataclass(frozen=True, slots=True)
class StoredThread(ThreadHeader):
    """A thread with its messages, a UIMessage[] as UTF-8 JSON.

    `messages` is None if the caller knows this `digest`. `earlier_seq` is the `before_seq` of the
    window before this one, and None at the beginning.
    """

    digest: str
    messages: bytes | None
    earlier_seq: int | None


@dataclass(frozen=True, slots=True)
class Branch:
    """A branch, named by its last message. `message_count` counts from the first message."""

    leaf_id: str
    created_at: datetime
    message_count: int


@dataclass(frozen=True, slots=True)
class ThreadChange:
    """A thread that has changed, as it is now; a row of `changed_threads`.

    Without a `state_key` it says that the threads have to be listed again. Of a deleted thread
    there is only the key. `version` differs with each change of a thread.
    """

    state_key: str | None
    title: str | None
    message_count: int | None
    created_at: datetime | None
    updated_at: datetime | None
    running: bool | None
    waiting: bool | None
    deleted: bool | None
    turn_id: str | None
    archived_at: datetime | None
    version: str


@dataclass(frozen=True, slots=True)
class ThreadChanges:
    """The threads of one owner that have changed, and the cursor for what comes after that."""

    cursor: str
    threads: list[ThreadChange]
