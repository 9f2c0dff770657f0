"""Where the time of a call and of a turn goes: each measured again with one part taken away."""

from __future__ import annotations

from dataclasses import replace
from typing import LiteralString

import psycopg
from tests.database import Database

from bench.harness import Context, interleave
from bench.report import Bar, Row
from bench.stores import PgThreads, append_system, bench_database, settle
from bench.turns import turn_system

_LENGTH = 20
_WHOLE = "whole"
_SCREEN = "without any redaction rule"
_TAKEN_AWAY: dict[str, LiteralString] = {
    _SCREEN: "update pgthreads.redaction_rule set enabled = false",
    "without foreign keys": """
        do $$
        declare
          v_drop text;
        begin
          for v_drop in
            select format('alter table %s drop constraint %I', c.conrelid::regclass, c.conname)
            from pg_constraint as c
            where c.connamespace = 'pgthreads'::regnamespace and c.contype = 'f'
          loop
            execute v_drop;
          end loop;
        end;
        $$
    """,
    "without CHECK constraints": """
        do $$
        declare
          v_drop text;
        begin
          for v_drop in
            select format('alter table %s drop constraint %I', c.conrelid::regclass, c.conname)
            from pg_constraint as c
            where c.connamespace = 'pgthreads'::regnamespace
              and c.contype = 'c'
              and c.conrelid <> 0
          loop
            execute v_drop;
          end loop;
        end;
        $$
    """,
    "without row level security": """
        alter table pgthreads.thread no force row level security;
        alter table pgthreads.message no force row level security;
        alter table pgthreads.turn no force row level security;
        alter table pgthreads.journal no force row level security
    """,
    "without waiting for the disk": """
        do $$
        begin
          execute format(
            'alter database %I set synchronous_commit = off', current_database());
        end;
        $$
    """,
}


class Parts:
    """A call and a turn, and what they cost without one part."""

    name = "parts"
    title = "Where the time goes"
    about = (
        "`append_thread` with a user message and its answer, and a whole turn, in threads of"
        f" {_LENGTH} messages: as they are, and in databases in which one part was taken away."
        " What a part costs is what is missing from 1.00×. The messages hold no secret."
    )

    def run(self, context: Context) -> list[Row]:
        """Measure all of them against each other."""
        databases = {_WHOLE: bench_database(context)}
        for name, statement in _TAKEN_AWAY.items():
            databases[name] = bench_database(context)
            _run(databases[name], statement)
        rounds = context.rounds(60)
        systems = []
        for name, database in databases.items():
            store = PgThreads(database, context.stack)
            call = replace(append_system(context, store, _LENGTH, rounds), name=f"a call, {name}")
            systems.append(call)
            turn = turn_system(context, store, f"a turn, {name}", _LENGTH, _LENGTH, rounds)
            systems.append(turn)
            settle(database)
        samples = interleave(context, systems, rounds)
        rows = []
        for kind in ("a call", "a turn"):
            whole = f"{kind}, {_WHOLE}"
            for name in databases:
                each = f"{kind}, {name}"
                rows.append(Row.of_ratio(each, samples.median(each), samples.ratio(each, whole)))
        screen = samples.ratio(f"a call, {_SCREEN}", f"a call, {_WHOLE}")
        share, low, high = (100 * (1 - each) for each in (screen.value, screen.high, screen.low))
        rows.append(Row("share of the screen in a call", "", share, (low, high), Bar(8), " %"))
        return rows


def _run(database: Database, statement: LiteralString) -> None:
    with psycopg.connect(database.admin_dsn, autocommit=True) as admin:
        admin.execute(statement)
