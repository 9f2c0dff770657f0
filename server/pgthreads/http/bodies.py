"""Request bodies: strict JSON, of which only what is read becomes objects.

The loop that reads a body serves everybody else as well, and a megabyte of numbers or lists would
keep it for a tenth of a second. So msgspec decodes a body into pieces of itself (`Raw`): it checks
the grammar and makes no objects. What is for the database goes there as the bytes that came.
"""

from __future__ import annotations

import asyncio
import math
import re
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from typing import TypeVar

import msgspec
from aiohttp import web
from msgspec import Raw, Struct

from ..errors import (
    BadJsonError,
    BadRequestError,
    BodyTimeoutError,
    LimitError,
    MediaTypeError,
)
from ..events import JsonText
from ..postgres.fairness import LARGE
from .app_keys import LIMITS, SETTINGS

MAX_DIGITS = 4300
"""The longest whole number that is accepted, because Python's `int` takes no longer one."""

ABSENT = Raw()
"""The value of a field that the body does not have."""


class Body(Struct, rename="camel"):
    """What is read of a body: fields of type Raw, with `ABSENT` as their default."""


Shape = TypeVar("Shape", bound=Body)
Taken = TypeVar("Taken")

_LONE_HALF = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}(?!\\u[dD][c-fC-F][0-9a-fA-F]{2})"
    rb"|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\u[dD][c-fC-F][0-9a-fA-F]{2}"
)
_NO_SECOND_HALF = re.compile(rb"\\(?!u[dD][c-fC-F])|(?<!\\u[dD][89abAB][0-9a-fA-F]{2})\\")
_HELD = b"\x01\x01"
"""Stands for an escaped backslash for a moment. JSON has no control characters in strings."""

_SHAPE = bytes.maketrans(b"123456789E", b"000000000e")
_SUSPICIOUS = (b"e000", b"0" * 200)
"""One of these is in the shape of a number that is out of range, without its signs `+`.

It has an exponent of three digits, or else so many digits that one of two digits is too much.
"""
_NUMBER = re.compile(rb"\d[\d.eE+-]{4,}+")


async def read_object(
    request: web.Request, shape: type[Shape], take: Callable[[Shape], Taken]
) -> Taken:
    """Return what `take` makes of the body, a JSON object.

    Raises what `take` raises, and MediaTypeError, BodyTimeoutError, BadRequestError, BadJsonError
    and LimitError.
    """
    if request.content_type != "application/json":
        raise MediaTypeError(
            "the body is not application/json", hint="send content-type: application/json"
        )
    try:
        async with asyncio.timeout(request.app[SETTINGS].body_timeout):
            body = await request.read()
    except TimeoutError as error:
        raise BodyTimeoutError(hint="send the whole body at once") from error
    except ConnectionError as error:
        # Nobody gets this response. It keeps a client that has left from being counted as a
        # failure.
        raise BadRequestError("the body ended before its length") from error
    except web.RequestPayloadError as error:
        raise BadRequestError("the body cannot be decoded", detail=str(error)) from error
    # A large one takes the time of others, although they are served after each of its pieces.
    async with request.app[LIMITS].bodies.enter() if len(body) > LARGE else nullcontext():
        pieces = []
        for piece in without_lone_halves(body):
            pieces.append(piece)
            await asyncio.sleep(0)
        body = b"".join(pieces)
        decoded = decode(body, shape)
        for piece in outside_strings(body):
            require_finite(piece)
            await asyncio.sleep(0)
        return take(decoded)


def decode(body: bytes, shape: type[Shape]) -> Shape:
    """Check that a body is a JSON object, and return the fields of `shape`.

    Raises BadJsonError, BadRequestError and LimitError. Halves of surrogate pairs must not stand
    alone in it, and the range of its numbers is not looked at.
    """
    try:
        # msgspec looks only at what becomes a string, whether it is UTF-8.
        body.decode()
        return msgspec.json.decode(body, type=shape)
    except RecursionError as error:
        raise LimitError(
            "the body is nested too deep", hint="no JSON is taken that has more than 60 levels"
        ) from error
    except msgspec.ValidationError as error:
        raise BadRequestError("the body is not a JSON object") from error
    except (ValueError, msgspec.DecodeError) as error:
        raise BadJsonError("the body is not JSON in UTF-8", detail=str(error)) from error


def without_lone_halves(body: bytes) -> Iterator[bytes]:
    r"""Return JSON in pieces, with `\u0000` for each half of a surrogate pair that stands alone.

    msgspec refuses such halves. The database makes U+FFFD of either, and where a half is refused
    U+0000 is refused as well.
    """
    if (rb"\ud" not in body and rb"\uD" not in body) or _HELD[:1] in body:
        yield body
        return
    held = body.replace(rb"\\", _HELD)
    begin = 0
    while begin < len(held):
        # A piece begins with an escape that is not the second half of a pair.
        cut = _NO_SECOND_HALF.search(held, begin + LARGE)
        end = cut.start() if cut else len(held)
        yield _LONE_HALF.sub(rb"\\u0000", held[begin:end]).replace(_HELD, rb"\\")
        begin = end


def outside_strings(body: bytes) -> Iterator[bytes]:
    """Return JSON in pieces, without its strings. No number is cut in two."""
    # Nothing is left of escapes, so that each quote begins or ends a string.
    text = body.replace(rb"\\", b"").replace(rb"\"", b"")
    begin = 0
    while begin < len(text):
        end = begin + LARGE
        quote = text.find(b'"', end)
        if text.count(b'"', begin, end) % 2:
            end = quote + 1
        else:
            found = text.find(b",", end, max(quote, 0) or len(text))
            end = found if found >= 0 else quote
        if end <= begin:
            end = len(text)
        yield b'"'.join(text[begin:end].split(b'"')[::2])
        begin = end


def require_finite(piece: bytes) -> None:
    """Raise BadJsonError if a number in JSON without strings is out of range."""
    shape = piece.translate(_SHAPE, b"+")
    if not any(each in shape for each in _SUSPICIOUS):
        return
    if not all(map(_is_finite, _NUMBER.findall(piece))):
        raise BadJsonError("the body is not JSON in UTF-8", detail="a number is out of range")


def is_given(raw: Raw) -> bool:
    """Whether a field is there and not null."""
    return bytes(memoryview(raw)[:5]) not in (b"", b"null")


def is_object(raw: Raw) -> bool:
    """Whether a field is an object."""
    return bytes(memoryview(raw)[:1]) == b"{"


def is_list(raw: Raw) -> bool:
    """Whether a field is a list."""
    return bytes(memoryview(raw)[:1]) == b"["


def string_of(raw: Raw) -> str | None:
    """Return the string that a field is; None if it is anything else."""
    if bytes(memoryview(raw)[:1]) != b'"':
        return None
    return msgspec.json.decode(raw, type=str)


def json_text(json: Raw | bytes) -> JsonText:
    """Return JSON as the text that the database gets."""
    return JsonText(bytes(json), "utf-8")


def _is_finite(number: bytes) -> bool:
    return len(number) <= MAX_DIGITS if number.isdigit() else math.isfinite(float(number))
