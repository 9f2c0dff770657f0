"""List, read, rename, delete over HTTP."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator

import pytest

from tests.server.service import CHAT, THREADS, Service, body_of, running_service, text_of


@pytest.fixture
async def service(server_dsn: str, admin_dsn: str) -> AsyncIterator[Service]:
    async with running_service(server_dsn, admin_dsn) as running:
        yield running


async def test_the_list_is_paged_newest_first(service: Service) -> None:
    for number in range(5):
        await service.chat(f"page-{number}", f"question {number}")
    await service.chat("page-1", "again")
    seen = []
    cursor = ""
    while True:
        async with await service.get(f"{THREADS}?limit=2{cursor}") as response:
            page = await response.json()
        seen += page["threads"]
        if "nextCursor" not in page:
            break
        cursor = f"&cursor={page['nextCursor']}"
    assert [t["stateKey"] for t in seen] == ["page-1", "page-4", "page-3", "page-2", "page-0"]
    assert seen[0] == {
        "stateKey": "page-1",
        "title": "question 1",
        "createdAt": seen[0]["createdAt"],
        "updatedAt": seen[0]["updatedAt"],
        "messageCount": 4,
        "metadata": {},
        "archived": False,
        "running": False,
        "waiting": False,
    }


async def test_windows_and_etags(service: Service) -> None:
    for number in range(3):
        await service.chat("window", f"q{number}")
    path = f"{THREADS}/window"
    async with await service.get(path) as response:
        whole = await response.json()
        etag = response.headers["ETag"]
        assert response.headers["X-State-Key"] == "window"
        assert whole["stateKey"] == "window"
        assert whole["messageCount"] == len(whole["messages"]) == 6
    async with await service.get(f"{path}?last=2") as response:
        assert (await response.json())["messages"] == whole["messages"][-2:]
    async with await service.get(f"{path}?last=2&before=5") as response:
        assert (await response.json())["messages"] == whole["messages"][2:4]
    async with await service.get(f"{path}?last=100&before=2") as response:
        assert (await response.json())["messages"] == whole["messages"][:1]
    async with await service.get(path, headers={"If-None-Match": etag}) as response:
        assert (response.status, await response.read()) == (304, b"")
        assert response.headers["ETag"] == etag
    async with await service.get(path, headers={"If-None-Match": f'"x", {etag}'}) as response:
        assert response.status == 304
    await service.chat("window", "more")
    async with await service.get(path, headers={"If-None-Match": etag}) as response:
        assert response.status == 200
        assert response.headers["ETag"] != etag


async def test_stored_bytes_pass_through(service: Service) -> None:
    stored = '{"x": 1.50, "id": "n1", "role": "user", "parts": [{"text": "é", "type": "text"}]}'
    service.rows(
        "select a.* from pgthreads.set_tenant('dev') as t(owner),"
        " lateral pgthreads.append_thread(t.owner, 'bytes', jsonb_build_array(%s::jsonb)) as a",
        [stored],
    )
    async with await service.get(f"{THREADS}/bytes") as response:
        assert stored.encode() in await response.read()


async def test_rename_and_metadata(service: Service) -> None:
    await service.chat("rename", "hi")
    url = f"{service.url}{THREADS}/rename"
    async with service.session.patch(url, json={"title": "  A title ", "metadata": {"a": 1}}) as r:
        assert r.status == 200
        assert (await r.json())["title"] == "A title"
    async with service.session.patch(url, json={"metadata": {"b": 2}}) as r:
        body = await r.json()
        assert (body["title"], body["metadata"]) == ("A title", {"a": 1, "b": 2})
    async with service.session.patch(url, json={"title": ""}) as r:
        assert (await r.json())["title"] is None
    async with service.session.patch(url, json={"title": "x" * 201}) as r:
        assert r.status == 400
    async with service.session.patch(url, json={"metadata": {"a": "x" * 70_000}}) as r:
        assert (r.status, (await r.json())["code"]) == (413, "limit_exceeded")


async def test_a_thread_that_is_on_no_page_has_a_header(service: Service) -> None:
    for number in range(3):
        await service.chat(f"head-{number}", f"question {number}")
    async with await service.get(f"{THREADS}?limit=3") as response:
        listed = (await response.json())["threads"]
    async with await service.get(f"{THREADS}/head-0/header") as response:
        assert response.status == 200
        assert response.headers["X-State-Key"] == "head-0"
        assert await response.json() == listed[-1]
    async with await service.get(f"{THREADS}/none/header") as response:
        assert (response.status, (await response.json())["code"]) == (404, "thread_not_found")
    async with await service.get(f"{THREADS}/a%20b/header") as response:
        assert (response.status, (await response.json())["code"]) == (400, "bad_state_key")


async def test_archive_and_take_back(service: Service) -> None:
    async def listed(query: str = "") -> list[str]:
        async with await service.get(f"{THREADS}{query}") as response:
            assert response.status == 200
            threads = (await response.json())["threads"]
            return [each["stateKey"] for each in threads if each["stateKey"].startswith("arch")]

    await service.chat("arch-1", "one")
    await service.chat("arch-2", "two")
    url = f"{service.url}{THREADS}/arch-1"
    async with service.session.patch(url, json={"archived": True, "title": "Old"}) as r:
        assert r.status == 200
        body = await r.json()
        assert (body["archived"], body["title"], body["messageCount"]) == (True, "Old", 2)
    assert await listed() == ["arch-2"]
    assert await listed("?archived=false") == ["arch-2"]
    assert await listed("?archived=true") == ["arch-1"]
    assert await listed("?archived=all") == ["arch-2", "arch-1"]
    async with await service.get(f"{THREADS}/arch-1/header") as response:
        assert (await response.json())["archived"] is True
    async with service.session.patch(url, json={"archived": False}) as r:
        assert (await r.json())["archived"] is False
    assert await listed() == ["arch-2", "arch-1"]
    async with service.session.patch(url, json={"archived": True}) as r:
        assert r.status == 200
    await service.chat("arch-1", "again")
    assert await listed() == ["arch-1", "arch-2"]
    async with await service.get(f"{THREADS}?archived=maybe") as response:
        assert (response.status, (await response.json())["code"]) == (400, "bad_request")
    wrongs: list[object] = ["yes", 1, "", [], {}]
    for wrong in wrongs:
        async with service.session.patch(url, json={"archived": wrong}) as r:
            assert (r.status, (await r.json())["code"]) == (400, "bad_request"), wrong
    async with service.session.patch(url, json={"archived": None}) as r:
        assert r.status == 400


async def test_delete_hides_the_thread(service: Service) -> None:
    await service.chat("gone", "hi")
    for _ in range(2):
        async with service.session.delete(f"{service.url}{THREADS}/gone") as response:
            assert response.status == 204
    async with await service.get(f"{THREADS}/gone") as response:
        assert response.status == 404
    async with await service.get(THREADS) as response:
        assert "gone" not in [t["stateKey"] for t in (await response.json())["threads"]]
    async with await service.post(CHAT, body_of("gone", "hello?")) as response:
        assert (response.status, (await response.json())["code"]) == (410, "thread_deleted")
    async with service.session.patch(f"{service.url}{THREADS}/gone", json={"title": "x"}) as r:
        assert r.status == 410
    assert service.rows("select count(*) from pgthreads.message where state_key = 'gone'") == [(2,)]


async def test_probes_and_contract(service: Service) -> None:
    for path in ("/healthz", "/readyz"):
        async with await service.get(path) as response:
            assert response.status == 200
    await service.chat("metric", "hi")
    async with await service.get("/metrics") as response:
        text = await response.text()
        assert 'pgthreads_turns_total{status="completed"} 1.0' in text
    async with await service.get("/openapi.json") as response:
        paths = (await response.json())["paths"]
    assert "/api/v1/ai/chat" in paths
    async with await service.get("/") as response:
        assert response.content_type == "text/html"
        assert "default-src 'self'" in response.headers["Content-Security-Policy"]


async def test_a_page_never_gets_a_script_of_another_release(service: Service) -> None:
    async with await service.get("/") as response:
        assert response.headers["Cache-Control"] == "no-cache"
        policy = response.headers["Content-Security-Policy"]
        assert "require-trusted-types-for 'script'" in policy
        assert "unsafe" not in policy
        names = re.findall(r'"(/web/assets/[^"]+)"', await response.text())
    assert sorted(name.rpartition(".")[2] for name in names) == ["css", "js"]
    for name in ["/", *names, "/web/icon.svg"]:
        async with await service.get(name) as response:
            assert response.status == 200
            assert response.headers["X-Content-Type-Options"] == "nosniff"
            assert response.headers["Referrer-Policy"] == "no-referrer"
            assert ("immutable" in response.headers["Cache-Control"]) == (name in names)
    for name in ("assets/app-OTHER.js", "../app.py", "%2e%2e/app.py", "assets/", ""):
        async with await service.get(f"/web/{name}") as response:
            assert response.status == 404


async def test_the_title_is_what_the_user_said_first(service: Service) -> None:
    await service.chat("title", "  What\n is   this? " + "x" * 200)
    async with await service.get(THREADS) as response:
        [title] = [
            t["title"] for t in (await response.json())["threads"] if t["stateKey"] == "title"
        ]
    assert title.startswith("What is this? xxx")
    assert len(title) == 80
    assert text_of((await service.messages("title"))[0]).endswith("x")
