"""The locks of a data directory: two advisory locks say who uses it, and never a pid.

The process that serves holds `lock`. Every process that touches the cluster (initdb, the keeper,
PostgreSQL and its children) inherits `cluster.lock`. If `lock` is taken, another `serve` is
running. If only `cluster.lock` is taken, a `serve` was killed and its PostgreSQL is still shutting
down. The kernel releases both with their holders, so neither can be stale. The pid in `lock` is
only shown to people; no process is ever signalled because a file names it.
"""

from __future__ import annotations

import errno
import fcntl
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import NoReturn

from .error import DataDirInUseError, EmbeddedError, writing

_POLL_SECONDS = 0.02
_DYING_SECONDS = 2.0
"""How long the kernel may take to close the files of a killed process."""


class DataDirLock:
    """Exclusive use of `data_dir`, from the constructor to `release()`.

    The constructor waits up to `patience` seconds for a PostgreSQL that is shutting down. It raises
    EmbeddedError.
    """

    def __init__(self, data_dir: Path, *, patience: float) -> None:
        self._data_dir = data_dir
        self._serve = _open(data_dir / "lock")
        self._cluster = -1
        try:
            self._claim()
            self._cluster = self._wait_for_cluster(patience)
        except BaseException:
            self.release()
            raise

    def _claim(self) -> None:
        if not _lock_within(_DYING_SECONDS, self._serve, self._data_dir):
            pid = os.pread(self._serve, 32, 0).decode("ascii", "replace").strip()
            raise DataDirInUseError(
                f"{self._data_dir} is in use by another pgthreads (pid {pid or 'unknown'})",
                "stop that one first, or choose another --data-dir",
            )
        with writing(self._data_dir):
            os.ftruncate(self._serve, 0)
            os.pwrite(self._serve, b"%d\n" % os.getpid(), 0)

    def _wait_for_cluster(self, patience: float) -> int:
        fd = _open(self._data_dir / "cluster.lock")
        try:
            if not _lock_within(patience, fd, self._data_dir):
                _refuse_running(self._data_dir, patience)
        except BaseException:
            os.close(fd)
            raise
        return fd

    @property
    def cluster_fd(self) -> int:
        """The file descriptor that every program which touches the cluster has to inherit."""
        return self._cluster

    def hand_over(self) -> None:
        """Leave the cluster's lock to the programs that have inherited it, until they end."""
        if self._cluster >= 0:
            os.close(self._cluster)
            self._cluster = -1

    def take_back(self, patience: float) -> None:
        """Wait until no program touches the cluster. Raises EmbeddedError after `patience`."""
        self.hand_over()
        self._cluster = self._wait_for_cluster(patience)

    def release(self) -> None:
        """Let others use the directory. It may be called twice."""
        self.hand_over()
        if self._serve >= 0:
            os.close(self._serve)
            self._serve = -1


def _refuse_running(data_dir: Path, patience: float) -> NoReturn:
    pid = postmaster_pid(data_dir / "cluster")
    raise EmbeddedError(
        f"a PostgreSQL of an earlier run (pid {pid or 'unknown'}) still runs on {data_dir}"
        f" and has not ended within {patience:.0f} seconds",
        f"stop it with: kill -INT {pid}" if pid else "",
    )


def _open(path: Path) -> int:
    with writing(path):
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def _lock_within(seconds: float, fd: int, data_dir: Path) -> bool:
    deadline = time.monotonic() + seconds
    while not _try_lock(fd, data_dir):
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL_SECONDS)
    return True


def _try_lock(fd: int, data_dir: Path) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno not in (errno.ENOLCK, errno.ENOTSUP, errno.ENOSYS):
            raise
        raise EmbeddedError(
            f"the file system of {data_dir} has no file locks, so nothing would keep two programs"
            " from writing to the same data",
            "choose a local directory with --data-dir",
        ) from error
    return True


def postmaster_pid(cluster: Path) -> int | None:
    """The pid in the cluster's postmaster.pid, whether that process exists or not."""
    try:
        first = (cluster / "postmaster.pid").read_text().split("\n", 1)[0]
        return abs(int(first))
    except (OSError, ValueError):
        return None


def clear_stale_pid_file(cluster: Path) -> None:
    """Remove a postmaster.pid whose pid now belongs to a process that is not this PostgreSQL.

    PostgreSQL overwrites the file itself if no process has the pid. But it refuses to start if
    another process of the same user has the pid, as happens at each restart of a container. The
    caller holds the cluster's lock, so whatever we have started has ended. Raises EmbeddedError if
    a PostgreSQL that somebody else has started runs on the cluster.
    """
    pid = postmaster_pid(cluster)
    if pid is None or not _is_alive(pid):
        return
    if _may_be_postmaster(pid, cluster):
        raise EmbeddedError(
            f"a PostgreSQL that pgthreads did not start (pid {pid}) runs on {cluster}",
            "stop it first, or choose another --data-dir",
        )
    with writing(cluster):
        (cluster / "postmaster.pid").unlink(missing_ok=True)


def _is_alive(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _may_be_postmaster(pid: int, cluster: Path) -> bool:
    if sys.platform == "linux":
        try:
            # A postmaster's working directory is its data directory.
            return Path(f"/proc/{pid}/cwd").samefile(cluster)
        except FileNotFoundError:
            return False
        except PermissionError:
            # Another user's process cannot be looked into; in a container not even root may.
            return Path(f"/proc/{pid}").stat().st_uid == cluster.stat().st_uid
    listed = subprocess.run(  # noqa: S603
        ["ps", "-o", "command=", "-p", str(pid)],  # noqa: S607
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
    )
    return "postgres" in listed.stdout
