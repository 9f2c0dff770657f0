"""Redaction takes linear time, and no input costs a hundred times as much as prose."""

from __future__ import annotations

import time
from collections.abc import Iterator
from typing import Any, LiteralString

import psycopg
import pytest
from psycopg.types.json import Jsonb

from tests.database import Database
from tests.scaling import MOST, growth, keep_memory, spent_by

# More than redaction takes before it counts matches, so that it does so for all sizes.
_SIZE = 100_000
_SK = "sk" + "-aB3xaB3xaB3xaB3xaB3x "
# A part that repeats, and a part that comes once at the end.
UNITS: dict[str, tuple[str, str]] = {
    "digits": ("4 ", ""),
    "numbers": ("12 7 33 4 ", ""),
    "cards": ("4111111111111112 ", ""),
    "groups": ("4111 ", ""),
    "hyphens": ("4111-", ""),
    "IBAN": ("DE89370400440532013001 ", ""),
    "IBAN in words": ("ES91 2100 0418 4502 0005 1332 ", ""),
    "PEM heads": ("-----BEGIN " + "PRIVATE KEY-----abc ", ""),
    "JWT": ("eyJaaaaaaaa.", ""),
    "dots": ("a.b.c", ""),
    "quotes": ('"\\', ""),
    "escapes": ("\\u0022", ""),
    "keys": (_SK, ""),
    "one long key": ("aB3x", ""),
    "bearer": ("bearer ", ""),
    "names": ("api_key=", ""),
    "URLs": ("://a:b", ""),
    "a URL that never ends": ("://a:b", "@"),
    "addresses": ("a@a.", ""),
    "cards by name": ("card no ", "4222222222222"),
    "zero width": ("a\u200b", " " + _SK),
    "full width": ("\uff14\uff11", " " + _SK),
    "NFKC": ("\ufdfa\u2168", " " + _SK),
    "cards in digits of another script": ("٤١١١١١١١١١١١١١١١ ", ""),
    "passwords behind a zero-width space": ("\u200b://a:b@ ", ""),
}


@pytest.fixture
def connection(database: Database) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database.admin_dsn, autocommit=True) as connection:
        yield connection


def _text(name: str, size: int) -> str:
    unit, tail = UNITS[name]
    return unit * (size // len(unit)) + tail


@pytest.mark.parametrize("name", UNITS)
def test_a_text_costs_in_proportion(connection: psycopg.Connection[Any], name: str) -> None:
    statement: LiteralString = "select length(pgthreads.redact_text(%s))"

    def redact(size: int) -> None:
        connection.execute(statement, [_text(name, size)])

    keep_memory(connection)
    redact(4 * _SIZE)
    assert growth(redact, _SIZE, spent_by(connection)) <= MOST


def test_many_short_strings_cost_in_proportion(connection: psycopg.Connection[Any]) -> None:
    def redact(count: int) -> None:
        parts = [{"type": "text", "text": _SK + str(n)} for n in range(count)]
        connection.execute(
            "select length(pgthreads.redact_message(%s)::text)",
            [Jsonb({"id": "m", "role": "user", "parts": parts})],
        )

    keep_memory(connection)
    redact(2000)
    assert growth(redact, 500, spent_by(connection)) <= MOST


def test_what_is_too_long_is_not_redacted(database: Database) -> None:
    """A title of 1 MB is refused before a rule sees it: far faster than it could be redacted."""
    title = "4111111111111112 " * 60_000
    with psycopg.connect(database.admin_dsn, autocommit=True) as connection:
        begun = time.perf_counter()
        connection.execute("select pgthreads.redact_text(%s)", [title])
        redacted = time.perf_counter() - begun
        connection.execute("select pgthreads.set_tenant('alice')")
        for call in (
            "update_thread(t.owner, 'k', %s::text)",
            "append_thread(t.owner, 'k', '[]', null, null, jsonb_build_object('a', %s::text))",
        ):
            begun = time.perf_counter()
            with pytest.raises(psycopg.Error) as caught:
                connection.execute(
                    "select r from pgthreads.set_tenant('alice') as t(owner),"
                    f" lateral pgthreads.{call} as r",
                    [title],
                )
            assert caught.value.sqlstate in {"22001", "THMAX", "THNON"}
            assert time.perf_counter() - begun < redacted / 2
