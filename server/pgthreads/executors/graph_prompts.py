"""Makes a thread's history, as `history.prompt_history` returns it, into LangChain's messages."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from langchain_core.messages import (
    AIMessage,
    AnyMessage,
    HumanMessage,
    SystemMessage,
    ToolCall,
    ToolMessage,
)

from ..events import JsonValue, UIMessage
from ..history import prompt_history
from ..message.calls import is_tool
from ..message.files import file_of
from ..message.outputs import without_files


def messages_of(history: Sequence[UIMessage]) -> list[AnyMessage]:
    """The stored thread as LangChain's messages."""
    made: list[AnyMessage] = []
    for message in prompt_history(history):
        parts = message["parts"]
        if message["role"] == "system":
            made.append(SystemMessage(_joined(parts)))
        elif message["role"] == "user":
            made.append(_question(parts))
        else:
            step: list[Mapping[str, Any]] = []
            for part in parts:
                if part["type"] == "step-start":
                    made += _step(step)
                    step = []
                else:
                    step.append(part)
            made += _step(step)
    return made


def _question(parts: Sequence[Mapping[str, Any]]) -> HumanMessage:
    blocks = [dict(part) if part["type"] == "text" else _block_of(part) for part in parts]
    if all(block["type"] == "text" for block in blocks):
        # Plain text is sent as a string, because not every compatible provider accepts a list.
        return HumanMessage("\n\n".join(block["text"] for block in blocks))
    return HumanMessage([*blocks])


def _block_of(part: Mapping[str, Any]) -> dict[str, Any]:
    file = file_of(part)
    kind = file.media_type.partition("/")[0]
    block: dict[str, Any] = {
        "type": kind if kind in ("image", "audio", "video") else "file",
        "mime_type": file.media_type or "application/octet-stream",
    }
    if file.data is None:
        block["url"] = file.url
    else:
        block["base64"] = base64.b64encode(file.data).decode()
    if block["type"] == "file":
        block["filename"] = file.name or "file"
    return block


def _step(parts: Sequence[Mapping[str, Any]]) -> Iterator[AnyMessage]:
    if not parts:
        return
    calls = [part for part in parts if is_tool(part)]
    yield AIMessage(
        _joined(part for part in parts if part["type"] == "text"),
        tool_calls=[
            ToolCall(name=part["toolName"], args=part["input"], id=part["toolCallId"])
            for part in calls
        ],
    )
    for part in calls:
        failed = part["state"] != "output-available"
        yield ToolMessage(
            part["errorText"] if failed else _told(part.get("output")),
            tool_call_id=part["toolCallId"],
            name=part["toolName"],
            status="error" if failed else "success",
        )


def _joined(parts: Iterable[Mapping[str, Any]]) -> str:
    return "\n\n".join(part["text"] for part in parts)


def _told(output: JsonValue) -> str:
    value = without_files(output, lambda file: f"[A file of the tool's: {file.described()}.]")
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
