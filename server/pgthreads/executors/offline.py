"""The built-in executor. It needs no model, so that everything can be tried offline."""

from __future__ import annotations

import ast
import asyncio
import itertools
import json
import operator
import re
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

from ..events import (
    AiEvent,
    AssistantFinal,
    Done,
    Error,
    ExecutorRequest,
    JsonValue,
    ReasoningDelta,
    Status,
    TextDelta,
    ToolApprovalRequest,
    ToolCallResult,
    ToolCallStart,
    UIMessage,
    UsageReport,
)

HELP = """\
I answer without a model, so that you can try the whole thing. Say

- `long 500` for 500 words, streamed one by one
- `time`, or a calculation like `2+3*4`, for a tool call
- `1/0` for a tool call that fails
- `pay 5` for a tool call that needs your approval, `pay 5 20 900` for three
- `my time` for a tool that your browser runs
- `think` and a question for reasoning before the answer
- `what did I say first?` (or last) for an answer out of this thread's history
- `fail` for an answer that breaks off

Anything else I repeat."""

MAX_WORDS = 100_000
"""How many words the longest answer to `long` has."""

MAX_ECHO = 2_000
"""How many characters of a message are repeated."""

_SENTENCE = (
    "The server keeps the thread and streams each answer word by word, so that no page can"
    " change what was said and a lost connection loses nothing."
)

_LARGEST = 10**100
_OPERATORS: Mapping[type[ast.AST], Callable[..., Any]] = {
    ast.Add: operator.add,
    ast.Sub: operator.sub,
    ast.Mult: operator.mul,
    ast.Div: operator.truediv,
    ast.FloorDiv: operator.floordiv,
    ast.Mod: operator.mod,
    ast.USub: operator.neg,
    ast.UAdd: operator.pos,
}


def calculate(expression: str) -> int | float:
    """The value of an arithmetic expression of numbers, `+ - * / // % **` and parentheses.

    Raises `ValueError` for any other expression and for a result beyond ±1e100, and
    `ZeroDivisionError`.
    """
    if len(expression) > 1_000:
        raise ValueError("a calculation has up to 1000 characters")
    try:
        tree = ast.parse(expression.strip(), mode="eval")
        return _value(tree.body)
    except (SyntaxError, RecursionError, MemoryError, OverflowError, TypeError) as error:
        raise ValueError(f"not a calculation: {expression}") from error


def _value(node: ast.expr) -> int | float:
    match node:
        case ast.Constant(value=int() | float() as number) if not isinstance(number, bool):
            result = number
        case ast.UnaryOp(op=op, operand=operand) if type(op) in _OPERATORS:
            result = _OPERATORS[type(op)](_value(operand))
        case ast.BinOp(left=left, op=ast.Pow(), right=right):
            base, exponent = _value(left), _value(right)
            if abs(exponent) > 100:
                raise ValueError("exponents go up to 100")
            result = base**exponent
        case ast.BinOp(left=left, op=op, right=right) if type(op) in _OPERATORS:
            result = _OPERATORS[type(op)](_value(left), _value(right))
        case _:
            raise ValueError("only numbers, + - * / // % ** and parentheses")
    if isinstance(result, complex):
        raise ValueError("the result is not a real number")  # noqa: TRY004
    if not abs(result) <= _LARGEST:
        raise ValueError("the result is too large")
    return result


def _clock() -> dict[str, str]:
    now = datetime.now(UTC)
    return {"utc": now.isoformat(timespec="seconds"), "weekday": f"{now:%A}"}


class OfflineExecutor:
    """Answers commands (`help` lists them) with text, reasoning, tool calls and failures.

    `delay` is the pause before each word, in seconds.
    """

    def __init__(self, delay: float = 0.02) -> None:
        self._delay = delay

    async def __call__(self, request: ExecutorRequest, /) -> AsyncIterator[AiEvent]:
        """Answer the last message; see `events.Executor`."""
        words = 0
        async for event in self._answer(request):
            words += isinstance(event, TextDelta)
            yield event
            if isinstance(event, Error):
                return
        prompt = sum(len(_text(message).split()) for message in request.messages)
        yield UsageReport({"requests": 1, "input_words": prompt, "output_words": words})
        yield Done()

    async def _answer(self, request: ExecutorRequest) -> AsyncIterator[AiEvent]:
        said = _text(request.messages[-1]).strip()
        command = said.lower().rstrip("?!. ")
        if request.answer is not None:
            answer = self._go_on(request, request.answer)
        elif command in ("help", "hi", "hello"):
            answer = self._speak(HELP)
        elif match := re.fullmatch(r"long(?: (\d{1,9}))?", command):
            answer = self._speak(_essay(min(int(match[1] or 200), MAX_WORDS)))
        elif command in ("time", "date", "what time is it", "clock"):
            answer = self._use_tool(request, "clock", {}, _clock, "It is {utc}, a {weekday}.")
        elif match := re.fullmatch(r"pay((?: +\d{1,9}){1,10})", command):
            answer = self._pay(request, [int(each) for each in match[1].split()])
        elif command in ("my time", "my clock", "my time zone"):
            answer = self._ask_browser(request)
        elif command == "fail":
            answer = self._fail()
        elif match := re.fullmatch(r"think\b\W*(.*)", said, re.IGNORECASE | re.DOTALL):
            answer = self._think(match[1].strip() or "nothing in particular")
        elif match := re.search(r"what did i say (first|last|before)", command):
            answer = self._speak(_recall(request.messages, first=match[1] == "first"))
        elif re.fullmatch(r"[\d(.+-][\d\s.()+*/%eE-]*", command) and re.search(r"\d", command):
            answer = self._calculate(request, command)
        else:
            answer = self._speak(_echo(said, request.messages[-1]))
        async for event in answer:
            yield event

    async def _speak(self, text: str) -> AsyncIterator[AiEvent]:
        for piece in re.findall(r"\s*\S+|\s+$", text):
            await asyncio.sleep(self._delay)
            yield TextDelta(piece)
        yield AssistantFinal(text)

    async def _think(self, question: str) -> AsyncIterator[AiEvent]:
        yield Status("thinking", "Thinking")
        thought = f"I am asked about {question}. I have no model, so I look at the words: "
        for piece in re.findall(r"\s*\S+", f"{thought}{len(question.split())} of them."):
            await asyncio.sleep(self._delay)
            yield ReasoningDelta(piece)
        async for event in self._speak(f"I thought about it, and I can only repeat: {question}"):
            yield event

    async def _fail(self) -> AsyncIterator[AiEvent]:
        yield TextDelta("This answer breaks off in the")
        await asyncio.sleep(self._delay)
        yield Error("offline_failure")

    async def _calculate(self, request: ExecutorRequest, text: str) -> AsyncIterator[AiEvent]:
        yield TextDelta("Let me calculate.")
        args = {"expression": text}
        async for event in self._use_tool(
            request,
            "calculator",
            args,
            lambda: {"value": calculate(text)},
            f"{text} is {{value}}.",
        ):
            yield event

    async def _pay(self, request: ExecutorRequest, sums: Sequence[int]) -> AsyncIterator[AiEvent]:
        yield TextDelta("I pretend to pay, if you approve.")
        ids = [f"call_{request.turn_id}_{number}" for number in range(len(sums))]
        for call_id, euros in zip(ids, sums, strict=True):
            await asyncio.sleep(self._delay)
            yield ToolCallStart(call_id, "pay", {"euros": euros})
        for call_id in ids:
            yield ToolApprovalRequest(call_id)

    async def _ask_browser(self, request: ExecutorRequest) -> AsyncIterator[AiEvent]:
        yield TextDelta("I ask your browser.")
        await asyncio.sleep(self._delay)
        yield ToolCallStart(f"call_{request.turn_id}", "browser_clock", {}, by_client=True)

    async def _go_on(self, request: ExecutorRequest, answer: UIMessage) -> AsyncIterator[AiEvent]:
        """Go on with an answer of `_pay` or `_ask_browser` that has waited."""
        inputs = {each["toolCallId"]: each["input"] for each in answer["parts"] if "input" in each}
        said = []
        for each in request.responses:
            call_id = each.tool_call_id
            if each.approved is None:
                told = each.error_text or json.dumps(each.output, ensure_ascii=False)
                said.append(f"Your browser says: {told[:MAX_ECHO]}")
                continue
            await asyncio.sleep(self._delay)
            euros = inputs[call_id]["euros"]
            yield ToolCallResult(call_id, {"paid": euros} if each.approved else "denied")
            reason = f": {each.reason[:MAX_ECHO]}" if each.reason else "."
            said.append(f"I paid {euros} euros." if each.approved else f"Not {euros} euros{reason}")
        async for event in self._speak("\n\n".join(said)):
            yield event

    async def _use_tool(
        self,
        request: ExecutorRequest,
        name: str,
        args: dict[str, JsonValue],
        tool: Callable[[], dict[str, Any]],
        answer: str,
    ) -> AsyncIterator[AiEvent]:
        call_id = f"call_{request.turn_id}"
        yield Status("tool", f"Using the {name}")
        yield ToolCallStart(call_id, name, args)
        await asyncio.sleep(self._delay)
        try:
            result = tool()
        except (ValueError, ArithmeticError) as error:
            yield ToolCallResult(call_id, str(error), is_error=True)
            text = f"The {name} failed: {error}."
        else:
            yield ToolCallResult(call_id, result)
            text = answer.format(**result)
        async for event in self._speak(text):
            yield event


def _text(message: UIMessage) -> str:
    return "\n".join(part["text"] for part in message["parts"] if part["type"] == "text")


def _echo(said: str, message: UIMessage) -> str:
    files = [
        part.get("filename") or part["mediaType"]
        for part in message["parts"]
        if part["type"] == "file"
    ]
    lines = [
        f"You said: {said[:MAX_ECHO]}" if said else "",
        f"You sent {', '.join(files)}, which I cannot look into." if files else "",
        "Say `help` to see what I can do.",
    ]
    return "\n\n".join(line for line in lines if line)


def _essay(words: int) -> str:
    return " ".join(itertools.islice(itertools.cycle(_SENTENCE.split()), words))


def _recall(messages: Sequence[UIMessage], *, first: bool) -> str:
    earlier = [_text(message) for message in messages[:-1] if message["role"] == "user"]
    if not earlier:
        return "This is the first thing you say in this thread."
    which = "first" if first else "last"
    return f"Your {which} message was: {earlier[0 if first else -1]}"
