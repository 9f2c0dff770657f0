"""The React examples in a browser, from another origin, with the versions of their lock file."""

from __future__ import annotations

import asyncio
import os
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web
from aiohttp.test_utils import unused_port

from tests.browser.chromium import Browser, Page
from tests.browser.steps import gated
from tests.server.service import Service, answers, running_service

ROOT = Path(__file__).parents[2]
ESBUILD = ROOT / "web" / "node_modules" / ".bin" / "esbuild"
MAIN = """
import { createRoot } from 'react-dom/client';
import { Pgthreads } from './pgthreads.ts';
import { %s as Example } from './%s.tsx';
const stored = await new Pgthreads().load('k');
createRoot(document.getElementById('root')!).render(
  <Example key="k" stateKey="k" stored={stored} />,
);
document.body.dataset.ready = 'true';
"""
NAMES = {"Chat": "Thread", "AssistantUi": "AssistantUi"}
HTML = "<!doctype html><body><div id=root></div><script type=module src=/main.js></script>"


async def bundle(name: str, folder: Path, api: str) -> None:
    """Build a page with one of the components, which talk to this server."""
    for path in (ROOT / "examples" / "react").glob("*.ts*"):
        text = path.read_text(encoding="utf-8").replace("http://127.0.0.1:8080", api)
        (folder / path.name).write_text(text, encoding="utf-8")
    (folder / "main.tsx").write_text(MAIN % (NAMES[name], name), encoding="utf-8")
    (folder / "index.html").write_text(HTML, encoding="utf-8")
    process = await asyncio.create_subprocess_exec(
        ESBUILD,
        "main.tsx",
        "--bundle",
        "--format=esm",
        "--jsx=automatic",
        "--outfile=main.js",
        "--log-level=error",
        cwd=folder,
        env={**os.environ, "NODE_PATH": str(ROOT / "examples" / "node_modules")},
    )
    assert await process.wait() == 0


@pytest.fixture(params=["Chat", "AssistantUi"])
async def react(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    browser: Browser,
    server_dsn: str,
    admin_dsn: str,
) -> AsyncIterator[tuple[Service, Page]]:
    port = unused_port()
    origin = f"http://127.0.0.1:{port}"
    user = request.node.name
    async with running_service(
        server_dsn, admin_dsn, cors_origin=[origin], heartbeat=0.2, dev_user=user
    ) as service:
        await bundle(request.param, tmp_path, service.url)
        app = web.Application()
        app.router.add_static("/", tmp_path)
        runner = web.AppRunner(app)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", port).start()
        try:
            yield service, await browser.page(f"{origin}/index.html")
        finally:
            await runner.cleanup()


TEXT = "document.body.innerText.replace(/\\s+/g, ' ')"
CAN_SEND = (
    "[...document.querySelectorAll('button')]"
    ".some((each) => each.innerText === 'Send' && !each.disabled)"
)


async def say(page: Page, text: str) -> None:
    await page.wait("!!document.querySelector('input, textarea')")
    await page.run("document.querySelector('input, textarea').focus()")
    await page.type(text)
    await page.wait(CAN_SEND)
    await page.press("Enter")


async def test_a_react_page_sends_reloads_and_follows(react: tuple[Service, Page]) -> None:
    service, page = react
    service.executor.script = answers("A first answer.")
    await say(page, "The first question")
    await page.wait(f"{TEXT}.includes('A first answer.')")
    await service.idle()
    gate, service.executor.script = gated("The first half,", " and the second.")
    await say(page, "And another")
    await page.wait(f"{TEXT}.includes('The first half,')")
    await page.reload()
    await page.wait(f"{TEXT}.includes('The first half,')")
    assert "A first answer." in await page.run(TEXT)
    gate.set()
    await page.wait(f"{TEXT}.includes('The first half, and the second.')")
    await service.idle()
    assert len(await service.messages("k")) == 4
    assert page.faults == []
