"""Searches, for each function, the input of a size that costs most: `make fuzz-cost`.

It begins with every kind of atom in every shape. Then it changes the worst inputs found so far, one
thing at a time, and goes on with those that cost more. It prints a line for each function, and ends
with status 1 if one is above a bar. `ARGS="redact_text begin_turn --seconds 60"` searches for these
functions only, and for longer.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from pgthreads.postgres.migrate import migrate
from tests.cost.calls import CALLS, Call
from tests.cost.inputs import DOMAINS, SHAPES, Genome, mutated, seeds
from tests.cost.meter import Cost, measure
from tests.database import choose, new_database, start_server

SECONDS_BAR = 0.5
MEMORY_BAR = 64 * 1024 * 1024


@dataclass(frozen=True)
class Found:
    """An input and what it costs."""

    genome: Genome
    cost: Cost

    def seconds(self) -> float:
        """Return the CPU time."""
        return self.cost.seconds

    def memory(self) -> int:
        """Return the memory."""
        return self.cost.memory


def search(
    dsn: str, call: Call, *, size: int, seconds: float, chance: random.Random
) -> list[Found]:
    """Return what was tried, for at least so long, and at least all seeds."""
    shapes = SHAPES[call.domain]
    until = time.monotonic() + seconds
    found: list[Found] = []

    def candidates() -> Iterator[Genome]:
        yield from seeds(shapes)
        while time.monotonic() < until:
            worst = [max(found, key=key).genome for key in (Found.seconds, Found.memory)]
            yield mutated(chance.choice(worst), chance, shapes)

    for genome in candidates():
        cost = measure(dsn, call, DOMAINS[call.domain](genome, size))
        if cost is not None:
            found.append(Found(genome, cost))
    return found


def worst(
    dsn: str, call: Call, size: int, found: list[Found], key: Callable[[Found], float]
) -> Found:
    """Return what costs most after the candidates for that were measured again.

    Of several costs of one input the lowest counts, because other programs only make it higher.
    """
    lowest = []
    for each in sorted(found, key=key, reverse=True)[:3]:
        again = (measure(dsn, call, DOMAINS[call.domain](each.genome, size)) for _ in range(2))
        costs = [each, *(Found(each.genome, cost) for cost in again if cost is not None)]
        lowest.append(min(costs, key=key))
    return max(lowest, key=key)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.cost", description=__doc__)
    parser.add_argument("calls", nargs="*", help="names of functions; all if there is none")
    parser.add_argument("--size", type=int, default=1_000_000, help="bytes of an input")
    parser.add_argument("--seconds", type=float, default=20.0, help="of the search for each call")
    parser.add_argument("--seed", type=int, default=1)
    arguments = parser.parse_args()
    chosen = [each for each in CALLS if not arguments.calls or each.name in arguments.calls]
    unknown = set(arguments.calls) - {each.name for each in CALLS}
    if unknown:
        parser.error(f"unknown: {sorted(unknown)}; there are {[each.name for each in CALLS]}")
    above = 0
    with start_server(choose()) as server, new_database(server) as database:
        migrate(database.admin_dsn, optional=("search",))
        print(f"{server.label}; inputs of {arguments.size:,} bytes, seed {arguments.seed}\n")
        for call in chosen:
            found = search(
                database.admin_dsn,
                call,
                size=arguments.size,
                seconds=arguments.seconds,
                chance=random.Random(arguments.seed),
            )
            if not found:
                print(f"??    {call.name}: nothing that comes before it was accepted")
                above += 1
                continue
            slow, large = (
                worst(database.admin_dsn, call, arguments.size, found, key)
                for key in (Found.seconds, Found.memory)
            )
            is_above = slow.seconds() > SECONDS_BAR or large.memory() > MEMORY_BAR
            above += is_above
            print(
                f"{'ABOVE' if is_above else 'ok':<5} {call.name:<40}"
                f" {slow.seconds():7.3f} s  {large.memory() / 2**20:7.1f} MB"
                f"  of {len(found)}\n"
                f"      {slow.cost.end:<5} {slow.genome}\n"
                f"      {large.cost.end:<5} {large.genome}",
                flush=True,
            )
    print(f"\n# cost: {above} of {len(chosen)} above {SECONDS_BAR} s or {MEMORY_BAR >> 20} MB")
    return 1 if above else 0


if __name__ == "__main__":
    sys.exit(main())
