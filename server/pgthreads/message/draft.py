"""An answer that is being written: events go in, the stored message and its frames come out.

The rules below turn each event into chunks, which are the AI SDK's UIMessageChunks. `stored` makes
the message from these chunks as a client does, and `wire` makes frames from them, for the clients
and for the journal. So what is stored is what was sent. A new kind of event needs a case in
`Draft._chunks`, and a case in `StoredMessage.add` if the message keeps something of it.

- Consecutive deltas of one kind become one part. A delta of another kind, a tool call, a file or a
  boundary ends it. Sources and data stand beside the text: they do not end it.
- Text, reasoning or a call after a tool result begins a new step. So does the boundary of a step.
  No step begins while a tool's arguments are incomplete: newer clients look for the call in the
  last step only.
- A part without text is only sent if it has metadata.
- A final text that contradicts what was streamed follows it as a step of its own.
- Nothing may break a client's stream. So these are dropped: empty deltas, results of calls that are
  unknown or finished, a second start of the same call, pieces of arguments that are not expected,
  and output after `Done` or `Error`.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Literal, TypeAlias

from ..events import (
    AiEvent,
    AssistantFinal,
    Boundary,
    Data,
    Done,
    Error,
    FileOutput,
    FinishReason,
    JsonValue,
    MessageMetadata,
    ProviderMetadata,
    ReasoningDelta,
    ReasoningEnd,
    ReasoningStart,
    SourceDocument,
    SourceUrl,
    Status,
    TextDelta,
    TextEnd,
    TextStart,
    ToolApprovalRequest,
    ToolCallProgress,
    ToolCallResult,
    ToolCallStart,
    ToolInputDelta,
    ToolInputStart,
    UIMessage,
    UsageReport,
)
from .stored import StoredMessage
from .usage import Usage
from .wire import Chunk, delta_frame, delta_prefix, frame

EndStatus: TypeAlias = Literal["completed", "stopped", "failed"]
"""How a turn ended. The last two are stored as the message's `metadata.status`."""

UNANSWERED: Mapping[EndStatus, str] = {
    "completed": "The tool returned no result.",
    "stopped": "Stopped before the tool returned a result.",
    "failed": "The answer failed before the tool returned a result.",
}
"""`errorText` of the calls that are still open when a turn ends."""

_Kind: TypeAlias = type[TextDelta] | type[ReasoningDelta]
_NAMES: Mapping[_Kind, str] = {TextDelta: "text", ReasoningDelta: "reasoning"}
_STARTED = ("input-streaming", "input-available")
_START_STEP: Chunk = {"type": "start-step"}
_FINISH_STEP: Chunk = {"type": "finish-step"}


class Draft:
    """One turn's answer from its first event to its last. It takes events as `clean` returns them.

    Its stream consists of `opening`, what `take` returns for each event, what `close` returns, and,
    once the message is stored, `wire.finish_frames` or `wire.error_frames`. Each of these is zero
    or more complete frames.

    `finish_reason` and `error_code` are what `Done` and `Error` said, and None before that.
    `corrected` becomes true when an `AssistantFinal` contradicts the text that was streamed.

    An answer that has waited goes on if `begun` is that answer with the responses in it: to its
    client it stays one message. Its calls that were approved get their results; those that were
    denied end as such.
    """

    def __init__(self, message_id: str, begun: UIMessage | None = None) -> None:
        self.finish_reason: FinishReason | None = None
        self.error_code: str | None = None
        self.corrected = False
        self._message = StoredMessage(message_id, begun)
        self._usage = Usage()
        self._open: _Kind | None = None
        self._part_id = ""
        self._delta_prefix = ""
        self._part_count = 0
        self._text_count = 0
        self._texts_before_step = 0
        self._texts_before_boundary = 0
        self._step_is_over = False
        self._step_is_asked_for = False
        self._streaming: set[str] = set()
        self._ended = False
        self._closed = False
        self._by_client: set[str] = set()
        self._approvals = {
            part["approval"]["id"]
            for part in (begun["parts"] if begun is not None else ())
            if "approval" in part
        }
        start: Chunk = {"type": "start", "messageId": message_id}
        self._step_is_open = begun is None
        if begun is None:
            self.opening = self._say((start, _START_STEP))
            return
        self.opening = self._say((start,))
        self._part_count = len(begun["parts"])
        self._text_count = len(self._message.texts())
        self._end_step()

    def take(self, event: AiEvent) -> bytes:
        """Take an event, return its frames. After `Done`, `Error` or `close`, only usage counts."""
        # Nearly every event is the next piece of the open part, so there is a shorter way for it.
        if (
            (type(event) is TextDelta or type(event) is ReasoningDelta)
            and type(event) is self._open
            and event.delta
        ):
            self._message.pieces.append(event.delta)
            return delta_frame(self._delta_prefix, event.delta)
        if isinstance(event, UsageReport):
            self._usage.add(event.fact)
            return b""
        return b"" if self._ended else self._say(self._chunks(event))

    def close(self, status: EndStatus) -> bytes:
        """End the message, and return the last frames.

        Calls that are still open become `output-error`; see `UNANSWERED`. Those that nobody has
        approved become `output-denied`. `stopped` and `failed` are stored as `metadata.status`. A
        second call changes nothing.
        """
        if self._closed:
            return b""
        self._closed = self._ended = True
        return self._say(self._ending(status))

    @property
    def waits(self) -> bool:
        """Whether the answer has ended and waits: for an approval, or for a tool of the client."""
        return self.finish_reason is not None and any(
            self._awaits(call_id) for call_id in self._message.open_calls()
        )

    def open_tool(self, call_id: str) -> str | None:
        """Return the name of the tool of a call that has started and not ended, otherwise None."""
        is_open = self._message.state_of(call_id) == "input-available"
        return self._message.name_of(call_id) if is_open else None

    def pause(self) -> bytes:
        """End the stream of an answer that waits, and return the last frames.

        Calls that nobody waits for become `output-error`, as at `close`.
        """
        if self._closed:
            return b""
        self._closed = self._ended = True
        return self._say(self._pausing())

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing worth storing, because all parts are `step-start`."""
        return self._message.is_empty

    def message(self) -> UIMessage:
        """Return the message so far; see `StoredMessage.message`."""
        return self._message.message()

    def usage(self) -> dict[str, JsonValue]:
        """Return the facts of all `UsageReport` events as one; see `Usage`."""
        return self._usage.total()

    def missing(self, content: str) -> tuple[str, bool]:
        """Return what a final text adds to what was streamed, and whether it contradicts it.

        The final text may be the text of the whole answer, of its last step or of its last part, or
        it may begin with one of these.
        """
        texts = self._message.texts()
        starts = (0, self._texts_before_step, self._texts_before_boundary, -1)
        said = ["".join(texts[start:]) for start in starts]
        if content in said:
            return "", False
        for text in said:
            if text and content.startswith(text):
                return content[len(text) :], False
        if content.strip() in ("", *(text.strip() for text in said)):
            return "", False
        # If the last step or part has no text yet, the final text is its text.
        return content, "" not in said

    def _say(self, chunks: Iterable[Chunk]) -> bytes:
        """Add chunks to the message, and return their frames."""
        frames = []
        for chunk in chunks:
            self._message.add(chunk)
            frames.append(frame(chunk))
        return b"".join(frames)

    def _chunks(self, event: AiEvent) -> Iterator[Chunk]:
        match event:
            case TextDelta(delta) | ReasoningDelta(delta):
                yield from self._delta(type(event), delta)
            case Boundary(step):
                yield from self._boundary(step=step)
            case AssistantFinal(content):
                added, contradicts = self.missing(content)
                if contradicts:
                    self.corrected = True
                    yield from self._boundary(step=True)
                yield from self._delta(TextDelta, added)
            case Done(reason):
                self.finish_reason = reason
                self._ended = True
                yield from self._end_part()
            case Error(code):
                self.error_code = code
                self._ended = True
                yield from self._end_part()
            case TextStart() | TextEnd() | ReasoningStart() | ReasoningEnd():
                yield from self._bound(event)
            case SourceUrl() | SourceDocument() | FileOutput():
                yield from self._beside(event)
            case Status() | Data() | MessageMetadata():
                yield from self._facts(event)
            case _:
                yield from self._tool(event)

    def _bound(self, event: TextStart | TextEnd | ReasoningStart | ReasoningEnd) -> Iterator[Chunk]:
        kind: _Kind = TextDelta if isinstance(event, TextStart | TextEnd) else ReasoningDelta
        metadata = event.provider_metadata
        if isinstance(event, TextStart | ReasoningStart):
            yield from self._boundary(step=False)
            if metadata:
                yield from self._open_part(kind, metadata)
        elif self._open is kind or metadata:
            if self._open is not kind:
                yield from self._open_part(kind, None)
            yield from self._end_part(metadata)
            self._texts_before_boundary = self._text_count

    def _facts(self, event: Status | Data | MessageMetadata) -> Iterator[Chunk]:
        match event:
            case Status(phase, label):
                data = {"phase": phase, "label": label}
                yield {"type": "data-status", "data": data, "transient": True}
            case Data(name, data, data_id, transient):
                if not transient:
                    yield from self._step_if_asked_for()
                chunk = {"type": f"data-{name}", **_given(id=data_id), "data": data}
                yield {**chunk, "transient": True} if transient else chunk
            case MessageMetadata(metadata):
                if metadata:
                    yield {"type": "message-metadata", "messageMetadata": metadata}

    def _tool(self, event: AiEvent) -> Iterator[Chunk]:
        match event:
            case ToolInputStart(call_id, name):
                yield from self._input(call_id, name)
            case ToolInputDelta(call_id, delta):
                if delta and call_id in self._streaming:
                    piece = {"toolCallId": call_id, "inputTextDelta": delta}
                    yield {"type": "tool-input-delta", **piece}
            case ToolCallStart():
                yield from self._call(event)
            case ToolApprovalRequest(call_id, approval_id):
                yield from self._ask(call_id, approval_id)
            case ToolCallProgress(call_id, output):
                yield from self._progress(call_id, output)
            case ToolCallResult(call_id, result, is_error):
                yield from self._result(call_id, result, is_error)

    def _delta(self, kind: _Kind, delta: str) -> Iterator[Chunk]:
        if not delta:
            return
        if self._open is not kind:
            yield from self._open_part(kind, None)
        yield {"type": f"{_NAMES[kind]}-delta", "id": self._part_id, "delta": delta}

    def _open_part(self, kind: _Kind, metadata: ProviderMetadata | None) -> Iterator[Chunk]:
        yield from self._new_output()
        name = _NAMES[kind]
        self._text_count += kind is TextDelta
        self._part_id = f"{name[0]}{self._part_count}"
        self._part_count += 1
        self._delta_prefix = delta_prefix(name, self._part_id)
        self._open = kind
        yield {"type": f"{name}-start", "id": self._part_id, **_given(providerMetadata=metadata)}

    def _input(self, call_id: str, name: str) -> Iterator[Chunk]:
        if self._message.state_of(call_id) is not None:
            return
        yield from self._new_output()
        self._streaming.add(call_id)
        yield {
            "type": "tool-input-start",
            "toolCallId": call_id,
            "toolName": name,
            "dynamic": True,
        }

    def _call(self, call: ToolCallStart) -> Iterator[Chunk]:
        call_id = call.tool_call_id
        if call.by_client and self._message.state_of(call_id) in (None, *_STARTED):
            self._by_client.add(call_id)
        if call_id not in self._streaming:
            if self._message.state_of(call_id) is not None:
                return
            yield from self._input(call_id, call.tool_name)
        yield from self._end_part()
        self._streaming.discard(call_id)
        yield {
            "type": "tool-input-available",
            "toolCallId": call_id,
            "toolName": self._message.name_of(call_id),
            "input": call.args,
            "dynamic": True,
            **_given(
                providerExecuted=call.provider_executed or None,
                providerMetadata=call.provider_metadata,
            ),
        }

    def _ask(self, call_id: str, approval_id: str) -> Iterator[Chunk]:
        if self._message.may_ask(call_id):
            yield from self._end_part()
            asked = {"approvalId": self._approval(approval_id or call_id), "toolCallId": call_id}
            yield {"type": "tool-approval-request", **asked}

    def _approval(self, asked: str) -> str:
        """A unique id for an approval: a page gives its response to all calls with the same one."""
        unique, count = asked, len(self._approvals)
        while unique in self._approvals:
            count += 1
            unique = f"{asked}-{count}"
        self._approvals.add(unique)
        return unique

    def _progress(self, call_id: str, output: JsonValue) -> Iterator[Chunk]:
        if self._message.state_of(call_id) == "input-available":
            yield {**self._tool_output(call_id, output), "preliminary": True}

    def _result(self, call_id: str, result: JsonValue, is_error: bool) -> Iterator[Chunk]:
        state = self._message.state_of(call_id)
        if state not in ("input-available", "denied"):
            return
        self._by_client.discard(call_id)
        yield from self._end_part()
        self._end_step()
        if state == "denied":
            yield {"type": "tool-output-denied", "toolCallId": call_id}
        elif is_error:
            yield self._tool_error(call_id, error_text(result))
        else:
            yield self._tool_output(call_id, result)

    def _beside(self, event: SourceUrl | SourceDocument | FileOutput) -> Iterator[Chunk]:
        if isinstance(event, FileOutput):
            yield from self._end_part()
        yield from self._step_if_asked_for()
        metadata = _given(providerMetadata=event.provider_metadata)
        match event:
            case SourceUrl(source_id, url, title):
                source = {"type": "source-url", "sourceId": source_id, "url": url}
                yield {**source, **_given(title=title), **metadata}
            case SourceDocument(source_id, kind, title, filename):
                source = {"type": "source-document", "sourceId": source_id, "mediaType": kind}
                yield {**source, "title": title, **_given(filename=filename), **metadata}
            case FileOutput(kind, url):
                yield {"type": "file", "mediaType": kind, "url": url, **metadata}

    def _boundary(self, *, step: bool) -> Iterator[Chunk]:
        """Let what follows begin a new part, and with `step` a new step if this one has parts."""
        yield from self._end_part()
        self._texts_before_boundary = self._text_count
        if step and not self._message.step_is_empty:
            self._end_step()
            self._step_is_asked_for = True

    def _new_output(self) -> Iterator[Chunk]:
        """End the open part, and begin a step if this one is over."""
        yield from self._end_part()
        if self._step_is_over and not self._streaming:
            self._step_is_over = self._step_is_asked_for = False
            if self._step_is_open:
                yield _FINISH_STEP
            self._step_is_open = True
            yield _START_STEP

    def _step_if_asked_for(self) -> Iterator[Chunk]:
        """Begin a step if the executor has ended the last one, rather than a tool's result."""
        if self._step_is_asked_for:
            yield from self._new_output()

    def _end_part(self, metadata: ProviderMetadata | None = None) -> Iterator[Chunk]:
        if self._open is not None:
            name = _NAMES[self._open]
            self._open = None
            yield {"type": f"{name}-end", "id": self._part_id, **_given(providerMetadata=metadata)}

    def _end_step(self) -> None:
        self._step_is_over = True
        self._texts_before_step = self._text_count

    def _ending(self, status: EndStatus) -> Iterator[Chunk]:
        yield from self._end_part()
        for call_id in self._message.open_calls():
            yield self._unanswered(call_id, status)
        if status != "completed":
            yield {"type": "message-metadata", "messageMetadata": {"status": status}}
        if self._step_is_open:
            yield _FINISH_STEP

    def _pausing(self) -> Iterator[Chunk]:
        yield from self._end_part()
        for call_id in self._message.open_calls():
            if not self._awaits(call_id):
                yield self._unanswered(call_id, "completed")
        if self._step_is_open:
            yield _FINISH_STEP

    def _awaits(self, call_id: str) -> bool:
        """Whether the answer waits for what a person or the client says of this call."""
        return self._message.asks(call_id) or (
            call_id in self._by_client and self._message.may_be_client_s(call_id)
        )

    def _unanswered(self, call_id: str, status: EndStatus) -> Chunk:
        if self._message.state_of(call_id) in ("denied", "approval-requested"):
            return {"type": "tool-output-denied", "toolCallId": call_id}
        error = self._tool_error(call_id, UNANSWERED[status])
        if so_far := self._message.input_so_far(call_id):
            # Clients have made an object of the text by now, each in its own way. This chunk puts
            # the text itself in its place.
            name = self._message.name_of(call_id)
            return {**error, "type": "tool-input-error", "toolName": name, "input": so_far}
        return error

    def _tool_error(self, call_id: str, text: str) -> Chunk:
        error = {"type": "tool-output-error", "toolCallId": call_id, "errorText": text}
        return error | self._flag(call_id)

    def _tool_output(self, call_id: str, output: JsonValue) -> Chunk:
        result = {"type": "tool-output-available", "toolCallId": call_id, "output": output}
        return result | self._flag(call_id)

    def _flag(self, call_id: str) -> dict[str, JsonValue]:
        return {"dynamic": True} if self._message.is_dynamic(call_id) else {}


def _given(**optional: JsonValue) -> dict[str, JsonValue]:
    """The keys that have a value: no client accepts null in their place."""
    return {key: value for key, value in optional.items() if value is not None}


def error_text(result: JsonValue) -> str:
    """Return the `errorText` of a tool that failed with this result."""
    return result if isinstance(result, str) else json.dumps(result, ensure_ascii=False)
