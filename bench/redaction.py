"""What the redaction screen costs an append that holds no secret."""

from __future__ import annotations

import psycopg

from bench.harness import Context, interleave
from bench.report import Bar, Row
from bench.stores import PgThreads, append_system, bench_database, settle

_LENGTH = 20
_ON, _OFF = "with the rules that ship", "without any rule"


class Redaction:
    """The same append with and without rules."""

    name = "redaction"
    title = "The redaction screen"
    about = (
        "`append_thread` with a user message and its answer, neither of which holds a secret, in"
        " a database with the rules that are on by default, and in one where all rules are off."
        " The share is of the whole append, commit included."
    )

    def run(self, context: Context) -> list[Row]:
        """Measure both against each other."""
        databases = {_ON: bench_database(context), _OFF: bench_database(context)}
        with psycopg.connect(databases[_OFF].admin_dsn, autocommit=True) as admin:
            admin.execute("update pgthreads.redaction_rule set enabled = false")
        rounds = context.rounds(120)
        systems = []
        for name, database in databases.items():
            store = PgThreads(database, context.stack)
            store.name = name
            systems.append(append_system(context, store, _LENGTH, rounds))
            settle(database)
        on, off = (system.name for system in systems)
        samples = interleave(context, systems, rounds)
        ratio = samples.ratio(off, on)
        share = Row(
            "share of the screen in an append",
            "",
            100 * (1 - ratio.value),
            (100 * (1 - ratio.high), 100 * (1 - ratio.low)),
            Bar(8),
            " %",
        )
        return [
            Row.of_ratio(off, samples.median(off), samples.ratio(off, off)),
            Row.of_ratio(on, samples.median(on), samples.ratio(on, off)),
            share,
        ]
