"""Connections that break around each statement of an answer that waits: nothing runs twice."""

from __future__ import annotations

import asyncio
import itertools
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import aiohttp
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from pgthreads.events import (
    AiEvent,
    Done,
    ExecutorRequest,
    TextDelta,
    ToolApprovalRequest,
    ToolCallResult,
    ToolCallStart,
)
from tests.faults.proxy import Proxy
from tests.faults.stream import Assembly
from tests.faults.taps import PostgresTap
from tests.server.service import CHAT, Service, running_service

KINDS = ("begin", "pause", "read", "respond", "finish")
FATES = ("before", "uncommitted", "after", "half")
_numbers = itertools.count(1)


class Tool:
    """An executor that asks whether it may pay, and counts how often it has paid."""

    def __init__(self) -> None:
        self.paid: Counter[str] = Counter()

    async def __call__(self, request: ExecutorRequest) -> AsyncIterator[AiEvent]:
        if request.answer is None:
            yield TextDelta("I would pay.")
            yield ToolCallStart("c1", "pay", {})
            yield ToolApprovalRequest("c1")
        else:
            self.paid[request.state_key] += 1
            yield ToolCallResult("c1", "paid")
            yield TextDelta("Paid.")
        yield Done()


class Once:
    """Lets the first statements of one kind end badly: `times` of them."""

    def __init__(self, kind: str, fate: str, times: int) -> None:
        self.kind, self.fate, self.left = kind, fate, times

    def __call__(self, kind: str, key: str) -> str | float | None:
        if kind != self.kind or not self.left:
            return None
        self.left -= 1
        return self.fate


async def until_complete(service: Service, body: dict[str, Any], known: Any = None) -> Any:
    """Send a request again and again, as clients do, until its stream is complete."""
    async with asyncio.timeout(60):
        while True:
            assembly = Assembly(known)
            try:
                async with await service.post(CHAT, body) as response:
                    if response.status == 200:
                        async for data in response.content.iter_any():
                            assembly.feed(data)
                    else:
                        assert response.status == 503, await response.text()
            except aiohttp.ClientError:
                continue
            if assembly.is_complete:
                return assembly.message
            await asyncio.sleep(0.1)


# A call whose connection broke is sent once more. So the second time, the caller gets to know.
@pytest.mark.parametrize("times", [1, 2])
@pytest.mark.parametrize("fate", FATES)
@pytest.mark.parametrize("kind", KINDS)
async def test_a_connection_breaks(
    server_dsn: str, admin_dsn: str, kind: str, fate: str, times: int
) -> None:
    key = f"chat-{next(_numbers)}"
    choose = Once(kind, fate, times)
    target = conninfo_to_dict(server_dsn)
    proxy = Proxy(str(target["host"]), int(target["port"] or 5432), lambda: PostgresTap(choose))
    await proxy.start()
    tool = Tool()
    dsn = make_conninfo(server_dsn, port=proxy.port, sslmode="disable", gssencmode="disable")
    try:
        async with running_service(dsn, admin_dsn, tool, heartbeat=0.2) as service:
            question = {"id": "u1", "role": "user", "parts": [{"type": "text", "text": "Pay."}]}
            answer = await until_complete(service, {"id": key, "message": question})
            [call] = [part for part in answer["parts"] if "toolCallId" in part]
            assert call["state"] == "approval-requested"
            call.update(state="approval-responded", approval={"id": "c1", "approved": True})
            body = {"id": key, "messages": [question, answer], "messageId": answer["id"]}
            whole = await until_complete(service, body, answer)
            await service.idle()
            assert choose.left == 0
            assert tool.paid[key] == 1
            messages = await service.messages(key)
            assert [each["id"] for each in messages] == ["u1", answer["id"]]
            assert messages[1] == whole
            turns = [turn[0] for turn in service.turns(key) if turn[2] != "begin_lost"]
            assert turns == ["waiting", "completed"]
            assert service.rows(
                "select count(*) from pgthreads.tool_response where state_key = %s", [key]
            ) == [(1,)]
    finally:
        await proxy.stop()
