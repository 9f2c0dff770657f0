"""Which database a server uses, and how long it waits for it."""

from __future__ import annotations

import os
import sys
from dataclasses import dataclass
from pathlib import Path

import click

from ..options import setting
from ..postgres.tenants import tenant_of
from .error import SettingsError
from .group import SettingsGroup


def default_data_dir() -> Path:
    """The directory in which the embedded PostgreSQL keeps its data by default.

    For root this is a system directory: PostgreSQL then runs as another user, who cannot enter
    /root.
    """
    if os.geteuid() == 0:
        return Path("/var/lib/pgthreads")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "pgthreads"
    configured = os.environ.get("XDG_DATA_HOME", "")
    base = Path(configured) if configured.startswith("/") else Path.home() / ".local" / "share"
    return base / "pgthreads"


@dataclass(frozen=True, kw_only=True)
class DatabaseSettings(SettingsGroup):
    """The database, the connections to it, and the limits of a call."""

    data_dir: Path = setting(  # noqa: RUF009
        "Data directory of the embedded PostgreSQL, which is used if there is no --database-url.",
        click.Path(file_okay=False, path_type=Path),
        default=default_data_dir,
        show_default="the user's data directory",
    )
    database_url: str | None = setting(
        "Connection string of the database, with the application's role, for example"
        " postgresql://app@db/chat. Without it, an embedded PostgreSQL is started.",
        secret=True,
    )
    pool_size: int = setting(
        "Maximum number of connections to the database for requests, in each worker.",
        click.IntRange(1),
        default=10,
    )
    turn_pool_size: int = setting(
        "Maximum number of further connections, in each worker. They are reserved for running"
        " turns, so that requests cannot use them up.",
        click.IntRange(1),
        default=4,
    )
    connect_timeout: float = setting(
        "Seconds that connecting to a host of the database may take.",
        click.FloatRange(1, 60),
        default=3.0,
    )
    acquire_timeout: float = setting(
        "Seconds that a call to the database waits for a free connection.",
        click.FloatRange(0.1, 300),
        default=5.0,
    )
    statement_timeout: float = setting(
        "Seconds that a call to the database may take.", click.FloatRange(0.1, 3600), default=10.0
    )
    lock_timeout: float = setting(
        "Seconds that a call waits for a lock in the database, for example that of a thread to"
        " which somebody else is writing.",
        click.FloatRange(0.05, 3600),
        default=2.0,
    )
    prepare: bool = setting(
        "Whether to use prepared statements. PgBouncer before 1.21 needs --no-prepare in"
        " transaction mode.",
        bool,
        default=True,
        is_flag=True,
    )
    tenant_key: str | None = setting(
        "Key from the table pgthreads.tenant_key, for a database with require_verified_tenant: in"
        " hex, or the name of a file that holds it in hex. Prefer the file or the environment"
        " variable: other users of the machine can see flags in the list of processes.",
        secret=True,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.database_url is not None:
            _check_conninfo(self.database_url)
        try:
            tenant_of(self.tenant_key)
        except (ValueError, OSError) as error:
            reason = (
                error.strerror if isinstance(error, OSError) else "it is not 32 to 64 bytes in hex"
            )
            raise SettingsError(
                f"--tenant-key cannot be used: {reason}",
                "pgthreads_owner can read it: select encode(key, 'hex') from pgthreads.tenant_key",
            ) from error


def _check_conninfo(conninfo: str) -> None:
    # This import is slow, and nothing else that --help does needs it.
    import psycopg  # noqa: PLC0415
    from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415

    try:
        conninfo_to_dict(conninfo)
    except psycopg.ProgrammingError as error:
        raise SettingsError(
            "--database-url is not a connection string",
            "for example postgresql://app:password@db.example/chat",
        ) from error
