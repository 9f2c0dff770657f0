"""Runs each isolation spec in a fresh migrated database, and compares what it prints.

`python -m tests.isolation.run [--update] [SPEC …]` uses PostgreSQL's own `isolationtester`, and
prints TAP. A spec is `specs/<name>.spec`, and its expected output `expected/<name>.out`; `--update`
writes that file from this run. Each database also has what `helpers.sql` creates. Specs connect as
a superuser; `set role app_login` in a session's setup makes the session an application.
"""

from __future__ import annotations

import argparse
import difflib
import os
import subprocess
import sys
from pathlib import Path

import psycopg

from tests import programs
from tests.database import (
    DEFAULT_IMAGE,
    NoDatabaseError,
    choose,
    migrated_template,
    new_database,
    start_server,
)

_HERE = Path(__file__).parent
_SECONDS = 120


def _print_diagnosis(text: str) -> None:
    for line in text.splitlines():
        print(f"# {line}")


def _run_spec(tester: Path, spec: Path, dsn: str) -> tuple[str, str]:
    """Return what the spec printed, and what went wrong with the program, if anything did."""
    with spec.open() as source:
        try:
            answer = subprocess.run(
                [tester, dsn],
                stdin=source,
                capture_output=True,
                text=True,
                timeout=_SECONDS,
                env={**os.environ, "PGISOLATIONTIMEOUT": "30", "PGCLIENTENCODING": "UTF8"},
                check=False,
            )
        except subprocess.TimeoutExpired:
            return "", f"no end after {_SECONDS} s"
    failed = answer.returncode != 0 or answer.stderr
    return answer.stdout, f"exit {answer.returncode}: {answer.stderr}" if failed else ""


def _check(spec: Path, printed: str, fault: str, *, update: bool) -> bool:
    expected = _HERE / "expected" / f"{spec.stem}.out"
    if fault:
        _print_diagnosis(fault + "\n" + printed)
        return False
    if update:
        expected.write_text(printed)
        return True
    if not expected.exists():
        _print_diagnosis(f"{expected} is missing; --update writes it")
        return False
    difference = list(
        difflib.unified_diff(
            expected.read_text().splitlines(),
            printed.splitlines(),
            f"expected/{expected.name}",
            "printed",
            lineterm="",
        )
    )
    _print_diagnosis("\n".join(difference))
    return not difference


def run(specs: list[Path], image: str, *, update: bool) -> int:
    """Run the specs; return how many failed."""
    tester = programs.isolationtester()
    helpers = (_HERE / "helpers.sql").read_text(encoding="utf-8")
    failures = 0
    with start_server(choose(image)) as server, migrated_template(server) as template:
        print(f"# database: {server.label}\n# isolationtester: {tester}\n1..{len(specs)}")
        for number, spec in enumerate(specs, 1):
            with new_database(server, template) as database:
                with psycopg.connect(database.admin_dsn) as connection:
                    connection.execute(helpers)
                printed, fault = _run_spec(tester, spec, database.admin_dsn)
            passed = _check(spec, printed, fault, update=update)
            failures += not passed
            print(f"{'ok' if passed else 'not ok'} {number} - {spec.stem}", flush=True)
    print(f"# isolation: {len(specs) - failures} of {len(specs)} specs passed")
    return failures


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.isolation.run", description=__doc__)
    parser.add_argument("--update", action="store_true", help="write expected/ from this run")
    parser.add_argument("--postgres-image", default=DEFAULT_IMAGE)
    parser.add_argument("specs", nargs="*", type=Path)
    arguments = parser.parse_args()
    specs = arguments.specs or sorted((_HERE / "specs").glob("*.spec"))
    known = {spec.stem for spec in (_HERE / "specs").glob("*.spec")}
    orphans = [p.name for p in (_HERE / "expected").glob("*.out") if p.stem not in known]
    if not specs or orphans:
        print(f"error: no specs, or results without one: {orphans}", file=sys.stderr)
        return 1
    try:
        return min(run(specs, arguments.postgres_image, update=arguments.update), 1)
    except (NoDatabaseError, programs.MissingProgramError) as error:
        print(f"error: {error}", file=sys.stderr)
        return 1


if __name__ == "__main__":
    sys.exit(main())
