"""The executors of `examples/executors`, behind the page that the server serves.

The model is a local endpoint that refuses what OpenAI refuses.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator

import pytest

from pgthreads.executors import load
from tests import run
from tests.browser.chromium import Page
from tests.browser.steps import IDLE, KEY, LOG, ask, shows
from tests.server.openai_server import serve, text, tool_call
from tests.server.service import Service

STATES = f"[...{LOG}.querySelectorAll('.tool')].map((each) => each.dataset.state)"


@pytest.fixture(autouse=True)
def in_the_folder(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(run.ROOT / "examples" / "executors")
    monkeypatch.setattr(sys, "path", [*sys.path])
    yield
    for name in ("endpoint", "graph"):
        sys.modules.pop(name, None)


async def test_an_endpoint_of_one_s_own(
    service: Service, page: Page, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = (tool_call("c1", "now", "{}"), text("It is ", "late."), text("You are welcome."))
    async with serve(*script, check=True) as openai:
        monkeypatch.setenv("ENDPOINT_URL", openai.url)
        monkeypatch.setenv("ENDPOINT_MODEL", "local")
        service.executor.script = load("endpoint:agent")
        await ask(page, "What time is it?")
        await shows(page, "It is late.")
        await page.wait(IDLE)
        assert await page.run(STATES) == ["output-available"]
        await ask(page, "Thank you.")
        await shows(page, "You are welcome.")
        await page.wait(IDLE)
    roles = [each["role"] for each in openai.requests[-1]["messages"]]
    assert roles == ["system", "user", "assistant", "tool", "assistant", "user"]


async def test_a_graph(service: Service, page: Page, monkeypatch: pytest.MonkeyPatch) -> None:
    script = (
        tool_call("c1", "look_up", '{"year": "1815"}', "Let me see."),
        text("Ada was ", "born."),
        text("You are welcome."),
    )
    async with serve(*script, check=True) as openai:
        monkeypatch.setenv("OPENAI_BASE_URL", openai.url)
        monkeypatch.setenv("OPENAI_API_KEY", "unused")
        service.executor.script = load("graph:graph")
        await ask(page, "What happened in 1815?")
        await shows(page, "Ada was born.")
        await page.wait(IDLE)
        assert await page.run(STATES) == ["output-available"]
        await page.reload()
        await shows(page, "The year 1815")
        await ask(page, "Thank you.")
        await shows(page, "You are welcome.")
        await page.wait(IDLE)
    key = await page.run(KEY)
    answers = [each for each in await service.messages(key) if each["role"] == "assistant"]
    assert [part["type"] for part in answers[0]["parts"]] == [
        *("step-start", "text", "dynamic-tool", "source-url", "step-start", "text"),
    ]
    roles = [each["role"] for each in openai.requests[-1]["messages"]]
    assert roles == ["system", "user", "assistant", "tool", "assistant", "user"]
    [usage, _] = [usage for _, usage, _, _ in service.turns(key)]
    assert (usage["requests"], usage["input_tokens"], usage["model"]) == (2, 20, "local")
