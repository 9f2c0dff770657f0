"""No setting that a site gives the server's role changes what is stored or read."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from typing import Any

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from pgthreads.cli.checks import check_database
from pgthreads.postgres.pool import Pool
from pgthreads.postgres.rows import JournalPiece, TurnKey
from pgthreads.postgres.threads import Threads
from tests.database import APP_ROLE
from tests.server.service import running_service

ODD = [
    ("DateStyle", "SQL, DMY"),
    ("DateStyle", "German"),
    ("IntervalStyle", "sql_standard"),
    ("TimeZone", "Asia/Kathmandu"),
    ("standard_conforming_strings", "off"),
    ("backslash_quote", "off"),
    ("bytea_output", "escape"),
    ("extra_float_digits", "-15"),
    ("client_encoding", "LATIN1"),
    ("search_path", "pg_temp"),
    ("row_security", "off"),
    ("array_nulls", "off"),
    ("transform_null_equals", "on"),
    ("quote_all_identifiers", "on"),
    ("xmloption", "document"),
    ("default_transaction_isolation", "serializable"),
    ("default_transaction_isolation", "repeatable read"),
    ("plan_cache_mode", "force_custom_plan"),
    ("jit_above_cost", "0"),
    ("enable_indexscan", "off"),
    ("enable_bitmapscan", "off"),
    ("enable_sort", "off"),
    ("join_collapse_limit", "1"),
    ("default_statistics_target", "1"),
    ("work_mem", "64kB"),
]

TEXT = "a sassy question: \\s, \\\\, 'quoted', \U0001f600, caf\u00e9, 0.1"
_owners = count()


def message(identifier: str, text: str, role: str = "user") -> dict[str, Any]:
    return {"id": identifier, "role": role, "parts": [{"type": "text", "text": text}]}


async def scenario(dsn: str) -> list[Any]:
    """Make every call of a turn's life; return the results, without times."""
    owner = f"owner-{next(_owners)}"
    seen: list[Any] = []
    async with Pool(dsn, size=1) as pool:
        threads = Threads(pool)
        await threads.check()
        begun = await threads.begin_turn(owner, "k", message("u1", TEXT), "t1")
        listed = await threads.list_threads(owner)
        assert listed[0].created_at.utcoffset() is not None
        seen += [begun.outcome, begun.turn_id, begun.message_count, begun.history]
        frames = 'data: {"type":"start","messageId":"a1"}\n\n'
        written = await threads.write_journals([JournalPiece(TurnKey(owner, "k", "t1"), 0, frames)])
        read = await threads.read_running_turn(owner, "k")
        assert read is not None
        seen += [written, read.frames, (await threads.extend_turn(owner, "k", "t1")).alive]
        await threads.complete_turn(
            owner,
            "k",
            "t1",
            status="completed",
            usage={"tokens": 0.1, "at": 1e-7},
            error_code=None,
            message=message("a1", f"{TEXT} sk-{'a' * 40}", "assistant"),
        )
        changed = await threads.update_thread(
            owner, "k", title=f"{TEXT} {{}}", metadata={"n": [1.5, 1e22, None], TEXT: TEXT}
        )
        seen += [changed.title, changed.metadata, changed.message_count]
        again = await threads.begin_turn(owner, "k", message("u1", "edited"), "t2", replaces="u1")
        seen += [again.outcome, again.history]
        kept = await threads.keep_answer(
            owner, "k", "t2", message=message("a2", TEXT, "assistant"), reason="r", sqlstate=None
        )
        seen += [kept, await threads.request_stop(owner, "k")]
        seen += [[b.leaf_id, b.message_count] for b in await threads.list_branches(owner, "k")]
        for _ in range(3):
            begun = await threads.begin_turn(owner, f"k{_}", message("u", TEXT), "t")
        page = await threads.list_threads(owner, limit=2)
        rest = await threads.list_threads(owner, limit=2, cursor=page[-1].next_cursor)
        seen += [[each.state_key, each.title, each.metadata] for each in (*page, *rest)]
        thread = await threads.read_thread(owner, "k")
        assert thread is not None
        assert thread.created_at.isoformat().endswith("+00:00")
        seen += [thread.title, thread.digest, thread.messages, thread.metadata]
        seen.append(await threads.read_thread(owner, "none"))
    return seen


@contextmanager
def role_setting(admin_dsn: str, name: str, value: str) -> Iterator[None]:
    database = sql.Identifier(str(conninfo_to_dict(admin_dsn)["dbname"]))
    role = sql.Identifier(APP_ROLE)
    with psycopg.connect(admin_dsn, autocommit=True) as admin:
        # As a list where it is one.
        text = sql.SQL(value) if name == "search_path" else sql.Literal(value)
        admin.execute(
            sql.SQL("alter role {} in database {} set {} to {}").format(
                role, database, sql.Identifier(name), text
            )
        )
        try:
            yield
        finally:
            admin.execute(sql.SQL("alter role {} in database {} reset all").format(role, database))


async def test_no_setting_changes_what_comes_back(server_dsn: str, admin_dsn: str) -> None:
    wanted = await scenario(server_dsn)
    assert TEXT in json.loads(wanted[3])[0]["parts"][0]["text"]
    different = {}
    for name, value in ODD:
        with role_setting(admin_dsn, name, value):
            try:
                found: Any = await scenario(server_dsn)
            except Exception as error:
                found = repr(error), getattr(error, "detail", "")
        if found != wanted:
            different[name, value] = found
    assert different == {}


async def test_a_role_that_may_not_write_is_not_ready(server_dsn: str, admin_dsn: str) -> None:
    async with running_service(server_dsn, admin_dsn) as service:
        assert (await service.get("/readyz")).status == 200
    with role_setting(admin_dsn, "default_transaction_read_only", "on"):
        async with (
            running_service(server_dsn, admin_dsn) as service,
            await service.get("/readyz") as response,
        ):
            assert response.status == 503
            assert "takes no writes" in (await response.json())["error"]
        found = [each async for each in check_database(server_dsn)]
        assert found[-1].verdict == "FAIL"
        assert "takes no writes" in found[-1].text


async def test_doctor_stores_and_reads_and_leaves_nothing(server_dsn: str, admin_dsn: str) -> None:
    with psycopg.connect(admin_dsn, autocommit=True) as admin:
        before = admin.execute("select count(*) from pgthreads.thread").fetchone()
        found = [each async for each in check_database(server_dsn)]
        after = admin.execute("select count(*) from pgthreads.thread").fetchone()

    assert "FAIL" not in {each.verdict for each in found}
    assert "a turn can be stored and read again" in {each.text for each in found}
    assert after == before
