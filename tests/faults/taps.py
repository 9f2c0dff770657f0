"""Taps that recognise a commit, in PostgreSQL's protocol and in HTTP.

A tap asks its `choose` what should happen to a statement or a request of a thread, and does it.
Threads of these tests have keys `chat-<number>`, which are found in the bytes that pass.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Callable
from typing import Protocol

from tests.faults.proxy import Cut, HalfClose, Tap

KEY = re.compile(rb"chat-\d+")

_CANCEL_REQUEST = 80877102
_COMMIT_SECONDS = 0.05


class ChooseStatement(Protocol):
    """What happens to a statement: "before", "uncommitted", "after", "half", seconds, or None."""

    def __call__(self, kind: str, key: str) -> str | float | None:
        """A statement for thread `key`; `_kind_of` lists the kinds."""


class PostgresTap(Tap):
    """Finds the end of each statement, which in autocommit is its commit.

    "before" cuts before PostgreSQL gets the statement; "uncommitted" cuts when it has run the
    statement, but was not told to commit (psycopg's Sync); "after" cuts when it has committed, and
    the client is not told; "half" does the same, but closes only the direction to the client; a
    number delays the statement.
    """

    def __init__(self, choose: ChooseStatement) -> None:
        self._choose = choose
        self._started = False
        self._buffer = b""
        self._held = b""
        self._statements: dict[bytes, str] = {}
        self._kind = "other"
        self._key = ""
        self._swallow: str | None = None
        self._reply = b""

    async def up(self, data: bytes) -> bytes:
        self._buffer += data
        passed = b""
        if not self._started:
            if len(self._buffer) < 8:
                return b""
            length = int.from_bytes(self._buffer[:4])
            if len(self._buffer) < length:
                return b""
            self._started = True
            passed, self._buffer = self._buffer[:length], self._buffer[length:]
            if int.from_bytes(passed[4:8]) == _CANCEL_REQUEST:
                return passed
        while len(self._buffer) >= 5:
            length = 1 + int.from_bytes(self._buffer[1:5])
            if len(self._buffer) < length:
                break
            message, self._buffer = self._buffer[:length], self._buffer[length:]
            passed += await self._message(message)
        return passed

    async def down(self, data: bytes) -> bytes:
        if self._swallow is None:
            return data
        # ReadyForQuery, five bytes of length, idle: the transaction has ended.
        self._reply += data
        if self._reply.endswith(b"Z\x00\x00\x00\x05I"):
            raise HalfClose if self._swallow == "half" else Cut
        return b""

    async def _message(self, message: bytes) -> bytes:
        kind, body = message[:1], message[5:]
        if kind == b"P":
            name, text = body.split(b"\0", 2)[:2]
            self._statements[name] = self._kind = _kind_of(text)
        elif kind == b"B":
            name = body.split(b"\0", 2)[1]
            self._kind = self._statements.get(name, "other")
            found = KEY.search(body)
            self._key = found[0].decode() if found else ""
        if kind in b"PBDEC":
            self._held += message
            return b""
        if kind != b"S":
            return message
        held, self._held = self._held, b""
        key, self._key = self._key, ""
        fate = self._choose(self._kind, key) if key else None
        if fate == "before":
            raise Cut
        if fate == "uncommitted":
            # Flush in place of Sync: the statement runs, and its transaction stays open.
            raise Cut(held + b"H\x00\x00\x00\x04", _COMMIT_SECONDS)
        if isinstance(fate, float):
            await asyncio.sleep(fate)
        elif fate is not None:
            self._swallow = fate
        return held + message


def _kind_of(statement: bytes) -> str:
    for kind, names in (
        ("begin", (b"begin_turn",)),
        ("pause", (b"pause_turn",)),
        ("respond", (b"respond_turn",)),
        ("finish", (b"complete_turn", b"keep_answer")),
        ("beat", (b"extend_turn", b"write_journal")),
        ("stop", (b"request_stop",)),
        ("read", (b"read_open_answer",)),
    ):
        if any(name in statement for name in names):
            return kind
    return "other"


class HttpTap(Tap):
    """The fate of one connection, which is one request of a client.

    "request" cuts after so many bytes of the request, and "response" after so many bytes of the
    response. "half" closes the client's direction after so many seconds, like a client that shuts
    its side. "eof" closes the server's direction after so many bytes. "delay" delays the request.
    """

    def __init__(self, choose: Callable[[str], tuple[str, float] | None]) -> None:
        self._choose = choose
        self._fate: tuple[str, float] | None = None
        self._seen = b""
        self._sent = 0

    async def up(self, data: bytes) -> bytes:
        if not self._seen:
            found = KEY.search(data)
            self._fate = self._choose(found[0].decode()) if found else None
        self._seen += data
        match self._fate:
            case ("request", size) if len(self._seen) >= size:
                raise Cut(data[: max(0, int(size) - len(self._seen) + len(data))])
            case ("delay", seconds):
                self._fate = None
                await asyncio.sleep(seconds)
            case ("half", _):
                raise HalfClose(data)
        return data

    async def down(self, data: bytes) -> bytes:
        self._sent += len(data)
        if self._fate is None or self._fate[0] not in ("response", "eof"):
            return data
        kind, size = self._fate
        if self._sent < size:
            return data
        first = data[: max(0, int(size) - self._sent + len(data))]
        raise HalfClose(first) if kind == "eof" else Cut(first)
