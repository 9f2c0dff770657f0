"""What a client's bytes reach first takes linear time: parsing, and looks before printing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, LiteralString

import psycopg
import pytest

from tests.cost.calls import CALLS
from tests.cost.inputs import Genome, history_of
from tests.database import Database
from tests.scaling import MOST, growth, spent_by

_SIZE = 100_000
_CLEAN: LiteralString = "select pg_column_size(pgthreads.clean_json(%s))"
_NUMBERS = 10_000
_PRINTS: LiteralString = (
    "select pgthreads.prints_within(('[' || repeat(%s, %s) || '1]')::jsonb, 1000000000)"
)
_PLAIN: LiteralString = "select pgthreads.has_plain_numbers(('[' || repeat(%s, %s) || '1]')::jsonb)"

# JSON text of about so many characters; jsonb would refuse some of these texts.
TEXTS: dict[str, Callable[[int], str]] = {
    "NUL": lambda size: '"' + "\\u0000" * (size // 6) + '"',
    "halves": lambda size: '"' + "\\ud800" * (size // 6) + '"',
    "pairs": lambda size: '"\\u0000' + "\\ud83d\\ude00" * (size // 12) + '"',
    "a half behind pairs": lambda size: '"' + "\\ud83d\\ude00" * (size // 12) + '\\ud800"',
    "backslashes": lambda size: '"\\u0000' + "\\\\" * (size // 2) + '"',
    "backslashes before a u": lambda size: '"\\u0000' + "\\\\u0000" * (size // 7) + '"',
    "many strings": lambda size: "[" + '"\\u0000",' * (size // 9) + "1]",
}
NUMBERS: dict[str, str] = {
    "small": "1",
    "zeros": "0",
    "zeros with places": "0e-300",
    "large": "1e300",
    "negative": "-1e300",
    "tiny": "1e-300",
    "strings": '"1e300"',
    "objects": '{"a":1e300}',
}


@pytest.fixture
def connection(database: Database) -> Iterator[psycopg.Connection[Any]]:
    with psycopg.connect(database.admin_dsn, autocommit=True) as connection:
        yield connection


@pytest.mark.parametrize("name", TEXTS)
def test_clean_json(connection: psycopg.Connection[Any], name: str) -> None:
    texts = {size: TEXTS[name](size) for size in (_SIZE, 4 * _SIZE)}

    def clean(size: int) -> None:
        connection.execute(_CLEAN, [texts[size]])

    clean(_SIZE)
    assert growth(clean, _SIZE, spent_by(connection)) <= MOST


@pytest.mark.parametrize("name", NUMBERS)
@pytest.mark.parametrize("statement", [_PRINTS, _PLAIN], ids=["prints_within", "plain_numbers"])
def test_looks_at_numbers(
    connection: psycopg.Connection[Any], statement: LiteralString, name: str
) -> None:
    def look(count: int) -> None:
        connection.execute(statement, [NUMBERS[name] + ",", count])

    look(_NUMBERS)
    assert growth(look, _NUMBERS, spent_by(connection)) <= MOST


@pytest.mark.parametrize("shape", ["star", "comb", "random", "chain"])
@pytest.mark.parametrize("name", ["list_branches", "ai_threads"])
def test_branches_of_a_thread_that_the_planner_takes_to_be_short(
    connection: psycopg.Connection[Any], name: str, shape: str
) -> None:
    """Any index is as good for a table without rows; then each look at a message was a scan."""
    call = next(each for each in CALLS if each.name == name)
    inputs = {size: history_of(Genome(("x",), "", shape, 2), size) for size in (_SIZE, 4 * _SIZE)}
    with connection.transaction(force_rollback=True):
        connection.execute(
            "update pg_class set relpages = 100, reltuples = 0"
            " where oid = 'pgthreads.message'::regclass"
        )
        clock = spent_by(connection)
        spent = 0.0

        def look(size: int) -> None:
            nonlocal spent
            with connection.transaction(force_rollback=True):
                for statement in call.before:
                    connection.execute(statement, {"input": inputs[size]})
                begun = clock()
                connection.execute(call.statement)
                spent += clock() - begun

        assert growth(look, _SIZE, lambda: spent) <= MOST
