"""What a number of users needs in databases and workers, from the measured cost of one turn."""

from __future__ import annotations

import math
from dataclasses import dataclass

from bench.report import bytes_text

_DAY = 86_400
_GB = 2**30
# Autovacuum freezes a table before its oldest row is this many transactions old.
_FREEZE_AGE = 200_000_000


@dataclass(frozen=True)
class Cost:
    """What was measured for one turn, of two messages of some 3 KB, and for one stream."""

    cpu: float
    """CPU seconds of the backend that serves it."""
    wal: float
    """Bytes of WAL without full page images."""
    wal_with_pages: float
    """Bytes of WAL of a turn that is the first to touch its pages since a checkpoint."""
    stored: float
    """Bytes of tables and indexes."""
    streams_per_core: int = 1000
    """Running turns that one core of a worker carries, by docs/performance.md."""


@dataclass(frozen=True)
class Habits:
    """What users are assumed to do."""

    active: float = 0.2
    """Share of all users that write on a day."""
    turns: float = 10.0
    """Turns a day of each of them."""
    peak: float = 3.0
    """Turns of the busiest second over those of the mean one."""
    seconds: float = 15.0
    """How long a model answers."""
    busy: float = 0.5
    """How much of a core is used at the peak; the rest is for vacuum, backups and bad days."""
    tick: float = 0.2
    """Seconds between two writes of a worker to the journal, for all its turns at once."""
    window: int = 10
    """Turns of a thread that its next prompt reads."""


@dataclass(frozen=True)
class Load:
    """The load of a number of users."""

    users: int
    cost: Cost
    habits: Habits = Habits()

    @property
    def turns_a_day(self) -> float:
        """Turns of all users on a day."""
        return self.users * self.habits.active * self.habits.turns

    @property
    def turns_a_second(self) -> float:
        """Turns that begin in the busiest second."""
        return self.turns_a_day * self.habits.peak / _DAY

    @property
    def running(self) -> float:
        """Turns that run at the same time at the peak, by Little's law."""
        return self.turns_a_second * self.habits.seconds

    @property
    def database_cores(self) -> float:
        """Cores of PostgreSQL for the peak, on the machine of the measurement."""
        return self.turns_a_second * self.cost.cpu / self.habits.busy

    @property
    def worker_cores(self) -> float:
        """Cores of workers for the peak."""
        return self.running / self.cost.streams_per_core / self.habits.busy

    @property
    def stored_a_year(self) -> float:
        """Bytes of tables and indexes that a year adds."""
        return 365 * self.turns_a_day * self.cost.stored

    @property
    def cache(self) -> float:
        """Bytes of the windows that a day's active users read, which memory should hold."""
        return self.users * self.habits.active * self.habits.window * self.cost.stored

    @property
    def freezes_a_year(self) -> float:
        """How often a year's transaction ids make autovacuum freeze: two per turn, one per tick."""
        ticks = _DAY / self.habits.tick * math.ceil(self.worker_cores)
        return 365 * (2 * self.turns_a_day + ticks) / _FREEZE_AGE

    def partitions(self, years: int = 3, size: float = 100 * _GB) -> int:
        """Return how many partitions, a power of two, keep each below a size for some years."""
        return 1 << max(0, math.ceil(math.log2(max(1.0, years * self.stored_a_year / size))))

    def lines(self) -> list[tuple[str, str]]:
        """Return the lines of the table, in the order of a turn's path."""
        day = self.turns_a_day
        return [
            ("turns per day", _count(day)),
            ("turns per second at the peak", _count(self.turns_a_second)),
            ("commits per second at the peak, two for each turn", _count(2 * self.turns_a_second)),
            ("turns that run at once at the peak", _count(self.running)),
            ("rows per second in the journal at the peak", _count(self.running / self.habits.tick)),
            ("cores of workers", _cores(self.worker_cores)),
            ("cores of PostgreSQL", _cores(self.database_cores)),
            ("memory for what a day's users read", bytes_text(self.cache)),
            ("WAL per day, no page whole", bytes_text(day * self.cost.wal)),
            (
                "WAL per day, every page whole",
                bytes_text(day * self.cost.wal_with_pages),
            ),
            (
                "WAL per second at the peak, between these two",
                f"{bytes_text(self.turns_a_second * self.cost.wal)} to"
                f" {bytes_text(self.turns_a_second * self.cost.wal_with_pages)}",
            ),
            ("dead row versions per day, three for each turn", _count(3 * day)),
            ("freezing vacuums per year", _count(self.freezes_a_year)),
            ("stored per day", bytes_text(day * self.cost.stored)),
            ("stored per year", bytes_text(self.stored_a_year)),
            ("partitions of 100 GB for three years", _count(self.partitions())),
        ]


def _count(value: float) -> str:
    if value < 10:
        return f"{value:.1f}".removesuffix(".0")
    return f"{float(f'{value:.3g}'):,.0f}"


def _cores(value: float) -> str:
    return "under 1" if value < 1 else f"{math.ceil(value):,}"
