"""Runs LangGraph graphs as executors. It needs the extra `graphs`, and is imported on demand.

A graph's state has `messages`, as that of LangGraph's `MessagesState` and of LangChain's agents
has. Each turn runs the graph once, on the stored history, so a graph needs no checkpointer: the
thread is its memory. What the graph's models say is streamed, unless they are tagged `nostream`.
"""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Callable
from contextlib import aclosing
from typing import Any, TypeAlias, cast

from langgraph.errors import GraphRecursionError
from langgraph.pregel import Pregel

from ..events import AiEvent, Done, Error, ExecutorRequest
from . import ExecutorSpecError
from .graph_prompts import messages_of
from .graph_translation import InterruptError, Translator
from .statuses import code_of_status

log = logging.getLogger(__name__)

Graph: TypeAlias = Pregel[Any, Any, Any, Any]

Context: TypeAlias = Callable[[ExecutorRequest], object]
"""Makes a graph's `context` for a turn."""


class GraphExecutor:
    """Runs a compiled graph once for each turn, on the stored history.

    `config["configurable"]` has `thread_id` (the state key), `user_id` (the owner), `turn_id` and,
    if the request asks for one, `model`. `context` makes the graph's `context` from the request,
    for graphs that have a `context_schema`; it may be a coroutine function.

    A node or a tool shows the page something by writing an event of `pgthreads.events` with
    LangGraph's `get_stream_writer()`, or by returning such events as the `artifact` of a tool's
    result. Failures are named as those of an `AgentExecutor`. Interrupts are not supported, because
    they need a checkpointer: such a turn fails with `tool_approval_unsupported`.
    """

    def __init__(self, graph: Graph, *, context: Context | None = None) -> None:
        if graph.checkpointer:
            raise ExecutorSpecError(
                "the graph has a checkpointer, but the thread is its memory: compile it without one"
            )
        self._graph = graph
        self._context = context

    async def __call__(self, request: ExecutorRequest, /) -> AsyncIterator[AiEvent]:
        """Answer the last message; see `events.Executor`."""
        translator = Translator()
        try:
            async with aclosing(self._stream(request)) as stream:
                async for mode, value in stream:
                    for event in translator(mode, value):
                        yield event
        except Exception as error:
            for event in translator.end():
                yield event
            code = _error_code(error)
            log.warning("turn %s failed: %s", request.turn_id, code, exc_info=error)
            yield Error(code)
            return
        for event in translator.end():
            yield event
        yield Done(translator.finish_reason)

    async def _stream(self, request: ExecutorRequest) -> AsyncGenerator[tuple[str, Any], None]:
        context = None if self._context is None else self._context(request)
        if inspect.isawaitable(context):
            context = await context
        configurable = {
            "thread_id": request.state_key,
            "user_id": request.owner_user_id,
            "turn_id": request.turn_id,
            **({} if request.model is None else {"model": request.model}),
        }
        # An answer that has waited was begun by another executor. The graph can only go on from
        # what is known: of a call that was approved meanwhile, that it has no result.
        so_far = [] if request.answer is None else [request.answer]
        # This may decode megabytes of files, so a thread does it while the loop serves others.
        messages = await asyncio.to_thread(messages_of, [*request.messages, *so_far])
        stream = self._graph.astream(
            {"messages": messages},
            {"configurable": configurable},
            context=context,
            stream_mode=["messages", "custom", "updates"],
        )
        async with aclosing(cast(AsyncGenerator[Any, None], stream)) as values:
            async for mode, value in values:
                yield mode, value


def _error_code(error: BaseException) -> str:
    status = getattr(error, "status_code", None)
    if isinstance(status, int):
        return code_of_status(status)
    if isinstance(error, GraphRecursionError):
        return "usage_limit_exceeded"
    # Each provider's client has classes of its own, which need not be installed.
    name = type(error).__name__
    if "Timeout" in name:
        return "model_timeout"
    if "Connect" in name or "Protocol" in name:
        return "model_unreachable"
    if isinstance(error, InterruptError):
        return "tool_approval_unsupported"
    return "agent_failed"
