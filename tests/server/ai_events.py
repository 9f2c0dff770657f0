"""Events as models, tools and careless executors produce them, for hypothesis."""

from __future__ import annotations

from typing import get_args

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st

from pgthreads.events import (
    AiEvent,
    AssistantFinal,
    Boundary,
    Data,
    Done,
    Error,
    FileOutput,
    FinishReason,
    MessageMetadata,
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
    UsageReport,
)

patient = settings(deadline=None, suppress_health_check=list(HealthCheck))
"""For machines that are busy with other tests."""

in_batches = settings(patient, max_examples=8, phases=[Phase.explicit, Phase.reuse, Phase.generate])
"""For examples with many turns each, which are not worth shrinking."""

any_char = st.characters(codec=None)
awkward = st.sampled_from(
    ["", "\x00", "\ud83d", "\ude00", "\u2028", "\ufeff", "\r\n\n", "data: ", "<'\"\\"]
)
texts = awkward | st.text(any_char, max_size=8)
call_ids = st.sampled_from(["a", "b", "c", "__proto__", ""])
names = st.sampled_from(["calculator", "time", "toString", "__proto__"])
keys = st.sampled_from(["a", "__proto__", "constructor", "prototype", "\x00"]) | texts
scalars = st.none() | st.booleans() | st.integers() | st.floats() | texts
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(keys, inner, max_size=3)
        | st.tuples(inner, inner)
    ),
    max_leaves=8,
)
objects = st.dictionaries(keys, values, max_size=3)
provider_metadata = st.none() | st.dictionaries(
    st.sampled_from(["pydantic_ai", "openai", "__proto__", "constructor"]), objects, max_size=2
)
pieces = st.sampled_from(['{"a":', '"x', '"}', "[1,", "nul", '{"__proto__":{}}']) | texts
urls = st.sampled_from(["https://example.com/a.png", "data:image/png;base64,iVBORw0KGgo="])
ids = st.sampled_from(["1", "2", ""])
metadata = st.dictionaries(
    st.sampled_from(["model", "a", "status", "pgthreads"]) | keys, values, max_size=3
)

events: st.SearchStrategy[AiEvent] = st.one_of(
    st.builds(TextDelta, texts),
    st.builds(TextDelta, texts),
    st.builds(ReasoningDelta, texts),
    st.builds(Boundary, st.booleans()),
    st.sampled_from([TextStart, TextEnd, ReasoningStart, ReasoningEnd]).flatmap(
        lambda kind: st.builds(kind, provider_metadata)
    ),
    st.builds(ToolInputStart, call_ids, names),
    st.builds(ToolInputDelta, call_ids, pieces),
    st.builds(ToolInputDelta, call_ids, pieces),
    st.builds(ToolCallStart, call_ids, names, values),
    st.builds(ToolCallStart, call_ids, names, values, st.booleans(), provider_metadata),
    st.builds(ToolCallProgress, call_ids, values),
    st.builds(ToolCallResult, call_ids, values, st.booleans()),
    st.builds(ToolCallResult, call_ids, values, st.booleans()),
    st.builds(SourceUrl, texts, texts, st.none() | texts, provider_metadata),
    st.builds(SourceDocument, texts, texts, texts, st.none() | texts, provider_metadata),
    st.builds(FileOutput, st.just("image/png"), urls, provider_metadata),
    st.builds(Data, st.sampled_from(["a", "b", "status"]), values, st.none() | ids, st.booleans()),
    st.builds(MessageMetadata, metadata),
    st.builds(Status, texts, texts),
    st.builds(UsageReport, st.dictionaries(keys, values, max_size=3)),
    st.builds(AssistantFinal, texts),
)
endings: st.SearchStrategy[list[AiEvent]] = st.one_of(
    st.just([]),
    st.builds(lambda reason: [Done(reason)], st.sampled_from(get_args(FinishReason))),
    st.builds(lambda code: [Error(code)], texts),
)
turns = st.builds(list.__add__, st.lists(events, max_size=30), endings)

approvals = st.builds(ToolApprovalRequest, call_ids, ids)
"""Events that no client before AI SDK 6 knows."""

later_turns = st.builds(list.__add__, st.lists(events | approvals, max_size=30), endings)
statuses = st.sampled_from(["completed", "stopped", "failed"])
