"""A model of what the functions do with single messages: redaction, text, streams."""

from __future__ import annotations

import json

from tests.properties.world import Json

SECRET, REDACTED = "sk-AAAAAAAAAAAAAAAAAAAAAAAA", "[REDACTED:provider_api_key]"
"""The one secret that these tests send, and its replacement."""


def redact(value: Json) -> Json:
    """Return the value without the secret."""
    return replaced(value, SECRET, REDACTED)


def replaced(value: Json, old: str, new: str) -> Json:
    """Return the value with one text replaced by another in all its strings."""
    if isinstance(value, str):
        return value.replace(old, new)
    if isinstance(value, list):
        return [replaced(each, old, new) for each in value]
    if isinstance(value, dict):
        return {key: replaced(each, old, new) for key, each in value.items()}
    return value


def json_text(value: Json) -> str:
    """Return the text of a value's jsonb, for values without floats."""
    if isinstance(value, dict):
        pairs = sorted(value.items(), key=lambda pair: (len(pair[0].encode()), pair[0].encode()))
        inner = ", ".join(f"{json_text(k)}: {json_text(v)}" for k, v in pairs)
        return f"{{{inner}}}"
    if isinstance(value, list):
        return f"[{', '.join(json_text(each) for each in value)}]"
    return json.dumps(value, ensure_ascii=False)


def is_shallow(value: Json, levels: int = 60) -> bool:
    """Whether a value has at most so many levels, of which it is the first itself."""
    if levels == 0:
        return False
    within = value.values() if isinstance(value, dict) else value
    return not isinstance(value, (dict, list)) or all(is_shallow(v, levels - 1) for v in within)


def is_message(value: Json) -> bool:
    """Whether the value is a UIMessage, for the kinds of wrong ones that these tests make."""
    return (
        isinstance(value, dict)
        and isinstance(value.get("id"), str)
        and 1 <= len(value["id"]) <= 256
        and value.get("role") in ("system", "user", "assistant")
        and isinstance(value.get("parts"), list)
        and (bool(value["parts"]) or value["role"] == "assistant")
        and all(part.get("type") != "text" or "text" in part for part in value["parts"])
    )


def closed(message: Json, status: str | None) -> Json:
    """`closed_answer`."""
    parts = [part | _ending(part) for part in message["parts"]]
    metadata = {} if status is None else {"metadata": {"status": status}}
    return message | {"parts": parts} | metadata


def _ending(part: Json) -> Json:
    """What becomes of a call that nobody goes on with."""
    state = part.get("state") if "toolCallId" in part else None
    if state == "approval-requested":
        denied = {"approved": False, "reason": "not answered"}
        return {"state": "output-denied", "approval": part["approval"] | denied}
    if state == "approval-responded" and not part["approval"]["approved"]:
        return {"state": "output-denied"}
    if state == "approval-responded":
        return {"state": "output-error", "errorText": "not run"}
    if state == "input-available":
        return {"state": "output-error", "errorText": "not answered"}
    return {}


def continued(message: Json, frames: str) -> Json:
    """`continued_answer`, for streams of text parts and answers without metadata."""
    error = "The answer was abandoned before the tool returned a result."
    gone = {"state": "output-error", "errorText": error}
    runs = [
        part.get("state") == "approval-responded" and part["approval"]["approved"]
        for part in message["parts"]
    ]
    parts = [part | gone if run else part for part, run in zip(message["parts"], runs, strict=True)]
    _, rest, metadata = _read(frames)
    whole = closed(message | {"parts": parts + rest}, "abandoned")
    is_told = any(runs) or bool(rest)
    return whole | {"metadata": metadata | whole["metadata"]} if is_told else whole


def assemble(frames: str) -> Json:
    """`assemble_message`, for streams of text parts."""
    message_id, parts, metadata = _read(frames)
    message = {"role": "assistant", "metadata": metadata | {"status": "abandoned"}, "parts": parts}
    if not parts:
        return None
    return message if message_id is None else message | {"id": message_id}


def _read(frames: str) -> tuple[str | None, list[Json], Json]:
    """Message id, parts and metadata of a stream."""
    message_id: str | None = None
    parts: list[Json] = []
    metadata: dict[str, Json] = {}
    for frame in frames.split("\n\n")[:-1]:
        chunk = json.loads(frame.removeprefix("data: "))
        if chunk["type"] == "start":
            metadata |= chunk.get("messageMetadata", {})
            message_id = chunk.get("messageId", message_id)
        elif chunk["type"] == "text-start":
            parts.append({"type": "text", "text": ""})
        elif parts:
            parts[-1]["text"] += chunk["delta"]
    return message_id, parts, metadata
