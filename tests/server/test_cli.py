"""The command, run as users run it: exit statuses, messages, and no tracebacks."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
import pytest

from pgthreads.cli.threads import printable
from pgthreads.embedded import EmbeddedPostgres, EmbeddedServer
from pgthreads.postgres.migrate import migrate
from tests.server.command import COMMAND, environment

MESSAGES = [
    {"id": "u1", "role": "user", "parts": [{"type": "text", "text": "what is 2+3?"}]},
    {
        "id": "a1",
        "role": "assistant",
        "parts": [
            {
                "type": "dynamic-tool",
                "toolName": "calculator",
                "toolCallId": "c1",
                "state": "output-available",
                "input": {"expression": "2+3"},
                "output": 5,
            },
            {"type": "text", "text": "It is 5.\x1b[2J"},
        ],
    },
]


def run(*arguments: str | Path, **variables: str) -> subprocess.CompletedProcess[str]:
    done = subprocess.run(
        [*COMMAND, *arguments],
        capture_output=True,
        text=True,
        timeout=60,
        env=environment(**variables),
        check=False,
    )
    assert "Traceback" not in done.stderr, done.stderr
    return done


@contextmanager
def enterable_directory() -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="pgthreads-test-"))
    folder.chmod(0o711)
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


@contextmanager
def serving(*arguments: str | Path) -> Iterator[tuple[subprocess.Popen[str], list[str]]]:
    """A running `pgthreads serve`, and the lines that it has printed so far."""
    with Path(tempfile.mkstemp()[1]).open("w+") as log:
        Path(log.name).unlink()
        process = subprocess.Popen(
            [*COMMAND, "serve", "--port", "0", *arguments],
            stdout=subprocess.PIPE,
            stderr=log,
            text=True,
            env=environment(),
        )
        try:
            assert process.stdout is not None
            lines = []
            for line in process.stdout:
                lines.append(line)
                if line.startswith("Try: "):
                    break
            else:
                log.seek(0)
                pytest.fail(f"serve ended: {lines} {log.read()}")
            yield process, lines
        finally:
            if process.poll() is None:
                process.terminate()
                process.wait(timeout=30)
            assert process.stdout is not None
            process.stdout.close()


def postgres_of(data_dir: Path) -> int:
    return int((data_dir / "cluster" / "postmaster.pid").read_text().split()[0])


@pytest.fixture
def place() -> Iterator[Path]:
    with enterable_directory() as folder:
        yield folder


@pytest.fixture(scope="module")
def server() -> Iterator[EmbeddedServer]:
    """A migrated database with one thread of owner ann; its data directory is in use."""
    with enterable_directory() as folder:
        embedded = EmbeddedPostgres(folder / "data", durable=False)
        with embedded as running:
            migrate(running.admin_dsn)
            embedded.prepare_app_role()
            with psycopg.connect(running.app_dsn) as connection:
                connection.execute(
                    "select a.* from pgthreads.set_tenant('ann') as t(owner),"
                    " lateral pgthreads.append_thread(t.owner, '-first', %s) as a",
                    [json.dumps(MESSAGES)],
                )
            yield running


# Calling


def test_version_and_help() -> None:
    assert run("--version").stdout.startswith("pgthreads, version ")
    for command in ([], ["serve"], ["migrate"], ["doctor"], ["threads"], ["threads", "show"]):
        told = run(*command, "--help")
        assert told.returncode == 0
        assert "Usage: " in told.stdout
    assert "PGTHREADS_JWT_SECRET" in run("serve", "--help").stdout


def test_help_does_not_show_secrets() -> None:
    secret = "0123456789abcdef0123456789abcdef"
    url = "postgresql://a:hunter22@h/d"
    told = run("serve", "--help", PGTHREADS_JWT_SECRET=secret, PGTHREADS_DATABASE_URL=url)
    assert secret not in told.stdout
    assert "hunter22" not in told.stdout


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["serve", "--host", "0.0.0.0"], "--auth dev lets everybody in"),
        (["serve", "--port", "x"], "--port"),
        (["serve", "--auth", "jwt"], "exactly one of"),
        (["serve", "--nonsense"], "No such option"),
        (["migrate"], "Missing option"),
        (["threads", "show", "--owner", "ann"], "Missing argument 'STATE_KEY'"),
        (["nonsense"], "No such command"),
    ],
)
def test_a_wrong_call_is_status_2(arguments: list[str], message: str) -> None:
    told = run(*arguments)
    assert told.returncode == 2
    assert message in told.stderr
    assert told.stdout == ""


# Serving


def test_serve_prints_a_curl_line_that_works(place: Path) -> None:
    with serving("--data-dir", place / "data") as (process, lines):
        (line,) = (line for line in lines if line.startswith("Try: "))
        answer = subprocess.run(
            shlex.split(line.removeprefix("Try: ")), capture_output=True, timeout=30, check=True
        )
        assert b"14" in answer.stdout
        assert answer.stdout.rstrip().endswith(b"data: [DONE]")
        postgres = postgres_of(place / "data")
        listed = run("threads", "list", "--owner", "dev", "--data-dir", place / "data")
        assert listed.returncode == 0, listed.stderr
        assert len(listed.stdout.splitlines()) == 1
        assert (place / "data" / "spool").stat().st_mode & 0o777 == 0o700
        process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
        assert not Path(f"/proc/{postgres}").exists()


def test_serve_stops_at_an_interrupt(place: Path) -> None:
    with serving("--data-dir", place / "data") as (process, _):
        postgres = postgres_of(place / "data")
        process.send_signal(signal.SIGINT)
        assert process.wait(timeout=30) == 0
        assert not Path(f"/proc/{postgres}").exists()


def test_serve_that_is_killed_takes_postgres_along(place: Path) -> None:
    with serving("--data-dir", place / "data") as (process, _):
        postgres = postgres_of(place / "data")
        process.kill()
        deadline = time.monotonic() + 10
        while Path(f"/proc/{postgres}").exists():
            assert time.monotonic() < deadline
            time.sleep(0.02)


def test_a_second_serve_on_the_same_data_is_refused(server: EmbeddedServer) -> None:
    told = run("serve", "--port", "0", "--data-dir", server.data_dir)
    assert told.returncode == 1
    assert re.search(rf"in use by another pgthreads \(pid {os.getpid()}\)", told.stderr)
    assert "Hint: " in told.stderr


def test_a_taken_port_is_told_before_anything_is_started(place: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        told = run("serve", "--port", str(port), "--data-dir", place / "data")
    assert told.returncode == 1
    assert f"port {port} of 127.0.0.1 is in use" in told.stderr
    assert not (place / "data").exists()


def test_a_database_that_does_not_answer_is_told() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        url = f"postgresql://app@127.0.0.1:{silent.getsockname()[1]}/chat"
        for command in (["migrate"], ["threads", "list", "--owner", "ann"]):
            told = run(*command, "--database-url", url)
            assert told.returncode == 1
            assert "refused" in told.stderr
            assert len(told.stderr.splitlines()) <= 2


# The other commands


def test_migrate_says_what_it_did(place: Path) -> None:
    with EmbeddedPostgres(place / "data", durable=False) as fresh:
        first = run("migrate", PGTHREADS_DATABASE_URL=fresh.admin_dsn)
        assert first.returncode == 0, first.stderr
        assert "applied 0001_" in first.stdout
        second = run("migrate", PGTHREADS_ADMIN_DATABASE_URL=fresh.admin_dsn)
        assert second.returncode == 0, second.stderr
        assert "applied" not in second.stdout


def test_migrate_without_the_privilege_is_told(server: EmbeddedServer) -> None:
    told = run("migrate", "--database-url", server.app_dsn)
    assert told.returncode == 1
    assert told.stderr.startswith("Error: ")


@pytest.mark.parametrize("by", ["url", "directory"])
def test_threads_are_listed_shown_and_exported(server: EmbeddedServer, by: str) -> None:
    where: list[str | Path] = (
        ["--database-url", server.app_dsn] if by == "url" else ["--data-dir", server.data_dir]
    )
    listed = run("threads", "list", "--owner", "ann", *where)
    assert re.match(r"-first +2 ", listed.stdout), listed
    shown = run("threads", "show", "-first", "--owner", "ann", *where)
    assert "what is 2+3?" in shown.stdout, shown
    assert 'calculator({"expression": "2+3"}) -> 5' in shown.stdout
    assert "It is 5." in shown.stdout
    assert "\x1b[2J" not in shown.stdout
    last = run("threads", "show", "-first", "--last", "1", "--owner", "ann", *where)
    assert "what is 2+3?" not in last.stdout.split("\n", 1)[1]
    exported = run("threads", "export", "-first", "--owner", "ann", *where)
    thread = json.loads(exported.stdout)
    assert thread["messages"] == MESSAGES
    assert thread["stateKey"] == "-first"
    assert len(exported.stdout.splitlines()) == 1


def test_threads_are_those_of_serve_s_own_user(server: EmbeddedServer) -> None:
    """Without --owner; and if there are no threads, for which owner it looked."""
    where = ("--database-url", server.app_dsn)
    told = run("threads", "list", *where)
    assert (told.returncode, told.stdout) == (0, "")
    assert told.stderr == "dev has no threads (--owner names whose are listed)\n"
    assert "-first" in run("threads", "list", *where, PGTHREADS_DEV_USER="ann").stdout
    other = {"PGTHREADS_DEV_USER": "ann", "PGTHREADS_OWNER": "bob"}
    assert run("threads", "list", *where, **other).stderr.startswith("bob has no threads")


def test_threads_of_another_owner_are_not_there(server: EmbeddedServer) -> None:
    where = ("--owner", "bob", "--database-url", server.app_dsn)
    assert run("threads", "list", *where).stdout == ""
    for command in ("show", "export"):
        told = run("threads", command, "-first", *where)
        assert told.returncode == 1
        assert told.stderr == "Error: bob has no thread -first\n"


def test_threads_of_a_directory_without_a_database_make_none(place: Path) -> None:
    told = run("threads", "list", "--owner", "ann", "--data-dir", place / "data")
    assert told.returncode == 1
    assert "there is no database in" in told.stderr
    assert not (place / "data").exists()


def test_doctor_passes_what_serve_could_use(server: EmbeddedServer) -> None:
    for where in (["--database-url", server.app_dsn], ["--data-dir", str(server.data_dir)]):
        told = run("doctor", *where)
        assert told.returncode == 0, told.stdout
        assert "FAIL" not in told.stdout
        assert "schema pgthreads, contract" in told.stdout


def test_doctor_fails_redaction_that_is_off(server: EmbeddedServer) -> None:
    with psycopg.connect(server.admin_dsn, autocommit=True) as admin:
        enabled = admin.execute(
            "select name from pgthreads.redaction_rule where enabled"
        ).fetchall()
        admin.execute("update pgthreads.redaction_rule set enabled = false")
        try:
            told = run("doctor", "--database-url", server.app_dsn)
        finally:
            admin.execute(
                "update pgthreads.redaction_rule set enabled = true where name = any (%s)",
                ([name for (name,) in enabled],),
            )
    assert told.returncode == 1
    assert "FAIL  redaction: No rule is enabled" in told.stdout
    assert "redaction works" in run("doctor", "--database-url", server.app_dsn).stdout


def test_doctor_fails_a_superuser(server: EmbeddedServer) -> None:
    told = run("doctor", "--database-url", server.admin_dsn)
    assert told.returncode == 1
    assert "FAIL" in told.stdout


def test_doctor_fails_a_database_without_the_schema(place: Path) -> None:
    with EmbeddedPostgres(place / "data", durable=False):
        told = run("doctor", "--data-dir", place / "data")
    assert told.returncode == 1
    assert "pgthreads migrate" in told.stdout


def test_text_from_threads_cannot_steer_the_terminal() -> None:
    assert printable("a\x1b]0;title\x07\r\x9b31m\u202eb\n\tc") == "a�]0;title���31m�b\n\tc"
