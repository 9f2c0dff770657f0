"""The server does not start where it could not keep its promises."""

from __future__ import annotations

from collections.abc import Callable, Iterator

import psycopg
import pytest
from psycopg.conninfo import make_conninfo

from pgthreads.app import StartError
from tests.database import Database
from tests.server.service import running_service

ROLES = {
    "superuser": "create role {} login superuser password 'x'",
    "bypassrls": "create role {} login bypassrls password 'x' in role pgthreads_server",
    "createrole": "create role {} login createrole password 'x' in role pgthreads_server",
    "owner": "create role {} login password 'x' in role pgthreads_owner, pgthreads_server",
    "maintenance": (
        "create role {} login password 'x' in role pgthreads_maintenance, pgthreads_server"
    ),
    "stranger": "create role {} login password 'x'",
}


@pytest.fixture(params=ROLES)
def unfit_dsn(request: pytest.FixtureRequest, database: Database) -> Iterator[str]:
    role = f"unfit_{request.param}"
    with psycopg.connect(database.admin_dsn, autocommit=True) as connection:
        connection.execute(f"drop role if exists {role}")
        connection.execute(ROLES[request.param].format(role))
        yield make_conninfo(database.admin_dsn, user=role, password="x")
        connection.execute(f"drop role {role}")


async def test_roles_that_must_not_serve(unfit_dsn: str, admin_dsn: str) -> None:
    with pytest.raises(StartError) as refusal:
        async with running_service(unfit_dsn, admin_dsn):
            pass
    assert "pgthreads" in refusal.value.hint


async def test_a_database_without_the_schema(
    fresh_database: Callable[..., Database], admin_dsn: str
) -> None:
    empty = fresh_database(migrated=False)
    with pytest.raises(StartError, match="cannot be used") as refusal:
        async with running_service(empty.server_dsn, admin_dsn):
            pass
    assert "migrate" in refusal.value.hint


async def test_another_version_of_the_contract(
    fresh_database: Callable[..., Database],
) -> None:
    database = fresh_database()
    with psycopg.connect(database.admin_dsn, autocommit=True) as connection:
        connection.execute(
            "create or replace function pgthreads.api_version() returns int"
            " language sql immutable return 99"
        )
    with pytest.raises(StartError, match="version 99"):
        async with running_service(database.server_dsn, database.admin_dsn):
            pass
