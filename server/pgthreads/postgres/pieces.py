"""Parses large JSON from the database in pieces, so that the loop can serve others between them."""

from __future__ import annotations

import asyncio
import gc
import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import msgspec
from msgspec import Raw

from .fairness import LARGE
from .nesting import loads


@contextmanager
def without_gc() -> Iterator[None]:
    """Keep the garbage collector away from what is parsed meanwhile, now and for some time after.

    A parser makes no cycles, and looking for them in a megabyte of lists takes as long as parsing.
    """
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        # This moves all objects to the oldest generation, without a look at them.
        gc.freeze()
        gc.unfreeze()
        if was_on:
            gc.enable()


async def load_messages(body: bytes) -> list[Any]:
    """Parse a list of messages as `loads` does; a large one in pieces, with a rest after each."""
    if len(body) <= LARGE:
        return list(loads(body))
    try:
        return list(await _Pieces().load(body))
    except (RecursionError, msgspec.DecodeError):
        return list(loads(body))


class _Pieces:
    """Parses JSON in pieces of `LARGE` bytes, and rests after each for as long as it took."""

    def __init__(self) -> None:
        self._clock = asyncio.get_running_loop().time
        self._begun = self._clock()
        self._size = 0

    async def load(self, body: bytes) -> Any:
        """Parse a value. Raises RecursionError, msgspec.DecodeError."""
        if len(body) > LARGE and body[:1] == b"{":
            fields = msgspec.json.decode(body, type=dict[str, Raw])
            return {name: await self.load(bytes(value)) for name, value in fields.items()}
        if len(body) > LARGE and body[:1] == b"[":
            values: list[Any] = []
            for batch in _batches(msgspec.json.decode(body, type=list[Raw])):
                if len(batch) == 1:
                    values.append(await self.load(batch[0]))
                else:
                    values += await self.load(b"[%b]" % b",".join(batch))
            return values
        with without_gc():
            value = json.loads(body)
        self._size += len(body)
        if self._size > LARGE:
            await asyncio.sleep(self._clock() - self._begun)
            self._size, self._begun = 0, self._clock()
        return value


def _batches(values: list[Raw]) -> Iterator[list[bytes]]:
    """Return neighbours together, up to `LARGE` bytes with the commas between them."""
    batch: list[bytes] = []
    size = 0
    for each in map(bytes, values):
        if batch and size + len(each) > LARGE - 2:
            yield batch
            batch, size = [], 0
        batch.append(each)
        size += len(each) + 1
    if batch:
        yield batch
