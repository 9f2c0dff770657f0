"""Runs systems against each other: in short blocks, in random order, after a warm-up.

A benchmark is an object with a name, a title, a text about how it measures, and `run`, which
returns the rows of its table.
"""

from __future__ import annotations

import gc
import random
import time
from collections import defaultdict
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Protocol

from tests.database import Database, Server, new_database

from bench.cluster import Cores
from bench.report import Row
from bench.stats import Samples
from pgthreads.postgres.migrate import migrate


class Benchmark(Protocol):
    """What `python -m bench` runs; bench/__main__.py lists them."""

    name: str
    """Its name on the command line."""
    title: str
    """Its heading in docs/performance.md."""
    about: str
    """How it is measured, as Markdown."""

    def run(self, context: Context) -> list[Row]:
        """Measure; `context.stack` ends everything that it starts."""


@dataclass
class Context:
    """What a benchmark gets: a server, how much to measure, and a stack that it may use."""

    server: Server
    template: str
    cores: Cores
    smoke: bool = False
    """Whether to run everything only once or twice, to see that it works."""
    peers: bool = True
    """Whether other libraries are measured as well."""
    asked_rounds: int | None = None
    stack: ExitStack = field(default_factory=ExitStack)

    def rounds(self, usual: int) -> int:
        """Return how many rounds to run; `usual` are enough on a quiet machine."""
        if self.smoke:
            return 2
        return self.asked_rounds or usual

    def size(self, usual: int, smoke: int) -> int:
        """Return the size of what is measured, or of a small stand-in."""
        return smoke if self.smoke else usual

    def database(self, *, optional: Sequence[str] = ()) -> Database:
        """Return a fresh database with the schema, and with these optional parts of it."""
        database = self.stack.enter_context(new_database(self.server, self.template))
        if optional:
            migrate(database.admin_dsn, optional=list(optional))
        return database


@dataclass(frozen=True)
class System:
    """Something to be timed. `ready` prepares one call, which is not timed, and returns it."""

    name: str
    ready: Callable[[], Callable[[], object]]
    block: int = 5
    """How many calls it makes in a row."""
    every: int = 1
    """It takes part in every n-th round; more than 1 for slow systems."""
    warm_up: int = 10
    """Calls before the first round, in which plans are made and statements prepared."""

    def calls(self, context: Context, rounds: int) -> int:
        """Return how many calls a run of `rounds` makes in all."""
        warm_up, block = self._plan(context)
        return warm_up + block * -(-rounds // self.every)

    def _plan(self, context: Context) -> tuple[int, int]:
        return (1, 1) if context.smoke else (self.warm_up, self.block)

    def run_warm_up(self, context: Context) -> None:
        """Call it without timing it."""
        for _ in range(self._plan(context)[0]):
            self.ready()()

    def run_block(self, context: Context) -> list[float]:
        """Call it a few times; return the seconds of each."""
        calls = [self.ready() for _ in range(self._plan(context)[1])]
        seconds = []
        gc.collect(0)
        gc.disable()
        try:
            for call in calls:
                start = time.perf_counter()
                call()
                seconds.append(time.perf_counter() - start)
        finally:
            gc.enable()
        return seconds


def interleave(context: Context, systems: Sequence[System], rounds: int) -> Samples:
    """Time the systems against each other over so many rounds."""
    for system in random.sample(systems, len(systems)):
        system.run_warm_up(context)
    seconds: dict[str, dict[int, list[float]]] = defaultdict(dict)
    for number in range(rounds):
        present = [system for system in systems if number % system.every == 0]
        for system in random.sample(present, len(present)):
            seconds[system.name][number] = system.run_block(context)
    return Samples(seconds)
