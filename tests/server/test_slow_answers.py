"""An answer that takes the database longer than a call may take.

It is kept as a late answer and not tried for ever, and other turns keep their heartbeats.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import psycopg
import pytest

from pgthreads.events import AiEvent, Done, ExecutorRequest, TextDelta
from tests.server.service import CHAT, Service, answers, body_of, chunks_of, running_service

Connection = psycopg.Connection[tuple[Any, ...]]
LEASE = 3


@pytest.fixture
def admin(connect: Callable[..., Connection], admin_dsn: str) -> Connection:
    admin = connect(admin_dsn)
    admin.execute("update pgthreads.config set lease = %s * interval '1 second'", (LEASE,))
    return admin


@pytest.fixture
async def service(
    server_dsn: str,
    admin_dsn: str,
    admin: Connection,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> AsyncIterator[Service]:
    monkeypatch.setattr("pgthreads.turns.store.RETRY_DELAYS", (0.1,))
    async with running_service(
        server_dsn,
        admin_dsn,
        statement_timeout=0.3,
        turn_pool_size=1,
        heartbeat=0.2,
        spool_dir=tmp_path / "spool",
    ) as running:
        yield running


def slow(admin: Connection, table: str, when: str) -> None:
    """Make an insert of these rows take longer than any call may."""
    admin.execute(
        f"""
        create or replace function public.take_long() returns trigger language plpgsql as
        'begin perform pg_sleep(60); return new; end';
        create or replace trigger takes_long before insert on pgthreads.{table}
        for each row when ({when}) execute function public.take_long();
        """
    )


async def test_an_answer_that_takes_too_long_is_kept_aside(
    service: Service, admin: Connection, tmp_path: Path
) -> None:
    slow(admin, "message", "new.message::text like '%costly%'")
    service.executor.script = answers("a costly answer")
    chunks = chunks_of(await service.chat("kept", "hi"))
    assert chunks[-1] == {"type": "error", "errorText": "The answer could not be stored."}
    assert admin.execute(
        "select n.status, n.error_code, l.reason, l.message::jsonb #>> '{parts,1,text}'"
        " from pgthreads.turn as n join pgthreads.late_answer as l using (state_key, turn_id)"
        " where n.state_key = 'kept'"
    ).fetchall() == [("failed", "answer_too_slow", "answer_too_slow", "a costly answer")]
    assert list((tmp_path / "spool").iterdir()) == []
    service.executor.script = answers("the next one")
    assert chunks_of(await service.chat("kept", "and now?"))[-1]["type"] == "finish"


async def test_one_that_cannot_even_be_kept_is_set_aside_on_disk(
    service: Service, admin: Connection, tmp_path: Path
) -> None:
    slow(admin, "message", "new.message::text like '%costly%'")
    slow(admin, "late_answer", "true")
    try:
        service.executor.script = answers("a costly answer")
        chunks = chunks_of(await service.chat("aside", "hi"))
        assert chunks[-1]["type"] == "error"
        (file,) = (tmp_path / "spool").iterdir()
        assert file.suffix == ".refused"
        assert admin.execute(
            "select status, error_code from pgthreads.turn where state_key = 'aside'"
        ).fetchall() == [("failed", "answer_too_slow")]
    finally:
        admin.execute("drop trigger takes_long on pgthreads.late_answer")


async def test_heartbeats_go_on_while_an_answer_holds_the_connection_of_turns(
    service: Service, admin: Connection
) -> None:
    slow(admin, "message", "new.message::text like '%costly%'")
    goes_on = asyncio.Event()

    async def script(request: ExecutorRequest) -> AsyncIterator[AiEvent]:
        if request.state_key == "waits":
            yield TextDelta("it takes ")
            await goes_on.wait()
            yield TextDelta("a while")
        else:
            yield TextDelta("a costly answer")
        yield Done()

    service.executor.script = script
    waiting = await service.post(CHAT, body_of("waits", "hi"))
    costly = [asyncio.create_task(service.chat(f"costly-{n}", "hi")) for n in range(3)]

    def lease_left() -> float:
        found = admin.execute(
            "select extract(epoch from min(lease_until) - clock_timestamp()) from pgthreads.turn"
            " where state_key = 'waits' and status = 'running'"
        ).fetchone()
        return float(found[0]) if found and found[0] is not None else -1.0

    least = float("inf")
    while not all(each.done() for each in costly):
        least = min(least, lease_left())
        await asyncio.sleep(0.1)
    assert least > LEASE / 2
    goes_on.set()
    assert chunks_of(await waiting.read())[-1]["type"] == "finish"
