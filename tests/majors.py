"""Runs the tests on each major version of PostgreSQL that is available, and prints a table.

`python -m tests.majors [PART …]`, the parts being `pgtap`, `isolation` and `pytest` (tests/server),
by default all. The versions are those of installed servers and of the wheel of extra `embedded`;
`--postgres-image postgres:17`, as often as you like, adds containers, which takes a Docker daemon.
"""

from __future__ import annotations

import argparse
import os
import re
import subprocess
import sys
import time
from dataclasses import dataclass

from tests import programs, tools

_PARTS = {
    "pgtap": ("run", "--pgtap", "--", "pg_prove", "--recurse", "--ext", ".sql", "tests/pgtap"),
    "isolation": (),
    "pytest": ("-q", "tests/server"),
}
_MODULES = {"pgtap": "tests.database", "isolation": "tests.isolation.run", "pytest": "pytest"}
_COUNT = re.compile(r"^Files=\d+, Tests=(\d+)|^# isolation: (.*) specs|^(?:=+ )?(.*) in [\d.]+s")
_LABEL = re.compile(r"PostgreSQL (\d+(?:\.\d+)?)[^,]*,")


@dataclass(frozen=True)
class Result:
    """How one part ended on one server; `count` is what its runner said that it ran."""

    passed: bool
    count: str
    seconds: float

    def __str__(self) -> str:
        return f"{'ok' if self.passed else 'FAILED'} {self.count} {self.seconds:.0f} s"


def _server_of(environment: dict[str, str], image: str | None) -> str:
    command = [sys.executable, "-m", "tests.database", *_image_option(image)]
    answer = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    found = _LABEL.match(answer.stdout)
    return found[1] if found else answer.stderr.strip()


def _image_option(image: str | None) -> list[str]:
    return [f"--postgres-image={image}"] if image else []


def _run(part: str, environment: dict[str, str], image: str | None) -> Result:
    command = [sys.executable, "-m", _MODULES[part], *_image_option(image), *_PARTS[part]]
    start = time.monotonic()
    answer = subprocess.run(
        command,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        check=False,
    )
    if answer.returncode != 0:
        print(answer.stdout, flush=True)
    counts = [found for line in answer.stdout.splitlines() if (found := _COUNT.match(line))]
    count = next((group for group in counts[-1].groups() if group), "") if counts else ""
    return Result(answer.returncode == 0, count, time.monotonic() - start)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.majors", description=__doc__)
    parser.add_argument("parts", nargs="*", help=", ".join(_PARTS))
    parser.add_argument("--postgres-image", action="append", default=[])
    arguments = parser.parse_args()
    parts = arguments.parts or list(_PARTS)
    if set(parts) - set(_PARTS):
        parser.error(f"there are {', '.join(_PARTS)}")
    if tools.require({"postgres", "pgtap", "pg_prove"}):
        return 1
    servers: list[tuple[str, str | None]] = [(name, None) for name in programs.server_majors()]
    servers += [("container", image) for image in arguments.postgres_image]
    table: list[tuple[str, list[Result]]] = []
    for name, image in servers:
        environment = {**os.environ, "PGTHREADS_TEST_SERVER": name}
        # A test that is given an address would use it for every major version.
        environment.pop("PGTHREADS_TEST_DSN", None)
        title = f"{_server_of(environment, image)} {image or name}"
        print(f"# {title}", flush=True)
        table.append((title, [_run(part, environment, image) for part in parts]))
    _print(parts, table)
    return 0 if table and all(result.passed for _, results in table for result in results) else 1


def _print(parts: list[str], table: list[tuple[str, list[Result]]]) -> None:
    print(f"{'PostgreSQL':24}" + "".join(f"{part:26}" for part in parts))
    for title, results in table:
        print(f"{title:24}" + "".join(f"{result!s:26}" for result in results).rstrip())
    passed = sum(all(result.passed for result in results) for _, results in table)
    print(f"# majors: {passed} of {len(table)} passed")


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
