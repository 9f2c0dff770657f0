"""Whoever follows changed_threads ends with what is stored, whatever commits late or never."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

SECONDS = 4.0
OWNER = "ada"
KEYS = [f"k{number}" for number in range(12)]
LOOK = """
select n.cursor, c.state_key, c.title, c.message_count, c.running, c.deleted, c.version
from pgthreads.change_cursor(%(cursor)s) as n(cursor)
left join lateral (
  select c.state_key, c.title, c.message_count, c.running, c.deleted, c.version
  from pgthreads.set_tenant(%(owner)s) as t(owner),
    lateral pgthreads.changed_threads(t.owner, %(cursor)s, 1000) as c
) as c on true
"""

Shown = dict[str, tuple[Any, ...]]


def message(number: int) -> Jsonb:
    return Jsonb(
        {"id": f"m{number}", "role": "user", "parts": [{"type": "text", "text": f"{number}"}]}
    )


def change(connection: psycopg.Connection[Any], dice: random.Random, number: int) -> None:
    """Do something to a thread, in a transaction that may take long, and may come to nothing."""
    key = dice.choice(KEYS) if dice.random() < 0.8 else f"n{number}"
    turn = f"t{number}"
    calls: list[tuple[str, tuple[Any, ...]]] = dice.choice(
        [
            [("append_thread(%s, %s, jsonb_build_array(%s::jsonb))", (message(number),))],
            [("begin_turn(%s, %s, %s, %s)", (message(number), turn))],
            [
                ("begin_turn(%s, %s, %s, %s)", (message(number), turn)),
                ("finish_turn(%s, %s, %s, 'failed')", (turn,)),
            ],
            [("update_thread(%s, %s, %s)", (f"title {number}",))],
            [("soft_delete_thread(%s, %s)", ())],
        ]
    )
    with suppress(psycopg.Error, psycopg.Rollback), connection.transaction():
        connection.execute("select pgthreads.set_tenant(%s)", [OWNER])
        connection.execute("set local lock_timeout = '1s'")
        for statement, values in calls:
            with connection.transaction():
                connection.execute(f"select pgthreads.{statement}", [OWNER, key, *values])
            if dice.random() < 0.3:
                time.sleep(dice.random() * 0.5)
        if dice.random() < 0.2:
            raise psycopg.Rollback


def look(connection: psycopg.Connection[Any], cursor: str, shown: Shown) -> str:
    """Take note of what has changed since the cursor; return the next one."""
    rows = connection.execute(LOOK, {"cursor": cursor, "owner": OWNER}).fetchall()
    for _, key, title, count, running, deleted, version in rows:
        assert key is not None or version is None
        if deleted:
            shown.pop(key, None)
        elif key is not None:
            shown[key] = (title, count, running)
    following: str = rows[0][0]
    return following


def test_nothing_is_lost(server_dsn: str, connect: Callable[..., psycopg.Connection[Any]]) -> None:
    ended = threading.Event()
    watching = connect(server_dsn)
    ((first,),) = watching.execute("select pgthreads.change_cursor()").fetchall()

    def write(seed: int) -> None:
        dice = random.Random(seed)
        with psycopg.connect(server_dsn, autocommit=True) as connection:
            number = seed * 100_000
            while not ended.is_set():
                number += 1
                change(connection, dice, number)

    def follow(seconds: float) -> Shown:
        shown: Shown = {}
        cursor = first
        with psycopg.connect(server_dsn, autocommit=True) as connection:
            while not ended.wait(seconds):
                cursor = look(connection, cursor, shown)
            everybody_ended.wait(30)
            look(connection, cursor, shown)
        return shown

    everybody_ended = threading.Event()
    with ThreadPoolExecutor(8) as pool:
        writers = [pool.submit(write, seed) for seed in range(1, 5)]
        followers = [pool.submit(follow, seconds) for seconds in (0.01, 0.3, 60)]
        time.sleep(SECONDS)
        ended.set()
        for writer in writers:
            writer.result(30)
        everybody_ended.set()
        seen = [follower.result(30) for follower in followers]
    stored = {
        key: (title, count, running)
        for key, title, count, running in watching.execute(
            "select l.state_key, l.title, l.message_count, l.running"
            " from pgthreads.set_tenant(%s) as t(owner),"
            " lateral pgthreads.list_threads(t.owner, 200) as l",
            [OWNER],
        )
    }
    assert len(stored) > 5
    for shown in seen:
        assert shown == stored
