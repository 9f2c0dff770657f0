"""Turns that end with an answer that waits: what is stored, and what the client is told."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest

from pgthreads.events import (
    AiEvent,
    Done,
    ExecutorRequest,
    TextDelta,
    ToolApprovalRequest,
    ToolCallResult,
    ToolCallStart,
    UsageReport,
)
from tests.server.service import (
    CHAT,
    THREADS,
    Script,
    Service,
    body_of,
    chunks_of,
    running_service,
    says,
    text_of,
)

ASKS: list[AiEvent] = [
    TextDelta("I would pay."),
    ToolCallStart("c1", "pay", {"eur": 5}),
    ToolCallStart("c2", "locate", {}, by_client=True),
    ToolApprovalRequest("c1", "p1"),
    UsageReport({"requests": 1}),
    Done("tool-calls"),
]


@pytest.fixture
async def service(server_dsn: str, admin_dsn: str) -> AsyncIterator[Service]:
    async with running_service(server_dsn, admin_dsn, heartbeat=0.1) as running:
        yield running


def open_answer(service: Service, key: str) -> list[tuple[Any, ...]]:
    return service.rows(
        "select message_id, turn_id, jsonb_path_query_array(calls, '$[*].toolCallId')"
        " from pgthreads.open_answer where state_key = %s",
        [key],
    )


async def states(service: Service, key: str) -> dict[str, str]:
    last = (await service.messages(key))[-1]
    return {part["toolCallId"]: part["state"] for part in last["parts"] if "toolCallId" in part}


async def test_the_stream_ends_cleanly_and_the_answer_is_kept(service: Service) -> None:
    service.executor.script = says(*ASKS)
    stream = chunks_of(await service.chat("waits", "hi", "u1"))
    assert [chunk["type"] for chunk in stream][-3:] == [
        "tool-approval-request",
        "finish-step",
        "finish",
    ]
    assert stream[-1]["finishReason"] == "tool-calls"
    [(status, usage, code, answer_id)] = service.turns("waits")
    assert (status, usage, code) == ("waiting", {"requests": 1}, None)
    assert [stream[0]["messageId"]] == [answer_id]
    assert [row[0] for row in open_answer(service, "waits")] == [answer_id]
    shown = await service.messages("waits")
    assert [each["id"] for each in shown] == ["u1", answer_id]
    assert await states(service, "waits") == {"c1": "approval-requested", "c2": "input-available"}
    # There is nothing to resume.
    async with await service.get(f"{CHAT}/waits/stream") as response:
        assert response.status == 204


async def test_the_answer_as_json(service: Service) -> None:
    service.executor.script = says(*ASKS)
    body = body_of("json", "hi", "u1")
    async with await service.post(CHAT, body, headers={"Accept": "application/json"}) as response:
        assert response.status == 200
        assert (await response.json()) == (await service.messages("json"))[-1]


async def test_an_executor_that_just_returns(service: Service) -> None:
    service.executor.script = says(ToolCallStart("c1", "locate", {}, by_client=True))
    assert chunks_of(await service.chat("returns", "hi"))[-1]["type"] == "finish"
    assert service.turns("returns")[0][0] == "waiting"


async def test_a_call_that_ended_does_not_wait(service: Service) -> None:
    start = ToolCallStart("c1", "locate", {}, by_client=True)
    service.executor.script = says(start, ToolCallResult("c1", "here"), Done())
    await service.chat("ended", "hi")
    assert service.turns("ended")[0][0] == "completed"


async def test_a_stop_does_not_wait(service: Service) -> None:
    reached = asyncio.Event()

    async def script(_: ExecutorRequest) -> AsyncIterator[AiEvent]:
        for event in ASKS[:-1]:
            yield event
        reached.set()
        await asyncio.sleep(60)

    service.executor.script = script
    response = await service.post(CHAT, body_of("stopped", "hi"))
    await reached.wait()
    assert (await service.post(f"{THREADS}/stopped/stop")).status == 202
    assert chunks_of(await response.read())[-1]["type"] == "finish"
    assert service.turns("stopped")[0][0] == "stopped"
    assert await states(service, "stopped") == {"c1": "output-denied", "c2": "output-error"}
    assert open_answer(service, "stopped") == []


async def test_a_stop_closes_what_waits(service: Service) -> None:
    service.executor.script = says(*ASKS)
    await service.chat("closed", "hi")
    assert (await service.post(f"{THREADS}/closed/stop")).status == 202
    assert await states(service, "closed") == {"c1": "output-denied", "c2": "output-error"}
    assert (await service.post(f"{THREADS}/closed/stop")).status == 404


async def test_the_list_says_what_waits(service: Service) -> None:
    service.executor.script = says(*ASKS)
    await service.chat("listed", "hi")
    async with await service.get(f"{THREADS}?limit=1") as response:
        [thread] = (await response.json())["threads"]
    assert (thread["stateKey"], thread["running"], thread["waiting"]) == ("listed", False, True)


async def test_an_answer_that_the_database_refuses_to_keep(service: Service) -> None:
    async def script(_: ExecutorRequest) -> AsyncIterator[AiEvent]:
        for event in ASKS[:-1]:
            yield event
        service.rows("update pgthreads.config set max_message_bytes = 10")
        yield ASKS[-1]

    service.executor.script = script
    try:
        assert chunks_of(await service.chat("refused", "hi"))[-1]["type"] == "error"
    finally:
        service.rows("update pgthreads.config set max_message_bytes = 1048576")
    assert service.turns("refused")[0][::2] == ("failed", "limit_exceeded")
    kept = service.rows("select reason from pgthreads.late_answer where state_key = 'refused'")
    assert kept == [("limit_exceeded",)]
    assert open_answer(service, "refused") == []


async def test_a_turn_that_was_taken_over_pauses_nothing(server_dsn: str, admin_dsn: str) -> None:
    async with running_service(server_dsn, admin_dsn, heartbeat=30) as service:
        reached, go_on = asyncio.Event(), asyncio.Event()

        async def script(_: ExecutorRequest) -> AsyncIterator[AiEvent]:
            for event in ASKS[:-1]:
                yield event
            reached.set()
            await go_on.wait()
            yield ASKS[-1]

        service.executor.script = script
        response = await service.post(CHAT, body_of("taken", "hi"))
        await reached.wait()
        service.rows(
            "update pgthreads.turn set lease_until = clock_timestamp() - interval '1 second'"
            " where state_key = 'taken'"
        )
        service.rows(
            "select b.outcome from pgthreads.set_tenant('dev') as t(owner),"
            " lateral pgthreads.begin_turn(t.owner, 'taken',"
            """ '{"id":"u2","role":"user","parts":[{"type":"text","text":"other"}]}', 'other')"""
            " as b"
        )
        go_on.set()
        assert chunks_of(await response.read())[-1]["type"] == "error"
        assert [turn[0] for turn in service.turns("taken")] == ["abandoned", "running"]
        assert open_answer(service, "taken") == []


UNASKED = "This page cannot ask for approvals, so these tools were not run: `pay`."


@pytest.mark.parametrize("said", [{"body": {"approvals": False}}, {"agent": "ai-sdk/5.0.92 x/1"}])
async def test_a_page_that_knows_no_approvals(service: Service, said: dict[str, Any]) -> None:
    key = f"old-{len(said.get('agent', ''))}"
    script: Script = says(
        ToolCallStart("c1", "pay", {}), ToolApprovalRequest("c1"), Done("tool-calls")
    )
    service.executor.script = script
    body = body_of(key, "hi") | said.get("body", {})
    headers = {"User-Agent": said["agent"]} if "agent" in said else {}
    async with await service.post(CHAT, body, headers=headers) as response:
        stream = chunks_of(await response.read())
    assert "tool-approval-request" not in {chunk["type"] for chunk in stream}
    assert stream[-1]["type"] == "finish"
    assert service.turns(key)[0][0] == "completed"
    last = (await service.messages(key))[-1]
    assert text_of(last) == UNASKED
    assert await states(service, key) == {"c1": "output-error"}


async def test_a_page_that_knows_no_approvals_still_runs_its_own_tools(service: Service) -> None:
    service.executor.script = says(*ASKS)
    async with await service.post(CHAT, body_of("both", "hi") | {"approvals": False}) as response:
        assert chunks_of(await response.read())[-1]["type"] == "finish"
    assert await states(service, "both") == {"c1": "output-error", "c2": "input-available"}
    assert service.turns("both")[0][0] == "waiting"


@pytest.mark.parametrize("approvals", [0, "no", [], {}])
async def test_approvals_is_a_boolean(service: Service, approvals: Any) -> None:
    body = body_of("bad", "hi") | {"approvals": approvals}
    async with await service.post(CHAT, body) as response:
        assert response.status == 400
        assert (await response.json())["code"] == "bad_request"
    assert service.turns("bad") == []
