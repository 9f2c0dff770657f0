"""Writes the schema of a release down, for the test that upgrades it.

`python -m tests.operations.release VERSION GIT_REF` makes `releases/VERSION.sql` from `db/` as it
is in GIT_REF: everything that install.sql runs, without the roles, as SQL that any client can send
at once. The same ref makes the same file. An existing file is never written again.

`--migrations-of GIT_REF` is for a release that is not out yet. It takes the texts of migrations
from there, because they may still be edited, and an upgrade refuses one whose text differs.
"""

from __future__ import annotations

import argparse
import re
import subprocess
import sys
from pathlib import Path

RELEASES = Path(__file__).parent / "releases"
_ROOT = Path(__file__).resolve().parents[2]


def releases() -> list[Path]:
    """Return the schemas of all releases, the oldest first."""
    return sorted(RELEASES.glob("*.sql"), key=lambda file: [int(n) for n in file.stem.split(".")])


def _git(*arguments: str) -> str:
    answer = subprocess.run(["git", *arguments], cwd=_ROOT, capture_output=True, check=True)
    return answer.stdout.decode()


def schema_at(ref: str, migrations_of: str | None = None) -> str:
    """Return the SQL that installs `db/` of `ref` where the roles exist, in one transaction."""
    names = _git("ls-tree", "-r", "--name-only", ref, "--", "db").splitlines()

    def read(name: str, source: str = ref) -> str:
        return _git("show", f"{source}:{name}").rstrip("\r\n")

    # What install.sql does, including the part of roles.sql that creates the schema.
    parts = [
        "begin;",
        "set local client_min_messages = warning;",
        "set local search_path = pg_catalog, pg_temp;",
        "create schema pgthreads authorization pgthreads_owner;",
        "set local role pgthreads_owner;",
        "set local check_function_bodies = off;",
        read("db/ledger.sql"),
    ]
    for name in names:
        if re.fullmatch(r"db/migrations/.*\.sql", name):
            # Its checksum is of its text without the newline at its end.
            text, key = read(name, migrations_of or ref), Path(name).stem
            parts.append(
                f"select pgthreads.apply_migration('{key}', $migration${text}$migration$);"
            )
    for kind in ("functions", "views", "policies"):
        parts += [read(name) for name in names if re.fullmatch(rf"db/{kind}/.*\.sql", name)]
    return "\n\n".join([*parts, "commit;"]) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.operations.release", description=__doc__)
    parser.add_argument("version")
    parser.add_argument("ref")
    parser.add_argument("--migrations-of", metavar="GIT_REF")
    arguments = parser.parse_args()
    target = RELEASES / f"{arguments.version}.sql"
    if not re.fullmatch(r"\d+\.\d+\.\d+", arguments.version):
        parser.error("a version is three numbers: 0.1.0")
    if target.exists():
        parser.error(f"{target} exists, and a release never changes")
    made_of = _git("rev-parse", "--short", arguments.ref).strip()
    if arguments.migrations_of:
        edited = _git("rev-parse", "--short", arguments.migrations_of).strip()
        made_of = f"{made_of}, its migrations as in {edited}"
    text = schema_at(arguments.ref, arguments.migrations_of)
    target.write_text(f"-- Release {arguments.version}, made of {made_of}.\n\n{text}", "utf-8")
    print(target)
    return 0


if __name__ == "__main__":
    sys.exit(main())
