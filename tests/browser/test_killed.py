"""The server is killed while it answers, and starts again."""

from __future__ import annotations

from urllib.parse import urlsplit

import psycopg

from tests.browser.chromium import Browser
from tests.browser.steps import IDLE, KEY, LOG, ask, shows
from tests.server.command import serving

OFFLINE = "!document.querySelector('#offline').hidden"
SHOWN = f"{LOG}.textContent.length"
ROLES = f"[...{LOG}.querySelectorAll('.message')].map((each) => each.classList[1]).join()"


async def test_an_answer_goes_on_after_its_server_was_killed(
    server_dsn: str, admin_dsn: str, browser: Browser
) -> None:
    options = ["--database-url", server_dsn, "--dev-user", "killed"]
    with psycopg.connect(admin_dsn, autocommit=True) as database:
        with serving(*options) as server:
            page = await browser.page(server.url)
            await ask(page, "long 2000")
            await page.wait(f"{SHOWN} > 1000")
            key = await page.run(KEY)
            server.process.kill()
        await page.wait(OFFLINE)
        with serving(*options, "--port", str(urlsplit(server.url).port)):
            # It shows what the journal has, until the lease ends.
            await page.wait(f"!({OFFLINE}) && !{IDLE} && {ROLES} === 'user,assistant'")
            database.execute(
                "update pgthreads.turn set lease_until = now() where state_key = %s", [key]
            )
            database.execute("select pgthreads.reap_turns()")
            await shows(page, "The server went away")
            await page.wait(IDLE)
            assert await page.run(f"{SHOWN} > 400")
            await page.reload()
            await shows(page, "The server went away")
            await page.click("#log .ways button:last-child")
            await page.wait(f"{ROLES} === 'user,assistant,user,assistant' && {IDLE}")
            await page.wait(f"{LOG}.querySelectorAll('.ways').length > 0")
            assert not await page.run(
                f"[...{LOG}.querySelectorAll('.ways')].some((each) => each.checkVisibility())"
            )
    assert page.faults == []
