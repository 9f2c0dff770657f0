"""openai-agents: SQLAlchemySession, one row for each item, with asyncpg, as it documents."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Sequence
from contextlib import ExitStack
from typing import Any

from agents.extensions.memory import SQLAlchemySession
from psycopg.conninfo import conninfo_to_dict
from sqlalchemy import URL
from sqlalchemy.ext.asyncio import create_async_engine
from tests.database import Database

from bench.messages import Exchange
from bench.stores import Call


class OpenAiAgents:
    """One engine with one open connection, and an event loop that stays."""

    name = "openai-agents"
    grows = False
    longest = 10_000

    def __init__(self, database: Database, stack: ExitStack) -> None:
        self._loop = asyncio.new_event_loop()
        stack.callback(self._loop.close)
        self._engine = create_async_engine(
            url_of(database, "postgresql+asyncpg"), pool_size=1, max_overflow=0
        )
        stack.callback(lambda: self._run(self._engine.dispose()))
        session = SQLAlchemySession("first", engine=self._engine, create_tables=True)
        self._run(session.get_items())

    def fill(self, thread: str, exchanges: Sequence[Exchange]) -> None:
        """Store a whole thread."""
        items = [item for each in exchanges for item in _items(each)]
        self._run(self._session(thread).add_items(items))

    def append(self, thread: str, exchange: Exchange) -> Call:
        """Add both items."""
        session, items = self._session(thread), _items(exchange)
        return lambda: self._run(session.add_items(items))

    def load(self, thread: str) -> Call:
        """Get the items."""
        session = self._session(thread)
        return lambda: self._run(session.get_items())

    def _session(self, thread: str) -> SQLAlchemySession:
        return SQLAlchemySession(thread, engine=self._engine)

    def _run(self, work: Coroutine[Any, Any, Any]) -> Any:
        return self._loop.run_until_complete(work)


def url_of(database: Database, driver: str) -> URL:
    """Return SQLAlchemy's form of the application's connection string."""
    parts = conninfo_to_dict(database.server_dsn)
    return URL.create(
        driver,
        username=str(parts["user"]),
        password=str(parts["password"]),
        host=str(parts["host"]),
        port=int(str(parts["port"])),
        database=str(parts["dbname"]),
    )


def _items(exchange: Exchange) -> list[Any]:
    tool = {"id": exchange.call_id, "query": exchange.query, "output": exchange.output}
    return [
        {"role": "user", "content": exchange.user_text},
        {"role": "assistant", "content": exchange.answer_text, "tool": tool},
    ]


def make(database: Database, stack: ExitStack) -> OpenAiAgents:
    """Make its tables."""
    return OpenAiAgents(database, stack)
