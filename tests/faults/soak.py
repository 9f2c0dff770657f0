"""Mixed load without faults for half an hour: `python -m tests.faults.soak --seconds 1800`.

Memory, open files and connections of the workers and of PostgreSQL must not grow, everything has to
be at rest afterwards, and the checker has to find nothing. Otherwise the exit status is 1. It needs
Linux, because it reads /proc.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import secrets
import sys
import tempfile
import time
from collections import Counter, defaultdict
from pathlib import Path

import aiohttp

from tests.faults.checker import check
from tests.faults.clients import OWNERS, headers_of
from tests.faults.cluster import Cluster, new_cluster
from tests.faults.rounds import Result, rest
from tests.faults.usage import PROC, Series, memory_of_each, open_files, private_memory
from tests.faults.world import Plan, World, running_world

SECONDS = 1800.0
SAMPLES = 120
"""How many samples are taken of each quantity, however long it takes."""

TOLD = 10
"""How many of the samples are printed on the way."""

FORGET_SECONDS = 30
"""How long after the last turn there may be a journal."""

Samples = defaultdict[tuple[str, str], list[float]]
"""By name and unit."""

_THREADS = "/api/v1/ai/threads"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.soak", description=__doc__)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    parser.add_argument("--chats", type=int, default=16, help="conversations at a time")
    parser.add_argument("--readers", type=int, default=2, help="clients that list and load")
    arguments = parser.parse_args()
    if not (PROC / "self" / "status").exists():
        parser.error("there is no /proc here")
    print(f"seed {arguments.seed}", flush=True)
    return asyncio.run(_run(arguments))


async def _run(arguments: argparse.Namespace) -> int:
    plan = Plan(
        seed=arguments.seed,
        turns=10**9,
        chats=arguments.chats,
        statements=0,
        requests=0,
        only=(),
        seconds=arguments.seconds,
    )
    with tempfile.TemporaryDirectory(prefix="pgthreads-soak-") as folder, new_cluster() as cluster:
        return await _soak(cluster, Path(folder), plan, arguments.readers)


async def _soak(cluster: Cluster, folder: Path, plan: Plan, readers: int) -> int:
    start = time.monotonic()
    reads: Counter[str] = Counter()
    samples: Samples = defaultdict(list)
    async with running_world(cluster, folder, plan) as world:
        others = [_keep_sampling(world, samples)]
        others += [_keep_reading(world, number, reads) for number in range(readers)]
        tasks = [asyncio.create_task(each) for each in others]
        try:
            await world.chat()
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        for error in ended:
            if isinstance(error, Exception):
                raise error
        threads = await rest(world)
        left = await _journal_rows(cluster)
    seconds = time.monotonic() - start
    result = Result(plan, world.record, threads, check(threads, world.record), seconds)
    series = [Series(name, unit, values) for (name, unit), values in samples.items()]
    refused = sum(count for status, count in reads.items() if status != "200")
    problems = [f"grows: {each}" for each in series if each.grows]
    problems += [f"reads: {refused} were refused: {reads}"] if refused else []
    problems += [f"{left} rows are left in the journal"] if left else []
    for each in series:
        print(each)
    if result.violations:
        print(result.report())
    for problem in problems:
        print(f"FAILED {problem}")
    turns = len(world.record.turns)
    is_broken = bool(problems or result.violations)
    print(
        f"# soak: {turns} turns, {turns / plan.seconds:.0f} a second, {sum(reads.values())} reads,"
        f" {len(threads)} threads, seed {plan.seed}, {result.seconds:.0f} s:"
        f" {'FAILED' if is_broken else 'all is flat, no violation'}",
        flush=True,
    )
    return int(is_broken)


async def _journal_rows(cluster: Cluster) -> int:
    """Return how many journal rows are left when the workers have had the time to delete them."""
    for _ in range(FORGET_SECONDS):
        left = await cluster.journal_rows()
        if not left:
            break
        await asyncio.sleep(1)
    return left


async def _keep_sampling(world: World, samples: Samples) -> None:
    while True:
        await asyncio.sleep(world.plan.seconds / SAMPLES)
        for worker in world.workers:
            name = f"server {worker.number}"
            samples[f"memory of {name}", "MiB"].append(private_memory(worker.pid))
            samples[f"files of {name}", "files"].append(open_files(worker.pid))
        # Its memory grows with each connection, and those are counted separately.
        memory = memory_of_each(world.cluster.pid)
        samples["memory of a process of PostgreSQL", "MiB"].append(memory)
        connections = await world.cluster.connections()
        samples["connections", "connections"].append(connections)
        taken = len(samples["connections", "connections"])
        if taken % (SAMPLES // TOLD) == 0:
            latest = ", ".join(f"{name} {each[-1]:.1f}" for (name, _), each in samples.items())
            turns = len(world.record.turns)
            print(f"{taken} of {SAMPLES} samples, {turns} turns: {latest}", flush=True)


async def _keep_reading(world: World, number: int, reads: Counter[str]) -> None:
    dice = random.Random(f"{world.plan.seed} reader {number}")
    ports = [worker.port for worker in world.workers]
    async with aiohttp.ClientSession() as session:
        while True:
            await asyncio.sleep(dice.random() * 0.2)
            owner = dice.choice(OWNERS)
            base = f"http://127.0.0.1:{dice.choice(ports)}{_THREADS}"
            async with session.get(base, headers=headers_of(owner)) as response:
                reads[str(response.status)] += 1
                threads = (await response.json())["threads"] if response.status == 200 else []
            if threads:
                url = f"{base}/{dice.choice(threads)['stateKey']}"
                async with session.get(url, headers=headers_of(owner)) as response:
                    reads[str(response.status)] += 1
                    await response.read()


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
