"""A user who behaves well beside ten who do not: how much longer do the turns take?"""

from __future__ import annotations

import asyncio
import json
import random
import sys
import time
from collections.abc import Sequence

import jwt
from aiohttp import ClientError, ClientSession, ClientTimeout

from bench import cluster
from bench.harness import Context
from bench.messages import new_id, new_thread
from bench.report import Bar, Row, time_text
from bench.service import program, serving
from bench.source import Plan
from bench.stats import Ratio
from bench.stores import bench_database

ATTACKERS = 10
_SECRET = "a secret of the benchmarks that is long enough for every algorithm"  # noqa: S105
_CHAT = "/api/v1/ai/chat"
_THREADS = "/api/v1/ai/threads"
_BAR = Bar(3)
_PAUSE = 0.25
"""Seconds between two turns of the user, who reads."""
_SETTLE = 2.0
"""Seconds that the attackers get before measuring begins."""
_MEGABYTE = 1_000_000


class Attackers:
    """The p99 of a turn, with attackers and without."""

    name = "attackers"
    title = f"A user beside {ATTACKERS} attackers"
    about = (
        "One user sends short messages, one after the other, to a server with its default limits,"
        f" reads each answer to its end, and loads the thread. Meanwhile {ATTACKERS} attackers,"
        " each with a token of their own, send as fast as they can what costs most: messages of 1"
        " MB of digits, of numbers, of nested arrays and of halves of characters, bodies of many"
        " messages, whole threads and lists read again and again, bodies that are never complete,"
        " streams that nobody reads, and tokens that are not valid. Times with and without"
        " attackers alternate; the bar is on the ratio of the 99th percentiles. Where there are"
        " enough cores, the attackers' own process does not share those of the server."
    )

    def run(self, context: Context) -> list[Row]:
        """Measure with and without attackers, alternating."""
        database = bench_database(context)
        options = (
            *("--auth", "jwt", "--jwt-secret", _SECRET),
            *("--executor", "bench.source:execute"),
        )
        with serving(database, context.cores.server, *options) as service:
            seconds = context.size(12, 1)
            quiet: list[float] = []
            attacked: list[float] = []
            asyncio.run(_use(service.port, 1.0))
            for _ in range(context.rounds(3)):
                quiet += asyncio.run(_use(service.port, seconds))
                attacked += asyncio.run(_use_beside_attackers(service.port, seconds, context))
        low, high = _p99(quiet), _p99(attacked)
        ratio = Ratio(high / low, high / low, high / low)
        return [
            Row("alone: p99 of a turn", time_text(low)),
            Row.of_ratio("beside them: p99 of a turn", high, ratio, _BAR),
            Row("alone: median", time_text(_share(quiet, 0.5))),
            Row("beside them: median", time_text(_share(attacked, 0.5))),
        ]


async def _use_beside_attackers(port: int, seconds: float, context: Context) -> list[float]:
    process = await asyncio.create_subprocess_exec(
        *program("-m", "bench.attackers", str(port)),
        stdout=asyncio.subprocess.DEVNULL,
    )
    cluster.pin(process.pid, context.cores.client)
    try:
        await asyncio.sleep(0.1 if context.smoke else _SETTLE)
        return await _use(port, seconds)
    finally:
        if process.returncode is None:
            process.terminate()
        await process.wait()


async def _use(port: int, seconds: float) -> list[float]:
    """Be the user for so long; return the seconds of each turn and load."""
    key, until, taken = new_thread(), time.monotonic() + seconds, []
    async with _session(port, "well-behaved") as session:
        while time.monotonic() < until:
            begun = time.perf_counter()
            body = _body(key, Plan(5).dumps())
            async with session.post(_CHAT, data=body, headers=_JSON) as response:
                answer = await response.read()
                if response.status != 200 or b"[DONE]" not in answer:
                    raise RuntimeError(f"{response.status} {answer[:200]!r}")
            async with session.get(f"{_THREADS}/{key}?last=10") as response:
                await response.read()
            taken.append(time.perf_counter() - begun)
            await asyncio.sleep(_PAUSE)
    return taken


def _share(values: Sequence[float], share: float) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _p99(values: Sequence[float]) -> float:
    return _share(values, 0.99)


_INVALID = {"Authorization": "Bearer no.valid.token"}
_JSON = {"Content-Type": "application/json"}


def _session(port: int, owner: str) -> ClientSession:
    token = jwt.encode({"sub": owner, "exp": int(time.time()) + 3600}, _SECRET, "HS256")
    return ClientSession(
        f"http://127.0.0.1:{port}",
        headers={"Authorization": f"Bearer {token}"},
        timeout=ClientTimeout(total=120),
    )


def _body(key: str, text: str, metadata: str = "{}") -> bytes:
    message = (
        f'{{"id": "{new_id()}", "role": "user", "metadata": {metadata},'
        f' "parts": [{{"type": "text", "text": {json.dumps(text)}}}]}}'
    )
    return f'{{"id": "{key}", "message": {message}}}'.encode()


_COSTLY = (
    lambda: _body(new_thread(), "4 " * (_MEGABYTE // 2)),
    lambda: _body(new_thread(), "GB82 WEST 1234 5698 7654 32 " * (_MEGABYTE // 28)),
    lambda: _body(new_thread(), "word and " * (_MEGABYTE // 9)),
    lambda: _body(new_thread(), "hi", '{"m": [' + ",".join(["1e300"] * 160_000) + "]}"),
    lambda: _body(new_thread(), "hi", '{"m": [' + ",".join(["[[[[1]]]]"] * 90_000) + "]}"),
    lambda: _body(new_thread(), "sk-ant-" * (_MEGABYTE // 7)),
    lambda: _body(new_thread(), "halves").replace(b"halves", rb"\ud800" * (_MEGABYTE // 6)),
    lambda: b'{"messages": [%b7]}' % (b'{"role": "user"},' * (_MEGABYTE // 17)),
)


async def _attack(port: int, number: int) -> None:
    """Be one attacker until cancelled."""
    async with _session(port, f"attacker {number}") as session:
        thread = new_thread()
        if number % 5 == 4:
            await _hold(port, session)
        while True:
            try:
                if number % 5 == 3:
                    await _read(session, thread)
                else:
                    await _send(session, random.choice(_COSTLY)())
            except (ClientError, TimeoutError):
                await asyncio.sleep(0.01)


async def _send(session: ClientSession, body: bytes) -> None:
    async with session.post(_CHAT, data=body, headers=_JSON) as response:
        await response.read()


async def _read(session: ClientSession, thread: str) -> None:
    """Fill a thread, then read it and the list as fast as possible."""
    for _ in range(4):
        await _send(session, _body(thread, Plan(2_000, 0.002).dumps()))
    while True:
        for path in (f"{_THREADS}/{thread}", f"{_THREADS}?limit=200"):
            async with session.get(path) as response:
                await response.read()
        async with session.get(
            path, headers={"Authorization": "Bearer no.valid.token"}
        ) as response:
            await response.read()


async def _hold(port: int, session: ClientSession) -> None:
    """Hold connections with half a body, and streams that are not read."""
    authorization = session.headers["Authorization"]
    head = f"POST {_CHAT} HTTP/1.1\r\nHost: a\r\nAuthorization: {authorization}\r\n"
    head += "Content-Type: application/json\r\nContent-Length: 100000\r\n\r\n"
    whole = _body(new_thread(), Plan(5_000, 0.02).dumps())
    stream = head.replace("100000", str(len(whole))).encode() + whole
    kept = []
    for number in range(300):
        _, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(stream if number % 30 == 0 else head.encode())
        kept.append(writer)


async def _attack_all(port: int) -> None:
    await asyncio.gather(*(_attack(port, number) for number in range(ATTACKERS)))


if __name__ == "__main__":
    asyncio.run(_attack_all(int(sys.argv[1])))
