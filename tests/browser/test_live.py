"""What happens in one tab is seen in the others: the list, and the thread that is open there."""

from __future__ import annotations

import asyncio
import os
import signal
from pathlib import Path

import psycopg

from tests.browser.chromium import Browser, Page
from tests.browser.steps import IDLE, KEY, LOG, act, ask, gated, shows
from tests.database import free_port
from tests.server.command import serving
from tests.server.service import THREADS, Service, answers
from tests.server.test_journal import BOT

COUNT = f"{LOG}.querySelectorAll('.message').length"
ROWS = "document.querySelectorAll('#threads li').length"


async def test_an_open_thread_shows_what_another_tab_asks(
    service: Service, browser: Browser, page: Page
) -> None:
    gate, script = gated("The first half,", " and the second.")
    service.executor.script = answers("Hello.")
    await ask(page, "one")
    await shows(page, "Hello.")
    key = await page.run(KEY)
    other = await browser.page(f"{service.url}/#{key}")
    await shows(other, "Hello.")
    service.executor.script = script
    await ask(other, "two")
    # While it is generated, and to its end.
    await shows(page, "two")
    await shows(page, "The first half,")
    gate.set()
    await shows(page, "and the second.")
    await page.wait(f"{IDLE} && {COUNT} === 4")
    # Each asks again, in turn.
    service.executor.script = answers("Once more.")
    await ask(page, "three")
    await other.wait(f"{IDLE} && {COUNT} === 6")
    assert await page.run(COUNT) == 6
    assert [message["role"] for message in await service.messages(key)] == [
        "user",
        "assistant",
    ] * 3
    assert other.faults == []


async def test_another_answer_replaces_the_one_that_is_shown(
    service: Service, browser: Browser, page: Page
) -> None:
    service.executor.script = answers("The first answer.")
    await ask(page, "one")
    await shows(page, "The first answer.")
    await page.wait(IDLE)
    other = await browser.page(f"{service.url}/#{await page.run(KEY)}")
    await shows(other, "The first answer.")
    service.executor.script = answers("The second answer.")
    await other.click(".assistant [data-action=again]")
    await shows(page, "The second answer.")
    await page.wait(f"{IDLE} && {COUNT} === 2")


async def test_the_list_follows(service: Service, browser: Browser, page: Page) -> None:
    other = await browser.page(service.url)
    await ask(other, "a thread of the other tab")
    await page.wait(f"{ROWS} === 1")
    key = await other.run(KEY)
    url = f"{service.url}{THREADS}/{key}"
    async with service.session.patch(url, json={"title": "Renamed elsewhere"}) as answer:
        assert answer.status == 200
    await page.wait("document.querySelector('#threads').innerText.includes('Renamed elsewhere')")
    await other.wait("document.querySelector('#title').innerText === 'Renamed elsewhere'")
    await act(page, key, "Archive")
    await other.wait(f"{ROWS} === 0")
    async with service.session.delete(url) as answer:
        assert answer.status == 204
    # The thread that was open there is gone.
    await other.wait("location.hash === ''")


async def test_what_was_missed_is_seen_after_the_server_is_back(
    service: Service, page: Page
) -> None:
    await page.send("Network.enable")
    for offline in (True, False):
        await page.send(
            "Network.emulateNetworkConditions",
            offline=offline,
            latency=0,
            downloadThroughput=-1,
            uploadThroughput=-1,
        )
        await service.chat(f"offline-{offline}", "Hello")
    await page.wait(f"{ROWS} === 2")


async def test_a_message_waits_for_the_answer_to_another_tab(
    service: Service, browser: Browser, page: Page
) -> None:
    gate, script = gated("The first half,", " and the second.")
    await ask(page, "one")
    await shows(page, "Hello.")
    key = await page.run(KEY)
    other = await browser.page(f"{service.url}/#{key}")
    await shows(other, "Hello.")
    service.executor.script = script
    await ask(other, "two")
    await shows(page, "The first half,")
    await page.run("document.querySelector('#prompt').focus()")
    await page.type("three")
    await page.press("Enter")
    await shows(page, "Waits until this answer has ended.")
    service.executor.script = answers("In its turn.")
    gate.set()
    for tab in (page, other):
        await shows(tab, "In its turn.")
        await tab.wait(f"{IDLE} && {COUNT} === 6")


async def test_a_killed_server_leaves_what_there_is_of_the_answer(
    tmp_path: Path, server_dsn: str, admin_dsn: str, browser: Browser
) -> None:
    (tmp_path / "bot.py").write_text(BOT)
    with psycopg.connect(admin_dsn, autocommit=True) as admin:
        admin.execute("update pgthreads.config set lease = '2 seconds'")
    arguments = (
        *("--executor", "bot:answer", "--heartbeat", "0.2", "--journal-interval", "0.05"),
        *("--port", str(free_port())),
    )
    with serving(*arguments, cwd=tmp_path, PGTHREADS_DATABASE_URL=server_dsn) as server:
        page = await browser.page(server.url)
        await ask(page, "wait")
        await shows(page, "What I know")
        await asyncio.sleep(0.5)
        os.kill(server.process.pid, signal.SIGKILL)
    with serving(*arguments, cwd=tmp_path, PGTHREADS_DATABASE_URL=server_dsn):
        await page.wait(f"{LOG}.innerText.includes('The server went away')", 40)
        await page.wait(IDLE)
        await shows(page, "What I know")
        # Without a reload the thread goes on.
        await ask(page, "and now?")
        await page.wait(f"{IDLE} && {COUNT} === 4", 40)
