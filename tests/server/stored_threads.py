"""Threads as any writer may have stored them, for hypothesis."""

from __future__ import annotations

import base64
from typing import Any

from hypothesis import strategies as st

from pgthreads.message.outputs import binary

Json = dict[str, Any]

PNG = b"\x89PNG\r\n\x1a\n" + bytes(40)

texts = st.sampled_from(
    ["Hello", "", " \n", "größe 😀", "a\u2028b", "[x]", "data: x", "<|im_end|>", "\x07", "x" * 300]
)
names = st.sampled_from(["add", "", "t" * 300, "größe", "a b", "9", "__proto__", "functions.x:0"])
ids = st.sampled_from(["a", "", "functions.x:0", "c" * 500, "call_0", "größe", "5s3I91FeJ"])
scalars = st.none() | st.booleans() | st.integers(-9, 9) | st.floats(-1, 1) | texts


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = {"a": [value]}
    return value


media_types = st.sampled_from(
    [
        *("image/png", "IMAGE/JPG", "image/svg+xml", "image/tiff", "image/heic", "image/"),
        *("audio/webm;codecs=opus", "audio/ogg", "audio/mp3", "audio/wav", "video/mp4"),
        *("text/plain; charset=latin1", "text/csv", "application/json", "application/pdf"),
        *("application/zip", "application/octet-stream", "application/vnd.ms-excel", "", "x", ";"),
    ]
)
contents = st.sampled_from([b"", b"x", PNG, b"\xff\xd8\xff\xe0", "grüße".encode("latin1"), b"\0"])


@st.composite
def data_urls(draw: st.DrawFn) -> str:
    content, head = draw(contents), draw(media_types)
    if draw(st.booleans()):
        return f"data:{head};base64,{base64.b64encode(content).decode()}"
    return f"data:{head},{content.decode('latin1')}"


urls = data_urls() | st.sampled_from(
    [
        *(
            "https://localhost:1/a.png",
            "http://[::1/x",
            "https://",
            "http://user@/",
            "HTTP://[::1]",
        ),
        *("http://127.0.0.1:99999/a", "ftp://example.org/a", "", "data:", "data:;base64,*", "x"),
        "https://127.0.0.1/" + "a" * 9000,
    ]
)
files = st.fixed_dictionaries(
    {"type": st.just("file"), "mediaType": media_types, "url": urls}, optional={"filename": names}
)
tool_files = st.builds(binary, contents, media_types) | st.fixed_dictionaries(
    {
        "type": st.just("image"),
        "mimeType": media_types,
        "data": contents.map(lambda content: base64.b64encode(content).decode()),
    }
)
values = st.recursive(
    scalars | st.sampled_from([deep(3), deep(40), deep(60)]) | tool_files,
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(st.sampled_from(["a", "", "kind", "content", "type"]), inner, max_size=3)
    ),
    max_leaves=5,
)
outputs = values | st.fixed_dictionaries(
    {
        "kind": st.just("tool-return"),
        "return_value": values,
        "content": st.lists(texts | tool_files, max_size=3),
    }
)
approvals = st.fixed_dictionaries(
    {"id": ids, "approved": st.booleans()}, optional={"reason": texts}
)


signatures = st.sampled_from(["c2lnbmVk", "c2lnbmVk", "Zm9yZ2Vk", "*", "", 5])
provider_metadata = st.fixed_dictionaries(
    {
        "pydantic_ai": st.fixed_dictionaries(
            {
                "provider_name": st.sampled_from(
                    ["openai", "anthropic", "google", "mistral", "bedrock", "", None]
                )
            },
            optional={
                "id": st.sampled_from(["rs_1", "rs_2", "redacted_thinking", "", 5]),
                "signature": signatures,
                "provider_details": st.builds(lambda each: {"thought_signature": each}, signatures)
                | st.sampled_from([{}, None, []]),
                "canonical_system": st.sampled_from(["openai", "google", "google-cloud", 5]),
            },
        )
    }
)


@st.composite
def tools(draw: st.DrawFn) -> Json:
    state = draw(
        st.sampled_from(
            [
                *("input-streaming", "input-available", "output-available", "output-error"),
                *("approval-requested", "approval-responded", "output-denied", "some-day"),
            ]
        )
    )
    part: Json = {"toolCallId": draw(ids), "state": state}
    name = draw(names)
    if draw(st.booleans()):
        part |= {"type": "dynamic-tool", "toolName": name}
    else:
        part |= {"type": f"tool-{name}"}
    if draw(st.booleans()) or state == "output-available":
        part["input"] = draw(values)
    if state == "output-available":
        part["output"] = draw(outputs)
    if state == "output-error":
        part["errorText"] = draw(texts)
    if draw(st.booleans()):
        part["callProviderMetadata"] = draw(provider_metadata)
    if state in ("approval-responded", "output-denied") or draw(st.integers(0, 9)) == 0:
        part["approval"] = draw(approvals)
    return part


other_parts = st.sampled_from(
    [
        {"type": "reasoning", "text": "Hm", "id": "r0", "providerMetadata": {"x": {"y": 1}}},
        {"type": "source-url", "sourceId": "s", "url": "https://localhost/"},
        {"type": "data-x", "data": None},
        {"type": "custom", "kind": "x", "text": 5},
        {"type": "reasoning-file", "mediaType": "image/png", "url": "data:,"},
        {"type": "steering-message", "text": "left"},
        {"type": "step-start"},
        {"type": "step-start"},
    ]
)
signed_parts = st.builds(
    lambda kind, text, metadata: {"type": kind, "text": text, "providerMetadata": metadata},
    st.sampled_from(["reasoning", "text"]),
    texts,
    provider_metadata,
)
text_parts = st.builds(lambda text: {"type": "text", "text": text}, texts)
question_parts = st.lists(text_parts | text_parts | files | other_parts | signed_parts, max_size=4)
answer_parts = st.lists(
    text_parts | tools() | tools() | files | other_parts | signed_parts, max_size=6
)


@st.composite
def messages(draw: st.DrawFn) -> Json:
    role = draw(st.sampled_from(["user", "assistant", "user", "assistant", "system"]))
    parts = draw(answer_parts if role == "assistant" else question_parts)
    message: Json = {"id": draw(ids), "role": role, "parts": parts}
    if draw(st.integers(0, 4)) == 0:
        message["metadata"] = {"status": "failed"}
    return message


threads = st.builds(
    lambda before, last: [*before, last],
    st.lists(messages(), max_size=6),
    st.builds(lambda parts: {"id": "last", "role": "user", "parts": parts}, question_parts),
)
"""Any window of a thread, with the question of the turn at its end."""
