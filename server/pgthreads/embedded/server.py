"""What the users of a running embedded PostgreSQL need to know of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from .database import APP_ROLE, SUPERUSER, conninfo
from .error import EmbeddedError
from .passwords import Passwords


@dataclass(frozen=True, slots=True)
class EmbeddedServer:
    """A running embedded PostgreSQL."""

    admin_dsn: str = field(repr=False)
    """A libpq connection string to the database `pgthreads` as superuser, for migrations."""
    app_dsn: str = field(repr=False)
    """The same as the application's role `pgthreads_app`, an ordinary LOGIN role."""
    version: str
    """For example "18.4"."""
    port: int
    """The port on 127.0.0.1."""
    data_dir: Path

    @classmethod
    def at(cls, data_dir: Path, port: int, version: str, passwords: Passwords) -> EmbeddedServer:
        """The PostgreSQL of `data_dir` that listens on `port`."""
        return cls(
            admin_dsn=conninfo(port, SUPERUSER, passwords.superuser),
            app_dsn=conninfo(port, APP_ROLE, passwords.app),
            version=version,
            port=port,
            data_dir=data_dir,
        )


def running_server(data_dir: Path) -> EmbeddedServer:
    """The PostgreSQL that another process runs on `data_dir`.

    Raises EmbeddedError if none is ready there, or if we may not read its files.
    """
    data_dir = data_dir.expanduser().absolute()
    cluster = data_dir / "cluster"
    try:
        # The lines are: pid, directory, start time, port, socket directory, address, shared memory,
        # status.
        lines = (cluster / "postmaster.pid").read_text().split("\n")
        if lines[7].strip() != "ready":
            raise EmbeddedError(f"the PostgreSQL of {data_dir} is {lines[7].strip()}", "try again")
        major = (cluster / "PG_VERSION").read_text().strip()
        return EmbeddedServer.at(
            data_dir, int(lines[3]), major, Passwords.of(data_dir, create=False)
        )
    except (OSError, IndexError, ValueError) as error:
        raise EmbeddedError(
            f"no PostgreSQL is ready on {data_dir}", "start one with: pgthreads serve"
        ) from error
