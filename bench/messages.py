"""The messages to store: a question of 200 bytes, an answer of 1.5 KB with 800 bytes of a tool."""

from __future__ import annotations

import itertools
import json
import random
import uuid
from dataclasses import dataclass
from typing import Any

USER_BYTES = 200
ANSWER_BYTES = 1536
OUTPUT_BYTES = 800
# Words are as frequent as real ones: the n-th word is 1/n as frequent as the first.
WORDS = ["".join(random.Random(n).choices("aeioubcdlmnrst", k=2 + n % 9)) for n in range(20_000)]
_WEIGHTS = list(itertools.accumulate(1 / (n + 1) for n in range(len(WORDS))))
_ID = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-"


_BOOK = " ".join(random.Random(0).choices(WORDS, cum_weights=_WEIGHTS, k=500_000))


def text(size: int) -> str:
    """Return so many bytes of words, with nothing that a redaction rule searches for."""
    start = random.randrange(len(_BOOK) - size)
    return _BOOK[start : start + size]


def new_id() -> str:
    """Return an id like those that clients and servers make: 21 characters."""
    return "".join(random.choices(_ID, k=21))


def new_thread() -> str:
    """Return the name of a thread that every system takes."""
    return str(uuid.uuid4())


@dataclass(frozen=True)
class Exchange:
    """A user message and its answer, which called a tool; each library has its own form."""

    user_text: str
    answer_text: str
    call_id: str
    query: str
    output: str

    @classmethod
    def new(cls) -> Exchange:
        """Make one that is different from all others."""
        return cls(text(USER_BYTES), text(ANSWER_BYTES), new_id(), text(30), text(OUTPUT_BYTES))

    def user(self) -> dict[str, Any]:
        """Return the UIMessage of the user."""
        parts = [{"type": "text", "text": self.user_text}]
        return {"id": new_id(), "role": "user", "parts": parts}

    def answer(self) -> dict[str, Any]:
        """Return the UIMessage of the assistant, as the server assembles one."""
        tool = {
            "type": "dynamic-tool",
            "toolName": "search",
            "toolCallId": self.call_id,
            "state": "output-available",
            "input": {"query": self.query},
            "output": {"text": self.output},
        }
        said = {"type": "text", "text": self.answer_text, "state": "done"}
        parts = [{"type": "step-start"}, tool, {"type": "step-start"}, said]
        return {"id": new_id(), "role": "assistant", "parts": parts}

    def messages(self) -> list[dict[str, Any]]:
        """Return both."""
        return [self.user(), self.answer()]


def conversation(length: int) -> list[Exchange]:
    """Return the exchanges of a thread of so many messages."""
    return [Exchange.new() for _ in range(length // 2)]


def dumps(value: object) -> str:
    """Return JSON as the server sends it."""
    return json.dumps(value, ensure_ascii=False)
