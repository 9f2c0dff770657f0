"""Requests that `openapi.json` allows, and others, from two users of a running server."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import requests
import schemathesis
from hypothesis import given, settings
from hypothesis import strategies as st
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

import pgthreads
from pgthreads.http import changes
from tests.properties.tenants import (
    ANN,
    BEA,
    BUSY,
    JWT,
    KEYS,
    answer,
    as_user,
    assert_nothing_of,
    keep_busy,
    rows_of,
    store_threads,
)
from tests.server.service import running_service

CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
DOCUMENT = json.loads((Path(pgthreads.__file__).parent / "http" / "openapi.json").read_text())
OPERATIONS = {
    f"{method.upper()} {path}": bool(
        {"parameters", "requestBody"} & (methods.keys() | operation.keys())
    )
    for path, methods in DOCUMENT["paths"].items()
    for method, operation in methods.items()
    if method != "parameters"
}
"""Whether it has anything that can be wrong."""
CASES = [
    (label, mode)
    for label, has_arguments in OPERATIONS.items()
    for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE)
    if has_arguments or mode is GenerationMode.POSITIVE
]
CHUNK = jsonschema_rs.validator_for(
    {"$ref": "#/components/schemas/UIMessageChunk", "components": DOCUMENT["components"]}
)
STREAM = "text/event-stream"


@contextmanager
def server_thread(server_dsn: str, admin_dsn: str) -> Iterator[str]:
    """Run the server beside the test, which blocks; yields its URL."""
    ready: list[str] = []
    started, end = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()

    async def serve() -> None:
        try:
            async with running_service(server_dsn, admin_dsn, answer, **JWT) as service:
                for user in (ANN, BEA):
                    await store_threads(service, user)
                busy = asyncio.create_task(keep_busy(service))
                ready.append(service.url)
                started.set()
                await end.wait()
                assert not busy.done(), busy
                busy.cancel()
                with suppress(asyncio.CancelledError):
                    await busy
        finally:
            started.set()

    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(loop.run_until_complete, serve())
        started.wait(60)
        try:
            yield ready[0]
        finally:
            loop.call_soon_threadsafe(end.set)
            running.result()
            loop.close()


@pytest.fixture(scope="module")
def url(server_dsn: str, admin_dsn: str) -> Iterator[str]:
    # Nobody here waits for threads to change.
    with (
        pytest.MonkeyPatch.context() as patch,
        server_thread(server_dsn, admin_dsn) as running,
    ):
        patch.setattr(changes, "STREAM_SECONDS", 0.0)
        yield running


@pytest.fixture(scope="module")
def operations(url: str) -> dict[str, Any]:
    """The operations of the document that the server hands out."""
    document = requests.get(f"{url}/openapi.json", timeout=20).json()
    assert document == DOCUMENT
    # For a stream it describes the whole text, which schemathesis would compare with each event;
    # `assert_chunks` checks the events.
    document["components"]["schemas"]["UIMessageStream"] = {}
    document["components"]["schemas"]["ThreadEvents"] = {}
    found: list[Any] = list(schemathesis.openapi.from_dict(document).get_all_operations())
    return {operation.label: operation for operation in (each.ok() for each in found)}


def assert_chunks(stream: bytes) -> None:
    """Fail if a frame of a stream is not described by the document."""
    for frame in stream.split(b"\n\n"):
        data = frame.removeprefix(b"data: ")
        if data and not data.startswith(b":") and data != b"[DONE]":
            CHUNK.validate(json.loads(data))


def test_every_operation_of_the_document_is_asked(operations: dict[str, Any]) -> None:
    assert operations.keys() == OPERATIONS.keys()


def _share(url: str) -> dict[str, str]:
    """Make a link to a thread, and return its id and its token."""
    threads = f"{url}/api/v1/ai/threads"
    share: dict[str, str] = requests.post(
        f"{threads}/{BUSY}/shares", json={}, headers=as_user(ANN), timeout=20
    ).json()
    return share


@pytest.mark.parametrize(
    ("label", "mode"), CASES, ids=[f"{label} {mode.value}" for label, mode in CASES]
)
def test_any_request_has_an_answer_of_the_document(
    url: str,
    admin_dsn: str,
    operations: dict[str, Any],
    examples: settings,
    label: str,
    mode: GenerationMode,
) -> None:
    operation = operations[label]
    has_key = "{stateKey}" in label
    # A deleted thread stays deleted. The busy one comes first, because Hypothesis prefers what
    # does: a call that needs a running turn would otherwise find none by bad luck.
    deletes = label.startswith("DELETE") and "{shareId}" not in label
    keys = (*KEYS, None) if deletes else (BUSY, *KEYS, None)
    before = rows_of(admin_dsn, BEA)
    statuses = set()
    share = _share(url) if "share" in label else {}

    with requests.Session() as session:

        @examples
        @given(case=operation.as_strategy(generation_mode=mode), key=st.sampled_from(keys))
        def ask(case: Case[Any], key: str | None) -> None:
            if has_key and key is not None:
                case.path_parameters["stateKey"] = key
                if key == BUSY and "{shareId}" in label:
                    case.path_parameters["shareId"] = share["shareId"]
            elif isinstance(case.body, dict) and key is not None:
                case.body["id"] = key
            headers = as_user(ANN)
            if label.endswith("/shared") and key is not None:
                headers = {"Authorization": f"Share {share['token']}"}
            response = case.call(base_url=url, session=session, headers=headers, timeout=20)
            statuses.add(response.status_code)
            case.validate_response(response, checks=CHECKS)
            assert_nothing_of(BEA, response.headers, response.content)
            if label.endswith("/events"):
                assert response.content.startswith(b"id: ") or response.status_code >= 400
            elif STREAM in response.headers.get("content-type", [""])[0]:
                assert_chunks(response.content)

        ask()
    assert rows_of(admin_dsn, BEA) == before
    # Calls succeed, and are not only refused.
    assert min(statuses) < 300 or mode is GenerationMode.NEGATIVE
