"""Uses the database of a data directory for a moment, whether it is running or not."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from .error import EmbeddedError
from .server import EmbeddedServer, running_server
from .supervisor import EmbeddedPostgres


@contextmanager
def attached(data_dir: Path) -> Iterator[EmbeddedServer]:
    """Yield the PostgreSQL that another process runs on `data_dir`, or start one until the exit.

    Nothing is created: if there is no database yet, it raises EmbeddedError.
    """
    if not (data_dir.expanduser() / "cluster").exists():
        raise EmbeddedError(
            f"there is no database in {data_dir} yet",
            "pgthreads serve creates one; or give another --data-dir, or a --database-url",
        )
    server = _answering(data_dir)
    if server is not None:
        yield server
        return
    with EmbeddedPostgres(data_dir) as own:
        yield own


def _answering(data_dir: Path) -> EmbeddedServer | None:
    try:
        server = running_server(data_dir)
        psycopg.connect(server.app_dsn, connect_timeout=2).close()
    except (EmbeddedError, psycopg.OperationalError):
        return None
    return server
