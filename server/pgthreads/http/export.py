"""The route that sends a whole thread as a file: Markdown for people, or JSON for programs.

However long the thread is, one page of it is in memory.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from urllib.parse import quote

from aiohttp import web

from ..errors import BadRequestError, PgThreadsError, ThreadNotFoundError
from ..message.markdown import heading, message_markdown
from ..postgres.fairness import LARGE
from ..postgres.nesting import loads
from ..postgres.rows import ExportedMessage, ThreadState
from .app_keys import LIMITS, OWNER, THREADS
from .sending import Sender
from .threads import thread_header

_FORMATS = {"markdown": ("text/markdown", "md"), "json": ("application/json", "json")}
_NO_NAME = re.compile(r'[\x00-\x1f\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069<>:"/\\|?*%]+')
_NO_ASCII = re.compile(r"[^ -~]+")


async def export_thread(request: web.Request) -> web.StreamResponse:
    """Send a thread as a download. A broken download has no end, so that clients notice it."""
    kind = request.query.get("format", "markdown")
    if kind not in _FORMATS:
        raise BadRequestError("format is neither markdown nor json")
    owner, key = request[OWNER], request.match_info["state_key"]
    leaf_id = request.query.get("leaf")
    threads = request.app[THREADS]
    with request.app[LIMITS].stream(owner):
        header = await threads.read_header(owner, key)
        if header is None:
            raise ThreadNotFoundError("there is no such thread")
        page = await threads.export_thread(owner, key, leaf_id=leaf_id)

        async def pages() -> AsyncIterator[list[ExportedMessage]]:
            rows = page
            while rows:
                yield rows
                last = rows[-1]
                rows = await threads.export_thread(
                    owner, key, after_seq=last.seq, head_seq=last.head_seq
                )

        content_type, ending = _FORMATS[kind]
        response = web.StreamResponse(
            headers={
                "Content-Type": f"{content_type}; charset=utf-8",
                "Content-Disposition": disposition(header.title or key, ending),
                "Cache-Control": "private, no-store",
                "X-Content-Type-Options": "nosniff",
                "X-State-Key": key,
            }
        )
        pieces = _markdown(header, pages()) if kind == "markdown" else _json(header, pages())
        await _send(request, response, pieces)
    return response


async def _send(
    request: web.Request, response: web.StreamResponse, pieces: AsyncIterator[bytes]
) -> None:
    if request.method == "HEAD":
        await response.prepare(request)
        return
    try:
        async with Sender(request, response) as sender:
            async for piece in pieces:
                await sender.write(piece)
            await sender.end()
    except ConnectionError:
        pass
    except PgThreadsError:
        # The head has been sent, so this is the only way to say that the rest does not come.
        if request.transport is not None:
            request.transport.abort()


async def _markdown(
    header: ThreadState, pages: AsyncIterator[list[ExportedMessage]]
) -> AsyncIterator[bytes]:
    yield heading(header.title or header.state_key).encode()
    async for rows in pages:
        for row in rows:
            # A large message takes a fraction of a second, in which others want to be served.
            if len(row.message) > LARGE:
                yield await asyncio.to_thread(_shown, row)
            else:
                yield _shown(row)


def _shown(row: ExportedMessage) -> bytes:
    said_at = row.created_at.astimezone(UTC) if row.created_at else None
    shown = message_markdown(loads(row.message), f"{said_at:%Y-%m-%d %H:%M} UTC" if said_at else "")
    return shown.encode("utf-8", "replace")


async def _json(
    header: ThreadState, pages: AsyncIterator[list[ExportedMessage]]
) -> AsyncIterator[bytes]:
    exported_at = json.dumps(datetime.now(UTC).isoformat()).encode()
    yield thread_header(header)[:-1] + b', "exportedAt": ' + exported_at + b', "messages": ['
    between = b"\n"
    async for rows in pages:
        for row in rows:
            yield between + row.message
            between = b",\n"
    yield b"\n]}\n"


def disposition(title: str, ending: str) -> str:
    """Return the `Content-Disposition` of a download that is named after a title (RFC 6266)."""
    name = " ".join(_NO_NAME.sub(" ", title).split()).strip(" .")[:80].strip(" .") or "thread"
    plain = " ".join(_NO_ASCII.sub(" ", name).split()) or "thread"
    encoded = quote(f"{name}.{ending}", safe="")
    return f"attachment; filename=\"{plain}.{ending}\"; filename*=UTF-8''{encoded}"
