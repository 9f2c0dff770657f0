"""What a turn has used: token counts and other facts that an executor reports as it goes."""

from __future__ import annotations

from collections.abc import Mapping

from ..events import JsonValue
from .sanitize import clean_json


class Usage:
    """The facts of all reports of a turn, as one.

    Numbers of the same name are added up, and objects are merged. Of other values the last one
    counts.
    """

    def __init__(self) -> None:
        self._total: dict[str, JsonValue] = {}

    def add(self, fact: Mapping[str, JsonValue]) -> None:
        """Add a report."""
        _add_up(self._total, fact)

    def total(self) -> dict[str, JsonValue]:
        """Return what was reported so far, as a copy. A sum that has overflowed is None in it."""
        total: dict[str, JsonValue] = clean_json(self._total)
        return total


def _add_up(total: dict[str, JsonValue], fact: Mapping[str, JsonValue]) -> None:
    for name, value in fact.items():
        known = total.get(name)
        if isinstance(value, Mapping):
            inner = dict(known) if isinstance(known, Mapping) else {}
            _add_up(inner, value)
            total[name] = inner
        elif _is_number(value) and _is_number(known):
            total[name] = known + value
        else:
            total[name] = value


def _is_number(value: JsonValue) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
