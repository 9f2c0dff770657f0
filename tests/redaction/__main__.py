"""`python -m tests.redaction`: recall, precision and cost of redaction, class by class."""

from __future__ import annotations

import sys

import psycopg

from tests.database import NoDatabaseError, choose, migrated_template, new_database, start_server
from tests.redaction.figures import figures


def main() -> int:
    """Print the figures; return 1 if a class is not as it should be."""
    try:
        choice = choose()
    except NoDatabaseError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1
    failed = False
    with (
        start_server(choice) as server,
        migrated_template(server) as template,
        new_database(server, template) as database,
        psycopg.connect(database.admin_dsn, autocommit=True) as connection,
    ):
        print(f"{server.label}\n{'class':28}{'':12}{'share':>8}{'ns/byte':>10}")
        for figure in figures(connection):
            kind = "recall" if figure.must_go else "precision"
            print(f"{figure.name:28}{kind:12}{figure.share:8.3f}{figure.nanoseconds:10.0f}", end="")
            print(f"  {figure.wrong!r}" if figure.wrong else "", flush=True)
            failed = failed or figure.share < 1
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())
