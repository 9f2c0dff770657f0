"""One user calls every route of the server with every name of another user's data."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from typing import Any

import pytest

from pgthreads.app import create_app
from pgthreads.events import AiEvent, Done, ExecutorRequest, TextDelta
from pgthreads.http import changes
from pgthreads.settings import Settings
from tests.properties.tenants import (
    ANN,
    BEA,
    JWT,
    MARKS,
    OWN_OF_BEA,
    SHARED,
    answer,
    as_user,
    assert_nothing_of,
    rows_of,
    store_threads,
)
from tests.server.service import CHAT, EVENTS, MODELS, THREADS, Service, body_of, running_service

RUNNING = "running-of-bea"
KEYS = (OWN_OF_BEA, SHARED, RUNNING)


@dataclass(frozen=True)
class Probe:
    """A request for each of the other user's keys; `KEY` stands for the key."""

    status: set[int]
    query: str = ""
    body: Any = None
    headers: dict[str, str] = field(default_factory=dict)


KEY = "KEY"
CURSOR, ETAG, TURN, SHARE = "CURSOR", "ETAG", "TURN", "SHARE"
"""What the other user has got: a page's cursor, an entity tag, the ids of a turn and of a link."""

MESSAGE = {"id": "m1", "role": "user", "parts": [{"type": "text", "text": "mine"}]}
READ = Probe({200, 204, 404})
PUBLIC = Probe({200, 403})
PROBES: dict[tuple[str, str], list[Probe]] = {
    ("POST", CHAT): [
        Probe({200, 409}, body={"id": KEY, "message": MESSAGE}),
        Probe({200, 409}, body={"stateKey": KEY, "message": MESSAGE | {"id": "m2"}}),
        Probe(
            {200, 409},
            body={"id": KEY, "message": MESSAGE, "onBusy": "interrupt"},
            headers={"Accept": "application/json"},
        ),
        Probe(
            {200, 400, 409},
            body={"id": KEY, "messages": [MESSAGE], "trigger": "regenerate-message"},
        ),
        Probe({200, 409}, body={"id": KEY, "message": MESSAGE | {"id": TURN}, "messageId": TURN}),
    ],
    ("GET", f"{CHAT}/{{state_key}}/stream"): [READ, Probe({200, 204}, f"?turn={TURN}")],
    ("GET", MODELS): [Probe({200})],
    ("GET", EVENTS): [Probe({200}), Probe({200}, headers={"Last-Event-ID": "1.0.1.0.1"})],
    ("GET", THREADS): [
        Probe({200}),
        Probe({200, 400}, f"?limit=1&cursor={CURSOR}"),
        Probe({200}, "?archived=all"),
        Probe({200, 400}, f"?owner={BEA}&owner_user_id={BEA}&cursor={KEY}"),
    ],
    ("GET", "/api/v1/ai/search"): [Probe({200}, f"?q={MARKS[BEA]}"), Probe({200}, f"?q={KEY}")],
    ("GET", f"{THREADS}/{{state_key}}"): [
        READ,
        Probe({200, 404}, "?last=1&before=2"),
        Probe({404, 400, 200}, "?leaf=m1"),
        # A 304 would reveal that the entity tag is the other user's.
        Probe({200, 404}, headers={"If-None-Match": ETAG}),
        Probe({200, 404}, headers={"X-User": BEA, "Cookie": f"user={BEA}"}),
    ],
    ("GET", f"{THREADS}/{{state_key}}/header"): [READ],
    ("GET", f"{THREADS}/{{state_key}}/export"): [READ, Probe({200, 404}, "?format=json&leaf=m1")],
    ("POST", f"{THREADS}/{{state_key}}/shares"): [
        Probe({201, 404}, body={}),
        Probe({201, 404}, body={"leafId": "m1", "shareId": SHARE}),
    ],
    ("GET", f"{THREADS}/{{state_key}}/shares"): [READ],
    ("DELETE", f"{THREADS}/{{state_key}}/shares/{{share_id}}"): [Probe({204, 404})],
    ("GET", "/api/v1/ai/shared"): [
        Probe({404}),
        Probe({404}, headers={"Authorization": f"Share {SHARE}"}),
    ],
    ("GET", f"{THREADS}/{{state_key}}/branches"): [READ],
    ("PATCH", f"{THREADS}/{{state_key}}"): [
        Probe({200, 404}, body={"title": "mine", "metadata": {"mark": "mine"}}),
        Probe({200, 404}, body={"archived": True}),
    ],
    ("POST", f"{THREADS}/{{state_key}}/stop"): [Probe({404})],
    ("DELETE", f"{THREADS}/{{state_key}}"): [Probe({204, 404})],
    ("GET", "/healthz"): [PUBLIC],
    ("GET", "/readyz"): [PUBLIC],
    ("GET", "/metrics"): [PUBLIC],
    ("GET", "/openapi.json"): [PUBLIC],
    ("GET", "/"): [PUBLIC],
    ("GET", "/web/{name}"): [PUBLIC],
}
"""In the order of the requests; a HEAD goes with each GET."""


def test_every_route_is_probed() -> None:
    routes = {
        (route.method, route.resource.canonical)
        for route in create_app(Settings(database_url="postgresql:///none", **JWT)).router.routes()
        if route.resource is not None
    }
    assert routes == PROBES.keys() | {("HEAD", path) for method, path in PROBES if method == "GET"}


async def test_nothing_of_another_user_is_shown_or_changed(
    server_dsn: str, admin_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Nobody here waits for threads to change.
    monkeypatch.setattr(changes, "STREAM_SECONDS", 0.0)
    go_on = asyncio.Event()

    async def slow(request: ExecutorRequest) -> AsyncIterator[AiEvent]:
        if (request.owner_user_id, request.state_key) != (BEA, RUNNING):
            async for event in answer(request):
                yield event
            return
        yield TextDelta(MARKS[BEA])
        await go_on.wait()
        yield Done()

    async with running_service(server_dsn, admin_dsn, slow, **JWT) as service:
        for user in (ANN, BEA):
            await store_threads(service, user)
        running = await service.post(CHAT, body_of(RUNNING, MARKS[BEA]), headers=as_user(BEA))
        await running.content.readuntil(MARKS[BEA].encode())
        known = await _known_to_bea(service, admin_dsn)
        before = rows_of(admin_dsn, BEA)
        for (method, path), probes in PROBES.items():
            for probe in probes:
                await _probe(service, method, path, probe, known)
        assert rows_of(admin_dsn, BEA) == before
        go_on.set()
        rest = await running.read()
        assert b'"finish"' in rest
        await _assert_bea_sees_hers(service)


async def _known_to_bea(service: Service, admin_dsn: str) -> dict[str, str]:
    async with await service.get(f"{THREADS}?limit=1", headers=as_user(BEA)) as response:
        cursor = (await response.json())["nextCursor"]
    async with await service.get(f"{THREADS}/{OWN_OF_BEA}", headers=as_user(BEA)) as response:
        etag = response.headers["ETag"]
    ((turn_id,),) = service.rows(
        "select turn_id from pgthreads.turn where owner_user_id = %s and status = 'running'", [BEA]
    )
    shares = f"{THREADS}/{OWN_OF_BEA}/shares"
    async with await service.post(shares, {}, headers=as_user(BEA)) as response:
        share_id = (await response.json())["shareId"]
    return {CURSOR: cursor, ETAG: etag, TURN: turn_id, SHARE: share_id}


async def _probe(
    service: Service, method: str, path: str, probe: Probe, known: dict[str, str]
) -> None:
    methods = ("GET", "HEAD") if method == "GET" else (method,)
    for key in KEYS:
        names = {**known, KEY: key}
        url = (
            service.url
            + path.format(state_key=key, name="icon.svg", share_id=names[SHARE])
            + _filled(probe.query, names)
        )
        headers = as_user(ANN) | _filled(probe.headers, names)
        for each in methods:
            async with service.session.request(
                each, url, json=_filled(probe.body, names), headers=headers
            ) as response:
                body = await response.read()
            text = f"{each} {url} {probe}: {response.status} {body!r}"
            assert response.status in probe.status, text
            assert_nothing_of(BEA, response.headers, body)


def _filled(value: Any, names: dict[str, str]) -> Any:
    if isinstance(value, dict):
        return {name: _filled(each, names) for name, each in value.items()}
    if isinstance(value, list):
        return [_filled(each, names) for each in value]
    if isinstance(value, str):
        for name, each in names.items():
            value = value.replace(name, each)
    return value


async def _assert_bea_sees_hers(service: Service) -> None:
    """The data exists; otherwise the probes would prove nothing."""
    for key in KEYS:
        async with await service.get(f"{THREADS}/{key}", headers=as_user(BEA)) as response:
            assert MARKS[BEA] in await response.text()
    async with await service.get(THREADS, headers=as_user(BEA)) as response:
        assert (await response.text()).count(MARKS[BEA]) >= 4
