"""The SQL functions, one coroutine each; docs/sql-api.md says what they do and refuse.

Each call is one autocommit statement that sets the tenant and calls the function: one round trip,
one transaction. Every function may be repeated without doing its work twice, so a call whose
connection broke is sent once more (`pool.py`).
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import fields
from functools import cache
from typing import Any, LiteralString, TypeVar

import psycopg
from psycopg.rows import BaseRowFactory, args_row, class_row

from ..errors import BadRequestError, LimitError
from ..events import JsonValue, UIMessage
from .errors import from_database
from .fairness import Fairness
from .lanes import Lanes, Thread
from .pool import Pool
from .rows import (
    BegunTurn,
    Branch,
    JournalPiece,
    JournalRead,
    JournalState,
    ListedThread,
    SiteNote,
    StoredThread,
    ThreadHeader,
    TurnKey,
    TurnState,
)
from .tenants import Tenant, named

Row = TypeVar("Row")

_SET_TENANT = re.compile(r"pgthreads\.set_tenant\((%s|k\.owner)\)")


class Threads:
    """The SQL functions over a pool.

    Every coroutine raises the class of `errors` that belongs to the function's SQLSTATE, or
    `UnavailableError` when the database does not answer. `tenant` makes of an owner what set_tenant
    is given; `fairness`, if there is one, lets costly users wait for each other.
    """

    def __init__(
        self, pool: Pool, tenant: Tenant = named, *, fairness: Fairness | None = None
    ) -> None:
        self._pool = pool
        self._tenant = tenant
        self._fairness = fairness
        self._lanes = Lanes(seconds=pool.timeouts.acquire)
        self._lock_ms = max(1, round(pool.timeouts.lock * 1000))

    async def api_version(self) -> int:
        """Return the contract's version."""
        return int(await self._value("select pgthreads.api_version()", ()))

    async def require_server_role(self) -> str:
        """Return the session's role; raises unless it is one that may serve clients."""
        return str(await self._value("select pgthreads.require_server_role()", ()))

    async def site_notes(self) -> list[SiteNote]:
        """Return what an operator should know of the login and the database."""
        return await self._rows(
            "select n.topic, n.note from pgthreads.site_notes() as n", (), args_row(SiteNote)
        )

    async def require_tenant(self) -> None:
        """Return if the database takes the tenants of this object; raises TenantError."""
        await self._value("select pgthreads.set_tenant(%s)", ("pgthreads",))

    async def redaction_faults(self) -> list[str]:
        """Return what is wrong with redaction: a sentence for each fault, none if it works."""
        return await self._rows(
            "select concat_ws(': ', f.rule, f.fault) from pgthreads.redaction_faults() as f",
            (),
            args_row(str),
        )

    async def check(self) -> None:
        """Do what a turn does, for an owner who has nothing; raises what would keep turns away.

        It locks and writes, but there is nothing to lock or to write, so it leaves no trace. On a
        server that takes no writes it raises UnavailableError.
        """
        owner = "pgthreads"
        await self.extend_turn(owner, "probe", "probe")
        await self.list_threads(owner, limit=1)
        await self.read_thread(owner, "probe")

    async def begin_turn(
        self,
        owner_user_id: str,
        state_key: str,
        message: UIMessage,
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

        With `replaces` or `regenerate` on a new branch; `busy` is what to do while another turn
        runs: `reject`, `interrupt` or `enqueue`; `stale` what to do if `parent_id` is not where the
        newest branch ends: `append`, `branch` or `reject`. See db/functions/api/begin_turn.sql.
        """
        rows = await self._rows(
            _select(BegunTurn, "b") + " from pgthreads.set_tenant(%s) as t(owner),"
            " lateral pgthreads.begin_turn("
            "t.owner, %s, pgthreads.clean_json(%s), %s, %s, null, %s, %s, %s, %s, %s) as b",
            (
                owner_user_id,
                state_key,
                _dumps(message),
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
        """Extend the lease; tells whether the turn is still ours and should stop."""
        rows = await self._rows(
            _select(TurnState, "e") + " from pgthreads.set_tenant(%s) as t(owner),"
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

        All of it in one transaction. A lease that ran out is taken back if nobody else has taken
        the thread over. Usage that the database refuses is left out: returns its SQLSTATE, None if
        the usage is stored.
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
                None if message is None else _dumps(message),
                _dumps(usage) if usage else None,
                error_code,
                None if journal is None else journal.offset,
                None if journal is None else journal.frames,
            ),
            alone=(owner_user_id, state_key),
        )
        return None if refused is None else str(refused)

    async def extend_turns(self, turns: Sequence[TurnKey]) -> list[TurnState]:
        """Extend the leases of many turns; one whose row is held by somebody is left as it is."""
        return await self._each(
            _select(TurnState, "e") + " from unnest(%s::text[], %s::text[], %s::text[])"
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
            _select(JournalState, "w") + " from unnest("
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
        """Return what many turns have sent from an offset on; None for one that is unknown."""
        rows = await self._each(
            _select(JournalRead, "j") + ", k.n from unnest("
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
        """Delete the journals of many turns that have ended; return how many rows each had."""
        return await self._each(
            "select f.rows from unnest(%s::text[], %s::text[], %s::text[])"
            " with ordinality as k(owner, key, turn, n),"
            " lateral pgthreads.set_tenant(k.owner) as t(owner),"
            " lateral pgthreads.forget_journal(t.owner, k.key, k.turn) as f(rows) order by k.n",
            turns,
            (),
            args_row(int),
        )

    async def read_journal(self, owner_user_id: str, state_key: str) -> JournalRead | None:
        """Return how a thread's running turn stands, and what it has sent; None if none runs."""
        rows = await self._rows(
            _select(JournalRead, "j") + " from pgthreads.set_tenant(%s) as t(owner),"
            " lateral pgthreads.read_journal(t.owner, %s) as j",
            (owner_user_id, state_key),
            class_row(JournalRead),
        )
        return rows[0] if rows else None

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
        """Keep an answer that cannot be appended any more; False if there is no such turn."""
        kept = await self._value(
            "select k.kept from pgthreads.set_tenant(%s) as t(owner),"
            " lateral pgthreads.keep_answer("
            "t.owner, %s, %s, pgthreads.clean_json(%s), %s, %s) as k(kept)",
            (owner_user_id, state_key, turn_id, _dumps(message), reason, sqlstate),
            alone=(owner_user_id, state_key),
        )
        return bool(kept)

    async def request_stop(self, owner_user_id: str, state_key: str) -> str | None:
        """Ask the running turn to stop; return its id, None if nothing runs."""
        turn_id = await self._value(
            "select s.turn_id from pgthreads.set_tenant(%s) as t(owner),"
            " lateral pgthreads.request_stop(t.owner, %s) as s(turn_id)",
            (owner_user_id, state_key),
            alone=(owner_user_id, state_key),
        )
        return None if turn_id is None else str(turn_id)

    async def list_threads(
        self, owner_user_id: str, *, limit: int = 50, cursor: str | None = None
    ) -> Sequence[ListedThread]:
        """Return a page of threads, the latest append first."""
        return await self._rows(
            _select(ListedThread, "l") + " from pgthreads.set_tenant(%s) as t(owner),"
            " lateral pgthreads.list_threads(t.owner, %s, %s) as l",
            (owner_user_id, limit, cursor),
            class_row(ListedThread),
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
    ) -> StoredThread | None:
        """Return a thread with its messages, or None if there is none."""
        rows = await self._rows(
            _select(StoredThread, "r") + " from pgthreads.set_tenant(%s) as t(owner),"
            " lateral pgthreads.read_thread(t.owner, %s, %s, %s, %s, %s) as r",
            (owner_user_id, state_key, last, before_seq, known_digest, leaf_id),
            class_row(StoredThread),
        )
        return rows[0] if rows else None

    async def list_branches(self, owner_user_id: str, state_key: str) -> Sequence[Branch]:
        """Return the thread's branches by their last messages, the newest first."""
        return await self._rows(
            _select(Branch, "l") + " from pgthreads.set_tenant(%s) as t(owner),"
            " lateral pgthreads.list_branches(t.owner, %s) as l",
            (owner_user_id, state_key),
            class_row(Branch),
        )

    async def update_thread(
        self,
        owner_user_id: str,
        state_key: str,
        *,
        title: str | None = None,
        metadata: dict[str, JsonValue] | None = None,
    ) -> ThreadHeader:
        """Rename a thread (an empty title takes it away), merge keys into its metadata."""
        rows = await self._rows(
            _select(ThreadHeader, "u") + " from pgthreads.set_tenant(%s) as t(owner),"
            " lateral pgthreads.update_thread(t.owner, %s,"
            " pgthreads.clean_json(%s) operator(pg_catalog.#>>) '{}',"
            " pgthreads.clean_json(%s)) as u",
            (
                owner_user_id,
                state_key,
                None if title is None else _dumps(title),
                None if metadata is None else _dumps(metadata),
            ),
            class_row(ThreadHeader),
            alone=(owner_user_id, state_key),
        )
        return rows[0]

    async def soft_delete_thread(self, owner_user_id: str, state_key: str) -> bool:
        """Delete a thread for every reader; False if it was deleted before."""
        deleted = await self._value(
            "select d.deleted from pgthreads.set_tenant(%s) as t(owner),"
            " lateral pgthreads.soft_delete_thread(t.owner, %s) as d(deleted)",
            (owner_user_id, state_key),
            alone=(owner_user_id, state_key),
        )
        return bool(deleted)

    async def _value(
        self, statement: LiteralString, values: Sequence[object], alone: Thread | None = None
    ) -> Any:
        """Return the first column of the first row."""
        row = args_row(lambda value, *_: value)
        return (await self._rows(statement, values, row, alone=alone))[0]

    async def _each(
        self,
        statement: LiteralString,
        turns: Sequence[TurnKey],
        columns: Sequence[list[Any]],
        row: BaseRowFactory[Row],
    ) -> list[Row]:
        """Call a function for many turns: arrays of their owners, keys and ids, and of these."""
        keys = [list(column) for column in zip(*turns, strict=True)]
        return await self._rows(statement, (*keys, *columns), row)

    async def _rows(
        self,
        statement: LiteralString,
        values: Sequence[object],
        row: BaseRowFactory[Row],
        *,
        alone: Thread | None = None,
    ) -> list[Row]:
        """Send a statement; `alone` is the thread that it locks, whose calls queue up here."""
        # The owner comes first in every statement that has values, or the owners of many turns.
        fair: AbstractAsyncContextManager[None] = nullcontext()
        if values:
            first, *others = values
            if self._fairness is not None and isinstance(first, str):
                size = sum(len(each) for each in others if isinstance(each, str))
                fair = self._fairness.turn(first, size)
            tenants = (
                [self._tenant(owner) for owner in first]
                if isinstance(first, list)
                else self._tenant(str(first))
            )
            values = (tenants, *others)
        try:
            async with self._lanes.enter(alone) if alone else nullcontext(), fair:
                return await self._pool.fetch(
                    with_lock_timeout(statement, self._lock_ms), values, row
                )
        except UnicodeEncodeError as error:
            raise BadRequestError("a value is not Unicode text", detail=str(error)) from error
        except psycopg.Error as error:
            raise from_database(error) from error


@cache
def with_lock_timeout(statement: LiteralString, milliseconds: int) -> LiteralString:
    """Let the call wait for no lock longer than that.

    By the statement itself, before it sets the tenant and for its transaction alone: a setting of
    the session would belong to somebody else behind a pooler, and one that is sent as the session
    begins (`options`) is refused by PgBouncer.
    """
    limited = (
        r"pgthreads.set_tenant(case when set_config('lock_timeout', "
        rf"'{milliseconds}ms', true) <> '' then \1 end)"
    )
    return _SET_TENANT.sub(limited, statement)


@cache
def _select(row: type, of: LiteralString) -> LiteralString:
    """Name the fields of `row` as columns: later releases may add more to what functions return."""
    columns = ", ".join(f"{of}.{each.name}" for each in fields(row))
    return f"select {columns}"


def _dumps(value: JsonValue) -> str:
    """JSON for `clean_json`; half a surrogate pair as an escape, for UTF-8 has no bytes for it."""
    try:
        text = json.dumps(value, ensure_ascii=False)
        text.encode()
    except UnicodeEncodeError:
        return json.dumps(value)
    except RecursionError as error:
        raise LimitError(
            "a value is nested too deep", hint="no JSON is taken that has more than 60 levels"
        ) from error
    return text
