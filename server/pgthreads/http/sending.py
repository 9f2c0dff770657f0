"""Sends bodies in pieces to clients of any speed, and cuts off those that take nothing.

However long a body is, only one piece waits for a slow client in this process, and one more in the
kernel. A client that takes no byte for `--write-timeout` is cut off.
"""

from __future__ import annotations

import asyncio
import socket
from contextlib import suppress
from fcntl import ioctl
from struct import unpack
from termios import TIOCOUTQ
from types import TracebackType
from typing import Self

from aiohttp import ClientConnectionResetError, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.typedefs import Handler

from ..turns.stream import PIECE
from .app_keys import SETTINGS

LOOKS = 4
"""How often a client is checked within the write timeout."""


class Sender:
    """Sends the head of a response on entry, and then whatever is written.

    Both raise ConnectionError if the client has left or was cut off.
    """

    def __init__(self, request: web.Request, response: web.StreamResponse) -> None:
        self._request = request
        self._response = response
        self._seconds = request.app[SETTINGS].write_timeout
        self._loop = asyncio.get_running_loop()
        self._timer: asyncio.TimerHandle | None = None
        self._writes = 0
        self._writing = False
        self._seen = (0, 0)
        self._progress = self._loop.time()

    async def __aenter__(self) -> Self:
        transport, writer = self._request.transport, await self._response.prepare(self._request)
        if transport is None or writer is None:
            raise ClientConnectionResetError("the client has left")
        self._transport: asyncio.Transport = transport
        self._writer: AbstractStreamWriter = writer
        # About one piece waits here, and one more in the kernel if the system has that setting.
        transport.set_write_buffer_limits(high=PIECE)
        with suppress(OSError, AttributeError):
            transport.get_extra_info("socket").setsockopt(
                socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, PIECE
            )
        self._look()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._timer is not None:
            self._timer.cancel()

    async def write(self, data: bytes | bytearray) -> None:
        """Send data, however long it is, in pieces. Wait until the client has taken most of it."""
        if len(data) <= PIECE:
            await self._write(data)
            return
        rest = memoryview(data)
        while rest:
            await self._write(rest[:PIECE])
            rest = rest[PIECE:]

    async def _write(self, data: bytes | bytearray | memoryview) -> None:
        self._writing = True
        try:
            await self._response.write(data)
            await self._writer.drain()
        finally:
            self._writing = False
            self._writes += 1

    async def end(self) -> None:
        """Send the end, and wait until everything has left this process: nobody checks it later."""
        self._writing = True
        try:
            # The method of Response would send the body again.
            await web.StreamResponse.write_eof(self._response)
            self._transport.set_write_buffer_limits(high=0)
            await self._writer.drain()
            self._transport.set_write_buffer_limits(high=PIECE)
        finally:
            self._writing = False

    def _look(self) -> None:
        """Cut the client off if it has taken nothing for too long."""
        self._timer = None
        if self._transport.is_closing():
            return
        now = self._loop.time()
        seen = (self._writes, self._waiting())
        if not self._writing or seen[0] != self._seen[0] or seen[1] < self._seen[1]:
            self._progress = now
        elif now - self._progress >= self._seconds:
            self._transport.abort()
            return
        self._seen = seen
        self._timer = self._loop.call_at(now + self._seconds / LOOKS, self._look)

    def _waiting(self) -> int:
        """How many bytes, here and in the kernel, the client has not confirmed yet."""
        waiting = self._transport.get_write_buffer_size()
        stream = self._transport.get_extra_info("socket")
        # Not every system can say this about every kind of socket.
        with suppress(OSError, AttributeError):
            waiting += unpack("i", ioctl(stream.fileno(), TIOCOUTQ, bytes(4)))[0]
        return waiting


@web.middleware
async def send_in_pieces(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Send long bodies with `Sender`. It is the outermost middleware: others may add headers."""
    response = await handler(request)
    if (
        not isinstance(response, web.Response)
        or response.prepared
        or not isinstance(body := response.body, bytes | bytearray)
        or len(body) <= PIECE
        or request.method == "HEAD"
        or response.status in (204, 304)
    ):
        return response
    with suppress(ConnectionError):
        async with Sender(request, response) as sender:
            await sender.write(body)
            await sender.end()
    return response
