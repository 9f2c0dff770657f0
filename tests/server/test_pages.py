"""What a page shows decides what is asked, and where: `messages`, `parentId`, `onStale`, …"""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from pgthreads.events import AiEvent, Done, Error, ExecutorRequest, TextDelta
from tests.server.service import CHAT, Service, chunks_of, running_service, text_of

JSON = {"accept": "application/json"}


def user(message_id: str, text: str) -> dict[str, Any]:
    return {"id": message_id, "role": "user", "parts": [{"type": "text", "text": text}]}


def shown(message_id: str) -> dict[str, Any]:
    """An answer as a page sends it; the server looks only at its id."""
    return {"id": message_id, "role": "assistant", "parts": [{"type": "text", "text": "forged"}]}


class Echo:
    """Repeats the whole prompt; a text that begins with `fail` fails the first time."""

    def __init__(self) -> None:
        self.failed: set[str] = set()

    async def __call__(self, request: ExecutorRequest) -> AsyncIterator[AiEvent]:
        said = [text_of(message) for message in request.messages]
        if said[-1].startswith("fail") and said[-1] not in self.failed:
            self.failed.add(said[-1])
            yield Error("model_down")
            return
        yield TextDelta(" / ".join(said))
        yield Done()


@pytest.fixture
async def service(server_dsn: str, admin_dsn: str) -> AsyncIterator[Service]:
    async with running_service(server_dsn, admin_dsn, executor=Echo()) as running:
        yield running


async def ask(service: Service, key: str, *messages: Any, **more: Any) -> tuple[int, Any]:
    """Send a page's messages; return the status, and the answer's text or the error's code."""
    body = {"id": key, "messages": list(messages), **more}
    async with await service.post(CHAT, body, headers=JSON) as response:
        answer: Any = await response.json() if response.status != 204 else None
        if response.status == 200:
            return 200, text_of(answer)
        return response.status, answer and answer["code"]


async def ids(service: Service, key: str) -> list[str]:
    return [message["id"] for message in await service.messages(key)]


async def test_a_retry_answers_what_the_page_shows_last(service: Service) -> None:
    assert await ask(service, "k", user("u1", "one")) == (200, "one")
    first = (await ids(service, "k"))[1]
    again = {"trigger": "regenerate-message"}
    assert await ask(service, "k", user("u1", "one"), shown(first), user("u2", "two"), **again) == (
        200,
        "one / one / two",
    )
    assert await ask(service, "k", user("u1", "one"), **again) == (200, "one")
    assert (await ids(service, "k"))[0] == "u1"
    assert len(await ids(service, "k")) == 2
    refused = await ask(service, "k", user("u3", "three"), messageId=first, **again)
    assert refused == (409, "stale_page")
    stored = await ids(service, "k")
    assert await ask(service, "k", user("u1", "one"), messageId=first, **again) == (200, "one")
    assert await ids(service, "k") == stored, "it was the repetition of the one before"


async def test_a_failed_edit_is_tried_again(service: Service) -> None:
    assert await ask(service, "e", user("u1", "one")) == (200, "one")
    edited = user("u1", "fail here")
    assert (await ask(service, "e", edited, messageId="u1", trigger="submit-message"))[0] == 502
    again = {"trigger": "regenerate-message"}
    assert await ask(service, "e", edited, **again) == (200, "fail here")
    assert await ask(service, "e", edited, messageId="never stored", **again) == (200, "fail here")
    assert await ask(service, "e", edited, messageId="u1", **again) == (200, "fail here")
    [(count,)] = service.rows("select message_count from pgthreads.thread where state_key = 'e'")
    assert count == 6


async def test_the_same_turn_twice(service: Service) -> None:
    """A request for another answer has no message id; its turn may have an id."""
    again = {"trigger": "regenerate-message"}
    for turn, turns in (("mine", 1), ("mine", 1), ("another", 2), ("another", 2)):
        assert await ask(service, "t", user("u1", "one"), turnId=turn, **again) == (200, "one")
        assert len(service.turns("t")) == turns


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({}, "one / one / two / one / one / two / three"),
        ({"onStale": "append"}, "one / one / two / one / one / two / three"),
        ({"onStale": "branch"}, "one / one / three"),
        ({"onStale": "reject"}, "stale_page"),
        ({"parentId": "a2"}, "one / one / two / one / one / two / three"),
        ({"parentId": "a1"}, "one / one / three"),
        ({"parentId": "a1", "onStale": "append"}, "one / one / three"),
        ({"parentId": "", "onStale": "reject"}, "three"),
        ({"parentId": "lost"}, "one / one / two / one / one / two / three"),
    ],
)
async def test_a_page_that_is_stale(service: Service, more: dict[str, str], expected: str) -> None:
    key = "stale-" + "-".join(more.values())
    assert await ask(service, key, user("u1", "one")) == (200, "one")
    assert await ask(service, key, user("u2", "two")) == (200, "one / one / two")
    known = dict(zip(("u1", "a1", "u2", "a2"), await ids(service, key), strict=True))
    if "parentId" in more:
        more = more | {"parentId": known.get(more["parentId"], more["parentId"])}
    page = [user("u1", "one"), shown(known["a1"]), user("u3", "three")]
    status, answer = await ask(service, key, *page, **more)
    assert answer == expected
    said = [text_of(message) for message in await service.messages(key)]
    assert said[-1] == (expected if status == 200 else "one / one / two")


async def test_what_says_nothing_of_the_page_goes_to_the_end(service: Service) -> None:
    strict = {"onStale": "branch"}
    assert await ask(service, "n", user("u1", "1"), **strict) == (200, "1")
    # A message alone, in both forms, and a message behind something without an id.
    assert await ask(service, "n", user("u2", "2"), **strict) == (200, "1 / 1 / 2")
    assert await ask(service, "n", message=user("u3", "3"), **strict) == (
        200,
        "1 / 1 / 2 / 1 / 1 / 2 / 3",
    )
    answer = await ask(service, "n", {"role": "assistant"}, user("u4", "4"), **strict)
    assert answer[1].endswith("3 / 4")
    answer = await ask(service, "n", 7, user("u5", "5"), **strict)
    assert answer[1].endswith("4 / 5")
    # The AI SDK's transport sends everything that its page shows, with a trigger.
    whole = {"trigger": "submit-message", **strict}
    assert await ask(service, "n", user("u6", "6"), **whole) == (200, "6")


async def test_the_server_has_a_policy_of_its_own(server_dsn: str, admin_dsn: str) -> None:
    async with running_service(server_dsn, admin_dsn, executor=Echo(), on_stale="reject") as strict:
        await ask(strict, "own", user("u1", "one"))
        first = (await ids(strict, "own"))[1]
        await ask(strict, "own", user("u2", "two"))
        page = [user("u1", "one"), shown(first), user("u3", "three")]
        assert await ask(strict, "own", *page) == (409, "stale_page")
        assert (await ask(strict, "own", *page, onStale="append"))[0] == 200


@pytest.mark.parametrize(
    "more",
    [
        {"onStale": "other"},
        {"onStale": ["branch"]},
        {"parentId": 7},
        {"parentId": "x" * 257},
        {"parentId": "a\0b"},
        {"turnId": ""},
        {"turnId": "x" * 129},
        {"turnId": {"a": 1}},
    ],
)
async def test_values_out_of_range(service: Service, more: dict[str, Any]) -> None:
    assert await ask(service, "bad", user("u1", "one"), **more) == (400, "bad_request")


@pytest.mark.parametrize("last", [7, None, "text", [], {}, {"role": 7}])
async def test_odd_things_among_the_messages(service: Service, last: Any) -> None:
    key = f"odd-{abs(hash(str(last)))}"
    assert await ask(service, key, user("u1", "one"), last, messageId="u1") == (200, "one")


async def test_an_answer_that_is_sent_back_asks_nothing(service: Service) -> None:
    assert await ask(service, "back", user("u1", "one")) == (200, "one")
    answer = (await ids(service, "back"))[1]
    page = [user("u1", "one"), shown(answer)]
    assert await ask(service, "back", *page, messageId=answer) == (200, "one")
    body = {"id": "back", "messages": page, "messageId": answer, "trigger": "submit-message"}
    async with await service.post(CHAT, body) as response:
        chunks = chunks_of(await response.read())
        assert response.headers["X-State-Key"] == "back"
    assert [chunk["type"] for chunk in chunks] == ["start", "finish"]
    assert chunks[0]["messageId"] == answer
    assert len(service.turns("back")) == 1
    # Without `messageId` the answer is only a client's claim, and the question counts.
    assert await ask(service, "back", *page) == (200, "one")
    assert len(service.turns("back")) == 1
