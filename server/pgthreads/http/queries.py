"""Reads values from the query of an address."""

from __future__ import annotations

from aiohttp import web

from ..errors import BadRequestError

MAX_INT = 2**31 - 1


def whole_number(request: web.Request, name: str) -> int | None:
    """Return a number of the query; None if it is not there. Raises BadRequestError."""
    text = request.query.get(name)
    if text is None:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 10 and int(text) <= MAX_INT):
        raise BadRequestError(f"{name} is not a whole number")
    return int(text)
