"""Request bodies: strict JSON, and what of a chat request counts.

CLIENT_SENDS_USER_ONLY: of everything a client sends, the last user message is taken, and of that
its text and file parts. `begin_turn` checks what is left, and refuses any other role or part.
"""

from __future__ import annotations

import asyncio
import json
import math
from dataclasses import dataclass
from typing import Any, NoReturn

from aiohttp import web
from nanoid import generate

from .errors import (
    BadJsonError,
    BadRequestError,
    BodyTimeoutError,
    MediaTypeError,
    MessageError,
    StateKeyError,
)
from .events import UIMessage
from .keys import SETTINGS
from .settings import BUSY_POLICIES

USER_PARTS = frozenset(("text", "file"))


@dataclass(frozen=True, slots=True)
class ChatRequest:
    """What a chat request asks for: `state_key` is None if the client named none.

    `replaces` is the id of the message that is edited, or whose answer is wanted anew, and
    `regenerate` whether it is the latter. `on_busy` is what to do while another turn runs; None
    leaves that to the setting.
    """

    state_key: str | None
    message: UIMessage
    model: str | None
    replaces: str | None
    regenerate: bool
    on_busy: str | None


async def read_object(request: web.Request) -> dict[str, Any]:
    """Return the body as a JSON object; raises one of the classes of `errors`."""
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
        # Nobody gets this answer; it keeps a client that left from being counted as a failure.
        raise BadRequestError("the body ended before its length") from error
    except web.RequestPayloadError as error:
        raise BadRequestError("the body cannot be decoded", detail=str(error)) from error
    try:
        value = json.loads(
            body.decode("utf-8"), parse_constant=_refuse_constant, parse_float=_finite
        )
    except (ValueError, RecursionError) as error:
        raise BadJsonError("the body is not JSON in UTF-8", detail=str(error)) from error
    if not isinstance(value, dict):
        raise BadRequestError("the body is not a JSON object")
    return value


def chat_request(body: dict[str, Any]) -> ChatRequest:
    """Take from a chat request's body what counts. Raises StateKeyError, MessageError."""
    model = body.get("model")
    if model is not None and (not isinstance(model, str) or len(model) > 200):
        raise BadRequestError("model is not a string of at most 200 characters")
    on_busy = body.get("onBusy")
    if on_busy is not None and on_busy not in BUSY_POLICIES:
        raise BadRequestError(f"onBusy is none of {', '.join(BUSY_POLICIES)}")
    message = _user_message(body)
    regenerate = body.get("trigger") == "regenerate-message"
    replaces = body.get("messageId")
    if not isinstance(replaces, str) or not (regenerate or _is_edit(body, message, replaces)):
        replaces = None
    return ChatRequest(state_key_of(body), message, model, replaces, regenerate, on_busy)


def _is_edit(body: dict[str, Any], message: UIMessage, message_id: str) -> bool:
    """Whether the client's last message takes the place of one that it had.

    A tool result of the client's comes with a messageId too, but there the last one is not the
    user's.
    """
    messages = body.get("messages")
    last = messages[-1] if body.get("message") is None and isinstance(messages, list) else message
    return last.get("role") == "user" and message["id"] == message_id


def state_key_of(body: dict[str, Any]) -> str | None:
    """Return `stateKey`, or else the chat's `id`, which is all that a stock `useChat` sends."""
    key = body.get("stateKey")
    if key is None:
        key = body.get("id")
    if key is None:
        return None
    if not isinstance(key, str):
        raise StateKeyError("the state key is not a string")
    return key


def _user_message(body: dict[str, Any]) -> UIMessage:
    message = body.get("message")
    if message is None:
        messages = body.get("messages")
        if not isinstance(messages, list):
            raise MessageError(
                "there is no user message", hint="send messages: UIMessage[], or message"
            )
        message = next(
            (m for m in reversed(messages) if isinstance(m, dict) and m.get("role") == "user"),
            None,
        )
        if message is None:
            raise MessageError(
                "there is no user message", hint="the last message of role user is taken"
            )
    elif isinstance(message, str):
        message = {"role": "user", "parts": [{"type": "text", "text": message}]}
    if not isinstance(message, dict) or message.get("role") != "user":
        raise MessageError(
            "there is no user message", hint="message is a string or a UIMessage of role user"
        )
    return {"id": message.get("id", generate()), "role": "user"} | _content(message)


def _content(message: dict[str, Any]) -> dict[str, Any]:
    parts = message.get("parts")
    if isinstance(parts, list):
        parts = [
            part
            for part in parts
            if not isinstance(part, dict)
            or not isinstance(part.get("type"), str)
            or part["type"] in USER_PARTS
        ]
    content = {"parts": parts}
    if isinstance(message.get("metadata"), dict):
        content["metadata"] = message["metadata"]
    return content


def _refuse_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError("a number is out of range")
    return number
