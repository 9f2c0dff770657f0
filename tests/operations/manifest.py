"""Writes the catalogue of a new installation into db/pgtap/installed.sql: `make manifest`.

The suite's own view says what is compared. It is queried here once without the optional parts, and
once with them.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg

from pgthreads.postgres.migrate import migrate
from tests.database import (
    Database,
    NoDatabaseError,
    Server,
    choose,
    load_pgtap,
    new_database,
    start_server,
)

SUITE = Path(__file__).resolve().parents[2] / "db" / "pgtap" / "installed.sql"
_BEGIN = "-- released: written by make manifest, do not edit\n"
_END = "-- end of released\n"

Fact = tuple[str, str, str, str]


def with_manifest(suite: str, server: Server) -> str:
    """Return the suite's text with the catalogue that this checkout installs now."""
    head, rest = suite.split(_BEGIN)
    tail = rest.split(_END)[1]
    body = "".join(f"{line}\n" for line in _statement(_facts(head, server)))
    return head + _BEGIN + body + _END + tail


def _facts(head: str, server: Server) -> list[Fact]:
    plain = _present(head, server, ())
    with_search = _present(head, server, ("search",))
    return [("core", *fact) for fact in plain] + [
        ("search", *fact) for fact in with_search if fact not in set(plain)
    ]


def _present(head: str, server: Server, optional: tuple[str, ...]) -> list[tuple[str, str, str]]:
    with new_database(server) as database:
        migrate(database.admin_dsn, optional=optional)
        load_pgtap(database)
        return _ask(head, database)


def _ask(head: str, database: Database) -> list[tuple[str, str, str]]:
    with psycopg.connect(database.admin_dsn, autocommit=True) as connection:
        connection.execute(head.encode())
        rows = connection.execute(
            "select p.kind, p.name, p.fact from present as p"
            ' order by p.kind collate "C", p.name collate "C"'
        ).fetchall()
        connection.execute("rollback")
    return rows


def _statement(facts: list[Fact]) -> Iterator[str]:
    yield "insert into released values"
    for number, fact in enumerate(facts, 1):
        values = ", ".join("'" + value.replace("'", "''") + "'" for value in fact)
        assert "\n" not in values, values
        yield f"  ({values})" + (";" if number == len(facts) else ",")


def main() -> int:
    suite = SUITE.read_text(encoding="utf-8")
    try:
        with start_server(choose()) as server:
            SUITE.write_text(with_manifest(suite, server), encoding="utf-8")
    except NoDatabaseError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    print(f"{SUITE}: {'changed' if SUITE.read_text(encoding='utf-8') != suite else 'as it was'}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
