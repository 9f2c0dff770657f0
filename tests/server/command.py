"""`pgthreads serve` and similar commands as real processes."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager, suppress
from pathlib import Path
from typing import IO

import pytest

COMMAND = [sys.executable, "-c", "from pgthreads.cli import main; main()"]


def environment(**variables: str) -> dict[str, str]:
    """The environment with these settings and no others."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PGTHREADS_", "PROMETHEUS_"))}
    return {**kept, **variables}


class Running:
    """A running server: its process, its address, and its output."""

    def __init__(self, process: subprocess.Popen[str], url: str, log: IO[str]) -> None:
        self.process = process
        self.url = url
        self._log = log

    @property
    def log(self) -> str:
        """Everything that it has written to standard error so far."""
        self._log.seek(0)
        return self._log.read()

    def children(self) -> list[int]:
        """Its child processes that are alive."""
        listed = subprocess.run(
            ["ps", "-o", "pid=,stat=", "--ppid", str(self.process.pid)],
            capture_output=True,
            text=True,
            check=False,
        )
        rows = [line.split() for line in listed.stdout.splitlines()]
        return [int(pid) for pid, state in rows if not state.startswith("Z")]

    async def ended(self, seconds: float = 30) -> int:
        """Wait for the process to end; return its status."""
        return await asyncio.to_thread(self.process.wait, seconds)


@contextmanager
def running(
    command: Sequence[str], url_in: str, cwd: Path | None = None, **variables: str
) -> Iterator[Running]:
    """Run a server until `url_in`, a pattern with a group, is found in what it writes."""
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            command,
            stdout=log,
            stderr=log,
            text=True,
            cwd=cwd,
            env=environment(PYTHONUNBUFFERED="1", **variables),
            start_new_session=True,
        )
        server = Running(process, "", log)
        try:
            wait_until(lambda: process.poll() is not None or re.search(url_in, server.log))
            found = re.search(url_in, server.log)
            if found is None:
                pytest.fail(f"it ended: {server.log}")
            server.url = found[1]
            yield server
        finally:
            # A signal that drains would not do: a failed test may have left turns that never end.
            left = server.children()
            process.kill()
            process.wait(timeout=30)
            for pid in left:
                with suppress(ProcessLookupError):
                    os.kill(pid, 9)


def serving(
    *arguments: str, cwd: Path | None = None, **variables: str
) -> AbstractContextManager[Running]:
    """`pgthreads serve` on a free port."""
    command = [*COMMAND, "serve", "--port", "0", *arguments]
    return running(command, r"serves (http://\S+)", cwd, **variables)


def wait_until(condition: Callable[[], object], seconds: float = 30) -> None:
    """Return once the condition holds; fails after so many seconds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true"
        time.sleep(0.02)


def is_alive(pid: int) -> bool:
    """Whether there is such a process, or a zombie of it."""
    return Path(f"/proc/{pid}").exists()
