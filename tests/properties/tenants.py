"""Two users of one server, who use the same state keys, message ids and turn ids."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from itertools import count
from typing import Any

import psycopg

from pgthreads.events import (
    AiEvent,
    Done,
    ExecutorRequest,
    TextDelta,
    ToolCallResult,
    ToolCallStart,
)
from tests.server.service import CHAT, THREADS, Service, body_of
from tests.server.test_auth import SECRET, bearer, token

ANN, BEA = "ann", "bea"
MARKS = {ANN: "ofann7d1c", BEA: "ofbea9e42"}
"""A text that is in everything a user has stored, and that nobody else sends."""

SHARED, OWN_OF_BEA = "shared", "only-bea"
KEYS = (SHARED, OWN_OF_BEA)
BUSY = "busy"
"""The thread that `keep_busy` keeps busy, and the seconds that each of its turns takes."""
TURN_SECONDS = 0.3
# A few users who ask as often as many would.
FREE: dict[str, Any] = {"request_rate": 0.0, "fair_share": 0.0, "max_streams": 0}
JWT: dict[str, Any] = {"auth": "jwt", "jwt_secret": SECRET} | FREE

_ROWS = """
select json_agg(r order by r::text)::text
from (
  select to_json(t) as r from pgthreads.thread as t where t.owner_user_id = %(owner)s
  union all
  select to_json(m) from pgthreads.message as m where m.owner_user_id = %(owner)s
  union all
  select to_json(n) from pgthreads.turn as n where n.owner_user_id = %(owner)s
  union all
  select to_json(q) from pgthreads.queued_turn as q where q.owner_user_id = %(owner)s
  union all
  select to_json(l) from pgthreads.late_answer as l where l.owner_user_id = %(owner)s
  union all
  select to_json(h) from pgthreads.share as h where h.owner_user_id = %(owner)s
) as s
"""


def as_user(user: str) -> dict[str, str]:
    """The headers of a user's requests."""
    return bearer(token(user, exp=4102444800))


async def answer(request: ExecutorRequest) -> AsyncIterator[AiEvent]:
    """An executor whose answers contain the mark of the user whom they are for."""
    mark = MARKS[request.owner_user_id]
    yield ToolCallStart("call", "look", {"for": mark})
    yield ToolCallResult("call", [mark])
    yield TextDelta(f"An answer {mark}.")
    if request.state_key == BUSY:
        await asyncio.sleep(TURN_SECONDS)
    yield Done()


async def store_threads(service: Service, user: str) -> None:
    """Store the threads of a user: a question and its answer, a title and metadata."""
    for key in (SHARED, f"only-{user}"):
        async with await service.post(
            CHAT, body_of(key, f"A question {MARKS[user]}", "m1"), headers=as_user(user)
        ) as response:
            assert response.status == 200, await response.text()
            await response.read()
        async with service.session.patch(
            f"{service.url}{THREADS}/{key}",
            json={"title": f"A title {MARKS[user]}", "metadata": {"mark": MARKS[user]}},
            headers=as_user(user),
        ) as response:
            assert response.status == 200, await response.text()


async def keep_busy(service: Service) -> None:
    """Run one turn after the other in a thread of Ann's, whoever else writes there."""
    for number in count():
        body = body_of(BUSY, f"A question {MARKS[ANN]}", f"busy-{number}") | {"onBusy": "enqueue"}
        async with await service.post(CHAT, body, headers=as_user(ANN)) as response:
            # On a machine that is busy with other tests there may be no connection for it.
            assert response.status in {200, 409, 503}, await response.text()
            await response.read()


def rows_of(admin_dsn: str, user: str) -> str:
    """Return everything that is stored for a user."""
    with psycopg.connect(admin_dsn) as connection:
        row = connection.execute(_ROWS, {"owner": user}).fetchone()
    assert row is not None
    return str(row[0])


def assert_nothing_of(user: str, headers: Any, body: bytes) -> None:
    """Fail if a response holds anything of this user."""
    mark = MARKS[user]
    assert mark not in json.dumps(list(headers.items())), headers
    assert mark.encode() not in body, body
