"""The routes of links that show a thread to whoever has their token.

A reader of a link has no account. The database decides what its token opens; nothing here knows
whose thread it is.
"""

from __future__ import annotations

import json
import re
from datetime import timedelta

from aiohttp import web
from msgspec import Raw
from nanoid import generate

from ..errors import BadRequestError, ShareNotFoundError
from ..postgres.rows import Share
from .app_keys import OWNER, SHARE_LIMITS, THREADS
from .bodies import ABSENT, Body, is_given, read_object, string_of
from .queries import whole_number
from .state_keys import require_state_key

DEFAULT_SECONDS = 30 * 24 * 3600

PRIVATE_HEADERS = {
    "Cache-Control": "no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
    "X-Robots-Tag": "noindex, nofollow",
}
"""Neither a cache nor a search engine keeps what a link shows."""

_DIGITS = re.compile(rb"[1-9][0-9]{0,9}")


class _Sharing(Body):
    """The body of a POST of shares."""

    share_id: Raw = ABSENT
    leaf_id: Raw = ABSENT
    expires_in: Raw = ABSENT


async def post_share(request: web.Request) -> web.Response:
    """Make a link. Its token is in this answer alone."""
    key = require_state_key(request.match_info["state_key"])
    share_id, leaf_id, seconds = await read_object(request, _Sharing, _asked)
    share = await request.app[THREADS].share_thread(
        request[OWNER], key, share_id, expires_in=timedelta(seconds=seconds), leaf_id=leaf_id
    )
    shown = {**_shown(share), "token": share.token}
    return web.json_response(shown, status=201, headers={"Cache-Control": "no-store"})


async def list_shares(request: web.Request) -> web.Response:
    """Return the links that open a thread, without their tokens."""
    key = request.match_info["state_key"]
    shares = await request.app[THREADS].list_shares(request[OWNER], key)
    return web.json_response({"stateKey": key, "shares": [_shown(share) for share in shares]})


async def delete_share(request: web.Request) -> web.Response:
    """End a link."""
    key, share_id = request.match_info["state_key"], request.match_info["share_id"]
    if not await request.app[THREADS].revoke_share(request[OWNER], key, share_id):
        raise ShareNotFoundError("the thread has no such link")
    return web.Response(status=204)


async def get_shared(request: web.Request) -> web.Response:
    """Return what a link shows to whoever sends its token. Nobody is authenticated here."""
    request.app[SHARE_LIMITS].take_request(request.remote or "")
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "share":
        raise ShareNotFoundError(
            "there is no token of a link", hint="send authorization: Share <token>"
        )
    thread = await request.app[THREADS].read_share(
        token.strip(),
        last=whole_number(request, "last"),
        before_seq=whole_number(request, "before"),
    )
    if thread is None:
        raise ShareNotFoundError("this link shows nothing, or nothing any more")
    head = json.dumps(
        {
            "title": thread.title,
            "sharedAt": thread.shared_at.isoformat(),
            "expiresAt": thread.expires_at.isoformat(),
            **({} if thread.earlier_seq is None else {"before": thread.earlier_seq}),
        }
    )
    body = head[:-1].encode() + b', "messages": ' + thread.messages + b"}"
    return web.Response(
        body=body, content_type="application/json", charset="utf-8", headers=PRIVATE_HEADERS
    )


def _asked(body: _Sharing) -> tuple[str, str | None, int]:
    """Return the id of the link, the leaf that it shows, and for how many seconds."""
    share_id, leaf_id = string_of(body.share_id), string_of(body.leaf_id)
    for name, raw, text in (
        ("shareId", body.share_id, share_id),
        ("leafId", body.leaf_id, leaf_id),
    ):
        if text is None and is_given(raw):
            raise BadRequestError(f"{name} is not a string")
    seconds = DEFAULT_SECONDS
    if is_given(body.expires_in):
        digits = bytes(body.expires_in).strip()
        if not _DIGITS.fullmatch(digits):
            raise BadRequestError("expiresIn is not a whole number of seconds")
        seconds = int(digits)
    return generate() if share_id is None else share_id, leaf_id, seconds


def _shown(share: Share) -> dict[str, object]:
    return {
        "shareId": share.share_id,
        "title": share.title,
        "createdAt": share.created_at.isoformat(),
        "expiresAt": share.expires_at.isoformat(),
    }
