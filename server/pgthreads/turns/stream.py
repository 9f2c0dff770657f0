"""The frames of one turn from its start, for any number of readers.

There is one growing buffer and no object for each token. A reader is an offset into the buffer.
"""

from __future__ import annotations

import asyncio
import math
from collections.abc import AsyncGenerator

PACE = 0.005
"""A reader gets at most two pieces in this many seconds, because a write costs much more than a
token."""

PIECE = 16 * 1024
"""How many bytes a reader gets at once, at most."""


class TurnStream:
    """The pump writes to it. Each response, resumed ones included, is a reader."""

    def __init__(self) -> None:
        self._frames = bytearray()
        self._closed = False
        self._readers: set[_Reader] = set()

    def __len__(self) -> int:
        return len(self._frames)

    def since(self, offset: int, most: int | None = None) -> bytes:
        """Return complete frames from an offset on, about `most` bytes of them."""
        end = len(self._frames)
        if most is not None and offset + most < end:
            end = self._frames.find(b"\n\n", offset + most) + 2
        return bytes(memoryview(self._frames)[offset:end])

    def ends_with(self, frame: bytes) -> bool:
        """Whether the stream so far ends with these bytes."""
        return self._frames.endswith(frame)

    def write(self, frames: bytes) -> None:
        """Add frames for all readers."""
        if frames:
            self._frames += frames
            for reader in self._readers:
                reader.wake()

    def close(self) -> None:
        """Tell the readers that nothing more will come."""
        self._closed = True
        for reader in self._readers:
            reader.wake()
            reader.hurry()

    async def read(self, idle: float, most: int = PIECE) -> AsyncGenerator[bytes, None]:
        """Yield what is written from the start, and `b""` whenever nothing came for `idle` seconds.

        What was written while the reader was busy or had to wait comes in one piece, but no more
        than `most` bytes at once: the rest stays in this stream, which all readers share. No frame
        is cut, unless it is longer than that. `PACE` allows two pieces at once, so that it delays
        neither the first token nor any token of a slow answer.
        """
        offset = 0
        reader = _Reader(idle)
        last = before_last = -math.inf
        self._readers.add(reader)
        try:
            while True:
                if offset < len(self._frames):
                    now = reader.time()
                    behind = len(self._frames) - offset >= most
                    if now < before_last + PACE and not self._closed and not behind:
                        await reader.sleep_until(before_last + PACE)
                        now = reader.time()
                    last, before_last = now, last
                    piece = self._piece(offset, most)
                    offset += len(piece)
                    yield piece
                elif self._closed:
                    return
                elif not await reader.wait():
                    yield b""
        finally:
            self._readers.discard(reader)
            reader.close()

    def _piece(self, offset: int, most: int) -> bytes:
        end = len(self._frames)
        if end - offset > most:
            end = offset + most
            last = self._frames.rfind(b"\n\n", offset, end)
            end = end if last < 0 else last + 2
        return bytes(memoryview(self._frames)[offset:end])


class _Reader:
    """A reader, who waits again and again for news, or for `idle` seconds without news.

    It waits once for each token, so no wait may create a task or a timer. There is one timer, which
    looks when the last wait began.
    """

    def __init__(self, idle: float) -> None:
        self._loop = asyncio.get_running_loop()
        self._idle = idle
        self._news: asyncio.Future[bool] | None = None
        self._since = 0.0
        self._timer: asyncio.TimerHandle | None = None
        self._sleep: asyncio.Future[None] | None = None

    def time(self) -> float:
        """Return the time of the loop."""
        return self._loop.time()

    async def wait(self) -> bool:
        """Return True once there is news, or False after the idle time."""
        self._news = self._loop.create_future()
        self._since = self._loop.time()
        if self._timer is None:
            self._timer = self._loop.call_at(self._since + self._idle, self._look)
        try:
            return await self._news
        finally:
            self._news = None

    async def sleep_until(self, end: float) -> None:
        """Wait until this time or for `hurry`, whatever news there is."""
        self._sleep = self._loop.create_future()
        timer = self._loop.call_at(end, self.hurry)
        try:
            await self._sleep
        finally:
            timer.cancel()
            self._sleep = None

    def hurry(self) -> None:
        """End the sleep if it sleeps."""
        if self._sleep is not None and not self._sleep.done():
            self._sleep.set_result(None)

    def wake(self) -> None:
        """Tell it that there is news. A busy reader need not be told: it looks before it waits."""
        if self._news is not None and not self._news.done():
            self._news.set_result(True)

    def close(self) -> None:
        """Cancel the timer."""
        if self._timer is not None:
            self._timer.cancel()

    def _look(self) -> None:
        """Wake the reader if the idle time is over, otherwise look again when it will be."""
        self._timer = None
        if self._news is None or self._news.done():
            return
        end = self._since + self._idle
        if end <= self._loop.time():
            self._news.set_result(False)
        else:
            self._timer = self._loop.call_at(end, self._look)
