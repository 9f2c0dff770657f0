"""Runs rounds of faults, until enough turns were hit: `python -m tests.faults.chaos --turns 20000`.

Prints the seed, and after each round what happened; exit status 1 if a rule was broken. The seed
decides what is done, but not how fast the machine is, so the same seed makes the same failure
likely and not certain.
"""

from __future__ import annotations

import argparse
import asyncio
import secrets
import sys
import tempfile
import time
from collections import Counter
from dataclasses import replace
from pathlib import Path

from tests import programs
from tests.faults.clock import cluster_with_a_clock
from tests.faults.cluster import new_cluster
from tests.faults.rounds import run_round
from tests.faults.world import Plan

TURNS = 20_000
ROUND = 1_000
CLOCK_ROUNDS = 4
"""In one of so many rounds the database's clock also jumps, if libfaketime is installed."""


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.faults.chaos", description=__doc__)
    parser.add_argument("--turns", type=int, default=TURNS, help="turns that faults have to hit")
    parser.add_argument("--seed", type=int, default=secrets.randbelow(10**6))
    parser.add_argument("--round", type=int, default=ROUND, help="turns between two checks")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--chats", type=int, default=24, help="conversations at a time")
    parser.add_argument("--seconds", type=float, help="begin no further round after this long")
    arguments = parser.parse_args()
    print(f"seed {arguments.seed}", flush=True)
    return asyncio.run(_run(arguments))


async def _run(arguments: argparse.Namespace) -> int:
    start = time.monotonic()
    plan = Plan(
        seed=arguments.seed, turns=0, workers=arguments.workers, chats=arguments.chats, seconds=3600
    )
    turns = faulted = number = 0
    injected: Counter[str] = Counter()
    refusals: Counter[str] = Counter()
    is_broken = False
    while faulted < arguments.turns and not is_broken:
        if arguments.seconds is not None and time.monotonic() - start > arguments.seconds:
            break
        number += 1
        this = replace(
            plan,
            seed=arguments.seed + number - 1,
            turns=min(arguments.round, arguments.turns - faulted),
        )
        has_clock = number % CLOCK_ROUNDS == 0 and programs.clock_library() is not None
        cluster = cluster_with_a_clock() if has_clock else new_cluster()
        with tempfile.TemporaryDirectory(prefix="pgthreads-chaos-") as folder, cluster as it:
            result = await run_round(it, Path(folder), this)
        turns += len(result.record.turns)
        faulted += result.record.faulted
        injected += result.record.injected
        refusals += result.record.refusals
        is_broken = bool(result.violations)
        elapsed = time.monotonic() - start
        print(f"round {number}, seed {this.seed}: {result.figures()}", flush=True)
        print(f"{faulted} of {arguments.turns} turns after {elapsed:.0f} s", flush=True)
        if is_broken:
            print(result.report(), flush=True)
    for name, count in sorted(injected.items(), key=lambda item: -item[1]):
        print(f"{count:8} {name}")
    for name, count in refusals.most_common():
        print(f"{count:8} refused: {name}")
    print(
        f"# chaos: {turns} turns, {faulted} hit by {sum(injected.values())} faults, seed"
        f" {arguments.seed}, {time.monotonic() - start:.0f} s:"
        f" {'VIOLATIONS' if is_broken else 'no violation'}",
        flush=True,
    )
    return int(is_broken)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
