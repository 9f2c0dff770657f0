"""The list of threads: groups, search, archive, menus; and what the server tells of a message."""

from __future__ import annotations

import json

import pytest

from pgthreads.events import Done, TextDelta, UsageReport
from tests.browser.chromium import CTRL, Browser, Page
from tests.browser.markdown import PAYLOADS
from tests.browser.steps import IDLE, KEY, LOG, act, ask, shows
from tests.server.service import RecordingExecutor, Service, running_service, says

NAMES = "[...document.querySelectorAll('#threads .name')].map((each) => each.innerText)"
GROUPS = "[...document.querySelectorAll('#threads ul')].map((each) => each.ariaLabel)"
TITLE = "document.querySelector('#title').innerText"


def make_threads(service: Service, owner: str, threads: dict[str, str]) -> None:
    """Store threads by their keys, each with a title."""
    for key, title in threads.items():
        message = {"id": "m", "role": "user", "parts": [{"type": "text", "text": title}]}
        service.rows(
            "select a.* from pgthreads.set_tenant(%s) as t(owner),"
            " lateral pgthreads.append_thread(t.owner, %s, %s) as a",
            [owner, key, json.dumps([message])],
        )


@pytest.fixture
def owner(request: pytest.FixtureRequest) -> str:
    name: str = request.node.name
    return name


async def test_threads_are_grouped_by_their_days(
    service: Service, browser: Browser, owner: str
) -> None:
    make_threads(service, owner, {"a": "One", "b": "Two", "c": "Three"})
    for key, days in (("b", 1), ("c", 20)):
        service.rows(
            "update pgthreads.thread set updated_at = now() - make_interval(days => %s)"
            " where owner_user_id = %s and state_key = %s",
            [days, owner, key],
        )
    page = await browser.page(service.url)
    await page.wait(f"{NAMES}.join() === 'One,Two,Three'")
    assert await page.run(GROUPS) == ["Today", "Yesterday", "Previous 30 days"]


async def test_threads_are_searched(service: Service, browser: Browser, owner: str) -> None:
    make_threads(service, owner, {"a": "Red apples", "b": "Green pears", "c": "Green apples"})
    page = await browser.page(service.url)
    await page.wait(f"{NAMES}.length === 3")
    await page.press("k", CTRL)
    await page.type("apples")
    await page.wait(f"{NAMES}.join() === 'Green apples,Red apples'")
    await page.press("Enter")
    await page.wait(f"{KEY} === 'c' && {TITLE} === 'Green apples'")
    await page.press("k", CTRL)
    await page.type("nothing like this")
    await page.wait(f"{NAMES}.length === 0")
    assert "Nothing was found." in await page.run("document.querySelector('#sidebar').innerText")
    await page.press("Escape")
    await page.wait(f"{NAMES}.length === 3")


async def test_threads_are_archived_and_taken_back(
    service: Service, browser: Browser, owner: str
) -> None:
    make_threads(service, owner, {"a": "One", "b": "Two"})
    page = await browser.page(service.url)
    await page.wait(f"{NAMES}.length === 2")
    await act(page, "a", "Archive")
    await page.wait(f"{NAMES}.join() === 'Two'")
    await page.click("#archive")
    await page.wait(f"{NAMES}.join() === 'One' && {GROUPS}.join() === 'Archive'")
    await page.click("#threads a")
    await page.wait(f"{TITLE} === 'One'")
    await act(page, "a", "Take out of the archive")
    await page.wait(f"{NAMES}.length === 0")
    await page.click("#archive")
    await page.wait(f"{NAMES}.join() === 'Two,One'")


async def test_a_thread_beyond_the_first_page_has_its_title(
    service: Service, browser: Browser, owner: str
) -> None:
    make_threads(service, owner, {"old": "The old one"} | {f"t{n}": f"T {n}" for n in range(31)})
    page = await browser.page(f"{service.url}#old")
    await page.wait(f"{NAMES}.length === 30")
    await page.wait(f"{TITLE} === 'The old one'")
    assert await page.run("document.title") == "The old one – pgthreads"
    await page.click("#thread-menu")
    await page.click("#actions button")
    await page.type("Another title")
    await page.press("Enter")
    await page.wait(f"{TITLE} === 'Another title'")


async def test_times_models_and_tokens_are_shown(service: Service, page: Page, owner: str) -> None:
    service.rows("update pgthreads.config set show_usage = true")
    try:
        service.executor.script = says(
            TextDelta("Told."),
            UsageReport({"input_tokens": 1200, "output_tokens": 34, "model": "m-1"}),
            Done(),
        )
        await ask(page, "tell")
        await shows(page, "Told.")
        facts = f"[...{LOG}.querySelectorAll('.facts')].map((each) => each.innerText)"
        await page.wait(f"{facts}[1]?.includes('tokens')")
        question, answer = await page.run(facts)
        assert question.count(":") == 1
        assert "m-1" in answer
        assert "1,234 tokens" in answer
        await page.reload()
        await page.wait(f"{facts}[1] === {json.dumps(answer)}")
    finally:
        service.rows("update pgthreads.config set show_usage = false")


async def test_a_model_is_chosen(
    server_dsn: str, admin_dsn: str, browser: Browser, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OLLAMA_BASE_URL", "http://127.0.0.1:9")
    models = ("ollama:one", "ollama:two")
    executor = RecordingExecutor()
    async with running_service(
        server_dsn, admin_dsn, executor, dev_user="models", models=models, model=models[0]
    ) as service:
        page = await browser.page(service.url)
        await page.wait("document.querySelector('#model').checkVisibility()")
        assert await page.run("document.querySelector('#model').value") == "ollama:one"
        await page.run(
            "{ const model = document.querySelector('#model'); model.value = 'ollama:two';"
            " model.dispatchEvent(new Event('change')) }"
        )
        await page.reload()
        await page.wait("document.querySelector('#model').value === 'ollama:two'")
        await ask(page, "Hi")
        await shows(page, "Hello.")
        assert [request.model for request in executor.requests] == ["ollama:two"]
        screen = {"width": 320, "height": 640, "deviceScaleFactor": 2, "mobile": True}
        await page.send("Emulation.setDeviceMetricsOverride", **screen)
        await page.send("Emulation.setTouchEmulationEnabled", enabled=True)
        await page.wait("innerWidth === 320")
        header = "document.querySelector('header')"
        assert await page.run(f"{header}.scrollWidth <= 320")
        assert await page.run("document.querySelector('#title').clientWidth > 60")


async def test_no_title_is_more_than_text(service: Service, browser: Browser, owner: str) -> None:
    titles = [payload.replace("\0", "") for payload in PAYLOADS]
    make_threads(service, owner, {f"t{n}": payload for n, payload in enumerate(titles)})
    page = await browser.page(service.url)
    await page.wait(f"{NAMES}.length === 30")
    for count in range(60, len(PAYLOADS) + 30, 30):
        await page.click("#more-threads")
        await page.wait(f"{NAMES}.length === {min(count, len(PAYLOADS))}")
    inside = "#threads a > :not(.name, .when), #threads .name *, #threads .when *"
    assert await page.run(f"document.querySelectorAll('{inside}').length") == 0
    for key in ("t0", "t1", "t2", "t30"):
        await page.run(f"location.hash = '{key}'")
        await page.wait(f"{KEY} === '{key}' && {IDLE} && {TITLE} !== 'New thread'")
        assert await page.run("document.querySelectorAll('#title *').length") == 0
    await page.press("k", CTRL)
    await page.type("script owned")
    await page.wait(f"{GROUPS}.join() === 'Found'")
    assert await page.run("document.querySelectorAll('#threads script').length") == 0
    assert await page.run("[document.title === 'owned', window.owned ?? 0]") == [False, 0]
    assert page.faults == []
