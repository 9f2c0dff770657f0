"""Other libraries that keep chat histories in PostgreSQL, each used in its favour.

Their connections stay open and prepare statements, and their tables are created in advance. What
they do besides storing the two messages, for example to the row of a session, is left out where
that is possible.
"""

from __future__ import annotations

from importlib import import_module
from typing import Protocol

from tests.database import Database

from bench.harness import Context
from bench.stores import Store

PACKAGES = (
    "langchain-postgres",
    "langgraph-checkpoint-postgres",
    "openai-agents",
    "agno",
)
_MODULES = ("array", "langchain", "langgraph", "openai_agents", "agno")


class Peer(Store, Protocol):
    """A store of another library."""

    grows: bool
    """Whether an append gets slower as the thread grows, so that it is called less often."""
    longest: int
    """The longest thread that is tried."""


def peer_stores(database: Database, context: Context) -> list[Peer]:
    """Return all of them, or none if the run leaves them out."""
    if not context.peers:
        return []
    # Imported here, because their packages are not in every environment.
    modules = [import_module(f"bench.peers.{name}") for name in _MODULES]
    return [module.make(database, context.stack) for module in modules]
