"""What a client's bytes reach first takes linear time: parsing, and looks before printing."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any, LiteralString

import psycopg
import pytest

from tests.cost.calls import CALLS
from tests.cost.inputs import DOMAINS, Genome, history_of
from tests.cost.meter import measure
from tests.database import Database
from tests.scaling import MOST, growth, keep_memory, spent_by

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
        keep_memory(connection)
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


STRINGS: dict[str, Genome] = {
    "respond_turn: output": Genome(("x",), "", "strings", 2),
    "save_thread": Genome(("x",), "", "strings", 2),
    "save_thread: again": Genome(("123-45-6789",), " ", "many", 40),
    "assemble_message": Genome(("x",), "", "list", 2),
    "begin_turn": Genome(("123-45-6789",), " ", "parts", 40),
}


@pytest.mark.parametrize("name", STRINGS)
def test_many_strings(database: Database, name: str) -> None:
    """jsonb_agg() and jsonb_object_agg() look at the rest of a value again for each string."""
    call = next(each for each in CALLS if each.name == name)
    spent = 0.0

    def run(size: int) -> None:
        nonlocal spent
        cost = measure(database.admin_dsn, call, DOMAINS[call.domain](STRINGS[name], size))
        assert cost is not None
        assert cost.end == "done"
        spent += cost.seconds

    assert growth(run, 2 * _SIZE, lambda: spent) <= MOST


_CALLS = 500
_TENANT: LiteralString = "from pgthreads.set_tenant('ada') as t (owner), lateral pgthreads."
_BEGIN: LiteralString = (
    "select "
    + _TENANT
    + """begin_turn(t.owner, 'k',
    '{"id": "u1", "role": "user", "parts": [{"type": "text", "text": "hi"}]}', 't1') as b"""
)
_PAUSE: LiteralString = "select " + _TENANT + "pause_turn(t.owner, 'k', 't1', %(answer)s) as p"
_RESPOND: LiteralString = (
    "select " + _TENANT + "respond_turn(t.owner, 'k', 'a1', %(given)s, 't2') as r"
)
_STREAM: LiteralString = (
    "select " + _TENANT + "write_journal(t.owner, 'k', 't2', 0, %(frames)s) as w"
)
_DIE: LiteralString = "update pgthreads.turn set lease_until = now() where status = 'running'"
_STOP: LiteralString = "select " + _TENANT + "request_stop(t.owner, 'k') as s"

WAITING: dict[str, tuple[list[LiteralString], LiteralString]] = {
    "pause_turn": ([_BEGIN], _PAUSE),
    "respond_turn": ([_BEGIN, _PAUSE], _RESPOND),
    "respond_turn: again": ([_BEGIN, _PAUSE, _RESPOND], _RESPOND),
    "close_answer": ([_BEGIN, _PAUSE], _STOP),
    "continued_answer": ([_BEGIN, _PAUSE, _RESPOND, _STREAM, _DIE], _STOP),
}


def _waiting(calls: int) -> dict[str, str]:
    """An answer with so many calls that wait, approvals of all, and their results as frames."""
    parts = [
        {
            "type": "tool-x",
            "toolCallId": f"c{number}",
            "state": "approval-requested",
            "input": {},
            "approval": {"id": "p"},
        }
        for number in range(calls)
    ]
    results = (
        {"type": "tool-output-available", "toolCallId": f"c{number}", "output": "ok"}
        for number in range(calls)
    )
    given = [{"toolCallId": f"c{number}", "approved": True} for number in range(calls)]
    return {
        "answer": json.dumps({"id": "a1", "role": "assistant", "parts": parts}),
        "given": json.dumps(given),
        "frames": "".join(f"data: {json.dumps(result)}\n\n" for result in results),
    }


@pytest.mark.parametrize("name", WAITING)
def test_calls_that_wait(connection: psycopg.Connection[Any], name: str) -> None:
    before, statement = WAITING[name]
    inputs = {calls: _waiting(calls) for calls in (_CALLS, 4 * _CALLS)}
    clock = spent_by(connection)
    spent = 0.0

    def run(calls: int) -> None:
        nonlocal spent
        with connection.transaction(force_rollback=True):
            for each in before:
                connection.execute(each, inputs[calls])
            begun = clock()
            connection.execute(statement, inputs[calls])
            spent += clock() - begun

    run(_CALLS)
    assert growth(run, _CALLS, lambda: spent) <= MOST
