"""Limits the number of connections, and the time that a client may take for a request's headers.

It stands between asyncio's transport and aiohttp's protocol, and uses only their public interfaces.
aiohttp itself closes a connection that is idle, even in the middle of headers, after its
`keepalive_timeout`. That has to be longer than the timeout of a proxy in front of the server, and
much longer than it takes to send headers.
"""

from __future__ import annotations

import asyncio
import logging
import resource
import time
from collections.abc import Callable
from typing import Self, cast

from aiohttp import web

log = logging.getLogger(__name__)

_LATE = b"HTTP/1.1 408 Request Timeout\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
_LOG_SECONDS = 60.0

OPEN_FILES_SHARE = 0.75
"""The share of the process's open files that clients' connections may take.

The rest is for the database, for models, and for the spool.
"""


def most_connections() -> int:
    """Return how many connections of clients this process accepts."""
    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return 1_000_000 if soft == resource.RLIM_INFINITY else max(1, int(soft * OPEN_FILES_SHARE))


class Guards:
    """Makes a guarded protocol for each connection, when `loop.create_server` calls it."""

    def __init__(
        self,
        make: web.Server,
        *,
        header_timeout: float,
        most: int,
        refused: Callable[[str], None],
    ) -> None:
        self.make = make
        self.header_timeout = header_timeout
        self.count = 0
        self._most = most
        self._refused = refused
        self._logged = -_LOG_SECONDS

    def __call__(self) -> Guard:
        """Return the protocol of a new connection."""
        return Guard(self)

    @property
    def requests_count(self) -> int:
        """How many requests there were. gunicorn's worker asks that for its --max-requests."""
        return self.make.requests_count

    def admits(self) -> bool:
        """Whether there is room for one more connection."""
        if self.count < self._most:
            return True
        self._refused("connections")
        now = time.monotonic()
        if now - self._logged >= _LOG_SECONDS:
            self._logged = now
            log.error("more than %s connections: further ones are closed at once", self._most)
        return False

    def late(self) -> None:
        """Count a connection whose headers did not arrive in time."""
        self._refused("headers")


class Guard(asyncio.Protocol):
    """One connection. Its timer runs from its start, or its next bytes, until a request begins."""

    def __init__(self, guards: Guards) -> None:
        self._guards = guards
        self._inner: asyncio.Protocol | None = None
        self._transport: asyncio.Transport | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._in_request = False
        self._has_sent = False

    @classmethod
    def of(cls, transport: asyncio.BaseTransport | None) -> Self | None:
        """Return the guard of a connection, or None if it has none."""
        get = getattr(transport, "get_protocol", None)
        protocol = get() if get else None
        return protocol if isinstance(protocol, cls) else None

    def request_begins(self) -> None:
        """Stop the timer, because the headers of a request have arrived."""
        self._in_request = True
        self._stop_clock()

    def request_ends(self) -> None:
        """Get ready for the next request, because this one was answered."""
        self._in_request = self._has_sent = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Pass the connection on to aiohttp, if one more is allowed."""
        if not self._guards.admits():
            transport.close()
            return
        self._guards.count += 1
        # Other event loops have classes of their own, which asyncio's do not know.
        self._transport = cast("asyncio.Transport", transport)
        self._inner = self._guards.make()
        self._start_clock()
        self._inner.connection_made(transport)

    def data_received(self, data: bytes) -> None:
        """Pass it on."""
        if self._inner is None:
            return
        if not self._in_request:
            self._has_sent = True
            if self._timer is None:
                self._start_clock()
        self._inner.data_received(data)

    def eof_received(self) -> bool | None:
        """Pass it on."""
        return self._inner.eof_received() if self._inner else None

    def pause_writing(self) -> None:
        """Pass it on."""
        if self._inner:
            self._inner.pause_writing()

    def resume_writing(self) -> None:
        """Pass it on."""
        if self._inner:
            self._inner.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Pass it on."""
        self._stop_clock()
        if self._inner is not None:
            self._guards.count -= 1
            self._inner.connection_lost(exc)
            self._inner = None

    def _start_clock(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._guards.header_timeout, self._end)

    def _stop_clock(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _end(self) -> None:
        self._timer = None
        if self._transport is None or self._in_request or self._transport.is_closing():
            return
        self._guards.late()
        if self._has_sent:
            self._transport.write(_LATE)
        self._transport.close()
