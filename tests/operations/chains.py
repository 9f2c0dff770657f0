"""Data for the tests of operations, and a check that every chain of it fits."""

from __future__ import annotations

import hashlib
from typing import Any

import psycopg
from psycopg.types.json import Jsonb

from tests.database import Database

OWNERS = ("ann", "bea", "zoë 'quoted'")

Chain = list[tuple[int, str, str, bytes]]
"""A thread's messages: seq, id, stored text, digest."""


def message(message_id: str, role: str = "user", text: str = "Hello.") -> dict[str, Any]:
    """A UIMessage with one text part."""
    return {"id": message_id, "role": role, "parts": [{"type": "text", "text": text}]}


def append(
    connection: psycopg.Connection[Any], owner: str, key: str, *messages: dict[str, Any]
) -> int:
    """Append as an application does; return the thread's message count."""
    row = connection.execute(
        "select a.message_count from pgthreads.set_tenant(%s) as t(owner),"
        " lateral pgthreads.append_thread(t.owner, %s, %s) as a",
        (owner, key, Jsonb(list(messages))),
    ).fetchone()
    assert row
    return int(row[0])


def fill(dsn: str, threads: int = 3, messages: int = 20) -> None:
    """Give each of OWNERS some threads, one of them deleted."""
    with psycopg.connect(dsn, autocommit=True) as connection:
        for owner in OWNERS:
            for number in range(threads):
                for place in range(messages):
                    text = f'{place}: é ❤ \\ " 1e3 ' + "x" * 50 * place
                    role = "assistant" if place % 2 else "user"
                    append(connection, owner, f"old{number}", message(f"m{place}", role, text))
            connection.execute(
                "select pgthreads.soft_delete_thread(t.owner, 'old0')"
                " from pgthreads.set_tenant(%s) as t(owner)",
                [owner],
            )


def chains(dsn: str) -> dict[tuple[str, str], Chain]:
    """Return every thread's messages, read by a superuser; fails if a chain does not fit.

    This recomputes the digests itself, without a function of the schema. The digest of a message is
    the sha256 over the digest before it and its stored bytes; the thread's row has the last one.
    """
    with psycopg.connect(dsn, autocommit=True) as connection:
        # One statement, so that it sees one moment of a database in use.
        rows = connection.execute(
            """
            select t.owner_user_id, t.state_key, t.message_count, t.head_digest,
              m.seq, m.message_id, m.message::text, m.digest
            from pgthreads.thread as t
            left join pgthreads.message as m using (owner_user_id, state_key)
            order by t.owner_user_id, t.state_key, m.seq
            """
        ).fetchall()
    found: dict[tuple[str, str], Chain] = {}
    heads: dict[tuple[str, str], tuple[int, bytes]] = {}
    for owner, key, count, head, *body in rows:
        heads[owner, key] = (count, head)
        chain = found.setdefault((owner, key), [])
        if body[0] is not None:
            chain.append((body[0], body[1], body[2], body[3]))
    for name, chain in found.items():
        digest = b""
        for place, (seq, message_id, text, stored) in enumerate(chain, 1):
            digest = hashlib.sha256(digest + text.encode()).digest()
            assert (seq, stored) == (place, digest), (name, message_id)
        assert heads[name] == (len(chain), digest), name
        assert len({message_id for _, message_id, _, _ in chain}) == len(chain), name
    return found


def assert_grown(before: dict[tuple[str, str], Chain], after: dict[tuple[str, str], Chain]) -> None:
    """Fail unless each thread of `before` is the beginning of the same thread of `after`."""
    for name, chain in before.items():
        assert after[name][: len(chain)] == chain, name


def verify_by_schema(database: Database) -> int:
    """Verify every thread by verify_thread; return how many fit."""
    names = chains(database.admin_dsn)
    with psycopg.connect(database.maintenance_dsn, autocommit=True) as connection:
        for name in names:
            rows = connection.execute("select * from pgthreads.verify_thread(%s, %s)", name)
            assert [row[0] for row in rows] == [True], name
    return len(names)
