"""Makes a stored thread into a history that any model can be prompted with.

A turn has to be answered whatever its thread holds. So whatever a model's provider would refuse is
corrected here (and in `message.calls`), or replaced by words, once for all executors. These are the
rules that providers check:

- The history begins with a question, and questions and answers alternate (Anthropic, Bedrock,
  Gemini, and the chat templates of many local models).
- Between a tool's result and the next question the answer says something (Mistral).
- Each tool call has its result in the same step, and an id that no other call of the history has.
  An id has 9 letters and digits: Mistral demands that, and all others accept it. Names have up to
  64 letters, digits, underscores and hyphens, arguments are objects, and a step has up to 100 calls
  (OpenAI accepts 128).
- No text is empty or blank (Anthropic, Bedrock).
- Text files, JSON and the like are sent as text in the message, whatever their encoding.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeAlias

from .events import JsonValue, UIMessage
from .message.calls import MAX_TOOL_FILES, CallIds, is_tool, told_call, told_output
from .message.files import File, file_of
from .message.sanitize import clean_text

MAX_CALLS = 100
"""Tool calls in one step."""

_NO_TEXT = "[This message has no text.]"
_NO_MORE = "[No text came after the tool calls.]"


Own: TypeAlias = Callable[[JsonValue], object]
"""Says of the `providerMetadata` of a part whether the model's provider made it."""


def _nobody(_: JsonValue) -> object:
    return None


def prompt_history(messages: Sequence[UIMessage], own: Own = _nobody) -> list[UIMessage]:
    """The history for a prompt, oldest first, as UIMessages that every provider accepts.

    System messages come first. The first message after them is a user message, and from there on
    the roles alternate. A user message has `text` parts and `file` parts (`mediaType`, `url`,
    perhaps `filename`), whose `url` is a complete `data:` or `http(s):` URL. An answer has
    `step-start`, `text` and `dynamic-tool` parts. The state of a tool part is `output-available`
    with an `output`, or `output-error` or `output-denied` with an `errorText`. A file in an output
    is `{"kind": "binary", "media_type", "data"}`; it is the output itself, or an item of the list
    that the output is. Parts that mean nothing to a model are left out: reasoning, sources, data
    and unknown parts. The stored messages are not changed, and nothing in them makes this fail.

    `own` is asked for the metadata of each part of an answer, and never for a user's. What it
    returns, if that is not None, is the part's `own`: a `reasoning` part is then in the history, in
    front of what it led to, and a tool part has the stored one as `stored`.
    """
    history: list[UIMessage] = []
    system: list[UIMessage] = []
    ids = CallIds()
    for message in messages:
        role, parts = message.get("role"), list(_parts_of(message))
        if role == "system":
            texts = [part for part in map(_text_part, parts) if part is not None]
            if texts:
                system.append({"id": message.get("id", ""), "role": "system", "parts": texts})
            continue
        if role == "user":
            made = [new for part in parts for new in _user_parts(part)] or [_words(_NO_TEXT)]
        else:
            made = list(_answer_parts(parts, ids, own))
        if not made or (role != "user" and not history):
            continue
        role = role if role == "user" else "assistant"
        if role == "user" and history and is_tool(history[-1]["parts"][-1]):
            history[-1]["parts"] += [{"type": "step-start"}, _words(_NO_MORE)]
        if history and history[-1]["role"] == role:
            history[-1]["parts"] += made
        else:
            history.append({"id": message.get("id", ""), "role": role, "parts": made})
    _tell_outputs(history)
    return [*system, *history]


def _tell_outputs(history: Sequence[UIMessage]) -> None:
    """Replace each tool's output by what a model is told of it; the newest files stay files."""
    left = MAX_TOOL_FILES
    for message in reversed(history):
        for part in reversed(message["parts"]):
            if "output" in part:
                part["output"], used = told_output(part["output"], left)
                left -= used


def _parts_of(message: UIMessage) -> Iterator[Mapping[str, Any]]:
    parts = message.get("parts")
    for part in parts if isinstance(parts, list) else ():
        if isinstance(part, Mapping) and isinstance(part.get("type"), str):
            yield part


def _text_part(part: Mapping[str, Any]) -> dict[str, Any] | None:
    text = part.get("text")
    if part["type"] != "text" or not isinstance(text, str) or not text.strip():
        return None
    return {"type": "text", "text": clean_text(text)}


def _user_parts(part: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    if part["type"] == "file":
        file = file_of(part)
        if file.data is None and file.url is None:
            yield _words(f"[A file that cannot be read was attached: {file.described()}.]")
        elif file.data is not None and file.is_text:
            yield _words(
                f"[An attached file: {file.described()}]\n{file.text()}\n[End of the file]"
            )
        elif file.data == b"":
            yield _words(f"[An empty file was attached: {file.described()}.]")
        else:
            yield _file_part(file, part)
    elif (text := _text_part(part)) is not None:
        yield text


def _file_part(file: File, part: Mapping[str, Any]) -> dict[str, Any]:
    named = {"filename": file.name} if file.name else {}
    return {"type": "file", "mediaType": file.media_type, "url": part["url"], **named}


def _words(text: str) -> dict[str, Any]:
    return {"type": "text", "text": clean_text(text)}


def _answer_parts(
    parts: Sequence[Mapping[str, Any]], ids: CallIds, own: Own
) -> Iterator[dict[str, Any]]:
    for step in _steps(parts):
        made: list[dict[str, Any]] = []
        calls = 0
        for part in step:
            if part["type"] == "file":
                made.append(
                    _words(f"[A file was part of this answer: {file_of(part).described()}.]")
                )
            elif is_tool(part):
                if calls == MAX_CALLS:
                    yield {"type": "step-start"}
                    yield from made
                    made, calls = [], 0
                metadata = own(part.get("callProviderMetadata"))
                signed = {} if metadata is None else {"own": metadata, "stored": part}
                made.append(told_call(part, ids) | signed)
                calls += 1
            elif (text := _own_part(part, own)) is not None:
                made.append(text)
        while made and made[-1]["type"] == "reasoning":
            # No provider takes reasoning that led to nothing.
            made.pop()
        if made:
            yield {"type": "step-start"}
            yield from made


def _own_part(part: Mapping[str, Any], own: Own) -> dict[str, Any] | None:
    """A text, or reasoning that goes back to its provider; None for anything else."""
    metadata = own(part.get("providerMetadata"))
    if part["type"] == "reasoning":
        text = part.get("text")
        # The signature is that of the text as it was.
        if metadata is None or not isinstance(text, str) or "[REDACTED:" in text:
            return None
        return {"type": "reasoning", "text": text, "own": metadata}
    made = _text_part(part)
    return made if made is None or metadata is None else {**made, "own": metadata}


def _steps(parts: Sequence[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    """The parts of each step. Without `step-start` parts, text after a tool begins a new step."""
    step: list[Mapping[str, Any]] = []
    marked = any(part["type"] == "step-start" for part in parts)
    for part in parts:
        after_tool = bool(step) and is_tool(step[-1]) and not is_tool(part)
        if part["type"] == "step-start" or (after_tool and not marked):
            yield step
            step = []
        step.append(part)
    yield step
