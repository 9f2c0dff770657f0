"""The message that PostgreSQL stores for a turn equals what the client's stream said."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import psycopg
from hypothesis import given
from hypothesis import strategies as st

from pgthreads.events import AiEvent
from pgthreads.message.draft import Draft, EndStatus
from pgthreads.message.sanitize import Cleaner
from tests.server import ai_events


@ai_events.in_batches
@given(st.lists(st.tuples(ai_events.turns, ai_events.statuses), min_size=50, max_size=50))
def test_any_turn_s_message_is_accepted_and_comes_back_equal(
    server_dsn: str,
    connect: Callable[..., psycopg.Connection[tuple[Any, ...]]],
    turns: list[tuple[list[AiEvent], EndStatus]],
) -> None:
    messages = []
    for events, status in turns:
        clean, draft = Cleaner(), Draft("m1")
        for event in events:
            draft.take(clean(event))
        draft.close(status)
        messages.append(draft.message())
    # Python distinguishes 10**308 and 1e308; jsonb and JavaScript do not.
    sent = json.dumps(messages, ensure_ascii=False, allow_nan=False)
    rows = connect(server_dsn).execute(
        "select pgthreads.is_ui_message(m), m::text from jsonb_array_elements(%s::jsonb) as m",
        (sent,),
    )
    wanted = json.loads(sent, parse_int=float)
    for message, (accepted, stored) in zip(wanted, rows, strict=True):
        assert accepted, message
        assert json.loads(stored, parse_int=float) == message
