"""The proxy's faults do what their names say."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress

import psycopg
import pytest

from tests.conftest import AsyncConnection
from tests.database import Database
from tests.faults.proxy import Cut, HalfClose, Proxy, Tap
from tests.faults.taps import HttpTap, PostgresTap


@asynccontextmanager
async def echoing() -> AsyncIterator[int]:
    """A server that answers each line, and says `bye` when its client has ended."""

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while line := await reader.readline():
                writer.write(line)
            writer.write(b"bye\n")
            writer.write_eof()

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield server.sockets[0].getsockname()[1]
    finally:
        server.close()


@asynccontextmanager
async def proxied(
    port: int, tap: Callable[[], Tap] = Tap
) -> AsyncIterator[tuple[Proxy, asyncio.StreamReader, asyncio.StreamWriter]]:
    proxy = Proxy("127.0.0.1", port, tap)
    await proxy.start()
    try:
        reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        yield proxy, reader, writer
        writer.close()
    finally:
        await proxy.stop()


async def line_of(reader: asyncio.StreamReader) -> bytes:
    async with asyncio.timeout(5):
        return await reader.readline()


async def test_what_is_not_disturbed_passes() -> None:
    async with echoing() as port, proxied(port) as (_, reader, writer):
        writer.write(b"one\n")
        assert await line_of(reader) == b"one\n"
        writer.write_eof()
        assert await line_of(reader) == b"bye\n"
        assert await line_of(reader) == b""


async def test_a_cut_resets_the_connection() -> None:
    async with echoing() as port, proxied(port) as (proxy, reader, writer):
        writer.write(b"one\n")
        await line_of(reader)
        assert proxy.cut() == 1
        with pytest.raises(ConnectionResetError):
            await line_of(reader)


async def test_a_stall_passes_nothing_on_and_then_everything() -> None:
    async with echoing() as port, proxied(port) as (proxy, reader, writer):
        writer.write(b"one\n")
        await line_of(reader)
        stall = asyncio.create_task(proxy.stall(0.3))
        await asyncio.sleep(0)
        writer.write(b"two\n")
        await asyncio.sleep(0.2)
        assert not reader._buffer  # type: ignore[attr-defined]
        await stall
        assert await line_of(reader) == b"two\n"


async def test_a_refusal_ends_by_itself() -> None:
    async with echoing() as port, proxied(port) as (proxy, reader, _):
        refusal = asyncio.create_task(proxy.refuse(0.2))
        with pytest.raises(ConnectionResetError):
            await line_of(reader)
        other, _ = await asyncio.open_connection("127.0.0.1", proxy.port)
        with suppress(ConnectionResetError):
            assert await line_of(other) == b""
        await refusal
        third, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
        writer.write(b"one\n")
        assert await line_of(third) == b"one\n"
        writer.close()


class _Ends(Tap):
    def __init__(self, fault: Exception) -> None:
        self._fault = fault

    async def down(self, data: bytes) -> bytes:
        raise self._fault


async def test_a_cut_may_pass_something_on_first() -> None:
    tap = _Ends(Cut(b"first\n", 0.1))
    async with echoing() as port, proxied(port, lambda: tap) as (_, reader, writer):
        writer.write(b"one\n")
        assert await line_of(reader) == b"first\n"
        with pytest.raises(ConnectionResetError):
            await line_of(reader)


async def test_a_half_close_ends_one_direction() -> None:
    tap = _Ends(HalfClose(b"first\n"))
    async with echoing() as port, proxied(port, lambda: tap) as (_, reader, writer):
        writer.write(b"one\n")
        assert await line_of(reader) == b"first\n"
        assert await line_of(reader) == b""
        writer.write(b"the other goes on\n")
        await writer.drain()


@pytest.mark.parametrize(
    ("fate", "is_told", "is_committed"),
    [
        (None, True, True),
        (0.01, True, True),
        ("before", False, False),
        ("uncommitted", False, False),
        ("after", False, True),
        ("half", False, True),
    ],
)
@pytest.mark.parametrize("is_prepared", [False, True])
async def test_cuts_around_a_commit(
    fate: str | float | None,
    is_told: bool,
    is_committed: bool,
    is_prepared: bool,
    database: Database,
    connect_async: Callable[..., AsyncConnection],
) -> None:
    kinds: list[tuple[str, str]] = []
    disturbs = False

    def choose(kind: str, key: str) -> str | float | None:
        kinds.append((kind, key))
        return fate if disturbs else None

    port = int(psycopg.conninfo.conninfo_to_dict(database.server_dsn)["port"] or 5432)
    proxy = Proxy("127.0.0.1", port, lambda: PostgresTap(choose))
    await proxy.start()
    dsn = psycopg.conninfo.make_conninfo(
        database.server_dsn, port=proxy.port, sslmode="disable", gssencmode="disable"
    )
    statement = (
        "select b.outcome from pgthreads.set_tenant('ann') as t(owner),"
        " lateral pgthreads.begin_turn(t.owner, %s, %s::jsonb, %s) as b"
    )
    message = '{"id": "u1", "role": "user", "parts": [{"type": "text", "text": "x"}]}'
    key = f"chat-{abs(hash((fate, is_prepared)))}"
    try:
        connection = await psycopg.AsyncConnection.connect(dsn, autocommit=True)
        if is_prepared:
            await connection.execute(statement, (f"{key}0", message, "t"), prepare=True)
        disturbs = True
        is_broken = False
        try:
            await connection.execute(statement, (key, message, "t"), prepare=is_prepared)
        except psycopg.OperationalError:
            is_broken = True
        await connection.close()
    finally:
        await proxy.stop()
    assert ("begin", key) in kinds
    assert is_broken is not is_told
    await asyncio.sleep(0.1)
    with psycopg.connect(database.admin_dsn) as admin:
        row = admin.execute("select from pgthreads.thread where state_key = %s", [key]).fetchone()
    assert (row is not None) is is_committed


@pytest.mark.parametrize(
    ("fate", "expected"),
    [
        (("response", 5.0), b"chat-"),
        (("eof", 5.0), b"chat-"),
        (("request", 3.0), b""),
        (("delay", 0.1), b"chat-1\n"),
        (("half", 0.0), b"chat-1\nbye\n"),
        (None, b"chat-1\n"),
    ],
)
async def test_fates_of_a_request(fate: tuple[str, float] | None, expected: bytes) -> None:
    def tap() -> Tap:
        return HttpTap(lambda key: fate if key == "chat-1" else None)

    async with echoing() as port, proxied(port, tap) as (_, reader, writer):
        writer.write(b"chat-1\n")
        received = b""
        with suppress(ConnectionResetError, TimeoutError):
            async with asyncio.timeout(0.5):
                while data := await reader.read(100):
                    received += data
        assert received == expected
