"""A server, a browser and a page for each test."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest

from tests.browser.chromium import Browser, Page, chromium, running_browser
from tests.server.service import Service, running_service


@pytest.fixture
async def service(
    server_dsn: str, admin_dsn: str, request: pytest.FixtureRequest
) -> AsyncIterator[Service]:
    # A user for each test, so that its list has only its own threads.
    user = request.node.name
    async with running_service(server_dsn, admin_dsn, heartbeat=0.2, dev_user=user) as running:
        yield running


@pytest.fixture
async def browser() -> AsyncIterator[Browser]:
    program = chromium()
    if program is None:
        pytest.fail("Chromium is not installed (Debian: chromium)")
    async with running_browser(program) as running:
        yield running


@pytest.fixture
async def page(service: Service, browser: Browser) -> AsyncIterator[Page]:
    opened = await browser.page(service.url)
    yield opened
    assert opened.faults == []
