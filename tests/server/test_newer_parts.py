"""The database stores whatever `validateUIMessages` of any AI SDK release accepts."""

from __future__ import annotations

import json
import random
from typing import Any

import psycopg

from tests.server.node_client import MAJORS, SdkChecker

PARTS: dict[str, dict[str, list[Any]]] = {
    "text": {"text": ["x"], "state": ["done", "no"], "providerMetadata": [{"p": {}}, {"p": 1}]},
    "reasoning": {"text": ["x"], "id": ["r"], "state": ["streaming"], "providerMetadata": [{}]},
    "file": {"mediaType": ["a/b"], "url": ["/a", "data:,"], "filename": ["f"]},
    "source-url": {"sourceId": ["s"], "url": ["u"], "title": ["t"]},
    "source-document": {"sourceId": ["s"], "mediaType": ["m"], "title": ["t"]},
    "step-start": {"more": [1]},
    "custom": {"kind": ["k"], "providerMetadata": [{"p": {}}]},
    "reasoning-file": {"mediaType": ["a/b"], "url": ["u"]},
    "steering-message": {"id": ["s"], "parts": [[], [{"type": "text", "text": "x"}]]},
    "data-x": {"id": ["i"], "data": [1, None]},
}
STATES = ["input-streaming", "input-available", "output-available", "output-error", "output-denied"]
STATES += ["approval-requested", "approval-responded"]
APPROVALS: list[Any] = [{"id": "a"}, {"id": "a", "approved": True}, {"id": "a", "approved": False}]
for kind in ("tool-x", "dynamic-tool"):
    PARTS[kind] = {
        "toolName": ["n"],
        "toolCallId": ["c"],
        "state": STATES,
        "input": [{}],
        "output": [1],
        "errorText": ["e"],
        "approval": APPROVALS,
        "rawInput": ["r"],
        "preliminary": [True],
        "providerExecuted": [False],
        "callProviderMetadata": [{"p": {}}],
    }
ODD: list[Any] = [None, 1, "x", [], {}, [{}], True]


def part(chance: random.Random) -> dict[str, Any]:
    """A part with some of its fields, and now and then one of another type."""
    kind = chance.choice([*PARTS, "tool-x", "dynamic-tool"])
    made: dict[str, Any] = {"type": kind}
    for field, values in PARTS[kind].items():
        needed = field in ("toolName", "toolCallId", "state", "text", "url", "mediaType", "id")
        if chance.random() < (0.97 if needed else 0.4):
            made[field] = chance.choice(ODD if chance.random() < 0.03 else values)
    return made


def test_what_the_sdk_accepts_is_stored(server_dsn: str) -> None:
    chance = random.Random(7)
    messages: list[dict[str, Any]] = [
        {"id": "m", "role": "assistant", "parts": [part(chance)]} for _ in range(4000)
    ]
    accepted = [False] * len(messages)
    with SdkChecker() as sdk:
        for version in MAJORS:
            answers = sdk.validate_all([[each] for each in messages], version)
            accepted = [a or b["valid"] for a, b in zip(accepted, answers, strict=True)]
    with psycopg.connect(server_dsn) as connection:
        taken = [
            row[0]
            for row in connection.execute(
                "select pgthreads.is_ui_message(m) from jsonb_array_elements(%s::jsonb) as m",
                [json.dumps(messages)],
            )
        ]

    assert 400 < sum(accepted) < 3600
    for message, by_sdk, by_database in zip(messages, accepted, taken, strict=True):
        # The parts inside a steering message only need a type.
        assert by_database == by_sdk or (
            by_database and message["parts"][0]["type"] == "steering-message"
        ), message
