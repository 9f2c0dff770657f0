"""pgthreads: server-authoritative chat threads in PostgreSQL, streamed by aiohttp."""

from importlib.metadata import version

__version__ = version("pgthreads")
