"""What is committed, read by an administrator, and clocks that an administrator can change."""

from __future__ import annotations

from typing import Any

import psycopg

from tests.properties.world import Given, Message, OpenAnswer, Queue, Thread, Turn

_THREADS = """
select t.owner_user_id, t.state_key, t.updated_at, t.title, t.metadata, t.deleted_at is not null,
  t.archived_at is not null, t.message_count,
  coalesce((
    select json_agg(json_build_array(m.message_id, m.message, m.parent_seq, m.seq) order by m.seq)
    from pgthreads.message as m
    where m.owner_user_id = t.owner_user_id and m.state_key = t.state_key
  ), '[]')
from pgthreads.thread as t
where t.owner_user_id = any (%s)
"""

_TURNS = """
select n.owner_user_id, n.state_key, n.turn_id, n.user_seq, n.begun_count, n.status,
  n.lease_until > clock_timestamp(), n.stop_requested_at is not null, n.assistant_message_id,
  n.usage, n.error_code, n.continues
from pgthreads.turn as n
where n.owner_user_id = any (%s)
"""

_TICKETS = """
select q.owner_user_id, q.state_key, q.message_id, q.expires_at > clock_timestamp()
from pgthreads.queued_turn as q
where q.owner_user_id = any (%s)
order by q.owner_user_id, q.state_key, q.ticket
"""

Rows = tuple[
    dict[tuple[str, ...], tuple[Any, Thread]],
    dict[tuple[str, ...], Turn],
    dict[tuple[str, ...], Queue],
]


def stored_rows(admin: psycopg.Connection[Any], owners: list[str]) -> Rows:
    """Return the owners' threads with the time of their last append, turns, and tickets."""
    threads: dict[tuple[str, ...], tuple[Any, Thread]] = {}
    for owner, key, stamp, title, metadata, deleted, archived, number, rows in admin.execute(
        _THREADS, (owners,)
    ):
        assert [row[3] for row in rows] == list(range(1, number + 1))
        messages = tuple(
            Message(message_id, body, seq - 1 if parent is None else parent)
            for message_id, body, parent, seq in rows
        )
        threads[owner, key] = stamp, Thread(messages, title, metadata, deleted, archived)
    turns = {tuple(row[:3]): Turn(*row[3:]) for row in admin.execute(_TURNS, (owners,))}
    queues: dict[tuple[str, ...], Queue] = {}
    for owner, key, message_id, live in admin.execute(_TICKETS, (owners,)):
        before = queues.get((owner, key), Queue())
        queues[owner, key] = Queue((*before.tickets, (message_id, live)))
    return threads, turns, queues


def stored_journals(
    admin: psycopg.Connection[Any], owners: list[str]
) -> dict[tuple[str, ...], str]:
    """Return what the journals of the owners' running turns hold."""
    rows = admin.execute(
        "select n.owner_user_id, n.state_key, n.turn_id,"
        " string_agg(j.frames, '' order by j.start_offset)"
        " from pgthreads.turn as n join pgthreads.journal as j"
        " using (owner_user_id, state_key, turn_id)"
        " where n.owner_user_id = any (%s) and n.status = 'running' group by 1, 2, 3",
        (owners,),
    )
    return {tuple(row[:3]): row[3] for row in rows}


def stored_late_answers(
    admin: psycopg.Connection[Any], owners: list[str]
) -> dict[tuple[str, ...], tuple[str, str]]:
    """Return message and reason of the owners' late answers."""
    rows = admin.execute(
        "select l.owner_user_id, l.state_key, l.turn_id, l.message, l.reason"
        " from pgthreads.late_answer as l where l.owner_user_id = any (%s)",
        (owners,),
    )
    return {tuple(row[:3]): (row[3], row[4]) for row in rows}


def stored_open_answers(
    admin: psycopg.Connection[Any], owners: list[str]
) -> dict[tuple[str, ...], OpenAnswer]:
    """Return the owners' open answers; each is one that its thread's header knows of."""
    rows = admin.execute(
        "select coalesce(o.owner_user_id, t.owner_user_id), coalesce(o.state_key, t.state_key),"
        " t.open_since, o.turn_id, o.user_seq, o.message_id, o.message, o.calls, o.continued_by"
        " from pgthreads.open_answer as o full join pgthreads.thread as t"
        " on t.owner_user_id = o.owner_user_id and t.state_key = o.state_key"
        " where (o.turn_id is not null or t.open_since is not null)"
        " and coalesce(o.owner_user_id, t.owner_user_id) = any (%s)",
        (owners,),
    )
    found: dict[tuple[str, ...], OpenAnswer] = {}
    for owner, key, since, turn_id, user_seq, message_id, body, calls, by in rows:
        assert since is not None
        assert turn_id is not None
        kinds = tuple((call["toolCallId"], call["kind"]) for call in calls)
        found[owner, key] = OpenAnswer(turn_id, user_seq, message_id, body, kinds, by)
    return found


def stored_responses(
    admin: psycopg.Connection[Any], owners: list[str]
) -> dict[tuple[str, ...], Given]:
    """Return the responses of the owners, by answer."""
    rows = admin.execute(
        "select r.owner_user_id, r.state_key, r.message_id,"
        " jsonb_object_agg(r.tool_call_id, r.response)"
        " from pgthreads.tool_response as r where r.owner_user_id = any (%s) group by 1, 2, 3",
        (owners,),
    )
    return {tuple(row[:3]): Given(row[3]) for row in rows}


def expire_leases(admin: psycopg.Connection[Any], owner: str, key: str) -> list[str]:
    """End the lease of the thread's running turn, if nobody holds its row; return its id."""
    rows = admin.execute(
        "update pgthreads.turn as n set lease_until = clock_timestamp() - interval '1 hour'"
        " where (n.owner_user_id, n.state_key, n.turn_id) in ("
        " select r.owner_user_id, r.state_key, r.turn_id from pgthreads.turn as r"
        " where r.owner_user_id = %s and r.state_key = %s and r.status = 'running'"
        " for update skip locked) returning n.turn_id",
        (owner, key),
    )
    return [turn_id for (turn_id,) in rows]


def expire_tickets(admin: psycopg.Connection[Any], owner: str, key: str) -> list[str]:
    """Expire the tickets of a thread that nobody holds; return their message ids."""
    rows = admin.execute(
        "update pgthreads.queued_turn as q set expires_at = clock_timestamp() - interval '1 hour'"
        " where (q.owner_user_id, q.state_key, q.message_id) in ("
        " select r.owner_user_id, r.state_key, r.message_id from pgthreads.queued_turn as r"
        " where r.owner_user_id = %s and r.state_key = %s for update skip locked)"
        " returning q.message_id",
        (owner, key),
    )
    return [message_id for (message_id,) in rows]


def keep_tickets(admin: psycopg.Connection[Any]) -> None:
    """Let no ticket end by itself, because it must not matter how long a step takes."""
    admin.execute(
        "update pgthreads.queued_turn as q set expires_at = clock_timestamp() + interval '1 day'"
        " where (q.owner_user_id, q.state_key, q.message_id) in ("
        " select r.owner_user_id, r.state_key, r.message_id from pgthreads.queued_turn as r"
        " where r.expires_at between clock_timestamp() and clock_timestamp() + interval '1 hour'"
        " for update skip locked)"
    )
