"""What the chat page makes of Markdown, and of texts that want to be more than text."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator

from pgthreads.events import (
    AiEvent,
    Done,
    ExecutorRequest,
    TextDelta,
    ToolCallResult,
    ToolCallStart,
)
from tests.browser.chromium import Page
from tests.browser.markdown import PAYLOADS, SAMPLE
from tests.browser.steps import IDLE, KEY, LOG, ask, shows
from tests.server.service import Service, says

PROSE = f"{LOG}.querySelector('.assistant .prose')"


def streamed(text: str, size: int = 7) -> list[AiEvent]:
    return [*(TextDelta(text[at : at + size]) for at in range(0, len(text), size)), Done()]


async def texts(page: Page, selector: str) -> list[str]:
    nodes = f"[...{PROSE}.querySelectorAll({json.dumps(selector)})]"
    found: list[str] = await page.run(f"{nodes}.map((each) => each.textContent)")
    return found


async def test_markdown_keeps_its_meaning(service: Service, page: Page) -> None:
    service.executor.script = says(*streamed(SAMPLE))
    await ask(page, "Show it")
    await shows(page, "The text of the note.")
    await page.wait(f"{IDLE} && !!{PROSE}.querySelector('.keyword')")
    assert await texts(page, ".heading") == ["Title"]
    assert await texts(page, "p em") == ["italics", "both"]
    assert await texts(page, "s") == ["gone"]
    assert await texts(page, ":scope > ol > li > ul > li > ol > li") == ["deepest"]
    assert await texts(page, ":scope > ol > li > ul > li > strong") == ["one"]
    assert len(await texts(page, ":scope > ol")) == 1
    second = (await texts(page, ":scope > ol > li"))[1]
    assert "A paragraph of the second." in second
    assert "select 1;" in second
    assert await texts(page, "blockquote blockquote") == ["\nin a quote\n".strip()]
    assert await texts(page, "th") == ["left", "centre", "right"]
    assert await texts(page, "td") == ["a", "b", "1", "c | d", "e", "2"]
    assert await page.run(f"{PROSE}.querySelector('td.right').textContent") == "1"
    assert await page.run(f"[...{PROSE}.querySelectorAll('input')].map((e) => e.checked)") == [
        True,
        False,
    ]
    assert len(await texts(page, "hr")) == 1
    assert await page.run(f"[...{PROSE}.querySelectorAll('a')].map((each) => each.href)") == [
        "https://example.org/a?b=1&c=2",
        "https://example.org/bare",
        "https://example.org/reference",
        "https://example.org/picture.png",
    ]
    assert await page.run(
        f"[...{PROSE}.querySelectorAll('a')].every((each) => each.rel === 'noopener noreferrer')"
    )
    assert len(await texts(page, "math")) == 3
    assert (await texts(page, "math"))[1] == "\N{DOUBLE-STRUCK CAPITAL R}"
    assert len(await texts(page, ".math.display mfrac msqrt")) == 1
    assert await texts(page, ".footnote-mark button") == ["1"]
    whole = await page.run(f"{PROSE}.textContent")
    for text in ("$5 and $6", "[^nothing]", "© & <b> A", "c | d"):
        assert text in whole
    await page.click("#log .footnote-mark button")
    await page.wait("document.activeElement.className === 'footnote'")
    await page.reload()
    await page.wait(f"!!{LOG}.querySelector('.prose .keyword')")
    assert await page.run(f"{PROSE}.textContent") == whole


async def test_no_text_runs_or_loads_anything(service: Service, page: Page) -> None:
    async def script(request: ExecutorRequest) -> AsyncIterator[AiEvent]:
        payload = request.messages[-1]["parts"][-1]["text"]
        yield ToolCallStart("c", payload[:100], {"a": payload})
        yield ToolCallResult("c", payload)
        yield TextDelta(payload)
        yield Done()

    service.executor.script = script
    assert len(PAYLOADS) >= 60
    key = ""
    for number, payload in enumerate(PAYLOADS):
        url = "data:image/png;base64,AAAA" if number % 2 else "https://example.org/x.png"
        parts = [
            {"type": "file", "mediaType": "image/png", "filename": payload, "url": url},
            {"type": "text", "text": payload},
        ]
        key = f"payload-{number // 20}"
        message = {"id": f"m{number}", "role": "user", "parts": parts}
        async with await service.post("/api/v1/ai/chat", {"message": message, "id": key}) as r:
            assert "finish" in await r.text(), payload
    for number in range(4):
        await page.run(
            f"fetch('/api/v1/ai/threads/payload-{number}', {{ method: 'PATCH', body:"
            f" {json.dumps(json.dumps({'title': PAYLOADS[number][:200]}))},"
            " headers: { 'content-type': 'application/json' } })"
        )
    hostile = (
        "[...document.body.querySelectorAll('script, iframe, object, embed, base, link, style,"
        " meta, template, .body svg')].map((each) => each.outerHTML).concat("
        "[...document.querySelectorAll('#log *')].flatMap((each) => [...each.attributes])"
        ".filter(({ name, value }) => /^(on|style|srcdoc|action|formaction|xlink)/.test(name)"
        " || (name === 'href' && !/^(https?:|mailto:|#)/.test(value))"
        " || (name === 'src' && !/^data:image/.test(value)))"
        ".map(({ name, value }) => name + '=' + value))"
    )
    for number in range(-(-len(PAYLOADS) // 20)):
        await page.run(f"location.hash = 'payload-{number}'")
        await page.wait(f"{KEY} === 'payload-{number}' && {LOG}.childElementCount >= 20")
        await page.run(
            "document.querySelectorAll('#log details').forEach((e) => { e.open = true })"
        )
        await asyncio.sleep(0.2)
        assert await page.run(hostile) == []
        assert await page.run("[document.title === 'owned', window.owned ?? 0]") == [False, 0]


async def test_a_text_that_grows_loses_nothing(service: Service, page: Page) -> None:
    """Whatever the pieces are, the result is that of the whole text."""
    blocks = [
        "A paragraph.",
        "1. one\n2. two",
        "Another one,\nof two lines.",
        "```sql\nselect 1;\n```",
        "> A quote",
        "| a | b |\n|---|---|\n| 1 | 2 |",
        "The end of it.",
        "- one\n\n  more\n- two",
        "$$\nx^2\n$$",
        "Close the tab.",
    ]
    await page.run(f"window.blocks = {json.dumps(blocks)}; 0")
    different = await page.run(
        """(async () => {
          const { MarkdownView } = await import(document.querySelector('script[type=module]').src);
          const wait = (ms) => new Promise((go) => setTimeout(go, ms));
          const drawn = async (text, size) => {
            const root = document.createElement('div');
            const view = new MarkdownView(root);
            for (let at = size; at < text.length; at += size) {
              view.update(text.slice(0, at), false);
              if (at % 5 === 0) await wait(0);
            }
            view.update(text, true);
            await wait(50);
            return root.innerHTML;
          };
          const different = [];
          for (let first = 0; first < blocks.length; first += 1) {
            const text = [...blocks.slice(first), ...blocks.slice(0, first)].join('\\n\\n');
            const whole = await drawn(text, text.length);
            for (const size of [1, 4, 23]) {
              if (await drawn(text, size) !== whole) different.push([first, size]);
            }
          }
          return different;
        })()"""
    )
    assert different == []


async def test_a_stream_is_parsed_about_once(service: Service, page: Page) -> None:
    """Only the last block is parsed again when more comes; the rest stays as it was drawn."""
    parsed = await page.run(
        """(async () => {
          const { MarkdownView, work } = await import(
            document.querySelector('script[type=module]').src);
          const counts = [];
          for (const blocks of [200, 400]) {
            const text = Array.from({ length: blocks }, (_, n) =>
              n % 5 ? `Paragraph ${n} with **words** and \\`code\\`, some more of them.\\n\\n`
                : '```sql\\n' + 'select 1;\\n'.repeat(20) + '```\\n\\n').join('');
            const view = new MarkdownView(document.createElement('div'));
            work.parsed = 0;
            for (let at = 40; at <= text.length; at += 40) {
              view.update(text.slice(0, at), false);
              if (at % 400 === 0) await new Promise((go) => setTimeout(go));
            }
            view.update(text, true);
            counts.push(work.parsed / text.length);
          }
          return counts;
        })()"""
    )
    assert parsed[1] < 3
    assert parsed[1] < 1.2 * parsed[0]


async def test_the_focus_stays_in_a_block_of_code_that_grows(service: Service, page: Page) -> None:
    gate = asyncio.Event()

    async def script(_: ExecutorRequest) -> AsyncIterator[AiEvent]:
        yield TextDelta("Look:\n\n```python\nfirst = 1\n")
        await gate.wait()
        for number in range(5):
            yield TextDelta(f"line_{number} = 2\n")
        yield TextDelta("```\n\nDone.")
        yield Done()

    service.executor.script = script
    await ask(page, "code")
    await shows(page, "first = 1")
    await page.run(f"{LOG}.querySelector('pre').focus()")
    gate.set()
    await shows(page, "Done.")
    await page.wait(f"!!{LOG}.querySelector('pre .number')")
    assert await page.run(
        "[document.activeElement.tagName, document.activeElement.textContent.split('\\n').length]"
    ) == ["PRE", 6]
