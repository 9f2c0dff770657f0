"""Writes the installation as one statement of SQL, which any tool for migrations can run.

It is made of the same files as `db/install.sql`, in the same order. `do` is one statement, so it is
one transaction however it is sent: alone, among others, with `psql -f`, or prepared. A tool that
takes a script apart at its semicolons leaves it whole, because all of it is one quoted text.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from pathlib import Path

from .migrate import MigrateError, database_files, optional_parts, sql_files

_BLOCK = "$pgthreads_install$"
_FILE = "$pgthreads_file$"

_HEADER = """\
-- Installs or upgrades schema pgthreads. It is safe to run this again. Written by `pgthreads sql`;
-- do not edit it, write it again for a new release.
--
-- This is one statement. Run it as a superuser, or as a role with CREATEROLE that may create
-- schemas in this database.
"""

# The settings that an installation changes for its transaction. Others may use that transaction
# after it, so each of them is set back.
_SETTINGS = (
    "role",
    "search_path",
    "standard_conforming_strings",
    "row_security",
    "check_function_bodies",
    "client_min_messages",
)


def installation_script(db: Path | None = None, optional: Collection[str] = ()) -> str:
    """Return the text of the statement that does what `migrate` does.

    `optional` names folders of `db/optional/` to install as well; parts that a database has already
    are upgraded in any case. Raises MigrateError if the SQL files are missing.
    """
    return "".join(f"{line}\n" for line in _lines(db or database_files(), optional))


def _lines(folder: Path, optional: Collection[str]) -> Iterator[str]:
    yield _HEADER
    yield f"do {_BLOCK}"
    yield "declare"
    yield "  v_role text := pg_catalog.current_setting('role');"
    for name in _SETTINGS[1:]:
        yield f"  v_{name} text := pg_catalog.current_setting('{name}');"
    yield "  v_part boolean;"
    yield "begin"
    yield "set local client_min_messages = warning;"
    yield from _run(folder / "roles.sql")
    yield "set local role pgthreads_owner;"
    yield "set local check_function_bodies = off;"
    yield from _run(folder / "ledger.sql")
    yield from _migrations(folder)
    parts = optional_parts(folder)
    for name in parts:
        yield from _if_wanted(folder / "optional" / name, name in optional)
        yield from _migrations(folder / "optional" / name)
        yield "end if;"
    yield "perform pgthreads.refuse_older_release();"
    yield from _definitions(folder)
    for name in parts:
        # The part is in the ledger by now if it is wanted.
        yield from _if_wanted(folder / "optional" / name, wanted=False)
        yield from _definitions(folder / "optional" / name)
        yield "end if;"
    for name in _SETTINGS:
        yield f"perform pg_catalog.set_config('{name}', v_{name}, true);"
    yield "end;"
    yield f"{_BLOCK};"


def _if_wanted(part: Path, wanted: bool) -> Iterator[str]:
    names = ", ".join(f"'{file.stem}'" for file in sql_files(part, "migrations"))
    yield (
        f"v_part := {str(wanted).lower()}"
        f" or coalesce(current_setting('pgthreads.optional', true) = '{part.name}', false)"
        f" or exists (select from pgthreads.migration as m where m.name in ({names}));"
    )
    yield "if v_part then"


def _migrations(folder: Path) -> Iterator[str]:
    for file in sql_files(folder, "migrations"):
        yield f"perform pgthreads.apply_migration('{file.stem}', {_quoted(file)});"


def _definitions(folder: Path) -> Iterator[str]:
    for kind in ("functions", "views", "policies"):
        for file in sql_files(folder, kind):
            yield from _run(file)


def _run(file: Path) -> Iterator[str]:
    yield f"execute {_quoted(file)};"


def _quoted(file: Path) -> str:
    text = file.read_text(encoding="utf-8")
    if _BLOCK in text or _FILE in text:
        raise MigrateError(f"{file.name} holds a quote of the script", "Use another one there.")
    return f"{_FILE}{text}{_FILE}"
