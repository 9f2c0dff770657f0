"""Fixtures of all tests: one server per run, one migrated template, a clone per test module."""

from __future__ import annotations

import os
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, ExitStack
from typing import Any

import psycopg
import pytest

from tests.database import (
    DEFAULT_IMAGE,
    Choice,
    Database,
    NoDatabaseError,
    Server,
    choose,
    migrated_template,
    new_database,
    start_server,
)

_CHOICE = pytest.StashKey[Choice]()

Connection = psycopg.Connection[tuple[Any, ...]]
AsyncConnection = psycopg.AsyncConnection[tuple[Any, ...]]


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--postgres-image", default=DEFAULT_IMAGE, help="image of the container, where Docker is"
    )
    parser.addoption(
        "--long",
        action="store_true",
        help="try many random examples of tests/properties, not few that are always the same",
    )
    parser.addoption(
        "--no-skips",
        action="store_true",
        help="fail if a test was skipped (always where CI is set)",
    )


def pytest_configure(config: pytest.Config) -> None:
    try:
        config.stash[_CHOICE] = choose(config.getoption("--postgres-image"))
    except NoDatabaseError as error:
        raise pytest.UsageError(str(error)) from error


def pytest_report_header(config: pytest.Config) -> str:
    return f"database: {config.stash[_CHOICE].label}"


def pytest_sessionfinish(session: pytest.Session) -> None:
    config = session.config
    reporter: Any = config.pluginmanager.get_plugin("terminalreporter")
    skipped = reporter.stats.get("skipped", []) if reporter else []
    if skipped and (config.getoption("--no-skips") or os.environ.get("CI")):
        reporter.write_line(f"\n{len(skipped)} tests were skipped, which fails this run")
        session.exitstatus = session.exitstatus or pytest.ExitCode.TESTS_FAILED


@pytest.fixture(scope="session")
def database_server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """The run's server; `conninfo` is a superuser's."""
    with start_server(request.config.stash[_CHOICE]) as server:
        yield server


@pytest.fixture(scope="session")
def template_database(database_server: Server) -> Iterator[str]:
    """The name of a migrated database that nobody is connected to."""
    with migrated_template(database_server) as name:
        yield name


@pytest.fixture(scope="module")
def database(database_server: Server, template_database: str) -> Iterator[Database]:
    """A fresh migrated database for this module."""
    with new_database(database_server, template_database) as fresh:
        yield fresh


@pytest.fixture(scope="module")
def admin_dsn(database: Database) -> str:
    """A superuser on the module's database."""
    return database.admin_dsn


@pytest.fixture(scope="module")
def server_dsn(database: Database) -> str:
    """`app_login`, a member of `pgthreads_server`, on the module's database."""
    return database.server_dsn


@pytest.fixture(scope="module")
def owner_dsn(database: Database) -> str:
    """A session as `pgthreads_owner` on the module's database."""
    return database.owner_dsn


@pytest.fixture(scope="module")
def maintenance_dsn(database: Database) -> str:
    """A session as `pgthreads_maintenance` on the module's database."""
    return database.maintenance_dsn


@pytest.fixture
def fresh_database(
    database_server: Server, request: pytest.FixtureRequest
) -> Iterator[Callable[..., Database]]:
    """`fresh_database()` is a clone of the template, `fresh_database(migrated=False)` empty."""
    with ExitStack() as stack:

        def make(*, migrated: bool = True) -> Database:
            template = request.getfixturevalue("template_database") if migrated else None
            return stack.enter_context(new_database(database_server, template))

        yield make


@pytest.fixture
def connect() -> Iterator[Callable[..., Connection]]:
    """`connect(dsn, **options)`: an autocommit connection that is closed after the test."""
    with ExitStack() as stack:

        def make(dsn: str, *, autocommit: bool = True, **options: Any) -> Connection:
            return stack.enter_context(psycopg.connect(dsn, autocommit=autocommit, **options))

        yield make


@pytest.fixture
async def connect_async() -> AsyncIterator[Callable[..., Awaitable[AsyncConnection]]]:
    """`await connect_async(dsn, **options)`: as `connect`, for asyncio."""
    async with AsyncExitStack() as stack:

        async def make(dsn: str, *, autocommit: bool = True, **options: Any) -> AsyncConnection:
            connection = await psycopg.AsyncConnection.connect(
                dsn, autocommit=autocommit, **options
            )
            return await stack.enter_async_context(connection)

        yield make
