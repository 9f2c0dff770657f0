"""Whether the time of a call grows with its input and no faster, on a machine that is busy."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

DOUBLINGS = 2
MOST = 2.2
"""Times the time for twice the input: twice, and something for sorting. Quadratic is 4."""


def spent_by(connection: psycopg.Connection[Any]) -> Callable[[], float]:
    """Return a clock of the CPU time of a connection's backend; of real time where it is remote."""
    file = Path("/proc") / str(connection.info.backend_pid) / "schedstat"
    if not file.exists():
        return time.perf_counter
    return lambda: int(file.read_text().split()[0]) / 1e9


def growth(
    call: Callable[[int], object], size: int, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Return how many times the time of a call grows when its input doubles.

    `call` is given a size, from `size` to `size * 4`, and is timed. Each is timed several times, in
    turns, and the best counts: what else runs here can only make one longer. `clock` tells the time
    in seconds; the CPU time of `spent_by` is disturbed least by what else runs. What is measured is
    tried again if it is too much, for the same reason; quadratic work fails each time.
    """
    grown = 0.0
    for _ in range(5):
        best: dict[int, float] = {}
        for _ in range(3):
            for each in (size, size << DOUBLINGS):
                begun = clock()
                call(each)
                took = clock() - begun
                best[each] = min(took, best.get(each, took))
        grown = (best[size << DOUBLINGS] / best[size]) ** (1 / DOUBLINGS)
        if grown <= MOST:
            break
    return grown
