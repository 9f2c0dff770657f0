"""What surrounds every request: error bodies, `X-State-Key`, the owner, and its time."""

from __future__ import annotations

import logging
import time

from aiohttp import web
from aiohttp.http_exceptions import HttpProcessingError
from aiohttp.typedefs import Handler
from nanoid import generate

from ..errors import (
    BusyError,
    PgThreadsError,
    ShuttingDownError,
    TooManyError,
    UnavailableError,
)
from .app_keys import AUTHENTICATOR, LIMITS, METRICS, OWNER, STATE_KEY
from .guard import Guard
from .state_keys import is_state_key

SHARED_PATH = "/api/v1/ai/shared"
"""The one path below /api/ whose callers have no account, but the token of a link."""

log = logging.getLogger(__name__)

_CODES = {
    400: "bad_request",
    401: "unauthorized",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    413: "body_too_large",
}
_PREFLIGHT_HINT = "allow the page's origin with --cors-origin, and its headers with --cors-headers"


@web.middleware
async def observe(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Measure the time of every request, by its route."""
    begun = time.perf_counter()
    guard = Guard.of(request.transport)
    if guard is not None:
        guard.request_begins()
    resource = request.match_info.route.resource
    route = resource.canonical if resource is not None else "unknown"
    status = 500
    try:
        response = await handler(request)
        status = response.status
    finally:
        request.app[METRICS].requests.labels(request.method, route, str(status)).observe(
            time.perf_counter() - begun
        )
        if guard is not None:
            guard.request_ends()
    return response


@web.middleware
async def report_errors(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Turn every exception into the error body, and name the state key on every API answer.

    Until a handler knows better, the key is the one in the path, else a new one.
    """
    key = request.match_info.get("state_key", "")
    request[STATE_KEY] = key if is_state_key(key) else generate()
    try:
        response = await handler(request)
    except PgThreadsError as error:
        response = _refusal(error)
    except web.HTTPException as error:
        if error.status < 400:
            raise
        response = error_body(
            error.status,
            _CODES.get(error.status, "bad_request"),
            error.reason.lower(),
            _PREFLIGHT_HINT if error.status == 403 and is_preflight(request) else "",
        )
        if "Allow" in error.headers:
            response.headers["Allow"] = error.headers["Allow"]
    except Exception:
        log.exception("%s %s failed", request.method, request.path)
        response = error_body(500, "internal", "internal error")
    if not response.prepared and request.path.startswith("/api/"):
        response.headers.setdefault("X-State-Key", request[STATE_KEY])
    return response


@web.middleware
async def authenticate(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Find the owner of an API request, and count it, before anything else looks at it."""
    # A preflight carries no credentials (Fetch standard, 4.8); the CORS handler answers it.
    if (
        request.path.startswith("/api/")
        and request.path != SHARED_PATH
        and not is_preflight(request)
    ):
        request[OWNER] = await request.app[AUTHENTICATOR].owner(request)
        request.app[LIMITS].take_request(request[OWNER])
    return await handler(request)


class ClientFaults(logging.Filter):
    """Keeps tracebacks of malformed requests out of aiohttp's log, because anybody can send them.

    Such a request was answered with 400.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to log the record."""
        error = record.exc_info[1] if record.exc_info else None
        return not isinstance(error, HttpProcessingError | web.RequestPayloadError)


CLIENT_FAULTS = ClientFaults()


def is_preflight(request: web.Request) -> bool:
    """Whether a browser asks if a page of another origin may make this call."""
    return request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers


def error_body(status: int, code: str, message: str, hint: str = "") -> web.Response:
    """Return a response with `{error, code, hint}`."""
    return web.json_response({"error": message, "code": code, "hint": hint}, status=status)


def _refusal(error: PgThreadsError) -> web.Response:
    if isinstance(error, UnavailableError):
        log.warning("%s: %s %s", error.code, error, error.detail)
    elif error.status >= 500 and not isinstance(error, BusyError | ShuttingDownError):
        log.error("%s: %s %s", error.code, error, error.detail, exc_info=error.__cause__)
    message = str(error) if error.status < 500 or error.code != "internal" else "internal error"
    response = error_body(error.status, error.code, message, error.hint)
    if error.status == 401:
        response.headers["WWW-Authenticate"] = "Bearer"
    if error.status in (429, 503):
        seconds = error.retry_after if isinstance(error, UnavailableError | TooManyError) else 1
        response.headers["Retry-After"] = str(seconds)
    return response
