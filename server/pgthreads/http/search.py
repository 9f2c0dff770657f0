"""The route that searches the caller's threads."""

from __future__ import annotations

from aiohttp import web

from ..errors import BadRequestError
from .app_keys import OWNER, THREADS
from .queries import whole_number

DEFAULT_LIMIT = 20


async def search_threads(request: web.Request) -> web.Response:
    """Return the threads that fit a query, and say whether messages or only titles were searched.

    `searched` is `messages` where the optional search is installed: then the best hit comes first.
    Otherwise it is `titles`, and the thread with the latest append comes first.
    """
    query = request.query.get("q")
    if query is None:
        raise BadRequestError("there is no query", hint="send it as q")
    limit = whole_number(request, "limit")
    offset = whole_number(request, "offset") or 0
    limit = DEFAULT_LIMIT if limit is None else limit
    threads = request.app[THREADS]
    page: dict[str, object] = {}
    if await threads.has_search():
        page["searched"] = "messages"
        hits = await threads.search_threads(request[OWNER], query, limit=limit, offset=offset)
        page["threads"] = [
            {
                "stateKey": hit.state_key,
                "title": hit.title,
                "messageCount": hit.message_count,
                "updatedAt": hit.updated_at.isoformat(),
                "hits": hit.hits,
                "messageId": hit.message_id,
                "role": hit.role,
                "snippet": hit.snippet,
            }
            for hit in hits
        ]
        found = len(hits)
    else:
        page["searched"] = "titles"
        titles = await threads.search_titles(request[OWNER], query, limit=limit, offset=offset)
        page["threads"] = [
            {
                "stateKey": row.state_key,
                "title": row.title,
                "messageCount": row.message_count,
                "updatedAt": row.updated_at.isoformat(),
                "hits": 1,
                "messageId": None,
                "role": None,
                "snippet": None,
            }
            for row in titles
        ]
        found = len(titles)
    if found == limit:
        page["nextOffset"] = offset + limit
    return web.json_response(page)
