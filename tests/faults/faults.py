"""Faults of processes, of the database and of whole connections, at random moments."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import psycopg

from tests.faults.cluster import LEASE_SECONDS
from tests.faults.world import World

Fault = Callable[[World, int], Awaitable[None]]
"""Does harm and repairs it; if it is a fault of a worker, to the worker with this number."""


async def _kill_worker(world: World, number: int) -> None:
    await world.workers[number].kill()
    await asyncio.sleep(world.dice.random() * LEASE_SECONDS * 1.5)
    await _start_worker(world, number)


async def _kill_worker_without_database(world: World, number: int) -> None:
    refusal = asyncio.create_task(world.database_proxies[number].refuse(LEASE_SECONDS))
    await asyncio.sleep(world.dice.uniform(0.2, 0.8) * LEASE_SECONDS)
    await world.workers[number].kill()
    await refusal
    await _start_worker(world, number)


async def _drain_worker(world: World, number: int) -> None:
    await world.workers[number].drain()
    await _start_worker(world, number)


async def _start_worker(world: World, number: int) -> None:
    world.workers[number].start()
    await world.workers[number].ready()


async def _pause_worker(world: World, number: int) -> None:
    world.workers[number].pause()
    try:
        await asyncio.sleep(world.dice.uniform(0.5, 2) * LEASE_SECONDS)
    finally:
        world.workers[number].resume()


async def _cut_database_links(world: World, number: int) -> None:
    world.database_proxies[number].cut()


async def _refuse_database_links(world: World, number: int) -> None:
    await world.database_proxies[number].refuse(world.dice.uniform(0.2, 2.5))


async def _stall_database_links(world: World, number: int) -> None:
    await world.database_proxies[number].stall(world.dice.uniform(0.5, 1.5) * LEASE_SECONDS)


async def _cut_clients(world: World, number: int) -> None:
    world.http_proxies[number].cut()


async def _terminate_backends(world: World, _: int) -> None:
    await world.cluster.terminate_backends(world.dice.choice((0.3, 1.0)))


async def _kill_backend(world: World, _: int) -> None:
    await world.cluster.kill_backend()


async def _kill_postgres(world: World, _: int) -> None:
    await world.cluster.kill()


async def _shut_down_immediately(world: World, _: int) -> None:
    await world.cluster.shut_down_immediately()


async def _restart_postgres(world: World, _: int) -> None:
    await world.cluster.restart()


async def _let_the_clock_jump(world: World, _: int) -> None:
    if world.cluster.set_clock is not None:
        world.cluster.set_clock(world.dice.uniform(-3, 3) * LEASE_SECONDS)


async def _reap(world: World, _: int) -> None:
    await world.cluster.reap()


OF_WORKERS: dict[str, tuple[int, Fault]] = {
    "kill -9 of a worker": (3, _kill_worker),
    "kill -9 of a worker without database": (1, _kill_worker_without_database),
    "SIGTERM of a worker": (1, _drain_worker),
    "SIGSTOP of a worker": (3, _pause_worker),
    "database links cut": (2, _cut_database_links),
    "database links refused": (1, _refuse_database_links),
    "database links stalled": (2, _stall_database_links),
    "clients cut": (1, _cut_clients),
}
"""Faults of one worker, and how many of each are in a deck."""

OF_DATABASE: dict[str, tuple[int, Fault]] = {
    "pg_terminate_backend": (2, _terminate_backends),
    "kill -9 of a backend": (1, _kill_backend),
    "kill -9 of PostgreSQL": (1, _kill_postgres),
    "immediate shutdown": (1, _shut_down_immediately),
    "restart of PostgreSQL": (1, _restart_postgres),
    "reap_turns": (2, _reap),
}
"""Faults that affect all workers."""

OF_CLOCK: dict[str, tuple[int, Fault]] = {"the clock jumps": (4, _let_the_clock_jump)}
"""Faults of a cluster with a clock of its own."""


@asynccontextmanager
async def disturbed(world: World) -> AsyncIterator[None]:
    """Inject faults until the block ends; then everything has been repaired."""
    injector = asyncio.create_task(_inject(world))
    try:
        yield
    finally:
        world.is_quiet = True
        injector.cancel()
        results = await asyncio.gather(injector, return_exceptions=True)
        if isinstance(results[0], Exception):
            raise results[0]


async def _inject(world: World) -> None:
    has_clock = world.cluster.set_clock is not None
    kinds = {
        name: fault
        for name, fault in (OF_WORKERS | OF_DATABASE | (OF_CLOCK if has_clock else {})).items()
        if world.plan.only is None or name in world.plan.only
    }
    if not kinds:
        return
    deck: list[str] = []
    busy: set[object] = set()
    async with asyncio.TaskGroup() as group:
        try:
            while True:
                await asyncio.sleep(world.dice.expovariate(1 / world.plan.every))
                if not deck:
                    # They are dealt like cards, so that each kind comes up.
                    deck = [name for name, (share, _) in kinds.items() for _ in range(share)]
                    world.dice.shuffle(deck)
                name = deck[-1]
                number = world.dice.randrange(len(world.workers))
                # Faults of different victims overlap; one victim has one fault at a time.
                victim: object = number if name in OF_WORKERS else "database"
                if victim not in busy:
                    deck.pop()
                    world.decks += not deck
                    busy.add(victim)
                    group.create_task(_do(world, name, kinds[name][1], victim, busy))
        except asyncio.CancelledError:
            # No new faults begin; leaving the group waits for the repairs.
            pass


async def _do(world: World, name: str, fault: Fault, victim: object, busy: set[object]) -> None:
    number = victim if isinstance(victim, int) else None
    world.record.hit_all(name, number)
    try:
        await fault(world, number or 0)
    except psycopg.OperationalError:
        # Another fault has taken the database away, so this one cannot happen.
        pass
    finally:
        busy.discard(victim)
