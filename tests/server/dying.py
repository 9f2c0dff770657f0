"""`python -m tests.server.dying rename|unlink|fsync SPOOL DSN`: kill -9 at one moment of the spool.

Stores an answer while the database is away (`rename`, `fsync`), in the thread that is named after
the moment, or recovers what is in the spool (`unlink`); ends itself just before that system call.
"""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from pathlib import Path

from pgthreads.postgres.pool import Pool, Timeouts
from pgthreads.postgres.threads import Threads
from pgthreads.turns.settle import Answer
from pgthreads.turns.spool import Spool
from pgthreads.turns.store import recover, store


def answer(state_key: str) -> Answer:
    """The answer of turn `t` of this thread."""
    return Answer(
        owner_user_id="dev",
        state_key=state_key,
        turn_id="t",
        status="completed",
        usage={"output_tokens": 3},
        error_code=None,
        message={
            "id": "a1",
            "role": "assistant",
            "parts": [{"type": "text", "text": "whole \u0000 änswer", "state": "done"}],
        },
    )


def die(*_: object, **__: object) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


async def main(moment: str, folder: str, dsn: str) -> None:
    spool = Spool(Path(folder))
    spool.open()
    if moment == "fsync":
        os.fsync = die
    elif moment == "rename":
        Path.rename = die  # type: ignore[method-assign, assignment]
    else:
        Path.unlink = die  # type: ignore[method-assign]
    async with Pool(dsn, size=1, timeouts=Timeouts(acquire=0.2)) as pool:
        threads = Threads(pool)
        if moment == "unlink":
            await recover(threads, spool)
        else:
            await store(threads, answer(moment), give_up=asyncio.Event(), spool=spool)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:]))
