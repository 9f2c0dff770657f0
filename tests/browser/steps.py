"""What tests of the page do again and again, and expressions for the page."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any

from pgthreads.events import AiEvent, Done, ExecutorRequest, TextDelta
from tests.browser.chromium import Page

LOG = "document.querySelector('#log')"
IDLE = "document.querySelector('#stop').hidden"
KEY = "location.hash.slice(1)"


def gated(first: str, rest: str) -> tuple[asyncio.Event, Any]:
    """A script that says the rest once the event is set."""
    gate = asyncio.Event()

    async def script(_: ExecutorRequest) -> AsyncIterator[AiEvent]:
        yield TextDelta(first)
        await gate.wait()
        yield TextDelta(rest)
        yield Done()

    return gate, script


async def ask(page: Page, text: str) -> None:
    await page.wait(IDLE)
    await page.run("document.querySelector('#prompt').focus()")
    await page.type(text)
    await page.press("Enter")


async def shows(page: Page, text: str) -> None:
    # Unlike innerText, it has what is too far from the screen to be laid out.
    await page.wait(f"{LOG}.textContent.includes({json.dumps(text)})")


async def act(page: Page, key: str, label: str) -> None:
    """Choose something in the menu of a thread of the list."""
    await page.click(f"#threads li[data-key='{key}'] [data-control=menu]")
    items = "[...document.querySelectorAll('#actions button')]"
    at = await page.run(f"{items}.map((each) => each.innerText).indexOf({json.dumps(label)})")
    await page.click(f"#actions button:nth-child({at + 1})")
