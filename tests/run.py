"""Runs all checks or all tests, goes on after a failure, and ends with a summary.

`python -m tests.run check|test [STEP …] [-- OPTIONS]` is what `make check` and `make test` run; the
options go on to the last step. Most tests wait more than they compute, so the steps of `test` are
run in two lanes: while one shows what it does, the other shows each of its steps when it has ended.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
import tomllib
from collections.abc import Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from tests import tools
from tests.examples.languages import LANGUAGES

ROOT = Path(__file__).resolve().parent.parent
_BIN = Path(sys.prefix) / "bin"
_RESULT = re.compile(
    r"^(Files=|Result: |Found |Success: |All checks|\d+ files? |# isolation: |# majors: |# bench: |"
    r"# faults: |plpgsql_check: |TOTAL: |added \d|up to date|changed \d|=+ .* in [\d.]+s)"
)


_SERVER = "tests/server"
_FOLDERS: list[str] = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["pytest"][
    "ini_options"
]["testpaths"]


@dataclass(frozen=True)
class Step:
    """One command of a run, the tools that it needs, and where it runs.

    A step `beside` others runs in the second lane, after those before it that are not beside. One
    that is not `usual` runs only when it is named.
    """

    name: str
    command: list[str]
    needs: tuple[str, ...] = ()
    folder: Path = ROOT
    beside: bool = False
    usual: bool = True


@dataclass(frozen=True)
class Outcome:
    """How a step ended: its result lines, as its runner printed them."""

    step: Step
    passed: bool
    seconds: float
    lines: list[str]


def _sql_files() -> Iterator[str]:
    kinds = ("migrations/*", "functions/**/*", "views/*", "policies/*")
    optional = (f"optional/*/{kind}" for kind in kinds)
    for pattern in ("roles", "ledger", *kinds, *optional):
        yield from (str(p.relative_to(ROOT)) for p in sorted((ROOT / "db").glob(f"{pattern}.sql")))


def _with_database(*command: str, optional: tuple[str, ...] = ()) -> list[str]:
    parts = [word for part in optional for word in ("--with", part)]
    return [sys.executable, "-m", "tests.database", "run", "--pgtap", *parts, "--", *command]


def checks() -> list[Step]:
    """Return the steps of `make check`."""
    migrations = [name for name in _sql_files() if "/migrations/" in name]
    # PS010 is about a schema of this name that another role made: ledger.sql, which comments on it
    # as the owner, refuses that, and test_install.py shows it.
    # These name everything with its schema: with a search_path the planner could not put them in
    # the place of a call.
    ignored = ["--ignore", "PS010"]
    for function in (
        "bcd_luhn(p_digits bigint)",
        "requires_token()",
        "is_named_tenant(p_owner_user_id text)",
        "is_plain_read(p_owner_user_id text,p_state_key text,p_last integer,p_before_seq integer)",
        "read_head(p_owner_user_id text,p_state_key text,p_leaf_id text,head_seq integer,"
        "is_linear boolean,message_count integer,head_digest bytea,is_open boolean)",
        "is_state_key(p_state_key text)",
        "prompt_start(p_owner_user_id text,p_state_key text,p_first_seq integer,"
        "p_head_seq integer,p_max_bytes bigint,seq integer)",
        "has_message_shape(p_message jsonb)",
        "has_shape(p_message jsonb)",
        "is_known_part(p_part jsonb)",
        "has_plain_numbers(p_value jsonb)",
        "is_plain_message(p_message jsonb)",
        "is_short(p_value jsonb,p_bytes integer)",
        "is_shallow(p_value jsonb)",
        "is_short(p_value jsonb, p_bytes int)",
    ):
        ignored += ["--proc-without-search-path", f"pgthreads.{function}"]
    pgspot = [str(_BIN / "pgspot"), "--append", *ignored, *_sql_files()]
    return [
        Step("ruff check", [str(_BIN / "ruff"), "check", "."]),
        Step("ruff format", [str(_BIN / "ruff"), "format", "--check", "."]),
        Step("mypy", [str(_BIN / "mypy")]),
        Step("sql files", [sys.executable, "-m", "tests.sql.files"]),
        Step(
            "plpgsql_check",
            [sys.executable, "-m", "tests.sql.plpgsql_check"],
            ("postgres", "plpgsql_check"),
        ),
        Step("squawk", [str(_BIN / "squawk"), "--config", "tests/sql/squawk.toml", *migrations]),
        Step("pgspot", pgspot),
    ]


def tests() -> list[Step]:
    """Return the steps of `make test`."""
    sql_tools = ("postgres", "pgtap", "pg_prove")
    prove = ["pg_prove", "--recurse", "--ext", ".sql", "tests/pgtap"]
    # With optional parts the rules of the catalogue must hold as well, and appends must not change.
    prove_search = [*prove[:-1], "tests/optional/search", "tests/pgtap/catalog"]
    prove_search += ["tests/pgtap/append_thread", "tests/pgtap/update_thread"]
    isolation = [sys.executable, "-m", "tests.isolation.run"]
    faults = [sys.executable, "-m", "pytest", "--no-skips", "tests/faults"]
    npm = ["npm", "install", "--no-progress", "--no-fund", "--no-audit"]
    languages = [language.name for language in LANGUAGES if language.is_separate]
    pytest = [sys.executable, "-m", "pytest", "--no-skips"]
    pytest_tools = ("postgres", "chromium", "node")
    return [
        # Tests in both lanes use these packages.
        Step("npm", npm, ("node",), ROOT / "tests" / "clients"),
        Step("npm examples", [*npm[:1], "ci", *npm[2:]], ("node",), ROOT / "examples"),
        Step("npm page", [*npm[:1], "ci", *npm[2:]], ("node",), ROOT / "web"),
        # The server's tests take minutes on each version, so only make test-majors runs them.
        Step(
            "majors",
            [sys.executable, "-m", "tests.majors", "pgtap", "isolation"],
            sql_tools,
            beside=True,
        ),
        Step("bench", ["make", "--no-print-directory", "bench-smoke"], ("postgres",), beside=True),
        Step("faults", faults, ("postgres", "faketime"), beside=True),
        Step(
            "pytest rest",
            [*pytest, *(folder for folder in _FOLDERS if folder != _SERVER)],
            pytest_tools,
            beside=True,
        ),
        Step("page", ["npm", "run", "check"], ("node",), ROOT / "web"),
        Step("pgtap", _with_database(*prove), sql_tools),
        Step("pgtap search", _with_database(*prove_search, optional=("search",)), sql_tools),
        Step("isolation", isolation, ("postgres",)),
        # These are steps and not needs, so that a missing one fails only its own test.
        Step("pgbouncer", [sys.executable, "-m", "tests.tools", "pgbouncer"]),
        Step("languages", [sys.executable, "-m", "tests.tools", *languages]),
        Step("pytest server", [*pytest, _SERVER], pytest_tools),
        Step("pytest", pytest, pytest_tools, usual=False),
    ]


def _run(step: Step) -> Outcome:
    head = f"\n== {step.name}: {' '.join(step.command)[:160]}\n"
    if not step.beside:
        print(head, end="", flush=True)
    text = [head]
    lines = []
    start = time.monotonic()
    with subprocess.Popen(
        step.command,
        cwd=step.folder,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    ) as process:
        assert process.stdout
        for line in process.stdout:
            if step.beside:
                text.append(line)
            else:
                print(line, end="", flush=True)
            if _RESULT.match(line):
                lines.append(line.strip())
    if step.beside:
        print("".join(text), end="", flush=True)
    return Outcome(step, process.returncode == 0, time.monotonic() - start, lines[-2:])


def _run_all(steps: Sequence[Step]) -> list[Outcome]:
    """Run the steps, in two lanes if there are several; return how each has ended, in order."""
    if len(steps) == 1:
        return [_run(replace(steps[0], beside=False))]
    with ThreadPoolExecutor(1) as lane:
        ended: list[Outcome | Future[Outcome]] = [
            lane.submit(_run, step) if step.beside else _run(step) for step in steps
        ]
        return [each.result() if isinstance(each, Future) else each for each in ended]


def _summarise(outcomes: list[Outcome]) -> None:
    print("\n== summary")
    for outcome in outcomes:
        mark = "ok" if outcome.passed else "FAILED"
        print(f"{mark:6} {outcome.step.name:14} {outcome.seconds:6.1f} s  {outcome.lines or ''}")


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.run", description=__doc__)
    parser.add_argument("kind", choices=("check", "test"))
    parser.add_argument("steps", nargs="*", help="names of steps, all if there is none")
    words = sys.argv[1:]
    split = words.index("--") if "--" in words else len(words)
    arguments = parser.parse_args(words[:split])
    steps = checks() if arguments.kind == "check" else tests()
    unknown = set(arguments.steps) - {step.name for step in steps}
    if unknown:
        parser.error(f"unknown steps {sorted(unknown)}; there are {[s.name for s in steps]}")
    chosen = [
        step for step in steps if (step.name in arguments.steps if arguments.steps else step.usual)
    ]
    if tools.require({name for step in chosen for name in step.needs}):
        return 1
    chosen[-1].command.extend(words[split + 1 :])
    outcomes = _run_all(chosen)
    _summarise(outcomes)
    return 0 if all(outcome.passed for outcome in outcomes) else 1


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
