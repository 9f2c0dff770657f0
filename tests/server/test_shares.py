"""Links to threads: who makes them, what they show, and what ends them."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.properties.tenants import ANN, BEA, JWT, as_user
from tests.server.service import CHAT, THREADS, Service, body_of, running_service

SHARED = "/api/v1/ai/shared"


@pytest.fixture
async def service(server_dsn: str, admin_dsn: str) -> AsyncIterator[Service]:
    async with running_service(server_dsn, admin_dsn, **JWT) as running:
        yield running


async def _ask(service: Service, key: str, text: str, user: str = ANN) -> None:
    async with await service.post(CHAT, body_of(key, text), headers=as_user(user)) as response:
        assert response.status == 200, await response.text()
        await response.read()


async def _share(service: Service, key: str, body: Any = None, user: str = ANN) -> dict[str, Any]:
    path = f"{THREADS}/{key}/shares"
    async with await service.post(path, body or {}, headers=as_user(user)) as response:
        assert response.status == 201, await response.text()
        assert response.headers["Cache-Control"] == "no-store"
        share: dict[str, Any] = await response.json()
        return share


async def _opened(service: Service, token: str, query: str = "") -> dict[str, Any] | None:
    headers = {"Authorization": f"Share {token}"}
    async with await service.get(f"{SHARED}{query}", headers=headers) as response:
        if response.status == 404:
            assert (await response.json())["code"] == "share_not_found"
            return None
        assert response.status == 200, await response.text()
        assert response.headers["Cache-Control"] == "no-store"
        assert "noindex" in response.headers["X-Robots-Tag"]
        assert response.headers["Referrer-Policy"] == "no-referrer"
        shown: dict[str, Any] = await response.json()
        return shown


def _texts(shown: dict[str, Any] | None) -> list[str]:
    assert shown is not None
    return [part["text"] for each in shown["messages"] for part in each["parts"] if "text" in part]


async def test_a_link_shows_one_thread_as_it_was(service: Service) -> None:
    await _ask(service, "trip", "A trip to Turin")
    share = await _share(service, "trip")
    assert share.keys() == {"shareId", "title", "createdAt", "expiresAt", "token"}
    await _ask(service, "trip", "something private")
    shown = await _opened(service, share["token"])
    assert shown is not None
    assert shown.keys() == {"title", "sharedAt", "expiresAt", "messages"}
    assert shown["title"] == "A trip to Turin"
    assert _texts(shown) == ["A trip to Turin", "Hello."]
    assert [part for each in shown["messages"] for part in each] == ["id", "role", "parts"] * 2
    last = await _opened(service, share["token"], "?last=1")
    assert last is not None
    assert (_texts(last), last["before"]) == (["Hello."], 2)
    before = await _opened(service, share["token"], "?last=1&before=2")
    assert before is not None
    assert (_texts(before), "before" in before) == (["A trip to Turin"], False)


async def test_links_are_listed_and_revoked_by_their_owner(service: Service) -> None:
    await _ask(service, "listed", "hi")
    first = await _share(service, "listed", {"expiresIn": 60})
    second = await _share(service, "listed", {"shareId": "mine"})
    path = f"{THREADS}/listed/shares"
    async with await service.get(path, headers=as_user(ANN)) as response:
        text = await response.text()
        shares = (await response.json())["shares"]
    assert [each["shareId"] for each in shares] == ["mine", first["shareId"]]
    assert first["token"] not in text
    assert second["token"] not in text
    async with await service.get(path, headers=as_user(BEA)) as response:
        assert (await response.json())["shares"] == []
    url = f"{service.url}{path}/mine"
    async with service.session.delete(url, headers=as_user(BEA)) as response:
        assert (response.status, (await response.json())["code"]) == (404, "share_not_found")
    assert await _opened(service, second["token"]) is not None
    for _ in range(2):
        async with service.session.delete(url, headers=as_user(ANN)) as response:
            assert response.status == 204
    assert await _opened(service, second["token"]) is None
    assert await _opened(service, first["token"]) is not None
    again = await _share(service, "listed", {"shareId": first["shareId"]})
    assert await _opened(service, first["token"]) is None
    assert await _opened(service, again["token"]) is not None
    async with service.session.delete(
        f"{service.url}{THREADS}/listed", headers=as_user(ANN)
    ) as response:
        assert response.status == 204
    assert await _opened(service, again["token"]) is None


async def test_a_token_is_no_authentication(service: Service) -> None:
    await _ask(service, "kept", "hi")
    token = (await _share(service, "kept"))["token"]
    for scheme in ("Share", "Bearer"):
        headers = {"Authorization": f"{scheme} {token}"}
        for path in (THREADS, f"{THREADS}/kept", f"{THREADS}/kept/shares"):
            async with await service.get(path, headers=headers) as response:
                assert response.status == 401
        async with await service.post(CHAT, body_of("kept", "x"), headers=headers) as response:
            assert response.status == 401
    for authorization in ("", "Share", "Share ", f"Bearer {token}", token, "Share é"):
        async with await service.get(SHARED, headers={"Authorization": authorization}) as response:
            assert (response.status, (await response.json())["code"]) == (404, "share_not_found")
    async with await service.get(SHARED, headers=as_user(ANN)) as response:
        assert response.status == 404
    async with await service.get(f"{SHARED}?last=0", headers=headers) as response:
        assert response.status in (400, 404)


async def test_bad_requests_share_nothing(service: Service) -> None:
    await _ask(service, "bad", "hi")
    path = f"{THREADS}/bad/shares"
    times: list[Any] = [0, -1, 1.5, "60", [], 10**9, 10**12]
    bodies: list[Any] = [{"expiresIn": each} for each in times]
    bodies += [{"shareId": 1}, {"shareId": ""}, {"shareId": "x" * 129}, {"leafId": {}}, [], "x"]
    for body in bodies:
        async with await service.post(path, body, headers=as_user(ANN)) as response:
            assert response.status == 400, body
    for missing, body in ((f"{THREADS}/none/shares", {}), (path, {"leafId": "none"})):
        async with await service.post(missing, body, headers=as_user(ANN)) as response:
            assert (response.status, (await response.json())["code"]) == (404, "thread_not_found")
    assert service.rows("select count(*) from pgthreads.share where state_key = 'bad'") == [(0,)]


async def test_readers_are_limited_by_address(server_dsn: str, admin_dsn: str) -> None:
    async with running_service(server_dsn, admin_dsn, **{**JWT, "request_rate": 1}) as service:
        statuses = []
        for _ in range(8):
            async with await service.get(SHARED, headers={"Authorization": "Share x"}) as response:
                statuses.append(response.status)
        assert 429 in statuses
        assert statuses[0] == 404
        async with await service.get(THREADS, headers=as_user(ANN)) as response:
            assert response.status == 200
