"""How many pages calls read, whatever the planner knows of the tables.

There is an owner with many short threads, one with a long thread, and one with a long thread that
has branches. Statistics are fresh, or older than nearly all rows, or missing. A plan that is right
for threads of the usual length may read all of a long one.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import psycopg
import pytest

from tests.database import Database

Connection = psycopg.Connection[tuple[Any, ...]]

LONG = 3000
BRANCHES = 150
SHORT = 2000
MOST = 250
"""The most pages of a call. To look up a key reads 3 or 4; all keys of a long thread take 3,000."""

FILL = """
insert into pgthreads.thread (owner_user_id, state_key, message_count, head_digest)
select %(owner)s, k, %(messages)s, sha256(k::bytea)
from (select case when %(threads)s = 1 then 'k' else 'k' || n end as k
  from generate_series(1, %(threads)s) as n) as t;
insert into pgthreads.message
  (owner_user_id, state_key, seq, message_id, message, digest, parent_seq)
select t.owner_user_id, t.state_key, n, 'm' || n,
  json_build_object('id', 'm' || n, 'role', case n %% 2 when 1 then 'user' else 'assistant' end,
    'parts', json_build_array(json_build_object('type', 'text', 'text', md5(n::text)))),
  case n when t.message_count then t.head_digest else '' end,
  case when n %% 20 = 1 and n > 1 and %(branches)s then n - 11 end
from pgthreads.thread as t
cross join generate_series(1, t.message_count) as n
where t.owner_user_id = %(owner)s;
insert into pgthreads.turn (owner_user_id, state_key, turn_id, status, lease_until, user_seq,
  assistant_message_id, started_at, finished_at, begun_count)
select m.owner_user_id, m.state_key, 't' || m.seq, 'completed', now(), m.seq, 'm' || m.seq + 1,
  now(), now(), m.seq
from pgthreads.message as m
where m.owner_user_id = %(owner)s and m.seq %% 2 = 1
"""
MESSAGE = """jsonb_build_object('id', '{}', 'role', '{}', 'parts',
  jsonb_build_array(jsonb_build_object('type', 'text', 'text', 'hello')))"""
USER, ANSWER = MESSAGE.format("new", "user"), MESSAGE.format("newer", "assistant")
OLD = MESSAGE.format("m2999", "user")

CALLS = {
    "load_thread": "load_thread('{o}', 'k', 50)",
    "load_thread, earlier": "load_thread('{o}', 'k', 50, 1500)",
    "load_thread, a leaf": "load_thread('{o}', 'k', 50, null, 'm1400')",
    "read_messages": "read_messages('{o}', 'k', 50)",
    "read_messages, a leaf": "read_messages('{o}', 'k', 50, null, 'm1400')",
    "read_thread": "read_thread('{o}', 'k', 50)",
    "read_thread, earlier": "read_thread('{o}', 'k', 50, 1500)",
    "read_thread, a leaf": "read_thread('{o}', 'k', 50, null, null, 'm1400')",
    "read_thread_details": "read_thread_details('{o}', 'k', 50)",
    "list_threads": "list_threads('{o}', 50)",
    "list_threads, the archive": "list_threads('{o}', 50, null, true)",
    "list_threads, all": "list_threads('{o}', 50, null, null)",
    "share_thread": "share_thread('{o}', 'k')",
    "list_shares": "list_shares('{o}', 'k')",
    "revoke_share": "revoke_share('{o}', 'k', 's')",
    "search_titles": "search_titles('{o}', 'a title')",
    "read_header": "read_header('{o}', 'k')",
    "append_thread": f"append_thread('{{o}}', 'k', jsonb_build_array({USER}))",
    "append_thread, a branch": (
        f"append_thread('{{o}}', 'k', jsonb_build_array({USER}), p_parent_id => 'm1400')"
    ),
    "save_thread, a new one": f"save_thread('{{o}}', 'new', jsonb_build_array({USER}))",
    "begin_turn": f"begin_turn('{{o}}', 'k', {USER}, 'new', 20)",
    "begin_turn, a replaced question": (
        f"begin_turn('{{o}}', 'k', {USER}, 'new', 20, p_replaces => 'm1401')"
    ),
    "begin_turn, a replaced answer": (
        "begin_turn('{o}', 'k', null, 'new', 20, p_replaces => 'm1400')"
    ),
    "begin_turn, the newest answer": (
        "begin_turn('{o}', 'k', null, 'new', 20, p_regenerate => true)"
    ),
    "begin_turn, enqueued": f"begin_turn('{{o}}', 'k', {USER}, 'new', 20, p_busy => 'enqueue')",
    "extend_turn": "extend_turn('{o}', 'k', 't2999')",
    "finish_turn": "finish_turn('{o}', 'k', 't2999', 'completed')",
    "request_stop": "request_stop('{o}', 'k')",
    "write_journal": "write_journal('{o}', 'k', 't2999', 0, 'x')",
    "read_journal": "read_journal('{o}', 'k')",
    "read_journal, an ended turn": "read_journal('{o}', 'k', 't1')",
    "forget_journal": "forget_journal('{o}', 'k', 't1')",
    "keep_answer": f"keep_answer('{{o}}', 'k', 't1', {ANSWER}, 'test')",
    "update_thread": "update_thread('{o}', 'k', 'a title')",
    "soft_delete_thread": "soft_delete_thread('{o}', 'k')",
}
RUNNING = {
    "append_thread, an answer": (
        f"append_thread('{{o}}', 'k', jsonb_build_array({ANSWER}), null, 'now')"
    ),
    "append_thread and finish_turn": (
        f"append_thread('{{o}}', 'k', jsonb_build_array({ANSWER}), null, 'now') as a,"
        " lateral pgthreads.finish_turn('{o}', a.state_key, 'now', 'completed')"
    ),
    "complete_turn": f"complete_turn('{{o}}', 'k', 'now', 'completed', {ANSWER}, p_frames => 'x')",
    "extend_turn": "extend_turn('{o}', 'k', 'now')",
    "write_journal": "write_journal('{o}', 'k', 'now', 0, 'x')",
    "request_stop": "request_stop('{o}', 'k')",
    "begin_turn, the same again": f"begin_turn('{{o}}', 'k', {USER}, 'now', 20)",
    "begin_turn, enqueued": (
        f"begin_turn('{{o}}', 'k', {MESSAGE.format('next', 'user')}, 'n', 20, p_busy => 'enqueue')"
    ),
}
"""A turn runs, and has just begun."""


def fill(admin: Connection, owner: str, **values: Any) -> None:
    for statement in FILL.split(";\n"):
        admin.execute(statement, {"owner": owner, "branches": False, "threads": 1, **values})


@pytest.fixture(scope="module", params=["stale", "fresh", "absent"])
def statistics(request: pytest.FixtureRequest, database: Database) -> str:
    """The tables, and what the planner knows of them; each case is made from the one before."""
    with psycopg.connect(database.admin_dsn, autocommit=True) as admin:
        tables = ("thread", "message", "turn")
        if request.param == "stale":
            for table in tables:
                admin.execute(f"alter table pgthreads.{table} set (autovacuum_enabled = off)")
            fill(admin, "first", threads=50, messages=2)
            admin.execute("analyze pgthreads.thread, pgthreads.message, pgthreads.turn")
            fill(admin, "many", threads=SHORT, messages=2)
            fill(admin, "few", threads=3, messages=2)
            admin.execute(
                "update pgthreads.thread set deleted_at = now() - interval '1 year'"
                " where owner_user_id = 'few'"
            )
            admin.execute(
                "update pgthreads.turn set status = 'running', finished_at = null"
                " where owner_user_id = 'first' and turn_id = 't1' and state_key in ('k1', 'k2')"
            )
            fill(admin, "linear", messages=LONG)
            fill(admin, "branched", messages=LONG, branches=True)
        elif request.param == "fresh":
            admin.execute("vacuum analyze pgthreads.thread, pgthreads.message, pgthreads.turn")
        else:
            admin.execute("set allow_system_table_mods = on")
            names = [f"pgthreads.{table}" for table in tables]
            admin.execute(
                "delete from pg_statistic where starelid = any (%s::regclass[]::oid[])", (names,)
            )
            admin.execute(
                "update pg_class set reltuples = -1, relpages = 0, relallvisible = 0"
                " where oid = any (%s::regclass[]::oid[])",
                (names,),
            )
    return str(request.param)


@pytest.fixture
def server(statistics: str, connect: Callable[..., Connection], server_dsn: str) -> Connection:
    """A session with its own plans, made with these statistics."""
    assert statistics
    return connect(server_dsn, autocommit=False)


def pages(server: Connection, owner: str | None, call: str) -> int:
    """Return how many pages a call reads once its plans are made; the call is rolled back."""
    call = call.format(o=owner)
    statement = f"select c.* from pgthreads.{call} as c"
    read: list[int] = []
    for _ in range(2):
        with server.transaction(force_rollback=True):
            if owner is not None:
                server.execute("select pgthreads.set_tenant(%s)", (owner,))
            found = server.execute(
                f"explain (analyze, buffers, format json) {statement}"
            ).fetchone()
            assert found is not None
            plan = found[0][0]["Plan"]
            read.append(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])
    return read[-1]


@pytest.mark.parametrize("owner", ["linear", "branched"])
def test_calls_read_what_they_need(server: Connection, owner: str) -> None:
    read = {name: pages(server, owner, call) for name, call in CALLS.items()}
    with server.transaction(force_rollback=True):
        server.execute("select pgthreads.set_tenant(%s)", (owner,))
        server.execute(f"select pgthreads.begin_turn('{owner}', 'k', {USER}, 'now', 20)")
        for name, call in RUNNING.items():
            read[f"{name}, while a turn runs"] = pages(server, owner, call)
    assert {name: count for name, count in read.items() if count > MOST} == {}


def test_a_page_of_the_list_is_as_long_as_the_page(server: Connection, admin_dsn: str) -> None:
    """Half of the owner's threads are archived, in turn."""
    with psycopg.connect(admin_dsn, autocommit=True) as admin:
        admin.execute(
            "insert into pgthreads.thread (owner_user_id, state_key, updated_at, recent_at,"
            " archived_at) select 'crowded', 'k' || i, c, c, case when i % 2 = 0 then c end"
            " from generate_series(1, 20000) as i, lateral ("
            "   select now() - i * interval '1 minute') as n (c)"
        )
        try:
            read = {
                each: pages(server, "crowded", f"list_threads('{{o}}', 50, null, {each})")
                for each in ("false", "true", "null")
            }
        finally:
            admin.execute("delete from pgthreads.thread where owner_user_id = 'crowded'")
    assert {each: count for each, count in read.items() if count > MOST} == {}


MAINTENANCE = {
    "reap_turns": "reap_turns(10)",
    "purge_threads": "purge_threads(null, 2)",
    "erase_owner": "erase_owner('few')",
    "erase_owner, a batch": "erase_owner('many', 3)",
    "verify_thread": "verify_thread('many', 'k7')",
    "verify_threads": "verify_threads('many', 5)",
}


def test_maintenance_reads_what_it_needs(
    statistics: str, connect: Callable[..., Connection], maintenance_dsn: str
) -> None:
    assert statistics
    server = connect(maintenance_dsn, autocommit=False)
    read = {name: pages(server, None, call) for name, call in MAINTENANCE.items()}
    assert {name: count for name, count in read.items() if count > MOST} == {}


def test_no_message_is_looked_up_by_its_place_alone(
    connect: Callable[..., Connection], admin_dsn: str
) -> None:
    """Which index it uses is a matter of luck; see db/functions/internal/fit_range.sql."""
    found = connect(admin_dsn).execute(
        "select p.proname, p.prosrc from pg_proc as p"
        " where p.pronamespace = 'pgthreads'::regnamespace and p.prosrc ~ 'pgthreads.message as'"
    )
    places = {name: re.findall(r"[^_.]\bm\.seq = \S+", source) for name, source in found}
    assert len(places) > 10
    assert {name: each for name, each in places.items() if each} == {}
