"""What the database holds as the model sees it: committed rows, open transactions, and row locks.

This is PostgreSQL's READ COMMITTED, as far as the functions use it. A statement sees what is
committed and what its own transaction has written. It waits for a row that another transaction has
locked or is inserting. A statement that fails leaves nothing, neither writes nor locks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any, TypeAlias

Json: TypeAlias = Any
Item: TypeAlias = tuple[str, ...]
"""A row that can be locked: `("thread", owner, key)`, `("turn", owner, key, turn_id)`. Tickets,
`("queue", owner, key)`, open answers, `("open", owner, key)`, and responses,
`("given", owner, key, message_id)`, are written under the lock of their thread.
`("share", owner, key)` is a lock of a thread's key, which others may share."""

Outcome: TypeAlias = list[tuple[Any, ...]] | str
"""The result of a statement: its rows, or the SQLSTATE with which it is refused."""

FAILED_TRANSACTION = "25P02"
DEADLOCK = "40P01"


class Refused(Exception):  # noqa: N818
    """The function refuses, with this SQLSTATE."""

    def __init__(self, sqlstate: str) -> None:
        super().__init__(sqlstate)
        self.sqlstate = sqlstate


class Waits(Exception):  # noqa: N818
    """The statement waits for a row that this session holds."""

    def __init__(self, holder: int) -> None:
        super().__init__(holder)
        self.holder = holder


@dataclass(frozen=True)
class Message:
    """A stored message: `parent` is the seq of the one it continues, 0 for none."""

    message_id: str
    body: Json
    parent: int

    @property
    def role(self) -> str:
        """Whose message it is: the user's or the assistant's."""
        return str(self.body["role"])


@dataclass(frozen=True)
class Thread:
    """A thread's header and messages. `touched` changes whenever it was appended to."""

    messages: tuple[Message, ...] = ()
    title: str | None = None
    metadata: Json = field(default_factory=dict)
    deleted: bool = False
    archived: bool = False
    touched: int = field(default=0, compare=False)

    def seq_of(self, message_id: str | None) -> int | None:
        """Return the place of a message, from 1."""
        for seq, message in enumerate(self.messages, 1):
            if message.message_id == message_id:
                return seq
        return None

    def path(self, head: int) -> list[int]:
        """Return the seqs of the branch that ends at `head`, oldest first."""
        found: list[int] = []
        while head > 0:
            found.insert(0, head)
            head = self.messages[head - 1].parent
        return found


@dataclass(frozen=True)
class Turn:
    """A turn; `live` is whether its lease has not ended."""

    user_seq: int
    begun_count: int
    status: str = "running"
    live: bool = True
    stop: bool = False
    answer_id: str | None = None
    usage: Json = None
    error_code: str | None = None
    continues: str | None = None


@dataclass(frozen=True)
class OpenAnswer:
    """An answer that waits or is continued: its calls, each with what it waits for."""

    turn_id: str
    user_seq: int
    message_id: str
    body: Json
    calls: tuple[tuple[str, str], ...]
    continued_by: str | None = None


@dataclass(frozen=True)
class Given:
    """The responses to the calls of one answer, by the calls' ids."""

    responses: dict[str, Json] = field(default_factory=dict)


@dataclass(frozen=True)
class Queue:
    """The tickets of a thread in their order: message id, and whether it still counts."""

    tickets: tuple[tuple[str, bool], ...] = ()


@dataclass
class Transaction:
    """What a session has written and locked, but not committed."""

    writes: dict[Item, Any] = field(default_factory=dict)
    locks: set[Item] = field(default_factory=set)
    failed: bool = False


@dataclass(frozen=True)
class Waiting:
    """A waiting statement: for whom it waits, and what it has locked so far."""

    holder: int
    locks: frozenset[Item]


class View:
    """What one statement of one session sees, locks and writes."""

    def __init__(self, world: World, session: int) -> None:
        self.world = world
        self.session = session
        self.writes: dict[Item, Any] = {}
        self.locks: set[Item] = set()

    @property
    def transaction(self) -> Transaction | None:
        """The session's open transaction."""
        return self.world.transactions.get(self.session)

    def get(self, item: Item) -> Any:
        """Return the visible version of a row, None if there is none."""
        if item in self.writes:
            return self.writes[item]
        if self.transaction is not None and item in self.transaction.writes:
            return self.transaction.writes[item]
        return self.world.committed.get(item)

    def items(self, *prefix: str) -> Iterator[Item]:
        """Return the visible rows whose names begin with this."""
        own = self.transaction.writes if self.transaction is not None else {}
        for item in {**self.world.committed, **own, **self.writes}:
            if item[: len(prefix)] == prefix:
                yield item

    def lock(self, item: Item) -> Any:
        """Lock a row that is visible, and return it; None if it is not. Raises Waits."""
        if self.get(item) is None:
            return None
        self._acquire(item)
        return self.get(item)

    def share(self, item: Item) -> None:
        """Lock the key of a thread that is visible, as a foreign key does. Raises Waits."""
        holder = self.world.holder(item, self.session)
        if holder is not None:
            raise Waits(holder)
        self.locks.add(("share", *item[1:]))

    def touch(self, item: Item, value: Any) -> None:
        """Write a turn that is locked without its thread.

        If the same transaction has written the row before, its foreign key is checked.
        """
        if self.transaction is not None and item in self.transaction.writes:
            self.share(("thread", *item[1:3]))
        self.writes[item] = value

    def insert(self, item: Item, value: Any) -> None:
        """Insert a row that is not visible; waits for whoever is inserting it."""
        self._acquire(item)
        self.writes[item] = value

    def put(self, item: Item, value: Any) -> None:
        """Write a row that is locked, or that the lock of its thread protects."""
        self.writes[item] = value

    def _acquire(self, item: Item) -> None:
        for each in (item, ("share", *item[1:])):
            holder = self.world.holder(each, self.session)
            if holder is not None:
                raise Waits(holder)
        self.locks.add(item)


class World:
    """Everything that is stored, the open transactions, and who waits for whom."""

    def __init__(self) -> None:
        self.committed: dict[Item, Any] = {}
        self.transactions: dict[int, Transaction] = {}
        self.waiting: dict[int, Waiting] = {}

    def copy(self) -> World:
        """Return an independent copy of the world; rows are immutable and shared."""
        twin = World()
        twin.committed = dict(self.committed)
        twin.transactions = {
            session: Transaction(dict(each.writes), set(each.locks), each.failed)
            for session, each in self.transactions.items()
        }
        twin.waiting = dict(self.waiting)
        return twin

    def holder(self, item: Item, session: int) -> int | None:
        """Return the other session that has locked or is inserting this row."""
        for other, transaction in self.transactions.items():
            if other != session and item in transaction.locks:
                return other
        for other, waiting in self.waiting.items():
            if other != session and item in waiting.locks:
                return other
        return None

    def meets_cycle(self, session: int) -> bool:
        """Whether this session waits for sessions that wait for each other.

        It need not be one of them: sessions that want the same row wait in a line, each for the one
        before it.
        """
        seen: set[int] = set()
        while session in self.waiting and session not in seen:
            seen.add(session)
            session = self.waiting[session].holder
        return session in seen

    def execute(
        self, session: int, run: Callable[[View], Outcome], *, savepoint: bool
    ) -> Outcome | None:
        """Run a statement and return its rows or its SQLSTATE; None if it is `waiting` now."""
        transaction = self.transactions.get(session)
        self.waiting.pop(session, None)
        if transaction is not None and transaction.failed:
            return FAILED_TRANSACTION
        view = View(self, session)
        try:
            result = run(view)
        except Waits as waits:
            self.waiting[session] = Waiting(waits.holder, frozenset(view.locks))
            return None
        except Refused as refused:
            self.fail(session, savepoint=savepoint)
            return refused.sqlstate
        if transaction is None:
            self.committed.update(view.writes)
        else:
            transaction.writes.update(view.writes)
            transaction.locks.update(view.locks)
        return result

    def fail(self, session: int, *, savepoint: bool) -> None:
        """A statement has failed; without a savepoint, its transaction has lost everything."""
        self.waiting.pop(session, None)
        if session in self.transactions and not savepoint:
            self.transactions[session] = Transaction(failed=True)

    def begin(self, session: int) -> None:
        """Open a transaction."""
        self.transactions[session] = Transaction()

    def end(self, session: int, *, commit: bool) -> None:
        """Close the session's transaction."""
        transaction = self.transactions.pop(session)
        if commit and not transaction.failed:
            self.committed.update(transaction.writes)
