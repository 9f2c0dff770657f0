"""`pgthreads purge|verify|reap|stats`, run as cron does, and on a terminal."""

from __future__ import annotations

import json
import os
import pty
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import make_conninfo

from pgthreads.embedded import EmbeddedPostgres
from pgthreads.postgres.migrate import migrate
from tests.database import Database

COMMAND = [sys.executable, "-c", "from pgthreads.cli import main; main()"]


def environment(**variables: str) -> dict[str, str]:
    kept = {k: v for k, v in os.environ.items() if not k.startswith("PGTHREADS_")}
    return {**kept, **variables}


def run(*arguments: str, dsn: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment(PGTHREADS_MAINTENANCE_DATABASE_URL=dsn),
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


@pytest.fixture
def threads(fresh_database: Callable[..., Database]) -> Database:
    """Six threads of two messages: a to c of ann and of bob; each c was deleted long ago."""
    database = fresh_database()
    with psycopg.connect(database.admin_dsn) as connection:
        for owner in ("ann", "bob"):
            for key in ("a", "b", "c"):
                messages = [
                    {"id": f"m{i}", "role": "user", "parts": [{"type": "text", "text": "x" * 50}]}
                    for i in (1, 2)
                ]
                connection.execute(
                    "select a.* from pgthreads.set_tenant(%s) as t(owner),"
                    " lateral pgthreads.append_thread(t.owner, %s, %s) as a",
                    (owner, key, json.dumps(messages)),
                )
        connection.execute(
            "update pgthreads.thread set deleted_at = now() - interval '100 days'"
            " where state_key = 'c'"
        )
    return database


@pytest.fixture
def operator_dsn(threads: Database) -> Iterator[str]:
    """A login role that is a member of `pgthreads_maintenance`."""
    name = f"operator_{os.getpid()}"
    role = sql.Identifier(name)
    with psycopg.connect(threads.admin_dsn, autocommit=True) as admin:
        admin.execute(
            sql.SQL("create role {} login password 'o' in role pgthreads_maintenance").format(role)
        )
        yield make_conninfo(threads.admin_dsn, user=name, password="o")
        admin.execute(sql.SQL("drop role {}").format(role))


def break_a_chain(database: Database) -> None:
    with psycopg.connect(database.admin_dsn) as connection:
        connection.execute("set local session_replication_role = replica")
        connection.execute(
            'update pgthreads.message set message = \'{"id": "m2"}\''
            " where owner_user_id = 'bob' and state_key = 'a' and seq = 2"
        )


def begin_a_turn(database: Database, key: str) -> None:
    message = {"id": "u", "role": "user", "parts": [{"type": "text", "text": "hello"}]}
    with psycopg.connect(database.admin_dsn) as connection:
        connection.execute(
            "select b.* from pgthreads.set_tenant('ann') as t(owner),"
            " lateral pgthreads.begin_turn(t.owner, %s, %s, 't1') as b",
            (key, json.dumps(message)),
        )
        connection.execute("update pgthreads.turn set lease_until = now() - interval '2 minutes'")


def test_purge_removes_what_is_due(threads: Database, operator_dsn: str) -> None:
    kept = run("purge", "--deleted-before", "1 year", dsn=operator_dsn)
    assert kept.stdout.startswith("purged 0 threads ")

    # More than one batch.
    purged = run("purge", "--batch", "1", dsn=operator_dsn)

    assert (purged.returncode, purged.stderr) == (0, "")
    assert purged.stdout.startswith("purged 2 threads with 4 messages (")
    with psycopg.connect(threads.admin_dsn) as connection:
        rows = connection.execute("select state_key from pgthreads.thread").fetchall()
    assert sorted(row[0] for row in rows) == ["a", "a", "b", "b"]


def test_purge_as_json(threads: Database, operator_dsn: str) -> None:
    told = json.loads(run("purge", "--json", dsn=operator_dsn).stdout)

    assert told.pop("bytes") > 100
    assert told == {
        "threads": 2,
        "messages": 4,
        "turns": 0,
        "finishedTurns": 0,
        "lateAnswers": 0,
    }


def test_purge_removes_what_turns_leave(threads: Database, operator_dsn: str) -> None:
    """Turns go batch by batch, and what they have used stays."""
    begin_a_turn(threads, "x")
    begin_a_turn(threads, "y")
    with psycopg.connect(threads.admin_dsn) as connection:
        connection.execute(
            "update pgthreads.turn set status = 'completed', usage = '{\"inputTokens\": 3}',"
            " finished_at = now() - interval '1 year'"
        )

    purged = run("purge", "--batch", "1", dsn=operator_dsn)

    assert (purged.returncode, purged.stderr) == (0, "")
    assert purged.stdout.endswith("purged 2 finished turns and 0 late answers\n")
    with psycopg.connect(threads.admin_dsn) as connection:
        used = connection.execute(
            "select sum(turns), sum((usage ->> 'inputTokens')::int) from pgthreads.usage_total"
        ).fetchone()
    assert used == (2, 6)


def test_verify_passes_what_fits(threads: Database, operator_dsn: str) -> None:
    done = run("verify", "--batch", "4", dsn=operator_dsn)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "verified 6 threads with 12 messages, 0 bad\n"


def test_verify_fails_what_does_not_fit(threads: Database, operator_dsn: str) -> None:
    break_a_chain(threads)

    done = run("verify", "--batch", "2", dsn=operator_dsn)

    assert done.returncode == 1
    assert done.stdout.splitlines() == [
        "BAD  bob  a  Message 2 does not fit the digest before it:"
        " it was changed, or one before it was.",
        "verified 6 threads with 12 messages, 1 bad",
    ]


def test_verify_as_json(threads: Database, operator_dsn: str) -> None:
    break_a_chain(threads)

    done = run("verify", "--json", dsn=operator_dsn)

    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert told["bad"][0].pop("detail").startswith("Message 2 does not fit")
    assert told == {
        "ok": False,
        "threads": 6,
        "messages": 12,
        "bad": [{"ownerUserId": "bob", "stateKey": "a", "badSeq": 2}],
    }


def test_verify_of_one_owner(threads: Database, operator_dsn: str) -> None:
    break_a_chain(threads)

    done = run("verify", "--owner", "ann", "--batch", "2", dsn=operator_dsn)

    assert done.returncode == 0
    assert done.stdout == "verified 3 threads with 6 messages, 0 bad\n"


def test_reap_closes_dead_turns(threads: Database, operator_dsn: str) -> None:
    begin_a_turn(threads, "a")

    early = run("reap", "--grace", "5 minutes", dsn=operator_dsn)
    done = run("reap", dsn=operator_dsn)

    assert early.stdout == "closed 0 turns\n"
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("ann  a  t1  lease ended 2")
    assert done.stdout.endswith("\nclosed 1 turns\n")


def test_reap_as_json(threads: Database, operator_dsn: str) -> None:
    begin_a_turn(threads, "a")
    begin_a_turn(threads, "b")

    told = json.loads(run("reap", "--json", "--batch", "1", dsn=operator_dsn).stdout)

    assert [(turn["ownerUserId"], turn["turnId"]) for turn in told["turns"]] == [("ann", "t1")] * 2
    assert {turn["stateKey"] for turn in told["turns"]} == {"a", "b"}


def test_stats(threads: Database, operator_dsn: str) -> None:
    begin_a_turn(threads, "a")

    told = json.loads(run("stats", "--json", dsn=operator_dsn).stdout)
    done = run("stats", dsn=operator_dsn)

    sizes = ("threadBytes", "messageBytes", "turnBytes", "journalBytes", "lateAnswerBytes")
    for name in ("oldestTurn", *sizes):
        assert told.pop(name) > 0
    assert told == {
        "owners": 2,
        "threads": 4,
        "deletedThreads": 2,
        "dueThreads": 2,
        "messages": 13,
        "runningTurns": 1,
        "openAnswers": 0,
        "oldestOpenAnswer": None,
        "deadTurns": 1,
        "waitingMessages": 0,
        "lateAnswers": 0,
    }
    lines = dict(line.rsplit(maxsplit=1) for line in done.stdout.splitlines()[:7])
    assert lines["deleted threads"] == "2"


def test_the_embedded_database_is_the_default() -> None:
    folder = Path(tempfile.mkdtemp(prefix="pgthreads-test-"))
    folder.chmod(0o711)
    try:
        with EmbeddedPostgres(folder / "data", durable=False) as running:
            migrate(running.admin_dsn)
        done = run("verify", "--data-dir", str(folder / "data"), dsn="")
    finally:
        shutil.rmtree(folder, ignore_errors=True)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == "verified 0 threads with 0 messages, 0 bad\n"


def test_a_superuser_maintains_too(threads: Database) -> None:
    assert run("purge", dsn=threads.admin_dsn).stdout.startswith("purged 2 threads ")


@pytest.mark.parametrize("command", ["purge", "verify", "reap", "stats"])
def test_another_role_is_told(threads: Database, command: str) -> None:
    done = run(command, dsn=threads.server_dsn)

    assert done.returncode == 1
    assert "app_login is not a member of pgthreads_maintenance" in done.stderr
    assert 'grant pgthreads_maintenance to "app_login"' in done.stderr


def test_a_database_without_the_schema_is_told(fresh_database: Callable[..., Database]) -> None:
    done = run("purge", dsn=fresh_database(migrated=False).admin_dsn)

    assert done.returncode == 1
    assert "pgthreads migrate" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "status", "text"),
    [
        (
            ["purge", "--deleted-before", "soon"],
            1,
            'invalid input syntax for type interval: "soon"',
        ),
        (["purge", "--deleted-before", "-1 day"], 1, "p_deleted_before is -1 days"),
        (["reap", "--grace", "-1 day"], 1, "p_grace is -1 days"),
        (["verify", "--batch", "0"], 2, "--batch"),
    ],
)
def test_a_wrong_argument_is_told(
    threads: Database, arguments: list[str], status: int, text: str
) -> None:
    done = run(*arguments, dsn=threads.admin_dsn)

    assert done.returncode == status
    assert text in done.stderr


def test_progress_is_shown_on_a_terminal(threads: Database) -> None:
    ours, theirs = pty.openpty()
    environ: Any = environment(PGTHREADS_MAINTENANCE_DATABASE_URL=threads.admin_dsn)
    with subprocess.Popen(
        [*COMMAND, "verify", "--batch", "4", "--json"],
        stdout=subprocess.PIPE,
        stderr=theirs,
        text=True,
        env=environ,
    ) as process:
        os.close(theirs)
        stdout, _ = process.communicate(timeout=60)
    shown = os.read(ours, 65536).decode()
    os.close(ours)

    assert json.loads(stdout)["threads"] == 6
    assert "verified 4 threads, 8 messages, 0 bad" in shown
    assert "verified 6 threads, 12 messages, 0 bad" in shown
