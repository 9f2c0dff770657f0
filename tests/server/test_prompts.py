"""Every stored thread becomes a prompt that every provider accepts."""

from __future__ import annotations

import asyncio
import base64
import copy
import json
import re
import time
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import Phase, example, given, settings
from pydantic_ai import Agent

from pgthreads.events import Error, ExecutorRequest, UIMessage
from pgthreads.executors.agents import AgentExecutor
from pgthreads.history import prompt_history
from tests.server import stored_threads
from tests.server.ai_events import patient
from tests.server.providers import PROVIDERS, Providers, RefusedError, serve


@pytest.fixture(scope="module")
def runner() -> Iterator[asyncio.Runner]:
    with asyncio.Runner() as runner:
        yield runner


@pytest.fixture(scope="module")
def providers(runner: asyncio.Runner) -> Iterator[Providers]:
    context = serve()
    yield runner.run(context.__aenter__())
    runner.run(context.__aexit__(None, None, None))


async def ask(executor: AgentExecutor, thread: list[UIMessage]) -> object:
    request = ExecutorRequest(thread, "owner", "key", "turn")
    return [event async for event in executor(request)][-1]


BLANK_ITEM: list[UIMessage] = [
    {"id": "q", "role": "user", "parts": [{"type": "text", "text": "Go"}]},
    {
        "id": "a",
        "role": "assistant",
        "parts": [
            {
                "type": "tool-find",
                "toolCallId": "c",
                "state": "output-available",
                "input": {},
                "output": {"kind": "tool-return", "return_value": ["a", " \n"], "content": []},
            }
        ],
    },
    {"id": "last", "role": "user", "parts": [{"type": "text", "text": "And?"}]},
]


@pytest.mark.parametrize("name", PROVIDERS)
@settings(patient, max_examples=12, phases=[Phase.explicit, Phase.reuse, Phase.generate])
@example(thread=BLANK_ITEM)
@given(thread=stored_threads.threads)
def test_every_provider_takes_the_prompt_of_any_thread(
    runner: asyncio.Runner, providers: Providers, name: str, thread: list[UIMessage]
) -> None:
    providers.verdicts.clear()
    executor = AgentExecutor(Agent(providers.model(name), instructions="Be brief."))
    last = runner.run(ask(executor, thread))
    assert last == Error("model_quota_exceeded"), (last, providers.verdicts)
    assert providers.verdicts[-1] == "", providers.verdicts
    assert len(providers.verdicts) <= 3, providers.verdicts
    # These are only found out by asking: types of files, and for Mistral files of tools, because
    # pydantic-ai puts a system message of its own before them.
    assert all(
        re.match(
            "a signature|reasoning id|media type|Unsupported MIME|(image|document|audio) format"
            "|role system after role tool",
            verdict,
        )
        for verdict in providers.verdicts[:-1]
    ), providers.verdicts


CALL = {"id": "a", "type": "function", "function": {"name": "f", "arguments": "{}"}}
BAD = [
    ("openai-chat", {"messages": [{"role": "user", "content": " "}]}),
    ("openai-chat", {"messages": [{"role": "assistant", "tool_calls": [CALL]}]}),
    ("openai-responses", {"input": [{"type": "function_call_output", "call_id": "a"}]}),
    ("anthropic", {"messages": [{"role": "assistant", "content": "Hi"}]}),
    ("google", {"contents": [{"role": "user", "parts": [{"text": ""}]}]}),
    ("mistral", {"messages": [{"role": "user", "content": "x"}, {"role": "tool"}]}),
    (
        "mistral",
        {
            "messages": [
                {"role": "user", "content": "x"},
                {"role": "assistant", "tool_calls": [CALL]},
            ]
        },
    ),
    ("bedrock", {"messages": [{"role": "user", "content": [{"text": "x"}]}] * 2}),
]


@pytest.mark.parametrize(("name", "body"), BAD)
def test_the_servers_refuse(name: str, body: dict[str, Any]) -> None:
    with pytest.raises(RefusedError):
        PROVIDERS[name](body)


@settings(patient, max_examples=200)
@given(thread=stored_threads.threads)
def test_a_history_is_made_of_little_and_says_all(thread: list[UIMessage]) -> None:
    before = copy.deepcopy(thread)
    history = prompt_history(thread)
    assert thread == before
    assert prompt_history(thread) == history
    json.dumps(history)
    roles = [message["role"] for message in history if message["role"] != "system"]
    assert roles == ["user" if place % 2 == 0 else "assistant" for place in range(len(roles))]
    assert roles[-1] == "user"
    ids = [part["toolCallId"] for each in history for part in each["parts"] if "toolCallId" in part]
    assert len(ids) == len(set(ids))
    for message in history:
        assert message["parts"]
        for part in message["parts"]:
            if part["type"] == "text":
                assert part["text"].strip()
            elif part["type"] == "dynamic-tool":
                assert ("output" in part) != ("errorText" in part)
            else:
                assert part["type"] in ("file", "step-start")


def data(head: str, content: bytes) -> str:
    return f"data:{head};base64,{base64.b64encode(content).decode()}"


@pytest.mark.parametrize(
    ("media_type", "url", "told"),
    [
        ("text/plain", data("text/plain", "grüße".encode("latin1")), "grüße"),
        ("text/plain", data("text/plain", "grüße".encode()), "grüße"),
        ("text/plain", data("text/plain", "grüße".encode("utf-16")), "grüße"),
        ("text/csv;charset=iso-8859-2", data("", "łódź".encode("iso-8859-2")), "łódź"),
        ("", data('text/plain; charset="koi8-r"', "да".encode("koi8-r")), "да"),
        ("text/plain;charset=nonsense", data("", "grüße".encode()), "grüße"),
        ("application/json", data("", b'{"a": 1}'), '{"a": 1}'),
        ("application/ld+json", "data:application/ld+json,%7B%7D", "{}"),
        ("image/svg+xml", data("", b"<svg/>"), "<svg/>"),
        ("text/plain", data("", b"a\0b\x07"), "a\ufffdb\ufffd"),
    ],
)
def test_text_files_are_text_in_whatever_encoding(media_type: str, url: str, told: str) -> None:
    file = {"type": "file", "mediaType": media_type, "url": url, "filename": "f.txt"}
    [part] = prompt_history([{"id": "u", "role": "user", "parts": [file]}])[0]["parts"]
    assert part["text"].startswith("[An attached file: f.txt (")
    assert part["text"].endswith(f"]\n{told}\n[End of the file]")


@pytest.mark.parametrize(
    ("media_type", "url", "kind"),
    [
        ("audio/webm;codecs=opus", data("audio/webm", b"x"), "audio/webm"),
        ("IMAGE/JPG", data("", b"x"), "image/jpeg"),
        ("image/png", data("", b"\xff\xd8\xff\xe0"), "image/jpeg"),
        ("", data("", stored_threads.PNG), "image/png"),
        ("application/zip", data("", b"%PDF-"), "application/zip"),
        ("", "DATA:audio/mp3;base64,eA", "audio/mpeg"),
        ("image/png", "https://example.org/a.png", "image/png"),
        ("image/png", "https://example.org/a b.png", None),
        ("image/png", "https://", None),
        ("image/png", "http://[::1/x", None),
        ("image/png", "ftp://example.org/a.png", None),
        ("image/png", "data:image/png;base64,*", None),
        ("image/png", "", None),
    ],
)
def test_other_files_have_their_type_or_are_told(
    media_type: str, url: str, kind: str | None
) -> None:
    file = {"type": "file", "mediaType": media_type, "url": url}
    [part] = prompt_history([{"id": "u", "role": "user", "parts": [file]}])[0]["parts"]
    if kind is None:
        assert part == {
            "type": "text",
            "text": "[A file that cannot be read was attached: image/png.]",
        }
    else:
        assert part == {"type": "file", "mediaType": kind, "url": url}


def thread_of(size: int) -> dict[str, list[UIMessage]]:
    """Threads with much of one kind."""
    question = {"id": "u", "role": "user", "parts": [{"type": "text", "text": "So?"}]}
    call = {"type": "tool-x", "toolCallId": "c", "state": "output-available", "input": {}}
    image = {"type": "image", "mimeType": "image/png", "data": "iVBORw0KGgo="}
    head = "data:" + "charset " * size
    parts: dict[str, list[dict[str, Any]]] = {
        "calls of one id": [{**call, "output": 1}] * size,
        "a long list": [{**call, "output": [[1]] * size}],
        "many files": [{**call, "output": [image] * size}],
        "a deep value": [{**call, "output": stored_threads.deep(min(size, 400))}] * 10,
        "a long text": [{"type": "text", "text": "\x00x" * size}],
    }
    threads = {
        name: [question, {"id": "a", "role": "assistant", "parts": found}, question]
        for name, found in parts.items()
    }
    file = {"type": "file", "mediaType": "text/plain", "url": "data:text/plain," + "%00 " * size}
    broken = {"type": "file", "mediaType": "x", "url": head}
    return threads | {
        "a text file": [{**question, "parts": [file]}],
        "a broken address": [{**question, "parts": [broken, {**broken, "url": "http://" * size}]}],
        "many questions": [question] * size,
    }


@pytest.mark.parametrize("name", thread_of(1))
def test_the_cost_of_a_history_grows_with_the_thread(name: str) -> None:
    def seconds(size: int) -> float:
        thread = thread_of(size)[name]
        started = time.process_time()
        prompt_history(thread)
        return time.process_time() - started

    small = sorted(seconds(500) for _ in range(3))[1]
    # The thread is sixteen times as long; quadratic work would take 256 times as long.
    assert sorted(seconds(8_000) for _ in range(3))[1] < 64 * max(small, 0.0005)
