"""The story in Python, with psycopg 3: python story.py."""

from typing import Any, LiteralString

import psycopg
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

Row = dict[str, Any]
Message = dict[str, Any]


class Threads:
    """One owner's threads: each call is one statement, which is one transaction."""

    def __init__(self, connection: psycopg.Connection, owner: str) -> None:
        self.connection = connection
        self.owner = owner

    def append(self, key: str | None, *messages: Message, expected_count: int | None = None) -> Row:
        """Append messages, to a new thread if `key` is None."""
        statement = """
            select a.state_key, a.message_count, a.appended
            from pgthreads.set_tenant(%s) as t(owner),
              lateral pgthreads.append_thread(t.owner, %s, %s, %s) as a"""
        return self._call(statement, key, Jsonb(messages), expected_count)[0]

    def load(self, key: str) -> list[Message]:
        """Return the messages, none if there is no such thread."""
        statement = """
            select l.messages
            from pgthreads.set_tenant(%s) as t(owner),
              lateral pgthreads.load_thread(t.owner, %s) as l(messages)"""
        messages: list[Message] = self._call(statement, key)[0]["messages"]
        return messages

    def latest(self) -> list[Row]:
        """Return the threads, the latest append first."""
        statement = """
            select s.title, s.message_count
            from pgthreads.set_tenant(%s) as t(owner),
              lateral pgthreads.list_threads(t.owner) as s"""
        return self._call(statement)

    def delete(self, key: str) -> bool:
        """Delete the thread; False if it was deleted before."""
        statement = """
            select d.deleted
            from pgthreads.set_tenant(%s) as t(owner),
              lateral pgthreads.soft_delete_thread(t.owner, %s) as d(deleted)"""
        return bool(self._call(statement, key)[0]["deleted"])

    def _call(self, statement: LiteralString, *arguments: Any) -> list[Row]:
        with self.connection.cursor(row_factory=dict_row) as cursor:
            return cursor.execute(statement, (self.owner, *arguments)).fetchall()


def text(message_id: str, role: str, words: str) -> Message:
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
    except psycopg.Error as error:
        if error.sqlstate != "THCNT":
            raise
        print(f"conflict: {error.sqlstate}, loaded again")
        done = threads.append(key, question, expected_count=len(threads.load(key)))
        print(f"resolved: appended {done['appended']}, count {done['message_count']}")

    for message in threads.load(key):
        print(f"  {message['role']}: {message['parts'][0]['text']}")
    for thread in threads.latest():
        print(f"listed: {thread['title']} ({thread['message_count']})")
    print(f"deleted: {str(threads.delete(key)).lower()}")

    try:
        threads.append(key, question)
    except psycopg.Error as error:
        if error.sqlstate != "THDEL":
            raise
        print(f"refused: {error.sqlstate}, nothing appended")
    print(f"left: {len(threads.load(key))} messages, {len(threads.latest())} threads")


if __name__ == "__main__":
    with psycopg.connect(autocommit=True) as connection:
        tell(Threads(connection, "ada"))
