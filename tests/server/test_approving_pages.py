"""Real pages of AI SDK 5, 6 and 7 that respond to answers that wait, against a whole server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from pgthreads.events import (
    AiEvent,
    Boundary,
    Done,
    ExecutorRequest,
    TextDelta,
    ToolApprovalRequest,
    ToolCallResult,
    ToolCallStart,
)
from pgthreads.http.app_keys import METRICS
from tests.server.node_client import VERSIONS, SdkChecker, chat, comparable, missing
from tests.server.service import Service, running_service, text_of

KNOW_APPROVALS = ("6", "7")
GIVEN: list[dict[str, Any]] = [
    {"id": "p1", "approved": True},
    {"id": "p2", "approved": False, "reason": "Too much."},
    {"id": "p3", "approved": True, "reason": "Fine."},
]
LOCATED = {"tool": "locate", "toolCallId": "c4", "output": {"city": "Rome"}}


@pytest.fixture(scope="module")
def sdk() -> Iterator[SdkChecker]:
    if reason := missing():
        pytest.fail(reason)
    with SdkChecker() as checker:
        yield checker


class Bot:
    """Asks for what the question names: `pay` three approvals, `locate` the page, `steps` two
    approvals in two steps. Goes on with the results; `go_on` holds it in the middle of that."""

    def __init__(self) -> None:
        self.requests: list[ExecutorRequest] = []
        self.go_on: asyncio.Event | None = None
        self.goes_on = asyncio.Event()

    async def __call__(self, request: ExecutorRequest) -> AsyncIterator[AiEvent]:
        self.requests.append(request)
        said = text_of(request.messages[-1])
        if request.answer is not None:
            for each in request.responses:
                if each.approved is not None:
                    yield ToolCallResult(each.tool_call_id, {"paid": each.approved})
            self.goes_on.set()
            if self.go_on is not None:
                await self.go_on.wait()
            yield TextDelta("Done with it.")
            yield Done()
            return
        yield TextDelta(f"You said {said}.")
        asks = []
        for number in (1, 2, 3) if "pay" in said else ():
            yield ToolCallStart(f"c{number}", "pay", {"eur": number})
            asks.append(ToolApprovalRequest(f"c{number}", f"p{number}"))
        if "locate" in said:
            yield ToolCallStart("c4", "locate", {}, by_client=True)
        if "steps" in said:
            yield ToolCallStart("c1", "pay", {})
            yield Boundary(step=True)
            yield ToolCallStart("c2", "pay", {})
            asks += [ToolApprovalRequest("c1", "p1"), ToolApprovalRequest("c2", "p2")]
        for ask in asks:
            yield ask
        yield Done("tool-calls")


@pytest.fixture
def bot() -> Bot:
    return Bot()


@pytest.fixture
async def service(server_dsn: str, admin_dsn: str, bot: Bot) -> AsyncIterator[Service]:
    async with running_service(server_dsn, admin_dsn, executor=bot, heartbeat=0.2) as running:
        yield running


def went_well(seen: dict[str, Any], requests: int) -> None:
    assert (seen["status"], seen["errors"]) == ("ready", [])
    assert [each["status"] for each in seen["responses"]] == [200] * requests


async def is_shown(service: Service, key: str, seen: dict[str, Any], version: str) -> None:
    stored = await service.messages(key)
    shown = [comparable(message, version) for message in seen["messages"]]
    assert shown[1:] == [comparable(message, version) for message in stored][1:]


def states(message: dict[str, Any]) -> dict[str, str]:
    return {part["toolCallId"]: part["state"] for part in message["parts"] if "toolCallId" in part}


@pytest.mark.parametrize("version", KNOW_APPROVALS)
async def test_three_calls_of_which_one_is_denied(
    service: Service, sdk: SdkChecker, bot: Bot, version: str
) -> None:
    key = f"pay-{version}"
    options: dict[str, Any] = {"version": version, "chatId": key, "auto": "approvals"}
    seen = await chat(service.url, [{"prompt": "pay"}, {"respond": GIVEN}], **options)
    went_well(seen, 2)
    await is_shown(service, key, seen, version)
    answer = seen["messages"][1]
    assert states(answer) == {
        "c1": "output-available",
        "c2": "output-denied",
        "c3": "output-available",
    }
    valid = sdk.validate(await service.messages(key), version)
    assert valid["valid"], valid
    assert "error" not in valid, valid
    # The next turn's prompt.
    seen = await chat(service.url, [{"prompt": "bye"}], messages=seen["messages"], **options)
    went_well(seen, 1)
    assert states(bot.requests[-1].messages[1]) == states(answer)
    denied = [p for p in bot.requests[-1].messages[1]["parts"] if p.get("toolCallId") == "c2"]
    assert denied[0]["approval"]["reason"] == "Too much."


@pytest.mark.parametrize("version", KNOW_APPROVALS)
async def test_a_reload_in_between(
    service: Service, sdk: SdkChecker, bot: Bot, version: str
) -> None:
    key = f"reload-{version}"
    options: dict[str, Any] = {"version": version, "chatId": key, "auto": "approvals"}
    went_well(await chat(service.url, [{"prompt": "pay"}, {"respond": GIVEN[:1]}], **options), 1)
    loaded = await service.messages(key)
    assert sdk.validate(loaded, version)["valid"]
    assert set(states(loaded[1]).values()) == {"approval-requested"}
    steps: list[dict[str, Any]] = [{"resume": True}, {"respond": GIVEN}]
    seen = await chat(service.url, steps, messages=loaded, **options)
    assert [each["status"] for each in seen["responses"]] == [204, 200]
    assert (seen["status"], seen["errors"]) == ("ready", [])
    await is_shown(service, key, seen, version)
    assert len(service.turns(key)) == 2


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_tool_of_the_page(service: Service, version: str) -> None:
    key = f"locate-{version}"
    options: dict[str, Any] = {"version": version, "chatId": key, "auto": "tools"}
    seen = await chat(service.url, [{"prompt": "locate"}, {"respond": [LOCATED]}], **options)
    went_well(seen, 2)
    await is_shown(service, key, seen, version)
    assert states(seen["messages"][1]) == {"c4": "output-available"}
    failed = {**LOCATED, "state": "output-error", "errorText": "There is no compass."}
    del failed["output"]
    options["chatId"] = f"{key}-failed"
    seen = await chat(service.url, [{"prompt": "locate"}, {"respond": [failed]}], **options)
    went_well(seen, 2)
    await is_shown(service, f"{key}-failed", seen, version)
    assert states(seen["messages"][1]) == {"c4": "output-error"}


@pytest.mark.parametrize("version", KNOW_APPROVALS)
async def test_approvals_and_a_tool_of_the_page(service: Service, version: str) -> None:
    key = f"both-{version}"
    options: dict[str, Any] = {"version": version, "chatId": key, "auto": "approvals"}
    given = [LOCATED, *GIVEN]
    seen = await chat(service.url, [{"prompt": "pay locate"}, {"respond": given}], **options)
    went_well(seen, 2)
    await is_shown(service, key, seen, version)
    assert set(states(seen["messages"][1]).values()) == {"output-available", "output-denied"}


@pytest.mark.parametrize("version", KNOW_APPROVALS)
async def test_what_is_sent_too_early_is_not_sent_again_and_again(
    service: Service, version: str
) -> None:
    key = f"steps-{version}"
    options: dict[str, Any] = {"version": version, "chatId": key, "auto": "approvals"}
    steps: list[dict[str, Any]] = [{"prompt": "steps"}, {"respond": [GIVEN[1]]}]
    seen = await chat(service.url, steps, **options)
    # The page takes the last step for complete; the server still waits for the one before.
    went_well(seen, 2)
    assert len(service.turns(key)) == 1
    steps = [{"respond": [GIVEN[0]]}, {"send": True}]
    seen = await chat(service.url, steps, messages=seen["messages"], **options)
    went_well(seen, 1)
    # An empty step is all that the page has more than the thread.
    parts = seen["messages"][1]["parts"]
    place = next(n for n, each in enumerate(parts) if parts[n : n + 2] == [each] * 2)
    del parts[place]
    await is_shown(service, key, seen, version)


@pytest.mark.parametrize("version", KNOW_APPROVALS)
async def test_two_tabs_and_a_page_that_resumes(service: Service, bot: Bot, version: str) -> None:
    key = f"tabs-{version}"
    options: dict[str, Any] = {"version": version, "chatId": key, "auto": "approvals"}
    first = await chat(service.url, [{"prompt": "pay"}], **options)
    bot.go_on = asyncio.Event()
    respond = [{"respond": GIVEN}]
    tabs = [
        asyncio.create_task(chat(service.url, respond, messages=first["messages"], **options))
        for _ in range(2)
    ]
    await bot.goes_on.wait()
    loaded = await service.messages(key)
    assert len(loaded) == 1
    resume = [{"resume": True}]
    tabs.append(asyncio.create_task(chat(service.url, resume, messages=loaded, **options)))
    metrics = service.app[METRICS]
    async with asyncio.timeout(60):
        while "pgthreads_streams_open 3.0" not in metrics.text().decode():  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    bot.go_on.set()
    seen = [await each for each in tabs]
    late = await chat(service.url, respond, messages=first["messages"], **options)
    for page in (*seen[:2], late):
        went_well(page, 1)
        await is_shown(service, key, page, version)
    went_well(seen[2], 1)
    # For a denial that a page did not give itself, there is no chunk that says the reason.
    for part in seen[2]["messages"][1]["parts"]:
        stored = next(
            e for e in late["messages"][1]["parts"] if e.get("toolCallId") == part.get("toolCallId")
        )
        if "approval" in part:
            part["approval"] = stored["approval"]
    await is_shown(service, key, seen[2], version)
    assert [turn[0] for turn in service.turns(key)] == ["waiting", "completed"]


@pytest.mark.parametrize("version", ["5-oldest", "5"])
async def test_a_page_that_knows_no_approvals(service: Service, version: str) -> None:
    key = f"old-{version}"
    options: dict[str, Any] = {"version": version, "chatId": key, "body": {"approvals": False}}
    if version == "5-oldest":
        # It names itself.
        del options["body"]
    seen = await chat(service.url, [{"prompt": "pay"}, {"prompt": "bye"}], **options)
    went_well(seen, 2)
    await is_shown(service, key, seen, version)
    text = "This page cannot ask for approvals, so these tools were not run: `pay`."
    assert text in text_of(seen["messages"][1])
    assert set(states(seen["messages"][1]).values()) == {"output-error"}


async def test_pages_that_say_nothing_where_none_can_ask(server_dsn: str, admin_dsn: str) -> None:
    options: dict[str, Any] = {"version": "5", "chatId": "silent"}
    async with running_service(
        server_dsn, admin_dsn, executor=Bot(), heartbeat=0.2, approvals=False
    ) as service:
        seen = await chat(service.url, [{"prompt": "pay"}], **options)
        went_well(seen, 1)
        assert "these tools were not run: `pay`" in text_of(seen["messages"][1])
        newer = {"version": "6", "chatId": "newer", "body": {"approvals": True}}
        seen = await chat(service.url, [{"prompt": "pay"}], **newer)
        assert "approval-requested" in states(seen["messages"][1]).values()
