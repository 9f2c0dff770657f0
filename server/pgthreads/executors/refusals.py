"""Remembers what models have refused, so that the next turn of the thread does not fail as well.

For each model this remembers the files without which it accepted a prompt that it had refused, and
the files in prompts that it accepted. Files are known by their content. If several files were left
out together, that holds only in their thread, so that what one user sends does not keep other
people's files from a model. For each thread it remembers the question with which its prompts begin,
once a longer prompt was too long, or was refused for no known reason; and whether its prompts were
only accepted without the signatures of the model's provider. The memory lasts as long as
the process, and is bounded.
"""

from __future__ import annotations

import re
from collections import OrderedDict
from collections.abc import Collection, Hashable, Iterable
from dataclasses import dataclass, field
from typing import Generic, Literal, TypeAlias, TypeVar

from pydantic_ai.exceptions import (
    AgentRunError,
    FallbackExceptionGroup,
    ModelAuthenticationError,
    ModelContextWindowExceededError,
    ModelHTTPError,
    ModelNotFoundError,
    ModelQuotaExceededError,
)

from ..message.files import File
from .prompts import Prompt

T = TypeVar("T")

MAX_FILES = 4096
"""How many files of each kind are remembered, for all models together."""

MAX_THREADS = 4096
"""How many threads' first questions are remembered."""

Refusal: TypeAlias = Literal["adapter", "too_long", "content"]
"""Who has refused a prompt, and why: pydantic-ai's adapter, before it was sent; the provider, for
its length; the provider, for something in it."""

_REFUSED = (400, 413, 415, 422)

_TOO_LONG = re.compile(
    r"context.?(length|window|size)|too (long|large|many (input )?tokens)|maximum.{0,40}tokens"
    r"|token (limit|count)|reduce the length|exceeds.{0,40}(limit|tokens|maximum)",
    re.IGNORECASE,
)

_SUSPICION = ("application", "", "video", "audio", "text", "model", "font", "image")


def refusal_of(error: Exception) -> Refusal | None:
    """Why the prompt was refused, or None if something else went wrong.

    Call it only for an error that came before any of the answer.
    """
    if isinstance(error, FallbackExceptionGroup):
        found = [refusal_of(each) for each in error.exceptions if isinstance(each, Exception)]
        return next((each for each in ("too_long", "content", "adapter") if each in found), None)
    if not isinstance(error, AgentRunError):
        return "adapter"
    if isinstance(error, ModelContextWindowExceededError):
        return "too_long"
    not_it = (ModelAuthenticationError, ModelNotFoundError, ModelQuotaExceededError)
    if (
        isinstance(error, not_it)
        or not isinstance(error, ModelHTTPError)
        or error.status_code not in _REFUSED
    ):
        return None
    said = str(error.body)[:4000]
    return "too_long" if error.status_code == 413 or _TOO_LONG.search(said) else "content"


@dataclass
class Omissions:
    """What to leave out of a prompt: files by `File.key`, and the turns before a question.

    See `prompts.make_prompt` for `first_id` and `max_size`. `signatures` are what the model's
    provider has signed.
    """

    files: set[str] = field(default_factory=set)
    first_id: str | None = None
    max_size: int | None = None
    signatures: bool = False


class Refusals:
    """What one executor remembers. It is bounded."""

    def __init__(self) -> None:
        self._refused = _Recent[bool](MAX_FILES)
        self._taken = _Recent[bool](MAX_FILES)
        self._first = _Recent[str](MAX_THREADS)
        self._unsigned = _Recent[bool](MAX_THREADS)

    def is_refused(self, model: str, thread: Hashable, file: File) -> bool:
        """Whether the model accepted a prompt only without this file."""
        places = ((model, None, file.key), (model, thread, file.key))
        return any(self._refused.get(place) is not None for place in places)

    def refuse(self, model: str, thread: Hashable, keys: Collection[str]) -> None:
        """Keep these files, by `File.key`, out of the model's prompts from now on.

        If there are several, perhaps only one is at fault, and other people may send the others,
        too. So several files are kept out of the prompts of this thread only.
        """
        where = None if len(keys) == 1 else thread
        for key in keys:
            self._refused.put((model, where, key), True)

    def take(self, model: str, files: Iterable[File]) -> None:
        """Remember that the model has accepted a prompt with these files."""
        for file in files:
            self._taken.put((model, file.key), True)

    def first_id(self, model: str, thread: Hashable) -> str | None:
        """The id of the question with which the thread's prompts begin; None for the oldest one."""
        return self._first.get((model, thread))

    def begin_with(self, model: str, thread: Hashable, first_id: str | None) -> None:
        """Let the thread's prompts begin with this question, or with the oldest one if None."""
        self._first.put((model, thread), first_id)

    def takes_signatures(self, model: str, thread: Hashable) -> bool:
        """Whether the model has not yet refused the signatures of its own provider in a thread."""
        return self._unsigned.get((model, thread)) is None

    def refuse_signatures(self, model: str, thread: Hashable) -> None:
        """Keep what the model's provider has signed out of the thread's prompts from now on."""
        self._unsigned.put((model, thread), True)

    def omissions(
        self, model: str, refusal: Refusal, prompt: Prompt, error: Exception
    ) -> Omissions | None:
        """What to leave out of the next prompt, now that this one was refused; None if nothing."""
        if refusal == "too_long":
            return Omissions(max_size=prompt.size // 2)
        if refusal == "adapter":
            files = _most_suspicious(prompt.files, str(error))
            return Omissions(files) if files else None
        # A link may be dead by now, even if it was accepted before.
        new = {
            file.key
            for file in prompt.files
            if file.data is None or self._taken.get((model, file.key)) is None
        }
        if prompt.files:
            return Omissions(new or {file.key for file in prompt.files})
        return Omissions(max_size=0) if len(prompt.questions) > 1 else None


def _most_suspicious(files: Iterable[File], said: str) -> set[str]:
    """The files that the adapter has most probably refused.

    They are those of the types that its message names, otherwise those of the kind that the fewest
    models accept.
    """
    files = list(files)
    named = {file.key for file in files if file.media_type and file.media_type in said}
    if named:
        return named
    kinds = {file.key: file.media_type.partition("/")[0] for file in files}
    for kind in sorted(
        set(kinds.values()), key=lambda k: _SUSPICION.index(k) if k in _SUSPICION else 0
    ):
        return {key for key, each in kinds.items() if each == kind}
    return set()


class _Recent(Generic[T]):
    """A dictionary of limited size. It forgets the value that was not used for the longest time."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[Hashable, T] = OrderedDict()

    def get(self, key: Hashable) -> T | None:
        """The value, or None if there is none."""
        if key in self._values:
            self._values.move_to_end(key)
        return self._values.get(key)

    def put(self, key: Hashable, value: T | None) -> None:
        """Remember a value, or forget it if it is None."""
        if value is None:
            self._values.pop(key, None)
            return
        self._values[key] = value
        self._values.move_to_end(key)
        if len(self._values) > self._most:
            self._values.popitem(last=False)
