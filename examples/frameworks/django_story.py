"""The story in Django: python django_story.py.

A project has its settings elsewhere, and imports `Threads`. It installs the schema by a migration:
`migrations.RunSQL(Path("pgthreads.sql").read_text(), migrations.RunSQL.noop)`.
"""

import json
import os
from typing import Any

import django
from django.conf import settings
from django.db import DatabaseError, connection, transaction


class Threads:
    """One user's threads. Each call is one statement, so it may be a transaction of its own."""

    def __init__(self, owner: Any) -> None:
        self.owner = owner

    def append(
        self, key: str | None, *messages: dict[str, Any], expected_count: int | None = None
    ) -> dict[str, Any]:
        """Append messages, to a new thread if `key` is None."""
        return self._call(
            """
            select a.state_key, a.message_count, a.appended
            from pgthreads.set_tenant(%s) as t(owner),
              lateral pgthreads.append_thread(t.owner, %s, %s, %s) as a""",
            key,
            json.dumps(messages),
            expected_count,
        )[0]

    def load(self, key: str) -> list[dict[str, Any]]:
        """Return the messages. Django's cursors leave json as it is stored, as text."""
        row = self._call(
            """
            select l.messages
            from pgthreads.set_tenant(%s) as t(owner),
              lateral pgthreads.load_thread(t.owner, %s) as l(messages)""",
            key,
        )[0]
        return row["messages"]

    def latest(self) -> list[dict[str, Any]]:
        """Return the threads, the latest append first."""
        return self._call("""
            select s.title, s.message_count
            from pgthreads.set_tenant(%s) as t(owner),
              lateral pgthreads.list_threads(t.owner) as s""")

    def delete(self, key: str) -> bool:
        """Delete the thread; False if it was deleted before."""
        row = self._call(
            """
            select d.deleted
            from pgthreads.set_tenant(%s) as t(owner),
              lateral pgthreads.soft_delete_thread(t.owner, %s) as d(deleted)""",
            key,
        )[0]
        return row["deleted"]

    def _call(self, statement: str, *arguments: Any) -> list[dict[str, Any]]:
        # With ATOMIC_REQUESTS this is a savepoint, so a refusal undoes this call alone.
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement, [self.owner, *arguments])
            names = [column.name for column in cursor.description]
            return [dict(zip(names, row, strict=True)) for row in cursor.fetchall()]


def sqlstate(error: DatabaseError) -> str | None:
    """Return the SQLSTATE; `.diag` beside it has message_detail and message_hint."""
    return getattr(error.__cause__, "sqlstate", None)


def text(message_id: str, role: str, words: str) -> dict[str, Any]:
    """Return a UIMessage with one text part."""
    return {"id": message_id, "role": role, "parts": [{"type": "text", "text": words}]}


def tell(threads: Threads) -> None:
    """Tell the story: print a line for each step."""
    created = threads.append(None, text("q1", "user", "Which mountain is the highest?"))
    key = created["state_key"]
    print(f"created: key of {len(key)} characters, count {created['message_count']}")

    answer = text("a1", "assistant", "Mount Everest, with 8,849 m.")
    for step in ("answered", "repeated"):
        done = threads.append(key, answer, expected_count=1)
        print(f"{step}: appended {done['appended']}, count {done['message_count']}")

    question = text("q2", "user", "And the second highest?")
    try:
        threads.append(key, question, expected_count=1)
    except DatabaseError as error:
        if sqlstate(error) != "THCNT":
            raise
        print(f"conflict: {sqlstate(error)}, loaded again")
        done = threads.append(key, question, expected_count=len(threads.load(key)))
        print(f"resolved: appended {done['appended']}, count {done['message_count']}")

    for message in threads.load(key):
        print(f"  {message['role']}: {message['parts'][0]['text']}")
    for thread in threads.latest():
        print(f"listed: {thread['title']} ({thread['message_count']})")
    print(f"deleted: {str(threads.delete(key)).lower()}")

    try:
        threads.append(key, question)
    except DatabaseError as error:
        if sqlstate(error) != "THDEL":
            raise
        print(f"refused: {sqlstate(error)}, nothing appended")
    print(f"left: {len(threads.load(key))} messages, {len(threads.latest())} threads")


if __name__ == "__main__":
    settings.configure(
        DATABASES={
            "default": {
                "ENGINE": "django.db.backends.postgresql",
                "HOST": os.environ.get("PGHOST", "localhost"),
                "PORT": os.environ.get("PGPORT", "5432"),
                "NAME": os.environ.get("PGDATABASE", ""),
                "USER": os.environ.get("PGUSER", ""),
                "PASSWORD": os.environ.get("PGPASSWORD", ""),
            }
        }
    )
    django.setup()
    tell(Threads("ada"))
