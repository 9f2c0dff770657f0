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
class Script:
    """One answer: what is said and called, and how many seconds each piece takes."""

    steps: tuple[Say | Call, ...]
    pause: float


def script(prompt: str, history: int) -> Script:
    """Return the answer to a prompt behind `history` messages, itself among them."""
    dice = random.Random(hashlib.sha256(prompt.encode()).digest())
    steps: list[Say | Call] = []
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
    return Script(tuple(steps), pause)


def complete(prompt: str, history: int) -> list[dict[str, Any]]:
    """Return the parts of the whole answer, as a client assembles and the database stores them."""
    parts: list[dict[str, Any]] = [{"type": "step-start"}]
    answered = False
    for step in script(prompt, history).steps:
        if answered:
            parts.append({"type": "step-start"})
        answered = isinstance(step, Call)
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
        if part == expected:
            continue
        return place == len(parts) - 1 and _is_cut_short(part, expected)
    return True


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
