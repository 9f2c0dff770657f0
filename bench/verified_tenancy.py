"""What verified tenancy costs: the same calls with it off and on, in turn, as medians and ratios.

`python -m bench.verified_tenancy [--rounds N] [--before FILE …]`: takes a server as the tests do.
`--before` are SQL files of a release without it (set_tenant, require_tenant, the policies of thread
and message), laid over a third database.
"""

from __future__ import annotations

import argparse
import random
import statistics
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, LiteralString

import psycopg
from psycopg import sql
from tests.database import choose, migrated_template, new_database, start_server

_OWNER = "owner-1"
_CALLS: dict[str, LiteralString] = {
    "set_tenant": "select pgthreads.set_tenant(%s)",
    "append_thread, 1 message of 1.4 KB": (
        "select a.* from pgthreads.set_tenant(%s) as t(owner),"
        " lateral pgthreads.append_thread(t.owner, 'grows', jsonb_build_array("
        "jsonb_build_object('id', pgthreads.new_state_key(), 'role', 'user', 'parts',"
        " jsonb_build_array(jsonb_build_object('type', 'text', 'text', repeat('some text ', 140)))"
        "))) as a"
    ),
    "load_thread, 50 messages": (
        "select l.* from pgthreads.set_tenant(%s) as t(owner),"
        " lateral pgthreads.load_thread(t.owner, 'full') as l(messages)"
    ),
    "list_threads, 20 threads": (
        "select l.* from pgthreads.set_tenant(%s) as t(owner),"
        " lateral pgthreads.list_threads(t.owner, 20) as l"
    ),
}
_VIEW = "ai_threads, 50 messages, in a transaction"
_FILL: LiteralString = """
    select a.appended
    from pgthreads.set_tenant('owner-1') as t (owner),
      lateral (select 'list-' || i as key from generate_series(1, 20) as i) as k,
      lateral pgthreads.append_thread(t.owner, k.key, '[]') as a
"""
_FULL: LiteralString = """
    select a.appended
    from pgthreads.set_tenant('owner-1') as t (owner),
      lateral pgthreads.append_thread(t.owner, 'full', (
        select jsonb_agg(jsonb_build_object('id', i::text, 'role', 'user', 'parts',
          jsonb_build_array(jsonb_build_object('type', 'text', 'text', repeat('some text ', 140)))))
        from generate_series(1, 50) as i)) as a
"""


@dataclass
class Side:
    """A database, what its set_tenant is given, and the seconds that each call took."""

    name: str
    connection: psycopg.Connection[Any]
    tenant: str
    seconds: dict[str, list[float]] = field(default_factory=dict)

    def call(self, name: str) -> None:
        """Make one call and note how long it took."""
        start = time.perf_counter()
        if name == _VIEW:
            with self.connection.transaction():
                self.connection.execute("select pgthreads.set_tenant(%s)", (self.tenant,))
                self.connection.execute(
                    "select v.messages from pgthreads.ai_threads as v where v.state_key = 'full'"
                ).fetchall()
        else:
            self.connection.execute(_CALLS[name], (self.tenant,)).fetchall()
        self.seconds.setdefault(name, []).append(time.perf_counter() - start)


def _open(stack: ExitStack, dsn: str) -> psycopg.Connection[Any]:
    connection = stack.enter_context(psycopg.connect(dsn, autocommit=True, prepare_threshold=0))
    connection.execute("set role pgthreads_server")
    connection.execute(_FILL)
    connection.execute(_FULL)
    # Else plans change in one database before they do in another.
    with psycopg.connect(dsn, autocommit=True) as admin:
        for table in ("thread", "message", "turn"):
            name = sql.Identifier("pgthreads", table)
            admin.execute(sql.SQL("alter table {} set (autovacuum_enabled = off)").format(name))
            admin.execute(sql.SQL("vacuum analyze {}").format(name))
    return connection


def _turn_on(dsn: str) -> str:
    with psycopg.connect(dsn, autocommit=True) as admin:
        admin.execute("insert into pgthreads.tenant_key (id) values ('bench')")
        admin.execute("insert into pgthreads.tenant_key (id) values ('bench-next')")
        admin.execute("update pgthreads.config set require_verified_tenant = true")
        row = admin.execute("select pgthreads.mint_tenant_token(%s, '1 hour')", (_OWNER,))
        return str((row.fetchone() or ("",))[0])


def _lay_over(dsn: str, files: list[Path]) -> None:
    with psycopg.connect(dsn, autocommit=True) as admin:
        admin.execute("set role pgthreads_owner")
        for file in files:
            admin.execute(file.read_text())


def _report(sides: list[Side]) -> None:
    print(f"{'call':44}" + "".join(f"{side.name:>14}" for side in sides))
    for name in (*_CALLS, _VIEW):
        medians = [statistics.median(side.seconds[name]) for side in sides]
        cells = (f"{m * 1e6:6.0f} µs{m / medians[0]:5.2f}" for m in medians)
        print(f"{name:44}" + "".join(f"{cell:>14}" for cell in cells))


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(prog="python -m bench.verified_tenancy", description=__doc__)
    parser.add_argument("--rounds", type=int, default=2000)
    parser.add_argument("--before", type=Path, nargs="*", default=[])
    arguments = parser.parse_args()
    with ExitStack() as stack:
        server = stack.enter_context(start_server(choose()))
        template = stack.enter_context(migrated_template(server))
        names = ["before", "off", "on"] if arguments.before else ["off", "on"]
        dsns = [stack.enter_context(new_database(server, template)).admin_dsn for _ in names]
        if arguments.before:
            _lay_over(dsns[0], arguments.before)
        connections = [_open(stack, dsn) for dsn in dsns]
        tenants = [_OWNER] * (len(names) - 1) + [_turn_on(dsns[-1])]
        sides = [Side(*each) for each in zip(names, connections, tenants, strict=True)]
        for _ in range(arguments.rounds):
            for name in (*_CALLS, _VIEW):
                # In any order, because each call finds the caches as the one before it left them.
                for side in random.sample(sides, len(sides)):
                    side.call(name)
        print(server.label)
        _report(sides)


if __name__ == "__main__":
    main()
