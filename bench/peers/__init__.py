"""Other libraries that keep chat histories in PostgreSQL, each in its favour.

Their connections stay open and prepare statements, their tables are made beforehand, and what they
do beside storing the two messages, for example to the row of a session, is left out where they let
it be.
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
    """A store of somebody else."""

    grows: bool
    """Whether an append gets slower with the thread, and so is called less often."""
    longest: int
    """The longest thread that is tried."""


def peer_stores(database: Database, context: Context) -> list[Peer]:
    """Return all of them, or none where the run leaves them out."""
    if not context.peers:
        return []
    # Only now: their packages are not in every environment.
    modules = [import_module(f"bench.peers.{name}") for name in _MODULES]
    return [module.make(database, context.stack) for module in modules]
