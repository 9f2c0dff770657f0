"""agno: PostgresDb, one row for each run; a run is the user message and its answer.

Only the run is stored. An agent also updates its session's row after each run.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Sequence
from contextlib import ExitStack

from agno.db.postgres import PostgresDb
from agno.models.message import Message
from agno.run.agent import RunOutput
from agno.run.base import RunStatus
from agno.session.agent import AgentSession
from sqlalchemy import create_engine
from tests.database import Database

from bench.messages import Exchange, new_id
from bench.peers.openai_agents import url_of
from bench.stores import OWNER, Call

_AGENT = "bench"


class Agno:
    """One engine with one open connection, which is not checked before each call."""

    name = "agno"
    grows = False
    # It has no call for many runs, so it takes minutes to make long threads.
    longest = 1_000

    def __init__(self, database: Database, stack: ExitStack) -> None:
        engine = create_engine(
            url_of(database, "postgresql+psycopg"),
            pool_size=1,
            max_overflow=0,
            connect_args={"prepare_threshold": 0},
        )
        stack.callback(engine.dispose)
        self._db = PostgresDb(db_engine=engine)
        self._lengths: dict[str, int] = defaultdict(int)

    def fill(self, thread: str, exchanges: Sequence[Exchange]) -> None:
        """Store the session and all runs."""
        session = AgentSession(thread, agent_id=_AGENT, user_id=OWNER, created_at=int(time.time()))
        self._db.upsert_session(session)
        for exchange in exchanges:
            self.append(thread, exchange)()

    def append(self, thread: str, exchange: Exchange) -> Call:
        """Upsert the run with its place, so that agno need not search for it."""
        place = self._lengths[thread]
        self._lengths[thread] = place + 1
        run = _run(thread, exchange)
        return lambda: self._db.upsert_run(run, thread, user_id=OWNER, run_index=place)

    def load(self, thread: str) -> Call:
        """Get the session with its runs."""
        return lambda: self._db.get_session(thread, user_id=OWNER)


def _run(thread: str, exchange: Exchange) -> RunOutput:
    tool = {"id": exchange.call_id, "query": exchange.query, "output": exchange.output}
    return RunOutput(
        run_id=new_id(),
        agent_id=_AGENT,
        session_id=thread,
        messages=[
            Message(role="user", content=exchange.user_text),
            Message(role="assistant", content=exchange.answer_text, tool_calls=[tool]),
        ],
        status=RunStatus.completed,
    )


def make(database: Database, stack: ExitStack) -> Agno:
    """Make its tables."""
    return Agno(database, stack)
