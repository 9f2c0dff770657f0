"""Makes a thread's history, as `history.prompt_history` returns it, into pydantic-ai's messages.

pydantic-ai has a converter of its own for the AI SDK (`VercelAIAdapter.load_messages`). It is not
used, because it believes what a message says about itself: the `providerMetadata` of a user message
can name a file of the provider's account or switch off the protection against downloads, and tool
output that looks like a file's address becomes a file. Besides, the turn fails if tool input is a
list, if an assistant message links to a file, or if a part comes from another executor.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal, TypeVar

from pydantic_ai.messages import (
    AudioUrl,
    BinaryContent,
    DocumentUrl,
    ImageUrl,
    ModelMessage,
    ModelRequest,
    ModelResponse,
    NativeToolCallPart,
    NativeToolReturnPart,
    SystemPromptPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
    ToolReturnPart,
    UserContent,
    UserPromptPart,
    VideoUrl,
)

from ..events import JsonValue, UIMessage
from ..history import prompt_history
from ..message.calls import is_tool
from ..message.files import File, file_of
from ..message.outputs import file_in, json_size
from .signatures import Own, Signed, own_of

_URL_TYPES: Mapping[str, type[ImageUrl | AudioUrl | VideoUrl]] = {
    "image": ImageUrl,
    "audio": AudioUrl,
    "video": VideoUrl,
}

_Part = TypeVar("_Part", TextPart, ToolCallPart)

LeaveOut = Callable[[File], bool]
"""Says whether a line of text should replace a file."""


@dataclass
class Prompt:
    """A prompt for a model: its `messages`, and what they were made from.

    `stored` are the stored messages that it covers. `files` are the files in it, `files_out` is the
    number of files that a line of text replaces, and `messages_out` is the number of messages that
    were left out at the beginning. `signed` is the number of parts that carry what their provider
    has signed.
    """

    stored: Sequence[UIMessage]
    messages: list[ModelMessage] = field(default_factory=list)
    files: list[File] = field(default_factory=list)
    files_out: int = 0
    messages_out: int = 0
    signed: int = 0

    @property
    def questions(self) -> list[UIMessage]:
        """The user's messages among the stored ones."""
        return [message for message in self.stored if message.get("role") == "user"]

    @property
    def size(self) -> int:
        """The approximate number of characters."""
        return sum(map(_size, self.stored))


def make_prompt(
    messages: Sequence[UIMessage],
    *,
    leave_out: LeaveOut = lambda _: False,
    first_id: str | None = None,
    max_size: int | None = None,
    own: Own | None = None,
) -> Prompt:
    """Make the prompt for a stored thread.

    With `own` it holds the reasoning and the signatures that the model's provider has made.

    It begins with the question `first_id`, if there is one with that id. With `max_size`, older
    turns are left out until the rest has at most about that many characters. The rest begins with a
    question, and the last question is never left out, however long it is.
    """
    out = _messages_before(messages, first_id, max_size)
    system = [message for message in messages[:out] if message.get("role") == "system"]
    prompt = Prompt([*system, *messages[out:]], messages_out=out - len(system))
    for message in prompt_history(prompt.stored, own or own_of(None)):
        if message["role"] == "system":
            texts = [SystemPromptPart(part["text"]) for part in message["parts"]]
            prompt.messages.append(ModelRequest(parts=texts))
        elif message["role"] == "user":
            prompt.messages.append(_question(message, prompt, leave_out))
        else:
            for step in _steps(message["parts"]):
                for made in _step_messages(step, prompt, leave_out):
                    _append(prompt.messages, made)
    return prompt


def _append(messages: list[ModelMessage], made: ModelMessage) -> None:
    """Append a message. Responses in a row become one, because providers want alternating roles.

    pydantic-ai does that itself only if both responses are of the same provider.
    """
    last = messages[-1] if messages else None
    if isinstance(last, ModelResponse) and isinstance(made, ModelResponse):
        origin = last if last.provider_name is not None else made
        messages[-1] = replace(origin, parts=[*last.parts, *made.parts])
    else:
        messages.append(made)


def _messages_before(
    messages: Sequence[UIMessage], first_id: str | None, max_size: int | None
) -> int:
    """How many messages at the beginning are left out."""
    questions = [index for index, each in enumerate(messages) if each.get("role") == "user"]
    start = next((index for index in questions if messages[index].get("id") == first_id), 0)
    if max_size is None or not questions:
        return start
    size, kept = 0, len(messages)
    for index in reversed(questions):
        size += sum(map(_size, messages[index:kept]))
        if size > max_size:
            break
        kept = index
    return max(start, min(kept, questions[-1]))


def _size(message: UIMessage) -> int:
    try:
        return json_size(message)
    except RecursionError:
        return 0


def _question(message: UIMessage, prompt: Prompt, leave_out: LeaveOut) -> ModelRequest:
    content: list[UserContent] = []
    for part in message["parts"]:
        if part["type"] == "text":
            content.append(part["text"])
        else:
            content.append(_file(file_of(part), "An attached file", prompt, leave_out))
    if all(isinstance(item, str) for item in content):
        # Plain text is sent as a string, because not every compatible provider accepts a list.
        return ModelRequest(parts=[UserPromptPart("\n\n".join(map(str, content)))])
    return ModelRequest(parts=[UserPromptPart(content)])


def _file(
    file: File, what: str, prompt: Prompt, leave_out: LeaveOut
) -> str | BinaryContent | ImageUrl | AudioUrl | VideoUrl | DocumentUrl:
    if leave_out(file):
        prompt.files_out += 1
        return f"[{what} that you cannot read: {file.described()}.]"
    prompt.files.append(file)
    media_type = file.media_type or "application/octet-stream"
    if file.data is not None:
        return BinaryContent.narrow_type(BinaryContent(file.data, media_type=media_type))
    url_type = _URL_TYPES.get(media_type.partition("/")[0], DocumentUrl)
    return url_type(file.url or "", media_type=media_type)


def _steps(parts: Sequence[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    step: list[Mapping[str, Any]] = []
    for part in parts:
        if part["type"] == "step-start":
            yield step
            step = []
        else:
            step.append(part)
    yield step


def _step_messages(
    step: Sequence[Mapping[str, Any]], prompt: Prompt, leave_out: LeaveOut
) -> Iterator[ModelMessage]:
    said: list[
        TextPart | ThinkingPart | ToolCallPart | NativeToolCallPart | NativeToolReturnPart
    ] = []
    results: list[ToolReturnPart] = []
    response = ModelResponse(parts=said)
    for part in step:
        own: Signed | None = part.get("own")
        if own is not None:
            prompt.signed += own.is_signed
            response = replace(own.response(), parts=said)
        if own is not None and is_tool(part) and (native := own.native(part["stored"])):
            prompt.signed += not own.is_signed
            said += native
        elif is_tool(part):
            call = ToolCallPart(part["toolName"], part["input"], part["toolCallId"])
            said.append(_signed(call, own))
            results.append(_result(part, prompt, leave_out))
        elif part["type"] == "reasoning":
            if own is not None and own.signature:
                said.append(own.thinking(part["text"]))
        else:
            said.append(_signed(TextPart(part["text"]), own))
    if said:
        yield response
    if results:
        yield ModelRequest(parts=results)


def _signed(part: _Part, own: Signed | None) -> _Part:
    if own is None:
        return part
    return replace(part, provider_name=own.provider_name, provider_details=own.call_details)


def _result(part: Mapping[str, Any], prompt: Prompt, leave_out: LeaveOut) -> ToolReturnPart:
    outcome: Literal["success", "failed", "denied"] = "success"
    if part["state"] == "output-available":
        content = _content(part.get("output"), prompt, leave_out)
    else:
        outcome = "denied" if part["state"] == "output-denied" else "failed"
        content = part["errorText"]
    return ToolReturnPart(part["toolName"], content, part["toolCallId"], outcome=outcome)


def _content(output: JsonValue, prompt: Prompt, leave_out: LeaveOut) -> Any:
    """A tool's output, with its files in the form in which pydantic-ai shows them to a model."""
    if isinstance(output, list):
        # Adapters make a text of each item, and Bedrock takes no blank one.
        return [
            json.dumps(item)
            if isinstance(item, str) and not item.strip()
            else _content_item(item, prompt, leave_out)
            for item in output
        ]
    return _content_item(output, prompt, leave_out)


def _content_item(item: JsonValue, prompt: Prompt, leave_out: LeaveOut) -> Any:
    file = file_in(item)
    return item if file is None else _file(file, "A file of the tool's", prompt, leave_out)
