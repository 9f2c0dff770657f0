"""pydantic-ai agents as executors. Needs the extra `agents`; imported only when one is used."""

from __future__ import annotations

import json
import logging
from collections.abc import AsyncIterator, Mapping
from typing import Any

from pydantic_ai import Agent
from pydantic_ai.agent import AbstractAgent, AgentRunEvents
from pydantic_ai.capabilities import ReinjectSystemPrompt
from pydantic_ai.exceptions import (
    ContentFilterError,
    ModelAPIError,
    ModelHTTPError,
    UnexpectedModelBehavior,
    UsageLimitExceeded,
    UserError,
)
from pydantic_ai.messages import (
    FunctionToolCallEvent,
    FunctionToolResultEvent,
    NativeToolCallPart,
    NativeToolReturnPart,
    PartDeltaEvent,
    PartEndEvent,
    PartStartEvent,
    TextPart,
    TextPartDelta,
    ThinkingPart,
    ThinkingPartDelta,
    tool_return_ta,
)
from pydantic_ai.run import AgentRunResult, AgentRunResultEvent
from pydantic_ai.tools import DeferredToolRequests
from pydantic_ai.usage import RunUsage

from ..events import (
    AiEvent,
    AssistantFinal,
    Done,
    Error,
    ExecutorRequest,
    FinishReason,
    JsonValue,
    ReasoningDelta,
    TextDelta,
    ToolCallResult,
    ToolCallStart,
    UsageReport,
)
from . import ExecutorSpecError
from .prompts import to_model_messages

log = logging.getLogger(__name__)

_FINISH_REASONS: Mapping[str | None, FinishReason] = {
    "length": "length",
    "content_filter": "content-filter",
    "tool_call": "tool-calls",
    "error": "error",
}

_HTTP_CODES = {
    401: "model_unauthorized",
    402: "model_quota_exceeded",
    403: "model_unauthorized",
    404: "model_not_found",
    408: "model_timeout",
    413: "prompt_too_large",
    429: "model_rate_limited",
    504: "model_timeout",
}


def from_model(model: str) -> AgentExecutor:
    """See `executors.from_model`."""
    try:
        return AgentExecutor(Agent(model))
    except (UserError, ImportError, ValueError) as error:
        raise ExecutorSpecError(f"model {model!r}: {error}") from error


class AgentExecutor:
    """Runs a pydantic-ai agent once a turn, on the stored history.

    The agent's tools, instructions and system prompt apply. Its output is the answer's text, as
    JSON if it is not a string. What a provider or a tool reports in an error goes to the log;
    the client gets a code: `model_unauthorized`, `model_quota_exceeded`, `model_not_found`,
    `model_timeout`, `model_rate_limited`, `model_rejected_request`, `model_unavailable`,
    `model_unreachable`, `prompt_too_large`, `content_filtered`, `model_misbehaved`,
    `usage_limit_exceeded`, `tool_approval_unsupported`, `agent_failed`.
    """

    def __init__(self, agent: AbstractAgent[None, Any]) -> None:
        self._agent = agent

    async def __call__(self, request: ExecutorRequest, /) -> AsyncIterator[AiEvent]:
        """Answer the last message; `events.Executor`."""
        calls = _CallIds()
        reported: dict[str, int] = {}
        async with self._agent.run_stream_events(
            message_history=to_model_messages(request.messages),
            capabilities=[ReinjectSystemPrompt(id=None)],
            infer_name=False,
        ) as run:
            try:
                async for event in run:
                    for translated in _translate(event, calls):
                        if isinstance(translated, ToolCallStart | Done | Error):
                            # By now, so that a stop costs the interrupted response's usage only.
                            for report in _new_usage(run, reported):
                                yield report
                        yield translated
            except Exception as error:
                code = error_code(error)
                log.warning("turn %s failed: %s", request.turn_id, code, exc_info=error)
                for report in _new_usage(run, reported):
                    yield report
                yield Error(code)


def error_code(error: Exception) -> str:
    """A name for a failed run that is safe to show."""
    match error:
        case ModelHTTPError(status_code=status):
            default = "model_unavailable" if status >= 500 else "model_rejected_request"
            code = _HTTP_CODES.get(status, default)
        case ModelAPIError() | OSError():
            code = "model_unreachable"
        case ContentFilterError():
            code = "content_filtered"
        case UnexpectedModelBehavior():
            code = "model_misbehaved"
        case UsageLimitExceeded():
            code = "usage_limit_exceeded"
        case _:
            code = "agent_failed"
    return code


class _CallIds:
    """Ids of tool calls that are unique in a turn: some models count from one in each response."""

    def __init__(self) -> None:
        self._latest: dict[str, str] = {}
        self._count = 0

    def new(self, call_id: str) -> str:
        self._count += 1
        unique = f"{call_id}-{self._count}" if call_id in self._latest else call_id
        self._latest[call_id] = unique
        return unique

    def of(self, call_id: str) -> str:
        return self._latest.get(call_id, call_id)


def _translate(event: object, calls: _CallIds) -> list[AiEvent]:
    events: list[AiEvent] = []
    match event:
        case PartStartEvent(part=TextPart(content=text)):
            events.append(TextDelta(text))
        case PartDeltaEvent(delta=TextPartDelta(content_delta=text)):
            events.append(TextDelta(text))
        case PartStartEvent(part=ThinkingPart(content=text)):
            events.append(ReasoningDelta(text))
        case PartDeltaEvent(delta=ThinkingPartDelta(content_delta=str() as text)):
            events.append(ReasoningDelta(text))
        case PartEndEvent(part=NativeToolCallPart() as part) | FunctionToolCallEvent(part=part):
            events.append(
                ToolCallStart(calls.new(part.tool_call_id), part.tool_name, _args(part.args))
            )
        case PartEndEvent(part=NativeToolReturnPart() as part) | FunctionToolResultEvent(part=part):
            failed = part.outcome != "success"
            events.append(
                ToolCallResult(calls.of(part.tool_call_id), _jsonable(part.content), failed)
            )
        case AgentRunResultEvent(result=result):
            events.extend(_finish(result))
    return events


def _finish(result: AgentRunResult[Any]) -> list[AiEvent]:
    output = result.output
    if isinstance(output, DeferredToolRequests):
        return [Error("tool_approval_unsupported")]
    text = output if isinstance(output, str) else json.dumps(_jsonable(output), ensure_ascii=False)
    reason = _FINISH_REASONS.get(result.response.finish_reason, "stop")
    # An output tool's call ends the run, so to the client it is the end and not a call.
    return [AssistantFinal(text), Done("stop" if reason == "tool-calls" else reason)]


def _args(args: str | Mapping[str, Any] | None) -> JsonValue:
    if args is None or args == "":
        return {}
    if not isinstance(args, str):
        return args
    try:
        return json.loads(args)
    except ValueError:
        return args


def _jsonable(value: object) -> JsonValue:
    return tool_return_ta.dump_python(value, mode="json", warnings=False, fallback=str)


def _new_usage(run: AgentRunEvents[Any], reported: dict[str, int]) -> list[UsageReport]:
    """What the run used since the last report; `reported` is brought up to date."""
    try:
        usage: RunUsage = run.usage
    except UserError:
        return []
    total = {
        "requests": usage.requests,
        "tool_calls": usage.tool_calls,
        "input_tokens": usage.input_tokens,
        "output_tokens": usage.output_tokens,
        "cache_read_tokens": usage.cache_read_tokens,
        "cache_write_tokens": usage.cache_write_tokens,
    }
    fact = {name: value - reported.get(name, 0) for name, value in total.items()}
    reported.update(total)
    fact = {name: value for name, value in fact.items() if value}
    return [UsageReport(fact)] if fact else []
