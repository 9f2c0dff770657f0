"""Makes events from what a LangGraph graph streams in the modes `messages`, `custom`, `updates`.

Only what is needed of a message's pieces is kept until it is complete, so the time grows no faster
than the message.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from langchain_core.messages import AIMessage, AIMessageChunk, ToolMessage

from ..events import (
    AiEvent,
    Boundary,
    Data,
    FileOutput,
    FinishReason,
    JsonValue,
    ReasoningDelta,
    SourceDocument,
    SourceUrl,
    Status,
    TextDelta,
    ToolCallProgress,
    ToolCallResult,
    ToolCallStart,
    ToolInputDelta,
    ToolInputStart,
    UsageReport,
)

_BESIDE = (Data, FileOutput, SourceDocument, SourceUrl)
_WRITTEN = (*_BESIDE, Status, ToolCallProgress, UsageReport)
_FINISH_REASONS: Mapping[str, FinishReason] = {
    "length": "length",
    "max_tokens": "length",
    "MAX_TOKENS": "length",
    "content_filter": "content-filter",
    "SAFETY": "content-filter",
}


class InterruptError(Exception):
    """The graph waits for somebody."""


class Translator:
    """Translates what one run streams. Call it with each mode and value, in order."""

    def __init__(self) -> None:
        self.finish_reason: FinishReason = "stop"
        self._message_id: str | None = None
        self._kind: object = None
        self._writing: dict[str, _Message] = {}
        self._seen: set[str] = set()
        self._cited: set[str] = set()

    def __call__(self, mode: str, value: Any) -> Iterator[AiEvent]:
        """Return the AiEvents for a value."""
        if mode == "updates" and "__interrupt__" in value:
            raise InterruptError
        if mode == "custom":
            if isinstance(value, _WRITTEN):
                yield value
        elif mode == "messages":
            message = value[0]
            if isinstance(message, ToolMessage):
                yield from self._result(message)
            elif isinstance(message, AIMessage):
                yield from self._said(message)

    def end(self) -> Iterator[AiEvent]:
        """What is still to be said of messages whose end did not come."""
        for message_id in list(self._writing):
            yield from self._whole(message_id)

    def _said(self, message: AIMessage) -> Iterator[AiEvent]:
        message_id = message.id or ""
        if message_id != self._message_id:
            if self._message_id is not None:
                yield Boundary(step=message_id not in self._seen)
            self._message_id, self._kind = message_id, None
            self._seen.add(message_id)
        whole = self._writing.setdefault(message_id, _Message())
        whole.add(message)
        for block in message.content_blocks:
            yield from self._block(block, whole)
        if not isinstance(message, AIMessageChunk) or message.chunk_position == "last":
            yield from self._whole(message_id)

    def _block(self, block: Mapping[str, Any], message: _Message) -> Iterator[AiEvent]:
        kind = (block["type"], block.get("index"))
        if self._kind is not None and kind != self._kind and kind[0] in ("text", "reasoning"):
            yield Boundary()
        self._kind = kind
        match block:
            case {"type": "text", "text": str() as text}:
                yield TextDelta(text)
                yield from self._sources(block.get("annotations") or ())
            case {"type": "reasoning", "reasoning": str() as text}:
                yield ReasoningDelta(text)
            case {"type": "tool_call_chunk"}:
                yield from message.written(block)
            case {"type": "tool_call", "id": call_id, "name": name, "args": args}:
                yield ToolCallStart(call_id or "", name, args)
            case {"type": "server_tool_call", "id": call_id, "name": name, "args": args}:
                yield ToolCallStart(call_id, name, args, provider_executed=True)
            case {"type": "server_tool_result", "tool_call_id": call_id}:
                failed = block.get("status") == "error"
                yield ToolCallResult(call_id, plain(block.get("output")), failed)
            case {"type": "image" | "file" | "audio" | "video", **facts}:
                if (file := _file_of(facts)) is not None:
                    yield file

    def _sources(self, annotations: Iterable[Mapping[str, Any]]) -> Iterator[AiEvent]:
        for each in annotations:
            url = each.get("url")
            if isinstance(url, str) and url not in self._cited:
                self._cited.add(url)
                yield SourceUrl(url, url, each.get("title"))

    def _whole(self, message_id: str) -> Iterator[AiEvent]:
        message = self._writing.pop(message_id)
        yield from message.calls()
        self.finish_reason = _FINISH_REASONS.get(message.reason, "stop")
        if message.usage:
            yield UsageReport(message.usage)

    def _result(self, message: ToolMessage) -> Iterator[AiEvent]:
        yield from self.end()
        result = plain(message.content)
        yield ToolCallResult(message.tool_call_id, result, message.status == "error")
        given = message.artifact
        for each in given if isinstance(given, list | tuple) else [given]:
            if isinstance(each, _BESIDE):
                yield each


class _Message:
    """What is only known of a model's message when it is complete."""

    def __init__(self) -> None:
        self.reason = ""
        self.usage: dict[str, JsonValue] = {}
        self._calls: dict[object, tuple[str, str, list[str]]] = {}

    def add(self, message: AIMessage) -> None:
        """Add what a piece of the message says of the whole."""
        facts = message.response_metadata
        reason = facts.get("finish_reason") or facts.get("stop_reason")
        self.reason = str(reason) if reason else self.reason
        if isinstance(name := facts.get("model_name"), str) and name:
            self.usage["model"] = name
        used = message.usage_metadata
        if used is None:
            return
        self.usage.setdefault("requests", 1)
        details = used.get("input_token_details") or {}
        for key, value in (
            ("input_tokens", used["input_tokens"]),
            ("output_tokens", used["output_tokens"]),
            ("cache_read_tokens", details.get("cache_read")),
            ("cache_write_tokens", details.get("cache_creation")),
        ):
            if value:
                self.usage[key] = self.usage.get(key, 0) + value

    def written(self, chunk: Mapping[str, Any]) -> Iterator[AiEvent]:
        """Take a piece of a call's arguments. The first one has the call's id and name."""
        index = chunk.get("index")
        place = chunk.get("id") if index is None else index
        if place not in self._calls:
            call_id, name = chunk.get("id") or "", chunk.get("name") or ""
            self._calls[place] = (call_id, name, [])
            yield ToolInputStart(call_id, name)
        call_id, _, pieces = self._calls[place]
        if isinstance(piece := chunk.get("args"), str):
            pieces.append(piece)
            yield ToolInputDelta(call_id, piece)

    def calls(self) -> Iterator[AiEvent]:
        """The calls whose arguments came in pieces."""
        for call_id, name, pieces in self._calls.values():
            text = "".join(pieces)
            try:
                args = json.loads(text) if text else {}
            except ValueError:
                args = text
            yield ToolCallStart(call_id, name, args)


def plain(content: Any) -> JsonValue:
    """The content of a tool's result as it is stored: files as files, the rest as JSON."""
    if isinstance(content, list | tuple):
        return [plain(each) for each in content]
    if isinstance(content, Mapping):
        data = content.get("base64")
        if isinstance(data, str):
            return {
                "kind": "binary",
                "media_type": content.get("mime_type") or "application/octet-stream",
                "data": data,
            }
        return {str(key): plain(value) for key, value in content.items()}
    return content if isinstance(content, str | int | float | None) else str(content)


def _file_of(block: Mapping[str, Any]) -> FileOutput | None:
    kind = block.get("mime_type") or "application/octet-stream"
    data, url = block.get("base64"), block.get("url")
    if isinstance(data, str):
        return FileOutput(kind, f"data:{kind};base64,{data}")
    return FileOutput(kind, url) if isinstance(url, str) else None
