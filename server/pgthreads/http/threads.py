"""The routes of stored threads: list, read, change and delete them.

Messages are passed on as the bytes that PostgreSQL has stored. They are not parsed here.
"""

from __future__ import annotations

import json
import re
from typing import Any

from aiohttp import ETag, web
from msgspec import Raw

from ..errors import BadRequestError, ThreadNotFoundError
from ..events import JsonText
from ..postgres.rows import ChangedThread, ThreadState
from .app_keys import OWNER, THREADS
from .bodies import ABSENT, Body, is_given, is_object, json_text, read_object, string_of
from .queries import whole_number
from .state_keys import require_state_key


class _Change(Body):
    """The body of a PATCH."""

    title: Raw = ABSENT
    metadata: Raw = ABSENT
    archived: Raw = ABSENT


_BOOLEANS = {b"true": True, b"false": False}
_ARCHIVED = {None: False, "false": False, "true": True, "all": None}
"""What `archived` in a query can be."""

_ENTITY_TAG = re.compile(r'"([^"]*)"')


async def list_threads(request: web.Request) -> web.Response:
    """Return a page of the caller's threads, the one with the latest append first."""
    limit = whole_number(request, "limit")
    archived = request.query.get("archived")
    if archived not in _ARCHIVED:
        raise BadRequestError("archived is neither true nor false nor all")
    rows = await request.app[THREADS].list_threads(
        request[OWNER],
        limit=50 if limit is None else limit,
        cursor=request.query.get("cursor"),
        archived=_ARCHIVED[archived],
    )
    more = b""
    if rows and rows[-1].next_cursor is not None:
        more = b', "nextCursor": ' + json.dumps(rows[-1].next_cursor).encode()
    listed = b", ".join(_state(row) for row in rows)
    return _json(b'{"threads": [%b]%b}' % (listed, more))


async def get_thread(request: web.Request) -> web.Response:
    """Return a thread's messages, or a window of them; 304 if the client has them already."""
    key = request.match_info["state_key"]
    known, has_any = _known_tags(request)
    thread = await request.app[THREADS].read_thread(
        request[OWNER],
        key,
        last=whole_number(request, "last"),
        before_seq=whole_number(request, "before"),
        known_digest=next(iter(known)) if len(known) == 1 else None,
        leaf_id=request.query.get("leaf"),
        details=_is_true(request, "details"),
    )
    if thread is None:
        raise ThreadNotFoundError("there is no such thread")
    headers = {"Cache-Control": "private, no-cache", "X-State-Key": thread.state_key}
    response: web.Response
    if thread.messages is None or has_any or thread.digest in known:
        response = web.Response(status=304, headers=headers)
    else:
        body = b'{"stateKey":%b,"messages":%b,"messageCount":%d%b}' % (
            json.dumps(thread.state_key).encode(),
            thread.messages,
            thread.message_count,
            b"" if thread.earlier_seq is None else b',"before":%d' % thread.earlier_seq,
        )
        response = web.Response(body=body, content_type="application/json", headers=headers)
    response.etag = ETag(thread.digest)
    return response


async def get_header(request: web.Request) -> web.Response:
    """Return a thread as the list shows it, without its messages."""
    key = request.match_info["state_key"]
    thread = await request.app[THREADS].read_header(request[OWNER], key)
    if thread is None:
        raise ThreadNotFoundError("there is no such thread")
    return _json(_state(thread))


async def list_branches(request: web.Request) -> web.Response:
    """Return a thread's branches. Their `leafId` is what the GET of a thread takes as `leaf`."""
    key = request.match_info["state_key"]
    rows = await request.app[THREADS].list_branches(request[OWNER], key)
    branches = [
        {
            "leafId": row.leaf_id,
            "createdAt": row.created_at.isoformat(),
            "messageCount": row.message_count,
        }
        for row in rows
    ]
    return web.json_response({"stateKey": key, "branches": branches})


async def patch_thread(request: web.Request) -> web.Response:
    """Rename a thread, merge keys into its metadata, archive it or take it back."""
    key = require_state_key(request.match_info["state_key"])
    title, metadata, archived = await read_object(request, _Change, _changed)
    thread = await request.app[THREADS].update_thread(
        request[OWNER], key, title=title, metadata=metadata, archived=archived
    )
    return _json(thread_header(thread))


async def delete_thread(request: web.Request) -> web.Response:
    """Delete a thread for every reader."""
    await request.app[THREADS].soft_delete_thread(request[OWNER], request.match_info["state_key"])
    return web.Response(status=204)


def _changed(change: _Change) -> tuple[str | None, JsonText | None, bool | None]:
    """Return what is to be changed: the title, the metadata, whether it is archived."""
    title = string_of(change.title)
    if title is None and is_given(change.title):
        raise BadRequestError("title is not a string")
    has_metadata = is_given(change.metadata)
    if has_metadata and not is_object(change.metadata):
        raise BadRequestError("metadata is not an object")
    archived = _BOOLEANS.get(bytes(change.archived).strip())
    if archived is None and is_given(change.archived):
        raise BadRequestError("archived is neither true nor false")
    if title is None and archived is None and not has_metadata:
        raise BadRequestError(
            "there is nothing to change", hint="send title, metadata, archived or several of them"
        )
    return title, json_text(change.metadata) if has_metadata else None, archived


def _state(thread: ThreadState) -> bytes:
    return thread_header(thread, running=thread.running, waiting=thread.waiting)


def thread_header(thread: ChangedThread | ThreadState, **more: Any) -> bytes:
    """The header as JSON. Metadata is passed on unparsed, however deep it is nested."""
    header = {
        "stateKey": thread.state_key,
        "title": thread.title,
        "createdAt": thread.created_at.isoformat(),
        "updatedAt": thread.updated_at.isoformat(),
        "messageCount": thread.message_count,
        "archived": thread.archived_at is not None,
        **more,
    }
    return json.dumps(header)[:-1].encode() + b', "metadata": ' + thread.metadata + b"}"


def _json(body: bytes) -> web.Response:
    return web.Response(body=body, content_type="application/json", charset="utf-8")


def _known_tags(request: web.Request) -> tuple[set[str], bool]:
    """The tags that `If-None-Match` names, and whether it is `*`, any version (RFC 9110, 13.1.2).

    The comparison is weak, so `W/` is ignored: a proxy that compresses adds it. The field may come
    in several lines.
    """
    field = ",".join(request.headers.getall("If-None-Match", ()))
    return set(_ENTITY_TAG.findall(field)), field.strip() == "*"


def _is_true(request: web.Request, name: str) -> bool:
    text = request.query.get(name, "false")
    if text not in ("true", "false"):
        raise BadRequestError(f"{name} is not true or false")
    return text == "true"
