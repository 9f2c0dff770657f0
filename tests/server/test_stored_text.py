"""Text that cannot be stored as it came, and what was stored before there were limits."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from pgthreads.postgres.nesting import MAX_LEVELS, loads
from tests.server.service import CHAT, THREADS, Service, body_of, running_service, text_of

ODD = {
    "nul": (r"page 1\u0000 page 2", "page 1\ufffd page 2"),
    "half an emoji": (r"cut \ud83d", "cut \ufffd"),
    "the other half": (r"\udE00 cut", "\ufffd cut"),
    "halves in the wrong order": (r"\ude00\ud83d", "\ufffd\ufffd"),
    "a whole one": (r"\ud83d\ude00", "\U0001f600"),
    "an escaped backslash": (r"\\u0000 and \\\u0000", "\\u0000 and \\\ufffd"),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service(server_dsn: str, admin_dsn: str) -> AsyncIterator[Service]:
    async with running_service(server_dsn, admin_dsn) as running:
        yield running


async def send(service: Service, method: str, path: str, body: str) -> Any:
    headers = {"Content-Type": "application/json", "Accept": "application/json"}
    async with service.session.request(
        method, service.url + path, data=body.encode(), headers=headers
    ) as response:
        assert response.status == 200, await response.text()
        return await response.json()


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(("escaped", "stored"), ODD.values(), ids=ODD)
async def test_what_postgresql_cannot_hold_is_replaced(
    service: Service, escaped: str, stored: str
) -> None:
    key = f"odd-{abs(hash(escaped))}"
    message = f'{{"id":"u{escaped}","role":"user","metadata":{{"k{escaped}":["{escaped}"]}},'
    message += f'"parts":[{{"type":"text","text":"{escaped}"}}]}}'
    await send(service, "POST", CHAT, f'{{"id":"{key}","message":{message}}}')
    # Sent again, it is the same message and not another one.
    await send(service, "POST", CHAT, f'{{"id":"{key}","message":{message}}}')

    user, _ = await service.messages(key)
    assert (user["id"], text_of(user)) == (f"u{stored}", stored)
    assert user["metadata"] == {f"k{stored}": [stored]}

    changes = f'{{"title":"t{escaped}","metadata":{{"k{escaped}":["{escaped}"]}}}}'
    changed = await send(service, "PATCH", f"{THREADS}/{key}", changes)
    assert changed["title"] == f"t{stored}"
    assert changed["metadata"] == {f"k{stored}": [stored]}


@pytest.mark.asyncio(loop_scope="module")
async def test_what_was_stored_deep_before_breaks_nothing(service: Service) -> None:
    """However deep it is, neither the list of threads nor the next turn fails."""
    await service.chat("deep", "hi", "u1")
    deep = "[" * 3000 + "]" * 3000
    for statement, value in (
        ("alter table pgthreads.message disable trigger user", []),
        (
            "update pgthreads.message set message = %s where state_key = 'deep' and seq = 2",
            [f'{{"id":"a","role":"assistant","parts":[{{"type":"data-x","data":{deep}}}]}}'],
        ),
        ("alter table pgthreads.message enable trigger user", []),
        ("update pgthreads.thread set metadata = %s where state_key = 'deep'", [f'{{"a":{deep}}}']),
    ):
        service.rows(statement, value)

    async with await service.get(THREADS) as response:
        assert response.status == 200
        assert deep in await response.text()
    async with await service.get(f"{THREADS}/deep") as response:
        assert response.status == 200
    async with await service.post(CHAT, body_of("deep", "and now?", "u2")) as response:
        assert response.status == 200
        await response.read()
    shown = service.executor.requests[-1].messages[1]["parts"][0]["data"]
    for _ in range(MAX_LEVELS - 4):
        shown = shown[0]
    assert shown.startswith("[[")
    assert shown.endswith("]]")


def test_flattening_changes_nothing_else() -> None:
    kept = '{"a": ["[", "\\\\", "\\"[{", {"b": [1.50, null, {}]}]}'
    deep = '{"d":' * 2000 + '"]}\\""' + "}" * 2000

    value = loads(f"[{kept}, {deep}, {kept}]".encode())

    assert value[0] == value[2] == json.loads(kept)
    inner = value[1]
    for _ in range(MAX_LEVELS - 1):
        inner = inner["d"]
    assert isinstance(inner, str)
    assert inner.startswith('{"d":{"d":')
    assert inner.endswith("}}")
