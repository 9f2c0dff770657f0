"""Makes events of what tools give the page beside their results: sources, files and data.

A tool returns them as the `metadata` of a pydantic-ai `ToolReturn`, or emits them: the chunks that
pydantic-ai's own adapter for the AI SDK takes there (`pydantic_ai.ui.vercel_ai.response_types`), or
events of `pgthreads.events`. The model sees none of them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from typing import Any

from pydantic_ai.messages import Citation, CustomEvent, ToolReturnPart, WebCitationSource

from ..events import AiEvent, Data, FileOutput, SourceDocument, SourceUrl
from .values import jsonable

_EVENTS = (Data, FileOutput, SourceDocument, SourceUrl)


def of_result(part: ToolReturnPart) -> Iterator[AiEvent]:
    """What a tool has returned for the page."""
    given: Any = part.metadata or part.content
    single = isinstance(given, str | bytes) or not isinstance(given, Iterable)
    for each in [given] if single else given:
        if (event := _event_of(each)) is not None:
            yield event


def of_custom_event(event: CustomEvent) -> AiEvent | None:
    """What a tool has emitted: a chunk, or anything else as data of the event's name."""
    payload = event.to_payload()
    return _event_of(payload) or (Data(event.name, jsonable(payload)) if event.name else None)


def of_citations(citations: Iterable[Citation], seen: set[str]) -> Iterator[AiEvent]:
    """The pages that a model cites, each of them once. Their addresses are added to `seen`."""
    for citation in citations:
        for source in citation.sources:
            if isinstance(source, WebCitationSource) and source.url not in seen:
                seen.add(source.url)
                yield SourceUrl(source.url, source.url, source.title)


def _event_of(value: object) -> AiEvent | None:
    if isinstance(value, _EVENTS):
        return value
    chunks = sys.modules.get("pydantic_ai.ui.vercel_ai.response_types")
    if chunks is None or not isinstance(value, chunks.BaseChunk):
        return None
    return _event_of_chunk(value)


def _event_of_chunk(chunk: Any) -> AiEvent | None:
    kind: str = chunk.type
    if kind == "source-url":
        return SourceUrl(chunk.source_id, chunk.url, chunk.title, chunk.provider_metadata)
    if kind == "source-document":
        return SourceDocument(
            chunk.source_id, chunk.media_type, chunk.title, chunk.filename, chunk.provider_metadata
        )
    if kind == "file":
        return FileOutput(chunk.media_type, chunk.url)
    name = kind.removeprefix("data-")
    if name in ("", kind):
        return None
    return Data(name, jsonable(chunk.data), chunk.id, bool(chunk.transient))
