"""The statistics of a run: medians over rounds, ratios of them, and how far rounds differ."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Ratio:
    """A ratio of two medians; `low` and `high` are the quartiles of the ratio in single rounds."""

    value: float
    low: float
    high: float


class Samples:
    """The seconds of every call: of each system, by the round in which it was called."""

    def __init__(self, seconds: Mapping[str, Mapping[int, list[float]]]) -> None:
        # The median of a block keeps out what stalls single calls, such as a new WAL segment.
        self._medians = {
            name: {number: statistics.median(block) for number, block in rounds.items()}
            for name, rounds in seconds.items()
        }

    def median(self, name: str) -> float:
        """Return the median over rounds, in seconds."""
        return statistics.median(self._medians[name].values())

    def ratio(self, name: str, over: str) -> Ratio:
        """Return how much longer `name` takes, over the rounds in which both were called."""
        ours, theirs = self._medians[name], self._medians[over]
        both = sorted(ours.keys() & theirs.keys())
        if not both:
            raise ValueError(f"{name} and {over} never met in a round")
        value = statistics.median(ours[n] for n in both) / statistics.median(
            theirs[n] for n in both
        )
        low, high = quartiles([ours[n] / theirs[n] for n in both])
        return Ratio(value, low, high)


def quartiles(values: list[float]) -> tuple[float, float]:
    """Return the first and the third quartile; of a single value, that value twice."""
    if len(values) == 1:
        return values[0], values[0]
    first, _, third = statistics.quantiles(values, n=4, method="inclusive")
    return first, third
