"""When each message was stored and what its turn was like, for pages that ask for it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import pytest

from pgthreads.events import (
    Done,
    MessageMetadata,
    TextDelta,
    ToolApprovalRequest,
    ToolCallResult,
    ToolCallStart,
    UsageReport,
)
from tests.server.service import CHAT, THREADS, Service, running_service, says

USAGE = {"input_tokens": 3, "model": "test:one"}


@pytest.fixture
async def service(server_dsn: str, admin_dsn: str) -> AsyncIterator[Service]:
    async with running_service(server_dsn, admin_dsn) as running:
        running.executor.script = says(
            UsageReport(USAGE),
            MessageMetadata({"pgthreads": {"status": "forged"}, "mine": 1}),
            TextDelta("Yes."),
            Done(),
        )
        yield running


async def details_of(service: Service, key: str, query: str = "") -> tuple[list[Any], str]:
    path = f"{THREADS}/{key}?details=true{query}"
    async with await service.get(path) as response:
        assert response.status == 200, await response.text()
        return (await response.json())["messages"], response.headers["ETag"]


async def test_each_message_has_its_details(service: Service) -> None:
    await service.chat("seen", "Well?")
    [question, answer], _ = await details_of(service, "seen")
    assert list(question["metadata"]) == ["pgthreads"]
    assert list(question["metadata"]["pgthreads"]) == ["createdAt"]
    known = answer["metadata"].pop("pgthreads")
    assert answer["metadata"] == {"mine": 1}
    assert datetime.fromisoformat(known.pop("createdAt")).tzinfo is not None
    assert known.pop("durationMs") >= 0
    assert known == {"status": "completed", "model": "test:one"}
    del question["metadata"]
    assert [question, answer] == await service.messages("seen")
    service.rows("update pgthreads.config set show_usage = true")
    [_, answer], _ = await details_of(service, "seen")
    assert answer["metadata"]["pgthreads"]["usage"] == {"input_tokens": 3}


async def test_the_tag_covers_the_details(service: Service) -> None:
    await service.chat("tag", "Well?")
    path = f"{THREADS}/tag"
    async with await service.get(path) as response:
        plain = response.headers["ETag"]
    _, tag = await details_of(service, "tag")
    _, window = await details_of(service, "tag", "&last=1")
    assert len({plain, tag, window}) == 3
    for known, status in ((tag, 304), (plain, 200), (f"{plain}, {tag}", 304), ("*", 304)):
        headers = {"If-None-Match": known}
        async with await service.get(f"{path}?details=true", headers=headers) as response:
            assert response.status == status
            assert response.headers["ETag"] == tag
    service.rows("delete from pgthreads.turn where state_key = 'tag'")
    headers = {"If-None-Match": tag}
    async with await service.get(f"{path}?details=true", headers=headers) as response:
        assert response.status == 200
        assert response.headers["ETag"] != tag
    async with await service.get(f"{path}?details=false", headers=headers) as response:
        assert response.headers["ETag"] == plain


@pytest.mark.parametrize("wrong", ["", "1", "TRUE", "yes"])
async def test_details_are_asked_for_in_one_way(service: Service, wrong: str) -> None:
    async with await service.get(f"{THREADS}/any?details={wrong}") as response:
        assert (response.status, (await response.json())["code"]) == (400, "bad_request")


async def test_a_page_sends_back_what_it_has_read(service: Service) -> None:
    await service.chat("back", "Well?")
    shown, _ = await details_of(service, "back")
    # Another question behind them, the same one for another answer, and an edited one.
    more = {"id": "more", "role": "user", "parts": [{"type": "text", "text": "More?"}]}
    async with await service.post(CHAT, {"id": "back", "messages": [*shown, more]}) as response:
        assert response.status == 200
        await response.read()
    stored = await service.messages("back")
    assert len(stored) == 4
    shown, _ = await details_of(service, "back")
    again = {"trigger": "regenerate-message", "messageId": shown[3]["id"], "messages": shown[:3]}
    async with await service.post(CHAT, {"id": "back", **again}) as response:
        assert response.status == 200
        await response.read()
    regenerated = await service.messages("back")
    assert regenerated[:3] == stored[:3]
    assert regenerated[3]["id"] != stored[3]["id"]
    shown, _ = await details_of(service, "back")
    edited = {**shown[2], "parts": [{"type": "text", "text": "Another?"}]}
    body = {
        "trigger": "submit-message",
        "messageId": edited["id"],
        "messages": [*shown[:2], edited],
    }
    async with await service.post(CHAT, {"id": "back", **body}) as response:
        assert response.status == 200
        await response.read()
    texts = service.rows("select message::text from pgthreads.message where state_key = 'back'")
    assert len(texts) == 7
    assert not [text for (text,) in texts if "pgthreads" in text]


async def test_a_question_is_sent_again_with_its_details(service: Service) -> None:
    await service.chat("twice", "Well?")
    [question, answer], _ = await details_of(service, "twice")
    async with await service.post(CHAT, {"id": "twice", "messages": [question]}) as response:
        assert answer["id"].encode() in await response.read()
    assert len(await service.messages("twice")) == 2


async def test_a_response_comes_with_details(service: Service) -> None:
    service.executor.script = says(
        ToolCallStart("c1", "pay", {}), ToolApprovalRequest("c1", "p1"), Done("tool-calls")
    )
    await service.chat("waits", "Pay.")
    service.executor.script = says(
        ToolCallResult("c1", "paid"), UsageReport(USAGE), TextDelta("Done."), Done()
    )
    [question, answer], waits = await details_of(service, "waits")
    assert answer["metadata"]["pgthreads"]["status"] == "waiting"
    [call] = [part for part in answer["parts"] if "toolCallId" in part]
    call |= {"state": "approval-responded", "approval": {"id": "p1", "approved": True}}
    body = {"id": "waits", "messages": [question, answer], "messageId": answer["id"]}
    async with await service.post(CHAT, body) as response:
        assert response.status == 200, await response.text()
        assert b"Done." in await response.read()
    [_, answer], ended = await details_of(service, "waits")
    assert answer["metadata"]["pgthreads"]["status"] == "completed"
    assert answer["metadata"]["pgthreads"]["model"] == "test:one"
    assert waits != ended
    assert "metadata" not in (await service.messages("waits"))[-1]
