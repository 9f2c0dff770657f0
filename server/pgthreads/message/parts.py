"""How a turn's events fall into the steps and parts of one message.

The stored message and the client's must be equal, so the rules stand here once; `Accumulator` and
`WireEncoder` only say what each outcome looks like in a UIMessage and on the wire.

- Consecutive deltas of one kind are one part; another kind, a tool call or a boundary closes it.
- A tool result ends what the model said: text, reasoning or a call after it begins a new step. So
  does the boundary of a step.
- A final text that contradicts what was said follows it as a step of its own.
- A stream never breaks its client: empty deltas, results of unknown or finished calls, second
  starts of one call, and output after `Done` or `Error` are dropped.
"""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Mapping
from typing import Literal, TypeAlias

from ..events import (
    AiEvent,
    AssistantFinal,
    Boundary,
    Done,
    Error,
    FinishReason,
    JsonValue,
    ReasoningDelta,
    Status,
    TextDelta,
    ToolCallResult,
    ToolCallStart,
    UsageReport,
)

PartKind: TypeAlias = Literal["text", "reasoning"]

EndStatus: TypeAlias = Literal["completed", "stopped", "failed"]
"""How a turn ended; the last two are kept as the message's `metadata.status`."""

UNANSWERED: Mapping[EndStatus, str] = {
    "completed": "The tool returned no result.",
    "stopped": "Stopped before the tool returned a result.",
    "failed": "The answer failed before the tool returned a result.",
}
"""`errorText` of the calls that are still open when a turn ends."""


class Segmenter(ABC):
    """Takes cleaned events and calls a hook for each thing that happens to the message.

    `finish_reason` and `error_code` hold what `Done` and `Error` said, None before.
    `final_mismatch` turns true when an `AssistantFinal` contradicts the text already streamed.
    """

    def __init__(self) -> None:
        self.finish_reason: FinishReason | None = None
        self.error_code: str | None = None
        self.final_mismatch = False
        self._open: PartKind | None = None
        self._part_count = 0
        self._answered = False
        self._wrote = False
        self._text: list[str] = []
        self._step_text = 0
        self._part_text = 0
        self._last_text = 0
        self._calls: dict[str, bool] = {}
        self._ended = False
        self._closed = False

    def _apply(self, event: AiEvent) -> None:
        # The next piece of the open text is nearly every event.
        if type(event) is TextDelta and self._open == "text" and event.delta and not self._ended:
            self._text.append(event.delta)
            self._delta(event.delta)
            return
        if isinstance(event, UsageReport):
            self._usage(event.fact)
            return
        if self._ended:
            return
        match event:
            case TextDelta(delta):
                self._write("text", delta)
            case ReasoningDelta(delta):
                self._write("reasoning", delta)
            case ToolCallStart(call_id, name, args):
                self._start_call(call_id, name, args)
            case ToolCallResult(call_id, result, is_error):
                self._end_call(call_id, result, is_error)
            case Status(phase, label):
                self._status(phase, label)
            case Boundary(step):
                self._end_part_or_step(step)
            case AssistantFinal(content):
                self._reconcile(content)
            case Done(reason):
                self.finish_reason = reason
                self._ended = True
            case Error(code):
                self.error_code = code
                self._ended = True

    def _close(self, status: EndStatus) -> None:
        if self._closed:
            return
        self._closed = self._ended = True
        self._close_part()
        for call_id, is_open in self._calls.items():
            if is_open:
                self._tool_error(call_id, UNANSWERED[status])
        if status != "completed":
            self._metadata({"status": status})
        self._end_step()

    def _write(self, kind: PartKind, delta: str) -> None:
        if not delta:
            return
        if self._open != kind:
            self._new_output()
            self._wrote = True
            if kind == "text":
                self._last_text = len(self._text)
            self._open_part(kind, f"{kind[0]}{self._part_count}")
            self._part_count += 1
            self._open = kind
        if kind == "text":
            self._text.append(delta)
        self._delta(delta)

    def _start_call(self, call_id: str, name: str, args: JsonValue) -> None:
        if call_id in self._calls:
            return
        self._new_output()
        self._wrote = True
        self._calls[call_id] = True
        self._tool_call(call_id, name, args)

    def _end_call(self, call_id: str, result: JsonValue, is_error: bool) -> None:
        if not self._calls.get(call_id):
            return
        self._close_part()
        self._calls[call_id] = False
        self._answered = True
        self._step_text = len(self._text)
        if is_error:
            text = result if isinstance(result, str) else json.dumps(result, ensure_ascii=False)
            self._tool_error(call_id, text)
        else:
            self._tool_output(call_id, result)

    def _end_part_or_step(self, step: bool) -> None:
        """Let what follows be another part or step, if there is anything in this one."""
        self._close_part()
        self._part_text = len(self._text)
        if step and self._wrote:
            self._answered = True
            self._step_text = len(self._text)

    def missing(self, content: str) -> tuple[str, bool]:
        """What a final text adds to the stream, and whether it contradicts it.

        The final text may be that of the whole answer, of its last step, or of its last part, or
        have these as its beginning.
        """
        starts = (0, self._step_text, self._part_text, self._last_text)
        texts = ["".join(self._text[start:]) for start in starts]
        if content in texts:
            return "", False
        for said in texts:
            if said and content.startswith(said):
                return content[len(said) :], False
        if content.strip() in ("", *(said.strip() for said in texts)):
            return "", False
        # Where the last step or part has no text yet, the final text is its text.
        return content, "" not in texts

    def _reconcile(self, content: str) -> None:
        added, contradicts = self.missing(content)
        if contradicts:
            self.final_mismatch = True
            self._end_part_or_step(True)
        self._write("text", added)

    def _new_output(self) -> None:
        """Close the open part, and begin a step if this one is over."""
        self._close_part()
        if self._answered:
            self._answered = self._wrote = False
            self._end_step()
            self._begin_step()

    def _close_part(self) -> None:
        if self._open is not None:
            self._end_part()
            self._open = None

    @abstractmethod
    def _begin_step(self) -> None: ...

    @abstractmethod
    def _end_step(self) -> None: ...

    @abstractmethod
    def _open_part(self, kind: PartKind, part_id: str) -> None: ...

    @abstractmethod
    def _delta(self, delta: str) -> None: ...

    @abstractmethod
    def _end_part(self) -> None: ...

    @abstractmethod
    def _tool_call(self, call_id: str, name: str, args: JsonValue) -> None: ...

    @abstractmethod
    def _tool_output(self, call_id: str, output: JsonValue) -> None: ...

    @abstractmethod
    def _tool_error(self, call_id: str, error_text: str) -> None: ...

    @abstractmethod
    def _metadata(self, metadata: dict[str, JsonValue]) -> None: ...

    @abstractmethod
    def _status(self, phase: str, label: str) -> None: ...

    @abstractmethod
    def _usage(self, fact: Mapping[str, JsonValue]) -> None: ...
