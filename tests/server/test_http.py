"""HTTP itself, over raw sockets: versions, connections that break, conditions, other origins."""

from __future__ import annotations

import asyncio
import json
import logging
import socket
import struct
from collections.abc import AsyncIterator
from typing import Any

import pytest

from pgthreads.events import AiEvent, Done, ExecutorRequest, Status, TextDelta
from tests.server.service import CHAT, THREADS, Service, body_of, running_service

ORIGIN = "http://localhost:3000"


@pytest.fixture
async def service(server_dsn: str, admin_dsn: str) -> AsyncIterator[Service]:
    async with running_service(server_dsn, admin_dsn, cors_origin=(ORIGIN,)) as running:
        yield running


def port_of(service: Service) -> int:
    return int(service.url.rpartition(":")[2])


def request_of(service: Service, version: str, key: str, *headers: str) -> bytes:
    body = json.dumps(body_of(key, "hi")).encode()
    lines = (
        f"POST {CHAT} HTTP/{version}",
        f"Host: 127.0.0.1:{port_of(service)}",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
        *headers,
    )
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


async def sent(service: Service, request: bytes) -> tuple[bytes, bytes]:
    """Return head and body of the answer, once the server has closed the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(service))
    writer.write(request)
    whole = await asyncio.wait_for(reader.read(), 20)
    writer.close()
    head, _, body = whole.partition(b"\r\n\r\n")
    return head.lower(), body


@pytest.mark.parametrize("headers", [(), ("Connection: keep-alive",)], ids=["close", "keep-alive"])
async def test_a_stream_to_http_1_0_ends_with_its_connection(
    service: Service, headers: tuple[str, ...]
) -> None:
    head, body = await sent(service, request_of(service, "1.0", f"old-{len(headers)}", *headers))
    assert head.startswith(b"http/1.0 200")
    assert b"transfer-encoding" not in head
    assert b"connection: close" in head
    assert body.startswith(b'data: {"type":"start"')
    assert body.endswith(b"data: [DONE]\n\n")


async def test_http_1_0_keeps_a_connection_whose_answer_has_a_length(service: Service) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(service))
    line = f"GET {THREADS} HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n"
    for _ in range(2):
        writer.write(line.encode())
        head = (await reader.readuntil(b"\r\n\r\n")).lower()
        assert b"connection: keep-alive" in head
        length = int(head.partition(b"content-length: ")[2].split()[0])
        assert json.loads(await reader.readexactly(length)) is not None
    writer.close()


async def test_a_stream_says_that_its_connection_ends(service: Service) -> None:
    head, body = await sent(service, request_of(service, "1.1", "closing", "Connection: close"))
    assert b"connection: close" in head
    assert body.endswith(b"0\r\n\r\n")


async def test_a_reset_under_back_pressure_is_no_failure(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    """A client that does not read, and resets its connection while a write waits."""
    waiting = asyncio.Event()

    async def flood(_: ExecutorRequest) -> AsyncIterator[AiEvent]:
        yield TextDelta("Now.")
        for _number in range(400):
            # This is more than the buffers of both sockets hold, and is not stored.
            yield Status("flood", "x" * 20_000)
            await asyncio.sleep(0)
        waiting.set()
        yield Done()

    service.executor.script = flood
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        client.connect(("127.0.0.1", port_of(service)))
        with caplog.at_level(logging.WARNING):
            client.sendall(request_of(service, "1.1", "reset"))
            await asyncio.wait_for(waiting.wait(), 20)
            await service.idle()
            # With this option, closing sends a reset.
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
            await readers_gone(service)
    assert [each.getMessage() for each in caplog.records] == []
    assert len(await service.messages("reset")) == 2


async def readers_gone(service: Service) -> None:
    for _ in range(500):
        async with await service.get("/metrics") as response:
            if "pgthreads_streams_open 0.0" in await response.text():
                return
        await asyncio.sleep(0.02)
    raise AssertionError("the stream is still open")


async def test_a_client_that_leaves_in_its_body_is_no_failure(
    service: Service, caplog: pytest.LogCaptureFixture
) -> None:
    whole = request_of(service, "1.1", "half")
    for reset in (False, True):
        with socket.socket() as client, caplog.at_level(logging.WARNING):
            client.connect(("127.0.0.1", port_of(service)))
            client.sendall(whole[:-10])
            await asyncio.sleep(0.1)
            if reset:
                client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.close()
            await asyncio.sleep(0.2)
    assert [each.getMessage() for each in caplog.records] == []
    assert service.rows("select from pgthreads.thread where state_key = 'half'") == []


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (("Transfer-Encoding: chunked",), b"zz\r\nxx\r\n0\r\n\r\n"),
        (("Transfer-Encoding: chunked", "Content-Encoding: gzip"), b"2\r\nxx\r\n0\r\n\r\n"),
        (("Content-Length: 5", "Content-Encoding: gzip"), b"hello"),
        (("Content-Length: 5", "Content-Encoding: deflate"), b"hello"),
        (("Content-Length: 5", "Content-Encoding: br"), b"hello"),
    ],
)
async def test_bodies_that_cannot_be_decoded(
    service: Service, caplog: pytest.LogCaptureFixture, headers: tuple[str, ...], body: bytes
) -> None:
    lines = (
        f"POST {CHAT} HTTP/1.1",
        "Host: 127.0.0.1",
        "Content-Type: application/json",
        "Connection: close",
        *headers,
    )
    with caplog.at_level(logging.ERROR):
        head, _ = await sent(service, "\r\n".join(lines).encode() + b"\r\n\r\n" + body)
    # aiohttp's parser answers what is not HTTP, as HTTP/1.0.
    assert head.split()[1] == b"400"
    assert [each.getMessage() for each in caplog.records] == []


async def test_conditions_compare_weakly(service: Service) -> None:
    await service.chat("tags", "hi")
    path = f"{THREADS}/tags"
    async with await service.get(path) as response:
        tag = response.headers["ETag"]
    cases: dict[str, int] = {
        tag: 304,
        f"W/{tag}": 304,
        f'"other", W/{tag}': 304,
        f'W/"other" ,{tag},': 304,
        "*": 304,
        " * ": 304,
        '"*"': 200,
        'W/"other"': 200,
        tag.strip('"'): 200,
        "": 200,
        "garbage": 200,
    }
    for value, status in cases.items():
        async with await service.get(path, headers={"If-None-Match": value}) as response:
            assert response.status == status, value
            assert response.headers["ETag"] == tag
    lines = [("If-None-Match", '"other"'), ("If-None-Match", f"W/{tag}")]
    async with await service.get(path, headers=lines) as response:
        assert response.status == 304
    async with await service.get(f"{THREADS}/none", headers={"If-None-Match": "*"}) as response:
        assert response.status == 404


async def preflight(service: Service, headers: str, origin: str = ORIGIN) -> tuple[int, Any, str]:
    asked = {
        "Origin": origin,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": headers,
    }
    async with service.session.options(service.url + CHAT, headers=asked) as response:
        allowed = response.headers.get("Access-Control-Allow-Headers", "").lower()
        return response.status, set(allowed.split(",")), await response.text()


async def test_a_page_may_send_the_headers_that_it_wants(service: Service) -> None:
    asked = "authorization,content-type,if-none-match,traceparent,tracestate,baggage"
    asked += ",sentry-trace,user-agent,x-requested-with,x-tenant"
    assert await preflight(service, asked) == (200, set(asked.split(",")), "")
    assert (await preflight(service, asked, "https://evil.example"))[0] == 403
    async with await service.post(CHAT, {"id": "cors"}, headers={"Origin": ORIGIN}) as response:
        assert response.status == 400
        assert response.headers["Access-Control-Allow-Origin"] == ORIGIN
        assert response.headers["Vary"] == "Origin"
        exposed = response.headers["Access-Control-Expose-Headers"].split(",")
        assert set(exposed) == {"X-State-Key", "ETag", "Retry-After", "Content-Disposition"}


async def test_its_headers_may_be_named(server_dsn: str, admin_dsn: str) -> None:
    async with running_service(
        server_dsn, admin_dsn, cors_origin=(ORIGIN,), cors_headers=("X-App", "x-tenant")
    ) as service:
        asked = "authorization,content-type,if-none-match,x-app,x-tenant"
        assert await preflight(service, asked) == (200, set(asked.split(",")), "")
        status, _, answer = await preflight(service, "x-other")
        assert status == 403
        assert "--cors-headers" in json.loads(answer)["hint"]
