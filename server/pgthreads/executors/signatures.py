"""What a part carries for the provider that made it: signatures, and reasoning that is encrypted.

It is kept in the part's `providerMetadata` (`callProviderMetadata` of a tool call), under the names
that pydantic-ai's own adapter for the AI SDK uses (`pydantic_ai.ui.vercel_ai`), so that both can
read each other's messages. Ids by which a provider finds its own copy of a part are stored as well,
but they do not go back: the provider may have forgotten the copy, and it would read that instead of
what is stored here.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

from pydantic_ai.messages import (
    FilePart,
    ModelResponse,
    NativeToolCallPart,
    NativeToolReturnPart,
    TextPart,
    ThinkingPart,
    ToolCallPart,
)
from pydantic_ai.models import Model

from ..events import JsonValue, ProviderMetadata
from .values import jsonable

KEY = "pydantic_ai"
"""The name in `providerMetadata`."""

_FIELDS = ("id", "signature", "provider_name", "provider_details", "tool_kind", "citations")

_FORGOTTEN = "forgotten:"
"""An address that is no provider's, for responses whose parts the provider may have forgotten."""

_NATIVE: Mapping[str, Mapping[str, str]] = {
    "anthropic": {"web_search": "srvtoolu_[a-zA-Z0-9_]+", "web_fetch": "srvtoolu_[a-zA-Z0-9_]+"},
    "google": {"code_execution": ".*"},
}
"""For each provider the tools whose calls it takes back as calls of its own, and their ids.

Of others, it needs something that it keeps itself, such as a container, and may have forgotten.
"""


def metadata_of(
    part: ThinkingPart | TextPart | ToolCallPart | NativeToolCallPart | FilePart,
    canonical_system: str | None = None,
) -> ProviderMetadata | None:
    """Return the `providerMetadata` of a part, None if there is nothing to keep."""
    facts = {name: jsonable(getattr(part, name, None)) for name in _FIELDS}
    facts["canonical_system"] = canonical_system
    kept = {name: fact for name, fact in facts.items() if fact}
    return {KEY: kept} if kept else None


@dataclass(frozen=True, slots=True)
class Signed:
    """What goes back to a part's provider."""

    provider_name: str
    canonical_system: str | None
    id: str | None
    signature: str | None
    details: dict[str, Any]
    system: str = ""

    def response(self) -> ModelResponse:
        """An empty response of this provider."""
        return ModelResponse(
            parts=[],
            provider_name=self.provider_name,
            provider_url=_FORGOTTEN,
            canonical_system=self.canonical_system,
        )

    @property
    def is_signed(self) -> bool:
        """Whether there is something that the provider can refuse."""
        return bool(self.signature or self.details)

    @property
    def call_details(self) -> dict[str, Any] | None:
        """The details of a text or a call. Citations point to results that do not go back."""
        return {k: v for k, v in self.details.items() if k != "citations"} or None

    def thinking(self, text: str) -> ThinkingPart:
        """The reasoning with this text."""
        return ThinkingPart(
            text,
            id=self.id,
            signature=self.signature,
            provider_name=self.provider_name,
            provider_details=self.details or None,
        )

    def native(
        self, part: Mapping[str, Any]
    ) -> tuple[NativeToolCallPart, NativeToolReturnPart] | None:
        """A stored call of one of the provider's own tools, with its result, as it came.

        None if it has to be told as any other call: the provider does not take it back, it did not
        succeed, or redaction or the limit of a message has changed it.
        """
        kind: str = part["type"]
        name = part.get("toolName") if kind == "dynamic-tool" else kind.removeprefix("tool-")
        call_id, args, output = part.get("toolCallId"), part.get("input"), part.get("output")
        ids = _NATIVE.get(self.system, {}).get(name) if isinstance(name, str) else None
        if (
            ids is None
            or part.get("providerExecuted") is not True
            or part.get("state") != "output-available"
            or part.get("preliminary")
            or not isinstance(args, dict)
            or not isinstance(output, dict | list)
            or not (isinstance(call_id, str) and re.fullmatch(ids, call_id))
            or "[REDACTED:" in json.dumps([args, output])
        ):
            return None
        origin: dict[str, Any] = {
            "provider_name": self.provider_name,
            "provider_details": self.details or None,
        }
        return (
            NativeToolCallPart(str(name), args, call_id, **origin),
            NativeToolReturnPart(str(name), output, call_id, **origin),
        )


Own: TypeAlias = Callable[[JsonValue], Signed | None]
"""Finds what of a part's `providerMetadata` goes back to the provider, None if nothing does."""


def signed(metadata: JsonValue) -> Signed | None:
    """Read the `providerMetadata` of a stored part. Whatever it holds, this does not fail."""
    kept = metadata.get(KEY) if isinstance(metadata, Mapping) else None
    if not isinstance(kept, Mapping) or not isinstance(name := kept.get("provider_name"), str):
        return None
    texts = {key: kept.get(key) for key in ("canonical_system", "id", "signature")}
    if any(not isinstance(text, str | None) for text in texts.values()):
        return None
    details = kept.get("provider_details")
    found = Signed(
        name,
        texts["canonical_system"],
        texts["id"],
        texts["signature"],
        dict(details) if isinstance(details, Mapping) else {},
    )
    # A signature of which redaction has replaced something is none any more.
    return None if "[REDACTED:" in json.dumps(kept) else found


def own_of(model: Model | None) -> Own:
    """Return what finds the metadata that this model's provider has made and can verify."""

    def own(metadata: JsonValue) -> Signed | None:
        found = signed(metadata)
        if model is None or found is None:
            return None
        probe = ThinkingPart("", provider_name=found.provider_name)
        if not model.accepts_stateless_artifacts(found.response(), probe):
            return None
        # Claude at another provider takes none of these: there the system differs from its maker.
        return replace(found, system=model.system.partition("-")[0])

    return own
