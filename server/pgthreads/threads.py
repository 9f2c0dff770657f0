"""The SQL functions, one coroutine each; docs/sql-api.md says what they do and refuse.

Each call is one autocommit statement that sets the tenant and calls the function: one round trip,
one transaction. Every function may be repeated without doing its work twice, so a call whose
connection broke is sent once more (`pools.py`).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import fields
from functools import cache
from typing import Any, LiteralString, TypeVar

import psycopg
from psycopg.rows import BaseRowFactory, args_row, class_row

from .errors import BadRequestError, TurnLostError, from_database
from .events import JsonValue, UIMessage
from .pools import Pool
from .rows import BegunTurn, Branch, ListedThread, StoredThread, ThreadHeader, TurnState
from .tenants import Tenant, named

Row = TypeVar("Row")


class Threads:
    """The SQL functions over a pool.

    Every coroutine raises the class of `errors` that belongs to the function's SQLSTATE, or
    `UnavailableError` when the database does not answer. `tenant` makes of an owner what set_tenant
    is given.
    """

    def __init__(self, pool: Pool, tenant: Tenant = named) -> None:
        self._pool = pool
        self._tenant = tenant

    async def api_version(self) -> int:
        """Return the contract's version."""
        return int(await self._value("select pgthreads.api_version()", ()))

    async def require_server_role(self) -> str:
        """Return the session's role; raises unless it is one that may serve clients."""
        return str(await self._value("select pgthreads.require_server_role()", ()))

    async def require_tenant(self) -> None:
        """Return if the database takes the tenants of this object; raises TenantError."""
        await self._value("select pgthreads.set_tenant(%s)", ("pgthreads",))

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
    ) -> BegunTurn:
        """Append the user message and take the lease of a turn.

        With `replaces` or `regenerate` on a new branch; `busy` is what to do while another turn
        runs: `reject`, `interrupt` or `enqueue`. See db/functions/begin_turn.sql.
        """
        rows = await self._rows(
            _select(BegunTurn, "b") + " from pgthreads.set_tenant(%s) as t(owner),"
            " lateral pgthreads.begin_turn("
            "t.owner, %s, %s::jsonb, %s, %s, null, %s, %s, %s) as b",
            (
                owner_user_id,
                state_key,
                json.dumps(message),
                turn_id,
                last,
                replaces,
                regenerate,
                busy,
            ),
            class_row(BegunTurn),
        )
        return rows[0]

    async def extend_turn(self, owner_user_id: str, state_key: str, turn_id: str) -> TurnState:
        """Extend the lease; tells whether the turn is still ours and should stop."""
        rows = await self._rows(
            _select(TurnState, "e") + " from pgthreads.set_tenant(%s) as t(owner),"
            " lateral pgthreads.extend_turn(t.owner, %s, %s) as e",
            (owner_user_id, state_key, turn_id),
            class_row(TurnState),
        )
        return rows[0]

    async def finish_turn(
        self,
        owner_user_id: str,
        state_key: str,
        turn_id: str,
        *,
        status: str,
        usage: dict[str, JsonValue],
        error_code: str | None,
        message: UIMessage | None,
    ) -> None:
        """Append the answer, if there is one, and end the turn: one transaction.

        A lease that ran out is taken back if nobody else has taken the thread over.
        """
        turn = (status, _dumps(usage) if usage else None, error_code)
        if message is None:
            await self._value(
                "select f.status from pgthreads.set_tenant(%s) as t(owner),"
                " lateral pgthreads.finish_turn("
                "t.owner, %s, %s, %s, pgthreads.clean_json(%s), %s) as f",
                (owner_user_id, state_key, turn_id, *turn),
            )
            return
        statement: LiteralString = (
            "select f.status from pgthreads.set_tenant(%s) as t(owner),"
            " lateral pgthreads.append_thread(t.owner, %s,"
            " jsonb_build_array(pgthreads.clean_json(%s)), null, %s) as a,"
            " lateral pgthreads.finish_turn("
            "t.owner, a.state_key, %s, %s, pgthreads.clean_json(%s), %s) as f"
        )
        values = (owner_user_id, state_key, _dumps(message), turn_id, turn_id, *turn)
        try:
            await self._value(statement, values)
        except TurnLostError:
            if not (await self.extend_turn(owner_user_id, state_key, turn_id)).alive:
                raise
            await self._value(statement, values)

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
        )
        return bool(kept)

    async def request_stop(self, owner_user_id: str, state_key: str) -> str | None:
        """Ask the running turn to stop; return its id, None if nothing runs."""
        turn_id = await self._value(
            "select s.turn_id from pgthreads.set_tenant(%s) as t(owner),"
            " lateral pgthreads.request_stop(t.owner, %s) as s(turn_id)",
            (owner_user_id, state_key),
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
            " lateral pgthreads.update_thread(t.owner, %s, %s, %s::jsonb) as u",
            (owner_user_id, state_key, title, None if metadata is None else json.dumps(metadata)),
            class_row(ThreadHeader),
        )
        return rows[0]

    async def soft_delete_thread(self, owner_user_id: str, state_key: str) -> bool:
        """Delete a thread for every reader; False if it was deleted before."""
        deleted = await self._value(
            "select d.deleted from pgthreads.set_tenant(%s) as t(owner),"
            " lateral pgthreads.soft_delete_thread(t.owner, %s) as d(deleted)",
            (owner_user_id, state_key),
        )
        return bool(deleted)

    async def _value(self, statement: LiteralString, values: Sequence[object]) -> Any:
        """Return the first column of the first row."""
        return (await self._rows(statement, values, args_row(lambda value, *_: value)))[0]

    async def _rows(
        self, statement: LiteralString, values: Sequence[object], row: BaseRowFactory[Row]
    ) -> list[Row]:
        # The owner comes first in every statement that has values.
        if values:
            values = (self._tenant(str(values[0])), *values[1:])
        try:
            return await self._pool.fetch(statement, values, row)
        except UnicodeEncodeError as error:
            raise BadRequestError("a value is not Unicode text", detail=str(error)) from error
        except psycopg.Error as error:
            raise from_database(error) from error


@cache
def _select(row: type, of: LiteralString) -> LiteralString:
    """Name the fields of `row` as columns: later releases may add more to what functions return."""
    columns = ", ".join(f"{of}.{each.name}" for each in fields(row))
    return f"select {columns}"


def _dumps(value: JsonValue) -> str:
    return json.dumps(value, ensure_ascii=False)
