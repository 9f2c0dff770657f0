"""Every rule of the checker reports the harm that it is about, and no other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import LiteralString

import psycopg
import pytest
from psycopg.conninfo import make_conninfo
from psycopg.types.json import Jsonb

from tests.database import Database
from tests.faults.answers import complete
from tests.faults.checker import RULES, check
from tests.faults.record import Record, Turn
from tests.faults.snapshot import read
from tests.faults.stream import Assembly, Message

OWNER = "ann"
Harm = Callable[[psycopg.Connection, Record], None]


def answer(number: int, prompt: str, history: int) -> Message:
    return {"id": f"a{number}", "role": "assistant", "parts": complete(prompt, history)}


def tell(record: Record, turn: Turn, message: Message, *, is_complete: bool = True) -> None:
    assembly = Assembly()
    assembly.message, assembly.is_complete = message, is_complete
    record.saw(turn, turn.thread, assembly)


@pytest.fixture
def sound(
    fresh_database: Callable[..., Database],
) -> Iterator[tuple[psycopg.Connection, Record]]:
    """A superuser in a database with a thread of two turns, whose clients have seen everything."""
    database, record = fresh_database(), Record()
    with psycopg.connect(database.admin_dsn, autocommit=True) as connection:
        for number in (1, 2):
            turn = Turn(OWNER, "chat-1", f"u{number}", f"prompt {number}")
            with record.open(turn):
                message = answer(number, turn.text, 2 * number - 1)
                _store(connection, turn, message)
                tell(record, turn, message)
                turn.acknowledged, turn.outcome = True, "complete"
        # These changes are ones that no function ever makes.
        connection.execute("set session_replication_role = replica")
        yield connection, record


def _store(connection: psycopg.Connection, turn: Turn, message: Message) -> None:
    values = (turn.owner, turn.key, Jsonb(turn.message), f"t{turn.message_id}")
    connection.execute(
        "select pgthreads.begin_turn(t.owner, %s, %s, %s)"
        " from pgthreads.set_tenant(%s) as t(owner)",
        (*values[1:], turn.owner),
    )
    connection.execute(
        "select f.* from pgthreads.set_tenant(%s) as t(owner), lateral pgthreads.append_thread("
        "t.owner, %s, jsonb_build_array(%s::jsonb), null, %s) as a,"
        " lateral pgthreads.finish_turn(t.owner, a.state_key, %s, 'completed') as f",
        (turn.owner, turn.key, Jsonb(message), values[3], values[3]),
    )


def broken_rules(connection: psycopg.Connection, record: Record) -> set[str]:
    dsn = make_conninfo(connection.info.dsn, password=connection.info.password)
    return {each.rule for each in check(read(dsn), record)}


def _do(*statements: LiteralString) -> Harm:
    def harm(connection: psycopg.Connection, _: Record) -> None:
        for statement in statements:
            changed = connection.execute(statement).rowcount
            assert changed != 0, statement

    return harm


def _forget(record: Record, what: str) -> None:
    record.of((OWNER, "chat-1"))[0].message_id = what


def _saw_other(_: psycopg.Connection, record: Record) -> None:
    record.seen[OWNER, "chat-1"][0]["parts"][-1]["text"] += "!"


def _saw_unstored(_: psycopg.Connection, record: Record) -> None:
    turn = record.of((OWNER, "chat-1"))[0]
    tell(record, turn, answer(9, turn.text, 1))


def _saw_answer_of_other(_: psycopg.Connection, record: Record) -> None:
    first, second = record.of((OWNER, "chat-1"))
    first.answers, second.answers = second.answers, first.answers


def _glimpsed_other(_: psycopg.Connection, record: Record) -> None:
    turn = record.of((OWNER, "chat-1"))[0]
    message = {**answer(1, turn.text, 1), "parts": [{"type": "text", "text": "no"}]}
    tell(record, turn, message, is_complete=False)


def _unsettle(_: psycopg.Connection, record: Record) -> None:
    record.of((OWNER, "chat-1"))[1].outcome = "unsettled"


def _reply_strangely(_: psycopg.Connection, record: Record) -> None:
    record.strange.append(((OWNER, "chat-1"), "500 internal"))


def _lose(_: psycopg.Connection, record: Record) -> None:
    record.generated["chat-1"]["t9"] = 1


def _lose_by_a_kill(connection: psycopg.Connection, record: Record) -> None:
    _lose(connection, record)
    record.killed.add(1)


def _keep_late(connection: psycopg.Connection, record: Record) -> None:
    _lose(connection, record)
    connection.execute(
        "insert into pgthreads.late_answer (owner_user_id, state_key, turn_id, message, bytes,"
        " reason) select owner_user_id, state_key, 't9', message, 9, 'late' from pgthreads.message"
        " where seq = 2"
    )


def _keep_late_of_a_turn(connection: psycopg.Connection, record: Record) -> None:
    _keep_late(connection, record)
    connection.execute(
        "insert into pgthreads.turn select (t).* from (select jsonb_populate_record(n, '{"
        '"turn_id": "t9", "status": "abandoned", "assistant_message_id": null}\') as t'
        " from pgthreads.turn as n where n.user_seq = 1) as n"
    )


def _keep_late_of_another(connection: psycopg.Connection, record: Record) -> None:
    _keep_late_of_a_turn(connection, record)
    connection.execute("update pgthreads.turn set user_seq = 3 where turn_id = 't9'")


def _run(times: int) -> Harm:
    def harm(_: psycopg.Connection, record: Record) -> None:
        record.ran["chat-1"]["a1", "ask-0"] = times

    return harm


def _leave_half_a_file(_: psycopg.Connection, record: Record) -> None:
    record.killed.clear()
    record.spooled.append("x.partial.corrupt")


HARMS: dict[str, tuple[Harm, set[str]]] = {
    "a gap": (
        _do("update pgthreads.message set seq = 9 where seq = 4"),
        {"chain", "turns", "one_answer", "seen"},
    ),
    "a message less": (
        _do("delete from pgthreads.message where seq = 4"),
        {"chain", "seen", "turns"},
    ),
    "a changed body": (
        _do(
            "update pgthreads.message set message = replace(message::text, 'After', 'after')::json"
            " where seq = 2"
        ),
        {"chain", "seen", "generated"},
    ),
    "a digest": (_do("update pgthreads.message set digest = 'x' where seq = 1"), {"chain"}),
    "a parent": (
        _do("update pgthreads.message set parent_seq = 1 where seq = 4"),
        {"chain", "one_answer", "generated", "seen", "turns"},
    ),
    "a count": (_do("update pgthreads.thread set message_count = 5"), {"chain"}),
    "a head": (_do("update pgthreads.thread set head_digest = 'x'"), {"chain"}),
    "another id than its own": (
        _do("update pgthreads.message set message_id = 'a9' where seq = 2"),
        {"chain", "seen", "turns"},
    ),
    "an id twice": (
        _do(
            "alter table pgthreads.message drop constraint message_message_id_key",
            "insert into pgthreads.message select owner_user_id, state_key, 5, message_id, message,"
            " digest, created_at, parent_seq from pgthreads.message where seq = 3",
        ),
        {"chain", "once"},
    ),
    "no user message": (
        _do("delete from pgthreads.message where seq = 3"),
        {"acknowledged", "chain", "one_answer", "seen"},
    ),
    "no thread": (
        _do(
            "delete from pgthreads.turn",
            "delete from pgthreads.message",
            "delete from pgthreads.thread",
        ),
        {"acknowledged", "seen"},
    ),
    "another question": (
        _do(
            "update pgthreads.message set message = replace(message::text, 'prompt', 'word')::json"
            " where seq = 3"
        ),
        {"acknowledged", "chain", "generated"},
    ),
    "an answer to an answer": (
        _do(
            "insert into pgthreads.message select owner_user_id, state_key, 5, 'a3', message,"
            " digest, created_at, parent_seq from pgthreads.message where seq = 4"
        ),
        {"chain", "one_answer", "turns", "generated"},
    ),
    "an answer cut short": (
        _do(
            "update pgthreads.message set message = jsonb_set(message::jsonb, '{parts}',"
            " (message::jsonb -> 'parts') - -1)::json where seq = 2"
        ),
        {"chain", "generated", "seen"},
    ),
    "a partial answer of a completed turn": (
        _do(
            "update pgthreads.message set message = (message::jsonb"
            """ || '{"metadata": {"status": "stopped"}}')::json where seq = 4"""
        ),
        {"chain", "seen", "turns"},
    ),
    "a turn without its answer": (
        _do("update pgthreads.turn set assistant_message_id = 'a9' where user_seq = 1"),
        {"turns"},
    ),
    "an answer of no turn": (
        _do("update pgthreads.turn set assistant_message_id = null where user_seq = 1"),
        {"turns"},
    ),
    "a turn that runs for ever": (
        _do(
            "update pgthreads.turn set status = 'running', lease_until = now() - interval '1 s',"
            " finished_at = null, assistant_message_id = null where user_seq = 3",
        ),
        {"turns"},
    ),
    "a stop that nobody asked for": (
        _do(
            "update pgthreads.turn set status = 'stopped', assistant_message_id = null"
            " where user_seq = 3"
        ),
        {"stopped", "turns"},
    ),
    "an answer that waits nowhere": (
        _do(
            "update pgthreads.turn set status = 'waiting', assistant_message_id = 'a9'"
            " where user_seq = 3"
        ),
        {"turns"},
    ),
    "a call that was run twice": (_run(2), {"ran_once"}),
    "a call that was run once": (_run(1), set()),
    "a failure": (
        _do(
            "update pgthreads.turn set status = 'failed', assistant_message_id = null"
            " where user_seq = 3"
        ),
        {"stopped", "turns"},
    ),
    "a message that nobody sent": (
        lambda _, record: _forget(record, "u9"),
        {"sent", "acknowledged", "seen"},
    ),
    "an answer seen otherwise": (_saw_other, {"seen"}),
    "an answer that only a client has": (_saw_unstored, {"seen"}),
    "answers exchanged": (_saw_answer_of_other, {"seen"}),
    "a beginning seen otherwise": (_glimpsed_other, {"glimpsed"}),
    "a message that is not answered": (_unsettle, {"settled"}),
    "a strange reply": (_reply_strangely, {"settled"}),
    "an answer that is nowhere": (_lose, {"kept"}),
    "an answer lost by a kill": (_lose_by_a_kill, set()),
    "a late answer of no turn": (_keep_late, {"kept"}),
    "a late answer": (_keep_late_of_a_turn, set()),
    "a late answer to something else": (_keep_late_of_another, {"kept"}),
    "a file of the spool": (lambda _, record: record.spooled.append("x.refused"), {"kept"}),
    "a file that was being written, and nobody was killed": (_leave_half_a_file, {"kept"}),
}


def test_a_sound_database(sound: tuple[psycopg.Connection, Record]) -> None:
    assert broken_rules(*sound) == set()


@pytest.mark.parametrize("harm", HARMS)
def test_harm(harm: str, sound: tuple[psycopg.Connection, Record]) -> None:
    do_harm, broken = HARMS[harm]
    do_harm(*sound)
    assert broken_rules(*sound) == broken


def test_every_rule_is_tried() -> None:
    tried = {rule for _, broken in HARMS.values() for rule in broken}
    assert tried == {rule.__name__ for rule in RULES}
