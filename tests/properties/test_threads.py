"""The SQL functions compared with a model of them, with several sessions."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import RuleBasedStateMachine, run_state_machine_as_test
from psycopg import sql

from tests.database import Database
from tests.properties.machine import ThreadsMachine
from tests.properties.sessions import Sessions
from tests.properties.strategies import SESSION_COUNT
from tests.properties.thread_model import MAX_MESSAGE_BYTES, MAX_MESSAGES, MAX_QUEUED

FAULTS = {
    "an append without the lock": (
        "append_thread",
        "for update;\n    exit when found;",
        ";\n    exit when found;",
    ),
    "a count that is not compared": (
        "append_thread",
        "if p_expected_count <> v_count then",
        "if false then",
    ),
    "a partial answer that is thrown away": (
        "abandon_turn",
        "if v_message is not null then",
        "if false then",
    ),
    "an answer to the newest question and not to the one that is shown": (
        "find_question",
        "if p_regenerate and (p_on_stale is null or p_message is null)",
        "if p_regenerate",
    ),
}
"""Mutants: what is wrong, in which function, and the edit that does it."""


@pytest.fixture
def sessions(database: Database) -> Iterator[Sessions]:
    with psycopg.connect(database.admin_dsn, autocommit=True) as admin:
        admin.execute(
            "update pgthreads.config"
            " set max_messages = %s, max_message_bytes = %s, max_queued = %s, purge_after = '0'",
            (MAX_MESSAGES, MAX_MESSAGE_BYTES, MAX_QUEUED),
        )
        # A deadlock is reported at once.
        name = sql.Identifier(database.name)
        admin.execute(sql.SQL("alter database {} set deadlock_timeout = '20ms'").format(name))
    with Sessions(database.server_dsn, database.admin_dsn, SESSION_COUNT) as sessions:
        yield sessions


def explore(sessions: Sessions, examples: settings) -> None:
    class Machine(ThreadsMachine):
        def __init__(self) -> None:
            super().__init__(sessions)

    machine: type[RuleBasedStateMachine] = Machine
    run_state_machine_as_test(machine, settings=examples)


def test_the_functions_do_what_the_model_says(sessions: Sessions, examples: settings) -> None:
    explore(sessions, examples)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_is_found(sessions: Sessions, examples: settings, fault: str) -> None:
    function, right, wrong = FAULTS[fault]
    row = sessions.admin.execute(
        "select pg_get_functiondef(p.oid) from pg_proc as p"
        " where p.pronamespace = 'pgthreads'::regnamespace and p.proname = %s",
        (function,),
    ).fetchone()
    assert row is not None
    assert row[0].count(right) == 1
    sessions.admin.execute(row[0].replace(right, wrong).encode())
    try:
        with pytest.raises(AssertionError):
            explore(sessions, settings(examples, max_examples=1000, phases=[Phase.generate]))
    finally:
        sessions.admin.execute(row[0].encode())
