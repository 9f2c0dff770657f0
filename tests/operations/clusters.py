"""Separate clusters, copies of them, and a PgBouncer in front of one."""

from __future__ import annotations

import re
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from tests import programs
from tests.database import (
    Database,
    Server,
    _account,
    cluster_home,
    free_port,
    run_as_account,
    running_cluster,
    wait_until_it_answers,
)


def folder_for(server: Server) -> Path:
    """Return the programs of the run's major version, or otherwise of the newest."""
    folders = list(programs.server_majors().values())
    if not folders:
        raise programs.MissingProgramError("no PostgreSQL server is installed here")
    same = [each for each in folders if programs.version(each / "postgres") == server.major]
    return same[0] if same else folders[-1]


@contextmanager
def copied_cluster(folder: Path, conninfo: str, *options: str) -> Iterator[str]:
    """Copy a running cluster by pg_basebackup, verify the copy, run it; yield its conninfo."""
    with cluster_home() as home:
        for command in (
            ["pg_basebackup", "-d", conninfo, "-D", "data", "-X", "stream", "-c", "fast", *options],
            ["pg_verifybackup", "data"],
        ):
            # The wheel's pg_verifybackup 18 always crashes, even for --version.
            if not programs.version(folder / command[0]):
                continue
            answer = run_as_account([folder / command[0], *command[1:]], home)
            assert answer.returncode == 0, answer.stdout
        password = str(conninfo_to_dict(conninfo)["password"])
        with running_cluster(folder, home, password) as copy:
            yield copy


def wait_for_replay(primary: str, standby: str) -> None:
    """Return when the standby has replayed everything that the primary has written by now."""
    with psycopg.connect(primary, autocommit=True) as connection:
        row = connection.execute("select pg_current_wal_lsn()::text").fetchone()
    assert row
    with psycopg.connect(standby, autocommit=True) as connection:
        for _ in range(200):
            behind = connection.execute(
                "select pg_last_wal_replay_lsn() < %s::pg_lsn, pg_sleep(0.1)", row
            ).fetchone()
            if behind and not behind[0]:
                return
    raise AssertionError("the standby did not catch up in 20 s")


@contextmanager
def pgbouncer(database: Database) -> Iterator[str]:
    """Run PgBouncer in transaction mode for `database`; yield the application's conninfo."""
    program = programs.pgbouncer()
    if program is None:
        raise programs.MissingProgramError(
            "pgbouncer is missing (Debian: apt-get install pgbouncer)"
        )
    target = conninfo_to_dict(database.server_dsn)
    port = free_port()
    configuration = f"""
[databases]
chat = host={target["host"]} port={target["port"]} dbname={target["dbname"]}
[pgbouncer]
listen_addr = 127.0.0.1
listen_port = {port}
unix_socket_dir =
auth_type = scram-sha-256
auth_file = users.txt
pool_mode = transaction
default_pool_size = 4
max_client_conn = 200
"""
    with cluster_home() as home:
        (home / "pgbouncer.ini").write_text(configuration)
        (home / "users.txt").write_text(f'"{target["user"]}" "{target["password"]}"\n')
        account = _account()
        # It ends with this process, however that happens, because then the pipe closes.
        keep = '"$@" >log 2>&1 & p=$!; read -r _; kill -INT $p; wait $p'
        process = subprocess.Popen(
            ["/bin/sh", "-c", keep, "sh", str(program), "pgbouncer.ini"],
            stdin=subprocess.PIPE,
            cwd=home,
            start_new_session=True,
            user=account.pw_uid if account else None,
            group=account.pw_gid if account else None,
            extra_groups=[] if account else None,
        )
        try:
            through = make_conninfo(database.server_dsn, host="127.0.0.1", port=port, dbname="chat")
            wait_until_it_answers(through, lambda: None)
            yield through
        finally:
            assert process.stdin
            process.stdin.close()
            process.wait(20)


def pgbouncer_version() -> tuple[int, int]:
    """Return the version of the installed PgBouncer, for example (1, 18)."""
    program = programs.pgbouncer()
    assert program
    text = subprocess.run([program, "--version"], capture_output=True, text=True, check=True).stdout
    found = re.search(r"PgBouncer (\d+)\.(\d+)", text)
    assert found, text
    return int(found[1]), int(found[2])
