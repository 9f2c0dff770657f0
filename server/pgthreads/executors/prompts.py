"""A thread's UIMessages as pydantic-ai's ModelMessages.

pydantic-ai has a converter of its own for the AI SDK (`VercelAIAdapter.load_messages`). It is not
used, because it believes what a message says about itself: `providerMetadata` of a user message
can claim a file of the provider's account or lift the guard on downloads, tool output that looks
like a file becomes one, and tool input that is a list, a file link of an assistant, or a part of
another executor ends the turn.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

from pydantic_ai.messages import (
    AudioUrl,
    BinaryContent,
    DocumentUrl,
    ImageUrl,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    SystemPromptPart,
    TextPart,
    ToolCallPart,
    ToolReturnPart,
    UserContent,
    UserPromptPart,
    VideoUrl,
)

from ..events import JsonValue, UIMessage

_URL_TYPES: Mapping[str, type[ImageUrl | AudioUrl | VideoUrl]] = {
    "image": ImageUrl,
    "audio": AudioUrl,
    "video": VideoUrl,
}


def to_model_messages(messages: Sequence[UIMessage]) -> list[ModelMessage]:
    """The history for a prompt, oldest first.

    A step of an answer becomes one response and the results of its tools; a call without a result
    gets one that says so, because providers refuse a call without. Left out: reasoning, which
    providers take back only with a signature that a UIMessage does not keep, and parts that say
    nothing to a model (sources, data). Nothing in a stored message makes this fail.
    """
    history: list[ModelMessage] = []
    for message in messages:
        parts = message["parts"]
        if message["role"] == "system":
            texts = [SystemPromptPart(part["text"]) for part in parts if part["type"] == "text"]
            if texts:
                history.append(ModelRequest(parts=texts))
        elif message["role"] == "user":
            content = [item for part in parts for item in _user_content(part)]
            if content:
                # Plain text as a plain string: not every compatible server takes a list.
                only = content[0] if len(content) == 1 else None
                prompt = UserPromptPart(only if isinstance(only, str) else content)
                history.append(ModelRequest(parts=[prompt]))
        else:
            for step in _steps(parts):
                history.extend(_step_messages(step))
    return history


def _user_content(part: Mapping[str, Any]) -> Iterator[UserContent]:
    if part["type"] == "text":
        yield part["text"]
    elif part["type"] == "file":
        yield _file(part)


def _file(part: Mapping[str, Any]) -> UserContent:
    url: str = part["url"]
    media_type: str = part["mediaType"]
    if url.startswith(("http://", "https://")):
        url_type = _URL_TYPES.get(media_type.partition("/")[0], DocumentUrl)
        return url_type(url, media_type=media_type)
    try:
        return BinaryContent.from_data_uri(url)
    except ValueError:
        return f"[a file that cannot be read: {part.get('filename') or media_type}]"


def _steps(parts: Sequence[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    """Parts by model response. Text after a finished tool begins one even without a marker."""
    step: list[Mapping[str, Any]] = []
    marked = any(part["type"] == "step-start" for part in parts)
    for part in parts:
        after_tool = bool(step) and _is_tool(step[-1]) and not _is_tool(part)
        if part["type"] == "step-start" or (after_tool and not marked):
            yield step
            step = []
        step.append(part)
    yield step


def _step_messages(step: Sequence[Mapping[str, Any]]) -> Iterator[ModelMessage]:
    said: list[TextPart | ToolCallPart] = []
    results: list[ToolReturnPart] = []
    for part in step:
        if part["type"] == "text" and part["text"]:
            said.append(TextPart(part["text"]))
        elif _is_tool(part):
            said.append(ToolCallPart(_tool_name(part), _args(part), part["toolCallId"]))
            results.append(_result(part))
    if said:
        yield ModelResponse(parts=said)
    if results:
        yield ModelRequest(parts=results)


def _is_tool(part: Mapping[str, Any]) -> bool:
    kind: str = part["type"]
    return kind == "dynamic-tool" or kind.startswith("tool-")


def _tool_name(part: Mapping[str, Any]) -> str:
    name: str = part.get("toolName") or part["type"].removeprefix("tool-")
    return name


def _args(part: Mapping[str, Any]) -> str | dict[str, Any]:
    args: JsonValue = part.get("input")
    if isinstance(args, dict):
        return args
    # Providers take an object; another executor may have stored something else.
    return {} if args is None else {"input": args if isinstance(args, str) else json.dumps(args)}


def _result(part: Mapping[str, Any]) -> ToolReturnPart:
    outcome: Literal["success", "failed"] = "failed"
    if part["state"] == "output-available":
        outcome, content = "success", part["output"]
    else:
        content = part.get("errorText", "The tool returned no result.")
    return ToolReturnPart(_tool_name(part), content, part["toolCallId"], outcome=outcome)
