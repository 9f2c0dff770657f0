"""Routes for operators and newcomers: probes, metrics, `openapi.json` and the chat page."""

from __future__ import annotations

from pathlib import Path

from aiohttp import web

from ..errors import PgThreadsError, ShuttingDownError, UnavailableError
from ..executors import OfflineExecutor
from .app_keys import EXECUTOR, METRICS, RUNTIME, THREADS

API_VERSION = 1
"""The version of the SQL contract that this server calls."""

HERE = Path(__file__).parent
WEB = HERE.parent / "web"
PAGE_POLICY = (
    "default-src 'self'; img-src 'self' data: blob:; base-uri 'none'; form-action 'none';"
    " frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
_PAGE_FILES = frozenset(
    path.relative_to(WEB).as_posix() for path in WEB.rglob("*") if path.is_file()
)
_PAGE = (WEB / "index.html").read_text(encoding="utf-8")
_SAFE = {"X-Content-Type-Options": "nosniff", "Referrer-Policy": "no-referrer"}


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


async def get_page(request: web.Request) -> web.Response:
    """Return the chat page, which is told whether the built-in executor answers.

    A browser asks for it each time, so that it names the files of this release.
    """
    headers = {**_SAFE, "Cache-Control": "no-cache", "Content-Security-Policy": PAGE_POLICY}
    page = _PAGE
    if isinstance(request.app[EXECUTOR], OfflineExecutor):
        page = page.replace('name="executor" content=""', 'name="executor" content="offline"')
    return web.Response(text=page, content_type="text/html", headers=headers)


async def get_page_file(request: web.Request) -> web.FileResponse:
    """Return a file that the chat page loads.

    The name of an asset has a digest of its content, so the page of one release never gets a script
    of another, and a browser keeps it for a year.
    """
    name = request.match_info["name"]
    if name not in _PAGE_FILES:
        raise web.HTTPNotFound
    kept = "public, max-age=31536000, immutable" if name.startswith("assets/") else "no-cache"
    return web.FileResponse(WEB / name, headers={**_SAFE, "Cache-Control": kept})
