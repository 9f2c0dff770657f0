"""The story in SQLAlchemy with asyncio and asyncpg: python sqlalchemy_story.py."""

import asyncio
import json
import os
from typing import Any

from sqlalchemy import URL, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.ext.asyncio import AsyncConnection, create_async_engine

APPEND = text("""
    select a.state_key, a.message_count, a.appended
    from pgthreads.set_tenant(:owner) as t(owner),
      lateral pgthreads.append_thread(t.owner, :key, cast(:messages as jsonb), :expected) as a""")
LOAD = text("""
    select l.messages
    from pgthreads.set_tenant(:owner) as t(owner),
      lateral pgthreads.load_thread(t.owner, :key) as l(messages)""")
LIST = text("""
    select s.title, s.message_count
    from pgthreads.set_tenant(:owner) as t(owner), lateral pgthreads.list_threads(t.owner) as s""")
DELETE = text("""
    select d.deleted
    from pgthreads.set_tenant(:owner) as t(owner),
      lateral pgthreads.soft_delete_thread(t.owner, :key) as d(deleted)""")


class Threads:
    """One user's threads, in a connection of the caller's.

    So a message and rows of your own are one commit. Each call is a savepoint: a refusal undoes
    this call alone, and the transaction goes on.
    """

    def __init__(self, connection: AsyncConnection, owner: str) -> None:
        self.connection = connection
        self.owner = owner

    async def append(
        self, key: str | None, *messages: dict[str, Any], expected_count: int | None = None
    ) -> Any:
        """Append messages, to a new thread if `key` is None."""
        body = json.dumps(messages)
        return (await self._call(APPEND, key=key, messages=body, expected=expected_count))[0]

    async def load(self, key: str) -> list[dict[str, Any]]:
        """Return the messages, none if there is no such thread."""
        messages = (await self._call(LOAD, key=key))[0].messages
        return json.loads(messages) if isinstance(messages, str) else messages

    async def latest(self) -> list[Any]:
        """Return the threads, the latest append first."""
        return await self._call(LIST)

    async def delete(self, key: str) -> bool:
        """Delete the thread; False if it was deleted before."""
        return (await self._call(DELETE, key=key))[0].deleted

    async def _call(self, statement: Any, **values: Any) -> list[Any]:
        async with self.connection.begin_nested():
            result = await self.connection.execute(statement, {"owner": self.owner, **values})
            return list(result.all())


def sqlstate(error: DBAPIError) -> str:
    """Return the SQLSTATE; the cause of `error.orig` has detail and hint as well."""
    return error.orig.sqlstate


def message(message_id: str, role: str, words: str) -> dict[str, Any]:
    """Return a UIMessage with one text part."""
    return {"id": message_id, "role": role, "parts": [{"type": "text", "text": words}]}


async def tell(threads: Threads) -> None:
    """Tell the story: print a line for each step."""
    created = await threads.append(None, message("q1", "user", "Which mountain is the highest?"))
    key = created.state_key
    print(f"created: key of {len(key)} characters, count {created.message_count}")

    answer = message("a1", "assistant", "Mount Everest, with 8,849 m.")
    for step in ("answered", "repeated"):
        done = await threads.append(key, answer, expected_count=1)
        print(f"{step}: appended {done.appended}, count {done.message_count}")

    question = message("q2", "user", "And the second highest?")
    try:
        await threads.append(key, question, expected_count=1)
    except DBAPIError as error:
        if sqlstate(error) != "THCNT":
            raise
        print(f"conflict: {sqlstate(error)}, loaded again")
        count = len(await threads.load(key))
        done = await threads.append(key, question, expected_count=count)
        print(f"resolved: appended {done.appended}, count {done.message_count}")

    for each in await threads.load(key):
        print(f"  {each['role']}: {each['parts'][0]['text']}")
    for thread in await threads.latest():
        print(f"listed: {thread.title} ({thread.message_count})")
    print(f"deleted: {str(await threads.delete(key)).lower()}")

    try:
        await threads.append(key, question)
    except DBAPIError as error:
        if sqlstate(error) != "THDEL":
            raise
        print(f"refused: {sqlstate(error)}, nothing appended")
    left = len(await threads.load(key)), len(await threads.latest())
    print(f"left: {left[0]} messages, {left[1]} threads")


async def main() -> None:
    """Connect by the PG* variables."""
    url = URL.create(
        "postgresql+asyncpg",
        username=os.environ.get("PGUSER"),
        password=os.environ.get("PGPASSWORD"),
        host=os.environ.get("PGHOST", "localhost"),
        port=int(os.environ.get("PGPORT", "5432")),
        database=os.environ.get("PGDATABASE"),
    )
    engine = create_async_engine(url)
    async with engine.begin() as connection:  # commits at its end
        await tell(Threads(connection, "ada"))
    await engine.dispose()


if __name__ == "__main__":
    asyncio.run(main())
