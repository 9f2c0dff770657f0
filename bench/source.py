"""Where the deltas of the streaming benchmarks come from: the same for pgthreads and for aiohttp.

`bench.source:execute` is an executor; a user message tells it, as JSON, what to send and how fast.
"""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import AsyncIterator
from dataclasses import asdict, dataclass

from pgthreads.events import AiEvent, Done, ExecutorRequest, TextDelta

WORD = "word and "


@dataclass(frozen=True)
class Plan:
    """How many deltas, and the pause before each: None awaits nothing, 0 the loop's next turn."""

    deltas: int
    pause: float | None = None
    stamped: bool = False
    """Whether a delta holds the time at which it was made, by the machine's monotonic clock."""

    def dumps(self) -> str:
        """Return it as a message's text."""
        return json.dumps(asdict(self))

    @classmethod
    def loads(cls, text: str) -> Plan:
        """Read what `dumps` returned."""
        return cls(**json.loads(text))


async def deltas(plan: Plan) -> AsyncIterator[str]:
    """Yield the texts of a plan."""
    due = time.monotonic()
    for _ in range(plan.deltas):
        if plan.pause is not None:
            # By the clock, so that a slow server gets its deltas at the same rate.
            due += plan.pause
            await asyncio.sleep(max(0.0, due - time.monotonic()) if plan.pause else 0)
        yield f"{time.monotonic():.6f} " if plan.stamped else WORD


async def execute(request: ExecutorRequest, /) -> AsyncIterator[AiEvent]:
    """Answer as the user message says."""
    async for text in deltas(Plan.loads(request.messages[-1]["parts"][0]["text"])):
        yield TextDelta(text)
    yield Done()
