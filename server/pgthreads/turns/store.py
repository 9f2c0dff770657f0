"""Stores finished answers, however long the database is away, and even if the process ends.

If the first attempt to store an answer fails or takes long, the answer is written to the spool at
once, if there is one. From then on it survives a crash of the process and of the machine.
"""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from contextlib import suppress
from itertools import chain, repeat

from ..errors import UnavailableError
from ..postgres.rows import JournalPiece
from ..postgres.threads import Threads
from .settle import Answer, Begin, Refusal, settle
from .spool import Spool, Spooled

log = logging.getLogger(__name__)

RETRY_DELAYS = (0.1, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Seconds between attempts to store an answer. The last one is repeated."""

PATIENCE = 1.0
"""Seconds after which the answer is spooled although the attempt to store it still runs."""

LAST_CHANCE = 2.0
"""Seconds to wait for an attempt in flight when the process has to exit."""

LOOK_SECONDS = 30.0
"""Seconds between looks for answers that other processes have left behind."""


async def store(
    threads: Threads,
    answer: Answer,
    journal: JournalPiece | None = None,
    *,
    give_up: asyncio.Event,
    spool: Spool | None,
    begin: Begin | None = None,
) -> str | None:
    """Store an answer. Return why it is not in its thread, or None if it is.

    With `begin`, and a spool that keeps answers, it is kept on the disk as well when this returns.
    """
    keeping = asyncio.create_task(_keep(spool, answer, begin))
    why = await _store(threads, answer, journal, give_up=give_up, spool=spool)
    await asyncio.wait((keeping,), timeout=PATIENCE)
    return why


async def _store(
    threads: Threads,
    answer: Answer,
    journal: JournalPiece | None,
    *,
    give_up: asyncio.Event,
    spool: Spool | None,
) -> str | None:
    """Store an answer, as `store` says.

    It tries until the database takes the answer or refuses it, or until `give_up` is set; in that
    case the spool has the answer. An answer that takes the database too long again and again counts
    as refused. Only the first attempt has the last piece of the journal, since that piece may be
    what makes it fail.
    """
    spooled: Spooled | None = None
    timeouts = 0
    for delay in chain(RETRY_DELAYS, repeat(RETRY_DELAYS[-1])):
        attempt = asyncio.create_task(settle(threads, answer, journal, timeouts=timeouts))
        journal = None
        await asyncio.wait((attempt,), timeout=PATIENCE)
        if not attempt.done():
            spooled = spooled or await _put(spool, answer)
            await _end_or(attempt, give_up)
            await asyncio.wait((attempt,), timeout=LAST_CHANCE)
        if not attempt.done():
            # It may still commit; the append is idempotent, and the next start finds it stored.
            attempt.cancel()
            why = "the process must exit"
        else:
            try:
                refusal = attempt.result()
            except UnavailableError as error:
                timeouts += error.timed_out
                why = f"{error} {error.detail}"
            else:
                if spooled is not None:
                    await _done(spooled, refusal)
                return None if refusal is None else refusal.code
        spooled = spooled or await _put(spool, answer)
        log.warning("turn %s: the answer is not stored yet: %s", answer.turn_id, why)
        with suppress(TimeoutError):
            await asyncio.wait_for(give_up.wait(), delay)
        if give_up.is_set():
            break
    if spooled is None:
        log.error("turn %s of %s: the answer is lost", answer.turn_id, answer.state_key)
    else:
        log.warning("turn %s: the answer is in the spool until the next start", answer.turn_id)
        spooled.release()
    return UnavailableError.code


async def recover(threads: Threads, spool: Spool, timeouts: Counter[str] | None = None) -> None:
    """Store the answers that processes which have ended have left in the spool.

    `timeouts` counts over several calls how often each file took the database too long.
    """
    timeouts = Counter() if timeouts is None else timeouts
    for name in await asyncio.to_thread(spool.names):
        spooled = await asyncio.to_thread(spool.claim, name)
        if spooled is None:
            continue
        answer = spooled.answer
        try:
            refusal = await settle(threads, answer, timeouts=timeouts[name])
        except UnavailableError as error:
            timeouts[name] += error.timed_out
            log.warning(
                "turn %s of the spool: the answer is not stored yet: %s", answer.turn_id, error
            )
            spooled.release()
        except BaseException:
            spooled.release()
            raise
        else:
            del timeouts[name]
            await _done(spooled, refusal)
            if refusal is None:
                log.info("turn %s of the spool: the answer is stored", answer.turn_id)


async def keep_recovering(threads: Threads, spool: Spool, first: asyncio.Event) -> None:
    """Call `recover` until cancelled. `first` is set when it has run once."""
    timeouts: Counter[str] = Counter()
    while True:
        try:
            await recover(threads, spool, timeouts)
            await asyncio.to_thread(spool.forget)
        except Exception:
            log.exception("the spool cannot be read")
        first.set()
        await asyncio.sleep(LOOK_SECONDS)


async def _keep(spool: Spool | None, answer: Answer, begin: Begin | None) -> None:
    """Keep an answer on the disk while the database stores it, if the spool keeps answers."""
    if spool is None or not spool.keep_seconds or begin is None or answer.message is None:
        return
    try:
        await asyncio.to_thread(spool.keep, answer, begin)
    except (OSError, ValueError):
        log.exception("turn %s: the answer cannot be kept on the disk", answer.turn_id)


async def _put(spool: Spool | None, answer: Answer) -> Spooled | None:
    if spool is None:
        return None
    try:
        return await asyncio.to_thread(spool.put, answer)
    except OSError:
        log.exception("turn %s: the answer cannot be spooled", answer.turn_id)
        return None


async def _done(spooled: Spooled, refusal: Refusal | None) -> None:
    """Give up the file: delete it if the database has the answer, otherwise set it aside."""
    done = spooled.remove if refusal is None or refusal.kept else spooled.set_aside
    try:
        await asyncio.to_thread(done)
    except OSError:
        # The next start finds the message stored, and removes the file then.
        log.exception("turn %s: its file stays in the spool", spooled.answer.turn_id)
        spooled.release()


async def _end_or(task: asyncio.Task[Refusal | None], event: asyncio.Event) -> None:
    """Return when the task has ended or the event is set."""
    waiter = asyncio.create_task(event.wait())
    try:
        await asyncio.wait((task, waiter), return_when=asyncio.FIRST_COMPLETED)
    finally:
        waiter.cancel()
