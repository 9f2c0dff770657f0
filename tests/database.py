"""Finds or starts the PostgreSQL server of a test run, and makes fresh databases in it.

The server is the first of these that is available:

1. the server of `PGTHREADS_TEST_DSN` (a superuser; databases named `pgthreads_test_…` come and go
   in it, and a role `app_login` stays),
2. a container, when a Docker daemon answers,
3. a throw-away cluster of the newest PostgreSQL that is installed,
4. a throw-away cluster of the `embedded` extra's PostgreSQL.

`PGTHREADS_TEST_SERVER` picks one of 2 to 4: `container`, `installed` or `embedded`; the last two
also with a major version: `installed:15` or `embedded:16`.

`python -m tests.database run [--pgtap] [--with PART] -- COMMAND …` runs a command with PG* and
`PGTHREADS_TEST_DSN` set to a fresh migrated database; without `run`, prints which it would take.
"""

from __future__ import annotations

import argparse
import itertools
import os
import pwd
import re
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from pgthreads.postgres.migrate import MigrateError, migrate
from tests import programs

DEFAULT_IMAGE = "postgres:17"
APP_ROLE = "app_login"
"""A LOGIN role, member of `pgthreads_server`: what an application connects as."""
_APP_PASSWORD = "app_login"
_START_SECONDS = 60.0
_numbers = itertools.count(1)


class NoDatabaseError(Exception):
    """No server to test against could be found or started; the text says what to do."""


@dataclass(frozen=True)
class Server:
    """A running server: `conninfo` is a superuser's, `label` tells people which one it is."""

    conninfo: str
    label: str
    major: int


@dataclass(frozen=True)
class Database:
    """One database of a server and the connection strings (libpq) of those who use it."""

    name: str
    server: Server

    @property
    def admin_dsn(self) -> str:
        """A superuser."""
        return make_conninfo(self.server.conninfo, dbname=self.name)

    @property
    def server_dsn(self) -> str:
        """The application's LOGIN role, which is a member of `pgthreads_server`."""
        return make_conninfo(self.admin_dsn, user=APP_ROLE, password=_APP_PASSWORD)

    @property
    def owner_dsn(self) -> str:
        """A session whose role is `pgthreads_owner`: owns the tables, and RLS applies to it."""
        return self._as("pgthreads_owner")

    @property
    def maintenance_dsn(self) -> str:
        """A session whose role is `pgthreads_maintenance`."""
        return self._as("pgthreads_maintenance")

    def environment(self) -> dict[str, str]:
        """Return PG* variables and `PGTHREADS_TEST_DSN` for the programs that libpq serves."""
        names = {
            "host": "PGHOST",
            "port": "PGPORT",
            "user": "PGUSER",
            "password": "PGPASSWORD",
            "dbname": "PGDATABASE",
            "sslmode": "PGSSLMODE",
        }
        parts = conninfo_to_dict(self.admin_dsn)
        known = {names[key]: str(value) for key, value in parts.items() if key in names}
        return {**known, "PGTHREADS_TEST_DSN": self.admin_dsn}

    def _as(self, role: str) -> str:
        return make_conninfo(self.admin_dsn, options=f"-c role={role}")


@dataclass(frozen=True)
class Choice:
    """The server of this run: `start` yields its superuser's conninfo, and ends the server."""

    label: str
    start: Callable[[], AbstractContextManager[str]]


def choose(image: str = DEFAULT_IMAGE) -> Choice:
    """Return which server this run uses, without starting it. Raises NoDatabaseError."""
    dsn = os.environ.get("PGTHREADS_TEST_DSN")
    only = os.environ.get("PGTHREADS_TEST_SERVER", "")
    kind, _, number = only.partition(":")
    if kind not in {"", "container", "installed", "embedded"} or not re.fullmatch(r"\d*", number):
        raise NoDatabaseError(
            f"PGTHREADS_TEST_SERVER is {only!r}, and not container, installed or embedded, nor"
            " one of the last two with a major version: embedded:16"
        )
    local = programs.server_folder(int(number or 0))
    major = int(number or programs.NEWEST_IN_WHEEL)
    if dsn and not only:
        return Choice("the server of PGTHREADS_TEST_DSN", lambda: nullcontext(dsn))
    if kind in {"", "container"} and docker_answers():
        return Choice(f"a container of {image}", lambda: _container(image))
    if kind in {"", "installed"} and local:
        return Choice(f"a throw-away cluster by {local}", lambda: installed_cluster(local))
    if kind in {"", "embedded"} and programs.wheel_folder(major):
        return Choice("a throw-away cluster by extra `embedded`", lambda: embedded_cluster(major))
    if only:
        raise NoDatabaseError(f"PGTHREADS_TEST_SERVER is {only!r}, and there is none")
    raise NoDatabaseError(
        "there is no PostgreSQL to test with: set PGTHREADS_TEST_DSN to a superuser's connection"
        " string, or start Docker, or install a server (Debian: apt-get install postgresql), or"
        " pip install '.[embedded]'"
    )


@contextmanager
def start_server(choice: Choice) -> Iterator[Server]:
    """Yield the chosen server, and end it if it was started here. Raises NoDatabaseError."""
    with choice.start() as conninfo:
        yield prepared(conninfo, choice.label)


@contextmanager
def migrated_template(server: Server) -> Iterator[str]:
    """Yield the name of a database with the schema, to be cloned; nobody is connected to it."""
    with new_database(server) as database:
        migrate(database.admin_dsn)
        with psycopg.connect(server.conninfo, autocommit=True) as connection:
            connection.execute(
                sql.SQL("grant pgthreads_server to {}").format(sql.Identifier(APP_ROLE))
            )
        yield database.name


@contextmanager
def new_database(server: Server, template: str | None = None) -> Iterator[Database]:
    """Yield a database that is empty, or a clone of `template`; drop it at the end."""
    name = f"pgthreads_test_{os.getpid()}_{secrets.token_hex(3)}_{next(_numbers)}"
    create = sql.SQL("create database {} template {}").format(
        sql.Identifier(name), sql.Identifier(template or "template0")
    )
    with psycopg.connect(server.conninfo, autocommit=True) as connection:
        connection.execute(create)
    try:
        yield Database(name, server)
    finally:
        with psycopg.connect(server.conninfo, autocommit=True) as connection:
            connection.execute(
                sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name))
            )


def load_pgtap(database: Database) -> str:
    """Load pgTAP into schema `public`; return where it came from. Raises NoDatabaseError.

    As the extension if the server has it, otherwise from the SQL file of an installed package.
    pgTAP is plain SQL, so it also runs on servers that do not have its files.
    """
    with psycopg.connect(database.admin_dsn, autocommit=True) as connection:
        if connection.execute(
            "select from pg_available_extensions where name = 'pgtap'"
        ).fetchone():
            connection.execute("create extension if not exists pgtap schema public")
            return "extension pgtap"
        script = programs.pgtap_script()
        if script is None:
            raise NoDatabaseError(
                "pgTAP is missing: neither has the server the extension, nor is there a"
                f" pgtap--*.sql here (Debian: apt-get install postgresql-{database.server.major}"
                "-pgtap, others: https://pgtap.org)"
            )
        lines = script.read_text(encoding="utf-8").splitlines()
        # As `create extension` does: lines of psql are not SQL.
        body: LiteralString = "\n".join(line for line in lines if not line.startswith("\\"))
        connection.execute("set search_path = public")
        connection.execute("set client_min_messages = warning")
        connection.execute(body)
        return str(script)


def prepared(conninfo: str, label: str) -> Server:
    """Return the running server at `conninfo`, with the role `app_login` in it."""
    try:
        with psycopg.connect(conninfo, autocommit=True, connect_timeout=10) as connection:
            major = connection.info.server_version // 10000
            row = connection.execute(
                "select rolsuper from pg_roles where rolname = current_user"
            ).fetchone()
            if row is None or not row[0]:
                raise NoDatabaseError(f"{label}: the tests need a superuser's connection")
            _make_app_role(connection)
            text = connection.execute("show server_version").fetchone()
    except psycopg.OperationalError as error:
        raise NoDatabaseError(f"{label} does not answer: {error}".strip()) from error
    return Server(conninfo, f"PostgreSQL {text[0] if text else major}, {label}", major)


def _make_app_role(connection: psycopg.Connection) -> None:
    role = sql.Identifier(APP_ROLE)
    password = sql.Literal(_APP_PASSWORD)
    try:
        connection.execute(sql.SQL("create role {} login password {}").format(role, password))
    except psycopg.errors.DuplicateObject:
        connection.execute(sql.SQL("alter role {} login password {}").format(role, password))


def docker_answers() -> bool:
    """Tell whether a Docker daemon can be used here."""
    import docker  # type: ignore[import-untyped]  # noqa: PLC0415
    from docker.errors import DockerException  # type: ignore[import-untyped]  # noqa: PLC0415

    try:
        daemon = docker.from_env(timeout=5)
        try:
            daemon.ping()
        finally:
            daemon.close()
    except (DockerException, OSError):
        return False
    return True


@contextmanager
def _container(image: str) -> Iterator[str]:
    """Yield the conninfo of a container: tests/image/Dockerfile on top of `image`."""
    from testcontainers.core.container import DockerContainer  # noqa: PLC0415
    from testcontainers.core.image import DockerImage  # noqa: PLC0415

    password = secrets.token_urlsafe(16)
    build = DockerImage(
        path=Path(__file__).parent / "image",
        tag=f"pgthreads-test-{image.replace(':', '-').replace('/', '-')}",
        clean_up=False,
        buildargs={"BASE": image},
    )
    with build as built:
        container = DockerContainer(str(built)).with_env("POSTGRES_PASSWORD", password)
        with container.with_exposed_ports(5432).with_command("postgres -c fsync=off") as running:
            conninfo = make_conninfo(
                host=running.get_container_host_ip(),
                port=int(running.get_exposed_port(5432)),
                user="postgres",
                password=password,
                dbname="postgres",
            )
            wait_until_it_answers(conninfo, lambda: None)
            yield conninfo


@contextmanager
def installed_cluster(folder: Path, **settings: str) -> Iterator[str]:
    """Yield the conninfo of a new cluster on 127.0.0.1, run by the programs in `folder`."""
    with cluster_home() as home:
        password = secrets.token_urlsafe(16)
        _init_cluster(folder, home, password, _account())
        with running_cluster(folder, home, password, **settings) as conninfo:
            yield conninfo


@contextmanager
def cluster_home() -> Iterator[Path]:
    """Yield a new folder for a cluster, of the account that PostgreSQL runs as."""
    account = _account()
    home = Path(tempfile.mkdtemp(prefix="pgthreads-test-"))
    try:
        if account:
            os.chown(home, account.pw_uid, account.pw_gid)
        yield home
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextmanager
def running_cluster(folder: Path, home: Path, password: str, **settings: str) -> Iterator[str]:
    """Run the cluster in `home / "data"` on a free port; yield a superuser's conninfo."""
    port = free_port()
    with _running(folder, home, port, _account(), settings) as server:
        conninfo = make_conninfo(
            host="127.0.0.1", port=port, user="postgres", password=password, dbname="postgres"
        )
        log = home / "log"

        def check() -> None:
            if server.poll() is not None:
                raise NoDatabaseError(f"PostgreSQL did not start:\n{log.read_text()}")

        wait_until_it_answers(conninfo, check)
        yield conninfo


def run_as_account(
    command: Sequence[str | Path], home: Path, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a program in `home` as the account of the clusters; both outputs are in `stdout`."""
    account = _account()
    return subprocess.run(
        command,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        cwd=home,
        env={**os.environ, **variables},
        user=account.pw_uid if account else None,
        group=account.pw_gid if account else None,
        extra_groups=[] if account else None,
        check=False,
    )


def _init_cluster(
    folder: Path, home: Path, password: str, account: pwd.struct_passwd | None
) -> None:
    secret = home / "password"
    secret.write_text(password)
    if account:
        os.chown(secret, account.pw_uid, account.pw_gid)
    if programs.version(folder / "postgres") >= 17:
        locale = ["--locale-provider=builtin", "--builtin-locale=C.UTF-8", "--locale=C"]
    else:
        locale = ["--locale=C.UTF-8" if sys.platform == "linux" else "--locale=C"]
    answer = run_as_account(
        [
            folder / "initdb",
            f"--pgdata={home / 'data'}",
            "--username=postgres",
            f"--pwfile={secret}",
            "--auth=scram-sha-256",
            "--encoding=UTF8",
            "--no-sync",
            *locale,
        ],
        home,
    )
    secret.unlink()
    if answer.returncode != 0:
        raise NoDatabaseError(f"initdb failed:\n{answer.stdout}")


@contextmanager
def _running(
    folder: Path,
    home: Path,
    port: int,
    account: pwd.struct_passwd | None,
    changed: Mapping[str, str],
) -> Iterator[subprocess.Popen[bytes]]:
    # The shell has the server's pid, and its subshell reads from a pipe that closes when this
    # process ends, however that happens: no server outlives its tests. In a session of its own, the
    # server gets no ^C before the tests have been torn down.
    keep = (
        'exec 3<&0; "$@" </dev/null >log 2>&1 3<&- & p=$!;'
        " (read -r _ <&3; : >ended; kill -INT $p) 2>/dev/null & r=$!;"
        ' wait $p 2>/dev/null; if [ -e ended ]; then rm -rf "$PWD"; else kill $r; fi'
    )
    settings = {
        "listen_addresses": "127.0.0.1",
        "port": str(port),
        "unix_socket_directories": "",
        "fsync": "off",
        "full_page_writes": "off",
        "max_connections": "200",
        "shared_buffers": "128MB",
        "log_min_messages": "warning",
        "timezone": "UTC",
        **changed,
    }
    command = [str(folder / "postgres"), "-D", str(home / "data")]
    command += [f"--{name}={value}" for name, value in settings.items()]
    keeper = subprocess.Popen(
        ["/bin/sh", "-c", keep, "sh", *command],
        stdin=subprocess.PIPE,
        cwd=home,
        start_new_session=True,
        user=account.pw_uid if account else None,
        group=account.pw_gid if account else None,
        extra_groups=[] if account else None,
    )
    try:
        yield keeper
    finally:
        assert keeper.stdin
        keeper.stdin.close()
        try:
            keeper.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(keeper.pid, 9)
            keeper.wait(10)


@contextmanager
def embedded_cluster(major: int = programs.NEWEST_IN_WHEEL) -> Iterator[str]:
    """Yield the conninfo of a new cluster, run by the programs of extra `embedded`."""
    from pgthreads.embedded import EmbeddedPostgres  # noqa: PLC0415

    account = _account()
    home = Path(tempfile.mkdtemp(prefix="pgthreads-test-"))
    home.chmod(0o755 if account else 0o700)
    try:
        with EmbeddedPostgres(home / "embedded", major=major, durable=False) as running:
            parts: dict[str, Any] = conninfo_to_dict(running.admin_dsn)
            # The rest is for newer releases of libpq than that of an installed psql.
            known = ("host", "port", "user", "password", "dbname", "sslmode")
            yield make_conninfo(**{name: parts[name] for name in known if name in parts})
    finally:
        shutil.rmtree(home, ignore_errors=True)


def _account() -> pwd.struct_passwd | None:
    """Return the account to run a server as when this is root, which PostgreSQL refuses."""
    if os.geteuid() != 0:
        return None
    for name in ("postgres", "nobody"):
        try:
            return pwd.getpwnam(name)
        except KeyError:
            continue
    raise NoDatabaseError("PostgreSQL does not run as root, and there is no user postgres")


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def wait_until_it_answers(conninfo: str, check: Callable[[], None]) -> None:
    """Return when a connection succeeds; `check` raises when that has become impossible."""
    deadline = time.monotonic() + _START_SECONDS
    while True:
        check()
        try:
            psycopg.connect(conninfo, connect_timeout=5).close()
        except psycopg.OperationalError as error:
            if time.monotonic() > deadline:
                raise NoDatabaseError(f"PostgreSQL does not answer: {error}") from error
            time.sleep(0.05)
        else:
            return


def _run(command: list[str], image: str, *, pgtap: bool, optional: list[str]) -> int:
    with ExitStack() as stack:
        server = stack.enter_context(start_server(choose(image)))
        print(f"database: {server.label}", file=sys.stderr, flush=True)
        template = stack.enter_context(migrated_template(server))
        database = stack.enter_context(new_database(server, template))
        if optional:
            migrate(database.admin_dsn, optional=optional)
        if pgtap:
            print(f"pgTAP: {load_pgtap(database)}", file=sys.stderr, flush=True)
        return subprocess.call(command, env={**os.environ, **database.environment()})


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.database", description=__doc__)
    parser.add_argument("--postgres-image", default=DEFAULT_IMAGE)
    actions = parser.add_subparsers(dest="action")
    run = actions.add_parser("run", help="run a command with a fresh migrated database")
    run.add_argument("--pgtap", action="store_true", help="load pgTAP into it")
    run.add_argument("--with", dest="optional", action="append", default=[], metavar="PART")
    run.add_argument("command", nargs="+")
    arguments = parser.parse_args()
    try:
        if arguments.action == "run":
            return _run(
                arguments.command,
                arguments.postgres_image,
                pgtap=arguments.pgtap,
                optional=arguments.optional,
            )
        with start_server(choose(arguments.postgres_image)) as server:
            print(server.label)
    except (NoDatabaseError, MigrateError, programs.MissingProgramError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
