"""Logical replication works as docs/operations.md says, and not with less."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import ExitStack

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from pgthreads.postgres.migrate import migrate
from tests import programs
from tests.database import APP_ROLE, Database, Server, installed_cluster, prepared
from tests.operations.chains import OWNERS, append, chains, fill, message
from tests.operations.clusters import folder_for
from tests.operations.test_backup import assert_it_lives, counts

PUBLISHED = (
    "thread, message, turn, open_answer, tool_response, late_answer, retention, config,"
    " approval_policy, redaction_rule, share, tenant_key, tenant_secret, usage_total"
)
OF_ITS_OWN = ("migration", "redaction_screen", "verification")
"""Tables that each database has for itself; a migration fills the screen of the rules again."""

FILLED = ("config", "redaction_rule", "tenant_secret")


@pytest.fixture(scope="module")
def servers(database_server: Server) -> Iterator[tuple[Database, Database]]:
    """A publisher with data and a subscriber, each installed in a cluster of its own."""
    folder = folder_for(database_server)
    if programs.version(folder / "postgres") < 16:
        folders = programs.server_majors().values()
        newer = [each for each in folders if programs.version(each / "postgres") >= 16]
        if not newer:
            pytest.skip("run_as_owner takes PostgreSQL 16 or later on the subscriber")
        folder = newer[-1]
    with ExitStack() as stack:
        databases = []
        for label in ("the publisher", "the subscriber"):
            conninfo = stack.enter_context(installed_cluster(folder, wal_level="logical"))
            server = prepared(conninfo, label)
            with psycopg.connect(conninfo, autocommit=True) as admin:
                admin.execute("create database chat")
                migrate(make_conninfo(conninfo, dbname="chat"))
                admin.execute(f"grant pgthreads_server to {APP_ROLE}")
            databases.append(Database("chat", server))
        publisher, subscriber = databases
        fill(publisher.server_dsn)
        yield publisher, subscriber


def until(subscriber: Database, query: str) -> None:
    with psycopg.connect(subscriber.admin_dsn, autocommit=True) as admin:
        for _ in range(300):
            row = admin.execute(query).fetchone()
            if row and row[0]:
                return
            time.sleep(0.1)
    raise AssertionError(f"it did not come true in 30 s: {query}")


def test_another_server_takes_over(servers: tuple[Database, Database]) -> None:
    publisher, subscriber = servers
    with psycopg.connect(publisher.admin_dsn, autocommit=True) as admin:
        tables = admin.execute(
            "select string_agg(c.relname, ', ') from pg_class as c"
            " where c.relnamespace = 'pgthreads'::regnamespace and c.relkind = 'r'"
            " and c.relpersistence = 'p' and c.relname <> all (%s)",
            [list(OF_ITS_OWN)],
        ).fetchone()
        assert tables
        assert set(tables[0].split(", ")) == set(PUBLISHED.split(", "))
        admin.execute("insert into pgthreads.tenant_key (id) values ('k')")
        admin.execute("update pgthreads.config set max_messages = 123, lease = '50 s'")
        admin.execute("update pgthreads.redaction_rule set enabled = true where name = 'email'")
        names = ", ".join(f"pgthreads.{name}" for name in PUBLISHED.split(", "))
        admin.execute(f"create publication chat for table {names}")
    source = make_conninfo(publisher.admin_dsn, dbname="chat")
    with psycopg.connect(subscriber.admin_dsn, autocommit=True) as admin:
        for name in FILLED:
            admin.execute(f"delete from pgthreads.{name}")
        # Without it, rows are applied as the owner role, and refused.
        admin.execute(
            f"create subscription tried connection '{source}' publication chat"
            " with (run_as_owner = false, copy_data = false, disable_on_error = true)"
        )
        with psycopg.connect(publisher.server_dsn, autocommit=True) as app:
            append(app, OWNERS[0], "old1", message("tried"))
        until(subscriber, "select not subenabled from pg_subscription")
        admin.execute("drop subscription tried")

        admin.execute(
            f"create subscription chat connection '{source}' publication chat"
            " with (run_as_owner = true)"
        )
        until(
            subscriber,
            "select bool_and(srsubstate = 'r') and count(*) = "
            f"{len(PUBLISHED.split(', '))} from pg_subscription_rel",
        )
        with psycopg.connect(publisher.server_dsn, autocommit=True) as app:
            append(app, OWNERS[0], "old1", message("while it follows"))
        until(
            subscriber,
            "select exists (select from pgthreads.message as m"
            " where m.message_id = 'while it follows')",
        )
        until(
            subscriber,
            "select (select m.message_count from pgthreads.thread as m"
            f" where m.owner_user_id = '{OWNERS[0]}' and m.state_key = 'old1') = 22",
        )
        admin.execute("drop subscription chat")

    assert migrate(subscriber.admin_dsn) == []
    assert chains(subscriber.admin_dsn) == chains(publisher.admin_dsn)
    assert counts(subscriber) == counts(publisher)
    with psycopg.connect(subscriber.admin_dsn, autocommit=True) as admin:
        redacted = admin.execute("select pgthreads.redact_text('ada@example.org')").fetchone()
        assert redacted == ("[REDACTED:email]",)
        screens = []
        for database in servers:
            with psycopg.connect(database.admin_dsn, autocommit=True) as each:
                screens.append(
                    each.execute(
                        "select s.screen, s.first_look, s.folded, c.max_messages"
                        " from pgthreads.config as c, pgthreads.redaction_screen as s"
                    ).fetchone()
                )
        assert screens[0] == screens[1]
    assert_it_lives(subscriber)
    assert conninfo_to_dict(subscriber.admin_dsn)["port"] != conninfo_to_dict(source)["port"]
