"""The keys behind --jwks-url, from a key server that rotates, removes, hangs and lies."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

import jwt
import pytest
from aiohttp import web
from cryptography.hazmat.primitives.asymmetric import ec

from pgthreads.cli.checks import check_keys
from pgthreads.errors import UnavailableError
from pgthreads.http.key_set import MAX_BYTES, KeySet, KeySetError, signing_keys
from pgthreads.settings import Settings
from tests.server.service import THREADS, running_service
from tests.server.test_auth import bearer, token

LONG = 3600.0


def public(key: ec.EllipticCurvePrivateKey, key_id: str) -> dict[str, Any]:
    return jwt.algorithms.ECAlgorithm.to_jwk(key.public_key(), as_dict=True) | {"kid": key_id}


KEY = ec.generate_private_key(ec.SECP256R1())


class KeyServer:
    """Counts its requests; `answers` is not set while it hangs."""

    def __init__(self) -> None:
        self.url = ""
        self.asked = 0
        self.answers = asyncio.Event()
        self.answers.set()
        self.status = 200
        self.body: Any = {"keys": []}

    def publish(self, *key_ids: str) -> None:
        self.body = {"keys": [public(KEY, each) for each in key_ids]}

    async def handle(self, _: web.Request) -> web.Response:
        self.asked += 1
        await self.answers.wait()
        if isinstance(self.body, bytes):
            return web.Response(body=self.body, status=self.status)
        return web.json_response(self.body, status=self.status)


@pytest.fixture
async def server() -> AsyncIterator[KeyServer]:
    server = KeyServer()
    app = web.Application()
    app.router.add_get("/jwks", server.handle)
    runner = web.AppRunner(app, shutdown_timeout=0.1)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    server.url = f"http://127.0.0.1:{runner.addresses[0][1]}/jwks"
    yield server
    server.answers.set()
    await runner.cleanup()


async def until_asked(server: KeyServer, count: int) -> None:
    for _ in range(1000):
        if server.asked >= count:
            return
        await asyncio.sleep(0.01)
    raise AssertionError(f"asked {server.asked} times, not {count}")


async def test_a_removed_key_is_refused_although_nobody_asked_for_another(
    server: KeyServer,
) -> None:
    server.publish("old", "new")
    keys = KeySet(server.url, lifetime=3.0, cooldown=LONG)
    async with keys.running():
        assert await keys.find("old")
        server.publish("new")
        asked = server.asked
        await until_asked(server, asked + 2)
        assert await keys.find("old") is None
        assert await keys.find("new")


async def test_keys_end_when_their_server_does_not_answer(server: KeyServer) -> None:
    server.publish("known")
    keys = KeySet(server.url, lifetime=2.0, cooldown=LONG)
    async with keys.running():
        assert await keys.find("known")
        server.status = 500

        async def use_until_refused() -> None:
            for _ in range(6000):
                await keys.find("known")
                await asyncio.sleep(0.01)

        with pytest.raises(UnavailableError, match="cannot be fetched") as refused:
            await use_until_refused()
        assert "500" in refused.value.detail
        server.status = 200
        await until_asked(server, server.asked + 2)
        assert await keys.find("known")


async def test_a_server_that_hangs_delays_nobody_who_is_known(server: KeyServer) -> None:
    server.publish("known")
    keys = KeySet(server.url, lifetime=LONG, cooldown=0)
    async with keys.running():
        assert await keys.find("known")
        server.answers.clear()
        strangers = [asyncio.create_task(keys.find(f"stranger {n}")) for n in range(50)]
        await until_asked(server, 2)
        for _ in range(100):
            coroutine = keys.find("known")
            # It ends at its first step, because there is nothing to wait for.
            with pytest.raises(StopIteration) as found:
                coroutine.send(None)
            assert found.value.value
        assert not any(each.done() for each in strangers)
        assert server.asked == 2
        server.publish("known", "stranger 7")
        server.answers.set()
        found_of = await asyncio.gather(*strangers)
        assert [number for number, key in enumerate(found_of) if key] == [7]


async def test_a_caller_that_leaves_does_not_end_the_fetch(server: KeyServer) -> None:
    keys = KeySet(server.url, lifetime=LONG, cooldown=LONG)
    server.answers.clear()
    async with keys.running():
        leaves, stays = (asyncio.create_task(keys.find("known")) for _ in range(2))
        await until_asked(server, 1)
        leaves.cancel()
        await asyncio.sleep(0)
        server.publish("known")
        server.answers.set()
        assert await stays
        assert server.asked == 1


async def test_a_thousand_made_up_ids_cost_one_fetch_a_cooldown(server: KeyServer) -> None:
    server.publish("known")
    for cooldown, fetches in ((LONG, 1), (0.0, 1002)):
        server.asked = 0
        keys = KeySet(server.url, lifetime=LONG, cooldown=cooldown)
        async with keys.running():
            for number in range(1001):
                assert await keys.find(f"made up {number}") is None
            assert await keys.find("known")
        # The first of them may have waited for the fetch at the start.
        assert fetches - 1 <= server.asked <= fetches


async def test_a_failure_is_followed_by_a_cooldown_too(server: KeyServer) -> None:
    server.status = 503
    keys = KeySet(server.url, lifetime=LONG, cooldown=LONG)
    async with keys.running():
        for number in range(100):
            with pytest.raises(UnavailableError):
                await keys.find(f"made up {number}")
    assert server.asked == 1


async def test_a_new_key_is_found_when_it_is_first_used(server: KeyServer) -> None:
    server.publish("old")
    keys = KeySet(server.url, lifetime=LONG, cooldown=0)
    async with keys.running():
        assert await keys.find("old")
        server.publish("old", "new")
        assert await keys.find("new")


@pytest.mark.parametrize(
    ("status", "body", "reason"),
    [
        (302, b"{}", "302"),
        (200, b"", "not a JSON Web Key Set"),
        (200, b"[" * 100_000, "not a JSON Web Key Set"),
        (200, b'{"keys": {}}', "not a JSON Web Key Set"),
        (200, b" " * (MAX_BYTES + 1), "more than"),
    ],
)
async def test_answers_that_are_no_key_sets(
    server: KeyServer, status: int, body: bytes, reason: str
) -> None:
    server.status, server.body = status, body
    keys = KeySet(server.url, lifetime=LONG)
    async with keys.running():
        with pytest.raises(UnavailableError) as refused:
            await keys.find("any")
    assert reason in refused.value.detail


def test_what_of_a_key_set_counts() -> None:
    good = jwt.PyJWK(public(KEY, "a"))._jwk_data
    listed = [good, good | {"kid": "b", "use": "enc"}, {"kty": "new", "kid": "c"}, 7, None, [], "x"]
    listed += [{**good, "kid": 5}, {**good, "kid": "d", "x": "?"}, {**good, "kid": "e", "x": 1}]
    listed += [{name: value for name, value in good.items() if name != "kid"}]
    assert list(signing_keys(json.dumps({"keys": listed}).encode())) == ["a"]
    assert signing_keys(b'{"keys": []}') == {}
    with pytest.raises(KeySetError):
        signing_keys(b"{}")


@pytest.mark.parametrize(
    ("status", "key_ids", "verdict", "text"),
    [
        (200, ("a", "b"), "ok", "has 2 keys"),
        (200, (), "FAIL", "no key for signatures"),
        (500, (), "FAIL", "the answer is 500"),
    ],
)
async def test_the_doctor_looks_at_the_key_set(
    server: KeyServer, status: int, key_ids: tuple[str, ...], verdict: str, text: str
) -> None:
    server.publish(*key_ids)
    server.status = status
    settings = Settings(auth="jwt", jwks_url=server.url)
    (found,) = [each async for each in check_keys(settings)]
    assert found.verdict == verdict
    assert text in found.text


async def test_a_token_of_a_removed_key(server: KeyServer, server_dsn: str, admin_dsn: str) -> None:
    """Through the whole server: a token that names no key causes no fetch."""
    server.publish("old")
    async with running_service(
        server_dsn, admin_dsn, auth="jwt", jwks_url=server.url, jwks_lifetime=30.0
    ) as service:
        for key_id, status in (("old", 200), (None, 401), ("", 401)):
            headers = bearer(token(key=KEY, algorithm="ES256", kid=key_id))
            async with await service.get(THREADS, headers=headers) as response:
                assert response.status == status
        assert server.asked == 1
