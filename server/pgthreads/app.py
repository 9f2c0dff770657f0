"""The aiohttp application, and its runner for `serve` and process managers."""

from __future__ import annotations

import logging
from typing import Any

from aiohttp import HttpVersion11, web

from .executors import chosen
from .http import changes, chat, export, probes, search, shares
from .http import threads as thread_routes
from .http.app_keys import (
    AUTHENTICATOR,
    EXECUTOR,
    LIMITS,
    METRICS,
    RUNTIME,
    SETTINGS,
    SHARE_LIMITS,
)
from .http.auth import authenticator
from .http.cross_origin import allow_origins
from .http.guard import Guards, most_connections
from .http.limits import Limits
from .http.metrics import Metrics
from .http.middlewares import CLIENT_FAULTS, SHARED_PATH, authenticate, observe, report_errors
from .http.sending import send_in_pieces
from .http.startup import StartError, start_authenticator, start_turns
from .postgres.outages import OUTAGES
from .settings import Settings

__all__ = ("DrainingRunner", "StartError", "create_app", "create_runner")

API = "/api/v1/ai"


def create_app(settings: Settings | None = None) -> web.Application:
    """Return the application. Without `settings` it takes those of the environment.

    On startup it opens its connections. It raises StartError if the database lacks the schema, or
    if row level security would not apply to the role. On shutdown it drains the running turns.
    """
    settings = settings or Settings.from_env()
    logging.getLogger("aiohttp.server").addFilter(CLIENT_FAULTS)
    logging.getLogger("psycopg.pool").addFilter(OUTAGES)
    app = web.Application(
        middlewares=[send_in_pieces, observe, report_errors, authenticate],
        client_max_size=settings.max_body,
    )
    app[SETTINGS] = settings
    app[METRICS] = Metrics()
    app[AUTHENTICATOR] = authenticator(settings)
    app[EXECUTOR] = chosen(settings)
    app[LIMITS] = Limits(
        request_rate=settings.request_rate_in_force,
        max_streams=settings.max_streams_in_force,
        refused=app[METRICS].refuse,
    )
    app[SHARE_LIMITS] = Limits(
        request_rate=settings.request_rate_in_force,
        max_streams=0,
        refused=app[METRICS].refuse,
    )
    app.router.add_post(f"{API}/chat", chat.post_chat)
    app.router.add_get(f"{API}/chat/{{state_key}}/stream", chat.get_stream)
    app.router.add_get(f"{API}/models", chat.get_models)
    app.router.add_get(f"{API}/events", changes.get_events)
    app.router.add_get(f"{API}/search", search.search_threads)
    app.router.add_get(f"{API}/threads", thread_routes.list_threads)
    app.router.add_get(f"{API}/threads/{{state_key}}", thread_routes.get_thread)
    app.router.add_get(f"{API}/threads/{{state_key}}/header", thread_routes.get_header)
    app.router.add_get(f"{API}/threads/{{state_key}}/export", export.export_thread)
    app.router.add_post(f"{API}/threads/{{state_key}}/shares", shares.post_share)
    app.router.add_get(f"{API}/threads/{{state_key}}/shares", shares.list_shares)
    app.router.add_delete(f"{API}/threads/{{state_key}}/shares/{{share_id}}", shares.delete_share)
    app.router.add_get(SHARED_PATH, shares.get_shared)
    app.router.add_get(f"{API}/threads/{{state_key}}/branches", thread_routes.list_branches)
    app.router.add_patch(f"{API}/threads/{{state_key}}", thread_routes.patch_thread)
    app.router.add_delete(f"{API}/threads/{{state_key}}", thread_routes.delete_thread)
    app.router.add_post(f"{API}/threads/{{state_key}}/stop", chat.post_stop)
    allow_origins(app, settings)
    app.router.add_get("/healthz", probes.get_health)
    app.router.add_get("/readyz", probes.get_readiness)
    app.router.add_get("/metrics", probes.get_metrics)
    app.router.add_get("/openapi.json", probes.get_openapi)
    app.router.add_get("/", probes.get_page)
    app.router.add_get("/web/{name:.+}", probes.get_page_file)
    app.cleanup_ctx.append(start_authenticator)
    app.cleanup_ctx.append(start_turns)
    app.on_shutdown.append(_drain)
    app.on_response_prepare.append(_close_connection)
    return app


class DrainingRunner(web.AppRunner):
    """Goes on listening until the running turns have ended, and closes its sockets only then.

    Meanwhile the readiness probe and new turns get 503. Everything else is answered as usual, and
    then the connection is closed. Each connection is guarded.
    """

    def __init__(self, app: web.Application) -> None:
        super().__init__(
            app,
            access_log=None,
            shutdown_timeout=5.0,
            keepalive_timeout=app[SETTINGS].idle_timeout,
            # After a body was refused, the rest of it is read for this long. Otherwise its sender
            # might not see why it was refused.
            lingering_time=min(10.0, app[SETTINGS].body_timeout),
        )
        self._guards: Guards | None = None

    @property
    def server(self) -> Any:
        """What makes the protocol of each connection: aiohttp's server, guarded."""
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
        """Drain, and then stop."""
        await _drain(self.app)
        await super().cleanup()


async def create_runner() -> DrainingRunner:
    """Return a runner of `create_app()`, for gunicorn's worker of aiohttp.

    `create_app` itself works there, too, but then the sockets are closed before it drains.
    """
    return DrainingRunner(create_app())


async def _drain(app: web.Application) -> None:
    if RUNTIME in app:
        await app[RUNTIME].drain(app[SETTINGS].drain_timeout)


async def _close_connection(request: web.Request, response: web.StreamResponse) -> None:
    """Close the connection after a response, if this worker drains or nothing else would end it.

    While it drains, clients and proxies that keep connections have to go elsewhere. In HTTP/1.0
    there are no chunks, so a stream ends when its connection is closed, even if the client wants to
    keep it (RFC 9112, 6.3).
    """
    endless = request.version < HttpVersion11 and response.content_length is None
    if request.app[RUNTIME].draining or endless:
        response.force_close()
    if response.keep_alive is False or not request.keep_alive:
        response.headers["Connection"] = "close"
