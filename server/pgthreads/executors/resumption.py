"""Lets an agent go on with an answer that has waited for a person or for the client.

The answer so far is the end of the prompt, as if the model had just said it. Calls of the client
have their outputs in it already. A call that needed an approval has none: the agent gets what the
person said of it, and runs the tool or tells the model that it was denied. It runs it with the
stored arguments, which are those that the person saw.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    NativeToolCallPart,
    ToolCallPart,
    ToolReturnPart,
)
from pydantic_ai.tools import DeferredToolResults, ToolApproved, ToolDenied

from ..events import ExecutorRequest, ToolResponse
from ..message.calls import is_tool


@dataclass(frozen=True, slots=True)
class Resumption:
    """How a run goes on: its `messages`, what was said of its calls, and the calls' own ids.

    `ids` has the id in the thread for each id in the prompt.
    """

    messages: list[ModelMessage]
    results: DeferredToolResults | None
    ids: Mapping[str, str]


def resumption(messages: list[ModelMessage], request: ExecutorRequest) -> Resumption:
    """Make the run's messages from a prompt that ends with the answer so far.

    Without such an answer they are those of the prompt.
    """
    if request.answer is None:
        return Resumption(messages, None, {})
    stored = [part["toolCallId"] for part in request.answer["parts"] if is_tool(part)]
    prompted = [
        part.tool_call_id
        for message in messages
        for part in message.parts
        if isinstance(part, ToolCallPart | NativeToolCallPart)
    ]
    ids = dict(zip(prompted[len(prompted) - len(stored) :], stored, strict=True))
    said = {each.tool_call_id: each for each in request.responses if each.approved is not None}
    results = DeferredToolResults(
        approvals={
            prompt_id: _approval(said[call_id])
            for prompt_id, call_id in ids.items()
            if call_id in said
        }
    )
    if not results.approvals:
        return Resumption(messages, None, ids)
    return Resumption(_without_results(messages, results), results, ids)


def _approval(response: ToolResponse) -> ToolApproved | ToolDenied:
    if response.approved:
        return ToolApproved()
    reason = f" Reason: {response.reason}" if response.reason else ""
    return ToolDenied(f"The user denied this call, and the tool was not run.{reason}")


def _without_results(
    messages: list[ModelMessage], results: DeferredToolResults
) -> list[ModelMessage]:
    """The messages without what the prompt says in place of the results that are still to come."""
    kept: list[ModelMessage] = []
    for message in messages:
        if not isinstance(message, ModelRequest):
            kept.append(message)
            continue
        parts = [
            part
            for part in message.parts
            if not isinstance(part, ToolReturnPart) or part.tool_call_id not in results.approvals
        ]
        if parts:
            kept.append(replace(message, parts=parts))
    return kept
