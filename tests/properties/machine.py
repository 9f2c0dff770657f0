"""Threads and turns of two owners under several sessions, step by step against the model.

Both owners use the same state keys, message ids and turn ids. A session calls functions one by one,
or in a transaction, with or without savepoints, that is committed or rolled back. Statements of
different sessions meet: the model says which of them wait, and for whom. When a lock is released,
it says whether some order of the waiting statements explains their results. After every step
everything that is committed is compared.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis.stateful import rule

from tests.properties import strategies as some
from tests.properties.calls import (
    answer,
    append_thread,
    begin_turn,
    complete_turn,
    extend_turn,
    finish_turn,
    keep_answer,
    list_branches,
    load_thread,
    of_another_tenant,
    pause_turn,
    read_journal,
    read_messages,
    read_thread,
    request_stop,
    respond_turn,
    save_thread,
    soft_delete_thread,
    update_thread,
    verify_thread,
    write_journal,
)
from tests.properties.compare import ComparingMachine
from tests.properties.read_model import listed, load
from tests.properties.stored import expire_leases, expire_tickets
from tests.properties.thread_model import abandon, open_answer, running_turn
from tests.properties.world import Json, Queue, Thread, Turn, View


class ThreadsMachine(ComparingMachine):
    """One example: what two owners may do to two threads each."""

    # Transactions

    @rule(number=some.sessions, commit=some.commits)
    def end(self, number: int, commit: bool) -> None:
        """End a session's transaction, or another session's if this one has none."""
        open_ones = [each for each in self.world.transactions if each not in self.sent]
        if open_ones:
            number = number if number in open_ones else open_ones[0]
            self.sessions[number].command("commit" if commit else "rollback")
            self.world.end(number, commit=commit)
            self.settle()

    # Messages

    @rule(
        at=some.places,
        messages=some.batches,
        expected=some.counts,
        turn_id=some.maybe(some.turn_ids),
        metadata=some.metadata,
        parent_id=some.maybe(some.parents),
    )
    def append(self, at: some.Place, messages: Json, **options: Any) -> None:
        if options["turn_id"] is not None:
            options["turn_id"] = self._turn(at, options["turn_id"])
        arguments = [options[name] for name in ("expected", "turn_id", "metadata", "parent_id")]
        self.send(at, append_thread(self.owners[at.owner], at.key, messages, *arguments))

    @rule(at=some.places, messages=some.messages)
    def say(self, at: some.Place, messages: Json) -> None:
        self.send(at, append_thread(self.owners[at.owner], at.key, [messages]))

    @rule(
        at=some.places,
        change=some.changes,
        more=some.batches,
        expected=some.counts,
        metadata=some.metadata,
    )
    def save(
        self, at: some.Place, change: str, more: Json, expected: int | None, metadata: Json
    ) -> None:
        owner = self.owners[at.owner]
        known = [] if " " in at.key else load(View(self.world, at.session), owner, at.key)
        if change == "shorter":
            known = known[:-1]
        elif change == "unredacted":
            known = some.unredacted(known)
        elif change == "other" and known:
            known = [*known[:-1], {**known[-1], "metadata": {"changed": True}}]
        whole = [*known, *more] if isinstance(more, list) else more
        self.send(at, save_thread(owner, at.key, whole, expected, metadata))

    @rule(at=some.places, title=some.titles, metadata=some.metadata)
    def update(self, at: some.Place, title: str | None, metadata: Json) -> None:
        archived = some.ARCHIVED_WITH.get(title)
        self.send(at, update_thread(self.owners[at.owner], at.key, title, metadata, archived))

    @rule(at=some.places, really=some.rarely)
    def delete(self, at: some.Place, really: bool) -> None:
        if really:
            self.send(at, soft_delete_thread(self.owners[at.owner], at.key))

    # Turns

    @rule(
        at=some.places,
        message=some.user_messages,
        turn_id=some.turn_ids,
        last=some.windows,
        metadata=some.metadata,
        replaces=some.maybe(some.parents),
        regenerate=some.rarely,
        busy=some.busy,
        parent_id=some.maybe(some.parents),
        stale=some.wild_stale,
    )
    def begin_turn(self, at: some.Place, message: Json, turn_id: str, **options: Any) -> None:
        if at.begins or at.session in self.world.transactions:
            # A ticket lives only for seconds, and an uncommitted one cannot be kept alive.
            options["busy"] = "reject"
        names = ("last", "metadata", "replaces", "regenerate", "busy", "parent_id", "stale")
        arguments = [options[name] for name in names]
        turn_id = self._new_turn(at) if turn_id == some.FITTING else turn_id
        self.send(at, begin_turn(self.owners[at.owner], at.key, message, turn_id, *arguments))

    @rule(at=some.places, turn_id=some.turn_ids)
    def extend(self, at: some.Place, turn_id: str) -> None:
        self.send(at, extend_turn(self.owners[at.owner], at.key, self._turn(at, turn_id)))

    @rule(at=some.places, turn_id=some.turn_ids, status=some.statuses, usage=some.usages)
    def finish(self, at: some.Place, turn_id: str, status: str, usage: Json) -> None:
        owner = self.owners[at.owner]
        turn_id = self._turn(at, turn_id)
        self.send(at, finish_turn(owner, at.key, turn_id, status, usage, "some_code"))

    @rule(at=some.places, turn_id=some.turn_ids, message=some.answers, status=some.statuses)
    def answer(self, at: some.Place, turn_id: str, message: Json, status: str) -> None:
        turn_id = self._turn(at, turn_id)
        self.send(at, answer(self.owners[at.owner], at.key, turn_id, [message], status))

    @rule(
        at=some.places,
        turn_id=some.turn_ids,
        status=some.statuses,
        message=some.mostly(some.answers | some.kept_answers),
        usage=some.wild_usages,
        frames=some.maybe(some.frames),
    )
    def complete(
        self,
        at: some.Place,
        turn_id: str,
        status: str,
        message: Json,
        usage: Json,
        frames: str | None,
    ) -> None:
        owner, turn_id = self.owners[at.owner], self._turn(at, turn_id)
        place = None
        if at.begins or at.session in self.world.transactions:
            frames = None
        if frames is not None:
            known: str = self.world.committed.get(("journal", owner, at.key, turn_id), "")
            place = len(known.encode())
        arguments = (turn_id, status, message, usage, "some_code", place, frames)
        self.send(at, complete_turn(owner, at.key, *arguments))

    @rule(
        at=some.places,
        ask=some.user_messages,
        view=some.mostly(some.page_views),
        known_turn=some.rarely,
        stale=some.stale,
        busy=some.policies,
        message=some.mostly(some.answers),
        ends=some.commits,
        in_one_call=some.commits,
    )
    def whole_turn(
        self,
        at: some.Place,
        ask: Json,
        view: some.PageView | None,
        known_turn: bool,
        stale: str | None,
        busy: str,
        message: Json,
        ends: bool,
        in_one_call: bool,
    ) -> None:
        """A turn with an answer or without: for a single message, or for the request of a page that
        shows some branch of the thread up to some message."""
        owner = self.owners[at.owner]
        turn_id = "t1" if known_turn else self._new_turn(at)
        arguments: tuple[Any, ...] = (ask, turn_id)
        if view is not None:
            thread: Thread | None = View(self.world, at.session).get(("thread", owner, at.key))
            shown, ask, replaces = view.of(thread or Thread(), ask)
            parent_id = shown[-1] if shown else ""
            regenerate = view.does in ("again", "named", "edited")
            if at.begins or at.session in self.world.transactions:
                busy = "reject"
            arguments = (ask, turn_id, None, None, replaces, regenerate, busy, parent_id, stale)
        self.send(at, begin_turn(owner, at.key, *arguments))
        if not ends:
            return
        if in_one_call:
            status = "stopped" if message is None else "completed"
            self.send(at, complete_turn(owner, at.key, turn_id, status, message))
        elif message is None:
            self.send(at, finish_turn(owner, at.key, turn_id, "stopped"))
        else:
            self.send(at, answer(owner, at.key, turn_id, [message], "completed"))

    @rule(
        at=some.lone_places,
        ask=some.user_messages,
        regenerate=some.rarely,
        frames=some.begun_answers,
    )
    def dying_turn(self, at: some.Place, ask: Json, regenerate: bool, frames: str) -> None:
        """A turn whose server dies after so many frames."""
        if at.session in self.world.transactions:
            return
        owner, turn_id = self.owners[at.owner], self._new_turn(at)
        self.send(at, begin_turn(owner, at.key, ask, turn_id, None, None, None, regenerate))
        self.send(at, write_journal(owner, at.key, turn_id, 0, frames))
        self._end_lease(owner, at.key)

    # Answers that wait. Few rules, because each makes all others rarer.

    @rule(
        at=some.places,
        turn_id=some.maybe(some.turn_ids),
        ask=some.user_messages,
        message=some.open_answers,
        usage=some.wild_usages,
    )
    def pause(
        self, at: some.Place, turn_id: str | None, ask: Json, message: Json, usage: Json
    ) -> None:
        """The answer of a turn waits: of one that was begun before, or of a new one."""
        owner = self.owners[at.owner]
        if turn_id is None:
            turn_id = self._new_turn(at)
            self.send(at, begin_turn(owner, at.key, ask, turn_id))
        self.send(at, pause_turn(owner, at.key, self._turn(at, turn_id), message, usage))

    @rule(
        at=some.places,
        is_wild=some.rarely,
        message_id=some.mostly(some.ids),
        responses=some.responses,
        turn_id=some.mostly(some.turn_ids),
        last=some.windows,
        approved=some.commits,
        message=some.mostly(some.answers),
        ends=some.statuses,
        frames=some.maybe(some.frames),
    )
    def respond(
        self,
        at: some.Place,
        is_wild: bool,
        message_id: str | None,
        responses: Json,
        turn_id: str | None,
        last: int | None,
        approved: bool,
        message: Json,
        ends: str,
        frames: str | None,
    ) -> None:
        """Any responses; or those that an answer waits for, and the turn that goes on with it."""
        owner, new_turn = self.owners[at.owner], self._new_turn(at)
        waits = open_answer(View(self.world, at.session), owner, at.key)
        if is_wild or waits is None:
            if waits is not None and message_id != "m7":
                message_id = waits.message_id
            turn_id = new_turn if turn_id == some.FITTING else turn_id
            self.send(at, respond_turn(owner, at.key, message_id, responses, turn_id, last))
            return
        given = [
            {"toolCallId": call} | ({"approved": approved} if kind == "approval" else {"output": 1})
            for call, kind in waits.calls
        ]
        self.send(at, respond_turn(owner, at.key, waits.message_id, given, new_turn))
        if frames is not None and not at.begins and at.session not in self.world.transactions:
            self.send(at, write_journal(owner, at.key, new_turn, 0, frames))
            self._end_lease(owner, at.key)
        elif ends != "running":
            message = None if message is None else message | {"id": waits.message_id}
            self.send(at, complete_turn(owner, at.key, new_turn, ends, message))

    @rule(at=some.places)
    def stop(self, at: some.Place) -> None:
        waits = open_answer(View(self.world, -1), self.owners[at.owner], at.key)
        if waits is not None and (at.begins or at.session in self.world.transactions):
            # Whether the thread stays locked depends on when an answer was left.
            return
        self.send(at, request_stop(self.owners[at.owner], at.key))

    # Journals, which workers write outside of transactions, and answers that come too late

    @rule(at=some.lone_places, turn_id=some.turn_ids, frames=some.frames, write=some.writes)
    def journal(self, at: some.Place, turn_id: str, frames: str, write: str) -> None:
        if at.session in self.world.transactions:
            return
        turn_id = self._turn(at, turn_id)
        item = ("journal", self.owners[at.owner], at.key, turn_id)
        known: str = self.world.committed.get(item, "")
        offset, sent = {
            "on": (len(known.encode()), frames),
            "again": (0, known + frames),
            "known": (0, known[: known.find("\n\n") + 2]),
            "gap": (len(known.encode()) + 1, frames),
            "before": (-1, frames),
        }[write]
        self.send(at, write_journal(self.owners[at.owner], at.key, turn_id, offset, sent))

    @rule(at=some.places, turn_id=some.maybe(some.turn_ids), later=some.rarely)
    def follow(self, at: some.Place, turn_id: str | None, later: bool) -> None:
        turn_id = None if turn_id is None else self._turn(at, turn_id)
        self.send(at, read_journal(self.owners[at.owner], at.key, turn_id, 10**6 if later else 0))

    @rule(
        at=some.lone_places, turn_id=some.turn_ids, message=some.kept_answers, reason=some.reasons
    )
    def keep(self, at: some.Place, turn_id: str, message: Json, reason: str) -> None:
        if at.session not in self.world.transactions:
            turn_id = self._turn(at, turn_id)
            self.send(at, keep_answer(self.owners[at.owner], at.key, turn_id, message, reason))

    def _turn(self, at: some.Place, turn_id: str) -> str:
        """The id that was drawn, or the id of the running turn that the session sees."""
        if turn_id != some.FITTING:
            return turn_id
        return running_turn(View(self.world, at.session), self.owners[at.owner], at.key) or "t1"

    def _new_turn(self, at: some.Place) -> str:
        known = list(View(self.world, at.session).items("turn", self.owners[at.owner], at.key))
        return f"t{len(known) + 1}"

    # Time, and what depends on it

    @rule(owner=some.owners, key=some.keys)
    def end_leases(self, owner: str, key: str) -> None:
        self._end_lease(self.owners[owner], key)

    def _end_lease(self, owner: str, key: str) -> None:
        """Let the lease of a thread's running turn end, unless somebody holds its row."""
        for turn_id in expire_leases(self.sessions.admin, owner, key):
            item = ("turn", owner, key, turn_id)
            self.world.committed[item] = replace(self.world.committed[item], live=False)

    @rule(owner=some.owners, key=some.keys)
    def end_tickets(self, owner: str, key: str) -> None:
        """Let the messages that wait for a thread not come back."""
        expired = expire_tickets(self.sessions.admin, self.owners[owner], key)
        item = ("queue", self.owners[owner], key)
        queue: Queue = self.world.committed.get(item, Queue())
        tickets = ((m, live and m not in expired) for m, live in queue.tickets)
        self.world.committed[item] = Queue(tuple(tickets))

    @rule()
    def reap(self) -> None:
        """Maintenance closes turns that nobody holds."""
        dead = set()
        for item, value in list(self.world.committed.items()):
            if isinstance(value, Turn) and value.status == "running" and not value.live:
                rows = (item, ("thread", *item[1:3]), ("share", *item[1:3]))
                if all(self.world.holder(each, -1) is None for each in rows):
                    view = View(self.world, -1)
                    abandon(view, *item[1:3])
                    self.world.committed.update(view.writes)
                    dead.add(item[1:])
        reaped = self.sessions.admin.execute(
            "select r.owner_user_id, r.state_key, r.turn_id from pgthreads.reap_turns(10000) as r"
        )
        assert {row for row in reaped if row[0] in self.owners.values()} == dead

    @rule()
    def purge(self) -> None:
        """Maintenance removes deleted threads that nobody holds; their keys are free again."""
        for item, value in list(self.world.committed.items()):
            if isinstance(value, Thread) and value.deleted and self.world.holder(item, -1) is None:
                self.forget(*item[1:])
        self.sessions.admin.execute("select from pgthreads.purge_threads('0', 10000)")

    @rule(owner=some.owners, really=some.rarely)
    def erase(self, owner: str, really: bool) -> None:
        """Everything of an owner is removed, if nobody holds its rows."""
        name = self.owners[owner]
        held = {item[1] for each in self.world.transactions.values() for item in each.locks}
        held |= {item[1] for each in self.world.waiting.values() for item in each.locks}
        if really and name not in held:
            self.erase_owner(name)

    # Reading

    @rule(at=some.places, last=some.windows, before=some.windows, leaf=some.maybe(some.ids))
    def read(self, at: some.Place, last: int | None, before: int | None, leaf: str | None) -> None:
        owner = self.owners[at.owner]
        for function in (load_thread, read_messages, read_thread):
            self.send(at, function(owner, at.key, last, before, leaf))

    @rule(at=some.places)
    def read_branches(self, at: some.Place) -> None:
        self.send(at, list_branches(self.owners[at.owner], at.key))
        self.send(at, verify_thread(self.owners[at.owner], at.key))

    @rule(owner=some.owners, limit=some.limits)
    def list_pages(self, owner: str, limit: int) -> None:
        """Read the list of committed threads, page by page."""
        archived = {1: None, 2: True}.get(limit, False)
        name = self.owners[owner]
        expected = listed(View(self.world, -1), name, archived)
        found: list[tuple[Any, ...]] = []
        cursor = None
        for _ in range(len(expected) + 1):
            rows = self.sessions.admin.execute(
                "select l.state_key, l.title, l.message_count, l.metadata, l.running,"
                " l.waiting, l.next_cursor from pgthreads.set_tenant(%s) as t(owner),"
                " lateral pgthreads.list_threads(t.owner, %s, %s, %s) as l",
                (name, limit, cursor, archived),
            ).fetchall()
            found += [row[:-1] for row in rows]
            assert all(row[-1] is None for row in rows[:-1])
            cursor = rows[-1][-1] if rows else None
            if cursor is None:
                break
            assert len(rows) == limit
        newest = sorted(expected, key=lambda key: (self.stamps[name, key][1], key), reverse=True)
        assert found == [(key, *expected[key]) for key in newest]

    # The other tenant

    @rule(at=some.places, call=some.any_call)
    def of_another_tenant(self, at: some.Place, call: some.CallOf) -> None:
        """A call for another owner than the transaction's tenant is refused."""
        other = next(name for name in self.owners.values() if name != self.owners[at.owner])
        self.send(at, of_another_tenant(call(self.owners[at.owner], at.key), other))
