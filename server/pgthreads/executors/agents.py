"""pydantic-ai agents as executors. Needs the extra `agents`; imported only when one is used."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from typing import Any, cast

from pydantic_ai import Agent
from pydantic_ai.agent import AbstractAgent, AgentRunEvents
from pydantic_ai.capabilities import ReinjectSystemPrompt
from pydantic_ai.exceptions import (
    ContentFilterError,
    FallbackExceptionGroup,
    ModelAPIError,
    ModelContextWindowExceededError,
    ModelHTTPError,
    UnexpectedModelBehavior,
    UsageLimitExceeded,
    UserError,
)
from pydantic_ai.models import Model
from pydantic_ai.usage import RunUsage

from ..events import (
    AiEvent,
    Done,
    Error,
    ExecutorRequest,
    Status,
    ToolCallStart,
    UIMessage,
    UsageReport,
)
from ..message.files import File
from . import ExecutorSpecError
from .prompts import Prompt, make_prompt
from .refusals import Omissions, Refusal, Refusals, refusal_of
from .translation import Translator, holds_text

log = logging.getLogger(__name__)

_FLAGS = {
    "image": "supports_image_input",
    "audio": "supports_audio_file_input",
    "video": "supports_video_input",
}

MAX_LOCAL = 6
"""Prompts that may fail in a model's adapter, where nothing was sent, in one turn."""

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

    A prompt that the model's adapter or provider refuses is sent once more, without what they
    cannot take; see docs/prompts.md.
    """

    def __init__(self, agent: AbstractAgent[None, Any]) -> None:
        self._agent = agent
        self._refusals = Refusals()
        self._holds_text = holds_text(agent)

    async def __call__(self, request: ExecutorRequest, /) -> AsyncIterator[AiEvent]:
        """Answer the last message; `events.Executor`."""
        attempts = _Attempts(self._refusals, self._agent, request)
        while True:
            # Megabytes of files are decoded here, and others wait for the loop.
            prompt = await asyncio.to_thread(attempts.prompt)
            run = _Run(self._agent, prompt, holds_text=self._holds_text)
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


class _Attempts:
    """The prompts of one turn: the first, and what is tried after a refusal."""

    def __init__(
        self, refusals: Refusals, agent: AbstractAgent[None, Any], request: ExecutorRequest
    ) -> None:
        self._refusals = refusals
        self._request = request
        self._thread = (request.owner_user_id, request.state_key)
        self._model, self._profile = _model_of(agent)
        self._omit = Omissions(first_id=refusals.first_id(self._model, self._thread))
        self._local = 0
        self._refused: Refusal | None = None
        self._suspects: set[str] = set()

    def prompt(self) -> Prompt:
        return make_prompt(
            self._request.messages,
            leave_out=self._leave_out,
            first_id=self._omit.first_id,
            max_size=self._omit.max_size,
        )

    def revise(self, prompt: Prompt, error: Exception) -> bool:
        """Whether to try again, with less in the prompt. A provider is asked again only once."""
        refusal = refusal_of(error)
        again = self._local < MAX_LOCAL if refusal == "adapter" else self._refused is None
        if refusal is None or not again:
            self._give_up(refusal, prompt)
            return False
        omit = self._refusals.omissions(self._model, refusal, prompt, error)
        if omit is None:
            return False
        if refusal == "adapter":
            self._local += 1
        else:
            self._refused = refusal
        self._suspects = omit.files
        self._omit.files |= omit.files
        if omit.max_size is not None:
            self._omit.max_size = omit.max_size
            if len(prompt.questions) < 2:
                # The question alone is too long. What may be left out of it are its files.
                self._suspects = {file.key for file in prompt.files}
                self._omit.files |= self._suspects
        log.warning(
            "turn %s: a prompt of %s characters, %s files was refused (%s), trying with less: %s",
            self._request.turn_id,
            prompt.size,
            len(prompt.files),
            refusal,
            error,
        )
        return True

    def taken(self, prompt: Prompt) -> None:
        """Keep what this turn has shown, for the next ones."""
        self._refusals.take(self._model, prompt.files)
        self._refusals.refuse(self._model, self._thread, self._suspects)
        if self._omit.max_size is not None:
            self._begin_with(prompt.questions[:1])
        if prompt.files_out or prompt.messages_out:
            log.info(
                "turn %s: %s files and %s messages were left out of the prompt",
                self._request.turn_id,
                prompt.files_out,
                prompt.messages_out,
            )

    def _give_up(self, refusal: Refusal | None, prompt: Prompt) -> None:
        """Let the thread's next turn begin with less, or with all again if that was no help."""
        if refusal in ("too_long", "content") and self._refused is not None:
            helps = refusal == "too_long" or len(prompt.questions) > 1
            self._begin_with(prompt.questions[-1:] if helps else [])

    def _begin_with(self, questions: Sequence[UIMessage]) -> None:
        first_id = questions[0].get("id") if questions else None
        self._refusals.begin_with(self._model, self._thread, first_id)

    def _leave_out(self, file: File) -> bool:
        return (
            file.key in self._omit.files
            or not _takes(self._profile, file)
            or self._refusals.is_refused(self._model, self._thread, file)
        )


class _Run:
    """One run of an agent, as events. `began` tells whether the model has answered anything."""

    def __init__(
        self, agent: AbstractAgent[None, Any], prompt: Prompt, *, holds_text: bool
    ) -> None:
        self.began = False
        self._agent = agent
        self._prompt = prompt
        self._translator = Translator(holds_text=holds_text)
        self._run: AgentRunEvents[Any] | None = None
        self._reported: dict[str, int] = {}

    async def events(self) -> AsyncGenerator[AiEvent, None]:
        async with self._agent.run_stream_events(
            message_history=self._prompt.messages,
            capabilities=[ReinjectSystemPrompt(id=None)],
            infer_name=False,
        ) as run:
            self._run = run
            async for event in run:
                if not self.began:
                    self.began = True
                    for report in _left_out(self._prompt):
                        yield report
                for translated in self._translator(event):
                    if isinstance(translated, ToolCallStart | Done | Error):
                        # By now, so that a stop costs the interrupted response's usage only.
                        for report in self.new_usage():
                            yield report
                    yield translated

    def new_usage(self) -> list[UsageReport]:
        """What the run used since the last report."""
        return [] if self._run is None else _new_usage(self._run, self._reported)


def _left_out(prompt: Prompt) -> list[UsageReport]:
    facts = {"files_left_out": prompt.files_out, "messages_left_out": prompt.messages_out}
    fact = {name: count for name, count in facts.items() if count}
    return [UsageReport(fact)] if fact else []


def _model_of(agent: AbstractAgent[None, Any]) -> tuple[str, Mapping[str, Any]]:
    """A name for the agent's model, and pydantic-ai's profile of what it takes, as far as known."""
    model = agent.model
    try:
        if isinstance(model, Model):
            return f"{model.system}:{model.model_name}", cast(Mapping[str, Any], model.profile)
    except Exception:
        log.debug("no profile of %r", model, exc_info=True)
    return str(model), {}


def _takes(profile: Mapping[str, Any], file: File) -> bool:
    """Whether the profile of a model allows a file; what is not in it is tried."""
    flag = _FLAGS.get(file.media_type.partition("/")[0], "supports_document_input")
    return bool(profile.get(flag, True))


def error_code(error: Exception) -> str:
    """A name for a failed run that is safe to show."""
    if isinstance(error, FallbackExceptionGroup):
        last = error.exceptions[-1]
        return error_code(last) if isinstance(last, Exception) else "agent_failed"
    match error:
        case ModelContextWindowExceededError():
            code = "prompt_too_large"
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
