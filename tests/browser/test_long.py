"""Long threads and long answers: the browser lays out what is near the screen, and no more."""

from __future__ import annotations

import asyncio
import gzip
import json

import pytest

from pgthreads.events import Done, TextDelta
from pgthreads.http.probes import WEB
from tests.browser.chromium import Page
from tests.browser.markdown import SAMPLE
from tests.browser.steps import IDLE, LOG, ask
from tests.server.service import Service, says

MESSAGES = "#log .body"
ANSWERS = [SAMPLE, "Some **words**.\n\nAnother paragraph. " * 5, "- one\n- two\n\n```\ncode\n```\n"]


async def laid_out(page: Page, selector: str) -> tuple[int, int]:
    """How many of these elements a change of the page lays out again, and how many there are."""
    await page.run("new Promise((go) => setTimeout(() => requestAnimationFrame(() => go()), 100))")
    few, many = await page.run(
        f"(() => {{ const all = [...document.querySelectorAll({json.dumps(selector)})];"
        " const near = all.filter((each) => each.checkVisibility({ contentVisibilityAuto: true }));"
        " return [near.length, all.length] })()"
    )
    return few, many


@pytest.fixture
async def long_thread(service: Service, request: pytest.FixtureRequest) -> None:
    service.rows(
        "select a.* from pgthreads.set_tenant(%s) as t(owner),"
        " lateral pgthreads.append_thread(t.owner, 'long', ("
        "select jsonb_agg(jsonb_build_object('id', 'm' || n,"
        " 'role', case when n %% 2 = 1 then 'user' else 'assistant' end,"
        " 'parts', jsonb_build_array(jsonb_build_object('type', 'text', 'text', 'Number ' || n"
        " || case when n %% 2 = 1 then '?' else E'\\n\\n' || (%s::jsonb ->> (n / 2 %% 3)) end))))"
        " from generate_series(1, 400) as n)) as a",
        [request.node.name, json.dumps(ANSWERS)],
    )


@pytest.mark.usefixtures("long_thread")
async def test_the_cost_of_a_thread_does_not_grow_with_it(page: Page) -> None:
    await page.run("location.hash = 'long'")
    await page.wait(f"{LOG}.childElementCount === 50")
    few, _ = await laid_out(page, MESSAGES)
    for count in range(100, 401, 50):
        await page.click("#earlier")
        await page.wait(f"{LOG}.childElementCount === {count}")
    again, many = await laid_out(page, MESSAGES)
    assert many == 400
    assert again < 2 * few + 10


@pytest.mark.usefixtures("long_thread")
async def test_earlier_messages_come_without_a_jump(page: Page) -> None:
    await page.run("location.hash = 'long'")
    await page.wait(f"{LOG}.childElementCount === 50")
    await page.click("#earlier")
    await page.wait(f"{LOG}.childElementCount === 100")
    seen = f"{LOG}.children[50].getBoundingClientRect().top"
    top = await page.run(seen)
    assert 0 < top < 300
    await laid_out(page, MESSAGES)
    assert abs(await page.run(seen) - top) < 3


async def test_the_cost_of_an_answer_does_not_grow_with_it(service: Service, page: Page) -> None:
    text = (SAMPLE + "\n\n") * (100_000 // len(SAMPLE))
    service.executor.script = says(
        *(TextDelta(text[at : at + 500]) for at in range(0, len(text), 500)), Done()
    )
    await ask(page, "long")
    await page.wait(IDLE)
    # It is drawn once more at its end, in pieces, for the links whose addresses come last.
    near, blocks = 0, 0
    async with asyncio.timeout(20):
        while blocks <= 2000:
            near, blocks = await laid_out(page, ".prose > * > *")
    assert near < 200


def test_the_page_is_small() -> None:
    files = [path for path in WEB.rglob("*") if path.suffix in {".html", ".css", ".js", ".svg"}]
    contents = [path.read_bytes() for path in files]
    assert sum(map(len, contents)) <= 350_000
    assert sum(len(gzip.compress(content)) for content in contents) <= 120_000
