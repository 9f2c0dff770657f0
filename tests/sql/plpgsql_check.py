"""Runs plpgsql_check, with all its warnings, over every PL/pgSQL function of schema pgthreads.

`python -m tests.sql.plpgsql_check`: any finding is a failure. Needs a server that has the extension
(Debian: postgresql-15-plpgsql-check).
"""

from __future__ import annotations

import argparse
import sys

import psycopg
from psycopg.conninfo import make_conninfo

from pgthreads.postgres.migrate import migrate, optional_parts
from tests.database import (
    DEFAULT_IMAGE,
    NoDatabaseError,
    choose,
    migrated_template,
    start_server,
)

# Findings that cannot be avoided: function and message, with the reason.
ALLOWED = (
    # Running the text of a migration is what it is for; only the owner may call it.
    ("pgthreads.apply_migration(text,text)", "text type variable is not sanitized"),
)

# A trigger function is checked once for each table that it is a trigger of.
_FINDINGS = """
    with checked as (
      select p.oid, p.oid::regprocedure::text as signature, coalesce(t.tgrelid, 0) as relation,
        t.tgoldtable, t.tgnewtable
      from pg_proc as p
      join pg_language as l on l.oid = p.prolang and l.lanname = 'plpgsql'
      left join (
        select distinct g.tgfoid, g.tgrelid, g.tgoldtable, g.tgnewtable
        from pg_trigger as g
        where not g.tgisinternal
      ) as t on t.tgfoid = p.oid
      where p.pronamespace = 'pgthreads'::regnamespace
    )
    select c.signature, f.level, f.sqlstate, f.lineno, f.message, f.detail, f.hint
    from checked as c
    left join lateral plpgsql_check_function_tb(
      c.oid,
      c.relation,
      fatal_errors => false,
      other_warnings => true,
      performance_warnings => true,
      extra_warnings => true,
      security_warnings => true,
      compatibility_warnings => true,
      oldtable => c.tgoldtable,
      newtable => c.tgnewtable
    ) as f on true
    order by c.signature, f.lineno
"""


def run(image: str) -> int:
    """Print the findings and return how many they are. Raises NoDatabaseError."""
    with (
        start_server(choose(image)) as server,
        migrated_template(server) as name,
        psycopg.connect(server.conninfo, dbname=name, autocommit=True) as connection,
    ):
        # The optional parts are checked as well.
        migrate(make_conninfo(server.conninfo, dbname=name), optional=optional_parts())
        try:
            connection.execute("create extension if not exists plpgsql_check schema public")
        except psycopg.errors.FeatureNotSupported as error:
            raise NoDatabaseError(
                f"{server.label} has no plpgsql_check (Debian: apt-get install"
                f" postgresql-{server.major}-plpgsql-check)"
            ) from error
        rows = connection.execute(_FINDINGS).fetchall()
    functions = {row[0] for row in rows}
    reported = [row for row in rows if row[1] is not None]
    used = {(row[0], row[4]) for row in reported} & set(ALLOWED)
    findings = [row for row in reported if (row[0], row[4]) not in ALLOWED]
    for signature, level, state, line, message, detail, hint in findings:
        print(f"{signature}:{line}: {level} {state}: {message}")
        for text in (detail, hint):
            if text:
                print(f"    {text}")
    print(f"plpgsql_check: {len(functions)} functions, {len(findings)} findings ({server.label})")
    for signature, message in set(ALLOWED) - used:
        print(f"{signature}: allowed, but no longer found: {message}")
    if not functions:
        raise NoDatabaseError("there is no PL/pgSQL function to check")
    return len(findings) + len(set(ALLOWED) - used)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.sql.plpgsql_check", description=__doc__)
    parser.add_argument("--postgres-image", default=DEFAULT_IMAGE)
    try:
        return min(run(parser.parse_args().postgres_image), 1)
    except NoDatabaseError as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
