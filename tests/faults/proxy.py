"""A TCP proxy that delays, cuts, half-closes and stalls what goes through it."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass

CONNECT_SECONDS = 5.0
HALF_CLOSED_SECONDS = 3.0
"""How long a connection may go on in one direction after a fault has closed the other."""


class Cut(Exception):  # noqa: N818
    """The connection is reset on both sides, `seconds` after `first` was passed on."""

    # Otherwise the reset would overtake what the kernel has not sent yet.
    def __init__(self, first: bytes = b"", seconds: float = 0.005) -> None:
        super().__init__()
        self.first = first
        self.seconds = seconds


class HalfClose(Exception):  # noqa: N818
    """This direction ends as if its sender had closed it; before that, `first` is passed on."""

    def __init__(self, first: bytes = b"") -> None:
        super().__init__()
        self.first = first


class Tap:
    """Sees what passes through one connection: returns what to pass on, or raises a fault."""

    async def up(self, data: bytes) -> bytes:
        """From the client to the server."""
        return data

    async def down(self, data: bytes) -> bytes:
        """From the server to the client."""
        return data


@dataclass(eq=False, slots=True)
class _Link:
    """Both ends of a connection through the proxy."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter | None = None

    def reset(self) -> None:
        for end in (self.client, self.server):
            if end is not None:
                _reset(end)


class Proxy:
    """Passes connections on to `host`:`port`, each through a tap of its own."""

    def __init__(self, host: str, port: int, tap: Callable[[], Tap] = Tap) -> None:
        self.port = 0
        self._target = (host, port)
        self._tap = tap
        self._links: set[_Link] = set()
        self._tasks: set[asyncio.Task[None]] = set()
        self._flowing = asyncio.Event()
        self._flowing.set()
        self._refusing = False
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Listen on a free port of 127.0.0.1, which `port` then holds."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def stop(self) -> None:
        """Cut everything and stop listening."""
        if self._server is not None:
            self._server.close()
        self.cut()
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def cut(self) -> int:
        """Reset every connection; return how many there were."""
        links = list(self._links)
        for link in links:
            link.reset()
        return len(links)

    async def stall(self, seconds: float) -> None:
        """Pass nothing on for a while, like a network that drops every packet."""
        self._flowing.clear()
        try:
            await asyncio.sleep(seconds)
        finally:
            self._flowing.set()

    async def refuse(self, seconds: float) -> None:
        """Cut every connection, and accept none for a while."""
        self._refusing = True
        try:
            self.cut()
            await asyncio.sleep(seconds)
        finally:
            self._refusing = False

    def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.create_task(self._pass_on(reader, writer))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        link = _Link(writer)
        self._links.add(link)
        try:
            if self._refusing:
                return
            async with asyncio.timeout(CONNECT_SECONDS):
                server_reader, link.server = await asyncio.open_connection(*self._target)
            await self._carry_both(reader, server_reader, link)
        except (OSError, TimeoutError):
            pass
        finally:
            link.reset()
            self._links.discard(link)

    async def _carry_both(
        self, client: asyncio.StreamReader, server: asyncio.StreamReader, link: _Link
    ) -> None:
        assert link.server is not None
        tap = self._tap()
        ways = {
            asyncio.create_task(self._carry(client, link.server, tap.up)),
            asyncio.create_task(self._carry(server, link.client, tap.down)),
        }
        try:
            done, rest = await asyncio.wait(ways, return_when=asyncio.FIRST_COMPLETED)
            if rest and all(way.result() for way in done):
                # One side has sent everything; the other may still be answering.
                await asyncio.wait(rest, timeout=HALF_CLOSED_SECONDS)
        finally:
            for way in ways:
                way.cancel()
            await asyncio.gather(*ways, return_exceptions=True)

    async def _carry(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        tap: Callable[[bytes], Awaitable[bytes]],
    ) -> bool:
        """Return whether this direction was closed and not cut."""
        try:
            while data := await reader.read(65536):
                await self._flowing.wait()
                writer.write(await tap(data))
                await writer.drain()
        except Cut as cut:
            await _write(writer, cut.first)
            await asyncio.sleep(cut.seconds)
            return False
        except HalfClose as close:
            await _write(writer, close.first)
        except OSError:
            return False
        with suppress(OSError, RuntimeError):
            writer.write_eof()
        return True


async def _write(writer: asyncio.StreamWriter, data: bytes) -> None:
    with suppress(OSError):
        writer.write(data)
        await writer.drain()


def _reset(end: asyncio.StreamWriter) -> None:
    sock = end.get_extra_info("socket")
    with suppress(OSError):
        # With a linger time of 0, the peer gets a reset and no orderly end.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    end.transport.abort()
