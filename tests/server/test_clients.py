"""Stock AI SDK clients chat through the server; the thread holds exactly what they saw."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from pgthreads.executors import OfflineExecutor
from tests.server.node_client import MAJORS, VERSIONS, SdkChecker, chat, comparable, missing
from tests.server.service import Service, running_service, text_of


@pytest.fixture(scope="module")
def checker() -> Iterator[SdkChecker]:
    assert missing() is None, missing()
    with SdkChecker() as running:
        yield running


@pytest.fixture
async def service(server_dsn: str, admin_dsn: str) -> AsyncIterator[Service]:
    async with running_service(
        server_dsn, admin_dsn, executor=OfflineExecutor(delay=0.002), heartbeat=0.2
    ) as running:
        yield running


async def saw_what_is_stored(
    service: Service, checker: SdkChecker, seen: dict[str, Any], key: str, version: str
) -> None:
    stored = await service.messages(key)
    assert [comparable(m, version) for m in seen["messages"]] == [
        comparable(m, version) for m in stored
    ]
    verdict = checker.validate(stored, version)
    assert verdict["valid"], verdict
    assert verdict["modelMessages"]


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_conversation(service: Service, checker: SdkChecker, version: str) -> None:
    key = f"conversation-{version}"
    steps = [
        {"prompt": text}
        for text in ("hello", "2+3*4", "1/0", "think about it", "time", "what did I say first?")
    ]
    seen = await chat(service.url, steps, version=version, chatId=key)
    assert seen["errors"] == []
    assert {r["stateKey"] for r in seen["responses"]} == {key}
    await saw_what_is_stored(service, checker, seen, key, version)
    assert "hello" in text_of(seen["messages"][-1])
    kinds = {part["type"] for m in seen["messages"] for part in m["parts"]}
    assert {"text", "reasoning", "dynamic-tool", "step-start"} <= kinds


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_failure(service: Service, checker: SdkChecker, version: str) -> None:
    key = f"failure-{version}"
    seen = await chat(service.url, [{"prompt": "fail"}], version=version, chatId=key)
    assert seen["status"] == "error"
    await saw_what_is_stored(service, checker, seen, key, version)


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_stop(service: Service, checker: SdkChecker, version: str) -> None:
    key = f"stop-{version}"
    seen = await chat(
        service.url,
        [{"prompt": "long 5000", "stopAfter": 10}, {"prompt": "and now?"}],
        version=version,
        chatId=key,
    )
    assert seen["messages"][1]["metadata"] == {"status": "stopped"}
    await saw_what_is_stored(service, checker, seen, key, version)


# Clients before 5.0.233 append a repeated stream to what they have.
@pytest.mark.parametrize("version", MAJORS)
async def test_leaving_and_resuming(service: Service, checker: SdkChecker, version: str) -> None:
    key = f"resume-{version}"
    seen = await chat(
        service.url,
        [{"prompt": "long 300", "abortAfter": 5}, {"resume": True}],
        version=version,
        chatId=key,
    )
    assert [r["status"] for r in seen["responses"]] == [200, 200]
    await saw_what_is_stored(service, checker, seen, key, version)
    assert len(text_of(seen["messages"][-1]).split()) >= 300


@pytest.mark.parametrize("version", VERSIONS)
async def test_leaving_and_sending_again(
    service: Service, checker: SdkChecker, version: str
) -> None:
    key = f"again-{version}"
    await chat(
        service.url,
        [{"prompt": "long 300", "messageId": "mine", "abortAfter": 5}],
        version=version,
        chatId=key,
    )
    seen = await chat(
        service.url, [{"prompt": "long 300", "messageId": "mine"}], version=version, chatId=key
    )
    await saw_what_is_stored(service, checker, seen, key, version)
    assert len(service.turns(key)) == 1


# The oldest client takes the end of the first stream for another message, so it leaves before.
@pytest.mark.parametrize("version", MAJORS)
async def test_sending_while_an_answer_streams(
    service: Service, checker: SdkChecker, version: str
) -> None:
    key = f"interrupt-{version}"
    seen = await chat(
        service.url,
        [{"prompt": "long 5000", "sendAfter": 12, "next": "1+1"}, {"prompt": "and now?"}],
        version=version,
        chatId=key,
        body={"onBusy": "interrupt"},
    )
    assert (seen["errors"], [r["status"] for r in seen["responses"]]) == ([], [200, 200, 200])
    assert seen["messages"][1]["metadata"] == {"status": "stopped"}
    await saw_what_is_stored(service, checker, seen, key, version)
    assert [m["role"] for m in seen["messages"]] == ["user", "assistant"] * 3


@pytest.mark.parametrize("version", VERSIONS)
async def test_leaving_an_answer_for_the_next_question(
    service: Service, checker: SdkChecker, version: str
) -> None:
    key = f"leave-{version}"
    seen = await chat(
        service.url,
        [{"prompt": "long 5000", "sendAfter": 12, "leave": True, "next": "1+1"}],
        version=version,
        chatId=key,
        body={"onBusy": "interrupt"},
    )
    assert seen["errors"] == []
    stored = await service.messages(key)
    assert [m["id"] for m in seen["messages"]] == [m["id"] for m in stored]
    assert text_of(stored[1]).startswith(text_of(seen["messages"][1]))
    seen["messages"][1] = stored[1]
    await saw_what_is_stored(service, checker, seen, key, version)


async def test_nothing_to_resume(service: Service) -> None:
    seen = await chat(service.url, [{"resume": True}], version="7", chatId="fresh")
    assert (seen["errors"], seen["messages"]) == ([], [])


@pytest.mark.parametrize("version", MAJORS)
async def test_regenerating_and_editing(
    service: Service, checker: SdkChecker, version: str
) -> None:
    key = f"branches-{version}"
    steps: list[dict[str, Any]] = [
        {"prompt": "1+1"},
        {"prompt": "time"},
        {"regenerate": True},
        {"regenerate": True, "index": 1},
        {"prompt": "2+2"},
        {"edit": 2, "prompt": "3+3"},
        {"regenerate": True},
        {"prompt": "what did I say last?"},
    ]
    seen = await chat(service.url, steps, version=version, chatId=key)
    assert seen["errors"] == []
    stored = await service.messages(key)
    # The page keeps the id of the message that it edited; the thread has both, under two ids.
    for mine, theirs in zip(seen["messages"], stored, strict=True):
        said = {k: v for k, v in mine.items() if k != "messageId"}
        assert comparable(said | {"id": ""}) == comparable(theirs | {"id": ""})
        assert theirs["id"].partition("~")[0] == mine["id"]
    assert checker.validate(stored, version)["valid"]
    [(count,)] = service.rows(
        "select message_count from pgthreads.thread where state_key = %s", [key]
    )
    assert count == 4 + 1 + 1 + 2 + 2 + 1 + 2
    async with await service.get(f"/api/v1/ai/threads/{key}/branches") as response:
        branches = (await response.json())["branches"]
    assert [b["messageCount"] for b in branches] == [6, 4, 4, 4, 4]
    async with await service.get(
        f"/api/v1/ai/threads/{key}?leaf={branches[-1]['leafId']}"
    ) as response:
        first = (await response.json())["messages"]
    assert [text_of(m) for m in first[::2]] == ["1+1", "time"]
