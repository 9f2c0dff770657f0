"""One call of a SQL function: its tenant, its time limits, its place in the queue, its errors."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager, nullcontext
from dataclasses import fields
from functools import cache
from typing import Any, LiteralString, TypeVar

import psycopg
from psycopg.rows import BaseRowFactory, args_row

from ..errors import BadRequestError, LimitError
from ..events import JsonText, JsonValue
from .errors import from_database
from .fairness import Fairness
from .lanes import Lanes, Thread
from .pool import Pool
from .rows import TurnKey
from .tenants import Tenant, named

Row = TypeVar("Row")

_SET_TENANT = re.compile(r"pgthreads\.set_tenant\((%s|k\.owner)\)")


class Calls:
    """Sends statements over a pool, each for the tenant whose owner is its first value.

    Every coroutine raises the class of `errors` for the function's SQLSTATE, or `UnavailableError`
    if the database does not answer. `tenant` makes of an owner what set_tenant is given. With a
    `fairness`, costly requests wait for each other.
    """

    def __init__(
        self, pool: Pool, tenant: Tenant = named, *, fairness: Fairness | None = None
    ) -> None:
        self._pool = pool
        self._tenant = tenant
        self._fairness = fairness
        self._lanes = Lanes(seconds=pool.timeouts.acquire)
        self._lock_ms = max(1, round(pool.timeouts.lock * 1000))

    async def _value(
        self, statement: LiteralString, values: Sequence[object], alone: Thread | None = None
    ) -> Any:
        """Send a statement, and return the first column of its first row."""
        row = args_row(lambda value, *_: value)
        return (await self._rows(statement, values, row, alone=alone))[0]

    async def _each(
        self,
        statement: LiteralString,
        turns: Sequence[TurnKey],
        columns: Sequence[list[Any]],
        row: BaseRowFactory[Row],
    ) -> list[Row]:
        """Call a function for many turns: arrays of owners, keys and ids, and then `columns`."""
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
        """Send a statement. `alone` is the thread that it locks, whose calls queue up here."""
        # The first value of a statement, if it has any, is the owner, or the owners of many turns.
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
        async with self._lanes.enter(alone) if alone else nullcontext(), fair:
            return await self._fetch(with_lock_timeout(statement, self._lock_ms), values, row)

    async def _rows_of_nobody(
        self, statement: LiteralString, values: Sequence[object], row: BaseRowFactory[Row]
    ) -> list[Row]:
        """Send a statement that sets no tenant. All of these share what one user is granted."""
        async with nullcontext() if self._fairness is None else self._fairness.turn(""):
            return await self._fetch(statement, values, row)

    async def _fetch(
        self, statement: LiteralString, values: Sequence[object], row: BaseRowFactory[Row]
    ) -> list[Row]:
        try:
            return await self._pool.fetch(statement, values, row)
        except UnicodeEncodeError as error:
            raise BadRequestError("a value is not Unicode text", detail=str(error)) from error
        except psycopg.Error as error:
            raise from_database(error) from error


@cache
def with_lock_timeout(statement: LiteralString, milliseconds: int) -> LiteralString:
    """Let the call wait for a lock no longer than that.

    The statement itself sets this, before it sets the tenant, and for its own transaction only.
    Behind a pooler a setting of the session would apply to other clients as well, and PgBouncer
    refuses settings that are sent when the session begins (`options`).
    """
    limited = (
        r"pgthreads.set_tenant(case when set_config('lock_timeout', "
        rf"'{milliseconds}ms', true) <> '' then \1 end)"
    )
    return _SET_TENANT.sub(limited, statement)


@cache
def select(row: type, of: LiteralString) -> LiteralString:
    """Name the fields of `row` as columns, because later releases may return more columns."""
    columns = ", ".join(f"{of}.{each.name}" for each in fields(row))
    return f"select {columns}"


def dumps(value: JsonValue) -> str:
    """JSON for `clean_json`. A lone surrogate is escaped, because UTF-8 has no bytes for it."""
    if isinstance(value, JsonText):
        return value
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
