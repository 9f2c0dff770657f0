"""Checks the SQL files themselves; `python -m tests.sql.files` is a step of `make check`.

Lines have at most 100 columns, and every function of db/functions has its folder in tests/pgtap.
Migrations and the schemas of releases are left out because they never change, and so are the files
that a program writes.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
_COLUMNS = 100
_WRITTEN = {"db/install.sql", "db/pgtap/installed.sql"}
"""The installer's one shell command cannot be wrapped, and `make manifest` writes the other."""


def _sources(root: Path) -> Iterator[Path]:
    for folder in ("db", "tests"):
        for ending in ("sql", "psql"):
            yield from sorted((root / folder).rglob(f"*.{ending}"))


def long_lines(root: Path) -> Iterator[str]:
    """Yield every line that is too long, as people and editors find it."""
    for path in _sources(root):
        name = path.relative_to(root)
        if name.as_posix() in _WRITTEN or {"migrations", "releases", "node_modules"} & {
            *name.parts
        }:
            continue
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
            if len(line) > _COLUMNS:
                yield f"{name}:{number}: {len(line)} columns, the limit is {_COLUMNS}"


def untested_functions(root: Path) -> Iterator[str]:
    """Yield every function without a folder of tests of its own."""
    tests = {root / "db": "tests/pgtap"}
    for part in sorted((root / "db" / "optional").glob("*/")):
        tests[part] = f"tests/optional/{part.name}"
    for source, folder in tests.items():
        for path in sorted((source / "functions").glob("*/*.sql")):
            if not any((root / folder / path.stem).glob("*.sql")):
                yield f"{path.relative_to(root)}: {folder}/{path.stem}/ has no test"


def main() -> int:
    faults = [*long_lines(_ROOT), *untested_functions(_ROOT)]
    print(*faults, sep="\n", end="\n" if faults else "")
    print(f"Found {len(faults)} faults in the SQL files.")
    return 1 if faults else 0


if __name__ == "__main__":
    sys.exit(main())
