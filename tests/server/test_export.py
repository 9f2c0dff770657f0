"""Threads as Markdown and JSON: what is in the files, and that no content breaks them."""

from __future__ import annotations

import json
import random
import re
import time
from collections.abc import AsyncIterator
from html.parser import HTMLParser
from typing import Any

import pytest
from aiohttp import ClientError
from markdown_it import MarkdownIt

from pgthreads.http.export import disposition
from pgthreads.message.markdown import heading, inline, message_markdown, quoted
from tests.scaling import MOST, growth
from tests.server.service import THREADS, Service, running_service


def said(*parts: Any, role: str = "assistant", **more: Any) -> dict[str, Any]:
    return {
        "id": "m",
        "role": role,
        "parts": [
            {"type": "text", "text": each} if isinstance(each, str) else each for each in parts
        ],
        **more,
    }


class _Shape(HTMLParser):
    """The tags and comments of a rendered page."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.comments = 0
        self.depth = 0
        self.outside: list[str] = []
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.depth += tag == "blockquote"
        self.tags.append(tag)
        if tag == "h2" and not self.depth:
            self.outside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        self.depth -= tag == "blockquote"

    def handle_comment(self, data: str) -> None:
        self.comments += 1


READERS = [MarkdownIt("commonmark"), MarkdownIt("gfm-like", {"linkify": False, "html": True})]
"""Readers of Markdown that let HTML through."""


def rendered(markdown: str) -> list[_Shape]:
    return [_Shape(reader.render(markdown)) for reader in READERS]


TEXTS = [
    "plain",
    "## User\n\nI said that.",
    "```\nnever closed",
    "~~~~\nnever closed\n```\n",
    "````\n```\n<b>\n````\n<!-- x",
    "<!-- swallow",
    "<script>",
    "</blockquote><h2>User</h2>",
    "x\r## User\r\n# y",
    "a ` b\nc ` <!-- `",
    "| a | b |\n|---|---|\n| ` | <!-- ` |",
    "[a](`) <!-- `",
    "[a](\n`) <!-- `",
    "[a][`] <!-- `\n\n[`]: /u",
    "\\` <!-- `",
    "&lt;b> \\<b> \\\\<b>",
    "```\n\t```\n```\n<!-- ",
    "```\n    ```\n<!-- \n```\n<!-- ",
    "- ```\n<!-- ",
    "- a\n  ```\nx\n<!-- ",
    "> ```\n<!-- ",
    "1. ```\n   x\n<!-- ",
    "`<!--`",
    "``a ` <b>``",
    "```a`b\n<!-- ",
    "    ```\n<!-- ",
    " ```\n<!-- ",
    "```\n```x\n<!--\n```",
    "x\n===\n\n---\n***",
    "<https://example.org> <a@b.c>",
    "<?php <![CDATA[ <!DOCTYPE",
    "[x]: <\n<!--",
]


@pytest.mark.parametrize("text", TEXTS)
def test_no_text_ends_its_message(text: str) -> None:
    whole = heading(text) + "".join(
        message_markdown(said(text, {"type": "reasoning", "text": text}, text), "now")
        for _ in range(2)
    )
    for shape in rendered(whole):
        assert shape.outside == ["h2", "h2"], whole
        assert shape.tags.count("h1") >= 1
        assert shape.comments == 0
        assert "script" not in shape.tags
        assert shape.depth == 0


def test_no_mixture_of_marks_ends_its_message() -> None:
    pieces = [
        "`",
        "``",
        "```",
        "~~~",
        "\n",
        "\n\n",
        " ",
        "    ",
        "\t",
        "<!--",
        "<b>",
        "</blockquote>",
    ]
    pieces += [
        "x",
        "|",
        "|---|\n",
        "[",
        "](",
        "]: ",
        ")",
        "\\",
        "> ",
        "- ",
        "## a",
        "$$",
        "&lt;",
        "a\n",
    ]
    draw = random.Random(16)
    for _ in range(3000):
        text = "".join(draw.choices(pieces, k=draw.randint(2, 14)))
        for shape in rendered(message_markdown(said(text))):
            assert shape.comments == 0, text
            assert shape.outside == ["h2"], text
            assert "b" not in shape.tags, text
            assert shape.depth == 0, text


def test_markdown_and_code_stay_as_they_are() -> None:
    text = "A *list*:\n\n1. `Vec<T>`\n2. b\n\n```html\n<b>&lt;</b>\n```\nend <b>"
    assert quoted(text) == (
        "> A *list*:\n>\n> 1. `Vec<T>`\n> 2. b\n>\n> ```html\n> <b>&lt;</b>\n> ```\n> end &lt;b>"
    )


def test_parts_are_shown_readably() -> None:
    shown = message_markdown(
        said(
            {"type": "step-start"},
            {"type": "reasoning", "text": "Let me see."},
            {
                "type": "dynamic-tool",
                "toolName": "f*x",
                "toolCallId": "c",
                "state": "output-available",
                "input": {"q": "```"},
                "output": "```\n````",
            },
            {
                "type": "tool-g",
                "toolCallId": "d",
                "state": "output-error",
                "input": {},
                "errorText": "no",
            },
            {
                "type": "source-url",
                "sourceId": "s",
                "url": "https://a.example/(x)<y> z",
                "title": "A]",
            },
            {"type": "source-url", "sourceId": "s", "url": "javascript:alert(1)"},
            {"type": "source-document", "sourceId": "s", "mediaType": "x/y", "title": "Doc"},
            {"type": "file", "mediaType": "image/png", "url": "data:image/png;base64,AAAA"},
            {
                "type": "file",
                "mediaType": "image/png",
                "url": "https://a.example/p",
                "filename": "p_",
            },
            {"type": "data-plot", "data": [1]},
            "Done.",
            metadata={"status": "stopped"},
        ),
        "2026-11-25 14:00 UTC",
    )
    assert (
        shown
        == """
## Assistant · 2026-11-25 14:00 UTC

**Reasoning**

> Let me see.

**Tool f\\*x** answered

Input:

````json
{
  "q": "```"
}
````

Output:

`````
```
````
`````

**Tool g** failed

Input:

```json
{}
```

Error:

```
no
```

Source: [A\\]](<https://a.example/(x)%3Cy%3E%20z>)

Source: javascript:alert(1)

Source: Doc

File: a file (image/png, 3 bytes)

File: [p\\_](<https://a.example/p>) (image/png)

**data-plot**

```json
[
  1
]
```

> Done.

*This answer was stopped.*
""".replace("](<https://a.example/(x)", "](<https://a.example/%28x%29")
    )


def test_odd_messages_are_shown() -> None:
    for message in (
        {},
        {"role": 7, "parts": "x"},
        {
            "role": "user",
            "parts": [None, 1, {}, {"type": "text"}, {"type": "tool-", "output": None}],
        },
        {"role": "user", "parts": [{"type": "file", "url": "http://[", "mediaType": 3}]},
        {"role": "user", "parts": [{"type": "source-url", "url": "http://["}], "metadata": 7},
    ):
        assert message_markdown(message).startswith("\n## ")
    assert inline(" a\n# b<c> ") == "a \\# b&lt;c&gt;"


@pytest.mark.parametrize(
    "text", ["`", "` ``", "<", "```\n", "a\n", "` `` ``` ", "\t```\n", "[", "\\"]
)
def test_it_takes_linear_time(text: str) -> None:
    texts = {size: "```\n" + text * size for size in (5_000, 20_000)}
    assert growth(lambda size: quoted(texts[size]), 5_000, time.process_time) <= MOST
    plain = {size: text * size for size in (5_000, 20_000)}
    assert growth(lambda size: quoted(plain[size]), 5_000, time.process_time) <= MOST


@pytest.mark.parametrize(
    ("title", "expected"),
    [
        ("A trip", "attachment; filename=\"A trip.md\"; filename*=UTF-8''A%20trip.md"),
        ("Straße", "attachment; filename=\"Stra e.md\"; filename*=UTF-8''Stra%C3%9Fe.md"),
        ("../../etc/passwd", None),
        ('"; x="', None),
        ("日本", "attachment; filename=\"thread.md\"; filename*=UTF-8''%E6%97%A5%E6%9C%AC.md"),
        ("a\r\nX-Evil: 1", None),
        ("\u202egnp.exe", None),
        ("...", "attachment; filename=\"thread.md\"; filename*=UTF-8''thread.md"),
        ("x" * 200, None),
    ],
)
def test_file_names(title: str, expected: str | None) -> None:
    value = disposition(title, "md")
    assert re.fullmatch(
        r"attachment; filename=\"[ -~]+\.md\"; filename\*=UTF-8''[A-Za-z0-9_.~%-]+", value
    )
    assert not re.search(r"[/\\\r\n\u202e]", value)
    assert value.count('"') == 2
    assert expected is None or value == expected


@pytest.fixture
async def service(server_dsn: str, admin_dsn: str) -> AsyncIterator[Service]:
    async with running_service(server_dsn, admin_dsn) as running:
        yield running


async def test_a_thread_is_downloaded(service: Service) -> None:
    for number in range(3):
        await service.chat("exported", f"question <{number}>")
    messages = await service.messages("exported")
    async with await service.get(f"{THREADS}/exported/export") as response:
        assert response.status == 200
        assert response.content_type == "text/markdown"
        assert response.headers["Content-Disposition"].startswith(
            'attachment; filename="question 0.md"'
        )
        assert response.headers["X-State-Key"] == "exported"
        assert "no-store" in response.headers["Cache-Control"]
        text = await response.text()
    assert text.startswith("# question &lt;0&gt;\n\n## User · 20")
    assert [line for line in text.split("\n") if line.startswith("> ")] == [
        line for number in range(3) for line in (f"> question &lt;{number}>", "> Hello.")
    ]
    async with await service.get(f"{THREADS}/exported/export?format=json") as response:
        assert response.content_type == "application/json"
        whole = json.loads(await response.read())
    assert whole["messages"] == messages
    assert (whole["stateKey"], whole["messageCount"]) == ("exported", 6)
    async with await service.get(f"{THREADS}/none/export") as response:
        assert (response.status, (await response.json())["code"]) == (404, "thread_not_found")
    async with await service.get(f"{THREADS}/exported/export?format=pdf") as response:
        assert (response.status, (await response.json())["code"]) == (400, "bad_request")
    async with await service.get(f"{THREADS}/exported/export?leaf=none") as response:
        assert (response.status, (await response.json())["code"]) == (404, "thread_not_found")


async def test_an_export_is_read_page_by_page(service: Service) -> None:
    await service.chat("paged", "first")
    service.rows(
        "select a.appended from pgthreads.set_tenant('dev') as t(owner),"
        " lateral pgthreads.append_thread(t.owner, 'paged', (select jsonb_agg(jsonb_build_object("
        "'id', 'p' || i, 'role', 'user', 'parts', jsonb_build_array(jsonb_build_object('type',"
        " 'text', 'text', repeat('x', 1000) || i)))) from generate_series(1, 1200) as i)) as a"
    )
    async with await service.get(f"{THREADS}/paged/export?format=json") as response:
        whole = json.loads(await response.read())
    assert [each["id"] for each in whole["messages"][2:]] == [f"p{i}" for i in range(1, 1201)]
    async with await service.get(f"{THREADS}/paged/export") as response:
        text = await response.text()
    assert text.count("\n## User") == 1201


async def test_an_export_that_breaks_has_no_end(service: Service) -> None:
    await service.chat("broken", "first")
    service.rows(
        "select a.appended from pgthreads.set_tenant('dev') as t(owner),"
        " generate_series(1, 20) as i,"
        " lateral pgthreads.append_thread(t.owner, 'broken', jsonb_build_array(jsonb_build_object("
        "'id', 'b' || i, 'role', 'user', 'parts', jsonb_build_array(jsonb_build_object('type',"
        " 'text', 'text', repeat('x', 1000000)))))) as a"
    )
    function = "function pgthreads.export_thread(text, text, int, int, text)"
    async with await service.get(f"{THREADS}/broken/export") as response:
        assert response.status == 200
        await response.content.readany()
        service.rows(f"revoke execute on {function} from pgthreads_server")
        try:
            with pytest.raises(ClientError):
                await response.read()
        finally:
            service.rows(f"grant execute on {function} to pgthreads_server")
