"""Bad input in bulk: always a 4xx with a code, never a 5xx, nothing stored."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio
from yarl import URL

from tests.server.service import CHAT, THREADS, Service, running_service

TEXT = {"type": "text", "text": "hi"}
WRONG: list[Any] = [None, True, 0, -1, 1.5, "", "x", [], {}, [[]], [{}], {"a": 1}]


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def service(server_dsn: str, admin_dsn: str) -> AsyncIterator[Service]:
    async with running_service(server_dsn, admin_dsn) as running:
        yield running


pytestmark = pytest.mark.asyncio(loop_scope="module")


def message(**changes: Any) -> dict[str, Any]:
    return {"id": "u1", "role": "user", "parts": [TEXT]} | changes


def json_bodies() -> list[tuple[str, bytes]]:
    texts = {
        "empty": b"",
        "cut": b'{"message": "hi"',
        "not json": b"message=hi",
        "two values": b'{"message":"hi"}{}',
        "bad utf-8": b'{"message":"\xff\xfe"}',
        "utf-16": '{"message":"hi"}'.encode("utf-16"),
        "overlong nul": b'{"message":"\xc0\x80"}',
        "raw control": b'{"message":"a\x01b"}',
        "raw nul": b'{"message":"a\x00b"}',
        "nan": b'{"message":"hi","x":NaN}',
        "infinity": b'{"message":"hi","x":-Infinity}',
        "huge float": b'{"message":"hi","x":1e999}',
        "huge integer": b'{"message":"hi","x":' + b"9" * 10_000 + b"}",
        "array": b"[]",
        "string": b'"hi"',
        "null": b"null",
        "surrogate in key": rb'{"id":"\ud800","message":"x"}',
        "surrogate in role": rb'{"message":{"id":"a","role":"\ud800","parts":[]}}',
        "surrogate in type": (
            rb'{"message":{"id":"a","role":"user","parts":[{"type":"\ud800","text":"x"}]}}'
        ),
    }
    return list(texts.items())


def fields() -> list[tuple[str, dict[str, Any]]]:
    bodies: list[dict[str, Any]] = []
    for wrong in WRONG:
        if not isinstance(wrong, str):
            bodies += [{"message": message(id=wrong)}] if wrong is not None else []
            bodies.append({"message": message(parts=[{"type": "text", "text": wrong}])})
            bodies.append(
                {"message": message(parts=[{"type": "file", "url": wrong, "mediaType": "a/b"}])}
            )
            bodies.append(
                {"message": message(parts=[{"type": "file", "url": "data:,", "mediaType": wrong}])}
            )
        if wrong is not None and not isinstance(wrong, str):
            bodies.append(
                {
                    "message": message(
                        parts=[
                            {
                                "type": "file",
                                "url": "data:,",
                                "mediaType": "a/b",
                                "filename": wrong,
                            }
                        ]
                    )
                }
            )
        bodies.append({"message": message(role=wrong)})
        bodies.append({"message": message(parts=wrong)})
        bodies.append({"message": message(parts=[wrong, TEXT])}) if not isinstance(
            wrong, dict
        ) else bodies.append({"message": message(parts=[{"type": wrong}])})
        bodies.append({"messages": wrong})
        bodies.append({"messages": [wrong]})
        if wrong is not None and wrong != "x":
            bodies.append({"message": wrong})
    bodies += [
        {"message": message(id="x" * 257)},
        {"message": message(parts=[{"type": "file", "url": "nonsense", "mediaType": "a/b"}])},
        {"message": message(parts=[{"type": "file", "url": "http://", "mediaType": "a/b"}])},
        {"message": message(parts=[{"type": "file", "url": "file:///etc/x", "mediaType": "a/b"}])},
        {"message": message(parts=[{"type": "file", "url": "javascript:1", "mediaType": "a/b"}])},
        {"message": "hi", "model": 7},
        {"message": "hi", "model": "x" * 201},
        {"message": "hi", "onBusy": "wait"},
        {"message": "hi", "onBusy": ["enqueue"]},
    ]
    return [(f"{i} {json.dumps(body)[:60]}", body) for i, body in enumerate(bodies)]


BAD_KEYS: list[Any] = [
    "", "a b", "ä", "a/b", "a\n", "x" * 129, "a\r\nX-Evil: 1", "\x00", 7, [], {}, True, "..", "a.b",
]  # fmt: skip


async def refused(service: Service, response: Any, *statuses: int) -> None:
    async with response:
        assert 400 <= response.status < 500, await response.text()
        if statuses:
            assert response.status in statuses
        body = await response.json()
        assert set(body) == {"error", "code", "hint"}
        assert body["code"]
        assert "X-State-Key" in response.headers
    assert service.rows("select from pgthreads.thread") == []
    assert service.executor.requests == []


@pytest.mark.parametrize("body", [b for _, b in json_bodies()], ids=[n for n, _ in json_bodies()])
async def test_json(service: Service, body: bytes) -> None:
    response = await service.session.post(
        service.url + CHAT, data=body, headers={"Content-Type": "application/json"}
    )
    await refused(service, response, 400)


@pytest.mark.parametrize("levels", [59, 500, 3000, 100_000])
async def test_deep(service: Service, levels: int) -> None:
    deep = "[" * levels + "]" * levels
    parts = json.dumps([TEXT])
    body = f'{{"message":{{"role":"user","parts":{parts},"metadata":{{"a":{deep}}}}}}}'
    response = await service.session.post(
        service.url + CHAT, data=body, headers={"Content-Type": "application/json"}
    )
    assert "60 levels" in (await response.json())["hint"]
    await refused(service, response, 413)


@pytest.mark.parametrize("body", [b for _, b in fields()], ids=[n for n, _ in fields()])
async def test_fields(service: Service, body: dict[str, Any]) -> None:
    await refused(service, await service.post(CHAT, body), 400)


@pytest.mark.parametrize("key", BAD_KEYS, ids=repr)
@pytest.mark.parametrize("name", ["id", "stateKey"])
async def test_keys(service: Service, name: str, key: Any) -> None:
    await refused(service, await service.post(CHAT, {name: key, "message": "hi"}), 400)


@pytest.mark.parametrize(
    "key", ["a%20b", "%00", "x" * 129, "a%0d%0aX-Evil:%201", "%ff", "%c3%a4", "a.b"]
)
async def test_keys_in_paths(service: Service, key: str) -> None:
    for method, path, body in [
        ("GET", f"{THREADS}/{key}", None),
        ("PATCH", f"{THREADS}/{key}", {"title": "x"}),
        ("DELETE", f"{THREADS}/{key}", None),
        ("POST", f"{THREADS}/{key}/stop", None),
        ("GET", f"{CHAT}/{key}/stream", None),
    ]:
        url = URL(service.url + path, encoded=True)
        await refused(service, await service.session.request(method, url, json=body), 400)


async def test_bodies_beyond_the_limit(service: Service) -> None:
    await refused(service, await service.post(CHAT, {"message": "x" * 10_000_000}), 413)
    # Within the limit of a body, but above that of a message.
    await refused(service, await service.post(CHAT, {"message": "x" * 2_000_000}), 413)


async def test_other_media_types(service: Service) -> None:
    for kind in ("text/plain", "application/x-www-form-urlencoded", "multipart/form-data"):
        response = await service.session.post(
            service.url + CHAT, data=b'{"message":"hi"}', headers={"Content-Type": kind}
        )
        await refused(service, response, 415)


@pytest.mark.parametrize(
    "query",
    [
        "limit=0", "limit=201", "limit=x", "limit=-1", "limit=1.5", "limit=", "limit=99999999999",
        "limit=%D9%A1", "cursor=", "cursor=x", "cursor=1.a%20b", "cursor=%00",
        "cursor=" + "9" * 19 + ".k",
    ],
)  # fmt: skip
async def test_lists(service: Service, query: str) -> None:
    await refused(service, await service.get(f"{THREADS}?{query}"), 400)


@pytest.mark.parametrize("query", ["last=0", "last=x", "before=0", "before=-3", "last=3000000000"])
async def test_windows(service: Service, query: str) -> None:
    await refused(service, await service.get(f"{THREADS}/k?{query}"), 400)


@pytest.mark.parametrize(
    "body", [{}, {"title": 7}, {"metadata": []}, {"title": "\ud800"}, {"metadata": {"a": "\0"}}]
)
async def test_changes(service: Service, body: dict[str, Any]) -> None:
    response = await service.session.patch(f"{service.url}{THREADS}/k", json=body)
    await refused(service, response, 400, 404)


async def test_unknown_threads_and_routes(service: Service) -> None:
    patch = await service.session.patch(f"{service.url}{THREADS}/k", json={"title": "x"})
    await refused(service, patch, 404)
    await refused(service, await service.session.delete(f"{service.url}{THREADS}/k"), 404)
    await refused(service, await service.get(f"{THREADS}/k"), 404)
    await refused(service, await service.get("/api/v1/ai/nothing"), 404)
    await refused(service, await service.session.put(service.url + CHAT), 405)
