"""Executors generate the answers. This finds the one that the settings name.

`events.Executor` is their protocol.
"""

from __future__ import annotations

import importlib
import inspect
import sys
from collections.abc import Callable
from pathlib import Path
from traceback import extract_tb
from types import ModuleType
from typing import TYPE_CHECKING, TypeGuard, cast

from ..errors import OperatorError
from ..events import Executor
from ..settings import Settings
from .offline import OfflineExecutor

if TYPE_CHECKING:
    from .agents import AgentExecutor

__all__ = ["ExecutorSpecError", "OfflineExecutor", "chosen", "from_model", "load"]

_NO_AGENTS = (
    "pydantic-ai is not installed (no module named {name!r}); install the extra:"
    " pip install 'pgthreads[agents]'"
)


class ExecutorSpecError(OperatorError):
    """The setting does not name an executor. The message itself says what to do."""


def chosen(settings: Settings) -> Executor:
    """The executor that `--executor` or `--model` names, or the built-in one if neither is given.

    Raises ExecutorSpecError, which names the flag.
    """
    try:
        if settings.executor is not None:
            executor = load(settings.executor)
        elif settings.model is not None:
            executor = from_model(settings.model)
        else:
            return OfflineExecutor()
    except ExecutorSpecError as error:
        flag = "--executor" if settings.executor is not None else "--model"
        raise ExecutorSpecError(f"{flag}: {error}") from error
    if settings.models and _is_agent_executor(executor):
        try:
            executor.offer(settings.offered_models)
        except ExecutorSpecError as error:
            raise ExecutorSpecError(f"--models: {error}") from error
    return executor


def load(spec: str) -> Executor:
    """The executor that `module:attr` names. The module may also be in the working directory.

    The attribute is a function that takes an `ExecutorRequest` and returns an async iterator of
    AiEvents (usually an async generator function), a pydantic-ai `Agent`, a compiled LangGraph
    graph, or an `AgentExecutor` or `GraphExecutor`, which can give them their `deps` or `context`.
    Raises `ExecutorSpecError` for anything else.
    """
    module_name, colon, path = spec.partition(":")
    if not (module_name and colon and path):
        raise ExecutorSpecError(f"{spec!r} is not of the form module:attr, e.g. my_bot:answer")
    module = _import(module_name)
    target: object = module
    for name in path.split("."):
        try:
            target = getattr(target, name)
        except AttributeError:
            raise ExecutorSpecError(_no_such_attribute(module, module_name, path)) from None
    if _is_agent(target):
        executor: Executor = _agents().AgentExecutor(target)
        return executor
    if _is_graph(target):
        return _graph_executor(target)
    return _check(spec, target)


def from_model(model: str) -> Executor:
    """A plain pydantic-ai agent on `provider:name`, e.g. `ollama:qwen3` or `openai:gpt-5-mini`.

    The provider's own environment variables apply (`OPENAI_API_KEY`, `OLLAMA_BASE_URL`, …).
    `openai:` speaks OpenAI's Responses API; `openai-chat:` the chat completions that most
    compatible servers know. Raises `ExecutorSpecError` for an unknown provider, a missing key or
    address, or a missing package.
    """
    executor: Executor = _agents().from_model(model)
    return executor


def _import(name: str) -> ModuleType:
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.insert(0, here)
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name is not None and (name == error.name or name.startswith(f"{error.name}.")):
            raise ExecutorSpecError(f"there is no module {name!r} here or installed") from error
        raise ExecutorSpecError(f"importing {name!r} failed: {error}{_where(error)}") from error
    except Exception as error:
        raise ExecutorSpecError(
            f"importing {name!r} failed: {type(error).__name__}: {error}{_where(error)}"
        ) from error


def _where(error: Exception) -> str:
    """The innermost line of a file at which an import failed. A SyntaxError names it itself."""
    frames = [each for each in extract_tb(error.__traceback__) if Path(each.filename).is_file()]
    if not frames or isinstance(error, SyntaxError):
        return ""
    return f" ({Path(frames[-1].filename).name}, line {frames[-1].lineno})"


def _no_such_attribute(module: ModuleType, name: str, path: str) -> str:
    candidates = [
        attr
        for attr, value in vars(module).items()
        if not attr.startswith("_")
        and (inspect.isasyncgenfunction(value) or _is_agent(value) or _is_graph(value))
    ]
    hint = f"; it has {', '.join(candidates)}" if candidates else ""
    return f"module {name!r} has no {path!r}{hint}"


def _is_agent(value: object) -> bool:
    pydantic_ai = sys.modules.get("pydantic_ai.agent")
    return pydantic_ai is not None and isinstance(value, pydantic_ai.AbstractAgent)


def _is_graph(value: object) -> bool:
    langgraph = sys.modules.get("langgraph.pregel")
    return langgraph is not None and isinstance(value, langgraph.Pregel)


def _graph_executor(graph: object) -> Executor:
    module = importlib.import_module(".graphs", __name__)
    executor: Executor = module.GraphExecutor(graph)
    return executor


def _is_agent_executor(executor: Executor) -> TypeGuard[AgentExecutor]:
    agents = sys.modules.get(f"{__name__}.agents")
    return agents is not None and isinstance(executor, agents.AgentExecutor)


def _agents() -> ModuleType:
    try:
        return importlib.import_module(".agents", __name__)
    except ModuleNotFoundError as error:
        raise ExecutorSpecError(_NO_AGENTS.format(name=error.name)) from error


def _check(spec: str, target: object) -> Executor:
    if not callable(target) or inspect.isclass(target):
        raise ExecutorSpecError(
            f"{spec!r} is {_kind(target)}, not an async generator function, a pydantic-ai Agent or"
            " a compiled LangGraph graph"
        )
    for function in (target, type(target).__call__):
        if inspect.iscoroutinefunction(function):
            raise ExecutorSpecError(f"{spec!r} is a coroutine function: it has no `yield`")
        if inspect.isgeneratorfunction(function):
            raise ExecutorSpecError(f"{spec!r} is a plain generator: define it with `async def`")
    try:
        inspect.signature(target).bind(object())
    except TypeError as error:
        raise ExecutorSpecError(
            f"{spec!r} cannot be called with one ExecutorRequest: {error}"
        ) from None
    return cast(Executor, cast(Callable[..., object], target))


def _kind(target: object) -> str:
    return "a class" if inspect.isclass(target) else f"a {type(target).__name__}"
