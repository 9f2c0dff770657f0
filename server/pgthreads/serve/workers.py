"""The supervisor: starts, restarts and drains several workers on one listening socket.

The supervisor binds the socket and serves no requests. A socket pair connects it to each worker:
the supervisor sends the settings, the worker answers once it listens, and when one side is gone,
for whatever reason, the other one sees the end of the connection.
docs/decisions/process-manager.md says why this is not left to gunicorn.
"""

from __future__ import annotations

import asyncio
import logging
import os
import pickle
import shutil
import signal
import socket
import sys
import tempfile
from asyncio.subprocess import Process
from collections.abc import Callable, Sequence
from contextlib import suppress
from pathlib import Path

from prometheus_client.multiprocess import mark_process_dead

from ..errors import OperatorError
from ..settings import Settings
from ..turns.pump import EXECUTOR_GRACE
from .process import base_url, end_at_next_signal, serve_as_worker, stop_signal

log = logging.getLogger(__name__)

RESTART_DELAYS = (0.1, 0.5, 1.0, 2.0, 5.0, 10.0, 30.0)
"""Seconds before a worker that has ended is started again. The last one is repeated."""

STEADY_SECONDS = 10.0
"""After a worker has run for this long, its next restart begins with the first delay again."""

START_ATTEMPTS = 5
"""The supervisor gives up after this many failed starts in a row while no worker serves."""

_READY = b"ready\n"


class WorkersError(OperatorError):
    """Workers cannot be started any more."""


class FirstWorkerError(Exception):
    """The first worker did not start, and has printed why. `status` is its exit status."""

    def __init__(self, status: int) -> None:
        super().__init__(f"the first worker ended with status {status}")
        self.status = status


async def supervise(settings: Settings, *, ready: Callable[[str], None]) -> None:
    """Serve with `settings.workers` workers until SIGTERM or SIGINT, like `process.serve`.

    When the first worker listens, `ready` is called with the base URL and the other workers are
    started. A worker that ends by itself is started again. Raises FirstWorkerError and
    WorkersError.
    """
    server = await asyncio.get_running_loop().create_server(
        asyncio.Protocol, settings.host, settings.port, start_serving=False
    )
    with tempfile.TemporaryDirectory(prefix="pgthreads-metrics-") as metrics:
        try:
            await _Workers(settings, [s.fileno() for s in server.sockets], Path(metrics)).run(
                lambda: ready(base_url(server.sockets[0].getsockname()))
            )
        finally:
            server.close()


def work(channel_fd: int, configure: Callable[[Settings], None]) -> None:
    """Be a worker of `_Workers`, at the other end of its channel.

    `configure` is called with the settings before anything else.
    """
    channel = socket.socket(fileno=channel_fd)
    with channel.makefile("rb", buffering=0) as file:
        # It comes from our own supervisor.
        settings, fds = pickle.load(file)  # noqa: S301
    configure(settings)
    asyncio.run(_work(settings, [socket.socket(fileno=fd) for fd in fds], channel))


async def _work(
    settings: Settings, sockets: Sequence[socket.socket], channel: socket.socket
) -> None:
    supervisor, writer = await asyncio.open_connection(sock=channel)
    await serve_as_worker(
        settings, sockets, ready=lambda: writer.write(_READY), supervisor=supervisor
    )


class _Workers:
    def __init__(self, settings: Settings, fds: Sequence[int], metrics: Path) -> None:
        self._settings = settings
        self._fds = fds
        self._metrics = metrics
        self._processes: set[Process] = set()
        self._serving: set[Process] = set()
        self._failed_starts = 0
        self._stopping = asyncio.Event()

    async def run(self, ready: Callable[[], None]) -> None:
        stop = stop_signal()
        first = asyncio.Event()
        tasks = {asyncio.create_task(self._keep(first))}
        waits = {asyncio.create_task(stop.wait()), asyncio.create_task(first.wait())}
        try:
            await asyncio.wait(tasks | waits, return_when=asyncio.FIRST_COMPLETED)
            if first.is_set():
                ready()
                for _ in range(self._settings.workers - 1):
                    tasks.add(asyncio.create_task(self._keep(asyncio.Event())))
                stopped = asyncio.create_task(stop.wait())
                waits.add(stopped)
                await asyncio.wait({*tasks, stopped}, return_when=asyncio.FIRST_COMPLETED)
            await self._stop(tasks)
        finally:
            for wait in waits:
                wait.cancel()
            # No worker is left behind, however this ends.
            self._signal(signal.SIGKILL)
            await asyncio.gather(*tasks, return_exceptions=True)

    async def _stop(self, tasks: set[asyncio.Task[None]]) -> None:
        """Drain all workers, and raise the error with which one of the tasks has ended."""
        self._stopping.set()
        if self._processes:
            log.info(
                "shutting down: waiting up to %s s for running turns", self._settings.drain_timeout
            )
        self._signal(signal.SIGTERM)
        for each in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(each, self._end_now, each)
        done, left = await asyncio.wait(
            tasks, timeout=self._settings.drain_timeout + 4 * EXECUTOR_GRACE
        )
        if left:
            log.error("%s workers have not ended in time: killing them", len(self._processes))
        for task in done:
            task.result()

    def _end_now(self, number: signal.Signals) -> None:
        self._signal(signal.SIGKILL)
        shutil.rmtree(self._metrics, ignore_errors=True)
        end_at_next_signal()
        os.kill(os.getpid(), number)

    def _signal(self, number: signal.Signals) -> None:
        for process in self._processes:
            with suppress(ProcessLookupError):
                process.send_signal(number)

    async def _keep(self, served: asyncio.Event) -> None:
        """Keep a worker running until the server shuts down. Set `served` once it has listened."""
        loop = asyncio.get_running_loop()
        attempt = 0
        while not self._stopping.is_set():
            begun = loop.time()
            status, has_served = await self._run_one(served)
            if self._stopping.is_set():
                return
            if not served.is_set() and not self._serving:
                raise FirstWorkerError(status)
            self._failed_starts = 0 if has_served else self._failed_starts + 1
            if self._failed_starts >= START_ATTEMPTS and not self._serving:
                raise WorkersError("no worker can be started any more", "the lines above say why")
            if loop.time() - begun > STEADY_SECONDS:
                attempt = 0
            delay = RESTART_DELAYS[min(attempt, len(RESTART_DELAYS) - 1)]
            attempt += 1
            with suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), delay)

    async def _run_one(self, served: asyncio.Event) -> tuple[int, bool]:
        """Run a worker to its end. Return its exit status and whether it has listened."""
        try:
            process, reader, writer = await self._start()
        except OSError as error:
            log.error("a worker cannot be started: %s", error)  # noqa: TRY400 - it says all
            return 1, False
        self._processes.add(process)
        if self._stopping.is_set():
            process.terminate()
        has_served = False
        try:
            with suppress(ConnectionError):
                has_served = await reader.readline() == _READY
            if has_served:
                log.info("worker %s listens", process.pid)
                self._serving.add(process)
                served.set()
            status = await process.wait()
        finally:
            writer.close()
            self._processes.discard(process)
            self._serving.discard(process)
            mark_process_dead(process.pid, str(self._metrics))  # type: ignore[no-untyped-call]
        # If the first worker did not start, it has printed why, and there is nothing to add.
        if not self._stopping.is_set() and (served.is_set() or self._serving):
            how = f"status {status}" if status >= 0 else signal.Signals(-status).name
            log.error("worker %s ended with %s", process.pid, how)
        return status, has_served

    async def _start(self) -> tuple[Process, asyncio.StreamReader, asyncio.StreamWriter]:
        ours, theirs = socket.socketpair()
        with theirs:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "pgthreads", "work", str(theirs.fileno())),
                stdin=asyncio.subprocess.DEVNULL,
                pass_fds=(theirs.fileno(), *self._fds),
                env={**os.environ, "PROMETHEUS_MULTIPROC_DIR": str(self._metrics)},
                # A ^C at the terminal is for the supervisor, which tells the workers.
                start_new_session=True,
            )
        reader, writer = await asyncio.open_connection(sock=ours)
        writer.write(pickle.dumps((self._settings, self._fds)))
        return process, reader, writer
