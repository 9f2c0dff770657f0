"""The frames of one turn from its start, for any number of readers.

One growing buffer and no object a token: a reader is an offset into it.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator


class TurnLog:
    """Written by the pump; each response, and each resumed one, is a reader."""

    def __init__(self) -> None:
        self._frames = bytearray()
        self._closed = False
        self._news: asyncio.Future[None] | None = None

    def write(self, frames: bytes) -> None:
        """Add frames for all readers."""
        if frames:
            self._frames += frames
            self._wake()

    def close(self) -> None:
        """Tell the readers that nothing more comes."""
        self._closed = True
        self._wake()

    async def read(self, idle: float) -> AsyncIterator[bytes]:
        """Yield what is written, from the start; `b""` whenever nothing came for `idle` seconds.

        What was written while the reader was busy comes in one piece.
        """
        offset = 0
        while True:
            if offset < len(self._frames):
                piece = bytes(memoryview(self._frames)[offset:])
                offset += len(piece)
                yield piece
            elif self._closed:
                return
            elif not await self._wait(idle):
                yield b""

    async def _wait(self, idle: float) -> bool:
        if self._news is None:
            self._news = asyncio.get_running_loop().create_future()
        done, _ = await asyncio.wait((self._news,), timeout=idle)
        return bool(done)

    def _wake(self) -> None:
        if self._news is not None:
            self._news.set_result(None)
            self._news = None
