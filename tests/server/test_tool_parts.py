"""What tools and models give a page beside text: files, sources, data, arguments as they come."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from typing import Any

from pydantic import BaseModel
from pydantic_ai import Agent, BinaryImage, CustomEvent, RunContext, ToolReturn
from pydantic_ai.messages import (
    Citation,
    FilePart,
    ModelMessage,
    NativeToolCallPart,
    NativeToolReturnPart,
    PartEndEvent,
    PartStartEvent,
    TextPart,
    WebCitationSource,
)
from pydantic_ai.models.function import AgentInfo, DeltaToolCall, DeltaToolCalls, FunctionModel
from pydantic_ai.ui.vercel_ai.response_types import (
    DataChunk,
    FileChunk,
    SourceDocumentChunk,
    SourceUrlChunk,
    TextDeltaChunk,
)

from pgthreads.events import (
    AiEvent,
    Data,
    ExecutorRequest,
    FileOutput,
    SourceUrl,
    TextEnd,
    ToolCallResult,
    ToolCallStart,
    ToolInputDelta,
    ToolInputStart,
)
from pgthreads.executors.agents import AgentExecutor
from pgthreads.executors.translation import Translator
from pgthreads.message.draft import Draft
from pgthreads.message.sanitize import Cleaner

PNG = b"\x89PNG\r\n\x1a\n"


async def calls_once(
    messages: list[ModelMessage], info: AgentInfo
) -> AsyncIterator[str | DeltaToolCalls]:
    """Call the agent's first tool with `{"a": 1}`, in pieces, and then say something."""
    if len(messages) > 1:
        yield "Done."
        return
    tool = (info.function_tools or info.output_tools)[0].name
    yield {0: DeltaToolCall(name=tool, json_args='{"a"', tool_call_id="c1")}
    yield {0: DeltaToolCall(json_args=": 1}")}


async def answer(agent: Agent[Any, Any]) -> tuple[list[dict[str, Any]], list[AiEvent]]:
    question = {"id": "u", "role": "user", "parts": [{"type": "text", "text": "Hi"}]}
    clean, draft, events = Cleaner(), Draft("m"), []
    async for event in AgentExecutor(agent)(ExecutorRequest([question], "owner", "key", "turn")):
        events.append(event)
        draft.take(clean(event))
    draft.close("completed" if draft.error_code is None else "failed")
    return draft.message()["parts"], events


async def test_what_a_tool_returns_for_the_page_reaches_it_and_not_the_model() -> None:
    agent = Agent(FunctionModel(stream_function=calls_once))

    @agent.tool_plain
    def look(a: int) -> ToolReturn[int]:
        return ToolReturn(
            a + 1,
            metadata=[
                DataChunk(type="data-chart", id="1", data={"n": [1]}),
                SourceUrlChunk(source_id="s1", url="https://example.com", title="T"),
                SourceDocumentChunk(source_id="s2", media_type="text/plain", title="D"),
                FileChunk(url="data:image/png;base64,AA==", media_type="image/png"),
                TextDeltaChunk(id="t", delta="no protocol"),
                Data("chart", {"n": [2]}, id="1"),
                "not for the page",
            ],
        )

    parts, _ = await answer(agent)
    assert parts[1]["output"] == 2
    assert parts[2:] == [
        {"type": "data-chart", "id": "1", "data": {"n": [2]}},
        {"type": "source-url", "sourceId": "s1", "url": "https://example.com", "title": "T"},
        {"type": "source-document", "sourceId": "s2", "mediaType": "text/plain", "title": "D"},
        {"type": "file", "mediaType": "image/png", "url": "data:image/png;base64,AA=="},
        {"type": "step-start"},
        {"type": "text", "text": "Done."},
    ]


async def test_arguments_come_as_the_model_writes_them() -> None:
    agent = Agent(FunctionModel(stream_function=calls_once))

    @agent.tool_plain
    def look(a: int) -> int:
        return a

    parts, events = await answer(agent)
    kinds = (ToolInputStart, ToolInputDelta, ToolCallStart, ToolCallResult)
    assert [event for event in events if isinstance(event, kinds)] == [
        ToolInputStart("c1", "look"),
        ToolInputDelta("c1", '{"a"'),
        ToolInputDelta("c1", ": 1}"),
        ToolCallStart("c1", "look", {"a": 1}),
        ToolCallResult("c1", 1),
    ]
    assert [part["type"] for part in parts] == ["step-start", "dynamic-tool", "step-start", "text"]


class Answer(BaseModel):
    a: int


async def test_the_call_of_an_output_tool_is_not_shown() -> None:
    parts, events = await answer(
        Agent(FunctionModel(stream_function=calls_once), output_type=[Answer, str])
    )
    assert not any(isinstance(event, ToolInputStart) for event in events)
    assert parts == [{"type": "step-start"}, {"type": "text", "text": '{"a": 1}'}]


@dataclass(kw_only=True)
class ProgressEvent(CustomEvent):
    percent: int


async def test_what_a_tool_emits_is_data() -> None:
    agent = Agent(FunctionModel(stream_function=calls_once))

    @agent.tool
    async def look(context: RunContext[object], a: int) -> int:
        await context.emit(ProgressEvent(percent=50))
        return a

    _, events = await answer(agent)
    [emitted] = [event for event in events if isinstance(event, Data)]
    assert emitted.name == "progress"
    assert emitted.data["percent"] == 50


def test_images_and_citations_of_a_model() -> None:
    translate = Translator(holds_text=False)
    cited = [
        Citation(sources=[WebCitationSource(url="https://example.com", title="T")]),
        Citation(sources=[WebCitationSource(url="https://example.com", title="T")]),
    ]
    text = TextPart("So it is.", citations=cited, provider_name="p")
    image = FilePart(BinaryImage(PNG, media_type="image/png"), provider_name="p")
    events = [
        event
        for each in (
            PartStartEvent(index=0, part=text),
            PartEndEvent(index=0, part=text),
            PartStartEvent(index=1, part=image),
            PartEndEvent(index=1, part=image),
        )
        for event in translate(each)
    ]
    [end] = [event for event in events if isinstance(event, TextEnd)]
    assert end.provider_metadata is not None
    kept = end.provider_metadata["pydantic_ai"]
    assert kept["provider_name"] == "p"
    assert len(kept["citations"]) == 2
    assert [event for event in events if isinstance(event, SourceUrl)] == [
        SourceUrl("https://example.com", "https://example.com", "T")
    ]
    assert events[-1] == FileOutput(
        "image/png",
        "data:image/png;base64,iVBORw0KGgo=",
        {"pydantic_ai": {"provider_name": "p"}},
    )


def test_the_provider_s_own_tools_are_marked() -> None:
    translate = Translator(holds_text=False)
    call = NativeToolCallPart("web_search", {"query": "x"}, "c1", provider_name="p", id="ws_1")
    result = NativeToolReturnPart("web_search", ["found"], "c1", provider_name="p")
    events = [
        *translate(PartStartEvent(index=0, part=call)),
        *translate(PartEndEvent(index=0, part=call)),
        *translate(PartStartEvent(index=1, part=result)),
        *translate(PartEndEvent(index=1, part=result)),
    ]
    assert events == [
        ToolCallStart(
            "c1",
            "web_search",
            {"query": "x"},
            provider_executed=True,
            provider_metadata={"pydantic_ai": {"id": "ws_1", "provider_name": "p"}},
        ),
        ToolCallResult("c1", ["found"]),
    ]
