"""The SQL functions, one coroutine each; docs/sql-api.md says what they do and refuse.

Each call is one autocommit statement that sets the tenant and calls the function, so it takes one
round trip and one transaction. Every function can be repeated without doing its work twice, so a
call whose connection broke is sent once more (`pool.py`).
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta

from psycopg.rows import args_row, class_row

from ..events import JsonText, JsonValue, UIMessage
from .calls import Calls, dumps, select
from .rows import (
    BegunTurn,
    Branch,
    ChangedThread,
    ExportedMessage,
    FoundTitle,
    JournalPiece,
    JournalRead,
    JournalState,
    ListedThread,
    NewShare,
    OpenAnswer,
    RespondedTurn,
    RunningTurn,
    SearchedThread,
    Share,
    SharedThread,
    SiteNote,
    StoredThread,
    ThreadChange,
    ThreadChanges,
    ThreadState,
    TurnKey,
    TurnState,
)


class Threads(Calls):
    """The SQL functions over a pool; `Calls` says what every coroutine raises."""

    async def api_version(self) -> int:
        """Return the version of the SQL contract."""
        return int(await self._value("select pgthreads.api_version()", ()))

    async def require_server_role(self) -> str:
        """Return the session's role. Raises PgThreadsError if this role may not serve clients."""
        return str(await self._value("select pgthreads.require_server_role()", ()))

    async def site_notes(self) -> list[SiteNote]:
        """Return what an operator should know about the login and the database."""
        return await self._rows(
            "select n.topic, n.note from pgthreads.site_notes() as n", (), args_row(SiteNote)
        )

    async def require_tenant(self) -> None:
        """Raise TenantError if the database does not accept the tenants of this object."""
        await self._value("select pgthreads.set_tenant(%s)", ("pgthreads",))

    async def redaction_faults(self) -> list[str]:
        """Return a sentence for each fault of redaction, and none if it works."""
        return await self._rows(
            "select concat_ws(': ', f.rule, f.fault) from pgthreads.redaction_faults() as f",
            (),
            args_row(str),
        )

    async def check(self) -> None:
        """Do what a turn does, for an owner who has no threads. Raises what would fail a turn.

        There is nothing to lock or to write, so it leaves no trace. If the database takes no
        writes, it raises UnavailableError.
        """
        owner = "pgthreads"
        await self.extend_turn(owner, "probe", "probe")
        await self.list_threads(owner, limit=1)
        await self.read_thread(owner, "probe")

    async def begin_turn(
        self,
        owner_user_id: str,
        state_key: str,
        message: UIMessage | JsonText,
        turn_id: str,
        *,
        last: int | None = None,
        replaces: str | None = None,
        regenerate: bool = False,
        busy: str = "reject",
        parent_id: str | None = None,
        stale: str = "append",
    ) -> BegunTurn:
        """Append the user message and take the lease of a turn.

        With `replaces` or `regenerate` it begins a new branch. `busy` is what to do while another
        turn runs: `reject`, `interrupt` or `enqueue`. `stale` is what to do if the newest branch
        does not end at `parent_id`: `append`, `branch` or `reject`. docs/sql-api.md describes the
        parameters in full.
        """
        rows = await self._rows(
            select(BegunTurn, "b") + " from pgthreads.set_tenant(%s) as t(owner),"
            " lateral pgthreads.begin_turn("
            "t.owner, %s, pgthreads.clean_json(%s), %s, %s, null, %s, %s, %s, %s, %s) as b",
            (
                owner_user_id,
                state_key,
                dumps(message),
                turn_id,
                last,
                replaces,
                regenerate,
                busy,
                parent_id,
                stale,
            ),
            class_row(BegunTurn),
            alone=(owner_user_id, state_key),
        )
        return rows[0]

    async def extend_turn(self, owner_user_id: str, state_key: str, turn_id: str) -> TurnState:
        """Extend the lease. Return whether the turn is still ours, and whether it should stop."""
        rows = await self._rows(
            select(TurnState, "e") + " from pgthreads.set_tenant(%s) as t(owner),"
            " lateral pgthreads.extend_turn(t.owner, %s, %s) as e",
            (owner_user_id, state_key, turn_id),
            class_row(TurnState),
            alone=(owner_user_id, state_key),
        )
        return rows[0]

    async def complete_turn(
        self,
        owner_user_id: str,
        state_key: str,
        turn_id: str,
        *,
        status: str,
        usage: dict[str, JsonValue],
        error_code: str | None,
        message: UIMessage | None,
        journal: JournalPiece | None = None,
    ) -> str | None:
        """End the turn with its answer, if there is one, and the last piece of its journal.

        All of that is one transaction. If the lease has ended, it is taken back unless another turn
        has begun. Usage that the database refuses is left out, and the SQLSTATE of the refusal is
        returned; None says that the usage is stored.
        """
        refused = await self._value(
            "select c.usage_refused from pgthreads.set_tenant(%s) as t(owner),"
            " lateral pgthreads.complete_turn(t.owner, %s, %s, %s, pgthreads.clean_json(%s),"
            " pgthreads.clean_json(%s), %s, %s, %s) as c",
            (
                owner_user_id,
                state_key,
                turn_id,
                status,
                None if message is None else dumps(message),
                dumps(usage) if usage else None,
                error_code,
                None if journal is None else journal.offset,
                None if journal is None else journal.frames,
            ),
            alone=(owner_user_id, state_key),
        )
        return None if refused is None else str(refused)

    async def pause_turn(
        self,
        owner_user_id: str,
        state_key: str,
        turn_id: str,
        *,
        usage: dict[str, JsonValue],
        message: UIMessage,
        journal: JournalPiece | None = None,
    ) -> str | None:
        """End the turn with an answer that waits, and the last piece of its journal.

        As for `complete_turn`, that is one transaction, a lease that has ended is taken back, and
        the SQLSTATE is returned for which usage was left out.
        """
        refused = await self._value(
            "select p.usage_refused from pgthreads.set_tenant(%s) as t(owner),"
            " lateral pgthreads.pause_turn(t.owner, %s, %s, pgthreads.clean_json(%s),"
            " pgthreads.clean_json(%s), %s, %s) as p",
            (
                owner_user_id,
                state_key,
                turn_id,
                dumps(message),
                dumps(usage) if usage else None,
                None if journal is None else journal.offset,
                None if journal is None else journal.frames,
            ),
            alone=(owner_user_id, state_key),
        )
        return None if refused is None else str(refused)

    async def extend_turns(self, turns: Sequence[TurnKey]) -> list[TurnState]:
        """Extend the leases of many turns, except for turns whose row somebody has locked."""
        return await self._each(
            select(TurnState, "e") + " from unnest(%s::text[], %s::text[], %s::text[])"
            " with ordinality as k(owner, key, turn, n),"
            " lateral pgthreads.set_tenant(k.owner) as t(owner),"
            " lateral pgthreads.extend_turn(t.owner, k.key, k.turn, false) as e order by k.n",
            turns,
            (),
            class_row(TurnState),
        )

    async def write_journals(self, pieces: Sequence[JournalPiece]) -> list[JournalState]:
        """Add to the journals of many turns."""
        return await self._each(
            select(JournalState, "w") + " from unnest("
            "%s::text[], %s::text[], %s::text[], %s::int[], %b::text[])"
            " with ordinality as k(owner, key, turn, start, frames, n),"
            " lateral pgthreads.set_tenant(k.owner) as t(owner),"
            " lateral pgthreads.write_journal(t.owner, k.key, k.turn, k.start, k.frames) as w"
            " order by k.n",
            [each.key for each in pieces],
            ([each.offset for each in pieces], [each.frames for each in pieces]),
            class_row(JournalState),
        )

    async def read_journals(self, turns: Sequence[tuple[TurnKey, int]]) -> list[JournalRead | None]:
        """Return what each of many turns has sent from its offset on; None for an unknown turn."""
        rows = await self._each(
            select(JournalRead, "j") + ", k.n from unnest("
            "%s::text[], %s::text[], %s::text[], %s::int[])"
            " with ordinality as k(owner, key, turn, start, n),"
            " lateral pgthreads.set_tenant(k.owner) as t(owner),"
            " lateral pgthreads.read_journal(t.owner, k.key, k.turn, k.start) as j",
            [key for key, _ in turns],
            ([offset for _, offset in turns],),
            args_row(lambda *columns: (columns[-1], JournalRead(*columns[:-1]))),
        )
        found = dict(rows)
        return [found.get(number) for number in range(1, len(turns) + 1)]

    async def forget_journals(self, turns: Sequence[TurnKey]) -> list[int]:
        """Delete the journals of many turns that have ended. Return how many rows each had."""
        return await self._each(
            "select f.rows from unnest(%s::text[], %s::text[], %s::text[])"
            " with ordinality as k(owner, key, turn, n),"
            " lateral pgthreads.set_tenant(k.owner) as t(owner),"
            " lateral pgthreads.forget_journal(t.owner, k.key, k.turn) as f(rows) order by k.n",
            turns,
            (),
            args_row(int),
        )

    async def read_running_turn(self, owner_user_id: str, state_key: str) -> RunningTurn | None:
        """Return a thread's running turn with what it has sent; None if none runs.

        One snapshot shows both the turn and the open answer that it goes on with.
        """
        rows = await self._rows(
            select(JournalRead, "j") + ", o.message as begun"
            " from pgthreads.set_tenant(%s) as t(owner),"
            " lateral pgthreads.read_journal(t.owner, %s) as j"
            " left join lateral pgthreads.read_open_answer(t.owner, %s) as o on true",
            (owner_user_id, state_key, state_key),
            class_row(RunningTurn),
        )
        return rows[0] if rows else None

    async def read_open_answer(self, owner_user_id: str, state_key: str) -> OpenAnswer | None:
        """Return the answer that waits in a thread; None if none does."""
        rows = await self._rows(
            select(OpenAnswer, "o") + " from pgthreads.set_tenant(%s) as t(owner),"
            " lateral pgthreads.read_open_answer(t.owner, %s) as o",
            (owner_user_id, state_key),
            class_row(OpenAnswer),
        )
        return rows[0] if rows else None

    async def respond_turn(
        self,
        owner_user_id: str,
        state_key: str,
        message_id: str,
        responses: JsonText,
        turn_id: str,
        *,
        last: int | None = None,
    ) -> RespondedTurn:
        """Give calls that wait their responses, and take the lease of the turn that goes on."""
        rows = await self._rows(
            select(RespondedTurn, "r") + " from pgthreads.set_tenant(%s) as t(owner),"
            " lateral pgthreads.respond_turn("
            "t.owner, %s, %s, pgthreads.clean_json(%s), %s, %s) as r",
            (owner_user_id, state_key, message_id, dumps(responses), turn_id, last),
            class_row(RespondedTurn),
            alone=(owner_user_id, state_key),
        )
        return rows[0]

    async def keep_answer(
        self,
        owner_user_id: str,
        state_key: str,
        turn_id: str,
        *,
        message: UIMessage,
        reason: str,
        sqlstate: str | None,
    ) -> bool:
        """Keep an answer as a late answer. Return False if there is no such turn."""
        kept = await self._value(
            "select k.kept from pgthreads.set_tenant(%s) as t(owner),"
            " lateral pgthreads.keep_answer("
            "t.owner, %s, %s, pgthreads.clean_json(%s), %s, %s) as k(kept)",
            (owner_user_id, state_key, turn_id, dumps(message), reason, sqlstate),
            alone=(owner_user_id, state_key),
        )
        return bool(kept)

    async def request_stop(self, owner_user_id: str, state_key: str) -> str | None:
        """Ask the running turn to stop. Return its id, or None if none runs."""
        turn_id = await self._value(
            "select s.turn_id from pgthreads.set_tenant(%s) as t(owner),"
            " lateral pgthreads.request_stop(t.owner, %s) as s(turn_id)",
            (owner_user_id, state_key),
            alone=(owner_user_id, state_key),
        )
        return None if turn_id is None else str(turn_id)

    async def list_threads(
        self,
        owner_user_id: str,
        *,
        limit: int = 50,
        cursor: str | None = None,
        archived: bool | None = False,
    ) -> Sequence[ListedThread]:
        """Return a page of threads, the one with the latest append first.

        With `archived` these are the archived threads, and with None all threads.
        """
        return await self._rows(
            select(ListedThread, "l") + " from pgthreads.set_tenant(%s) as t(owner),"
            " lateral pgthreads.list_threads(t.owner, %s, %s, %s) as l",
            (owner_user_id, limit, cursor, archived),
            class_row(ListedThread),
        )

    async def read_header(self, owner_user_id: str, state_key: str) -> ThreadState | None:
        """Return a thread without its messages; None if there is no such thread."""
        rows = await self._rows(
            select(ThreadState, "r") + " from pgthreads.set_tenant(%s) as t(owner),"
            " lateral pgthreads.read_header(t.owner, %s) as r",
            (owner_user_id, state_key),
            class_row(ThreadState),
        )
        return rows[0] if rows else None

    async def export_thread(
        self,
        owner_user_id: str,
        state_key: str,
        *,
        after_seq: int = 0,
        head_seq: int | None = None,
        leaf_id: str | None = None,
    ) -> list[ExportedMessage]:
        """Return a page of messages from the beginning on; none after the last page.

        The next page is asked for with the `seq` and `head_seq` of the last row.
        """
        return await self._rows(
            select(ExportedMessage, "e") + " from pgthreads.set_tenant(%s) as t(owner),"
            " lateral pgthreads.export_thread(t.owner, %s, %s, %s, %s) as e",
            (owner_user_id, state_key, after_seq, head_seq, leaf_id),
            class_row(ExportedMessage),
        )

    async def has_search(self) -> bool:
        """Return whether `search_threads` is installed."""
        return bool(await self._value("select pgthreads.has_search()", ()))

    async def search_threads(
        self, owner_user_id: str, query: str, *, limit: int = 20, offset: int = 0
    ) -> Sequence[SearchedThread]:
        """Return the threads that fit a query, best first. Only where `has_search` is true."""
        return await self._rows(
            select(SearchedThread, "s") + " from pgthreads.set_tenant(%s) as t(owner),"
            " lateral pgthreads.search_threads(t.owner, %s, %s, %s) as s",
            (owner_user_id, query, limit, offset),
            class_row(SearchedThread),
        )

    async def search_titles(
        self, owner_user_id: str, query: str, *, limit: int = 20, offset: int = 0
    ) -> Sequence[FoundTitle]:
        """Return the threads whose titles have all words of a query, the latest append first."""
        return await self._rows(
            select(FoundTitle, "s") + " from pgthreads.set_tenant(%s) as t(owner),"
            " lateral pgthreads.search_titles(t.owner, %s, %s, %s) as s",
            (owner_user_id, query, limit, offset),
            class_row(FoundTitle),
        )

    async def read_thread(
        self,
        owner_user_id: str,
        state_key: str,
        *,
        last: int | None = None,
        before_seq: int | None = None,
        known_digest: str | None = None,
        leaf_id: str | None = None,
        details: bool = False,
    ) -> StoredThread | None:
        """Return a thread with its messages, or a window of them; None if there is no such thread.

        With `known_digest` equal to the thread's digest, the messages are left out.
        """
        function = "read_thread_details" if details else "read_thread"
        rows = await self._rows(
            select(StoredThread, "r") + " from pgthreads.set_tenant(%s) as t(owner),"
            f" lateral pgthreads.{function}(t.owner, %s, %s, %s, %s, %s) as r",
            (owner_user_id, state_key, last, before_seq, known_digest, leaf_id),
            class_row(StoredThread),
        )
        return rows[0] if rows else None

    async def changed_threads(
        self, asked: Sequence[tuple[str, str | None]], cursor: str | None
    ) -> list[ThreadChanges]:
        """Return what has changed for each of many owners since the cursor that comes with it.

        `cursor` is the one of the previous call, whoever was asked for.
        """
        rows = await self._rows(
            select(ThreadChange, "c") + ", k.n, n.cursor from (unnest(%s::text[], %s::text[])"
            " with ordinality as k(owner, cursor, n)"
            " cross join lateral pgthreads.set_tenant(k.owner) as t(owner)"
            " cross join lateral pgthreads.changed_threads(t.owner, k.cursor) as c)"
            " right join pgthreads.change_cursor(%s) as n(cursor) on true",
            ([owner for owner, _ in asked], [each for _, each in asked], cursor),
            args_row(lambda *columns: columns),
        )
        changes = [ThreadChanges(rows[0][-1], []) for _ in asked]
        for *columns, number, _ in rows:
            if number is not None:
                changes[number - 1].threads.append(ThreadChange(*columns))
        return changes

    async def end_lost_turns(self, owners: Sequence[str], grace: float) -> list[int]:
        """End the turns of many owners whose leases ended `grace` seconds ago; return how many."""
        return await self._rows(
            "select e.turns from unnest(%s::text[]) with ordinality as k(owner, n),"
            " lateral pgthreads.set_tenant(k.owner) as t(owner),"
            " lateral pgthreads.end_lost_turns(t.owner, %s * interval '1 second') as e(turns)"
            " order by k.n",
            (list(owners), grace),
            args_row(int),
        )

    async def list_branches(self, owner_user_id: str, state_key: str) -> Sequence[Branch]:
        """Return the thread's branches, the newest first."""
        return await self._rows(
            select(Branch, "l") + " from pgthreads.set_tenant(%s) as t(owner),"
            " lateral pgthreads.list_branches(t.owner, %s) as l",
            (owner_user_id, state_key),
            class_row(Branch),
        )

    async def share_thread(
        self,
        owner_user_id: str,
        state_key: str,
        share_id: str,
        *,
        expires_in: timedelta,
        leaf_id: str | None = None,
    ) -> NewShare:
        """Make a link to a thread. If the link exists, it gets a new token and a new time."""
        rows = await self._rows(
            select(NewShare, "s") + " from pgthreads.set_tenant(%s) as t(owner),"
            " lateral pgthreads.share_thread(t.owner, %s, %s, %s, %s) as s",
            (owner_user_id, state_key, expires_in, leaf_id, share_id),
            class_row(NewShare),
            alone=(owner_user_id, state_key),
        )
        return rows[0]

    async def list_shares(self, owner_user_id: str, state_key: str) -> Sequence[Share]:
        """Return the links that open a thread, the newest first."""
        return await self._rows(
            select(Share, "s") + " from pgthreads.set_tenant(%s) as t(owner),"
            " lateral pgthreads.list_shares(t.owner, %s) as s",
            (owner_user_id, state_key),
            class_row(Share),
        )

    async def revoke_share(self, owner_user_id: str, state_key: str, share_id: str) -> bool:
        """End a link. Return False if there is no such link."""
        revoked = await self._value(
            "select r.revoked from pgthreads.set_tenant(%s) as t(owner),"
            " lateral pgthreads.revoke_share(t.owner, %s, %s) as r(revoked)",
            (owner_user_id, state_key, share_id),
        )
        return bool(revoked)

    async def read_share(
        self, token: str, *, last: int | None = None, before_seq: int | None = None
    ) -> SharedThread | None:
        """Return what the link with this token shows; None if it shows nothing."""
        rows = await self._rows_of_nobody(
            select(SharedThread, "r") + " from pgthreads.read_share(%s, %s, %s) as r",
            (token, last, before_seq),
            class_row(SharedThread),
        )
        return rows[0] if rows else None

    async def update_thread(
        self,
        owner_user_id: str,
        state_key: str,
        *,
        title: str | None = None,
        metadata: dict[str, JsonValue] | JsonText | None = None,
        archived: bool | None = None,
    ) -> ChangedThread:
        """Rename a thread, merge keys into its metadata, archive it or take it back.

        None leaves each as it is, and an empty title removes the title.
        """
        rows = await self._rows(
            select(ChangedThread, "u") + " from pgthreads.set_tenant(%s) as t(owner),"
            " lateral pgthreads.update_thread(t.owner, %s,"
            " pgthreads.clean_json(%s) operator(pg_catalog.#>>) '{}',"
            " pgthreads.clean_json(%s), %s) as u",
            (
                owner_user_id,
                state_key,
                None if title is None else dumps(title),
                None if metadata is None else dumps(metadata),
                archived,
            ),
            class_row(ChangedThread),
            alone=(owner_user_id, state_key),
        )
        return rows[0]

    async def soft_delete_thread(self, owner_user_id: str, state_key: str) -> bool:
        """Delete a thread for every reader. Return False if it was deleted before."""
        deleted = await self._value(
            "select d.deleted from pgthreads.set_tenant(%s) as t(owner),"
            " lateral pgthreads.soft_delete_thread(t.owner, %s) as d(deleted)",
            (owner_user_id, state_key),
            alone=(owner_user_id, state_key),
        )
        return bool(deleted)
