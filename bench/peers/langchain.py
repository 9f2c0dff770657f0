"""langchain-postgres: PostgresChatMessageHistory, one row for each message.

The tool's output is in the answer's row; in LangChain it would be two more rows.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack

import psycopg
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_postgres import PostgresChatMessageHistory
from tests.database import Database

from bench.messages import Exchange
from bench.stores import Call

_TABLE = "langchain_message"


class LangChain:
    """One table, and a connection that commits each call."""

    name = "langchain-postgres"
    grows = False
    longest = 10_000

    def __init__(self, database: Database, stack: ExitStack) -> None:
        # Autocommit would make each message a transaction.
        self._connection = stack.enter_context(
            psycopg.connect(database.server_dsn, prepare_threshold=0)
        )
        PostgresChatMessageHistory.create_tables(self._connection, _TABLE)

    def fill(self, thread: str, exchanges: Sequence[Exchange]) -> None:
        """Store a whole thread."""
        self._history(thread).add_messages([m for each in exchanges for m in _messages(each)])

    def append(self, thread: str, exchange: Exchange) -> Call:
        """Add both messages."""
        history, messages = self._history(thread), _messages(exchange)
        return lambda: history.add_messages(messages)

    def load(self, thread: str) -> Call:
        """Get the messages, and end the transaction that this has begun."""
        history = self._history(thread)

        def call() -> None:
            history.get_messages()
            self._connection.commit()

        return call

    def _history(self, thread: str) -> PostgresChatMessageHistory:
        return PostgresChatMessageHistory(_TABLE, thread, sync_connection=self._connection)


def _messages(exchange: Exchange) -> list[BaseMessage]:
    tool = {"id": exchange.call_id, "query": exchange.query, "output": exchange.output}
    return [
        HumanMessage(exchange.user_text),
        AIMessage(exchange.answer_text, additional_kwargs={"tool": tool}),
    ]


def make(database: Database, stack: ExitStack) -> LangChain:
    """Make its table."""
    return LangChain(database, stack)
