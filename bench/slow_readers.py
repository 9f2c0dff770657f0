"""Clients that ask for a stream and read nothing of it: what each costs."""

from __future__ import annotations

import asyncio
import socket
from contextlib import ExitStack, closing

from bench import cluster
from bench.harness import Context
from bench.messages import new_id, new_thread
from bench.report import Bar, Row
from bench.service import Service
from bench.source import Plan
from bench.stores import bench_database
from bench.streaming import ours
from bench.streams import stream

_READERS = 200
_DELTAS = 40_000
_BAR = Bar(64)
_CHAT = "/api/v1/ai/chat"


class SlowReaders:
    """Memory of readers that do not read."""

    name = "slow-readers"
    title = f"{_READERS:,} clients that read nothing"
    about = (
        f"A turn of {_DELTAS:,} deltas, and {_READERS:,} clients that ask for its stream and read"
        " nothing of it. The memory is that of the server's processes when the turn has ended,"
        " minus their memory before the clients came; the turn's stream, which all of them share,"
        " is included. `--write-timeout`, after which such clients are cut off, is longer here"
        " than by default."
    )

    def run(self, context: Context) -> list[Row]:
        """Measure the memory with readers that read nothing."""
        if not cluster.sees_processes():
            return []
        readers, deltas = (20, 4_000) if context.smoke else (_READERS, _DELTAS)
        database = bench_database(context)
        options = ("--write-timeout", "600", "--journal-interval", "0")
        with ours(database, context.cores.server, *options) as service:
            for _ in range(3):
                asyncio.run(stream(service.port, Plan(deltas)))
            held = _hold(service, readers, deltas)
        return [Row("memory of each", "", held / readers / 1024, bar=_BAR, unit=" KB")]


def _hold(service: Service, readers: int, deltas: int) -> float:
    """Return how much more memory the server has with the readers, when the turn has ended."""
    before = cluster.resident_bytes(service.pids())
    with ExitStack() as stack:
        key = new_thread()
        posted = stack.enter_context(closing(socket.create_connection(("127.0.0.1", service.port))))
        text = Plan(deltas, 0).dumps().replace('"', '\\"')
        body = (
            f'{{"id": "{key}", "message": {{"id": "{new_id()}", "role": "user",'
            f' "parts": [{{"type": "text", "text": "{text}"}}]}}}}'
        )
        _ask(posted, f"POST {_CHAT}", body)
        posted.recv(1)
        for _ in range(readers):
            reader = socket.socket()
            stack.enter_context(closing(reader))
            reader.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
            reader.connect(("127.0.0.1", service.port))
            _ask(reader, f"GET {_CHAT}/{key}/stream")
        tail = b""
        while more := posted.recv(65_536):
            tail = (tail + more)[-16:]
            if tail.endswith(b"0\r\n\r\n"):
                break
        return cluster.resident_bytes(service.pids()) - before


def _ask(client: socket.socket, line: str, body: str = "") -> None:
    client.sendall(
        f"{line} HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\n"
        f"Content-Length: {len(body)}\r\n\r\n{body}".encode()
    )
