"""Rows, the bars that they have to meet, and the tables that show them.

docs/performance.md is prose, and between two marks the result of the last `make bench`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.stats import Ratio

_BEGIN = "<!-- measured: written by make bench, do not edit -->"
_END = "<!-- end of measured -->"


@dataclass(frozen=True)
class Bar:
    """What a value has to reach: at most the limit, or at least."""

    limit: float
    at_least: bool = False

    def is_met_by(self, value: float) -> bool:
        """Whether the value, as it is shown, is good enough."""
        shown = round(value, 2)
        return shown >= self.limit if self.at_least else shown <= self.limit

    def text(self, unit: str) -> str:
        """Return it as it is shown."""
        return f"{'≥' if self.at_least else '≤'} {self.limit:g}{unit}"


@dataclass(frozen=True)
class Row:
    """A line of a table: what it is, the measured figure, and the value to be judged."""

    what: str
    figure: str = ""
    value: float | None = None
    spread: tuple[float, float] | None = None
    bar: Bar | None = None
    unit: str = "×"

    @classmethod
    def of_ratio(cls, what: str, seconds: float, ratio: Ratio, bar: Bar | None = None) -> Row:
        """Make a row of a time, and of its ratio to another."""
        return cls(what, time_text(seconds), ratio.value, (ratio.low, ratio.high), bar)


@dataclass(frozen=True)
class Result:
    """The result of a benchmark: its rows, once for each repetition of the run."""

    title: str
    about: str
    repeats: list[list[Row]]

    def lines(self) -> list[list[Row]]:
        """Return the rows by line: the same row of each repetition together."""
        others = [{row.what: row for row in rows} for rows in self.repeats[1:]]
        return [
            [row, *(rows[row.what] for rows in others if row.what in rows)]
            for row in self.repeats[0]
        ]

    def barred(self) -> list[list[Row]]:
        """Return the lines that have a bar."""
        return [line for line in self.lines() if line[0].bar]


def time_text(seconds: float) -> str:
    """Return a time as people read it."""
    if seconds < 1e-3:
        return f"{seconds * 1e6:.0f} µs"
    return f"{seconds * 1e3:.2f} ms" if seconds < 1 else f"{seconds:.2f} s"


def bytes_text(size: float) -> str:
    """Return a size as people read it."""
    for unit in ("B", "KB", "MB", "GB", "TB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "B" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} PB"


def verdict(line: Sequence[Row]) -> str:
    """Return whether the bar was met in each repetition."""
    met = [row.bar.is_met_by(row.value) for row in line if row.bar and row.value is not None]
    if not met:
        return ""
    if all(met):
        return "met"
    return f"met in {sum(met)} of {len(met)}" if any(met) else "**not met**"


def _cells(line: Sequence[Row]) -> list[str]:
    first = line[0]
    values = [f"{row.value:.2f}{row.unit}" for row in line if row.value is not None]
    spreads = [f"{row.spread[0]:.2f}–{row.spread[1]:.2f}" for row in line if row.spread]
    return [
        first.what,
        ", ".join(row.figure for row in line if row.figure),
        ", ".join(values),
        ", ".join(spreads),
        first.bar.text(first.unit) if first.bar else "",
        verdict(line),
    ]


_HEAD = ["", "measured", "value", "quartiles", "bar", ""]


def text_table(result: Result) -> str:
    """Return a result for a terminal."""
    rows = [_HEAD, *(_cells(line) for line in result.lines())]
    widths = [max(len(row[column]) for row in rows) for column in range(len(_HEAD))]
    lines = (
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    )
    return "\n".join((f"\n{result.title}", *lines)).replace("**", "")


def markdown_table(rows: Sequence[Sequence[str]]) -> str:
    """Return rows of cells, the first of them the head, as Markdown."""
    lines = [f"| {' | '.join(row)} |" for row in rows]
    lines.insert(1, "|---" * len(rows[0]) + "|")
    return "\n".join(lines)


def tally(results: Sequence[Result]) -> str:
    """Return how many bars were met, in a line."""
    verdicts = [verdict(line) for result in results for line in result.barred()]
    return f"{len(verdicts)} bars, {verdicts.count('met')} met in every run"


def markdown(results: Sequence[Result], facts: Sequence[str]) -> str:
    """Return everything that was measured: the machine, all bars, and each table."""
    bars = [["", "value", "bar", ""]]
    for result in results:
        for line in result.barred():
            what, _, values, _, bar, judged = _cells(line)
            bars.append([f"{result.title}: {what}", values, bar, judged])
    parts = [
        *("\n".join(f"- {fact}" for fact in facts),),
        f"## Bars\n\n{tally(results)}.",
        markdown_table(bars),
    ]
    for result in results:
        parts += section(result)
    return "\n\n".join(parts)


def section(result: Result) -> list[str]:
    """Return a result's heading, what it is about, and its table."""
    rows = [_HEAD, *(_cells(line) for line in result.lines())]
    return [f"## {result.title}", result.about, markdown_table(rows)]


def write(document: Path, measured: str) -> None:
    """Put what was measured between the document's marks; the prose around them stays.

    Raises ValueError if it does not have both marks.
    """
    text = document.read_text(encoding="utf-8")
    pattern = re.compile(f"{re.escape(_BEGIN)}.*?{re.escape(_END)}", re.DOTALL)
    if not pattern.search(text):
        raise ValueError(f"{document} lacks the lines {_BEGIN} and {_END}")
    block = f"{_BEGIN}\n\n{measured}\n\n{_END}"
    document.write_text(pattern.sub(lambda _: block, text, count=1), encoding="utf-8")
