"""Makes AiEvents of what a pydantic-ai agent does in a run, so that the answer is its output.

Text is streamed as it comes only if the agent can return it as it is. If something checks or
changes it (an output validator, `TextOutput`, `NativeOutput`), or if an output tool gives the
answer, the text of a response is held back until the agent has decided about the response. Text
that it refuses is not shown; text that accompanies a tool call is.
"""

from __future__ import annotations

import json
import logging
import types
import typing
from collections.abc import Mapping
from typing import Any

from pydantic_ai.agent import AbstractAgent, WrapperAgent
from pydantic_ai.messages import (
    CustomEvent,
    FilePart,
    FunctionToolCallEvent,
    FunctionToolResultEvent,
    NativeToolCallPart,
    NativeToolReturnPart,
    OutputToolCallEvent,
    PartDeltaEvent,
    PartEndEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ThinkingPartDelta,
    ToolCallPart,
    ToolCallPartDelta,
)
from pydantic_ai.run import AgentRunResult, AgentRunResultEvent
from pydantic_ai.tools import DeferredToolRequests

from ..events import (
    AiEvent,
    AssistantFinal,
    Boundary,
    Done,
    FileOutput,
    FinishReason,
    JsonValue,
    ProviderMetadata,
    ReasoningDelta,
    ReasoningEnd,
    Status,
    TextDelta,
    TextEnd,
    ToolApprovalRequest,
    ToolCallResult,
    ToolCallStart,
    ToolInputDelta,
    ToolInputStart,
    UsageReport,
)
from . import beside
from .signatures import metadata_of
from .values import jsonable, output_text

log = logging.getLogger(__name__)

_FINISH_REASONS: Mapping[str | None, FinishReason] = {
    "length": "length",
    "content_filter": "content-filter",
    "tool_call": "tool-calls",
    "error": "error",
}


def holds_text(agent: AbstractAgent[Any, Any]) -> bool:
    """Whether this agent has to decide about a text of its model before it is an answer."""
    inner = agent
    while isinstance(inner, WrapperAgent):
        inner = inner.wrapped
    if getattr(inner, "_output_validators", None):
        return True
    return not any(kind is str for kind in _output_types(agent.output_type))


def streams_arguments(agent: AbstractAgent[Any, Any]) -> bool:
    """Whether each call of this agent's model is one of a tool that is shown.

    A model gives a structured answer by calling an output tool, which nobody should see.
    """
    shown = (str, DeferredToolRequests)
    return not holds_text(agent) and all(kind in shown for kind in _output_types(agent.output_type))


def _output_types(spec: Any) -> list[Any]:
    if isinstance(spec, list | tuple):
        return [kind for each in spec for kind in _output_types(each)]
    if isinstance(spec, types.UnionType) or typing.get_origin(spec) is typing.Union:
        return [kind for each in typing.get_args(spec) for kind in _output_types(each)]
    return [spec]


class Translator:
    """Translates the events of one run. Call it with each event, in order.

    `known` are calls that the answer has already: for each id in the run, the id in the answer.
    """

    def __init__(
        self,
        *,
        holds_text: bool,
        streams_arguments: bool = False,
        known: Mapping[str, str] | None = None,
    ) -> None:
        self._holds_text = holds_text
        self._streams_arguments = streams_arguments
        self._writing: dict[int, ToolCallPart] = {}
        self._cited: set[str] = set()
        self._known = known or {}
        self._calls = _CallIds(self._known)
        self._systems: dict[str, str | None] = {}
        self._kind: str | None = None
        self._held: list[str] = []
        self._by_tool = False

    def __call__(self, event: object) -> list[AiEvent]:
        """Return the AiEvents for an event of the run."""
        events: list[AiEvent] = []
        match event:
            case PartStartEvent(index=index, part=part):
                events = [*self._start(index, part.part_kind), *self._said(index, part)]
            case PartDeltaEvent(delta=TextPartDelta(content_delta=text)):
                events = self._text(text)
            case PartDeltaEvent(delta=ThinkingPartDelta(content_delta=str() as text)):
                events = [ReasoningDelta(text)]
            case PartDeltaEvent(index=index, delta=ToolCallPartDelta(args_delta=str() as piece)):
                if index in self._writing:
                    call_id = self._calls.of(self._writing[index].tool_call_id)
                    events = [ToolInputDelta(call_id, piece)]
            case PartEndEvent(index=index, part=part, canonical_system=system):
                events = self._part_end(index, part, system)
            case FunctionToolCallEvent(part=part) if part.tool_call_id not in self._known:
                metadata = metadata_of(part, self._systems.get(part.tool_call_id))
                events = [*self._release(), self._call(part, metadata)]
            case OutputToolCallEvent():
                self._by_tool = True
                events = self._release()
            case FunctionToolResultEvent(part=part, content=content):
                events = [self._result(part, content), *beside.of_result(part)]
            case CustomEvent():
                shown = beside.of_custom_event(event)
                events = [] if shown is None else [shown]
            case AgentRunResultEvent(result=result):
                events = self._finish(result)
        return events

    def _part_end(self, index: int, part: object, system: str | None) -> list[AiEvent]:
        match part:
            case TextPart():
                return self._text_end(part, system)
            case ThinkingPart():
                metadata = metadata_of(part, system)
                return [ReasoningEnd(metadata)] if metadata else []
            case ToolCallPart():
                self._systems[part.tool_call_id] = system
                if index in self._writing:
                    self._writing[index] = part
            case NativeToolCallPart():
                return [*self._release(), self._call(part, metadata_of(part, system))]
            case NativeToolReturnPart():
                return [self._result(part, None)]
            case FilePart(content=file):
                metadata = metadata_of(part, system)
                return [*self._release(), FileOutput(file.media_type, file.data_uri, metadata)]
        return []

    def _start(self, index: int, kind: str) -> list[AiEvent]:
        events: list[AiEvent] = []
        if index == 0 and self._kind is not None:
            # This begins the model's next response, so the text that is still held was refused.
            events.extend(self._uncalled())
            events.append(Boundary(step=True))
            events.extend(self._refused())
            self._by_tool = False
        elif kind == self._kind:
            events.append(Boundary())
            if self._held:
                self._held.append("\n\n")
        self._kind = kind
        return events

    def _uncalled(self) -> list[AiEvent]:
        """The calls that the model has written and the agent has not made."""
        events: list[AiEvent] = [
            ToolCallStart(self._calls.of(part.tool_call_id), part.tool_name, _args(part.args))
            for part in self._writing.values()
        ]
        self._writing.clear()
        return events

    def _said(self, index: int, part: object) -> list[AiEvent]:
        match part:
            case ToolCallPart(tool_name=name, args=args) if self._streams_arguments:
                self._writing[index] = part
                call_id = self._calls.new(part.tool_call_id)
                pieces = [ToolInputDelta(call_id, args)] if isinstance(args, str) else []
                return [ToolInputStart(call_id, name), *pieces]
            case TextPart(content=text):
                return self._text(text)
            case ThinkingPart(content=text):
                return [ReasoningDelta(text)]
        return []

    def _text(self, text: str) -> list[AiEvent]:
        if not self._holds_text:
            return [TextDelta(text)]
        if text:
            self._held.append(text)
        return []

    def _text_end(self, part: TextPart, system: str | None) -> list[AiEvent]:
        metadata = metadata_of(part, system)
        shown = not self._holds_text and bool(part.content) and metadata is not None
        sources = beside.of_citations(part.citations or (), self._cited)
        return [*([TextEnd(metadata)] if shown else []), *sources]

    def _call(self, part: Any, metadata: ProviderMetadata | None) -> ToolCallStart:
        written = [i for i, each in self._writing.items() if each.tool_call_id == part.tool_call_id]
        for index in written:
            del self._writing[index]
        ids = self._calls
        call_id = ids.of(part.tool_call_id) if written else ids.new(part.tool_call_id)
        args = _args(part.args)
        by_provider = isinstance(part, NativeToolCallPart)
        return ToolCallStart(call_id, part.tool_name, args, by_provider, metadata)

    def _release(self) -> list[AiEvent]:
        """Release the text that was held back, because it accompanies a tool call."""
        text = "".join(self._held)
        self._held.clear()
        return [TextDelta(text)] if text else []

    def _refused(self) -> list[AiEvent]:
        text = "".join(self._held)
        self._held.clear()
        if not text:
            return []
        log.info("the agent refused a text of %s characters and asked again", len(text))
        return [Status("retry", "Correcting the answer"), UsageReport({"texts_refused": 1})]

    def _result(self, part: Any, content: Any) -> ToolCallResult:
        result = jsonable(part.content)
        if content:
            items = [content] if isinstance(content, str) else list(content)
            result = {
                "kind": "tool-return",
                "return_value": result,
                "content": [jsonable(item) for item in items],
            }
        failed = part.outcome != "success"
        return ToolCallResult(self._calls.of(part.tool_call_id), result, failed)

    def _waiting(self, requests: DeferredToolRequests) -> list[AiEvent]:
        """The calls for which the run waits."""
        approvals = [self._calls.of(part.tool_call_id) for part in requests.approvals]
        return [
            *(ToolApprovalRequest(call_id) for call_id in approvals),
            *(
                ToolCallStart(
                    self._calls.of(part.tool_call_id),
                    part.tool_name,
                    _args(part.args),
                    by_client=True,
                )
                for part in requests.calls
            ),
        ]

    def _finish(self, result: AgentRunResult[Any]) -> list[AiEvent]:
        output = result.output
        if isinstance(output, DeferredToolRequests):
            return [*self._waiting(output), Done("tool-calls")]
        text = output_text(output)
        reason = _FINISH_REASONS.get(result.response.finish_reason, "stop")
        # The call of an output tool ends the run, so for the client it is the end and not a call.
        done = Done("stop" if reason == "tool-calls" else reason)
        if self._by_tool:
            return [*self._release(), Boundary(step=True), TextDelta(text), done]
        if self._held:
            self._held.clear()
            return [TextDelta(text), AssistantFinal(text), done]
        return [AssistantFinal(text), done]


class _CallIds:
    """Makes ids of tool calls unique in a turn: some models count from one in each response."""

    def __init__(self, known: Mapping[str, str]) -> None:
        self._latest = dict(known)
        self._used = set(known.values())

    def new(self, call_id: str) -> str:
        unique, count = call_id, len(self._used)
        while unique in self._used:
            count += 1
            unique = f"{call_id}-{count}"
        self._used.add(unique)
        self._latest[call_id] = unique
        return unique

    def of(self, call_id: str) -> str:
        return self._latest.get(call_id, call_id)


def _args(args: str | Mapping[str, Any] | None) -> JsonValue:
    if args is None or args == "":
        return {}
    if not isinstance(args, str):
        return args
    try:
        return json.loads(args)
    except ValueError:
        return args
