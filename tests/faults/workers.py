"""The workers under test: real processes, which can be killed, paused and started again."""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from pathlib import Path

import aiohttp

from tests.database import free_port
from tests.faults.executor import LEDGER

JWT_SECRET = "a secret of the fault suite, for tokens of its owners"
_READY_SECONDS = 60.0
_STOP_SECONDS = 30.0
_ROOT = Path(__file__).resolve().parents[2]


class WorkerError(Exception):
    """A worker did not start or stop; the text has the end of its log."""


class Worker:
    """One `pgthreads serve`, which keeps its port over restarts."""

    def __init__(
        self,
        number: int,
        folder: Path,
        arguments: Sequence[str],
        package: Path | None = None,
    ) -> None:
        self.number = number
        self.port = free_port()
        self.is_paused = False
        self.log = folder / f"worker{number}.log"
        self._arguments = [
            *("--port", str(self.port)),
            *("--auth", "jwt"),
            # A few users who do what many would.
            *("--request-rate", "0", "--max-streams", "0", "--fair-share", "0"),
            *("--executor", "tests.faults.executor:answer"),
            *("--heartbeat", "0.4"),
            *("--log-level", "warning"),
            # One spool for all of them, as on one machine.
            *("--spool-dir", str(folder / "spool")),
            *arguments,
        ]
        self._environment = _environment(folder / "ledger", package)
        self.killed: set[int] = set()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """The pid of the running process."""
        assert self._process is not None
        return self._process.pid

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start a process, without waiting until it is ready."""
        with self.log.open("ab") as log:
            self._process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "tests.faults.serve", str(os.getpid())),
                    *("serve", *self._arguments),
                ],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd=_ROOT,
                env=self._environment,
            )

    async def ready(self) -> None:
        """Return when it answers its probe. Raises WorkerError."""
        deadline = time.monotonic() + _READY_SECONDS
        async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=5)) as session:
            while True:
                try:
                    async with session.get(f"http://127.0.0.1:{self.port}/readyz") as response:
                        if response.status == 200:
                            return
                except (aiohttp.ClientError, TimeoutError):
                    pass
                if not self.is_running:
                    # The database may have been down at that moment.
                    self.start()
                if time.monotonic() > deadline:
                    raise WorkerError(f"worker {self.number} is not ready:\n{self.tail()}")
                await asyncio.sleep(0.1)

    async def kill(self) -> None:
        """`kill -9`."""
        if self.is_running:
            self.killed.add(self.pid)
        await self._end(signal.SIGKILL)

    async def drain(self) -> None:
        """Send SIGTERM and wait for the end. Raises WorkerError."""
        await self._end(signal.SIGTERM)

    def pause(self) -> None:
        """SIGSTOP."""
        self.is_paused = True
        os.kill(self.pid, signal.SIGSTOP)

    def resume(self) -> None:
        """SIGCONT."""
        self.is_paused = False
        os.kill(self.pid, signal.SIGCONT)

    def tail(self, size: int = 4000) -> str:
        """Return the end of its log."""
        return self.log.read_bytes()[-size:].decode(errors="replace")

    async def _end(self, number: signal.Signals) -> None:
        process = self._process
        if process is None:
            return
        if process.poll() is None:
            process.send_signal(number)
            if self.is_paused:
                self.resume()
        try:
            await asyncio.to_thread(process.wait, _STOP_SECONDS)
        except subprocess.TimeoutExpired as error:
            process.kill()
            process.wait()
            raise WorkerError(
                f"worker {self.number} did not end by signal {number}:\n{self.tail()}"
            ) from error


def _environment(ledger: Path, package: Path | None) -> Mapping[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("PGTHREADS_", "PG"))}
    source = package or _ROOT / "server"
    return {
        **kept,
        "PYTHONPATH": os.pathsep.join((str(source), str(_ROOT))),
        "PGTHREADS_JWT_SECRET": JWT_SECRET,
        LEDGER: str(ledger),
    }
