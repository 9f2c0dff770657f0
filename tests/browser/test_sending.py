"""Nothing that was typed is lost: the server goes away, refuses, or is still answering."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pgthreads.events import Done, Error, TextDelta
from pgthreads.executors import OfflineExecutor
from tests.browser.chromium import Browser, Page
from tests.browser.steps import IDLE, KEY, LOG, ask, gated, shows
from tests.server.service import CHAT, THREADS, Service, answers, body_of, running_service, says

PROMPT = "document.querySelector('#prompt').value"
NOTICE = "document.querySelector('#notice').innerText"
OFFLINE = "!document.querySelector('#offline').hidden"
CHIPS = "[...document.querySelectorAll('#files li')].map((each) => each.firstChild.data)"
DROP = (
    "const data = new DataTransfer(); data.items.add(file);"
    " document.querySelector('main').dispatchEvent("
    "new DragEvent('drop', { dataTransfer: data, bubbles: true, cancelable: true }))"
)


async def roles(service: Service, key: str) -> list[str]:
    return [message["role"] for message in await service.messages(key)]


@pytest.mark.parametrize("how", ["waits", "is reloaded", "opens another thread"])
async def test_a_message_waits_for_a_server_that_is_away(
    server_dsn: str, admin_dsn: str, browser: Browser, how: str
) -> None:
    user: dict[str, Any] = {"dev_user": f"away {how}"}
    async with running_service(server_dsn, admin_dsn, **user) as service:
        page = await browser.page(service.url)
        await ask(page, "The first")
        await shows(page, "Hello.")
        key = await page.run(KEY)
        port = int(service.url.rpartition(":")[2])
    await ask(page, "Kept words")
    await page.wait(OFFLINE)
    await shows(page, "Not sent yet.")
    assert "Kept words" in await page.run(f"{LOG}.innerText")
    assert await page.run(PROMPT) == ""
    if how == "opens another thread":
        await page.click("#new")
        await page.wait(f"{LOG}.childElementCount === 0")
    async with running_service(server_dsn, admin_dsn, port=port, **user) as service:
        if how == "is reloaded":
            await page.reload()
        if how == "opens another thread":
            await page.wait(f"!({OFFLINE})", 20)
            await page.wait("document.querySelectorAll('#threads li').length === 1")
            await page.click("#threads a")
        await page.wait(f"{LOG}.querySelectorAll('.assistant').length === 2 && {IDLE}", 20)
        await page.wait(f"!({OFFLINE})", 20)
        assert await roles(service, key) == ["user", "assistant"] * 2
        assert await page.run("Object.keys(localStorage)") == []


async def test_a_broken_stream_is_followed_again(
    server_dsn: str, admin_dsn: str, browser: Browser
) -> None:
    _, script = gated("The first half,", " and the second.")
    user: dict[str, Any] = {"dev_user": "broken stream"}
    async with running_service(server_dsn, admin_dsn, script, drain_timeout=0.1, **user) as service:
        page = await browser.page(service.url)
        await ask(page, "go")
        await shows(page, "The first half,")
        port = int(service.url.rpartition(":")[2])
        await page.send("Network.enable")
        await page.send(
            "Network.emulateNetworkConditions",
            offline=True,
            latency=0,
            downloadThroughput=-1,
            uploadThroughput=-1,
        )
        await page.run(f"fetch('{service.url}/healthz').catch(() => 0)")
    await page.send(
        "Network.emulateNetworkConditions",
        offline=False,
        latency=0,
        downloadThroughput=-1,
        uploadThroughput=-1,
    )
    async with running_service(server_dsn, admin_dsn, port=port, **user):
        await page.wait(f"!({OFFLINE}) && {IDLE}", 20)
        assert await page.run(f"{LOG}.querySelectorAll('.assistant').length") == 1


async def test_drafts_and_files_belong_to_their_thread(service: Service, page: Page) -> None:
    await ask(page, "A thread")
    await shows(page, "Hello.")
    await page.wait(IDLE)
    key = await page.run(KEY)
    await page.type("draft of the thread")
    await page.run(f"{{ const file = new File(['x'], 'notes.txt'); {DROP} }}")
    await page.wait(f"{CHIPS}[0] === 'notes.txt'")
    await page.click("#new")
    await page.wait(f"{PROMPT} === '' && {CHIPS}.length === 0")
    await page.type("another draft")
    await page.click(f"#threads li[data-key='{key}'] a")
    await page.wait(f"{PROMPT} === 'draft of the thread' && {CHIPS}.length === 1")
    await page.reload()
    await page.wait(f"{PROMPT} === 'draft of the thread' && {CHIPS}.length === 1")
    await page.click("#new")
    await page.wait(f"{PROMPT} === 'another draft' && {CHIPS}.length === 0")


async def test_a_refused_message_comes_back_with_its_files(service: Service, page: Page) -> None:
    await ask(page, "A thread")
    await shows(page, "Hello.")
    await page.wait(IDLE)
    key = await page.run(KEY)
    names = ["one.txt", "two.txt"]
    for name in names:
        content = "new Uint8Array(600000)"
        await page.run(f"{{ const file = new File([{content}], '{name}'); {DROP} }}")
        await page.wait(f"{CHIPS}.at(-1) === '{name}'")
    await page.type("together too large")
    await page.press("Enter")
    await page.wait(f"{NOTICE}.includes('limit_exceeded')")
    assert await page.run(PROMPT) == "together too large"
    assert await page.run(CHIPS) == names
    assert await page.run(f"{LOG}.childElementCount") == 2
    await page.run(f"fetch('{THREADS}/{key}', {{ method: 'DELETE' }})")
    await page.wait(f"{NOTICE}.includes('deleted') && {KEY} === ''")
    assert await page.run(PROMPT) == "together too large"
    assert await page.run(CHIPS) == names
    await page.click("#files li button")
    await page.wait(f"{CHIPS}.length === 1")
    await page.press("Enter")
    await shows(page, "Hello.")
    assert await page.run(CHIPS) == []


async def test_a_message_waits_for_the_end_of_the_answer(service: Service, page: Page) -> None:
    gate, service.executor.script = gated("Half", " and whole.")
    await ask(page, "one")
    await shows(page, "Half")
    for text in ("two", "three"):
        await page.type(text)
        await page.press("Enter")
        await shows(page, text)
    waiting = f"[...{LOG}.querySelectorAll('.waiting .plain')].map((each) => each.innerText)"
    assert await page.run(waiting) == ["two", "three"]
    await page.click("#log .waiting:last-child .pending button")
    await page.wait(f"{PROMPT} === 'three'")
    assert await page.run(waiting) == ["two"]
    gate.set()
    await page.wait(f"{LOG}.querySelectorAll('.assistant').length === 2 && {IDLE}")
    texts = f"[...{LOG}.querySelectorAll('.body')].map((each) => each.innerText)"
    assert await page.run(texts) == ["one", "Half and whole.", "two", "Half and whole."]
    assert await page.run(PROMPT) == "three"


async def test_a_failed_answer_can_be_tried_again(service: Service, page: Page) -> None:
    service.executor.script = says(Error("out_of_words"))
    await ask(page, "go")
    await page.wait(f"{NOTICE}.includes('out_of_words') && {IDLE}")
    assert "what came so far" not in await page.run(f"{LOG}.innerText")
    service.executor.script = says(TextDelta("Half an answer"), Error("out_of_words"))
    await page.click("#notice button")
    await shows(page, "what came so far")
    await page.wait(f"{NOTICE}.includes('out_of_words') && {IDLE}")
    service.executor.script = answers("Now it works.")
    await page.click("#notice button")
    await shows(page, "Now it works.")
    await page.wait(IDLE)
    assert await page.run(f"{LOG}.querySelectorAll('.message').length") == 2
    service.executor.script = says(Done())
    await ask(page, "say nothing")
    await page.wait(f"{NOTICE}.includes('empty') && {IDLE}")


async def test_examples_are_those_of_the_built_in_executor(
    service: Service, page: Page, server_dsn: str, admin_dsn: str, browser: Browser
) -> None:
    chips = "[...document.querySelectorAll('#examples button')].filter((e) => e.checkVisibility())"
    await page.wait("document.querySelector('#welcome').checkVisibility()")
    assert await page.run(f"{chips}.length") == 0
    async with running_service(server_dsn, admin_dsn, OfflineExecutor(0)) as other:
        demo = await browser.page(other.url)
        await demo.wait(f"{chips}.length > 3")
        await demo.click("#examples button:nth-child(2)")
        await shows(demo, "2+3*4 is 14.")
        await demo.wait(IDLE)
        assert demo.faults == []


async def test_a_photo_is_scaled_down_until_it_fits(service: Service, page: Page) -> None:
    await page.run(
        "(async () => { const canvas = document.createElement('canvas');"
        " canvas.width = 2400; canvas.height = 1200; const context = canvas.getContext('2d');"
        " const image = context.createImageData(2400, 1200);"
        " for (let at = 0; at < image.data.length; at += 65536)"
        " crypto.getRandomValues(image.data.subarray(at, at + 65536));"
        " context.putImageData(image, 0, 0);"
        " const blob = await new Promise((go) => canvas.toBlob(go, 'image/png'));"
        f" const file = new File([blob], 'photo.png', {{ type: 'image/png' }}); {DROP} }})()"
    )
    await page.wait(f"{CHIPS}[0] === 'photo.jpg'", 30)
    await ask(page, "Look")
    await shows(page, "Hello.")
    [part] = [p for p in (await service.messages(await page.run(KEY)))[0]["parts"] if "url" in p]
    assert part["mediaType"] == "image/jpeg"
    assert 100_000 < len(part["url"]) < 950_000
    await page.wait(f"{LOG}.querySelector('img').naturalWidth > 500")


async def test_a_pasted_file_is_attached(service: Service, page: Page) -> None:
    await page.run(
        "{ const data = new DataTransfer(); data.items.add(new File(['x'], 'pasted.txt'));"
        " document.querySelector('#prompt').dispatchEvent("
        "new ClipboardEvent('paste', { clipboardData: data, bubbles: true, cancelable: true })) }"
    )
    await page.wait(f"{CHIPS}[0] === 'pasted.txt'")


async def test_a_message_that_arrived_unnoticed_is_not_sent_twice(
    service: Service, page: Page
) -> None:
    """Its response was lost, so it is still in the outbox when the page is loaded again."""
    body = body_of("lost", "Once", "m1")
    async with await service.post(CHAT, body) as response:
        await response.read()
    kept = json.dumps(json.dumps({"message": body["message"], "parentId": ""}))
    await page.run(
        f"localStorage.setItem('pgthreads//send/lost/000000000000001.m1', {kept});"
        " location.hash = 'lost'"
    )
    await shows(page, "Hello.")
    await page.wait(f"{IDLE} && Object.keys(localStorage).length === 0")
    assert await roles(service, "lost") == ["user", "assistant"]
