"""Takes the pictures of the README: `python -m tests.browser.pictures` writes docs/pictures/*.webp.

It serves a scripted conversation from an embedded PostgreSQL, and photographs the page. Chromium
encodes each picture; the animation is a file of theirs, as the WebP container specification
describes it (RFC 9649), so no library is needed.
"""

from __future__ import annotations

import asyncio
import base64
import struct
import sys
import tempfile
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

from aiohttp import ClientSession

from pgthreads.events import (
    AiEvent,
    Done,
    ExecutorRequest,
    TextDelta,
    ToolCallResult,
    ToolCallStart,
    UsageReport,
)
from tests.browser.chromium import Browser, Page, chromium, running_browser
from tests.server.command import serving

ROOT = Path(__file__).parents[2]
OUT = ROOT / "docs" / "pictures"
IDLE = "document.querySelector('#stop').hidden"
TEXT = "document.querySelector('#log').textContent"
FRAME_SECONDS = 0.16

SLOW_QUERY = "Why is this query slow? select * from orders where lower(email) = 'ada@example.org'"
WHY = (
    "The condition is on `lower(email)`, and no index has that expression. So PostgreSQL reads the"
    " whole table and calls the function **2.1 million times**:\n\n"
    "| plan | rows read | time |\n"
    "|:-----|----------:|-----:|\n"
    "| sequential scan | 2,100,000 | 412 ms |\n"
    "| index on `lower(email)` | 1 | 0.04 ms |\n\n"
    "Create the index without blocking writers:\n\n"
    "```sql\ncreate index concurrently orders_email_lower\n  on orders (lower(email));\n```\n\n"
    "A lookup then reads one row instead of $2.1 \\cdot 10^6$. Run `analyze orders` afterwards, so"
    " that the planner knows how the new expression is distributed.\n"
)
RELOAD = "What happens if I reload this page now?"
NOTHING = (
    "Nothing is lost. Your message was stored before I began, and the server generates this answer"
    " whether or not anybody listens.\n\n"
    "1. The page asks which turn runs in this thread.\n"
    "2. It gets **everything that was said so far**, and then the rest as it comes.\n"
    "3. When the answer is complete, it is stored in one transaction.\n\n"
    "Close the tab, open the thread on your phone, or restart the browser: you see the same answer."
)
OTHERS = {
    "lisbon": "Plan a week in Lisbon",
    "notes": "Release notes for 0.1",
    "bread": "Recipe for rye bread",
    "rls": "Explain row level security",
    "names": "Names for a small database",
}


async def answer(request: ExecutorRequest) -> AsyncIterator[AiEvent]:
    """The executor of the pictures."""
    asked = request.messages[-1]["parts"][-1]["text"]
    if asked == SLOW_QUERY:
        yield ToolCallStart("c1", "explain", {"analyze": True, "table": "orders"})
        await asyncio.sleep(1.4)
        yield ToolCallResult("c1", {"node": "Seq Scan", "rows": 2100000, "ms": 412.3})
        yield TextDelta(WHY)
        yield UsageReport({"model": "gpt-5-mini"})
    elif asked == RELOAD:
        for word in NOTHING.split(" "):
            yield TextDelta(word + " ")
            await asyncio.sleep(0.055)
    else:
        yield TextDelta("Gladly.")
    yield Done()


async def photograph(page: Page, quality: int = 90) -> bytes:
    """Return what the tab shows, as a WebP file."""
    taken = await page.send("Page.captureScreenshot", format="webp", quality=quality)
    return base64.b64decode(taken["data"])


def animated(frames: list[tuple[bytes, int]]) -> bytes:
    """One WebP file of WebP files of one size, each with its milliseconds."""
    width, height = size_of(frames[0][0])

    def three(number: int) -> bytes:
        return struct.pack("<I", number)[:3]

    canvas = three(width - 1) + three(height - 1)
    chunks = chunk(b"VP8X", bytes([2, 0, 0, 0]) + canvas)
    chunks += chunk(b"ANIM", struct.pack("<IH", 0xFFFFFFFF, 0))
    for picture, milliseconds in frames:
        head = three(0) + three(0) + canvas + three(milliseconds) + bytes([2])
        chunks += chunk(b"ANMF", head + bitstream(picture))
    return b"RIFF" + struct.pack("<I", len(chunks) + 4) + b"WEBP" + chunks


def chunk(name: bytes, content: bytes) -> bytes:
    return name + struct.pack("<I", len(content)) + content + b"\0" * (len(content) % 2)


def bitstream(picture: bytes) -> bytes:
    """The chunk of a still WebP file that has its pixels."""
    at = 12
    while picture[at : at + 4] not in {b"VP8 ", b"VP8L"}:
        at += 8 + (struct.unpack_from("<I", picture, at + 4)[0] + 1) // 2 * 2
    return chunk(
        picture[at : at + 4], picture[at + 8 :][: struct.unpack_from("<I", picture, at + 4)[0]]
    )


def size_of(picture: bytes) -> tuple[int, int]:
    """Width and height of a still WebP file."""
    pixels = bitstream(picture)
    if pixels[:4] == b"VP8L":
        (bits,) = struct.unpack_from("<I", pixels, 9)
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    width, height = struct.unpack_from("<HH", pixels, 14)
    return width & 0x3FFF, height & 0x3FFF


async def open_page(browser: Browser, url: str, theme: str, width: int, height: int) -> Page:
    page = await browser.page(url, width=width, height=height)
    await page.send(
        "Emulation.setEmulatedMedia", features=[{"name": "prefers-color-scheme", "value": theme}]
    )
    is_phone = width < 500
    screen: dict[str, Any] = {"width": width, "height": height, "mobile": is_phone}
    await page.send("Emulation.setDeviceMetricsOverride", **screen, deviceScaleFactor=1 + is_phone)
    await page.send("Emulation.setTouchEmulationEnabled", enabled=is_phone)
    await page.send("Emulation.setScrollbarsHidden", hidden=True)
    await page.open(url)
    return page


async def ask(page: Page, text: str) -> None:
    await page.run("document.querySelector('#prompt').focus()")
    await page.type(text)
    await page.press("Enter")


async def take(browser: Browser, url: str) -> None:
    async with ClientSession() as session:
        for key, title in [*OTHERS.items(), ("slow-query", SLOW_QUERY)]:
            body = {"id": key, "message": title}
            async with session.post(f"{url}/api/v1/ai/chat", json=body) as response:
                await response.read()
    thread = f"{url}#slow-query"
    for name, theme, width, height in (
        ("desktop-light", "light", 1200, 820),
        ("phone-dark", "dark", 390, 780),
    ):
        page = await open_page(browser, thread, theme, width, height)
        await page.wait(f"{IDLE} && {TEXT}.includes('new expression')")
        await page.wait("!!document.querySelector('.code .keyword')")
        await asyncio.sleep(1)
        (OUT / f"{name}.webp").write_bytes(await photograph(page))
    page = await open_page(browser, url, "light", 760, 470)
    frames: list[tuple[bytes, int]] = []

    async def film(seconds: float) -> None:
        for _ in range(round(seconds / FRAME_SECONDS)):
            picture = await photograph(page, 55)
            if frames and frames[-1][0] == picture:
                frames[-1] = (picture, frames[-1][1] + round(1000 * FRAME_SECONDS))
            else:
                frames.append((picture, round(1000 * FRAME_SECONDS)))
            await asyncio.sleep(FRAME_SECONDS)

    await ask(page, RELOAD)
    await film(1.1)
    await page.run(
        "{ const said = document.createElement('div'); said.textContent = '⟳ Reload';"
        " said.className = 'button solid'; said.style.cssText = 'position: fixed; inset: 40% auto"
        " auto 50%; translate: -50%; font-size: 1.5rem; padding: 0.5rem 1.5rem; z-index: 9';"
        " document.body.append(said) }"
    )
    frames.append((await photograph(page, 55), 700))
    await page.reload()
    while not await page.run(f"{IDLE} && {TEXT}.includes('the same answer.')"):
        await film(FRAME_SECONDS)
    await asyncio.sleep(0.5)
    frames.append((await photograph(page, 55), 2500))
    (OUT / "reload.webp").write_bytes(animated(frames))
    assert page.faults == []


async def take_all(url: str) -> None:
    program = chromium()
    if program is None:
        sys.exit("Chromium is not installed (Debian: chromium)")
    async with running_browser(program) as browser:
        await take(browser, url)


def main() -> None:
    OUT.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as data:
        # If this runs as root, PostgreSQL runs as another user.
        Path(data).chmod(0o711)
        options = ["--data-dir", f"{data}/pictures", "--executor", "tests.browser.pictures:answer"]
        with serving(*options, cwd=ROOT) as server:
            asyncio.run(take_all(server.url))
    for path in sorted(OUT.iterdir()):
        sys.stdout.write(f"{path.name}: {path.stat().st_size // 1000} KB\n")


if __name__ == "__main__":
    main()
