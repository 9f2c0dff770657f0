"""Compares the result of each step in the database with that in the model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from typing import Any

from hypothesis import note
from hypothesis.stateful import RuleBasedStateMachine, invariant

from tests.properties import strategies as some
from tests.properties.calls import Call
from tests.properties.sessions import Sessions
from tests.properties.stored import (
    keep_tickets,
    stored_journals,
    stored_late_answers,
    stored_open_answers,
    stored_responses,
    stored_rows,
)
from tests.properties.world import DEADLOCK, Given, OpenAnswer, Queue, Thread, Turn, World

_examples = count(1)


@dataclass(frozen=True)
class Sent:
    """A statement that has not been compared yet."""

    call: Call
    savepoint: bool


class ComparingMachine(RuleBasedStateMachine):
    """An empty world of two owners, and the same world in the database."""

    def __init__(self, sessions: Sessions) -> None:
        super().__init__()
        sessions.reset()
        self.sessions = sessions
        self.world = World()
        self.sent: dict[int, Sent] = {}
        self.stamps: dict[tuple[str, ...], tuple[int, Any]] = {}
        self.differs = False
        # No two examples share an owner, so no example has to clean up.
        example = next(_examples)
        self.owners = {name: f"{name}-{example}" for name in some.OWNERS}

    def send(self, at: some.Place, call: Call) -> None:
        """Send a statement on a session that does not wait; compare the state of all sessions."""
        number = at.session
        if number in self.sent:
            return
        if at.begins and number not in self.world.transactions:
            self.sessions[number].command("begin")
            self.world.begin(number)
        transaction = self.world.transactions.get(number)
        savepoint = at.savepoint and transaction is not None and not transaction.failed
        note(f"session {number}: {call}")
        expected = self.world.execute(number, call.model, savepoint=savepoint)
        self.sessions[number].start(call, savepoint=savepoint)
        self.sent[number] = Sent(call, savepoint)
        if number in self.world.waiting:
            self.settle()
            return
        found = self.sessions[number].result()
        del self.sent[number]
        self.differs = found != expected
        assert found == expected, f"{call} came to {found}, and not {expected}"
        keep_tickets(self.sessions.admin)
        if isinstance(found, str):
            # A transaction that has failed releases its locks before it ends.
            self.settle()

    def settle(self) -> None:
        """Compare what has become of the statements that waited."""
        if not self.sent:
            return
        self.sessions.settle()
        found = {}
        for number in list(self.sent):
            pending = self.sessions[number].pending
            if pending is not None and pending.done():
                found[number] = self.sessions[number].result()
        note(f"ended: {found}")
        world = next(self._orders(self.world, found), None)
        self.differs = world is None
        assert world is not None, (
            f"no order explains it: {[str(sent.call) for sent in self.sent.values()]},"
            f" of which ended {found}; the model had {self.world.waiting}"
        )
        self.world = world
        for number in found:
            del self.sent[number]
        keep_tickets(self.sessions.admin)

    def _orders(self, world: World, found: dict[int, Any]) -> Iterator[World]:
        """Yield the worlds to which statements with these results can have led."""
        if not found:
            world = world.copy()
            waiting = [number for number in self.sent if number in world.waiting]
            for number in waiting:
                sent = self.sent[number]
                world.execute(number, sent.call.model, savepoint=sent.savepoint)
                if number not in world.waiting:
                    return
            yield world
        for number, outcome in found.items():
            sent, then = self.sent[number], world.copy()
            rest = {other: each for other, each in found.items() if other != number}
            if outcome == DEADLOCK:
                then.execute(number, sent.call.model, savepoint=sent.savepoint)
                if not then.meets_cycle(number):
                    continue
                then.fail(number, savepoint=sent.savepoint)
            else:
                came_to = then.execute(number, sent.call.model, savepoint=sent.savepoint)
                if number in then.waiting or came_to != outcome:
                    continue
            yield from self._orders(then, rest)

    @invariant()
    def everything_committed_is_equal(self) -> None:
        owners = list(self.owners.values())
        threads, turns, queues = stored_rows(self.sessions.admin, owners)
        self.differs = True
        committed = self.world.committed
        expected = {item[1:]: each for item, each in committed.items() if isinstance(each, Thread)}
        assert threads.keys() == expected.keys()
        for name, thread in expected.items():
            stamp, row = threads[name]
            assert row == thread
            before = self.stamps.get(name)
            if before is not None:
                assert (stamp == before[1]) == (thread.touched == before[0])
                assert stamp >= before[1]
            self.stamps[name] = thread.touched, stamp
        assert turns == {i[1:]: each for i, each in committed.items() if isinstance(each, Turn)}
        assert queues == {
            item[1:]: each
            for item, each in committed.items()
            if isinstance(each, Queue) and each.tickets
        }
        running = {name for name, turn in turns.items() if turn.status == "running"}
        journals = {item[1:]: each for item, each in committed.items() if item[0] == "journal"}
        assert stored_journals(self.sessions.admin, owners) == {
            name: each for name, each in journals.items() if name in running
        }
        late = {item[1:]: each for item, each in committed.items() if item[0] == "late"}
        assert stored_late_answers(self.sessions.admin, owners) == late
        assert stored_open_answers(self.sessions.admin, owners) == {
            item[1:]: each for item, each in committed.items() if isinstance(each, OpenAnswer)
        }
        assert stored_responses(self.sessions.admin, owners) == {
            item[1:]: each for item, each in committed.items() if isinstance(each, Given)
        }
        self.differs = False

    def teardown(self) -> None:
        """Roll everything back, and compare the counts of an erasure."""
        if self.differs:
            self.sessions.reset()
            return
        while self.world.transactions:
            idle = next(n for n in self.world.transactions if n not in self.sent)
            self.sessions[idle].command("rollback")
            self.world.end(idle, commit=False)
            self.settle()
        self.everything_committed_is_equal()
        for owner in self.owners.values():
            self.erase_owner(owner)

    def forget(self, owner: str, *key: str) -> None:
        """Remove an owner or a thread from the model, as if it had never existed."""
        gone = (owner, *key)
        for item in list(self.world.committed):
            if item[1 : 1 + len(gone)] == gone:
                del self.world.committed[item]
                self.stamps.pop(item[1:], None)

    def erase_owner(self, owner: str) -> None:
        """Erase everything of an owner, and check that the receipt counts it."""
        row = self.sessions.admin.execute("select pgthreads.erase_owner(%s)", (owner,)).fetchone()
        assert row is not None
        of_owner = [v for i, v in self.world.committed.items() if i[1] == owner]
        threads = [each for each in of_owner if isinstance(each, Thread)]
        receipt = row[0]
        assert receipt["complete"]
        assert receipt["threads"] == len(threads)
        assert receipt["messages"] == sum(len(thread.messages) for thread in threads)
        assert receipt["turns"] == sum(isinstance(each, Turn) for each in of_owner)
        self.forget(owner)
