"""Starts and stops the embedded PostgreSQL of one data directory."""

from __future__ import annotations

import logging
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import TracebackType

import psycopg

from . import keeper
from .binaries import Account, Binaries
from .cluster import Cluster
from .database import SUPERUSER, conninfo, grant_server_role, prepare_database
from .error import EmbeddedError, program_failed, writing
from .lock import DataDirLock, clear_stale_pid_file
from .passwords import Passwords
from .server import EmbeddedServer

_log = logging.getLogger(__name__)

_PORT_ATTEMPTS = 5
_POLL_SECONDS = 0.02
_EARLIER_RUN_SECONDS = 30.0
_LOG_BYTES = 10 << 20


class EmbeddedPostgres:
    """The embedded PostgreSQL of `data_dir`, which is created if it does not exist.

    `major` is 16 or 18. `durable=False` turns fsync off, for tests. Starting, with recovery after a
    crash, may take `start_seconds`. A fast shutdown may take `stop_seconds`; after that PostgreSQL
    is stopped by force. As a context manager it starts PostgreSQL on entry and stops it on exit.
    PostgreSQL lives no longer than this object, so keep a reference to it.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        major: int = 18,
        durable: bool = True,
        start_seconds: float = 120.0,
        stop_seconds: float = 20.0,
    ) -> None:
        self._data_dir = data_dir.expanduser().absolute()
        self._cluster = Cluster(self._data_dir, major)
        self._log_path = self._data_dir / "postgres.log"
        self._durable = durable
        self._start_seconds = start_seconds
        self._stop_seconds = stop_seconds
        self._lock: DataDirLock | None = None
        self._keeper: subprocess.Popen[bytes] | None = None
        self._server: EmbeddedServer | None = None

    def start(self) -> EmbeddedServer:
        """Start PostgreSQL, and return once it accepts connections.

        The data directory, the cluster, the database and the application's role are created if they
        are missing. Raises EmbeddedError, and then nothing is left running.
        """
        if self._lock is not None:
            raise RuntimeError("this PostgreSQL is already started")
        try:
            self._server = self._start()
        except BaseException:
            self.stop()
            raise
        _log.debug(
            "PostgreSQL %s on 127.0.0.1:%d, data in %s",
            self._server.version,
            self._server.port,
            self._data_dir,
        )
        return self._server

    def stop(self) -> None:
        """Stop PostgreSQL, by force after `stop_seconds`, and return when it has ended.

        It may be called twice. Raises EmbeddedError if PostgreSQL is still running after all.
        """
        lock, running, self._lock, self._keeper = self._lock, self._keeper, None, None
        self._server = None
        try:
            if running is not None:
                assert running.stdin is not None  # noqa: S101
                running.stdin.close()
                running.wait()
            if lock is not None:
                # If the keeper was killed, only the lock shows when PostgreSQL has ended.
                lock.take_back(patience=self._stop_seconds if running else 0)
        finally:
            if lock is not None:
                lock.release()

    def prepare_app_role(self) -> None:
        """Make the application's role a member of `pgthreads_server`, once the schema is installed.

        It may be called again. Raises EmbeddedError if the schema is not installed yet.
        """
        if self._server is None:
            raise RuntimeError("this PostgreSQL is not started")
        grant_server_role(self._server.admin_dsn)

    def __enter__(self) -> EmbeddedServer:
        return self.start()

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        self.stop()

    def __del__(self) -> None:
        # The keeper stops PostgreSQL when this pipe is closed.
        if self._keeper is not None and self._keeper.stdin is not None:
            self._keeper.stdin.close()

    def _start(self) -> EmbeddedServer:
        self._make_data_dir()
        self._lock = DataDirLock(self._data_dir, patience=_EARLIER_RUN_SECONDS)
        is_new = not self._cluster.path.exists()
        account = Account.of(self._cluster.path)
        account.require_access(self._data_dir)
        binaries = Binaries.find(self._cluster.major, account, self._data_dir)
        passwords = Passwords.of(self._data_dir, create=is_new)
        if is_new:
            self._cluster.make(
                account,
                binaries,
                passwords,
                durable=self._durable,
                lock_fd=self._lock.cluster_fd,
            )
        self._cluster.require_version()
        clear_stale_pid_file(self._cluster.path)
        port = self._launch(account, binaries, passwords)
        try:
            prepare_database(port, passwords)
        except psycopg.Error as error:
            what = "cannot prepare the database"
            raise program_failed(what, str(error), self._data_dir) from error
        return EmbeddedServer.at(self._data_dir, port, binaries.version, passwords)

    def _make_data_dir(self) -> None:
        if (self._data_dir / "PG_VERSION").exists():
            raise EmbeddedError(
                f"{self._data_dir} is the data directory of a PostgreSQL that pgthreads did not"
                " make",
                "choose another --data-dir, or start that PostgreSQL and use --database-url",
            )
        with writing(self._data_dir):
            if not self._data_dir.exists():
                self._data_dir.mkdir(mode=0o700, parents=True)
                # For root, PostgreSQL runs as another user, who has to get through to the cluster.
                if os.geteuid() == 0:
                    self._data_dir.chmod(0o711)

    def _launch(self, account: Account, binaries: Binaries, passwords: Passwords) -> int:
        for _ in range(_PORT_ATTEMPTS):
            port = _free_port()
            logged_from = self._spawn(account, binaries, port)
            if self._wait_until_ready(port, passwords):
                return port
            with self._log_path.open(errors="replace") as file:
                file.seek(logged_from)
                output = file.read()
            # Another program has taken the port after it was found to be free.
            if "could not create any TCP/IP sockets" not in output:
                break
            assert self._lock is not None  # noqa: S101
            self._lock.take_back(patience=self._stop_seconds)
        raise program_failed(
            f"PostgreSQL did not start; the end of {self._log_path}:", output, self._data_dir
        )

    def _spawn(self, account: Account, binaries: Binaries, port: int) -> int:
        """Start the keeper, which starts PostgreSQL. Return where in the log its lines begin."""
        assert self._lock is not None  # noqa: S101
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": port,
            "unix_socket_directories": "",
            "logging_collector": "off",
            "log_destination": "stderr",
        }
        if not self._durable:
            settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
        command = [str(binaries.program("postgres")), "-D", str(self._cluster.path)]
        for name, value in settings.items():
            command += ["-c", f"{name}={value}"]
        uid, gid = (account.uid, account.gid) if account.switch else (-1, -1)
        with writing(self._data_dir):
            if self._log_path.exists() and self._log_path.stat().st_size > _LOG_BYTES:
                self._log_path.replace(self._log_path.with_suffix(".log.1"))
            flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW
            log = os.open(self._log_path, flags, 0o600)
        logged_from = os.fstat(log).st_size
        try:
            self._keeper = subprocess.Popen(  # noqa: S603
                [
                    *(sys.executable, "-I", "-S", keeper.__file__),
                    *(str(uid), str(gid), str(self._stop_seconds)),
                    *command,
                ],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                cwd="/",
                pass_fds=[self._lock.cluster_fd],
                start_new_session=True,
            )
            self._lock.hand_over()
        finally:
            os.close(log)
        return logged_from

    def _wait_until_ready(self, port: int, passwords: Passwords) -> bool:
        """Wait. Return True once PostgreSQL answers, and False once it has ended."""
        assert self._keeper is not None  # noqa: S101
        dsn = conninfo(port, SUPERUSER, passwords.superuser, "postgres", connect_timeout=2)
        deadline = time.monotonic() + self._start_seconds
        while self._keeper.poll() is None:
            try:
                psycopg.connect(dsn).close()
            except psycopg.OperationalError as error:
                if time.monotonic() > deadline:
                    raise EmbeddedError(
                        f"PostgreSQL did not answer within {self._start_seconds:.0f} seconds:"
                        f" {error}",
                        f"see {self._log_path}",
                    ) from error
                time.sleep(_POLL_SECONDS)
            else:
                return True
        return False


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])
