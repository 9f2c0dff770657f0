"""A headless Chromium, driven over its DevTools protocol: no driver package, one WebSocket.

`Page.wait` polls a condition in the page until it holds; nothing here sleeps for a fixed time.
"""

from __future__ import annotations

import asyncio
import itertools
import json
import re
import shutil
import tempfile
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any

from aiohttp import ClientSession, ClientWebSocketResponse

_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--no-first-run",
    "--no-default-browser-check",
    "--remote-debugging-port=0",
)
_START_SECONDS = 60
_KEYS = {
    "Enter": ("Enter", 13, "\r"),
    "Escape": ("Escape", 27, ""),
    "Tab": ("Tab", 9, ""),
    "ArrowUp": ("ArrowUp", 38, ""),
    "ArrowDown": ("ArrowDown", 40, ""),
    "ArrowRight": ("ArrowRight", 39, ""),
    "O": ("KeyO", 79, "O"),
    "k": ("KeyK", 75, "k"),
    "?": ("Slash", 191, "?"),
}
CTRL = 2
SHIFT = 8


class PageError(AssertionError):
    """A script in the page threw, or a condition did not come true."""


def chromium() -> Path | None:
    """Return the installed browser, if there is one."""
    found = (shutil.which(name) for name in _NAMES)
    return next((Path(path) for path in found if path), None)


class Browser:
    """A running Chromium; `page` opens a tab with storage of its own."""

    def __init__(self, socket: ClientWebSocketResponse) -> None:
        self._socket = socket
        self._ids = itertools.count(1)
        self._answers: dict[int, asyncio.Future[dict[str, Any]]] = {}
        self._pages: dict[str, Page] = {}
        self._reader = asyncio.create_task(self._read())

    async def page(self, url: str, *, width: int = 1100, height: int = 800) -> Page:
        """Open an address in a tab."""
        context = await self.send("Target.createBrowserContext")
        target = await self.send(
            "Target.createTarget",
            url="about:blank",
            browserContextId=context["browserContextId"],
            width=width,
            height=height,
        )
        attached = await self.send(
            "Target.attachToTarget", targetId=target["targetId"], flatten=True
        )
        page = Page(self, attached["sessionId"])
        self._pages[attached["sessionId"]] = page
        for domain in ("Page", "Runtime", "Log"):
            await page.send(f"{domain}.enable")
        await page.open(url)
        return page

    async def send(self, method: str, session: str | None = None, **params: Any) -> dict[str, Any]:
        """Call a method of the protocol and return its result."""
        number = next(self._ids)
        answer = self._answers[number] = asyncio.get_running_loop().create_future()
        call = {"id": number, "method": method, "params": params}
        await self._socket.send_json(call | ({"sessionId": session} if session else {}))
        return await asyncio.wait_for(answer, 30)

    async def close(self) -> None:
        """Ask the browser to end."""
        with suppress(Exception):
            await self.send("Browser.close")
        self._reader.cancel()

    async def _read(self) -> None:
        async for received in self._socket:
            message = json.loads(received.data)
            answer = self._answers.pop(message.get("id", 0), None)
            if answer is None:
                page = self._pages.get(message.get("sessionId", ""))
                if page is not None:
                    page.notice(message["method"], message["params"])
            elif "error" in message:
                answer.set_exception(PageError(message["error"]["message"]))
            else:
                answer.set_result(message["result"])


class Page:
    """One tab. `faults` holds uncaught exceptions, and what the browser refused to run or load."""

    def __init__(self, browser: Browser, session: str) -> None:
        self._browser = browser
        self._session = session
        self.faults: list[str] = []

    async def send(self, method: str, **params: Any) -> dict[str, Any]:
        """Call a method of the protocol on this tab."""
        return await self._browser.send(method, self._session, **params)

    def notice(self, method: str, params: dict[str, Any]) -> None:
        """Take an event of this tab."""
        if method == "Runtime.exceptionThrown":
            self.faults.append(json.dumps(params["exceptionDetails"])[:500])
        elif method == "Log.entryAdded":
            entry = params["entry"]
            # Whether a request is refused is up to the server, and some tests want that.
            if entry["level"] == "error" and entry["source"] != "network":
                self.faults.append(entry["text"])

    async def open(self, url: str) -> None:
        """Go to an address; returns when the page's script has run."""
        await self.send("Page.navigate", url=url)
        await self._ready()

    async def reload(self) -> None:
        """Load the page again."""
        await self.run("document.body.dataset.old = 'true'")
        await self.send("Page.reload")
        await self._ready()

    async def run(self, script: str) -> Any:
        """Return the value of an expression, awaited if it is a promise."""
        answer = await self.send(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        if "exceptionDetails" in answer:
            raise PageError(f"{script}: {json.dumps(answer['exceptionDetails'])[:800]}")
        return answer["result"].get("value")

    async def wait(self, condition: str, seconds: float = 20) -> Any:
        """Return the expression's value once it is truthy."""
        value = None
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                while True:
                    # While a page is being replaced, there is nothing to evaluate in.
                    with suppress(PageError):
                        value = await self.run(condition)
                    if value:
                        return value
                    await asyncio.sleep(0.02)
        shown = await self.run("document.body.innerText.slice(0, 2000)")
        raise PageError(f"not so within {seconds} s: {condition}\n{shown}\n{self.faults}")

    async def type(self, text: str) -> None:
        """Type into whatever has the focus."""
        await self.send("Input.insertText", text=text)

    async def press(self, key: str, modifiers: int = 0) -> None:
        """Press a key, with CTRL or SHIFT added to it."""
        name, code, text = _KEYS[key]
        event = {"key": key, "code": name, "windowsVirtualKeyCode": code, "modifiers": modifiers}
        if modifiers & CTRL:
            text = ""
        await self.send(
            "Input.dispatchKeyEvent", type="keyDown", **event, **({"text": text} if text else {})
        )
        await self.send("Input.dispatchKeyEvent", type="keyUp", **event)

    async def click(self, selector: str) -> None:
        """Click with the mouse, once the element is there, on top, and has stopped moving."""
        quoted = json.dumps(selector)
        box = await self.wait(
            f"(() => {{ const e = document.querySelector({quoted}); e?.scrollIntoViewIfNeeded();"
            " const b = e?.getBoundingClientRect();"
            " if (!b?.width) return null;"
            " const at = [b.x + b.width / 2, b.y + b.height / 2];"
            " const still = window.lastClick === String([e.id, at]);"
            " window.lastClick = String([e.id, at]);"
            " return still && e.contains(document.elementFromPoint(...at)) ? at : null })()"
        )
        for kind in ("mouseMoved", "mousePressed", "mouseReleased"):
            await self.send(
                "Input.dispatchMouseEvent",
                type=kind,
                x=box[0],
                y=box[1],
                button="left",
                clickCount=1,
            )

    async def _ready(self) -> None:
        await self.wait(
            "document.readyState === 'complete' && !document.body.dataset.old"
            " && document.body.dataset.ready === 'true'"
        )


@asynccontextmanager
async def running_browser(program: Path) -> AsyncIterator[Browser]:
    """Start a browser with a profile of its own, and end it afterwards."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        process = await asyncio.create_subprocess_exec(
            program,
            *_FLAGS,
            f"--user-data-dir={profile}",
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.PIPE,
        )
        assert process.stderr
        try:
            address = await asyncio.wait_for(_address(process.stderr), _START_SECONDS)
            drain = asyncio.create_task(process.stderr.read())
            async with (
                ClientSession() as session,
                session.ws_connect(address, max_msg_size=0) as socket,
            ):
                browser = Browser(socket)
                try:
                    yield browser
                finally:
                    await browser.close()
            drain.cancel()
        finally:
            with suppress(ProcessLookupError):
                process.kill()
            await process.wait()


async def _address(stderr: asyncio.StreamReader) -> str:
    said = []
    async for line in stderr:
        said.append(line.decode(errors="replace"))
        found = re.search(r"DevTools listening on (ws://\S+)", said[-1])
        if found:
            return found[1]
    raise PageError(f"the browser did not start: {''.join(said)[-1000:]}")
