"""Connections to PostgreSQL: how long a call may take, and which connections are given up.

This process keeps every limit itself. A limit that PostgreSQL keeps does not help if PostgreSQL or
the network is silent, and behind a pooler the settings of a session may apply to other clients.
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
from .outages import OUTAGES

Row = TypeVar("Row")

CANCEL_GRACE = 1.0
"""Seconds that PostgreSQL gets to cancel a statement before its connection is cut."""

_NETWORK = {
    # A peer that has vanished is noticed after 45 s, or after 10 s if something was sent to it.
    "keepalives_idle": 30,
    "keepalives_interval": 5,
    "keepalives_count": 3,
    "tcp_user_timeout": 10_000,
}


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Limits in seconds: to connect, to get a connection, for a statement, and for a lock."""

    connect: float = 3.0
    acquire: float = 5.0
    statement: float = 10.0
    lock: float = 2.0


class RawJson(Loader):
    """Returns json values as the bytes that PostgreSQL sent."""

    def load(self, data: Buffer) -> bytes:
        """Copy the bytes from libpq's buffer."""
        return bytes(data)


class BinaryJson(RawJson):
    """Does the same in binary format, where json is the same text."""

    format = Format.BINARY


class BinaryJsonb(BinaryJson):
    """Does the same for jsonb, where a version number stands before the text."""

    def load(self, data: Buffer) -> bytes:
        """Copy the text."""
        return bytes(data[1:])


class UtcTimestamp(TimestamptzBinaryLoader):
    """Returns times in UTC, whatever the TimeZone of the session is."""

    def load(self, data: Buffer) -> datetime:
        """Return an aware datetime."""
        return super().load(data).astimezone(UTC)


def adapt(connection: AsyncConnection[Any]) -> None:
    """Register the loaders above for a connection's cursors in binary format."""
    connection.adapters.register_loader("json", BinaryJson)
    connection.adapters.register_loader("jsonb", BinaryJsonb)
    connection.adapters.register_loader("timestamptz", UtcTimestamp)


class _Connection(AsyncConnection[Any]):
    born = 0.0


async def _configure(connection: _Connection) -> None:
    adapt(connection)
    OUTAGES.connected()
    connection.born = monotonic()


class Pool:
    """Connections, which are opened when they are needed; `fetch` sends a statement over one."""

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
            # The only setting that both sides have to agree on; every pooler accepts it.
            "client_encoding": "utf8",
            "prepare_threshold": 2 if prepare else None,
            # This counts if neither the URL nor PGAPPNAME gives an application_name.
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
            # The pool tries to reconnect by itself for this time only, with growing pauses. After
            # that each call tries. So the first call after an outage does not have to wait for the
            # end of a long pause.
            reconnect_timeout=self.timeouts.acquire,
            configure=_configure,
            kwargs=kwargs,
        )

    async def reach(self) -> None:
        """Connect once without the pool, which could only say that it has waited in vain.

        It tries for as long as a call would wait, because PostgreSQL may be starting. Raises the
        psycopg.OperationalError of the last attempt.
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
        """Start connecting; return at once."""
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
        """Run a statement and return its rows. Raises psycopg.Error.

        If the database server was lost meanwhile, the statement is sent once more over another
        connection, so it has to be one that may be repeated. Both attempts together have to end
        within the limits of one.
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
                # DateStyle and other settings of the session have no effect on the binary format.
                await cursor.execute(statement, values, binary=True)
                return await cursor.fetchall()
            except psycopg.Error as error:
                if limit.reached and error.sqlstate is None:
                    raise SilentServerError("the database server does not answer") from error
                if is_of_a_lost_server(error):
                    await self._renew(connection)
                raise
            finally:
                limit.end()
                if limit.reached:
                    # A cancel request may still be on its way, and would hit the next statement.
                    await connection.close()

    async def _renew(self, lost: _Connection) -> None:
        """Give up all connections as old as this one, since they lead to the same lost server."""
        if lost.born >= self._renewed:
            self._renewed = monotonic()
            await self._pool.drain()


def reason_of(error: psycopg.OperationalError) -> str:
    """The reason why there is no connection, in one line.

    psycopg reports each address that it has tried in lines of its own; this is the first one.
    """
    return (str(error).strip() or type(error).__name__).splitlines()[0]


class _Limit:
    """Ends a statement that takes too long: first asks PostgreSQL to, then cuts the connection."""

    def __init__(self, connection: _Connection, seconds: float) -> None:
        self.reached = False
        self._connection = connection
        self._cancel: asyncio.Task[None] | None = None
        self._timer = asyncio.get_running_loop().call_later(seconds, self._reach)

    def end(self) -> None:
        """Stop watching, because the statement has ended."""
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
        """Shut down the socket, so that the statement ends as if the database server were gone."""
        with (
            suppress(psycopg.Error, OSError),
            socket.socket(fileno=dup(self._connection.pgconn.socket)) as stream,
        ):
            stream.shutdown(socket.SHUT_RDWR)
