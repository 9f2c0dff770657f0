"""What a turn's stream is compared with: an aiohttp handler that writes its bytes, and no more.

It stores nothing, encodes no JSON and authenticates nobody; `python -m bench.bare PORT` serves it.
"""

from __future__ import annotations

import sys

from aiohttp import web

from bench.source import Plan, deltas
from pgthreads.http.chat import SSE_HEADERS

_START = (
    b'data: {"type":"start","messageId":"V1StGXR8_Z5jdHi6B-myT"}\n\n'
    b'data: {"type":"start-step"}\n\ndata: {"type":"text-start","id":"t0"}\n\n'
)
_BEFORE, _AFTER = b'data: {"type":"text-delta","id":"t0","delta":"', b'"}\n\n'
_END = (
    b'data: {"type":"text-end","id":"t0"}\n\ndata: {"type":"finish-step"}\n\n'
    b'data: {"type":"finish","finishReason":"stop"}\n\ndata: [DONE]\n\n'
)


async def _ready(_: web.Request) -> web.Response:
    return web.Response()


async def _chat(request: web.Request) -> web.StreamResponse:
    body = await request.json()
    plan = Plan.loads(body["messages"][-1]["parts"][0]["text"])
    response = web.StreamResponse(headers=SSE_HEADERS)
    await response.prepare(request)
    await response.write(_START)
    async for text in deltas(plan):
        await response.write(_BEFORE + text.encode() + _AFTER)
    await response.write(_END)
    await response.write_eof()
    return response


def main() -> None:
    """Serve on loopback."""
    app = web.Application()
    app.router.add_get("/readyz", _ready)
    app.router.add_post("/api/v1/ai/chat", _chat)
    web.run_app(app, host="127.0.0.1", port=int(sys.argv[1]), print=None, access_log=None)


if __name__ == "__main__":
    main()
