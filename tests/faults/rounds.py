"""A round: chats under faults until enough turns were hit, and then a check."""

from __future__ import annotations

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import psycopg

from tests.faults.checker import Violation, check
from tests.faults.cluster import LEASE_SECONDS, Cluster
from tests.faults.faults import disturbed
from tests.faults.record import Record, Thread
from tests.faults.snapshot import StoredThread, read
from tests.faults.world import Plan, World, running_world

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class Result:
    """The result of a round."""

    plan: Plan
    record: Record
    threads: Mapping[Thread, StoredThread]
    violations: list[Violation]
    seconds: float

    def broken_rules(self) -> set[str]:
        """Return the names of the rules that were broken."""
        return {violation.rule for violation in self.violations}

    def figures(self) -> str:
        """Return what happened, in one line."""
        record = self.record
        return (
            f"{len(record.turns)} turns, {record.faulted} hit by {sum(record.injected.values())}"
            f" faults, {len(self.threads)} threads, {len(self.violations)} violations,"
            f" {self.seconds:.0f} s"
        )

    def report(self) -> str:
        """Return every violation, and the history of the first threads that have one."""
        lines = [f"seed {self.plan.seed}: {self.figures()}"]
        lines += [f"{each.rule}: {each.thread}: {each.text}" for each in self.violations[:50]]
        threads = dict.fromkeys(each.thread for each in self.violations)
        for thread in list(threads)[:_SHOWN]:
            lines += [f"\nhistory of {thread}:", *self.record.history[thread]]
            stored = self.threads.get(thread)
            if stored is not None:
                lines += [f"  stored {m.seq} {m.message_id} < {m.parent}" for m in stored.messages]
                lines += [f"  {turn}" for turn in stored.turns]
        return "\n".join(lines)


async def run_round(
    cluster: Cluster,
    folder: Path,
    plan: Plan,
    *,
    package: Path | None = None,
    behaviours: dict[str, int] | None = None,
) -> Result:
    """Run a round on a cluster; `package` is a folder with another `pgthreads` to serve with."""
    start = time.monotonic()
    async with running_world(cluster, folder, plan, package) as world:
        async with disturbed(world):
            await world.chat(behaviours)
        threads = await rest(world)
        take_ledger(world)
    violations = check(threads, world.record)
    return Result(plan, world.record, threads, violations, time.monotonic() - start)


def has_spooled(world: World) -> bool:
    """Whether an answer is on its way from the spool to its thread."""
    return world.spool.exists() and any(
        each.suffix in (".answer", ".partial") for each in world.spool.iterdir()
    )


def take_ledger(world: World) -> None:
    """Record which answers the models have finished, and which processes were killed."""
    record = world.record
    for worker in world.workers:
        record.killed |= worker.killed
    lines = world.ledger.read_text().splitlines() if world.ledger.exists() else []
    for line in map(json.loads, lines):
        if "ran" in line:
            record.ran[line["key"]][line["message"], line["ran"]] += 1
        else:
            record.generated[line["key"]][line["turn"]] = line["pid"]
    if world.spool.exists():
        record.spooled += sorted(each.name for each in world.spool.iterdir())


async def rest(world: World) -> dict[Thread, StoredThread]:
    """Wait until no turn runs and no answer is spooled any more; return what is stored.

    Turns whose workers are gone are closed. The checker finds a turn that runs for longer than its
    executor can.
    """
    deadline = time.monotonic() + world.plan.patience
    if has_spooled(world):
        # A starting worker takes files that nobody holds; running ones only look every half minute.
        await world.workers[0].drain()
        world.workers[0].start()
        await world.workers[0].ready()
    while True:
        try:
            await world.cluster.reap()
            threads = await asyncio.to_thread(read, world.cluster.database.admin_dsn)
        except psycopg.OperationalError:
            if time.monotonic() > deadline:
                raise
        else:
            is_at_rest = not any(
                turn.status == "running" for each in threads.values() for turn in each.turns
            )
            is_at_rest = is_at_rest and not has_spooled(world)
            if is_at_rest or time.monotonic() > deadline:
                return threads
        await asyncio.sleep(LEASE_SECONDS / 3)
