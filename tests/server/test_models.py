"""The model that a request asks for, and what an agent's tools know of who asks."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic_ai import Agent, RunContext

from pgthreads.events import AiEvent, Done, Error, ExecutorRequest, TextDelta
from pgthreads.executors import ExecutorSpecError, chosen, load
from pgthreads.executors.agents import AgentExecutor
from pgthreads.settings import Settings, SettingsError
from tests.server.openai_server import serve, text, tool_call
from tests.server.service import CHAT, MODELS, running_service

QUESTION = {"id": "u", "role": "user", "parts": [{"type": "text", "text": "Hi"}]}


async def answer(request: ExecutorRequest) -> AsyncIterator[AiEvent]:
    yield TextDelta(request.model or "none")
    yield Done()


def request(model: str | None = None) -> ExecutorRequest:
    return ExecutorRequest([QUESTION], "ann", "thread", "turn", model)


async def test_a_request_asks_for_one_of_the_models_of_the_list(
    server_dsn: str, admin_dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OLLAMA_BASE_URL", "http://127.0.0.1:9")
    settings = {"model": "ollama:one", "models": ("ollama:two",)}
    async with running_service(server_dsn, admin_dsn, answer, **settings) as service:
        async with await service.get(MODELS) as response:
            assert await response.json() == {
                "models": ["ollama:one", "ollama:two"],
                "default": "ollama:one",
            }
        for key, model in (("x", None), ("y", "ollama:one"), ("z", "ollama:two")):
            body = {"id": key, "message": "Hi", "model": model}
            async with await service.post(CHAT, body) as response:
                assert response.status == 200
                assert (model or "none").encode() in await response.read()
        for model in ("", "ollama", "OLLAMA:one", "ollama:one "):
            body = {"id": "refused", "message": "Hi", "model": model}
            async with await service.post(CHAT, body) as response:
                assert response.status == 400
                refusal = await response.json()
            assert refusal["code"] == "bad_request"
            assert "ollama:one, ollama:two" in refusal["hint"]
        assert service.rows("select from pgthreads.thread where state_key = 'refused'") == []


async def test_without_a_list_nothing_is_refused(server_dsn: str, admin_dsn: str) -> None:
    async with running_service(server_dsn, admin_dsn, answer) as service:
        async with await service.get(MODELS) as response:
            assert await response.json() == {"models": [], "default": None}
        body = {"id": "any", "message": "Hi", "model": "whatever"}
        async with await service.post(CHAT, body) as response:
            assert b"whatever" in await response.read()


@pytest.mark.parametrize(
    ("options", "fault"),
    [
        ({"models": ("a:b",)}, "--models needs"),
        ({"model": "a:b", "models": ("a b",)}, "name of a model"),
        ({"model": "a:b", "models": ("",)}, "name of a model"),
    ],
)
def test_a_list_that_makes_no_sense_is_refused(options: dict[str, Any], fault: str) -> None:
    with pytest.raises(SettingsError, match=fault):
        Settings(**options)


async def test_the_model_that_was_asked_for_answers(monkeypatch: pytest.MonkeyPatch) -> None:
    async with serve(*(text("Hi") for _ in range(4))) as openai:
        monkeypatch.setenv("OLLAMA_BASE_URL", openai.url)
        executor = chosen(Settings(model="ollama:one", models=("ollama:two", "ollama:one")))
        for model in (None, "ollama:two", "ollama:one", "ollama:three"):
            assert [event async for event in executor(request(model))][-1] == Done("stop")
    assert [body["model"] for body in openai.requests] == ["one", "two", "one", "one"]


def test_a_model_of_the_list_that_cannot_be_used_says_why(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_BASE_URL", "http://127.0.0.1:9")
    with pytest.raises(ExecutorSpecError, match="--models: model 'nobody:x'"):
        chosen(Settings(model="ollama:one", models=("nobody:x",)))


@dataclass
class Caller:
    user: str
    thread: str


async def caller(request: ExecutorRequest) -> Caller:
    return Caller(request.owner_user_id, request.state_key)


def same_caller(request: ExecutorRequest) -> Caller:
    return Caller(request.owner_user_id, request.state_key)


def broken(_: ExecutorRequest) -> Caller:
    raise RuntimeError("no such user")


@pytest.mark.parametrize("deps", [caller, same_caller])
async def test_tools_know_who_asks(
    deps: Callable[[ExecutorRequest], object], monkeypatch: pytest.MonkeyPatch
) -> None:
    async with serve(tool_call("c1", "who", "{}"), text("You.")) as openai:
        monkeypatch.setenv("OLLAMA_BASE_URL", openai.url)
        agent = Agent("ollama:one", deps_type=Caller)

        @agent.tool
        def who(context: RunContext[Caller]) -> str:
            return f"{context.deps.user} in {context.deps.thread}"

        events = [event async for event in AgentExecutor(agent, deps=deps)(request())]
        assert events[-1] == Done("stop")
    assert openai.requests[1]["messages"][-1]["content"] == "ann in thread"


async def test_deps_that_cannot_be_made_fail_the_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_BASE_URL", "http://127.0.0.1:9")
    executor = AgentExecutor(Agent("ollama:one"), deps=broken)
    assert [event async for event in executor(request())] == [Error("agent_failed")]


def test_an_executor_with_deps_can_be_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OLLAMA_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.setattr(f"{__name__}.MADE", AgentExecutor(Agent("ollama:one"), deps=caller))
    assert load(f"{__name__}:MADE") is MADE
    settings = Settings(executor=f"{__name__}:MADE", models=("ollama:two",))
    assert chosen(settings) is MADE


MADE: AgentExecutor | None = None
