"""Many writers of one thread; deadlocks and lock time-outs, which isolation specs cannot test."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from typing import Any

import psycopg
import pytest
from psycopg import errors, sql

from tests.conftest import AsyncConnection

Connect = Callable[..., Awaitable[AsyncConnection]]

WRITERS = 32
APPEND = """
    select a.message_count, a.appended
    from pgthreads.set_tenant(%(owner)s) as t (owner),
      lateral pgthreads.append_thread(
        t.owner, %(key)s, %(messages)s::jsonb, %(expected)s::int) as a
"""


def _message(message_id: str, text: str = "hello") -> dict[str, Any]:
    return {"id": message_id, "role": "user", "parts": [{"type": "text", "text": text}]}


async def _append(
    connection: AsyncConnection, key: str, *ids: str, expected: int | None = None
) -> tuple[int, int]:
    cursor = await connection.execute(
        APPEND,
        {
            "owner": "alice",
            "key": key,
            "messages": json.dumps([_message(name) for name in ids]),
            "expected": expected,
        },
    )
    row = await cursor.fetchone()
    assert row
    return int(row[0]), int(row[1])


async def _ids(connection: AsyncConnection, key: str) -> list[str]:
    cursor = await connection.execute(
        "select r.seq, r.message ->> 'id' from pgthreads.set_tenant('alice') as t (owner),"
        " lateral pgthreads.read_messages(t.owner, %s) as r order by r.seq",
        (key,),
    )
    rows = await cursor.fetchall()
    assert [row[0] for row in rows] == list(range(1, len(rows) + 1))
    return [row[1] for row in rows]


async def _until_waiting(connection: AsyncConnection, pid: int) -> None:
    """Return when that backend waits for a lock."""
    for _ in range(1000):
        cursor = await connection.execute(
            "select from pg_stat_activity where pid = %s and wait_event_type = 'Lock'", (pid,)
        )
        if await cursor.fetchone() is not None:
            return
        await asyncio.sleep(0.01)
    pytest.fail("it never waited")


async def _check_chain(admin_dsn: str, connect_async: Connect, key: str) -> None:
    """The digests chain, and the thread's row agrees with its messages."""
    admin = await connect_async(admin_dsn)
    cursor = await admin.execute(
        """
        select t.message_count = count(*),
          t.head_digest = (array_agg(m.digest order by m.seq desc))[1],
          bool_and(m.digest = sha256(coalesce(b.digest, ''::bytea)
            || convert_to(m.message::text, 'UTF8')))
        from pgthreads.thread as t
        join pgthreads.message as m using (owner_user_id, state_key)
        left join pgthreads.message as b
          on b.owner_user_id = m.owner_user_id and b.state_key = m.state_key and b.seq = m.seq - 1
        where t.owner_user_id = 'alice' and t.state_key = %s
        group by t.message_count, t.head_digest
        """,
        (key,),
    )
    assert await cursor.fetchone() == (True, True, True)


@pytest.mark.parametrize("per_writer", [1, 20])
async def test_32_writers_of_one_thread(
    server_dsn: str, admin_dsn: str, connect_async: Connect, per_writer: int
) -> None:
    key = f"writers-{per_writer}"
    connections = [await connect_async(server_dsn) for _ in range(WRITERS)]

    async def write(writer: int) -> list[int]:
        return [
            (await _append(connections[writer], key, f"w{writer}-{i}"))[0]
            for i in range(per_writer)
        ]

    counts = await asyncio.gather(*(write(writer) for writer in range(WRITERS)))

    total = WRITERS * per_writer
    assert sorted(count for own in counts for count in own) == list(range(1, total + 1))
    ids = await _ids(connections[0], key)
    assert sorted(ids) == sorted(f"w{w}-{i}" for w in range(WRITERS) for i in range(per_writer))
    for writer, own in enumerate(counts):
        assert [ids[count - 1] for count in own] == [f"w{writer}-{i}" for i in range(per_writer)]
    await _check_chain(admin_dsn, connect_async, key)


async def test_32_writers_of_the_same_messages(server_dsn: str, connect_async: Connect) -> None:
    connections = [await connect_async(server_dsn) for _ in range(WRITERS)]
    results = await asyncio.gather(*(_append(c, "same", "m1", "m2") for c in connections))
    assert sorted(results) == [(2, 0)] * (WRITERS - 1) + [(2, 2)]
    assert await _ids(connections[0], "same") == ["m1", "m2"]


async def test_of_32_writers_with_the_same_count_one_appends(
    server_dsn: str, connect_async: Connect
) -> None:
    connections = [await connect_async(server_dsn) for _ in range(WRITERS)]
    await _append(connections[0], "counted", "m0")
    results = await asyncio.gather(
        *(_append(c, "counted", f"w{i}", expected=1) for i, c in enumerate(connections)),
        return_exceptions=True,
    )
    refused = [r for r in results if isinstance(r, psycopg.Error)]
    assert [r for r in results if not isinstance(r, BaseException)] == [(2, 1)]
    assert {r.sqlstate for r in refused} == {"THCNT"}
    assert len(refused) == WRITERS - 1
    assert len(await _ids(connections[0], "counted")) == 2


async def test_of_32_turns_one_starts(server_dsn: str, connect_async: Connect) -> None:
    connections = [await connect_async(server_dsn) for _ in range(WRITERS)]

    async def begin(number: int) -> str:
        cursor = await connections[number].execute(
            "select b.outcome from pgthreads.set_tenant('alice') as t (owner),"
            " lateral pgthreads.begin_turn(t.owner, 'turns', %s::jsonb, %s) as b",
            (json.dumps(_message(f"m{number % 2}")), f"t{number}"),
        )
        row = await cursor.fetchone()
        assert row
        return str(row[0])

    results = await asyncio.gather(*(begin(i) for i in range(WRITERS)), return_exceptions=True)
    outcomes = [r if isinstance(r, str) else getattr(r, "sqlstate", repr(r)) for r in results]
    assert sorted(outcomes) == (
        ["THTRN"] * (WRITERS // 2) + ["running"] * (WRITERS // 2 - 1) + ["started"]
    )


async def test_a_whole_chat_from_many_servers(
    server_dsn: str, admin_dsn: str, connect_async: Connect
) -> None:
    """Turns, heartbeats, stops, appends, saves, renames and lists at once: nothing deadlocks."""
    statements: list[sql.SQL] = [
        sql.SQL(text)
        for text in (
            "select outcome from pgthreads.begin_turn('alice', 'mixed', %(m)s::jsonb, %(t)s)",
            "select a.appended from pgthreads.append_thread('alice', 'mixed', jsonb_build_array("
            "%(m)s::jsonb), null, %(t)s) as a",
            "select alive from pgthreads.extend_turn('alice', 'mixed', %(t)s)",
            "select pgthreads.request_stop('alice', 'mixed')",
            "select status from pgthreads.finish_turn('alice', 'mixed', %(t)s, 'completed')",
            "select a.appended from pgthreads.append_thread('alice', 'mixed', jsonb_build_array("
            "%(m)s::jsonb)) as a",
            "select title from pgthreads.update_thread('alice', 'mixed', %(t)s)",
            "select count(*) from pgthreads.list_threads('alice')",
        )
    ]
    connections = [await connect_async(server_dsn) for _ in range(16)]
    states: list[str] = []

    async def run(number: int) -> None:
        for step in range(40):
            statement = statements[(step * 5 + number) % len(statements)]
            values = {
                "m": json.dumps(_message(f"x{number}-{step}")),
                "t": f"t{(step + number) % 5}",
            }
            try:
                async with connections[number].transaction():
                    await connections[number].execute("select pgthreads.set_tenant('alice')")
                    await connections[number].execute(statement, values)
            except psycopg.Error as error:
                states.append(error.sqlstate or repr(error))

    await asyncio.gather(*(run(i) for i in range(len(connections))))
    # 22023: a turn id that was used before.
    assert set(states) <= {"THTRN", "THLST", "THNON", "22023"}
    await _ids(connections[0], "mixed")
    await _check_chain(admin_dsn, connect_async, "mixed")


async def test_two_threads_in_opposite_order_deadlock_and_one_goes_on(
    server_dsn: str, connect_async: Connect
) -> None:
    """A deadlock that a caller's own order of locks causes is 40P01, and the other one commits."""
    first = await connect_async(server_dsn)
    second = await connect_async(server_dsn)
    for key in ("one", "two"):
        await _append(first, key, "m0")
    met = asyncio.Barrier(2)

    async def both(connection: AsyncConnection, keys: tuple[str, str], name: str) -> str:
        try:
            async with connection.transaction():
                await _append(connection, keys[0], name)
                await met.wait()
                await _append(connection, keys[1], name)
        except errors.DeadlockDetected:
            return "deadlock"
        return "committed"

    outcomes = await asyncio.wait_for(
        asyncio.gather(both(first, ("one", "two"), "a"), both(second, ("two", "one"), "b")), 30
    )
    assert sorted(outcomes) == ["committed", "deadlock"]
    winner = "a" if outcomes[0] == "committed" else "b"
    assert await _ids(first, "one") == ["m0", winner]
    assert await _ids(first, "two") == ["m0", winner]


async def test_a_lock_timeout_changes_nothing(server_dsn: str, connect_async: Connect) -> None:
    holder = await connect_async(server_dsn)
    waiter = await connect_async(server_dsn)
    await _append(holder, "locked", "m0")
    await waiter.execute("set lock_timeout = '50ms'")
    async with holder.transaction():
        await _append(holder, "locked", "m1")
        for statement in (
            "append_thread(t.owner, 'locked', '[]')",
            "save_thread(t.owner, 'locked', '[]')",
            "update_thread(t.owner, 'locked', 'title')",
            "soft_delete_thread(t.owner, 'locked')",
            "finish_turn(t.owner, 'locked', 't', 'completed')",
        ):
            with pytest.raises(errors.LockNotAvailable):
                await waiter.execute(
                    sql.SQL(
                        "select f from pgthreads.set_tenant('alice') as t (owner),"
                        f" lateral pgthreads.{statement} as f"
                    )
                )
        # Readers do not wait.
        assert await _ids(waiter, "locked") == ["m0"]
    assert await _append(waiter, "locked", "m2") == (3, 1)
    assert await _ids(waiter, "locked") == ["m0", "m1", "m2"]


async def test_a_cancelled_writer_leaves_no_gap(server_dsn: str, connect_async: Connect) -> None:
    holder = await connect_async(server_dsn)
    waiter = await connect_async(server_dsn)
    await _append(holder, "cancelled", "m0")
    async with holder.transaction():
        await _append(holder, "cancelled", "m1")
        task = asyncio.create_task(_append(waiter, "cancelled", "m2"))
        await _until_waiting(holder, waiter.info.backend_pid)
        await waiter.cancel_safe()
        with pytest.raises(errors.QueryCanceled):
            await task
    assert await _append(waiter, "cancelled", "m3") == (3, 1)
    assert await _ids(waiter, "cancelled") == ["m0", "m1", "m3"]
