"""Creates the cluster of a data directory, completely or not at all, and checks its version."""

from __future__ import annotations

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from .binaries import Account, Binaries
from .database import SUPERUSER
from .error import EmbeddedError, program_failed, writing
from .passwords import Passwords, write_private


@dataclass(frozen=True, slots=True)
class Cluster:
    """The cluster of `data_dir`, for the major version `major` of PostgreSQL."""

    data_dir: Path
    major: int

    @property
    def path(self) -> Path:
        """PostgreSQL's own data directory."""
        return self.data_dir / "cluster"

    def require_version(self) -> None:
        """Raise EmbeddedError unless `path` holds a cluster of this major version."""
        try:
            found = (self.path / "PG_VERSION").read_text().strip()
        except OSError as error:
            raise EmbeddedError(
                f"{self.path} is not a PostgreSQL data directory",
                "move it away, or choose another --data-dir",
            ) from error
        if found != str(self.major):
            raise EmbeddedError(
                f"{self.path} was made by PostgreSQL {found}, and this is {self.major}",
                "dump it with the version that made it and restore it into a new --data-dir",
            )

    def make(
        self,
        account: Account,
        binaries: Binaries,
        passwords: Passwords,
        *,
        durable: bool,
        lock_fd: int,
    ) -> None:
        """Run initdb in another folder, and rename the result. Raises EmbeddedError.

        initdb inherits `lock_fd`. So if its caller is killed, the next one waits until it has
        ended.
        """
        unfinished = self.data_dir / "cluster.unfinished"
        password_file = self.data_dir / "initdb.password"
        try:
            write_private(password_file, passwords.superuser)
            with writing(self.data_dir):
                if unfinished.exists():
                    shutil.rmtree(unfinished)
                unfinished.mkdir(mode=0o700)
                if account.switch:
                    os.chown(unfinished, account.uid, account.gid)
                    os.chown(password_file, account.uid, account.gid)
                made = account.run(
                    [
                        binaries.program("initdb"),
                        f"--pgdata={unfinished}",
                        f"--username={SUPERUSER}",
                        f"--pwfile={password_file}",
                        "--auth=scram-sha-256",
                        "--encoding=UTF8",
                        "--locale=C",
                        *self._locale_provider(),
                        *([] if durable else ["--no-sync"]),
                    ],
                    inherit=[lock_fd],
                )
            if made.returncode != 0:
                raise program_failed(
                    f"cannot create a database in {self.data_dir}", made.stdout, self.data_dir
                )
            with writing(self.data_dir):
                unfinished.rename(self.path)
                _sync(self.data_dir)
        finally:
            password_file.unlink(missing_ok=True)
            shutil.rmtree(unfinished, ignore_errors=True)

    def _locale_provider(self) -> list[str]:
        # This provider, new in PostgreSQL 17, sorts and folds case in the same way on every system.
        if self.major < 17:
            return []
        return ["--locale-provider=builtin", "--builtin-locale=C.UTF-8"]


def _sync(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
