"""What a call costs the database in memory: nothing is printed before its size is known."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from tests.server.service import running_service

MEGABYTES = 150
"""More than PostgreSQL's own parser takes for a megabyte of these, and far less than a text."""

TENANT = "select pgthreads.set_tenant('ada')"
MESSAGE = (
    "jsonb_build_object('id', 'm', 'role', 'user', 'parts',"
    ' \'[{"type": "text", "text": "a"}]\'::jsonb, \'metadata\', %s::jsonb)'
)
CALLS = {
    "append_thread": f"pgthreads.append_thread('ada', 'new', jsonb_build_array({MESSAGE}))",
    "save_thread": f"pgthreads.save_thread('ada', 'k', jsonb_build_array({MESSAGE}))",
    "begin_turn": f"pgthreads.begin_turn('ada', 'new', {MESSAGE}, 't')",
    "keep_answer": f"pgthreads.keep_answer('ada', 'k', 't', {MESSAGE}, 'r')",
    "finish_turn": "pgthreads.finish_turn('ada', 'k', 't', 'completed', %s::jsonb)",
    "update_thread": "pgthreads.update_thread('ada', 'k', null, %s::jsonb)",
    "metadata": "pgthreads.append_thread('ada', 'k', '[]', p_metadata => %s::jsonb)",
}


def peak(connection: psycopg.Connection) -> int:
    """Return the most megabytes that the session's process has had."""
    status = Path(f"/proc/{connection.info.backend_pid}/status").read_text()
    return int(status.partition("VmHWM:")[2].split()[0]) // 1024


@pytest.mark.parametrize("number", ["1e300", "-1e-300", "0e-300", "0", "9e99999"])
def test_a_megabyte_of_numbers(server_dsn: str, number: str) -> None:
    """`1e300` is 8 bytes as jsonb and 301 as text: a megabyte of it was half a gigabyte."""
    numbers = f'{{"n": [{",".join([number] * (1_000_000 // (len(number) + 1)))}]}}'
    taken = {}
    with psycopg.connect(server_dsn, autocommit=True) as connection:
        connection.execute(TENANT)
        connection.execute(
            "select pgthreads.begin_turn(pgthreads.set_tenant('ada'), 'k', "
            + MESSAGE.replace("%s", "'1'")
            + ", 't')"
        )
    for name, call in CALLS.items():
        with psycopg.connect(server_dsn) as connection:
            if not Path(f"/proc/{connection.info.backend_pid}/status").exists():
                pytest.skip("the database runs on another machine")
            connection.execute(TENANT)
            before = peak(connection)
            with suppress(psycopg.errors.DatabaseError):
                connection.execute(f"select {call}", [numbers])
                # The answer that was refused is kept as a late answer.
                assert name == "keep_answer", name
            taken[name] = peak(connection) - before

    assert max(taken.values()) < MEGABYTES, taken


async def test_a_megabyte_of_numbers_over_http(server_dsn: str, admin_dsn: str) -> None:
    numbers = ",".join(["1e300"] * 150_000)
    body = f'{{"metadata": {{"n": [{numbers}]}}}}'
    headers = {"Content-Type": "application/json"}
    async with running_service(server_dsn, admin_dsn) as service:
        await service.chat("numbers", "hi")
        async with service.session.patch(
            f"{service.url}/api/v1/ai/threads/numbers", data=body, headers=headers
        ) as response:
            assert response.status == 413
            assert (await response.json())["code"] == "limit_exceeded"
