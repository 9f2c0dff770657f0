"""A durable cluster for the benchmarks, and the machine on which it runs.

Client and server get different cores where the machine has more than one.
"""

from __future__ import annotations

import os
import platform
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg
from tests import programs
from tests.database import NoDatabaseError, Server, installed_cluster, prepared

SETTINGS = {
    "fsync": "on",
    "synchronous_commit": "on",
    "full_page_writes": "on",
    "shared_buffers": "512MB",
    # A checkpoint or a vacuum would slow down whichever system is being measured.
    "max_wal_size": "8GB",
    "checkpoint_timeout": "1h",
    "autovacuum": "off",
}
_LZ4 = "default_toast_compression"
_FLUSHES = 200


@dataclass(frozen=True)
class Cores:
    """The cores of the client and of the server; all cores where they cannot be separated."""

    client: frozenset[int]
    server: frozenset[int]

    @property
    def differ(self) -> bool:
        """Whether client and server were kept apart."""
        return not self.client & self.server


def split_cores() -> Cores:
    """Return the cores of this process in two halves."""
    if not hasattr(os, "sched_getaffinity"):
        every = frozenset(range(os.cpu_count() or 1))
        return Cores(every, every)
    cores = sorted(os.sched_getaffinity(0))
    if len(cores) < 2:
        return Cores(frozenset(cores), frozenset(cores))
    half = len(cores) // 2
    return Cores(frozenset(cores[:half]), frozenset(cores[half:]))


def pin(pid: int, cores: frozenset[int]) -> None:
    """Keep a process (0 is this one) and its future children on these cores, if possible."""
    if hasattr(os, "sched_setaffinity"):
        with suppress(OSError):
            os.sched_setaffinity(pid, cores)


def parent_of(pid: int) -> int:
    """Return the pid of a process's parent, by Linux's /proc; 0 if it has gone."""
    with suppress(OSError):
        stat = Path(f"/proc/{pid}/stat").read_text()
        # The name, in parentheses, may hold anything.
        return int(stat.rpartition(")")[2].split()[1])
    return 0


def server_processes(conninfo: str) -> list[int]:
    """Return the pids of a local PostgreSQL, its postmaster first; none without Linux's /proc."""
    if not Path("/proc/self/stat").exists():
        return []
    with psycopg.connect(conninfo) as connection:
        postmaster = parent_of(connection.info.backend_pid)
    return [postmaster, *children_of(postmaster)]


def children_of(parent: int) -> list[int]:
    """Return the pids of a process's children; none without Linux's /proc."""
    if not Path("/proc/self/stat").exists():
        return []
    numbers = (int(path.name) for path in Path("/proc").iterdir() if path.name.isdigit())
    return [pid for pid in numbers if parent_of(pid) == parent]


@contextmanager
def moved(server: Server, cores: frozenset[int], back: frozenset[int]) -> Iterator[None]:
    """Let PostgreSQL have these cores for a while, and then its own again."""
    pids = server_processes(server.conninfo)
    for pid in pids:
        pin(pid, cores)
    try:
        yield
    finally:
        for pid in pids:
            pin(pid, back)


def sees_processes() -> bool:
    """Return whether CPU and memory of processes can be read, from Linux's /proc."""
    return Path("/proc/self/schedstat").exists()


def cpu_seconds(pids: Iterable[int]) -> float:
    """Return the CPU time that processes have had; 0 for ended ones, and without Linux."""
    total = 0
    for pid in pids:
        with suppress(OSError):
            total += int(Path(f"/proc/{pid}/schedstat").read_text().split()[0])
    return total / 1e9


def resident_bytes(pids: Iterable[int]) -> int:
    """Return the memory that processes hold; 0 for ended ones, and without Linux."""
    total = 0
    for pid in pids:
        with suppress(OSError):
            total += int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return total * os.sysconf("SC_PAGE_SIZE")


@contextmanager
def running(cores: Cores) -> Iterator[Server]:
    """Run a new cluster of PGTHREADS_TEST_SERVER, or otherwise of the newest installed version.

    Raises NoDatabaseError.
    """
    folder = _programs()
    settings = dict(SETTINGS)
    if _knows_lz4(folder):
        settings[_LZ4] = "lz4"
    with installed_cluster(folder, **settings) as conninfo:
        for pid in server_processes(conninfo):
            pin(pid, cores.server)
        yield prepared(conninfo, "a cluster of its own")


def _programs() -> Path:
    wanted = os.environ.get("PGTHREADS_TEST_SERVER")
    majors = programs.server_majors()
    folder = majors.get(wanted) if wanted else programs.server_folder() or programs.wheel_folder()
    if folder is None:
        raise NoDatabaseError(
            f"there is no PostgreSQL server {wanted or 'here'}; there are {sorted(majors)}"
            " (Debian: apt-get install postgresql)"
        )
    return folder


def _knows_lz4(folder: Path) -> bool:
    answer = subprocess.run(
        [folder / "pg_config", "--configure"], capture_output=True, text=True, check=False
    )
    return "with-lz4" in answer.stdout


def flush_seconds(folder: Path) -> float:
    """Return the median time of writing 8 KB to a file and flushing them to the disk."""
    seconds = []
    with tempfile.TemporaryFile(dir=folder) as file:
        fd = file.fileno()
        os.write(fd, bytes(8192 * _FLUSHES))
        os.fsync(fd)
        for number in range(_FLUSHES):
            start = time.perf_counter()
            os.pwrite(fd, b"x" * 8192, 8192 * number)
            getattr(os, "fdatasync", os.fsync)(fd)
            seconds.append(time.perf_counter() - start)
    return statistics.median(seconds)


def file_system(folder: Path) -> str:
    """Return the type of the file system that holds a folder, as Linux names it."""
    best = ("", "unknown")
    with suppress(OSError):
        for line in Path("/proc/mounts").read_text().splitlines():
            mount, kind = line.split()[1:3]
            if folder.resolve().is_relative_to(mount) and len(mount) >= len(best[0]):
                best = (mount, kind)
    return best[1]


def facts(server: Server, cores: Cores) -> list[str]:
    """Return the facts about the machine and the server."""
    folder = Path(tempfile.gettempdir())
    kept = {**SETTINGS, _LZ4: ""}
    with psycopg.connect(server.conninfo) as connection:
        values = {name: connection.execute(f"show {name}").fetchone() for name in kept}
        version = connection.info.parameter_status("server_version")
    settings = ", ".join(f"`{name} = {value[0]}`" for name, value in values.items() if value)
    apart = (
        f"client on {_cores_text(cores.client)}, server on {_cores_text(cores.server)}"
        if cores.differ
        else "client and server on the same cores"
    )
    return [
        f"{os.cpu_count()} cores ({_processor()}), {platform.system()}; {apart}.",
        f"Data on {file_system(folder)}; 8 KB are written and flushed in"
        f" {flush_seconds(folder) * 1e6:.0f} µs.",
        f"PostgreSQL {version}, TCP on loopback; {settings}.",
        f"Python {platform.python_version()}, psycopg {psycopg.__version__}"
        f" ({psycopg.pq.__impl__}).",
    ]


def _cores_text(cores: frozenset[int]) -> str:
    numbers = ", ".join(map(str, sorted(cores)))
    return f"core {numbers}" if len(cores) == 1 else f"cores {numbers}"


def _processor() -> str:
    with suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.machine()
