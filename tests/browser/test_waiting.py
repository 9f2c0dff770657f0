"""Answers that wait for the person before the page, or for its browser."""

from __future__ import annotations

import asyncio
import json

from pgthreads.executors.offline import OfflineExecutor
from tests.browser.chromium import Page
from tests.browser.steps import IDLE, KEY, LOG, ask, shows
from tests.server.service import Service

STATES = f"[...{LOG}.querySelectorAll('.tool')].map((each) => each.dataset.state).join()"


def states(*wanted: str) -> str:
    return f"{STATES} === {json.dumps(','.join(wanted))}"


async def decide(page: Page, *, approved: bool) -> None:
    """Press the first such button, wherever it has been scrolled to."""
    selector = json.dumps(f".tool [data-approved={json.dumps(approved)}]")
    await page.run(f"{LOG}.querySelector({selector}).click()")


async def test_approves_and_denies_across_a_reload(service: Service, page: Page) -> None:
    service.executor.script = OfflineExecutor(delay=0)
    await ask(page, "pay 5 20 900")
    asked = "approval-requested"
    await page.wait(f"{states(asked, asked, asked)} && {IDLE}")
    await decide(page, approved=True)
    await page.wait(f"{states('approval-responded', asked, asked)} && {IDLE}")
    # The page shows it before the server has it.
    async with asyncio.timeout(20):
        while not service.rows("select true from pgthreads.tool_response"):  # noqa: ASYNC110
            await asyncio.sleep(0.05)
    await page.reload()
    await page.wait(states("approval-responded", asked, asked))
    await decide(page, approved=False)
    await page.wait(f"{states('approval-responded', 'approval-responded', asked)} && {IDLE}")
    await decide(page, approved=True)
    await shows(page, "I paid 900 euros.")
    ended = ["output-available", "output-denied", "output-available"]
    await page.wait(f"{states(*ended)} && {IDLE}")
    last = (await service.messages(await page.run(KEY)))[-1]
    assert [part["state"] for part in last["parts"] if "toolCallId" in part] == ended
    await page.reload()
    await shows(page, "Not 20 euros.")


async def test_runs_the_clock_of_the_browser(service: Service, page: Page) -> None:
    service.executor.script = OfflineExecutor(delay=0)
    await ask(page, "my time")
    await shows(page, "Your browser says")
    await page.wait(f"{states('output-available')} && {IDLE}")
    assert "timeZone" in json.dumps((await service.messages(await page.run(KEY)))[-1])


async def test_another_message_takes_the_buttons_away(service: Service, page: Page) -> None:
    service.executor.script = OfflineExecutor(delay=0)
    await ask(page, "pay 5")
    await page.wait(f"{states('approval-requested')} && {IDLE}")
    await ask(page, "never mind")
    await shows(page, "You said: never mind")
    await page.wait(states("output-denied"))
    assert not await page.run(f"{LOG}.querySelector('.approval') !== null")


async def test_what_was_closed_elsewhere_is_shown(service: Service, page: Page) -> None:
    service.executor.script = OfflineExecutor(delay=0)
    await ask(page, "pay 5")
    await page.wait(f"{states('approval-requested')} && {IDLE}")
    key = await page.run(KEY)
    assert (await service.post(f"/api/v1/ai/threads/{key}/stop")).status == 202
    await decide(page, approved=True)
    await page.click("#notice button")
    await page.wait(states("output-denied"))
    page.faults.clear()
