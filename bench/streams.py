"""A cheap client for many streams: no HTTP library and no parser, only a look at each piece."""

from __future__ import annotations

import asyncio
import json
import time
from dataclasses import dataclass, field
from typing import cast

from bench.messages import new_id, new_thread
from bench.source import Plan

_END = b"\r\n0\r\n\r\n"
_DELTA = b'-delta","id":'
_STAMP = b'"delta":"'
_STAMP_CHARACTERS = 24
_EVERY = 4
"""The delay is taken from one of so many pieces."""

_ATTEMPTS = 10
_RETRY_AFTER = 1.0


class Refused(Exception):  # noqa: N818
    """The server answered 503: come back later."""


@dataclass
class Stream:
    """What a client saw of a turn; all times are in seconds."""

    first_delta: float = 0.0
    """From the request to the first delta."""
    refusals: int = 0
    """How often the server said 503 before it took the request."""
    deltas: int = 0
    pieces: int = 0
    longest_gap: float = 0.0
    """Between two deltas."""
    ending: float = 0.0
    """From the last delta to the end, which comes when the answer is stored."""
    delays: list[float] = field(default_factory=list)
    """From when a delta was made to when it came, for some of those that contain a time."""


# One buffer for all, emptied at once by each: asyncio's own is 256 KB for each call.
_buffer = memoryview(bytearray(65_536))


class _Protocol(asyncio.BufferedProtocol):
    def __init__(self, plan: Plan) -> None:
        self.stream = Stream()
        self.ended: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._plan = plan
        self._transport: asyncio.Transport | None = None
        self._sent = self._last = 0.0
        self._tail = b""
        self._is_answered = False

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)

    def send(self, request: bytes) -> None:
        self._sent = time.monotonic()
        if self._transport is not None:
            self._transport.write(request)

    def get_buffer(self, sizehint: int) -> memoryview:  # noqa: ARG002
        return _buffer

    def buffer_updated(self, nbytes: int) -> None:
        data = bytes(_buffer[:nbytes])
        now, stream = time.monotonic(), self.stream
        if not self._is_answered:
            if not data.startswith(b"HTTP/1.1 200"):
                is_refusal = data.startswith(b"HTTP/1.1 503")
                kind = Refused if is_refusal else RuntimeError
                self._fail(kind(f"the server answered {data[:300]!r}"))
                return
            self._is_answered = True
        stream.pieces += 1
        # A mark that was cut by the end of the last piece is counted, and nothing twice.
        window = self._tail + data
        self._tail = window[1 - len(_DELTA) :]
        count = window.count(_DELTA)
        if count:
            if not stream.deltas:
                stream.first_delta = now - self._sent
            else:
                stream.longest_gap = max(stream.longest_gap, now - self._last)
            stream.deltas += count
            self._last = now
        if self._plan.stamped and stream.pieces % _EVERY == 0:
            self._note_delay(data, now)
        if window.endswith(_END):
            stream.ending = now - self._last
            self._finish()

    def connection_lost(self, exc: Exception | None) -> None:
        self._fail(RuntimeError(f"the connection was lost: {exc}"))

    def _note_delay(self, data: bytes, now: float) -> None:
        place = data.find(_STAMP)
        if place >= 0:
            stamp, space, _ = data[place + len(_STAMP) :][:_STAMP_CHARACTERS].partition(b" ")
            # A time that is cut in two has no space behind it.
            if space:
                self.stream.delays.append(now - float(stamp))

    def _finish(self) -> None:
        if self.stream.deltas != self._plan.deltas:
            count, wanted = self.stream.deltas, self._plan.deltas
            self._fail(RuntimeError(f"{count} deltas came, of {wanted}"))
        elif not self.ended.done():
            self.ended.set_result(None)
        self.close()

    def _fail(self, reason: Exception) -> None:
        if not self.ended.done():
            self.ended.set_exception(reason)
        self.close()

    def close(self) -> None:
        if self._transport is not None:
            self._transport.close()


def _request(plan: Plan) -> bytes:
    message = {"id": new_id(), "role": "user", "parts": [{"type": "text", "text": plan.dumps()}]}
    body = json.dumps({"id": new_thread(), "messages": [message]}).encode()
    head = (
        "POST /api/v1/ai/chat HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def stream(port: int, plan: Plan) -> Stream:
    """Post a message to a new thread and read the answer to its end.

    Raises Refused, and RuntimeError if the answer is no stream, or not whole.
    """
    loop = asyncio.get_running_loop()
    _, protocol = await loop.create_connection(lambda: _Protocol(plan), "127.0.0.1", port)
    try:
        protocol.send(_request(plan))
        await protocol.ended
    finally:
        protocol.close()
    return protocol.stream


async def streams(port: int, plan: Plan, number: int, ramp: float) -> list[Stream]:
    """Run so many streams at once, which begin one after the other over so many seconds.

    A stream that is refused comes back, a few times.
    """

    async def one(place: int) -> Stream:
        await asyncio.sleep(ramp * place / number)
        for refusals in range(_ATTEMPTS):
            try:
                seen = await stream(port, plan)
            except Refused:
                await asyncio.sleep(_RETRY_AFTER)
            else:
                seen.refusals = refusals
                return seen
        raise RuntimeError(f"refused {_ATTEMPTS} times")

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(place)) for place in range(number)]
    return [task.result() for task in tasks]
