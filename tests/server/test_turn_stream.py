"""The log of a turn: whole for each reader, prompt for the first token, paced for a fast answer."""

from __future__ import annotations

import asyncio
from contextlib import aclosing

import pytest

from pgthreads.turns.stream import PACE, TurnStream

LONG = 60.0


async def _pieces(log: TurnStream, idle: float = LONG) -> list[bytes]:
    return [piece async for piece in log.read(idle)]


async def test_reads_what_was_written_before_and_after_it_came() -> None:
    log = TurnStream()
    log.write(b"a")
    early = asyncio.create_task(_pieces(log))
    await asyncio.sleep(0.01)
    log.write(b"b")
    late = asyncio.create_task(_pieces(log))
    await asyncio.sleep(0.01)
    log.write(b"c")
    log.close()
    assert await early == [b"a", b"b", b"c"]
    assert await late == [b"ab", b"c"]
    assert await _pieces(log) == [b"abc"]


async def test_sends_two_pieces_at_once_and_then_what_a_pace_has_brought() -> None:
    log = TurnStream()
    loop = asyncio.get_running_loop()
    reader = asyncio.create_task(_pieces(log))
    begun = loop.time()
    written = 0
    while loop.time() < begun + 10 * PACE:
        log.write(b".")
        written += 1
        await asyncio.sleep(0)
    ended = loop.time()
    log.close()
    pieces = await reader
    assert sum(map(len, pieces)) == written
    # However slow the machine, and the end comes without a pause.
    assert len(pieces) <= 2 * ((ended - begun) / PACE + 1) + 1
    assert [len(piece) for piece in pieces[:2]] == [1, 1]


async def test_sends_the_end_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("pgthreads.turns.stream.PACE", LONG)
    log = TurnStream()
    reader = asyncio.create_task(_pieces(log))
    for piece in (b"a", b"b", b"c"):
        log.write(piece)
        await asyncio.sleep(0.01)
    assert not reader.done()
    log.write(b"end")
    log.close()
    assert await asyncio.wait_for(reader, 10) == [b"a", b"b", b"cend"]


async def test_tells_each_time_that_nothing_came() -> None:
    log = TurnStream()
    async with aclosing(log.read(0.02)) as pieces:
        assert await anext(pieces) == b""
        assert await anext(pieces) == b""
        log.write(b"a")
        assert await anext(pieces) == b"a"
        assert await anext(pieces) == b""


async def test_counts_the_idle_time_from_the_last_piece() -> None:
    log = TurnStream()
    loop = asyncio.get_running_loop()
    async with aclosing(log.read(0.2)) as pieces:
        loop.call_later(0.15, log.write, b"a")
        assert await anext(pieces) == b"a"
        came = loop.time()
        assert await anext(pieces) == b""
        # The timer of the first wait fires meanwhile, and must not count.
        assert loop.time() - came >= 0.19


async def test_forgets_a_reader_that_leaves() -> None:
    log = TurnStream()
    leaving = asyncio.create_task(_pieces(log))
    staying = asyncio.create_task(_pieces(log))
    await asyncio.sleep(0.01)
    leaving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await leaving
    log.write(b"a")
    log.close()
    assert await staying == [b"a"]
