"""Reads request bodies: strict JSON, and of a chat request only what counts.

CLIENT_SENDS_USER_ONLY: of everything that a client sends, only the text and file parts of the last
user message are used. `begin_turn` checks them, and refuses any other role or part. The id of the
message before that one says where the page continues the thread; nothing else of it is used.
"""

from __future__ import annotations

import asyncio
import json
import math
from contextlib import nullcontext
from typing import Any, NoReturn

from aiohttp import web
from nanoid import generate

from ..errors import (
    BadJsonError,
    BadRequestError,
    BodyTimeoutError,
    LimitError,
    MediaTypeError,
    MessageError,
    StateKeyError,
)
from ..events import UIMessage
from ..postgres.fairness import LARGE
from ..postgres.nesting import without_gc
from ..settings import BUSY_POLICIES, STALE_POLICIES
from ..turns.begin import ChatRequest
from .app_keys import LIMITS, SETTINGS

USER_PARTS = frozenset(("text", "file"))
MAX_ID = 256
MAX_TURN_ID = 128


async def read_object(request: web.Request) -> dict[str, Any]:
    """Return the body as a JSON object.

    Raises MediaTypeError, BodyTimeoutError, BadRequestError, BadJsonError and LimitError.
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
    try:
        lane = request.app[LIMITS].bodies.enter() if len(body) > LARGE else nullcontext()
        # While a large body is parsed, all other requests of this worker wait.
        async with lane:
            with without_gc():
                value = json.loads(
                    body.decode("utf-8"), parse_constant=_refuse_constant, parse_float=_finite
                )
    except RecursionError as error:
        raise LimitError(
            "the body is nested too deep", hint="no JSON is taken that has more than 60 levels"
        ) from error
    except ValueError as error:
        raise BadJsonError("the body is not JSON in UTF-8", detail=str(error)) from error
    if not isinstance(value, dict):
        raise BadRequestError("the body is not a JSON object")
    return value


def chat_request(body: dict[str, Any]) -> ChatRequest:
    """Take from the body of a chat request what counts. Raises MessageError, BadRequestError."""
    model = body.get("model")
    if model is not None and (not isinstance(model, str) or len(model) > 200):
        raise BadRequestError("model is not a string of at most 200 characters")
    turn_id = body.get("turnId")
    if turn_id is not None and not _is_id(turn_id, MAX_TURN_ID):
        raise BadRequestError(f"turnId is not a string of 1 to {MAX_TURN_ID} characters")
    message, shown_before = _question(body)
    regenerate = body.get("trigger") == "regenerate-message"
    replaces = body.get("messageId")
    if not isinstance(replaces, str) or not (regenerate or _is_edit(body, message, replaces)):
        replaces = None
    on_stale = _choice(body, "onStale", STALE_POLICIES)
    parent_id = body.get("parentId")
    if parent_id is None:
        parent_id = shown_before
    elif parent_id == "" or _is_id(parent_id, MAX_ID):
        on_stale = "branch"
    else:
        raise BadRequestError(f"parentId is not a string of at most {MAX_ID} characters")
    return ChatRequest(
        message=message,
        model=model,
        replaces=replaces,
        regenerate=regenerate,
        on_busy=_choice(body, "onBusy", BUSY_POLICIES),
        parent_id=parent_id,
        on_stale=on_stale,
        turn_id=turn_id,
    )


def continued_answer(body: dict[str, Any]) -> str | None:
    """Return the id of the answer that the client wants to have continued; None for a question.

    `sendAutomaticallyWhen` of the AI SDK asks for that when an answer ends with a tool's result:
    the last message is then the answer, and `messageId` names it.
    """
    messages, message_id = body.get("messages"), body.get("messageId")
    if body.get("message") is not None or body.get("trigger") == "regenerate-message":
        return None
    last = messages[-1] if isinstance(messages, list) and messages else None
    if not isinstance(last, dict) or last.get("role") != "assistant":
        return None
    return message_id if isinstance(message_id, str) and message_id == last.get("id") else None


def _is_edit(body: dict[str, Any], message: UIMessage, message_id: str) -> bool:
    """Whether the client's last message replaces an earlier one with the same id."""
    messages = body.get("messages")
    last = messages[-1] if body.get("message") is None and isinstance(messages, list) else message
    return isinstance(last, dict) and last.get("role") == "user" and message["id"] == message_id


def _is_id(value: object, longest: int) -> bool:
    """Whether this can be an id in the database."""
    if not isinstance(value, str) or not 1 <= len(value) <= longest or "\0" in value:
        return False
    return not any("\ud800" <= each <= "\udfff" for each in value)


def _choice(body: dict[str, Any], name: str, choices: tuple[str, ...]) -> str | None:
    value = body.get(name)
    if value is not None and value not in choices:
        raise BadRequestError(f"{name} is not one of {', '.join(choices)}")
    return value


def state_key_of(body: dict[str, Any]) -> str | None:
    """Return `stateKey`, or the chat's `id`, which is all that an unchanged `useChat` sends.

    Raises StateKeyError if it is not a string.
    """
    key = body.get("stateKey")
    if key is None:
        key = body.get("id")
    if key is None:
        return None
    if not isinstance(key, str):
        raise StateKeyError("the state key is not a string")
    return key


def _question(body: dict[str, Any]) -> tuple[UIMessage, str | None]:
    """Return the last user message, and the id of the message before it.

    The id is "" if there is no message before it, and None if the client does not say.
    """
    message = body.get("message")
    before: str | None = None
    if message is None:
        messages = body.get("messages")
        if not isinstance(messages, list):
            raise MessageError(
                "there is no user message", hint="send messages: UIMessage[], or message"
            )
        for place in reversed(range(len(messages))):
            message = messages[place]
            if isinstance(message, dict) and message.get("role") == "user":
                before = _before(body, messages, place)
                break
        else:
            raise MessageError(
                "there is no user message",
                hint="the last message of role user is the one that counts",
            )
    elif isinstance(message, str):
        message = {"role": "user", "parts": [{"type": "text", "text": message}]}
    if not isinstance(message, dict) or message.get("role") != "user":
        raise MessageError(
            "there is no user message", hint="message is a string or a UIMessage of role user"
        )
    return {"id": message.get("id", generate()), "role": "user"} | _content(message), before


def _before(body: dict[str, Any], messages: list[Any], place: int) -> str | None:
    if place == 0:
        # The AI SDK's own transport names a trigger and sends everything that the page shows.
        # Others send only the last message, which does not say where it belongs.
        return "" if isinstance(body.get("trigger"), str) else None
    known = messages[place - 1]
    before = known.get("id") if isinstance(known, dict) else None
    return before if isinstance(before, str) and _is_id(before, MAX_ID) else None


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
