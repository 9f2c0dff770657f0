"""What the model of these tests says: a function of the prompt and of the history's length.

The executor says it and the checker expects it, so both know what a complete answer has to be.
"""

from __future__ import annotations

import hashlib
import random
from dataclasses import dataclass
from typing import Any

UNANSWERED = {
    "stopped": "Stopped before the tool returned a result.",
    "failed": "The answer failed before the tool returned a result.",
    "abandoned": "The answer was abandoned before the tool returned a result.",
}
"""The error text of an open tool call in a partial answer."""

LONG = 0.015
"""How many of the answers are long."""

LONG_PIECES = 12_000

WAITS = "waits"
"""A prompt with this word has an answer that waits, and goes on once all is responded to."""

_ASKED = ("pay", "locate")

_WORDS = ("plain", "déjà vu", '"quoted"', "back\\slash", "line\nbreak", "😀", "1e3", "<b>", "null")


@dataclass(frozen=True, slots=True)
class Say:
    """Text, or reasoning, in pieces."""

    kind: str
    pieces: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Call:
    """A tool call with its result; an error's text if `is_error`."""

    call_id: str
    name: str
    args: dict[str, Any]
    result: Any
    is_error: bool


@dataclass(frozen=True, slots=True)
class Ask:
    """A call that waits, for an approval if it is to `pay`, otherwise for the client.

    `response` is what every client says of it: an approval, a denial or an output.
    """

    call_id: str
    name: str
    args: dict[str, Any]
    response: dict[str, Any]

    @property
    def part(self) -> dict[str, Any]:
        """The part of the answer, when it is complete."""
        part: dict[str, Any] = {
            "type": "dynamic-tool",
            "toolCallId": self.call_id,
            "toolName": self.name,
        }
        part |= {"input": self.args, "state": "output-available"}
        if "output" in self.response:
            return part | self.response
        part["approval"] = {"id": self.call_id, **self.response}
        if self.response["approved"]:
            return part | {"output": f"ran {self.call_id}"}
        return part | {"state": "output-denied"}


@dataclass(frozen=True, slots=True)
class Script:
    """One answer: what is said and called, and how many seconds each piece takes."""

    steps: tuple[Say | Call | Ask, ...]
    pause: float


def script(prompt: str, history: int) -> Script:
    """Return the answer to a prompt behind `history` messages, itself among them."""
    dice = random.Random(hashlib.sha256(prompt.encode()).digest())
    steps: list[Say | Call | Ask] = []
    if dice.random() < 0.3:
        steps.append(Say("reasoning", _pieces(dice, dice.randint(1, 6))))
    for number in range(dice.choice((0, 0, 1, 2))):
        is_error = dice.random() < 0.2
        result = "it is broken" if is_error else {"rows": [dice.randrange(1000)], "of": prompt}
        args = {"query": prompt, "number": number}
        steps.append(Call(f"call-{number}", "look_up", args, result, is_error))
    opening = f"After {history} messages, to {prompt!r}: "
    pieces = _pieces(dice, dice.randint(2, 25))
    slow = dice.random()
    pause = 0.15 if slow < 0.08 else 0.03 if slow < 0.4 else 0.005
    if dice.random() < LONG:
        # Like a model that writes a report: what a killed worker leaves has to be put together.
        pieces, pause = _pieces(dice, LONG_PIECES), 0.0
    steps.append(Say("text", (opening, *pieces)))
    if WAITS in prompt:
        pause = min(pause, 0.03)
        steps = [Say("text", (opening, *_pieces(dice, 3)))]
        steps += (_ask(dice, number) for number in range(dice.randint(1, 3)))
        steps.append(Say("text", _pieces(dice, dice.randint(2, 25))))
    return Script(tuple(steps), pause)


def _ask(dice: random.Random, number: int) -> Ask:
    call_id, args = f"ask-{number}", {"number": number}
    kind = dice.randrange(3)
    if kind == 0:
        return Ask(call_id, "locate", args, {"output": {"city": dice.choice(_WORDS)}})
    denied = {"approved": False, "reason": dice.choice(_WORDS)}
    return Ask(call_id, "pay", args, {"approved": True} if kind == 1 else denied)


def responses(prompt: str) -> dict[str, dict[str, Any]]:
    """Return what clients say of the calls that wait in the answer to a prompt."""
    steps = script(prompt, 0).steps
    return {step.call_id: step.response for step in steps if isinstance(step, Ask)}


def complete(prompt: str, history: int) -> list[dict[str, Any]]:
    """Return the parts of the whole answer, as a client assembles and the database stores them."""
    parts: list[dict[str, Any]] = [{"type": "step-start"}]
    answered = False
    for step in script(prompt, history).steps:
        if answered and not isinstance(step, Ask):
            parts.append({"type": "step-start"})
        answered = isinstance(step, Call | Ask)
        if isinstance(step, Ask):
            parts.append(step.part)
            continue
        if isinstance(step, Call):
            outcome = (
                {"state": "output-error", "errorText": step.result}
                if step.is_error
                else {"state": "output-available", "output": step.result}
            )
            call = {"toolCallId": step.call_id, "toolName": step.name, "input": step.args}
            parts.append({"type": "dynamic-tool", **call, **outcome})
        else:
            named = {"id": "r0"} if step.kind == "reasoning" else {}
            parts.append({"type": step.kind, **named, "text": "".join(step.pieces)})
    return parts


def is_beginning(parts: list[dict[str, Any]], whole: list[dict[str, Any]]) -> bool:
    """Whether a partial answer's parts are the beginning of the whole answer."""
    if len(parts) > len(whole):
        return False
    for place, (part, expected) in enumerate(zip(parts, whole, strict=False)):
        if part == expected or _is_asked(part, expected):
            continue
        return place == len(parts) - 1 and _is_cut_short(part, expected)
    return True


def _is_asked(part: dict[str, Any], expected: dict[str, Any]) -> bool:
    """Whether a call that waited stands there in another state than in the end."""
    same = ("type", "toolName", "toolCallId", "input")
    is_same = all(part.get(name) == expected.get(name) for name in same)
    is_said = "output" not in part or part["output"] == expected.get("output", part["output"])
    return is_same and is_said and part.get("toolName") in _ASKED


def _is_cut_short(part: dict[str, Any], expected: dict[str, Any]) -> bool:
    if part["type"] in ("text", "reasoning"):
        same = {**expected, "text": part["text"]} == part
        return same and str(expected.get("text")).startswith(part["text"])
    unfinished = {k: v for k, v in expected.items() if k not in ("state", "output", "errorText")}
    return part in (
        *(
            {**unfinished, "state": "output-error", "errorText": text}
            for text in UNANSWERED.values()
        ),
        {**unfinished, "state": "input-available"},
    )


def _pieces(dice: random.Random, count: int) -> tuple[str, ...]:
    return tuple(f"{dice.choice(_WORDS)} {dice.randrange(10**6)} " for _ in range(count))
