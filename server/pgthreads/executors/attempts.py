"""The prompts of one turn: the first one, and others after the model has refused it."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, cast

from pydantic_ai.models import Model

from ..events import ExecutorRequest, UIMessage
from ..message.files import File
from .prompts import Prompt, make_prompt
from .refusals import Omissions, Refusal, Refusals, refusal_of
from .signatures import own_of

log = logging.getLogger(__name__)

_FLAGS = {
    "image": "supports_image_input",
    "audio": "supports_audio_file_input",
    "video": "supports_video_input",
}

MAX_LOCAL = 6
"""How many prompts of a turn may fail in the model's adapter, which has sent nothing by then."""


class Attempts:
    """The prompts of one turn: the first one, and what is tried after a refusal."""

    def __init__(
        self, refusals: Refusals, model: Model | str | None, request: ExecutorRequest
    ) -> None:
        self._refusals = refusals
        self._request = request
        self._thread = (request.owner_user_id, request.state_key)
        self._model, self._profile = _model_of(model)
        self._own = own_of(model if isinstance(model, Model) else None)
        self._omit = Omissions(
            first_id=refusals.first_id(self._model, self._thread),
            signatures=not refusals.takes_signatures(self._model, self._thread),
        )
        self._local = 0
        self._refused: Refusal | None = None
        self._suspects: set[str] = set()
        self._unsigned = False

    def prompt(self) -> Prompt:
        """Make the prompt to send next. It decodes files, which may take a while."""
        so_far = [] if self._request.answer is None else [self._request.answer]
        return make_prompt(
            [*self._request.messages, *so_far],
            leave_out=self._leave_out,
            first_id=self._omit.first_id,
            max_size=self._omit.max_size,
            own=None if self._omit.signatures else self._own,
        )

    def revise(self, prompt: Prompt, error: Exception) -> bool:
        """Decide whether to try again with less. The provider is asked only once more."""
        refusal = refusal_of(error)
        if refusal in ("adapter", "content") and prompt.signed:
            # A provider may no longer know its own signature, or may not take it of this account.
            log.warning(
                "turn %s: a prompt with %s signed parts was refused; trying without: %s",
                self._request.turn_id,
                prompt.signed,
                error,
            )
            self._omit.signatures = self._unsigned = True
            return True
        again = self._local < MAX_LOCAL if refusal == "adapter" else self._refused is None
        if refusal is None or not again:
            self._give_up(refusal, prompt)
            return False
        omit = self._refusals.omissions(self._model, refusal, prompt, error)
        if omit is None:
            return False
        if refusal == "adapter":
            self._local += 1
        else:
            self._refused = refusal
        self._suspects = omit.files
        self._omit.files |= omit.files
        if omit.max_size is not None:
            self._omit.max_size = omit.max_size
            if len(prompt.questions) < 2:
                # The question alone is too long. Only its files can be left out of it.
                self._suspects = {file.key for file in prompt.files}
                self._omit.files |= self._suspects
        log.warning(
            "turn %s: a prompt of %s characters, %s files was refused (%s); trying with less: %s",
            self._request.turn_id,
            prompt.size,
            len(prompt.files),
            refusal,
            error,
        )
        return True

    def taken(self, prompt: Prompt) -> None:
        """Remember for the next turns what this one has shown: the model has taken this prompt."""
        self._refusals.take(self._model, prompt.files)
        self._refusals.refuse(self._model, self._thread, self._suspects)
        if self._unsigned:
            self._refusals.refuse_signatures(self._model, self._thread)
        if self._omit.max_size is not None:
            self._begin_with(prompt.questions[:1])
        if prompt.files_out or prompt.messages_out:
            log.info(
                "turn %s: %s files and %s messages were left out of the prompt",
                self._request.turn_id,
                prompt.files_out,
                prompt.messages_out,
            )

    def _give_up(self, refusal: Refusal | None, prompt: Prompt) -> None:
        """Let the thread's next prompt hold less, or everything again if less did not help."""
        if refusal in ("too_long", "content") and self._refused is not None:
            helps = refusal == "too_long" or len(prompt.questions) > 1
            self._begin_with(prompt.questions[-1:] if helps else [])

    def _begin_with(self, questions: Sequence[UIMessage]) -> None:
        first_id = questions[0].get("id") if questions else None
        self._refusals.begin_with(self._model, self._thread, first_id)

    def _leave_out(self, file: File) -> bool:
        return (
            file.key in self._omit.files
            or not _takes(self._profile, file)
            or self._refusals.is_refused(self._model, self._thread, file)
        )


def _model_of(model: Model | str | None) -> tuple[str, Mapping[str, Any]]:
    """A name for the model, and what pydantic-ai knows about the inputs it accepts."""
    try:
        if isinstance(model, Model):
            return f"{model.system}:{model.model_name}", cast(Mapping[str, Any], model.profile)
    except Exception:
        log.debug("no profile of %r", model, exc_info=True)
    return str(model), {}


def _takes(profile: Mapping[str, Any], file: File) -> bool:
    """Whether a model's profile allows a file. A file that it does not mention is tried."""
    flag = _FLAGS.get(file.media_type.partition("/")[0], "supports_document_input")
    return bool(profile.get(flag, True))
