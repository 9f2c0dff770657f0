"""The aiohttp application, and the runner of it that `serve` and process managers use."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import aiohttp_cors
import psycopg
from aiohttp import HttpVersion11, web

from .errors import OperatorError, PgThreadsError, TenantError, UnavailableError
from .executors import chosen
from .http import chat, probes
from .http import threads as thread_routes
from .http.app_keys import (
    AUTHENTICATOR,
    EXECUTOR,
    FOLLOWERS,
    HEARTBEATS,
    LIMITS,
    METRICS,
    PUMPS,
    SETTINGS,
    SPOOL,
    THREADS,
    TICKER,
    TURNS,
)
from .http.auth import authenticator
from .http.guard import Guards, most_connections
from .http.limits import Fairness, Limits
from .http.metrics import Metrics
from .http.middlewares import CLIENT_FAULTS, authenticate, observe, report_errors
from .http.sending import send_in_pieces
from .postgres.pool import Pool, Timeouts, reason_of
from .postgres.tenants import tenant_of
from .postgres.threads import Threads
from .settings import Settings
from .turns.followed import Followers
from .turns.running import Pumps
from .turns.spool import Spool, SpoolError
from .turns.store import keep_recovering
from .turns.ticker import Ticker

log = logging.getLogger(__name__)

API = "/api/v1/ai"
WEB = Path(__file__).parent / "web"
_NEEDED_HEADERS = ("Authorization", "Content-Type", "If-None-Match")
SPOOL_SECONDS = 5.0
"""How long the start waits for the answers of the spool to be stored."""


class StartError(OperatorError):
    """The server cannot start."""


def create_app(settings: Settings | None = None) -> web.Application:
    """Return the application; without settings, those of the environment.

    On startup it opens the pool and refuses a database without the schema or a role that row level
    security would not hold (StartError). On shutdown it drains the running turns.
    """
    settings = settings or Settings.from_env()
    logging.getLogger("aiohttp.server").addFilter(CLIENT_FAULTS)
    app = web.Application(
        middlewares=[send_in_pieces, observe, report_errors, authenticate],
        client_max_size=settings.max_body,
    )
    app[SETTINGS] = settings
    app[METRICS] = Metrics()
    app[PUMPS] = Pumps(app[METRICS].turn_started, app[METRICS].turn_ended)
    app[AUTHENTICATOR] = authenticator(settings)
    app[EXECUTOR] = chosen(settings)
    app[LIMITS] = Limits(
        request_rate=settings.request_rate_in_force,
        max_streams=settings.max_streams_in_force,
        refused=app[METRICS].refuse,
    )
    app.router.add_post(f"{API}/chat", chat.post_chat)
    app.router.add_get(f"{API}/chat/{{state_key}}/stream", chat.get_stream)
    app.router.add_get(f"{API}/threads", thread_routes.list_threads)
    app.router.add_get(f"{API}/threads/{{state_key}}", thread_routes.get_thread)
    app.router.add_get(f"{API}/threads/{{state_key}}/branches", thread_routes.list_branches)
    app.router.add_patch(f"{API}/threads/{{state_key}}", thread_routes.patch_thread)
    app.router.add_delete(f"{API}/threads/{{state_key}}", thread_routes.delete_thread)
    app.router.add_post(f"{API}/threads/{{state_key}}/stop", chat.post_stop)
    _allow_origins(app, settings)
    app.router.add_get("/healthz", probes.get_health)
    app.router.add_get("/readyz", probes.get_readiness)
    app.router.add_get("/metrics", probes.get_metrics)
    app.router.add_get("/openapi.json", probes.get_openapi)
    app.router.add_get("/", probes.get_page)
    app.router.add_static("/web", WEB)
    app.cleanup_ctx.append(_authenticator)
    app.cleanup_ctx.append(_database)
    app.cleanup_ctx.append(_journal)
    app.cleanup_ctx.append(_recover)
    app.on_shutdown.append(_drain)
    app.on_response_prepare.append(_close_connection)
    return app


class DrainingRunner(web.AppRunner):
    """Goes on listening while running turns end: only then does it close its sockets.

    Meanwhile the readiness probe and new turns are 503, and everything else is answered, on
    connections that are closed afterwards. Each connection is guarded.
    """

    def __init__(self, app: web.Application) -> None:
        super().__init__(
            app,
            access_log=None,
            shutdown_timeout=5.0,
            keepalive_timeout=app[SETTINGS].idle_timeout,
            # So long a body is read on that was refused, for else its sender may not see why.
            lingering_time=min(10.0, app[SETTINGS].body_timeout),
        )
        self._guards: Guards | None = None

    @property
    def server(self) -> Any:
        """What makes a protocol for each connection, once it is set up: aiohttp's, guarded."""
        server = super().server
        if server is None:
            return None
        if self._guards is None:
            self._guards = Guards(
                server,
                header_timeout=self.app[SETTINGS].header_timeout,
                most=most_connections(),
                refused=self.app[METRICS].refuse,
            )
        return self._guards

    async def cleanup(self) -> None:
        """Drain, then stop."""
        await _drain(self.app)
        await super().cleanup()


async def create_runner() -> DrainingRunner:
    """Return a runner of `create_app()`: what gunicorn's worker of aiohttp calls.

    `create_app()` itself works there, too, but its sockets are closed before it drains.
    """
    return DrainingRunner(create_app())


async def _authenticator(app: web.Application) -> AsyncIterator[None]:
    async with app[AUTHENTICATOR].running():
        yield


async def _database(app: web.Application) -> AsyncIterator[None]:
    settings = app[SETTINGS]
    if settings.database_url is None:
        raise StartError("there is no database URL", "Set PGTHREADS_DATABASE_URL.")
    _open_spool(app)
    tenant = tenant_of(settings.tenant_key)
    timeouts = Timeouts(
        connect=settings.connect_timeout,
        acquire=settings.acquire_timeout,
        statement=settings.statement_timeout,
        lock=settings.lock_timeout,
    )
    requests, turns, heartbeats = (
        Pool(
            settings.database_url,
            name=name,
            size=size,
            prepare=settings.prepare,
            timeouts=timeouts,
        )
        for name, size in (
            ("requests", settings.pool_size),
            ("turns", settings.turn_pool_size),
            ("heartbeats", 1),
        )
    )
    try:
        await requests.reach()
    except psycopg.OperationalError as error:
        raise StartError(
            f"the database cannot be reached: {reason_of(error)}",
            "Look whether PostgreSQL runs and lets this role in: pgthreads doctor.",
        ) from error
    async with requests, turns, heartbeats:
        fairness = Fairness(settings.fair_share_in_force, patience=settings.acquire_timeout)
        app[THREADS] = Threads(requests, tenant, fairness=fairness)
        app[TURNS] = Threads(turns, tenant)
        app[HEARTBEATS] = Threads(heartbeats, tenant)
        await _check_database(app[THREADS])
        yield


def _open_spool(app: web.Application) -> None:
    folder = app[SETTINGS].spool_dir
    if folder is None:
        return
    spool = Spool(folder, keep_seconds=app[SETTINGS].keep_answers)
    try:
        spool.open()
    except SpoolError as error:
        raise StartError(str(error), error.hint) from error
    app[SPOOL] = spool


async def _recover(app: web.Application) -> AsyncIterator[None]:
    """Store what earlier processes left, before anybody is served if that takes no longer."""
    spool = app.get(SPOOL)
    if spool is None:
        yield
        return
    first = asyncio.Event()
    task = asyncio.create_task(keep_recovering(app[TURNS], spool, first))
    with suppress(TimeoutError):
        await asyncio.wait_for(first.wait(), SPOOL_SECONDS)
    yield
    task.cancel()
    await asyncio.wait((task,), timeout=SPOOL_SECONDS)


async def _journal(app: web.Application) -> AsyncIterator[None]:
    """Run what writes and what reads the journal."""
    settings = app[SETTINGS]
    interval = settings.journal_interval
    app[TICKER] = Ticker(app[HEARTBEATS], heartbeat=settings.heartbeat, interval=interval)
    app[FOLLOWERS] = Followers(app[THREADS], interval=interval)
    tasks = [asyncio.create_task(each.run()) for each in (app[TICKER], app[FOLLOWERS])]
    yield
    for task in tasks:
        task.cancel()
    await asyncio.wait(tasks)


async def _check_database(threads: Threads) -> None:
    try:
        role = await threads.require_server_role()
        version = await threads.api_version()
        notes = await threads.site_notes()
    except UnavailableError as error:
        raise StartError(
            f"the database cannot be used: {error} ({error.detail})",
            "Look whether PostgreSQL runs and lets this role in: pgthreads doctor.",
        ) from error
    except PgThreadsError as error:
        raise StartError(
            ": ".join(filter(None, ("the database cannot be used", str(error), error.detail))),
            error.hint or _hint_of(error),
        ) from error
    if version != probes.API_VERSION:
        raise StartError(
            f"the database speaks version {version} of the contract, this server"
            f" {probes.API_VERSION}",
            "Run pgthreads migrate with the release of this server.",
        )
    try:
        await threads.require_tenant()
    except TenantError as error:
        raise StartError(
            f"the database does not take this server's tenants: {error}. {error.detail}",
            "Set --tenant-key to a key of pgthreads.tenant_key that is active.",
        ) from error
    log.info("connected as %s", role)
    for each in notes:
        if each.topic == "login setting":
            log.info("every program that uses this login shares its settings: %s", each.note)


def _hint_of(refusal: PgThreadsError) -> str:
    cause = refusal.__cause__
    if isinstance(cause, psycopg.errors.InsufficientPrivilege) and cause.diag.message_hint:
        return cause.diag.message_hint
    return "Run pgthreads migrate, and connect as a member of pgthreads_server."


async def _drain(app: web.Application) -> None:
    await app[PUMPS].drain(app[SETTINGS].drain_timeout)
    if FOLLOWERS in app:
        app[FOLLOWERS].close()


async def _close_connection(request: web.Request, response: web.StreamResponse) -> None:
    """Send a client that keeps its connection, and a proxy, elsewhere while this server ends.

    And end by it what has no other end: in HTTP/1.0 there are no chunks, so a stream goes on until
    its connection is closed, also where the client wants to keep it (RFC 9112, 6.3).
    """
    endless = request.version < HttpVersion11 and response.content_length is None
    if request.app[PUMPS].draining or endless:
        response.force_close()
    if response.keep_alive is False or not request.keep_alive:
        response.headers["Connection"] = "close"


def _allow_origins(app: web.Application, settings: Settings) -> None:
    """Let pages of the named origins call the API routes, which are all that exist so far."""
    if not settings.cors_origin:
        return
    headers = settings.cors_headers
    options = aiohttp_cors.ResourceOptions(  # type: ignore[no-untyped-call]
        expose_headers=("X-State-Key", "ETag", "Retry-After"),
        # A preflight's answer repeats the headers that it asks for. They protect nothing here: an
        # origin that may call may send the token itself.
        allow_headers="*" if "*" in headers else (*_NEEDED_HEADERS, *headers),
        allow_methods="*",
        max_age=600,
    )
    cors = aiohttp_cors.setup(app, defaults=dict.fromkeys(settings.cors_origin, options))
    for route in list(app.router.routes()):
        cors.add(route)
    app.on_response_prepare.append(_vary_by_origin)


async def _vary_by_origin(_: web.Request, response: web.StreamResponse) -> None:
    """Keep caches from giving one origin's answer to another (Fetch standard, 3.2.5)."""
    response.headers["Vary"] = "Origin"
