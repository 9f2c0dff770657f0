"""Links that show a thread, and threads as files."""

from __future__ import annotations

import json

from pgthreads.events import Done, TextDelta
from tests.browser.chromium import Browser, Page
from tests.browser.markdown import SAMPLE
from tests.browser.steps import IDLE, KEY, LOG, act, ask, shows
from tests.browser.test_controls import AXE, assert_clean
from tests.server.service import Service, answers, says

TEXTS = f"[...{LOG}.querySelectorAll('.body')].map((each) => each.innerText.trim())"
ITEMS = "#share-links li"


async def choose(page: Page, label: str) -> None:
    await page.click("#thread-menu")
    items = "[...document.querySelectorAll('#actions button')].map((each) => each.innerText)"
    at = (await page.run(items)).index(label)
    await page.click(f"#actions button:nth-child({at + 1})")


async def link_of(page: Page) -> str:
    """Make a link to the open thread in its dialog, which stays open."""
    await choose(page, "Share")
    await page.click("#share-new")
    address: str = await page.wait(f"document.querySelector('{ITEMS} input')?.value")
    return address


async def test_a_link_shows_the_thread_as_it_was(
    service: Service, page: Page, browser: Browser
) -> None:
    service.executor.script = says(TextDelta(SAMPLE), Done())
    await ask(page, "Show it")
    await shows(page, "of the note.")
    await page.wait(IDLE)
    address = await link_of(page)
    await page.press("Escape")
    await page.wait("!document.querySelector('#share').open")
    service.executor.script = answers("Said later.")
    await ask(page, "A secret that came later")
    await shows(page, "Said later.")
    reader = await browser.page(address)
    await reader.wait(f"{LOG}.childElementCount === 2")
    assert await reader.run("document.querySelector('#title').innerText") == "Show it"
    assert "Shared on" in await reader.run("document.querySelector('main').innerText")
    assert "A secret" not in await reader.run("document.body.textContent")
    assert await reader.run("document.querySelectorAll('textarea, nav, form#composer').length") == 0
    shown = "[...document.querySelectorAll('main button')].filter((each) => each.checkVisibility())"
    labels = await reader.run(f"{shown}.map((each) => each.ariaLabel ?? each.innerText)")
    assert {label for label in labels if "ootnote" not in label} == {
        "Copy the message",
        "Copy this code",
    }
    await reader.run(AXE.read_text())
    await assert_clean(reader)
    assert await reader.run("Object.keys(localStorage)") == []
    await choose(page, "Share")
    await page.click(f"{ITEMS} button")
    await page.wait(f"document.querySelectorAll('{ITEMS}').length === 0")
    await reader.reload()
    await reader.wait("document.querySelector('#notice').innerText.includes('shows nothing')")
    assert reader.faults == []


async def test_a_long_thread_is_shown_in_pages(
    service: Service, page: Page, browser: Browser
) -> None:
    for number in range(26):
        await service.chat("many", f"Question {number}")
    await page.run("location.hash = 'many'")
    await page.wait(f"{LOG}.childElementCount === 50")
    reader = await browser.page(await link_of(page))
    await reader.wait(f"{LOG}.childElementCount === 50")
    await reader.click("#earlier")
    await reader.wait(f"{LOG}.childElementCount === 52")
    assert (await reader.run(f"{LOG}.firstElementChild.textContent")).startswith("Question 0")
    assert await reader.run("document.querySelector('#earlier').hidden")
    assert reader.faults == []


async def test_a_link_that_never_was_shows_nothing(service: Service, browser: Browser) -> None:
    reader = await browser.page(f"{service.url}#share/{'x' * 43}")
    await reader.wait("document.querySelector('#notice').innerText.includes('shows nothing')")
    assert not await reader.run("document.querySelector('#login').open")
    assert reader.faults == []


async def test_a_thread_is_downloaded(service: Service, page: Page) -> None:
    await ask(page, "Save me")
    await shows(page, "Hello.")
    await page.wait(IDLE)
    key = await page.run(KEY)
    await page.run(
        "{ window.saved = []; let kept; const make = URL.createObjectURL;"
        " URL.createObjectURL = (blob) => { kept = blob; return make(blob) };"
        " HTMLAnchorElement.prototype.click = async function () {"
        " window.saved.push([this.download, await kept.text()]) }; 0 }"
    )
    await page.wait("document.querySelectorAll('#threads li').length === 1")
    await act(page, key, "Export as Markdown")
    await page.wait("window.saved.length === 1")
    await act(page, key, "Export as JSON")
    await page.wait("window.saved.length === 2")
    (name, text), (json_name, content) = await page.run("window.saved")
    assert name == "Save me.md"
    assert "Hello." in text
    assert json_name == "Save me.json"
    assert [message["role"] for message in json.loads(content)["messages"]] == ["user", "assistant"]
