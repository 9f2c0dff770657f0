"""Who may call, and as which owner."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from typing import Any
from unittest.mock import Mock

import jwt
import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from cryptography.hazmat.primitives.asymmetric import ec, rsa

from pgthreads.errors import ForbiddenError
from pgthreads.http.auth import DevAuth
from pgthreads.http.key_set import COOLDOWN
from tests.server.service import CHAT, THREADS, Service, running_service

SECRET = "a secret of the tests that is long enough for every algorithm there is"


def token(
    subject: Any = "alice", key: Any = SECRET, algorithm: str = "HS256", **claims: Any
) -> str:
    kid = claims.pop("kid", None)
    payload = {"sub": subject, "exp": int(time.time()) + 60} | claims
    payload = {name: value for name, value in payload.items() if value is not None}
    headers = {"kid": kid} if kid else None
    return jwt.encode(payload, key, algorithm=algorithm, headers=headers)


def bearer(value: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {value}"}


@pytest.fixture
async def service(server_dsn: str, admin_dsn: str) -> AsyncIterator[Service]:
    async with running_service(
        server_dsn, admin_dsn, auth="jwt", jwt_secret=SECRET, jwt_audience="app"
    ) as running:
        yield running


async def test_the_subject_owns_the_threads(service: Service) -> None:
    for owner in ("alice", "bob"):
        async with await service.post(
            CHAT, {"id": "same-key", "message": owner}, headers=bearer(token(owner, aud="app"))
        ) as response:
            assert response.status == 200
            await response.read()
    async with await service.get(
        f"{THREADS}/same-key", headers=bearer(token("alice", aud="app"))
    ) as response:
        messages = (await response.json())["messages"]
        assert messages[0]["parts"][0]["text"] == "alice"
        assert len(messages) == 2
    for path in (f"{THREADS}/same-key", f"{CHAT}/same-key/stream"):
        async with await service.get(path, headers=bearer(token("eve", aud="app"))) as response:
            assert response.status in (404, 204)


NOBODY = {
    "nothing": {},
    "basic": {"Authorization": "Basic YTpi"},
    "empty": {"Authorization": "Bearer "},
    "garbage": bearer("x.y.z"),
    "other secret": bearer(token(key="another secret that is also long enough", aud="app")),
    "no signature": bearer(jwt.encode({"sub": "alice", "aud": "app"}, "", algorithm="none")),
    "expired": bearer(token(exp=int(time.time()) - 60, aud="app")),
    "not yet": bearer(token(nbf=int(time.time()) + 120, aud="app")),
    "no expiry": bearer(token(exp=None, aud="app")),
    "no subject": bearer(token(None, aud="app")),
    "empty subject": bearer(token("", aud="app")),
    "long subject": bearer(token("x" * 256, aud="app")),
    "nul subject": bearer(token("a\x00", aud="app")),
    "other audience": bearer(token(aud="other")),
    "no audience": bearer(token()),
    "other algorithm": bearer(token(algorithm="HS384", aud="app")),
}


@pytest.mark.parametrize("headers", NOBODY.values(), ids=NOBODY.keys())
async def test_nobody_else_gets_in(service: Service, headers: dict[str, str]) -> None:
    requests = [
        ("POST", CHAT),
        ("GET", f"{CHAT}/k/stream"),
        ("GET", THREADS),
        ("GET", f"{THREADS}/k"),
        ("PATCH", f"{THREADS}/k"),
        ("DELETE", f"{THREADS}/k"),
        ("POST", f"{THREADS}/k/stop"),
    ]
    for method, path in requests:
        async with service.session.request(
            method, service.url + path, json={"message": "hi"}, headers=headers
        ) as response:
            assert response.status == 401
            assert (await response.json())["code"] == "unauthorized"
            assert response.headers["WWW-Authenticate"] == "Bearer"
            assert "X-State-Key" in response.headers
    assert service.rows("select from pgthreads.thread where state_key = 'k'") == []


async def test_clocks_may_differ_a_little(service: Service) -> None:
    now = time.time()
    differing: tuple[dict[str, Any], ...] = ({"iat": now + 4}, {"nbf": now + 4}, {"exp": now - 4})
    for claims in differing:
        headers = bearer(token(aud="app", **claims))
        async with await service.get(THREADS, headers=headers) as response:
            assert response.status == 200, claims


async def test_clocks_may_be_wanted_exact(server_dsn: str, admin_dsn: str) -> None:
    async with running_service(
        server_dsn, admin_dsn, auth="jwt", jwt_secret=SECRET, jwt_leeway=0.0
    ) as service:
        for nbf, status in ((time.time() + 5, 401), (None, 200)):
            async with await service.get(THREADS, headers=bearer(token(nbf=nbf))) as response:
                assert response.status == status


async def test_keys_of_a_jwks_url(server_dsn: str, admin_dsn: str) -> None:
    keys: dict[str, Any] = {
        "r": rsa.generate_private_key(public_exponent=65537, key_size=2048),
        "e": ec.generate_private_key(ec.SECP256R1()),
    }
    published = [
        jwt.algorithms.RSAAlgorithm.to_jwk(keys["r"].public_key(), as_dict=True) | {"kid": "r"},
        jwt.algorithms.ECAlgorithm.to_jwk(keys["e"].public_key(), as_dict=True) | {"kid": "e"},
    ]

    async def jwks(_: web.Request) -> web.Response:
        return web.json_response({"keys": published})

    app = web.Application()
    app.router.add_get("/jwks", jwks)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}/jwks"
    try:
        async with running_service(server_dsn, admin_dsn, auth="jwt", jwks_url=url) as service:
            good = [
                token(key=keys["r"], algorithm="RS256", kid="r"),
                token(key=keys["e"], algorithm="ES256", kid="e"),
            ]
            public = published[0]["n"]
            bad = [
                token(key=keys["e"], algorithm="ES256", kid="r"),
                token(key=keys["r"], algorithm="RS256", kid="unknown"),
                # The public key is not secret, so it must not verify an HMAC.
                token(key=public, algorithm="HS256", kid="r"),
            ]
            for each in good:
                async with await service.get(THREADS, headers=bearer(each)) as response:
                    assert response.status == 200
            for each in bad:
                async with await service.get(THREADS, headers=bearer(each)) as response:
                    assert response.status == 401
        await runner.cleanup()
        async with (
            running_service(server_dsn, admin_dsn, auth="jwt", jwks_url=url) as service,
            await service.get(THREADS, headers=bearer(good[0])) as response,
        ):
            assert response.status == 503
            assert (await response.json())["code"] == "keys_unavailable"
            assert 1 <= int(response.headers["Retry-After"]) <= COOLDOWN
    finally:
        await runner.cleanup()


async def test_dev_mode_looks_at_the_address_that_was_reached() -> None:
    """A process manager listens at its own address, whatever the settings say."""

    def reached_at(address: Any) -> web.Request:
        transport = Mock(get_extra_info={"sockname": address}.get)
        return make_mocked_request(
            "GET", THREADS, headers={"Host": "127.0.0.1"}, transport=transport
        )

    dev = DevAuth("dev")
    for address in (("127.0.0.1", 8080), ("::1", 8080, 0, 0), "/run/pgthreads.sock"):
        assert await dev.owner(reached_at(address)) == "dev"
    for address in (("192.0.2.1", 8080), ("2001:db8::1", 8080, 0, 0)):
        with pytest.raises(ForbiddenError):
            await dev.owner(reached_at(address))


async def test_dev_mode_is_for_this_machine_alone(server_dsn: str, admin_dsn: str) -> None:
    async with running_service(
        server_dsn, admin_dsn, cors_origin=("http://localhost:3000",)
    ) as service:
        cases = {
            "own host": ({}, 200),
            "rebound host": ({"Host": "evil.example"}, 403),
            "own origin": ({"Origin": service.url}, 200),
            "foreign origin": ({"Origin": "https://evil.example"}, 403),
            "null origin": ({"Origin": "null"}, 403),
            "named origin": ({"Origin": "http://localhost:3000"}, 200),
        }
        for name, (headers, status) in cases.items():
            async with await service.get(THREADS, headers=headers) as response:
                assert response.status == status, name
        origin = {"Origin": "http://localhost:3000"}
        async with await service.post(CHAT, {"message": "hi"}, headers=origin) as response:
            assert response.headers["Access-Control-Allow-Origin"] == "http://localhost:3000"
            assert "X-State-Key" in response.headers["Access-Control-Expose-Headers"]
            await response.read()
        async with service.session.options(
            service.url + CHAT,
            headers=origin
            | {
                "Access-Control-Request-Method": "POST",
                "Access-Control-Request-Headers": "content-type,authorization",
            },
        ) as response:
            assert response.status == 200
            assert response.headers["Access-Control-Allow-Origin"] == "http://localhost:3000"


async def test_a_preflight_needs_no_token(server_dsn: str, admin_dsn: str) -> None:
    origin = "https://app.example"
    async with running_service(
        server_dsn, admin_dsn, auth="jwt", jwt_secret=SECRET, cors_origin=(origin,)
    ) as service:
        for method, path in (("POST", CHAT), ("PATCH", f"{THREADS}/k"), ("GET", THREADS)):
            async with service.session.options(
                service.url + path,
                headers={
                    "Origin": origin,
                    "Access-Control-Request-Method": method,
                    "Access-Control-Request-Headers": "authorization",
                },
            ) as response:
                assert response.status == 200
                assert response.headers["Access-Control-Allow-Origin"] == origin
        async with await service.get(THREADS, headers={"Origin": origin}) as response:
            assert response.status == 401
            assert response.headers["Access-Control-Allow-Origin"] == origin
        async with service.session.options(service.url + THREADS) as response:
            assert response.status in (401, 405)
