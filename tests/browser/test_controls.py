"""Editing, answering again, branches, keys, themes, narrow screens, and what axe-core says."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from pgthreads.events import Done, ReasoningDelta, TextDelta, ToolCallResult, ToolCallStart
from tests.browser.chromium import CTRL, SHIFT, Browser, Page
from tests.browser.markdown import SAMPLE
from tests.browser.steps import IDLE, KEY, LOG, ask, gated, shows
from tests.server.service import Service, answers, says

AXE = Path(__file__).parents[2] / "web" / "node_modules" / "axe-core" / "axe.min.js"
PROMPT = "document.querySelector('#prompt').value"
TEXTS = f"[...{LOG}.querySelectorAll('.body')].map((each) => each.innerText.trim())"
BRANCHES = f"[...{LOG}.querySelectorAll('.branches')].map((each) => each.innerText.trim())"
FOCUS = "document.activeElement"


async def test_answers_again_and_keeps_every_version(service: Service, page: Page) -> None:
    service.executor.script = answers("First answer")
    await ask(page, "question")
    await shows(page, "First answer")
    await page.wait(IDLE)
    for number, text in enumerate(("Second answer", "Third answer"), 2):
        service.executor.script = answers(text)
        await page.click("#log .assistant [data-action=again]")
        await page.wait(f"{TEXTS}.join() === 'question,{text}' && {IDLE}")
        await page.wait(f"{BRANCHES}.join() === ',{number}/{number}'")
    await page.click("#log .assistant .branches button")
    await page.wait(f"{TEXTS}.join() === 'question,Second answer' && {BRANCHES}.join() === ',2/3'")
    service.executor.script = answers("It goes on.")
    await ask(page, "go on")
    await shows(page, "It goes on.")
    await page.wait(IDLE)
    await page.reload()
    await page.wait(f"{TEXTS}.join() === 'question,Second answer,go on,It goes on.'")
    # The version that went on last is the last one.
    await page.wait(f"{BRANCHES}[1] === '3/3'")


async def test_edits_a_message_as_a_second_version(service: Service, page: Page) -> None:
    for text in ("one", "two"):
        service.executor.script = answers(f"Answer to {text}")
        await ask(page, text)
        await shows(page, f"Answer to {text}")
        await page.wait(IDLE)
    await page.press("ArrowUp")
    await page.wait(f"{PROMPT} === 'two'")
    await page.press("Escape")
    await page.wait(f"{PROMPT} === ''")
    await page.click("#log .user [data-action=edit]")
    await page.wait(f"{PROMPT} === 'one'")
    await page.type(" and a half")
    service.executor.script = answers("Another answer")
    await page.press("Enter")
    await page.wait(f"{TEXTS}.join() === 'one and a half,Another answer' && {IDLE}")
    await page.wait(f"{BRANCHES}[0] === '2/2'")
    await page.click("#log .user .branches button")
    await page.wait(f"{TEXTS}.join() === 'one,Answer to one,two,Answer to two'")
    assert len(service.turns(await page.run(KEY))) == 3


async def test_copies_a_message_as_it_was_written(service: Service, page: Page) -> None:
    service.executor.script = says(TextDelta("Some **bold** text"), Done())
    await ask(page, "copy")
    await shows(page, "Some bold text")
    await page.wait(IDLE)
    await page.run("navigator.clipboard.writeText = async (text) => { window.copied = text }")
    await page.click("#log .assistant [data-action=copy]")
    await page.wait("window.copied === 'Some **bold** text'")


async def test_the_page_works_by_keys_alone(service: Service, page: Page) -> None:
    for text in ("one", "two"):
        await page.press("O", CTRL | SHIFT)
        await page.wait(f"location.hash === '' && {FOCUS}.id === 'prompt'")
        await ask(page, text)
        await shows(page, "Hello.")
        await page.wait(IDLE)
    await page.wait("document.querySelectorAll('#threads li').length === 2")
    stops = "[...document.querySelectorAll('#threads a, #threads button')].map((e) => e.tabIndex)"
    assert await page.run(stops) == [0, -1, -1, -1]
    await page.press("k", CTRL)
    await page.wait(f"{FOCUS}.id === 'search'")
    await page.press("ArrowDown")
    await page.press("ArrowDown")
    await page.wait(f"{FOCUS}.textContent.startsWith('one')")
    await page.press("ArrowRight")
    await page.wait(f"{FOCUS}.dataset.control === 'menu'")
    await page.press("Enter")
    await page.wait(f"{FOCUS}.innerText === 'Rename'")
    await page.press("ArrowDown")
    await page.wait(f"{FOCUS}.innerText === 'Archive'")
    await page.press("Escape")
    await page.wait(f"{FOCUS}.dataset.control === 'menu'")
    await page.press("ArrowUp")
    await page.wait(f"{FOCUS}.textContent.startsWith('two')")
    await page.press("?", SHIFT)
    await page.wait("document.querySelector('#keys').open")
    await page.press("Escape")
    await page.wait("!document.querySelector('#keys').open")


async def test_the_theme_is_chosen_and_kept(service: Service, page: Page) -> None:
    background = "getComputedStyle(document.body).backgroundColor"
    light = await page.run(background)
    await page.run(
        "{ const theme = document.querySelector('#theme'); theme.value = 'dark';"
        " theme.dispatchEvent(new Event('change')) }"
    )
    dark = await page.run(background)
    assert dark != light
    await page.reload()
    assert await page.run(background) == dark


async def test_jumps_to_the_latest_message(service: Service, page: Page) -> None:
    gate, service.executor.script = gated("Line\n\n" * 80, "The end.")
    await ask(page, "long")
    await page.wait(f"{LOG}.textContent.split('Line').length === 81")
    at_end = (
        "(() => { const s = document.querySelector('#scroll');"
        " return s.scrollHeight - s.scrollTop - s.clientHeight < 5 })()"
    )
    await page.wait(at_end)
    await page.run("document.querySelector('#scroll').scrollTop = 0")
    await page.wait("!document.querySelector('#latest').hidden")
    gate.set()
    await shows(page, "The end.")
    assert await page.run("document.querySelector('#scroll').scrollTop") == 0
    await page.click("#latest")
    await page.wait(f"{at_end} && document.querySelector('#latest').hidden")


async def test_a_phone_has_room_for_fingers(service: Service, browser: Browser) -> None:
    page = await browser.page(service.url, width=320, height=640)
    await page.send("Emulation.setTouchEmulationEnabled", enabled=True)
    screen = {"width": 320, "height": 640, "deviceScaleFactor": 2, "mobile": True}
    await page.send("Emulation.setDeviceMetricsOverride", **screen)
    service.executor.script = says(TextDelta(SAMPLE), Done())
    await ask(page, "A long title that does not fit into the width of such a small screen")
    await shows(page, "The text of the note.")
    await page.wait(IDLE)
    assert await page.run("matchMedia('(pointer: coarse)').matches")
    assert await page.run("document.documentElement.scrollWidth") == 320
    small = (
        "[...document.querySelectorAll('main button, main summary, nav button, nav select')]"
        ".filter((each) => each.checkVisibility({ visibilityProperty: true }))"
        ".map((each) => [each.getBoundingClientRect(), each.outerHTML])"
        ".filter(([box]) => box.width < 43.5 || box.height < 43.5).map(([, html]) => html)"
    )
    assert await page.run(small) == []
    await page.click("#menu")
    await page.wait("document.querySelector('main').inert")
    assert await page.run(small) == []
    await page.click("#threads [data-control=menu]")
    assert await page.run(small.replace("main button", "#actions button")) == []
    await page.press("Escape")
    await page.wait("!document.querySelector('#actions').checkVisibility()")
    await page.press("Escape")
    await page.wait("!document.querySelector('main').inert")
    assert page.faults == []


async def test_a_mouse_has_targets_that_it_hits(service: Service, page: Page) -> None:
    service.executor.script = says(TextDelta(SAMPLE), Done())
    await ask(page, "Show it")
    await shows(page, "of the note.")
    await page.wait(f"{IDLE} && document.querySelectorAll('#threads li').length === 1")
    # A mark of a footnote is in the text, and may be as small as the text (WCAG 2.5.8).
    small = (
        "[...document.querySelectorAll('button, select, summary, nav a, nav input')]"
        ".filter((each) => each.checkVisibility({ visibilityProperty: true }))"
        ".filter((each) => !each.closest('.footnote-mark, .footnote'))"
        ".map((each) => [each.getBoundingClientRect(), each.outerHTML])"
        ".filter(([box]) => box.width < 24 || box.height < 24).map(([, html]) => html)"
    )
    assert await page.run(small) == []


@pytest.mark.parametrize("width", [1100, 390])
@pytest.mark.parametrize("theme", ["light", "dark"])
async def test_axe_finds_nothing(
    service: Service, browser: Browser, theme: str, width: int
) -> None:
    page = await browser.page(service.url, width=width, height=800)
    await page.send(
        "Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}]
    )
    service.executor.script = says(
        ReasoningDelta("Hm."),
        ToolCallStart("c1", "lookup", {"name": "Ada"}),
        ToolCallResult("c1", "no such name", is_error=True),
        TextDelta(SAMPLE),
        Done(),
    )
    await page.run(AXE.read_text())
    await assert_clean(page)
    await ask(page, "Show everything")
    await shows(page, "The text of the note.")
    await page.wait(f"{IDLE} && !!{LOG}.querySelector('.prose .keyword')")
    await assert_clean(page)
    if width > 500:
        await page.press("k", CTRL)
        await page.type("everything")
        await page.wait("!!document.querySelector('#threads ul[aria-label=Found] a')")
        await assert_clean(page)
    await page.click("#thread-menu")
    await assert_clean(page)
    await page.click("#actions button:nth-child(3)")
    await page.click("#share-new")
    await page.wait("!!document.querySelector('#share-links input')")
    await assert_clean(page)
    await page.press("Escape")
    await page.run("document.querySelector('#scroll').focus()")
    await page.press("?", SHIFT)
    await assert_clean(page)


async def assert_clean(page: Page) -> None:
    found = await page.run(
        "axe.run(document, { resultTypes: ['violations'] })"
        ".then(({ violations }) => violations.map("
        "({ id, nodes }) => [id, nodes.slice(0, 3).map((node) => node.html.slice(0, 150))]))"
    )
    assert found == [], json.dumps(found, indent=1)
