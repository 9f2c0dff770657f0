"""Runs pydantic-ai agents as executors. It needs the extra `agents`, and is imported on demand."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable
from contextlib import aclosing
from typing import Any, TypeAlias

from pydantic_ai import Agent
from pydantic_ai.agent import AbstractAgent, AgentRunEvents
from pydantic_ai.capabilities import ReinjectSystemPrompt
from pydantic_ai.exceptions import (
    UserError,
)
from pydantic_ai.models import Model, infer_model
from pydantic_ai.usage import RunUsage

from ..events import (
    AiEvent,
    Done,
    Error,
    ExecutorRequest,
    Status,
    ToolCallStart,
    UsageReport,
)
from . import ExecutorSpecError
from .attempts import Attempts
from .failures import error_code
from .prompts import Prompt
from .refusals import Refusals
from .resumption import Resumption, resumption
from .translation import Translator, holds_text, streams_arguments

log = logging.getLogger(__name__)

Deps: TypeAlias = Callable[[ExecutorRequest], object]
"""Makes an agent's `deps` for a turn."""


def from_model(model: str) -> AgentExecutor:
    """See `executors.from_model`."""
    try:
        executor = AgentExecutor(Agent(model))
    except (UserError, ImportError, ValueError) as error:
        raise ExecutorSpecError(f"model {model!r}: {error}") from error
    executor.model_name = model
    return executor


class AgentExecutor:
    """Runs a pydantic-ai agent once for each turn, on the stored history.

    The agent's tools, instructions and system prompt apply. Its output is the text of the answer,
    as JSON if it is not a string. What a provider or a tool reports in an error goes to the log,
    and the client gets a code: `model_unauthorized`, `model_quota_exceeded`, `model_not_found`,
    `model_timeout`, `model_rate_limited`, `model_rejected_request`, `model_unavailable`,
    `model_unreachable`, `prompt_too_large`, `content_filtered`, `model_misbehaved`,
    `usage_limit_exceeded`, `agent_failed`.

    `deps` makes what the agent's tools get as `RunContext.deps`, once for each turn, so that they
    know the user and the thread. It may be a coroutine function.

    `model_name` is what the turn's usage says of the model, unless the request asks for another.

    If the model's adapter or provider refuses a prompt, it is sent again without what they cannot
    take; see docs/prompts.md.
    """

    def __init__(self, agent: AbstractAgent[Any, Any], *, deps: Deps | None = None) -> None:
        self._agent = agent
        self._deps = deps
        self.model_name = _name_of(agent.model)
        self._offered: dict[str, Model] = {}
        self._refusals = Refusals()
        self._streaming = {
            "holds_text": holds_text(agent),
            "streams_arguments": streams_arguments(agent),
        }

    def offer(self, models: Iterable[str]) -> None:
        """Let requests ask for these models, by their names.

        Raises ExecutorSpecError if one of them cannot be used.
        """
        for name in models:
            try:
                self._offered[name] = infer_model(name)
            except (UserError, ImportError, ValueError) as error:
                raise ExecutorSpecError(f"model {name!r}: {error}") from error

    async def __call__(self, request: ExecutorRequest, /) -> AsyncIterator[AiEvent]:
        """Answer the last message; see `events.Executor`."""
        asked = None if request.model is None else self._offered.get(request.model)
        try:
            deps = None if self._deps is None else self._deps(request)
            if inspect.isawaitable(deps):
                deps = await deps
        except Exception as error:
            log.warning("turn %s: there are no deps", request.turn_id, exc_info=error)
            yield Error("agent_failed")
            return
        attempts = Attempts(self._refusals, asked or self._agent.model, request)
        while True:
            # This may decode megabytes of files, so a thread does it while the loop serves others.
            prompt = await asyncio.to_thread(attempts.prompt)
            going_on = resumption(prompt.messages, request)
            translator = Translator(**self._streaming, known=going_on.ids)
            run = _Run(self._agent, prompt, going_on, translator, model=asked, deps=deps)
            run.model_name = request.model if asked else self.model_name
            try:
                async with aclosing(run.events()) as events:
                    async for event in events:
                        yield event
            except Exception as error:
                for report in run.new_usage():
                    yield report
                if not run.began and attempts.revise(prompt, error):
                    yield Status("prompt", "Leaving out what the model cannot take")
                    continue
                code = error_code(error)
                log.warning("turn %s failed: %s", request.turn_id, code, exc_info=error)
                if run.began:
                    attempts.taken(prompt)
                yield Error(code)
                return
            attempts.taken(prompt)
            return


class _Run:
    """One run of an agent, as events. `began` says whether the model has answered anything."""

    def __init__(
        self,
        agent: AbstractAgent[Any, Any],
        prompt: Prompt,
        going_on: Resumption,
        translator: Translator,
        *,
        model: Model | None,
        deps: object,
    ) -> None:
        self.began = False
        self.model_name: str | None = None
        self._agent = agent
        self._prompt = prompt
        self._going_on = going_on
        self._translator = translator
        self._model = model
        self._deps = deps
        self._run: AgentRunEvents[Any] | None = None
        self._reported: dict[str, int] = {}

    async def events(self) -> AsyncGenerator[AiEvent, None]:
        async with self._agent.run_stream_events(
            message_history=self._going_on.messages,
            deferred_tool_results=self._going_on.results,
            model=self._model,
            deps=self._deps,
            capabilities=[ReinjectSystemPrompt(id=None)],
            infer_name=False,
        ) as run:
            self._run = run
            async for event in run:
                if not self.began:
                    self.began = True
                    if self.model_name is not None:
                        yield UsageReport({"model": self.model_name})
                    for report in _left_out(self._prompt):
                        yield report
                for translated in self._translator(event):
                    if isinstance(translated, ToolCallStart | Done | Error):
                        # It is reported here already, so that a stop only loses the usage of the
                        # response that it interrupts.
                        for report in self.new_usage():
                            yield report
                    yield translated

    def new_usage(self) -> list[UsageReport]:
        """What the run has used since the last report."""
        return [] if self._run is None else _new_usage(self._run, self._reported)


def _name_of(model: object) -> str | None:
    name = model.model_id if isinstance(model, Model) else model
    return name if isinstance(name, str) else None


def _left_out(prompt: Prompt) -> list[UsageReport]:
    facts = {"files_left_out": prompt.files_out, "messages_left_out": prompt.messages_out}
    fact = {name: count for name, count in facts.items() if count}
    return [UsageReport(fact)] if fact else []


def _new_usage(run: AgentRunEvents[Any], reported: dict[str, int]) -> list[UsageReport]:
    """What the run has used since the last report; `reported` is updated."""
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
