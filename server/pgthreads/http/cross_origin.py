"""Lets pages of other origins call the API (CORS, Fetch standard, 3.2)."""

from __future__ import annotations

import aiohttp_cors
from aiohttp import web

from ..settings import Settings

_NEEDED_HEADERS = ("Authorization", "Content-Type", "If-None-Match")


def allow_origins(app: web.Application, settings: Settings) -> None:
    """Let pages of the named origins call all routes that have been added so far."""
    if not settings.cors_origin:
        return
    headers = settings.cors_headers
    options = aiohttp_cors.ResourceOptions(  # type: ignore[no-untyped-call]
        expose_headers=("X-State-Key", "ETag", "Retry-After", "Content-Disposition"),
        # The answer to a preflight repeats the headers that it asks for. To refuse headers would
        # protect nothing: an origin that may call the API may send the token itself.
        allow_headers="*" if "*" in headers else (*_NEEDED_HEADERS, *headers),
        allow_methods="*",
        max_age=600,
    )
    cors = aiohttp_cors.setup(app, defaults=dict.fromkeys(settings.cors_origin, options))
    for route in list(app.router.routes()):
        cors.add(route)
    app.on_response_prepare.append(_vary_by_origin)


async def _vary_by_origin(_: web.Request, response: web.StreamResponse) -> None:
    """Keep caches from giving one origin's response to another (Fetch standard, 3.2.5)."""
    response.headers["Vary"] = "Origin"
