"""langgraph-checkpoint-postgres: one checkpoint for each exchange, with the messages in a channel.

In a turn, a graph puts several checkpoints and the writes between them; here it is one `put`, by a
client that already has the list. Each checkpoint keeps the whole list again.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import ExitStack
from typing import Any

import psycopg
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langgraph.checkpoint.base import empty_checkpoint
from langgraph.checkpoint.postgres import PostgresSaver
from psycopg.rows import dict_row
from tests.database import Database

from bench.messages import Exchange
from bench.stores import Call

_CHANNEL = "messages"


class LangGraph:
    """A saver on one connection, which sends a `put` as a pipeline."""

    name = "langgraph"
    grows = True
    # A checkpoint of 10,000 messages is 16 MB of blob.
    longest = 1_000

    def __init__(self, database: Database, stack: ExitStack) -> None:
        connection = stack.enter_context(
            psycopg.connect(
                database.server_dsn, autocommit=True, prepare_threshold=0, row_factory=dict_row
            )
        )
        self._saver = PostgresSaver(connection)
        self._saver.setup()
        self._threads: dict[str, list[BaseMessage]] = {}
        self._versions: dict[str, int] = {}

    def fill(self, thread: str, exchanges: Sequence[Exchange]) -> None:
        """Put one checkpoint with all messages."""
        self._threads[thread] = [m for each in exchanges for m in _messages(each)]
        self._put(thread)()

    def append(self, thread: str, exchange: Exchange) -> Call:
        """Put a checkpoint with two more messages."""
        self._threads[thread].extend(_messages(exchange))
        return self._put(thread)

    def load(self, thread: str) -> Call:
        """Get the newest checkpoint."""
        config: Any = {"configurable": {"thread_id": thread, "checkpoint_ns": ""}}
        return lambda: self._saver.get_tuple(config)

    def _put(self, thread: str) -> Call:
        number = self._versions[thread] = self._versions.get(thread, 0) + 1
        version = f"{number:032}"
        checkpoint: Any = empty_checkpoint()
        checkpoint["channel_values"] = {_CHANNEL: list(self._threads[thread])}
        checkpoint["channel_versions"] = {_CHANNEL: version}
        config: Any = {"configurable": {"thread_id": thread, "checkpoint_ns": ""}}
        metadata: Any = {"source": "loop", "step": number}
        return lambda: self._saver.put(config, checkpoint, metadata, {_CHANNEL: version})


def _messages(exchange: Exchange) -> list[BaseMessage]:
    tool = {"id": exchange.call_id, "query": exchange.query, "output": exchange.output}
    return [
        HumanMessage(exchange.user_text),
        AIMessage(exchange.answer_text, additional_kwargs={"tool": tool}),
    ]


def make(database: Database, stack: ExitStack) -> LangGraph:
    """Make its tables."""
    return LangGraph(database, stack)
