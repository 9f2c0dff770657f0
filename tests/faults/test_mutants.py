"""The checker finds every build that is broken on purpose."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.faults.cluster import new_cluster
from tests.faults.mutants import MUTANTS, Edit, Mutant, StaleMutantError
from tests.faults.rounds import Result, run_round
from tests.faults.world import Plan

SECONDS = (4.0, 10.0, 20.0)
"""The seeds of rounds. If one finds nothing, the next follows: a busy machine is slow."""

AT_A_TIME = 3

pytestmark = pytest.mark.timeout(600)


async def _try(mutant: Mutant, folders: Sequence[Path], turn: asyncio.Semaphore) -> Result:
    async with turn:
        for seed, (folder, seconds) in enumerate(zip(folders, SECONDS, strict=True)):
            result = await _run(mutant, folder, seed, seconds)
            if result.broken_rules() & mutant.breaks:
                break
    return result


async def _run(mutant: Mutant, folder: Path, seed: int, seconds: float) -> Result:
    plan = Plan(
        seed=seed,
        turns=10**6,
        seconds=seconds,
        patience=8,
        chats=12,
        statements=0,
        requests=0,
        every=0.3,
        only=mutant.faults,
        arguments=mutant.arguments,
    )
    context = new_cluster(**mutant.settings)
    cluster = await asyncio.to_thread(context.__enter__)
    try:
        mutant.install_sql(cluster.database.admin_dsn)
        package = mutant.package(folder)
        return await run_round(cluster, folder, plan, package=package, behaviours=mutant.behaviours)
    finally:
        await asyncio.to_thread(context.__exit__, None, None, None)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Result | BaseException]:
    """A round with each mutant, several at a time, because they mostly wait."""

    def new_folders() -> list[Path]:
        return [tmp_path_factory.mktemp("mutant") for _ in SECONDS]

    async def try_all() -> dict[str, Result | BaseException]:
        turn = asyncio.Semaphore(AT_A_TIME)
        found = await asyncio.gather(
            *(_try(mutant, new_folders(), turn) for mutant in MUTANTS),
            return_exceptions=True,
        )
        return {mutant.name: result for mutant, result in zip(MUTANTS, found, strict=True)}

    return asyncio.run(try_all())


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_broken_build(mutant: Mutant, results: dict[str, Result | BaseException]) -> None:
    result = results[mutant.name]
    if isinstance(result, BaseException):
        raise result
    assert result.broken_rules() & mutant.breaks, result.report()


def test_an_edit_that_no_longer_fits() -> None:
    edit = Edit("a file", "twice", "once")
    with pytest.raises(StaleMutantError, match="0 times"):
        edit.apply("once")
    with pytest.raises(StaleMutantError, match="2 times"):
        edit.apply("twice twice")
    assert edit.apply("twice") == "once"
