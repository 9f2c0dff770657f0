"""The chat page in a real browser, with a real server and database."""

from __future__ import annotations

import json
import time

import jwt
import pytest

from pgthreads.events import (
    Data,
    Done,
    Error,
    FileOutput,
    MessageMetadata,
    ReasoningDelta,
    SourceUrl,
    TextDelta,
    ToolCallProgress,
    ToolCallResult,
    ToolCallStart,
    ToolInputDelta,
    ToolInputStart,
)
from tests.browser.chromium import Browser, Page
from tests.browser.steps import IDLE, KEY, LOG, act, ask, gated, shows
from tests.server.service import CHAT, Service, answers, body_of, running_service, says, text_of

SECRET = "a secret of the tests with enough bytes in it"


async def test_shows_every_kind_of_part_and_again_after_a_reload(
    service: Service, page: Page
) -> None:
    service.executor.script = says(
        ReasoningDelta("Let me see."),
        ToolCallStart("c1", "lookup", {"name": "Ada"}),
        ToolCallResult("c1", {"born": 1815}),
        ToolCallStart("c2", "lookup", {"name": "Bob"}),
        ToolCallResult("c2", "no such name", is_error=True),
        TextDelta("She was born in `1815`.\n\n- one\n- **two**\n\n```sql\nselect 1;\n```\n"),
        Done(),
    )
    await ask(page, "When was Ada born?")
    await shows(page, "She was born in 1815.")
    await page.wait(IDLE)
    drawn = f"{LOG}.querySelector('.assistant .body').textContent"
    first = await page.run(drawn)
    assert "Let me see." in first
    assert "select 1;" in first
    states = f"[...{LOG}.querySelectorAll('.tool')].map((each) => each.dataset.state)"
    assert await page.run(states) == ["output-available", "output-error"]
    assert await page.run(f"{LOG}.querySelectorAll('.prose li').length") == 2
    assert len(await service.messages(await page.run(KEY))) == 2
    await page.reload()
    await shows(page, "She was born in 1815.")
    assert await page.run(drawn) == first


async def test_assembles_the_message_that_is_stored(service: Service, page: Page) -> None:
    service.executor.script = says(
        ReasoningDelta("Hm."),
        TextDelta("Let "),
        TextDelta("me look."),
        ToolCallStart("c1", "clock", {}),
        ToolCallResult("c1", [1, {"a": None}]),
        ToolInputStart("c2", "clock"),
        ToolInputDelta("c2", '{"zone": "u'),
        ToolInputDelta("c2", 'tc"}'),
        ToolCallStart("c2", "clock", {"zone": "utc"}),
        ToolCallProgress("c2", "looking"),
        SourceUrl("s1", "https://example.com", "T"),
        Data("chart", [1], id="1"),
        Data("chart", [2], id="1"),
        MessageMetadata({"a": {"b": 1}}),
        MessageMetadata({"a": {"c": 2}}),
        TextDelta("It is näh 🕐."),
        FileOutput("image/png", "data:image/png;base64,iVBORw0KGgo="),
        Error("broken"),
    )
    body = json.dumps(body_of("assembled", "go"))
    assembled = await page.run(
        "(async () => { const { src } = document.querySelector('script[type=module]');"
        " const { Assembler, readChunks } = await import(src);"
        f" const response = await fetch({json.dumps(CHAT)}, {{ method: 'POST', body: "
        f"{json.dumps(body)}, headers: {{ 'content-type': 'application/json' }} }});"
        " const assembler = new Assembler();"
        " for await (const chunk of readChunks(response.body)) assembler.apply(chunk);"
        " for (const part of assembler.message.parts) if (part.state === 'done') delete part.state;"
        " return assembler.message })()"
    )
    assert assembled == (await service.messages("assembled"))[-1]


async def test_a_reload_follows_the_answer_that_still_comes(service: Service, page: Page) -> None:
    gate, service.executor.script = gated("The first half,", " and the second.")
    await ask(page, "go")
    await shows(page, "The first half,")
    await page.reload()
    await shows(page, "The first half,")
    assert await page.run(IDLE) is False
    gate.set()
    await shows(page, "The first half, and the second.")
    await page.wait(IDLE)
    assert await page.run(f"{LOG}.querySelectorAll('.assistant').length") == 1
    assert len(await service.messages(await page.run(KEY))) == 2


async def test_escape_stops_the_answer_and_keeps_what_came(service: Service, page: Page) -> None:
    _, service.executor.script = gated("As far as this", " and never this")
    await ask(page, "go")
    await shows(page, "As far as this")
    await page.press("Escape")
    await shows(page, "Stopped")
    await page.wait(IDLE)
    answer = (await service.messages(await page.run(KEY)))[-1]
    assert text_of(answer) == "As far as this"
    assert answer["metadata"] == {"status": "stopped"}


async def test_shows_why_an_answer_failed_and_why_a_request_was_refused(
    service: Service, page: Page
) -> None:
    # A page that does not hear of changes does not know that another tab asks.
    await page.send("Network.enable")
    await page.send("Network.setBlockedURLs", urls=["*/events"])
    await page.reload()
    service.executor.script = says(TextDelta("Half"), Error("out_of_words"))
    await ask(page, "go")
    notice = "document.querySelector('#notice').innerText"
    await page.wait(f"{notice}.includes('out_of_words')")
    await page.wait(IDLE)
    gate, service.executor.script = gated("Busy", "")
    stream = await service.post(CHAT, body_of(await page.run(KEY), "from another tab"))
    await ask(page, "me too")
    await page.wait(f"{notice}.includes('turn_running')")
    gate.set()
    await stream.read()
    await service.idle()
    service.executor.script = answers("Now it works.")
    await page.click("#notice button")
    await shows(page, "Now it works.")


async def test_model_text_never_becomes_markup(service: Service, page: Page) -> None:
    hostile = (
        "<img src=x onerror=document.title='owned'> <script>document.title='owned'</script>"
        " [x](javascript:document.title='owned') **<b>bold</b>**\n\n```<i>\n</code><u>\n```\n"
    )
    service.executor.script = says(
        TextDelta(hostile),
        ToolCallStart("c", "<s>", {"a": "<u>"}),
        ToolCallResult("c", "<u>"),
        Done(),
    )
    await ask(page, hostile)
    await page.wait(f"{IDLE} && !!{LOG}.querySelector('.tool')")
    assert await page.run(f"{LOG}.querySelectorAll('img, script, a, b, i, u, s').length") == 0
    assert "onerror" in await page.run(f"{LOG}.querySelector('.assistant').textContent")
    assert await page.run("document.title") != "owned"


async def test_lists_renames_and_deletes_threads(service: Service, page: Page) -> None:
    await ask(page, "The first thread")
    await shows(page, "Hello.")
    first = await page.run(KEY)
    await page.click("#new")
    await ask(page, "The second thread")
    await shows(page, "Hello.")
    names = "[...document.querySelectorAll('#threads .name')].map((each) => each.innerText).join()"
    await page.wait(f"{names} === 'The second thread,The first thread'")
    await act(page, first, "Rename")
    await page.type("Another name")
    await page.press("Enter")
    await page.wait(f"{names} === 'The second thread,Another name'")
    await page.click(f"#threads li[data-key='{first}'] a")
    await page.wait(
        "document.querySelector('#title').innerText === 'Another name'"
        f" && {LOG}.innerText.includes('The first thread')"
    )
    await act(page, first, "Delete")
    await page.click("#delete [value=yes]")
    await page.wait(f"{names} === 'The second thread' && location.hash === ''")
    assert service.rows(
        "select deleted_at is not null from pgthreads.thread where state_key = %s", [first]
    ) == [(True,)]


async def test_shows_a_long_thread_from_its_end_and_pages_back(
    service: Service, page: Page, request: pytest.FixtureRequest
) -> None:
    service.rows(
        "select a.* from pgthreads.set_tenant(%s) as t(owner),"
        " lateral pgthreads.append_thread(t.owner, 'long', ("
        "select jsonb_agg(jsonb_build_object('id', 'm' || n, 'role', 'user', 'parts',"
        " jsonb_build_array(jsonb_build_object('type', 'text', 'text', 'Number ' || n))))"
        " from generate_series(1, 120) as n)) as a",
        [request.node.name],
    )
    await page.run("location.hash = 'long'")
    # This is the last thing that changes the page: the newest message has no answer.
    await page.wait("document.querySelector('#notice').childElementCount > 0")
    shown = f"[...{LOG}.querySelectorAll('.body')].map((each) => each.textContent)"
    for first in (71, 21, 1):
        numbers = [f"Number {n}" for n in range(first, 121)]
        await page.wait(f"{LOG}.childElementCount === {len(numbers)}")
        assert await page.run(shown) == numbers
        if first > 1:
            await page.click("#earlier")
    await page.wait("document.querySelector('#earlier').hidden")


async def test_asks_for_a_token_and_uses_it(
    server_dsn: str, admin_dsn: str, browser: Browser
) -> None:
    token = jwt.encode({"sub": "ada", "exp": int(time.time()) + 600}, SECRET)
    async with running_service(server_dsn, admin_dsn, auth="jwt", jwt_secret=SECRET) as service:
        page = await browser.page(service.url)
        await page.wait("document.querySelector('#login').open")
        await page.type(token)
        await page.press("Enter")
        await page.wait("!document.querySelector('#login').open")
        await ask(page, "Hi")
        await shows(page, "Hello.")
        owner = "select owner_user_id from pgthreads.thread where state_key = %s"
        assert service.rows(owner, [await page.run(KEY)]) == [("ada",)]
        assert page.faults == []


async def test_a_narrow_screen_has_the_list_in_a_drawer(service: Service, browser: Browser) -> None:
    page = await browser.page(service.url, width=500, height=700)
    await ask(page, "Small")
    await shows(page, "Hello.")
    sidebar = "getComputedStyle(document.querySelector('#sidebar')).visibility"
    assert await page.run(sidebar) == "hidden"
    assert await page.run("document.documentElement.scrollWidth <= innerWidth")
    await page.click("#menu")
    await page.wait(f"{sidebar} === 'visible' && document.activeElement.id === 'new'")
    await page.press("Escape")
    await page.wait(f"{sidebar} === 'hidden' && document.activeElement.id === 'menu'")
