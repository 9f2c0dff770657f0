"""What an agent streams, what it returns and what is stored are the same."""

from __future__ import annotations

import base64
import json
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import pytest
from pydantic import BaseModel
from pydantic_ai import Agent, BinaryContent, ModelRetry, NativeOutput, TextOutput, ToolReturn
from pydantic_ai.messages import (
    ModelMessage,
    ModelRequest,
    ToolReturnPart,
    UserPromptPart,
)
from pydantic_ai.models.function import AgentInfo, DeltaThinkingPart, DeltaToolCall, FunctionModel

from pgthreads.events import ExecutorRequest, UIMessage
from pgthreads.executors.agents import AgentExecutor
from pgthreads.executors.prompts import make_prompt
from pgthreads.history import prompt_history
from pgthreads.message.calls import MAX_TOOL_FILES
from pgthreads.message.draft import Draft
from pgthreads.message.sanitize import Cleaner

STEP = {"type": "step-start"}
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(250)) * 4
Says = Callable[[list[ModelMessage], AgentInfo], AsyncIterator[Any]]


class City(BaseModel):
    name: str


def text(said: str) -> dict[str, Any]:
    return {"type": "text", "text": said}


def agent_on(says: Says, **options: Any) -> Agent[None, Any]:
    return Agent(FunctionModel(stream_function=says), **options)


async def answer(agent: Agent[None, Any], *history: UIMessage) -> Draft:
    clean, message = Cleaner(), Draft("m")
    question = {"id": "u", "role": "user", "parts": [{"type": "text", "text": "Well?"}]}
    request = ExecutorRequest((*history, question), "owner", "key", "turn")
    async for event in AgentExecutor(agent)(request):
        message.take(clean(event))
    message.close("completed")
    assert message.error_code is None
    assert not message.corrected
    return message


async def parts(agent: Agent[None, Any], *history: UIMessage) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = (await answer(agent, *history)).message()["parts"]
    return found


async def test_the_output_follows_the_text_before_its_tool() -> None:
    async def says(_: list[ModelMessage], info: AgentInfo) -> AsyncIterator[Any]:
        yield "Let me see."
        yield {1: DeltaToolCall(info.output_tools[0].name, '{"name": "Turin"}', tool_call_id="o")}

    for output_type in (City, [str, City]):
        found = await parts(agent_on(says, output_type=output_type))
        assert found == [STEP, text("Let me see."), STEP, text('{"name": "Turin"}')]


@pytest.mark.parametrize("output_type", [str, [str], City | str])
async def test_a_text_that_a_validator_refuses_is_not_shown(output_type: Any) -> None:
    async def says(messages: list[ModelMessage], _: AgentInfo) -> AsyncIterator[Any]:
        yield "It is "
        yield "41." if len(messages) == 1 else "42."

    agent = agent_on(says, output_type=output_type)

    @agent.output_validator
    def check(output: Any) -> Any:
        if "41" in output:
            raise ModelRetry("no")
        return output + "!"

    message = await answer(agent)
    assert message.message()["parts"] == [STEP, text("It is 42.!")]
    assert message.usage()["texts_refused"] == 1


def shout(said: str) -> str:
    return said.upper()


def draw(said: str) -> dict[str, bytes]:
    return {said: PNG}


async def test_an_output_that_a_function_makes_of_the_text_is_the_answer() -> None:
    async def says(_: list[ModelMessage], __: AgentInfo) -> AsyncIterator[Any]:
        yield "quiet "
        yield "words"

    assert await parts(agent_on(says, output_type=TextOutput(shout))) == [
        STEP,
        text("QUIET WORDS"),
    ]


async def test_native_output_is_its_json() -> None:
    async def says(_: list[ModelMessage], __: AgentInfo) -> AsyncIterator[Any]:
        yield '{"name":'
        yield '"Turin"}'

    found = await parts(agent_on(says, output_type=NativeOutput(City)))
    assert found == [STEP, text('{"name": "Turin"}')]


async def test_held_text_is_shown_with_the_tool_call_that_it_goes_with() -> None:
    async def says(messages: list[ModelMessage], info: AgentInfo) -> AsyncIterator[Any]:
        if len(messages) == 1:
            yield "Looking."
            yield {1: DeltaToolCall("look", "{}", tool_call_id="c")}
        else:
            name = info.output_tools[0].name
            yield {0: DeltaToolCall(name, '{"name": "Turin"}', tool_call_id="o")}

    agent = agent_on(says, output_type=City)

    @agent.tool_plain
    def look() -> str:
        return "seen"

    found = await parts(agent)
    assert [part["type"] for part in found] == [
        *("step-start", "text", "dynamic-tool", "step-start", "text")
    ]
    assert found[-1] == text('{"name": "Turin"}')


async def test_parts_of_one_response_are_parts() -> None:
    async def says(_: list[ModelMessage], __: AgentInfo) -> AsyncIterator[Any]:
        yield {0: DeltaThinkingPart(content="One.")}
        yield {1: DeltaThinkingPart(content="Two.")}
        yield "Four."

    assert await parts(agent_on(says)) == [
        STEP,
        {"type": "reasoning", "id": "r0", "text": "One."},
        {"type": "reasoning", "id": "r1", "text": "Two."},
        text("Four."),
    ]


async def test_an_output_of_bytes_is_not_shown_as_base64() -> None:
    async def says(_: list[ModelMessage], __: AgentInfo) -> AsyncIterator[Any]:
        yield "x"

    found = await parts(agent_on(says, output_type=TextOutput(draw)))
    assert found == [STEP, text('{"x": "[A file: image/png, 1,008 bytes]"}')]


@dataclass
class Page:
    title: str
    picture: bytes


def a_picture() -> BinaryContent:
    return BinaryContent(PNG, media_type="image/png")


def some_bytes() -> bytes:
    return b"\xff\x00" * 50


def a_page() -> Page:
    return Page("Home", PNG)


def a_chart() -> ToolReturn[str]:
    return ToolReturn("made", content=["Here it is:", BinaryContent(PNG, media_type="image/png")])


def pictures() -> list[Any]:
    return ["Two:", BinaryContent(PNG, media_type="image/png"), {"inner": [PNG]}]


async def returned(tool: Callable[[], Any]) -> tuple[UIMessage, list[Any]]:
    """Return the answer with the tool call, and what the next turn tells the model of it."""

    async def says(messages: list[ModelMessage], _: AgentInfo) -> AsyncIterator[Any]:
        if any(isinstance(part, ToolReturnPart) for part in messages[-1].parts):
            yield "Done."
        else:
            yield {0: DeltaToolCall(tool.__name__, "{}", tool_call_id="c")}

    agent = agent_on(says)
    agent.tool_plain(tool)
    message = (await answer(agent)).message()
    question = {"id": "u", "role": "user", "parts": [text("So?")]}
    prompt = make_prompt([question, message, question])
    told = [part for each in prompt.messages for part in each.parts]
    [result] = [part.content for part in told if isinstance(part, ToolReturnPart)]
    prompts = [part.content for part in told if isinstance(part, UserPromptPart)]
    assert prompts == ["So?", "So?"]
    return message, result if isinstance(result, list) else [result]


@pytest.mark.parametrize(
    ("tool", "expected"),
    [
        (a_picture, [PNG]),
        (some_bytes, ["[A file of the tool's"]),
        (a_page, [{"title": "Home", "picture": "[A file of the tool's"}]),
        (a_chart, ["made", "Here it is:", PNG]),
        (pictures, ["Two:", PNG, {"inner": ["[A file of the tool's"]}]),
    ],
)
async def test_files_of_a_tool_are_files_in_later_prompts(
    tool: Callable[[], Any], expected: list[Any]
) -> None:
    message, result = await returned(tool)
    for is_, wanted in zip(result, expected, strict=True):
        if isinstance(wanted, bytes):
            assert isinstance(is_, BinaryContent)
            assert is_.data == wanted
        else:
            assert json.dumps(is_).startswith(json.dumps(wanted).rstrip('"]}'))
    assert base64.b64encode(PNG).decode() not in json.dumps(
        [item for item in result if not isinstance(item, BinaryContent)]
    )
    assert json.loads(json.dumps(message)) == message


def test_only_the_newest_files_of_tools_are_shown_again() -> None:
    output = {"kind": "binary", "media_type": "image/png", "data": base64.b64encode(PNG).decode()}
    calls = [
        {
            "type": "dynamic-tool",
            "toolName": "shot",
            "toolCallId": f"c{n}",
            "input": {},
            "state": "output-available",
            "output": output,
        }
        for n in range(MAX_TOOL_FILES + 2)
    ]
    question = {"id": "u", "role": "user", "parts": [text("So?")]}
    thread = [question, {"id": "a", "role": "assistant", "parts": calls}, question]
    outputs = [part["output"] for part in prompt_history(thread)[1]["parts"] if "output" in part]
    assert outputs[2:] == [output] * MAX_TOOL_FILES
    assert all("image/png, 1,008 bytes" in told for told in outputs[:2])


@pytest.mark.parametrize(
    ("output", "told"),
    [
        ({"type": "image", "mimeType": "image/png", "data": "iVBORw0KGgo="}, "file"),
        (
            {
                "content": [
                    {"type": "text", "text": "Look"},
                    {"type": "image", "mimeType": "image/png", "data": "iVBORw0KGgo="},
                ]
            },
            "file",
        ),
        ({"type": "file", "mimeType": "text/plain", "data": "aGVsbG8="}, "hello"),
        ({"kind": "image-url", "url": "http://127.0.0.1/", "media_type": "image/png"}, "same"),
        ({"kind": "binary", "media_type": "image/png", "data": "not base64!"}, "same"),
        ({"kind": "binary", "media_type": 5, "data": "aGVsbG8="}, "same"),
        (["a", " ", None], ["a", '""', None]),
        (None, "The tool returned nothing."),
        ("  ", "The tool returned nothing."),
        ([], "The tool returned nothing."),
    ],
)
def test_what_a_stored_output_tells(output: Any, told: Any) -> None:
    call = {"type": "tool-x", "toolCallId": "c", "state": "output-available", "input": {}}
    question = {"id": "u", "role": "user", "parts": [text("So?")]}
    thread = [question, {"id": "a", "role": "assistant", "parts": [{**call, "output": output}]}]
    found = prompt_history(thread)[1]["parts"][1]["output"]
    if told == "file":
        last = found[-1] if isinstance(found, list) else found
        assert last == {"kind": "binary", "media_type": "image/png", "data": "iVBORw0KGgo="}
    else:
        assert found == (output if told == "same" else told)


def test_a_denied_call_is_told_as_denied() -> None:
    call = {"type": "dynamic-tool", "toolName": "pay", "toolCallId": "c", "input": {}}
    denied = {
        **call,
        "state": "output-denied",
        "approval": {"id": "p", "approved": False, "reason": "No."},
    }
    question = {"id": "u", "role": "user", "parts": [text("So?")]}
    prompt = make_prompt([question, {"id": "a", "role": "assistant", "parts": [denied]}, question])
    [result] = [
        part
        for message in prompt.messages
        if isinstance(message, ModelRequest)
        for part in message.parts
        if isinstance(part, ToolReturnPart)
    ]
    assert result.outcome == "denied"
    assert result.content == "The user denied this call, and the tool was not run. Reason: No."
