"""Turns on two workers and one database, with faults at random moments: nothing is lost."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.faults.clock import cluster_with_a_clock
from tests.faults.cluster import new_cluster
from tests.faults.faults import OF_DATABASE, OF_WORKERS
from tests.faults.rounds import run_round
from tests.faults.world import Plan

TURNS = 500


@pytest.fixture
def seed() -> int:
    """The seed of a report, from PGTHREADS_FAULTS_SEED, or otherwise a new one."""
    return int(os.environ.get("PGTHREADS_FAULTS_SEED") or int.from_bytes(os.urandom(3)))


@pytest.mark.timeout(600)
async def test_faulted_turns(seed: int, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    with new_cluster() as cluster:
        result = await run_round(cluster, tmp_path, Plan(seed=seed, turns=TURNS))
    assert not result.violations, result.report()
    assert result.record.faulted >= TURNS
    assert not (OF_WORKERS.keys() | OF_DATABASE.keys()) - result.record.injected.keys()
    with capsys.disabled():
        print(f"\n# faults: seed {seed}, {result.figures()}")


@pytest.mark.timeout(600)
async def test_clock_jumps(seed: int, tmp_path: Path) -> None:
    """Leases are measured by the database's clock: if it jumps, they end early or late."""
    only = ("the clock jumps", "kill -9 of a worker", "SIGSTOP of a worker", "reap_turns")
    plan = Plan(seed=seed, turns=100, requests=0.05, statements=0.02, only=only)
    with cluster_with_a_clock() as cluster:
        result = await run_round(cluster, tmp_path, plan)
    assert not result.violations, result.report()
    assert result.record.injected["the clock jumps"] > 1
