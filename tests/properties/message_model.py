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


def assemble(frames: str) -> Json:
    """`assemble_message`, for streams of text parts."""
    message: dict[str, Json] = {"role": "assistant", "metadata": {}, "parts": []}
    for frame in frames.split("\n\n")[:-1]:
        chunk = json.loads(frame.removeprefix("data: "))
        if chunk["type"] == "start":
            message["metadata"] |= chunk.get("messageMetadata", {})
            if "messageId" in chunk:
                message["id"] = chunk["messageId"]
        elif chunk["type"] == "text-start":
            message["parts"].append({"type": "text", "text": ""})
        elif message["parts"]:
            message["parts"][-1]["text"] += chunk["delta"]
    message["metadata"]["status"] = "abandoned"
    return message if message["parts"] else None
