"""Recall, precision and cost of redaction over the corpus."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, LiteralString

import psycopg

from tests.redaction.corpus import must_go, must_stay

_REDACT: LiteralString = (
    "select pgthreads.redact_text(t.text), pgthreads.may_hold_secret(to_jsonb(t.text)::text)"
    " from unnest(%s::text[]) with ordinality as t (text, place) order by t.place"
)


@dataclass(frozen=True)
class Figure:
    """For one class: how many texts were treated rightly, one that was not, and ns per byte."""

    name: str
    must_go: bool
    right: int
    texts: int
    wrong: str | None
    nanoseconds: float

    @property
    def share(self) -> float:
        """Recall of what must go, precision of what must stay."""
        return self.right / self.texts


def figures(connection: psycopg.Connection[Any]) -> Iterator[Figure]:
    """Yield a figure for each class. A secret that the screens miss counts as missed."""
    connection.execute(_REDACT, [["warm"]])
    for name, secrets in must_go():
        texts = [each.text for each in secrets]
        seconds, answers = _timed(connection, texts)
        bad = [
            each.text
            for each, (after, screened) in zip(secrets, answers, strict=True)
            # If a name stands in front of the secret, the name stays.
            if each.secret[-8:] in after or "[REDACTED:" not in after or not screened
        ]
        yield _figure(name, True, texts, bad, seconds)
    for name, texts in must_stay():
        seconds, answers = _timed(connection, texts)
        bad = [text for text, (after, _) in zip(texts, answers, strict=True) if after != text]
        yield _figure(name, False, texts, bad, seconds)


def _timed(
    connection: psycopg.Connection[Any], texts: list[str]
) -> tuple[float, list[tuple[str, bool]]]:
    begun = time.perf_counter()
    answers = connection.execute(_REDACT, [texts]).fetchall()
    return time.perf_counter() - begun, answers


def _figure(name: str, go: bool, texts: list[str], bad: list[str], seconds: float) -> Figure:
    size = sum(len(text.encode()) for text in texts)
    return Figure(
        name, go, len(texts) - len(bad), len(texts), bad[0] if bad else None, seconds / size * 1e9
    )
