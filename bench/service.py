"""Servers as processes of their own, and a client that reads to the last byte."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.database import Database, free_port

from bench import cluster
from bench.stores import OWNER, Call

_FOLDER = Path(sys.executable).parent
_START_SECONDS = 30.0


@dataclass(frozen=True)
class Service:
    """A server that runs as processes of its own, and a connection to it that stays open."""

    pid: int
    port: int
    client: http.client.HTTPConnection

    def pids(self) -> list[int]:
        """Return the pids of the server and its workers; without Linux's /proc, only its own."""
        return [self.pid, *cluster.children_of(self.pid)]


def program(*words: str) -> list[str]:
    """Return the command of a program of this environment, or of a module after `-m`."""
    return [sys.executable, *words] if words[0] == "-m" else [str(_FOLDER / words[0]), *words[1:]]


@contextmanager
def serving(database: Database, cores: frozenset[int], *options: str) -> Iterator[Service]:
    """Run pgthreads on the database and on these cores.

    Raises RuntimeError, with its log, if it does not start.
    """
    variables = {"PGTHREADS_DATABASE_URL": database.server_dsn, "PGTHREADS_DEV_USER": OWNER}
    port = free_port()
    command = program("pgthreads", "serve", "--port", str(port), "--log-level", "warning")
    with started([*command, *options], port, cores, variables) as service:
        yield service


@contextmanager
def started(
    command: Sequence[str], port: int, cores: frozenset[int], variables: Mapping[str, str]
) -> Iterator[Service]:
    """Run a server that answers `/readyz` at this port once it is up; raises RuntimeError."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PGTHREADS_")}
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={**kept, **variables},
        )
        cluster.pin(process.pid, cores)
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            if not _is_ready(client, process):
                log.seek(0)
                raise RuntimeError(f"the server did not start:\n{log.read()}")
            yield Service(process.pid, port, client)
        finally:
            client.close()
            process.terminate()
            process.wait(timeout=60)


def get(client: http.client.HTTPConnection, path: str) -> Call:
    """Return a call that reads an answer to its last byte; raises RuntimeError unless it is 200."""

    def call() -> bytes:
        client.request("GET", path)
        with client.getresponse() as response:
            body = response.read()
            if response.status != http.HTTPStatus.OK:
                raise RuntimeError(f"{path}: {response.status} {body[:200]!r}")
            return body

    return call


def _is_ready(client: http.client.HTTPConnection, process: subprocess.Popen[bytes]) -> bool:
    deadline = time.monotonic() + _START_SECONDS
    while process.poll() is None and time.monotonic() < deadline:
        try:
            get(client, "/readyz")()
        except (OSError, http.client.HTTPException, RuntimeError):
            client.close()
            time.sleep(0.1)
        else:
            return True
    return False
