"""Serves until it is told to end: as the only worker, or as one of several."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from collections.abc import Callable, Sequence
from typing import Any

from aiohttp import web

from ..app import DrainingRunner, create_app
from ..http.app_keys import RUNTIME
from ..settings import Settings

log = logging.getLogger(__name__)

SIGNALS = (signal.SIGTERM, signal.SIGINT)


async def serve(settings: Settings, *, ready: Callable[[str], None]) -> None:
    """Serve until SIGTERM or SIGINT. Calls `ready` with the base URL once it listens.

    The first signal drains the server, and a second one ends the process at once. Raises
    StartError.
    """
    runner = DrainingRunner(create_app(settings))
    try:
        await runner.setup()
        await web.TCPSite(runner, settings.host, settings.port).start()
        stop = stop_signal()
        ready(base_url(runner.addresses[0]))
        await stop.wait()
        log.info("shutting down: waiting up to %s s for running turns", settings.drain_timeout)
        end_at_next_signal()
    finally:
        await runner.cleanup()


async def serve_as_worker(
    settings: Settings,
    sockets: Sequence[socket.socket],
    *,
    ready: Callable[[], None],
    supervisor: asyncio.StreamReader,
) -> None:
    """Serve on these sockets until SIGTERM or SIGINT. Calls `ready` once it listens.

    The first signal drains the worker, and further ones change nothing: a process manager may send
    one to every process, and the supervisor another. Once `supervisor` ends, the supervisor is
    gone, and the worker waits for nothing: what exists of its running answers is stored. Raises
    StartError.
    """
    runner = DrainingRunner(create_app(settings))
    stop = stop_signal()

    async def end_with_supervisor() -> None:
        await supervisor.read()
        log.error("the supervisor is gone: shutting down")
        for site in list(runner.sites):
            await site.stop()
        if RUNTIME in runner.app:
            await runner.app[RUNTIME].running.drain(0)
        stop.set()

    watch = asyncio.create_task(end_with_supervisor())
    try:
        await runner.setup()
        # It may have been told to end while it was starting.
        if not stop.is_set():
            for each in sockets:
                await web.SockSite(runner, each).start()
            ready()
            await stop.wait()
    finally:
        await runner.cleanup()
        watch.cancel()


def stop_signal() -> asyncio.Event:
    """Return an event that SIGTERM and SIGINT set from now on."""
    stop = asyncio.Event()
    for each in SIGNALS:
        asyncio.get_running_loop().add_signal_handler(each, stop.set)
    return stop


def end_at_next_signal() -> None:
    """Let the next SIGTERM or SIGINT end this process at once, as it does by default."""
    for each in SIGNALS:
        asyncio.get_running_loop().remove_signal_handler(each)
        signal.signal(each, signal.SIG_DFL)


def base_url(address: Any) -> str:
    """Return the URL of a socket's address."""
    host, port = address[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
