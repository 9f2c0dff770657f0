"""AiEvents: what an executor yields while it answers a turn. Clients never see them as they are.

`message.draft` makes the stored UIMessage from them, and the frames that a client gets.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol, TypeAlias

JsonValue: TypeAlias = Any
"""What `json.dumps` takes: dict with str keys, list, str, int, finite float, bool or None."""

UIMessage: TypeAlias = dict[str, Any]
"""The AI SDK's message: `{id, role, parts, metadata?}`."""

ProviderMetadata: TypeAlias = Mapping[str, Mapping[str, JsonValue]]
"""What a part carries for the program that wrote it, by that program's name.

The AI SDK calls it `providerMetadata`. Pages get it, it is stored, and pages do not show it.
"""


class JsonText(str):
    """JSON as text, which the database gets as it is."""

    __slots__ = ()


FinishReason: TypeAlias = Literal[
    "stop", "length", "content-filter", "tool-calls", "error", "other"
]
"""The AI SDK's `FinishReason`."""


@dataclass(frozen=True, slots=True)
class TextDelta:
    """The next piece of the answer's text."""

    delta: str


@dataclass(frozen=True, slots=True)
class ReasoningDelta:
    """The next piece of the model's reasoning."""

    delta: str


@dataclass(frozen=True, slots=True)
class TextStart:
    """A text begins. What was open ends; without metadata this is the same as `Boundary()`.

    A text with metadata becomes a part even if no delta follows. Texts need no start and no end
    unless they have metadata.
    """

    provider_metadata: ProviderMetadata | None = None


@dataclass(frozen=True, slots=True)
class TextEnd:
    """The text that is open ends. Its metadata replaces that of its start."""

    provider_metadata: ProviderMetadata | None = None


@dataclass(frozen=True, slots=True)
class ReasoningStart:
    """A block of reasoning begins, as a text does with `TextStart`."""

    provider_metadata: ProviderMetadata | None = None


@dataclass(frozen=True, slots=True)
class ReasoningEnd:
    """The block of reasoning that is open ends.

    Its metadata replaces that of its start. If no block is open, the metadata becomes a block
    without text: some providers encrypt all that a model thought.
    """

    provider_metadata: ProviderMetadata | None = None


@dataclass(frozen=True, slots=True)
class Boundary:
    """The current part is complete: what follows is a new part, even if it is of the same kind.

    With `step`, what follows is a new step as well, that is, another response of the model. If an
    executor yields no boundaries, each run of text or reasoning becomes one part, and a new step
    begins after each tool result.
    """

    step: bool = False


@dataclass(frozen=True, slots=True)
class ToolInputStart:
    """The model begins to write a tool's arguments, which come as `ToolInputDelta`s.

    A `ToolCallStart` with the same id follows once they are complete. No new step begins before.
    """

    tool_call_id: str
    tool_name: str


@dataclass(frozen=True, slots=True)
class ToolInputDelta:
    """The next piece of the JSON text of a tool's arguments, for pages that show it as it grows."""

    tool_call_id: str
    delta: str


@dataclass(frozen=True, slots=True)
class ToolCallStart:
    """A tool is called with these arguments.

    `provider_executed` says that the model's provider runs the tool, such as its own web search.
    `by_client` says that the client runs it: the answer then waits for the tool's output after
    `Done`. This can also be said of a call that has started, by a second start.
    """

    tool_call_id: str
    tool_name: str
    args: JsonValue
    provider_executed: bool = False
    provider_metadata: ProviderMetadata | None = None
    by_client: bool = False


@dataclass(frozen=True, slots=True)
class ToolApprovalRequest:
    """A call that has started needs a person's approval: the answer waits for it after `Done`.

    Clients know the request by `approval_id`, which is the call's id if it is empty. If another
    request has the same one, a number is appended.
    """

    tool_call_id: str
    approval_id: str = ""


@dataclass(frozen=True, slots=True)
class ToolCallProgress:
    """What a tool has to show so far. The next one replaces it, and so does the result."""

    tool_call_id: str
    output: JsonValue


@dataclass(frozen=True, slots=True)
class ToolCallResult:
    """A tool's result; with `is_error` the result is an error text."""

    tool_call_id: str
    result: JsonValue
    is_error: bool = False


@dataclass(frozen=True, slots=True)
class SourceUrl:
    """A page on which the answer is based. `source_id` is unique in the answer."""

    source_id: str
    url: str
    title: str | None = None
    provider_metadata: ProviderMetadata | None = None


@dataclass(frozen=True, slots=True)
class SourceDocument:
    """A document on which the answer is based."""

    source_id: str
    media_type: str
    title: str
    filename: str | None = None
    provider_metadata: ProviderMetadata | None = None


@dataclass(frozen=True, slots=True)
class FileOutput:
    """A file in the answer, such as an image that the model made.

    `url` is a complete `data:` or `http(s):` URL.
    """

    media_type: str
    url: str
    provider_metadata: ProviderMetadata | None = None


@dataclass(frozen=True, slots=True)
class Data:
    """Something for the application's own page, as a part of type `data-<name>`.

    With an `id`, it replaces the data of the earlier part of that name and id. If it is
    `transient`, clients get it while they read the stream, and it is never stored.
    """

    name: str
    data: JsonValue
    id: str | None = None
    transient: bool = False


@dataclass(frozen=True, slots=True)
class MessageMetadata:
    """Facts about the whole answer, for its `metadata`. Those of several events are merged.

    `status` and `pgthreads` are the server's own keys there, and are left out.
    """

    metadata: Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True)
class Status:
    """What the executor is doing, for a progress line. Clients show it, and it is never stored."""

    phase: str
    label: str


@dataclass(frozen=True, slots=True)
class UsageReport:
    """Token counts and the like, which are stored in `turn.usage`.

    If a turn has several reports, numbers of the same name are added up. A text `model` names the
    model; clients that ask for details are shown it.
    """

    fact: Mapping[str, JsonValue]


@dataclass(frozen=True, slots=True)
class AssistantFinal:
    """The whole text, as the model's provider reports it at the end.

    It fills in what the deltas lacked. If it contradicts them, it is the answer all the same, and
    follows what was streamed as a step of its own.
    """

    content: str


@dataclass(frozen=True, slots=True)
class Done:
    """The answer is complete."""

    finish_reason: FinishReason = "stop"


@dataclass(frozen=True, slots=True)
class Error:
    """The executor gives up; `code` is a snake_case name that is safe to show."""

    code: str


AiEvent: TypeAlias = (
    TextDelta
    | ReasoningDelta
    | TextStart
    | TextEnd
    | ReasoningStart
    | ReasoningEnd
    | Boundary
    | ToolInputStart
    | ToolInputDelta
    | ToolCallStart
    | ToolApprovalRequest
    | ToolCallProgress
    | ToolCallResult
    | SourceUrl
    | SourceDocument
    | FileOutput
    | Data
    | MessageMetadata
    | Status
    | UsageReport
    | AssistantFinal
    | Done
    | Error
)


@dataclass(frozen=True, slots=True)
class ToolResponse:
    """The response to a call for which an answer waited.

    `approved` is None for a tool that the client runs; then `error_text` says why it failed, or
    `output` is what it returned. An output comes from a client and is not to be trusted.
    """

    tool_call_id: str
    approved: bool | None = None
    reason: str | None = None
    output: JsonValue = None
    error_text: str | None = None


@dataclass(frozen=True, slots=True)
class ExecutorRequest:
    """One turn for an executor to answer.

    `messages` is the stored history as UIMessages, oldest first; the last one is the user message
    of this turn. `model` is the model that the client has asked for: one of `--models`, or anything
    if that is not set.

    If an answer has waited, `answer` is that answer so far, and `responses` has the response to
    each of its calls. Then the executor goes on with it: it yields the results of the calls that
    were approved, and what comes after them.
    """

    messages: Sequence[UIMessage]
    owner_user_id: str
    state_key: str
    turn_id: str
    model: str | None = None
    answer: UIMessage | None = None
    responses: Sequence[ToolResponse] = ()


class Executor(Protocol):
    """Whatever yields AiEvents for a turn: usually an async generator function.

    When the turn is stopped or the server shuts down, the executor is closed with `aclose()`, or
    its task is cancelled, at its next await. An executor that ends without `Done` or `Error` counts
    as `Done("stop")`, and one that raises as `Error("executor_failed")`.
    """

    def __call__(self, request: ExecutorRequest, /) -> AsyncIterator[AiEvent]:
        """Answer one turn."""
