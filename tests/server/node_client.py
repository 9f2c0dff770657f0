"""The real AI SDK as a client: `tests/clients` run by Node.

`SdkChecker` keeps one process that assembles streams and validates messages in memory;
`chat` runs a whole conversation against a server over HTTP.
"""

from __future__ import annotations

import asyncio
import json
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TypeAlias

Message: TypeAlias = dict[str, Any]

CLIENTS = Path(__file__).parents[1] / "clients"

MAJORS = ("5", "6", "7")
"""The latest release of each major of the npm package `ai`."""

VERSIONS = ("5-oldest", *MAJORS)
"""These, and the oldest release that is supported, whose chunk schema is strict."""


def missing() -> str | None:
    """Return why these clients cannot run here; None if they can."""
    if shutil.which("node") is None:
        return "node is not installed"
    if not (CLIENTS / "node_modules").is_dir():
        return "run `npm install` in tests/clients"
    return None


class SdkChecker:
    """A Node process that answers with the real `ai` package. Use as a context manager."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            ["node", "check.mjs"],
            cwd=CLIENTS,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            encoding="utf-8",
        )

    def __enter__(self) -> SdkChecker:
        return self

    def __exit__(self, *_: object) -> None:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.close()
        self._process.wait(timeout=10)
        self._process.stdout.close()

    def assemble(self, sse: bytes, version: str = "7", *, split: int = 0) -> dict[str, Any]:
        """Return what a page makes of a stream: `{message, status, errors, data, finish}`.

        `message` is None if no assistant message came; `status` is `ready` or `error`; `data` are
        the transient parts; `finish` is what onFinish was told. With `split` the stream arrives
        in pieces of that many bytes.
        """
        return self.assemble_all([sse], version, split=split)[0]

    def assemble_all(
        self, streams: Sequence[bytes], version: str = "7", *, split: int = 0
    ) -> list[dict[str, Any]]:
        """`assemble` for many streams in one round trip."""
        texts = [sse.decode() for sse in streams]
        return self._ask({"op": "assemble", "version": version, "streams": texts, "split": split})

    def go_on(
        self,
        messages: Sequence[Message],
        responses: Sequence[dict[str, Any]],
        sse: bytes,
        version: str = "7",
    ) -> dict[str, Any]:
        """Return what a page makes of a stream that goes on with the last message.

        Before that it gives the responses to the message's calls; see `tests/clients/check.mjs`.
        """
        request = {"messages": messages, "responses": responses, "stream": sse.decode()}
        return self._ask({"op": "continue", "version": version, **request})[0]

    def validate(self, messages: Sequence[Message], version: str = "7") -> dict[str, Any]:
        """`{valid, error?, modelMessages?}`: whether it is valid, and the prompt it makes."""
        return self.validate_all([messages], version)[0]

    def validate_all(
        self, threads: Sequence[Sequence[Message]], version: str = "7"
    ) -> list[dict[str, Any]]:
        """`validate` for many threads in one round trip."""
        return self._ask({"op": "validate", "version": version, "threads": threads})

    def _ask(self, request: dict[str, Any]) -> list[dict[str, Any]]:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        answer = json.loads(self._process.stdout.readline())
        if "failure" in answer:
            raise AssertionError(answer["failure"])
        results: list[dict[str, Any]] = answer["results"]
        return results


def comparable(message: Message, version: str = "7") -> Message:
    """Return the message without what may differ between a stored and an assembled one.

    `state` of text and reasoning, which is not stored. For clients too old to keep them: the `id`
    of reasoning, and the `providerMetadata` of a file.
    """
    ignored = {"text": {"state"}, "reasoning": {"state"}}
    if version == "5-oldest":
        ignored["reasoning"] = {"state", "id"}
    if version.startswith("5"):
        ignored["file"] = {"providerMetadata"}
    parts = [
        {k: v for k, v in part.items() if k not in ignored.get(part["type"], ())}
        for part in message["parts"]
    ]
    return {**message, "parts": parts}


async def chat(base_url: str, steps: Sequence[dict[str, Any]], **options: Any) -> dict[str, Any]:
    """Run a conversation with the stock transport; `tests/clients/chat.mjs` lists the options.

    Returns `{messages, status, errors, data, finishes, responses}`.
    """
    arguments = json.dumps({"baseUrl": base_url, "version": "7", "steps": steps, **options})
    process = await asyncio.create_subprocess_exec(
        "node",
        "chat.mjs",
        arguments,
        cwd=CLIENTS,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        stdout, stderr = await process.communicate()
    except asyncio.CancelledError:
        process.kill()
        raise
    if process.returncode != 0:
        raise AssertionError(stderr.decode())
    result: dict[str, Any] = json.loads(stdout)
    return result
