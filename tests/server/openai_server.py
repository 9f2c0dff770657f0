"""A local server that speaks OpenAI's two streaming protocols, following a script.

Each request takes the next reply of the script; `requests` keeps the bodies that were posted.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.server.providers import RefusedError, openai_chat

Json = dict[str, Any]


@dataclass
class Reply:
    """A completion: `deltas` as in `choices[0].delta`, then how it finishes.

    `status` other than 200 answers with an error of this `message` instead; `drop` cuts the
    connection after the deltas; `hold` waits for the event after the deltas, before going on.
    """

    deltas: Sequence[Json] = ()
    finish_reason: str = "stop"
    prompt_tokens: int = 10
    completion_tokens: int = 5
    status: int = 200
    message: str = "secret provider detail"
    drop: bool = False
    hold: asyncio.Event | None = None


def text(*pieces: str, **how: Any) -> Reply:
    """An answer of text, one delta for each piece."""
    return Reply([{"content": piece} for piece in pieces], **how)


def tool_call(call_id: str, name: str, arguments: str, before: str = "") -> Reply:
    """One tool call, with its arguments in two deltas, perhaps with text before it."""
    half = len(arguments) // 2
    call: Json = {"index": 0, "id": call_id, "type": "function"}
    function = {"name": name, "arguments": arguments[:half]}
    deltas: list[Json] = [{"content": before}] if before else []
    deltas += [
        {"tool_calls": [{**call, "function": function}]},
        {"tool_calls": [{"index": 0, "function": {"arguments": arguments[half:]}}]},
    ]
    return Reply(deltas, finish_reason="tool_calls")


@dataclass
class OpenAI:
    """The running server; `url` is the base URL for a client."""

    url: str
    script: list[Reply]
    requests: list[Json] = field(default_factory=list)
    check: bool = False

    async def complete(self, request: web.Request) -> web.StreamResponse:
        """`POST /v1/chat/completions`."""
        self.requests.append(await request.json())
        if self.check and (fault := fault_of(self.requests[-1])):
            error = {"message": fault, "type": "invalid_request_error", "code": None}
            return web.json_response({"error": error}, status=400)
        reply = self.script.pop(0)
        if reply.status != 200:
            error = {"message": reply.message, "type": "error", "code": None}
            return web.json_response({"error": error}, status=reply.status)
        response = await _event_stream(request)
        for delta in reply.deltas:
            await response.write(_frame([{"index": 0, "delta": delta, "finish_reason": None}]))
        if reply.hold is not None:
            await reply.hold.wait()
        if reply.drop:
            assert request.transport is not None
            request.transport.abort()
            return response
        end = {"index": 0, "delta": {}, "finish_reason": reply.finish_reason}
        await response.write(_frame([end]))
        usage = {
            "prompt_tokens": reply.prompt_tokens,
            "completion_tokens": reply.completion_tokens,
            "total_tokens": reply.prompt_tokens + reply.completion_tokens,
        }
        await response.write(_frame([], usage=usage))
        await response.write(b"data: [DONE]\n\n")
        return response

    async def respond(self, request: web.Request) -> web.StreamResponse:
        """`POST /v1/responses`, for replies in text."""
        self.requests.append(await request.json())
        reply = self.script.pop(0)
        item: Json = {"id": "msg_1", "type": "message", "role": "assistant", "status": "completed"}
        whole = {"type": "output_text", "text": "", "annotations": []}
        place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
        events: list[Json] = [
            {"type": "response.created", "response": _response("in_progress")},
            {
                "type": "response.output_item.added",
                "output_index": 0,
                "item": {**item, "content": []},
            },
            {"type": "response.content_part.added", **place, "part": dict(whole)},
        ]
        for delta in reply.deltas:
            whole["text"] += delta["content"]
            events.append(
                {
                    "type": "response.output_text.delta",
                    **place,
                    "delta": delta["content"],
                    "logprobs": [],
                }
            )
        item["content"] = [whole]
        usage = {
            "input_tokens": reply.prompt_tokens,
            "output_tokens": reply.completion_tokens,
            "total_tokens": reply.prompt_tokens + reply.completion_tokens,
            "input_tokens_details": {"cached_tokens": 0},
            "output_tokens_details": {"reasoning_tokens": 0},
        }
        events += [
            {"type": "response.output_item.done", "output_index": 0, "item": item},
            {
                "type": "response.completed",
                "response": _response("completed", output=[item], usage=usage),
            },
        ]
        response = await _event_stream(request)
        for number, event in enumerate(events):
            data = json.dumps({**event, "sequence_number": number})
            await response.write(f"event: {event['type']}\ndata: {data}\n\n".encode())
        return response


def fault_of(body: Json) -> str:
    """What OpenAI would refuse of a request; nothing if it is a good one."""
    try:
        openai_chat(body)
    except RefusedError as error:
        return str(error)
    return ""


async def _event_stream(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse(headers={"content-type": "text/event-stream"})
    await response.prepare(request)
    return response


def _response(status: str, **more: Any) -> Json:
    return {
        "id": "resp_1",
        "object": "response",
        "created_at": 1,
        "model": "local",
        "status": status,
        "output": [],
        "parallel_tool_calls": True,
        "tool_choice": "auto",
        "tools": [],
        **more,
    }


def _frame(choices: list[Json], **more: Any) -> bytes:
    chunk = {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "local",
        "choices": choices,
        **more,
    }
    return f"data: {json.dumps(chunk)}\n\n".encode()


@asynccontextmanager
async def serve(*script: Reply, check: bool = False) -> AsyncIterator[OpenAI]:
    """Run the server on a free local port. With `check` it refuses what OpenAI refuses."""
    openai = OpenAI("", list(script), check=check)
    app = web.Application()
    app.router.add_post("/v1/chat/completions", openai.complete)
    app.router.add_post("/v1/responses", openai.respond)
    async with TestServer(app) as server:
        openai.url = str(server.make_url("/v1"))
        yield openai
