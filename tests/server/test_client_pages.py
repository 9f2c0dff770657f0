"""Stock AI SDK pages that fail, retry, edit, stop and reload: the prompt is what they show."""

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
    ToolCallResult,
    ToolCallStart,
)
from tests.server.node_client import VERSIONS, chat, missing
from tests.server.service import CHAT, Service, body_of, running_service, text_of

ENDS = (VERSIONS[0], VERSIONS[-1])
"""The oldest and the newest client, for tests in which those between do the same."""


@pytest.fixture(autouse=True, scope="module")
def node() -> None:
    if reason := missing():
        pytest.fail(reason)


class Bot:
    """Repeats its whole prompt; `fail once` fails at first, `slow` takes some time or waits for
    `go_on`, `tool` calls a tool."""

    def __init__(self) -> None:
        self.failed: set[str] = set()
        self.go_on: asyncio.Event | None = None

    async def __call__(self, request: ExecutorRequest) -> AsyncIterator[AiEvent]:
        said = [text_of(message) for message in request.messages]
        if said[-1].startswith("fail once") and said[-1] not in self.failed:
            self.failed.add(said[-1])
            raise RuntimeError("the model is away")
        if said[-1].startswith("slow"):
            for _ in range(40):
                yield TextDelta("w ")
                await asyncio.sleep(0.01)
            if self.go_on is not None:
                await self.go_on.wait()
        if said[-1] == "tool":
            yield ToolCallStart("c", "look", {})
            yield ToolCallResult("c", "found")
        else:
            yield TextDelta(" / ".join(said))
        yield Done()


@pytest.fixture
def bot() -> Bot:
    return Bot()


@pytest.fixture
async def service(server_dsn: str, admin_dsn: str, bot: Bot) -> AsyncIterator[Service]:
    async with running_service(server_dsn, admin_dsn, executor=bot, heartbeat=0.2) as running:
        yield running


def texts(messages: list[dict[str, Any]]) -> list[str]:
    return [text_of(message) for message in messages]


async def agrees(service: Service, key: str, seen: dict[str, Any]) -> list[str]:
    """The page's texts, which have to be those of the thread's newest branch."""
    shown = texts(seen["messages"])
    assert shown == texts(await service.messages(key))
    return shown


@pytest.mark.parametrize("version", ENDS)
async def test_a_retry_of_what_never_arrived(service: Service, version: str) -> None:
    key = f"away-{version}"
    steps: list[dict[str, Any]] = [
        {"prompt": "one"},
        {"prompt": "two", "offline": True},
        {"regenerate": True},
    ]
    seen = await chat(service.url, steps, version=version, chatId=key)
    assert await agrees(service, key, seen) == ["one", "one", "two", "one / one / two"]


@pytest.mark.parametrize("version", ENDS)
async def test_a_retry_of_an_edit_that_failed(service: Service, version: str) -> None:
    key = f"edit-{version}"
    steps: list[dict[str, Any]] = [
        {"prompt": "one"},
        {"edit": 0, "prompt": f"fail once {key}"},
        {"cut": 1, "regenerate": True},
        {"prompt": "on"},
    ]
    seen = await chat(service.url, steps, version=version, chatId=key)
    text = f"fail once {key}"
    assert await agrees(service, key, seen) == [text, text, "on", f"{text} / {text} / on"]


@pytest.mark.parametrize("version", ENDS)
async def test_an_edit_back_to_an_earlier_text(service: Service, version: str) -> None:
    key = f"back-{version}"
    steps: list[dict[str, Any]] = [
        {"prompt": "one"},
        {"edit": 0, "prompt": "two"},
        {"prompt": "on"},
        {"edit": 0, "prompt": "one"},
        {"edit": 0, "prompt": "two"},
        {"prompt": "on"},
    ]
    seen = await chat(service.url, steps, version=version, chatId=key)
    assert await agrees(service, key, seen) == ["two", "two", "on", "two / two / on"]


@pytest.mark.parametrize("version", ENDS)
async def test_an_edit_under_a_new_id(service: Service, version: str) -> None:
    """As assistant-ui edits: the message gets a new id, and nothing names the old one."""
    key = f"cut-{version}"
    steps: list[dict[str, Any]] = [
        {"prompt": "one"},
        {"prompt": "two"},
        {"cut": 2, "prompt": "zwei"},
        {"cut": 0, "prompt": "eins"},
        {"prompt": "drei"},
    ]
    seen = await chat(service.url, steps, version=version, chatId=key, body={"onStale": "branch"})
    assert await agrees(service, key, seen) == ["eins", "eins", "drei", "eins / eins / drei"]
    async with await service.get(f"/api/v1/ai/threads/{key}/branches") as response:
        branches = (await response.json())["branches"]
    assert [each["messageCount"] for each in branches] == [4, 4, 4]


@pytest.mark.parametrize("version", ENDS)
async def test_a_page_goes_on_from_an_older_branch(service: Service, version: str) -> None:
    key = f"older-{version}"
    first: list[dict[str, Any]] = [{"prompt": "one"}, {"edit": 0, "prompt": "two"}]
    await chat(service.url, first, version=version, chatId=key)
    async with await service.get(f"/api/v1/ai/threads/{key}/branches") as response:
        older = (await response.json())["branches"][1]["leafId"]
    async with await service.get(f"/api/v1/ai/threads/{key}?leaf={older}") as response:
        messages = (await response.json())["messages"]
    seen = await chat(
        service.url,
        [{"prompt": "on"}],
        version=version,
        chatId=key,
        messages=messages,
        body={"parentId": older},
    )
    assert await agrees(service, key, seen) == ["one", "one", "on", "one / one / on"]


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_reload_while_an_answer_is_given_anew(
    service: Service, bot: Bot, version: str
) -> None:
    key = f"reload-{version}"
    async with await service.post(CHAT, body_of(key, "slow", "q")) as response:
        await response.read()
    before = await service.messages(key)
    bot.go_on = asyncio.Event()
    body = {"id": key, "messages": before[:1], "trigger": "regenerate-message"}
    async with await service.post(CHAT, body) as response:
        stored = await service.messages(key)
        assert stored == before[:1]
        page = asyncio.create_task(
            chat(service.url, [{"resume": True}], version=version, chatId=key, messages=stored)
        )
        await both_read(service)
        bot.go_on.set()
        await response.read()
    seen = await page
    assert [each["role"] for each in seen["messages"]] == ["user", "assistant"]
    await agrees(service, key, seen)
    assert seen["messages"][1]["id"] != before[1]["id"]


async def both_read(service: Service) -> None:
    async with asyncio.timeout(30):
        while True:
            async with await service.get("/metrics") as response:
                if "pgthreads_streams_open 2.0" in (await response.text()).splitlines():
                    return
            await asyncio.sleep(0.05)


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_stop_and_another_answer(service: Service, version: str) -> None:
    key = f"stop-{version}"
    steps = [{"prompt": "slow", "sendAfter": 8, "leave": True, "again": True}]
    seen = await chat(service.url, steps, version=version, chatId=key, body={"onBusy": "interrupt"})
    assert [status for status, *_ in service.turns(key)] == ["stopped", "completed"]
    assert (await agrees(service, key, seen))[1].endswith("w slow")
    assert len(seen["messages"]) == 2


@pytest.mark.parametrize("version", VERSIONS)
async def test_an_answer_that_ends_with_a_tool_is_not_asked_for_again(
    service: Service, version: str
) -> None:
    key = f"tool-{version}"
    seen = await chat(service.url, [{"prompt": "tool"}], version=version, chatId=key, auto=True)
    assert (seen["status"], seen["errors"], len(seen["responses"])) == ("ready", [], 2)
    shown, stored = seen["messages"][1], (await service.messages(key))[1]
    # The page has only one thing more than the thread: an empty step.
    assert shown["parts"] == [*stored["parts"], {"type": "step-start"}]
    assert len(service.turns(key)) == 1
