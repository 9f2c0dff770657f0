"""Measures whether a call takes linear time in its input, even on a busy machine."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psycopg

DOUBLINGS = 2
MOST = 2.2
"""How much longer twice the input may take: 2, and a little for sorting. Quadratic is 4."""


def spent_by(connection: psycopg.Connection[Any]) -> Callable[[], float]:
    """Return a clock of the CPU time of a connection's backend; of real time where it is remote."""
    file = Path("/proc") / str(connection.info.backend_pid) / "schedstat"
    if not file.exists():
        return time.perf_counter
    return lambda: int(file.read_text().split()[0]) / 1e9


def keep_memory(connection: psycopg.Connection[Any]) -> None:
    """Let a connection's backend keep the memory that it has had.

    Otherwise large inputs take fresh pages from the kernel for each call, small ones do not, and
    the pages of a text that is read fast cost more than reading it. The C library of Linux (glibc)
    raises what it keeps to twice the largest piece that was ever freed, up to 32 MiB.
    """
    connection.execute("select length(repeat('x', 30000000))")


def growth(
    call: Callable[[int], object], size: int, clock: Callable[[], float] = time.perf_counter
) -> float:
    """Return how many times the time of a call grows when its input doubles.

    `call` is called with sizes from `size` to `size * 4`, and timed. Each size is timed several
    times, alternating, and the shortest time counts, because other programs can only make a call
    longer. `clock` returns the time in seconds; other programs disturb the CPU time of `spent_by`
    least. If the result is too high, it is measured again, for the same reason; quadratic work
    fails each time.
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
