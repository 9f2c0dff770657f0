"""`pgthreads serve` as a process of its own, and a client that reads to the last byte."""

from __future__ import annotations

import http.client
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.database import Database, free_port

from bench.cluster import pin
from bench.harness import Context
from bench.stores import OWNER, Call

_PROGRAM = Path(sys.executable).parent / "pgthreads"
_START_SECONDS = 30.0


@contextmanager
def serving(
    database: Database, context: Context, *options: str
) -> Iterator[http.client.HTTPConnection]:
    """Run a server on the database, on the server's cores; yield a connection that is kept open.

    Raises RuntimeError, with what the server logged, if it does not come up.
    """
    port = free_port()
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PGTHREADS_")}
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            [_PROGRAM, "serve", "--port", str(port), "--log-level", "warning", *options],
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            env={
                **kept,
                "PGTHREADS_DATABASE_URL": database.server_dsn,
                "PGTHREADS_DEV_USER": OWNER,
            },
        )
        pin(process.pid, context.cores.server)
        client = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
        try:
            if not _is_ready(client, process):
                log.seek(0)
                raise RuntimeError(f"the server did not start:\n{log.read()}")
            yield client
        finally:
            client.close()
            process.terminate()
            process.wait(timeout=30)


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
