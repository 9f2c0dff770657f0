"""What processes use: memory and open files from /proc, connections from PostgreSQL."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

WARM_UP = 0.25
"""The share of the samples in which caches and pools may still fill."""

MOST = 1.1
"""How many times the quarter after that the last quarter may have, plus SLACK."""

SLACK = {"MiB": 4.0, "files": 10.0, "connections": 4.0}
PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Series:
    """The samples of one quantity, evenly spread over the time; `unit` is one of SLACK."""

    name: str
    unit: str
    samples: Sequence[float]

    @property
    def first(self) -> float:
        """The median of the quarter after the warm-up."""
        return self._median(WARM_UP, WARM_UP + 0.25)

    @property
    def last(self) -> float:
        """The median of the last quarter."""
        return self._median(0.75, 1)

    @property
    def grows(self) -> bool:
        """Whether there is more at the end than chance explains."""
        return self.last > self.first * MOST + SLACK[self.unit]

    def __str__(self) -> str:
        return (
            f"{self.name}: {self.first:.1f} -> {self.last:.1f} {self.unit}"
            f" (most {max(self.samples):.1f})"
        )

    def _median(self, start: float, end: float) -> float:
        count = len(self.samples)
        return statistics.median(self.samples[int(start * count) : max(1, int(end * count))])


def private_memory(pid: int) -> float:
    """Return the MiB of a process's own memory; shared memory would be counted for each process."""
    for line in (PROC / str(pid) / "status").read_text().splitlines():
        if line.startswith("RssAnon:"):
            return int(line.split()[1]) / 1024
    return 0.0


def open_files(pid: int) -> int:
    """Return how many files, pipes and connections a process has open."""
    return len(list((PROC / str(pid) / "fd").iterdir()))


def memory_of_each(pid: int) -> float:
    """Return the MiB that a process and its children have on average."""
    children = (PROC / str(pid) / "task" / str(pid) / "children").read_text()
    memory = []
    for member in (pid, *map(int, children.split())):
        # The process may just have ended.
        with suppress(FileNotFoundError, ProcessLookupError):
            memory.append(private_memory(member))
    return statistics.fmean(memory)
