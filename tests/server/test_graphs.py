"""LangGraph graphs as executors, with a model behind a local endpoint."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import pytest
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, ToolMessage
from langchain_core.runnables import RunnableConfig
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.config import get_stream_writer
from langgraph.graph import START, MessagesState, StateGraph
from langgraph.prebuilt import ToolNode, tools_condition
from langgraph.runtime import Runtime
from langgraph.types import interrupt
from pydantic import SecretStr

from pgthreads.events import (
    AiEvent,
    Data,
    Done,
    Error,
    ExecutorRequest,
    SourceUrl,
    TextDelta,
    ToolInputDelta,
    UIMessage,
)
from pgthreads.executors import ExecutorSpecError, load
from pgthreads.executors.graph_prompts import messages_of
from pgthreads.executors.graph_translation import Translator
from pgthreads.executors.graphs import Graph, GraphExecutor
from pgthreads.message.draft import Draft
from pgthreads.message.sanitize import Cleaner
from tests.scaling import MOST, growth
from tests.server.openai_server import OpenAI, Reply, serve, text, tool_call

PICTURE = "iVBORw0KGgo="
STEP = {"type": "step-start"}


def user(said: str, *parts: dict[str, Any]) -> UIMessage:
    return {"id": "u", "role": "user", "parts": [{"type": "text", "text": said}, *parts]}


def request(*messages: UIMessage, model: str | None = None) -> ExecutorRequest:
    return ExecutorRequest(messages, "ann", "thread", "turn", model)


async def answer(
    graph: Any, *messages: UIMessage, **options: Any
) -> tuple[UIMessage, Draft, list[AiEvent]]:
    clean, draft, events = Cleaner(), Draft("m"), []
    async for event in GraphExecutor(graph, **options)(request(*messages)):
        events.append(event)
        draft.take(clean(event))
    draft.close("completed" if draft.error_code is None else "failed")
    return draft.message(), draft, events


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    get_stream_writer()(Data("sum", {"a": a, "b": b}))
    if a < 0:
        raise ValueError("no negative numbers")
    return a + b


@tool(response_format="content_and_artifact")
def look() -> tuple[str, list[SourceUrl]]:
    """Look it up."""
    return "seen", [SourceUrl("s", "https://a.example", "A")]


def graph_on(openai: OpenAI, *, checkpointer: Any = None) -> Any:
    model = ChatOpenAI(
        model="local",
        base_url=openai.url,
        api_key=SecretStr("unused"),
        stream_usage=True,
        max_retries=0,
    ).bind_tools([add, look])

    async def say(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    builder = StateGraph(MessagesState)
    builder.add_node("say", say)
    builder.add_node("tools", ToolNode([add, look], handle_tool_errors=True))
    builder.add_edge(START, "say")
    builder.add_conditional_edges("say", tools_condition)
    builder.add_edge("tools", "say")
    return builder.compile(checkpointer=checkpointer)


def graph_of(node: Any) -> Any:
    return StateGraph(MessagesState).add_node("node", node).add_edge(START, "node").compile()


async def test_text_streams_and_usage_is_reported() -> None:
    async with serve(text("Hel", "lo"), check=True) as openai:
        message, draft, events = await answer(graph_on(openai), user("Hi"))
    assert message["parts"] == [STEP, {"type": "text", "text": "Hello"}]
    assert [each.delta for each in events if isinstance(each, TextDelta) and each.delta] == [
        "Hel",
        "lo",
    ]
    assert draft.usage() == {
        "requests": 1,
        "input_tokens": 10,
        "output_tokens": 5,
        "model": "local",
    }
    assert events[-1] == Done("stop")
    assert openai.requests[0]["messages"] == [{"role": "user", "content": "Hi"}]


async def test_tools_are_called_and_a_later_turn_knows_of_it() -> None:
    script = (tool_call("c1", "add", '{"a": 2, "b": 3}', "Adding."), tool_call("c2", "look", "{}"))
    async with serve(*script, text("It is 5."), text("Yes."), check=True) as openai:
        graph = graph_on(openai)
        message, draft, events = await answer(graph, user("2+3?"))
        _, _, later = await answer(graph, user("2+3?"), message, user("Sure?"))
    calls = [part for part in message["parts"] if part["type"] == "dynamic-tool"]
    assert [(part["input"], part["output"]) for part in calls] == [
        ({"a": 2, "b": 3}, "5"),
        ({}, "seen"),
    ]
    assert [part["type"] for part in message["parts"]] == [
        *("step-start", "text", "dynamic-tool", "data-sum"),
        *("step-start", "dynamic-tool", "source-url"),
        *("step-start", "text"),
    ]
    assert "".join(each.delta for each in events if isinstance(each, ToolInputDelta)) == (
        '{"a": 2, "b": 3}{}'
    )
    assert draft.usage()["requests"] == 3
    assert later[-1] == Done("stop")
    told = openai.requests[-1]["messages"]
    assert [each["role"] for each in told] == [
        *("user", "assistant", "tool", "assistant", "tool", "assistant", "user"),
    ]
    assert told[2]["content"] == "5"


async def test_a_tool_that_fails_is_an_error() -> None:
    script = (tool_call("c1", "add", '{"a": -2, "b": 3}'), text("I cannot."))
    async with serve(*script, check=True) as openai:
        message, _, _ = await answer(graph_on(openai), user("-2+3?"))
    [part] = [part for part in message["parts"] if part["type"] == "dynamic-tool"]
    assert part["state"] == "output-error"
    assert "no negative numbers" in part["errorText"]


@pytest.mark.parametrize(
    ("reply", "code"),
    [
        (Reply(status=429), "model_rate_limited"),
        (Reply(status=401), "model_unauthorized"),
        (Reply(status=503), "model_unavailable"),
        (Reply([{"content": "Hm"}], drop=True), "model_unreachable"),
    ],
)
async def test_a_failure_has_a_code_and_no_detail(reply: Reply, code: str) -> None:
    async with serve(reply) as openai:
        message, _, events = await answer(graph_on(openai), user("Hi"))
    assert events[-1] == Error(code)
    assert "secret" not in repr(message)


async def test_leaving_ends_the_run() -> None:
    hold = asyncio.Event()
    async with serve(text("Never ends", hold=hold)) as openai:
        events = GraphExecutor(graph_on(openai))(request(user("Hi")))
        assert isinstance(events, AsyncIterator)
        while await anext(events) != TextDelta("Never ends"):
            pass
        await asyncio.wait_for(cast(Any, events).aclose(), 5)
        hold.set()


async def test_a_graph_knows_who_asks() -> None:
    seen: list[Any] = []

    async def node(
        state: MessagesState, config: RunnableConfig, runtime: Runtime[Any]
    ) -> dict[str, Any]:
        seen.append((config["configurable"]["user_id"], runtime.context))
        return {"messages": [AIMessage("Yes.", id="a")]}

    message, _, _ = await answer(
        graph_of(node), user("Hi"), context=lambda each: {"turn": each.turn_id}
    )
    assert seen == [("ann", {"turn": "turn"})]
    assert message["parts"] == [STEP, {"type": "text", "text": "Yes."}]


async def test_an_answer_that_another_executor_has_begun() -> None:
    call = {"type": "dynamic-tool", "toolName": "pay", "toolCallId": "c1", "input": {}}
    approval = {"id": "c1", "approved": True}
    begun = {"state": "approval-responded", "approval": approval}
    so_far = {"id": "a", "role": "assistant", "parts": [STEP, call | begun]}
    async with serve(text("It was not paid."), check=True) as openai:
        executor = GraphExecutor(graph_on(openai))
        asked = replace(request(user("Pay.")), answer=so_far)
        events = [event async for event in executor(asked)]
    assert events[-1] == Done("stop")
    assert [each["role"] for each in openai.requests[0]["messages"]] == [
        *("user", "assistant", "tool"),
    ]


async def test_what_waits_for_somebody_fails() -> None:
    def node(_: MessagesState) -> dict[str, Any]:
        return {"messages": [AIMessage(str(interrupt("May I?")))]}

    _, _, events = await answer(graph_of(node), user("Hi"))
    assert events[-1] == Error("tool_approval_unsupported")


async def test_a_graph_that_goes_in_circles_ends() -> None:
    builder = StateGraph(MessagesState).add_node("node", lambda _: {"messages": []})
    builder.add_edge(START, "node").add_edge("node", "node")
    _, _, events = await answer(builder.compile(), user("Hi"))
    assert events == [Error("usage_limit_exceeded")]


async def test_a_model_without_ids_and_usage() -> None:
    model = GenericFakeChatModel(messages=iter([AIMessage("So it is.")]))

    async def node(state: MessagesState) -> dict[str, Any]:
        return {"messages": [await model.ainvoke(state["messages"])]}

    message, draft, _ = await answer(graph_of(node), user("Hi"))
    assert message["parts"] == [STEP, {"type": "text", "text": "So it is."}]
    assert draft.usage() == {}


def test_a_graph_with_a_memory_of_its_own_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("OPENAI_API_KEY", "unused")
    graph = StateGraph(MessagesState).add_node("n", lambda _: {}).add_edge(START, "n")
    with pytest.raises(ExecutorSpecError, match="checkpointer"):
        GraphExecutor(cast(Graph, graph.compile(checkpointer=InMemorySaver())))
    head = "from langgraph.graph import START, MessagesState, StateGraph\n"
    made = "b = StateGraph(MessagesState).add_node('n', lambda _: {}).add_edge(START, 'n')\n"
    (tmp_path / "my_graphs.py").write_text(f"{head}{made}g = b.compile()\n")
    assert isinstance(load("my_graphs:g"), GraphExecutor)
    with pytest.raises(ExecutorSpecError, match="compiled"):
        load("my_graphs:b")
    with pytest.raises(ExecutorSpecError, match="it has g"):
        load("my_graphs:other")


def run(*values: Any) -> Sequence[dict[str, Any]]:
    clean, draft, translator = Cleaner(), Draft("m"), Translator()
    for value in values:
        for event in translator("messages", (value, {})):
            draft.take(clean(event))
    for event in translator.end():
        draft.take(clean(event))
    draft.close("completed")
    parts: list[dict[str, Any]] = draft.message()["parts"]
    return parts


def said(block: dict[str, Any]) -> AIMessageChunk:
    return AIMessageChunk(content=[block], id="1")


def test_reasoning_files_and_citations() -> None:
    cited = {"type": "citation", "url": "https://a.example", "title": "A"}
    parts = run(
        said({"type": "reasoning", "reasoning": "Hm", "index": 0}),
        said({"type": "reasoning", "reasoning": ".", "index": 0}),
        said({"type": "text", "text": "Yes", "index": 1, "annotations": [cited, cited]}),
        said({"type": "image", "base64": PICTURE, "mime_type": "image/png", "index": 2}),
        HumanMessage("not the model's"),
    )
    assert [part["type"] for part in parts] == [
        *("step-start", "reasoning", "text", "source-url", "file"),
    ]
    assert (parts[1]["text"], parts[2]["text"]) == ("Hm.", "Yes")
    assert parts[4]["url"] == f"data:image/png;base64,{PICTURE}"


def piece(call_id: str | None, name: str | None, args: str, index: int | None) -> AIMessageChunk:
    call = {"type": "tool_call_chunk", "id": call_id, "name": name, "args": args, "index": index}
    return AIMessageChunk(content="", tool_call_chunks=[cast(Any, call)], id="1")


def test_calls_in_pieces() -> None:
    parts = run(
        piece("c1", "add", '{"a"', 0),
        piece("c2", "add", '{"b": 1', 1),
        piece(None, None, ": 2}", 0),
        piece("c3", "look", "", 2),
        ToolMessage(
            [{"type": "image", "base64": PICTURE, "mime_type": "image/png"}], tool_call_id="c1"
        ),
        ToolMessage("late", tool_call_id="c9"),
    )
    calls = {part["toolCallId"]: part for part in parts if "toolCallId" in part}
    assert {call_id: part["input"] for call_id, part in calls.items()} == {
        "c1": {"a": 2},
        "c2": '{"b": 1',
        "c3": {},
    }
    assert calls["c1"]["output"] == [{"kind": "binary", "media_type": "image/png", "data": PICTURE}]
    assert calls["c2"]["state"] == "output-error"


def test_a_history_with_files() -> None:
    url = f"data:image/png;base64,{PICTURE}"
    [message] = messages_of([user("See", {"type": "file", "mediaType": "image/png", "url": url})])
    assert message.content == [
        {"type": "text", "text": "See"},
        {"type": "image", "mime_type": "image/png", "base64": PICTURE},
    ]


@pytest.mark.parametrize("chunk", [AIMessageChunk(content="x", id="1"), piece("c1", "add", "1", 0)])
def test_long_answers_take_linear_time(chunk: AIMessageChunk) -> None:
    assert growth(lambda size: run(*[chunk] * size), 2000) <= MOST
