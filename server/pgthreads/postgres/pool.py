"""Connections to PostgreSQL: how long a call may take, and which of them are given up.

Every limit is kept by this process, because what the server enforces does not help against a server
or a network that is silent, and settings of a session do not belong behind a pooler.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from os import dup
from time import monotonic
from typing import Any, LiteralString, Self, TypeVar, cast

import psycopg
from psycopg import AsyncConnection
from psycopg.abc import Buffer
from psycopg.adapt import Loader
from psycopg.conninfo import conninfo_to_dict
from psycopg.pq import Format
from psycopg.rows import AsyncRowFactory, BaseRowFactory
from psycopg.types.datetime import TimestamptzBinaryLoader
from psycopg_pool import AsyncConnectionPool, PoolTimeout

from .errors import SilentServerError, is_of_a_lost_server

Row = TypeVar("Row")

CANCEL_GRACE = 1.0
"""Seconds that a server gets to cancel a statement before its connection is cut."""

_NETWORK = {
    # A peer that is gone without a word is noticed after 45 s, with something sent after 10 s.
    "keepalives_idle": 30,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds at most: to connect, to get a connection of the pool, for a statement, for a lock."""

    connect: float = 3.0
    acquire: float = 5.0
    statement: float = 10.0
    lock: float = 2.0


class RawJson(Loader):
    """Hands json columns on as the bytes that PostgreSQL sent."""

    def load(self, data: Buffer) -> bytes:
        """Copy the bytes out of libpq's buffer."""
        return bytes(data)


class BinaryJson(RawJson):
    """The same in binary format, which is the same text."""

    format = Format.BINARY


class BinaryJsonb(BinaryJson):
    """The same of jsonb, where the text stands behind a version number."""

    def load(self, data: Buffer) -> bytes:
        """Copy the text of it."""
        return bytes(data[1:])


class UtcTimestamp(TimestamptzBinaryLoader):
    """Points in time in UTC, whatever TimeZone the session has."""

    def load(self, data: Buffer) -> datetime:
        """Return an aware datetime."""
        return super().load(data).astimezone(UTC)


def adapt(connection: AsyncConnection[Any]) -> None:
    """Let a connection return what this package expects, for cursors in binary format."""
    connection.adapters.register_loader("json", BinaryJson)
    connection.adapters.register_loader("jsonb", BinaryJsonb)
    connection.adapters.register_loader("timestamptz", UtcTimestamp)


class _Connection(AsyncConnection[Any]):
    born = 0.0


async def _configure(connection: _Connection) -> None:
    adapt(connection)
    connection.born = monotonic()


class Pool:
    """Connections, opened when they are needed; `fetch` sends a statement over one of them."""

    def __init__(
        self,
        conninfo: str,
        *,
        size: int = 10,
        prepare: bool = True,
        timeouts: Timeouts | None = None,
        name: str = "pgthreads",
    ) -> None:
        self.timeouts = timeouts or Timeouts()
        self._renewed = 0.0
        given = conninfo_to_dict(conninfo)
        network = {"connect_timeout": max(1, round(self.timeouts.connect)), **_NETWORK}
        kwargs: dict[str, Any] = {
            "autocommit": True,
            # Of all settings the one that has to be agreed on, and that every pooler lets through.
            "client_encoding": "utf8",
            "prepare_threshold": 2 if prepare else None,
            # Behind application_name in the URL, and PGAPPNAME.
            "fallback_application_name": "pgthreads",
            **{key: value for key, value in network.items() if key not in given},
        }
        self._connect = partial(_Connection.connect, conninfo, **kwargs)
        self._pool = AsyncConnectionPool(
            conninfo,
            connection_class=_Connection,
            min_size=min(2, size),
            max_size=size,
            open=False,
            name=name,
            timeout=self.timeouts.acquire,
            # Only so long does the pool try by itself, with growing pauses; then each call does.
            # So the first call after an outage does not wait for a pause that grew during it.
            reconnect_timeout=self.timeouts.acquire,
            configure=_configure,
            kwargs=kwargs,
        )

    async def reach(self) -> None:
        """Connect once, past the pool, which would only say that it waited in vain.

        It is tried as long as a call would wait, for a server that is only starting. Raises what
        the last try came to: psycopg.OperationalError.
        """
        until = monotonic() + self.timeouts.acquire
        pause = 0.2
        while True:
            try:
                await (await self._connect()).close()
            except psycopg.OperationalError:
                if monotonic() + pause > until:
                    raise
                await asyncio.sleep(pause)
                pause *= 2
            else:
                return

    async def open(self) -> None:
        """Start to connect."""
        await self._pool.open()

    async def close(self) -> None:
        """Close all connections."""
        await self._pool.close()

    async def __aenter__(self) -> Self:
        await self.open()
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    async def fetch(
        self, statement: LiteralString, values: Sequence[object], row: BaseRowFactory[Row]
    ) -> list[Row]:
        """Run a statement and return its rows; raises psycopg.Error.

        Once more, on another connection, if the server was lost on the way: so the statement has to
        be one that may be repeated. Both together have the time of one.
        """
        until = monotonic() + self.timeouts.acquire + self.timeouts.statement
        try:
            return await self._send(statement, values, row, until)
        except psycopg.Error as error:
            if isinstance(error, PoolTimeout) or not is_of_a_lost_server(error):
                raise
        return await self._send(statement, values, row, until)

    async def _send(
        self,
        statement: LiteralString,
        values: Sequence[object],
        row: BaseRowFactory[Row],
        until: float,
    ) -> list[Row]:
        acquire = min(self.timeouts.acquire, until - monotonic())
        async with self._pool.connection(timeout=acquire) as connection:
            limit = _Limit(connection, min(self.timeouts.statement, until - monotonic()))
            try:
                cursor = connection.cursor(row_factory=cast("AsyncRowFactory[Row]", row))
                # In binary, which DateStyle and other settings of the session have no part in.
                await cursor.execute(statement, values, binary=True)
                return await cursor.fetchall()
            except psycopg.Error as error:
                if limit.reached and error.sqlstate is None:
                    raise SilentServerError("the server does not answer") from error
                if is_of_a_lost_server(error):
                    await self._renew(connection)
                raise
            finally:
                limit.end()
                if limit.reached:
                    # A cancel request may still be on its way, and would meet the next statement.
                    await connection.close()

    async def _renew(self, lost: _Connection) -> None:
        """Give up all connections of the time of this one: they lead to the same lost server."""
        if lost.born >= self._renewed:
            self._renewed = monotonic()
            await self._pool.drain()


def reason_of(error: psycopg.OperationalError) -> str:
    """Why there is no connection, in one line: each address that was tried has lines of its own."""
    return (str(error).strip() or type(error).__name__).splitlines()[0]


class _Limit:
    """Ends a statement that takes too long: asks the server first, then cuts the connection."""

    def __init__(self, connection: _Connection, seconds: float) -> None:
        self.reached = False
        self._connection = connection
        self._cancel: asyncio.Task[None] | None = None
        self._timer = asyncio.get_running_loop().call_later(seconds, self._reach)

    def end(self) -> None:
        """The statement has ended."""
        self._timer.cancel()
        if self._cancel is not None:
            self._cancel.cancel()

    def _reach(self) -> None:
        self.reached = True
        self._cancel = asyncio.create_task(self._ask())
        self._timer = asyncio.get_running_loop().call_later(CANCEL_GRACE, self._cut)

    async def _ask(self) -> None:
        with suppress(psycopg.Error):
            await self._connection.cancel_safe(timeout=CANCEL_GRACE)

    def _cut(self) -> None:
        """Shut the socket down, so that the statement ends as by a server that is gone."""
        with (
            suppress(psycopg.Error, OSError),
            socket.socket(fileno=dup(self._connection.pgconn.socket)) as stream,
        ):
            stream.shutdown(socket.SHUT_RDWR)
