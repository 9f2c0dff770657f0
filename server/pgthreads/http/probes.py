"""Routes for operators and newcomers: probes, metrics, `openapi.json` and the chat page."""

from __future__ import annotations

from pathlib import Path

from aiohttp import web

from ..errors import PgThreadsError, ShuttingDownError, UnavailableError
from .app_keys import METRICS, RUNTIME, THREADS

API_VERSION = 1
"""The version of the SQL contract that this server calls."""

HERE = Path(__file__).parent
WEB = HERE.parent / "web"
PAGE_POLICY = (
    "default-src 'self'; img-src 'self' data: https:; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'"
)


async def get_health(_: web.Request) -> web.Response:
    """Say that the process is running."""
    return web.json_response({"status": "ok"})


async def get_readiness(request: web.Request) -> web.Response:
    """Say whether this worker takes new turns: 503 while it drains or cannot use the database."""
    if request.app[RUNTIME].draining:
        raise ShuttingDownError
    try:
        await request.app[THREADS].check()
    except PgThreadsError as error:
        raise UnavailableError(f"the database cannot be used: {error}", hint="") from error
    return web.json_response({"status": "ready"})


async def get_metrics(request: web.Request) -> web.Response:
    """Return the metrics in Prometheus's text format."""
    return web.Response(
        body=request.app[METRICS].text(),
        headers={"Content-Type": "text/plain; version=0.0.4; charset=utf-8"},
    )


async def get_openapi(_: web.Request) -> web.FileResponse:
    """Return the description of this API."""
    return web.FileResponse(HERE / "openapi.json")


async def get_page(_: web.Request) -> web.FileResponse:
    """Return the chat page."""
    return web.FileResponse(WEB / "index.html", headers={"Content-Security-Policy": PAGE_POLICY})
