"""Who uses a data directory: two advisory locks, and never a guess from a pid.

`lock` is held by the process that serves; `cluster.lock` is inherited by every process that
touches the cluster (initdb, the keeper, PostgreSQL and its children). The first taken means that
another `serve` runs; the first free and the second taken means that a killed one is still being
cleaned up after. The kernel drops both with their holders, so neither can be stale. The pid in
`lock` is there to be shown to people; nothing is ever signalled because a file named it.
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
"""How long a killed process may take to let go of what it had open."""


class DataDirLock:
    """Exclusive use of `data_dir`, from the constructor to `release()`.

    Waits up to `patience` seconds for a server that is shutting down. Raises EmbeddedError.
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
        """The descriptor to hand down to every program that touches the cluster."""
        return self._cluster

    def hand_over(self) -> None:
        """From here on the cluster's lock lives and dies with the programs that inherited it."""
        if self._cluster >= 0:
            os.close(self._cluster)
            self._cluster = -1

    def take_back(self, patience: float) -> None:
        """Waits until no program touches the cluster; raises EmbeddedError after `patience` s."""
        self.hand_over()
        self._cluster = self._wait_for_cluster(patience)

    def release(self) -> None:
        """Lets others use the directory. May be called twice."""
        self.hand_over()
        if self._serve >= 0:
            os.close(self._serve)
            self._serve = -1


def _refuse_running(data_dir: Path, patience: float) -> NoReturn:
    pid = postmaster_pid(data_dir / "cluster")
    raise EmbeddedError(
        f"a PostgreSQL of an earlier run (pid {pid or 'unknown'}) still runs on {data_dir}"
        f" and has not ended in {patience:.0f} seconds",
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
            f"the file system of {data_dir} has no file locks, so nothing would keep two servers"
            " from writing to the same data",
            "choose a local directory with --data-dir",
        ) from error
    return True


def postmaster_pid(cluster: Path) -> int | None:
    """The pid in the cluster's postmaster.pid, whether that process lives or not."""
    try:
        first = (cluster / "postmaster.pid").read_text().split("\n", 1)[0]
        return abs(int(first))
    except (OSError, ValueError):
        return None


def clear_stale_pid_file(cluster: Path) -> None:
    """Removes a postmaster.pid that names a living process which is no PostgreSQL of this cluster.

    PostgreSQL itself overwrites one whose process is gone, but it refuses to start when the pid
    has gone to another process of the same user, as it does after every restart of a container.
    Called with the cluster's lock held: whatever we started has ended. Raises EmbeddedError when
    somebody else's PostgreSQL runs on the cluster.
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
            # Not ours to look into; root in a container is told this too.
            return Path(f"/proc/{pid}").stat().st_uid == cluster.stat().st_uid
    listed = subprocess.run(  # noqa: S603
        ["ps", "-o", "command=", "-p", str(pid)],  # noqa: S607
        capture_output=True,
        text=True,
        timeout=10,
        check=False,
    )
    return "postgres" in listed.stdout
