"""Search over HTTP, with and without the optional part that searches messages."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import quote

import pytest

from pgthreads.postgres.migrate import migrate
from tests.database import Database
from tests.server.service import THREADS, Service, answers, running_service

SEARCH = "/api/v1/ai/search"


@pytest.fixture
async def service(server_dsn: str, admin_dsn: str) -> AsyncIterator[Service]:
    async with running_service(server_dsn, admin_dsn) as running:
        yield running


async def _found(service: Service, query: str, **more: Any) -> dict[str, Any]:
    rest = "".join(f"&{name}={value}" for name, value in more.items())
    async with await service.get(f"{SEARCH}?q={quote(query)}{rest}") as response:
        assert response.status == 200, await response.text()
        page: dict[str, Any] = await response.json()
        return page


def _keys(page: dict[str, Any]) -> list[str]:
    return [each["stateKey"] for each in page["threads"]]


async def test_titles_are_searched_without_the_optional_part(service: Service) -> None:
    for key, text in (("trip", "A trip to Turin"), ("bread", "Baking in Turin"), ("sums", "1+1")):
        await service.chat(key, text)
    page = await _found(service, "TURIN")
    assert page["searched"] == "titles"
    assert page["threads"][0] == {
        "stateKey": "bread",
        "title": "Baking in Turin",
        "messageCount": 2,
        "updatedAt": page["threads"][0]["updatedAt"],
        "hits": 1,
        "messageId": None,
        "role": None,
        "snippet": None,
    }
    assert _keys(page) == ["bread", "trip"]
    assert "nextOffset" not in page
    assert _keys(await _found(service, "turin trip")) == ["trip"]
    assert _keys(await _found(service, "hello")) == []
    first = await _found(service, "turin", limit=1)
    assert (_keys(first), first["nextOffset"]) == (["bread"], 1)
    assert _keys(await _found(service, "turin", limit=1, offset=1)) == ["trip"]
    async with service.session.patch(
        f"{service.url}{THREADS}/trip", json={"archived": True}
    ) as changed:
        assert changed.status == 200
    assert _keys(await _found(service, "turin")) == ["bread", "trip"]


async def test_bad_queries(service: Service) -> None:
    for query in (
        "",
        "?q=%00",
        "?q=" + "x" * 1001,
        "?q=x&limit=0",
        "?q=x&limit=101",
        "?q=x&limit=many",
        "?q=x&offset=10001",
        "?q=x&offset=-1",
        "?q=" + "+".join(f"w{number}" for number in range(21)),
    ):
        async with await service.get(SEARCH + query) as response:
            assert response.status == 400, query
            assert (await response.json())["code"] == "bad_request", query
    assert _keys(await _found(service, "")) == []


async def test_messages_are_searched_with_it(fresh_database: Callable[[], Database]) -> None:
    database = fresh_database()
    migrate(database.admin_dsn, optional=["search"])
    script = answers("Forty minutes, in a very hot oven.")
    async with running_service(database.server_dsn, database.admin_dsn, script) as service:
        await service.chat("bread", "How long do I bake a loaf?")
        page = await _found(service, "hot minutes")
        (found,) = page["threads"]
        assert page["searched"] == "messages"
        assert (found["stateKey"], found["role"], found["hits"]) == ("bread", "assistant", 1)
        assert found["snippet"] == "Forty **minutes**, in a very **hot** oven"
        assert found["messageId"] == (await service.messages("bread"))[1]["id"]
        assert _keys(await _found(service, '"oven hot"')) == []
        many = " ".join(f"w{number}" for number in range(21))
        assert _keys(await _found(service, many)) == []
