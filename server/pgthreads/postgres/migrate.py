"""Installs or upgrades the schema `pgthreads`, from the same files as `db/install.sql`.

The order of the files is the same, too. The SQL function `pgthreads.apply_migration` decides which
migration is pending and which was edited; this module only reads files and sends them.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

import psycopg

from ..errors import OperatorError


class MigrateError(OperatorError):
    """The installation was refused and has changed nothing."""


def database_files() -> Path:
    """Return the folder of the SQL files: that of the installed package, or `db/` of the checkout.

    Raises MigrateError if there is none.
    """
    package = Path(__file__).resolve().parent.parent
    for folder in (package / "db", package.parent.parent / "db"):
        if (folder / "install.sql").is_file():
            return folder
    raise MigrateError("the SQL files of pgthreads are missing", "Install the package again.")


def optional_parts(db: Path | None = None) -> list[str]:
    """Return the names that `migrate` takes as `optional`."""
    parts = (db or database_files()) / "optional"
    return sorted(part.name for part in parts.iterdir() if part.is_dir()) if parts.is_dir() else []


def sql_files(folder: Path, kind: str) -> list[Path]:
    """Return the files of one kind, such as `functions`, in the order in which they are run."""
    return sorted((folder / kind).rglob("*.sql"), key=lambda file: file.name)


def migrate(conninfo: str, db: Path | None = None, optional: Collection[str] = ()) -> list[str]:
    """Install or upgrade the schema in one transaction; return the names of new migrations.

    `conninfo` names a superuser, or a role with CREATEROLE that may create schemas in the database.
    `optional` names folders of `db/optional/`; parts that the database has already are upgraded in
    any case. Raises `MigrateError` with PostgreSQL's message if the database cannot be reached or
    refuses: because a migration was edited after it had been applied, because the schema is of a
    newer release, or because somebody holds locks on the tables for more than a few seconds.
    """
    folder = db or database_files()
    try:
        with psycopg.connect(conninfo, client_encoding="utf8") as connection:
            return _install(connection, folder, optional)
    except psycopg.Error as error:
        if error.sqlstate is None:
            raise MigrateError(
                f"cannot reach the database: {error}".strip(), "Check the database URL."
            ) from error
        diagnosis = error.diag
        message = diagnosis.message_primary or str(error)
        if diagnosis.message_detail:
            message = f"{message}: {diagnosis.message_detail}"
        raise MigrateError(message, diagnosis.message_hint or "") from error


def _install(connection: psycopg.Connection, folder: Path, optional: Collection[str]) -> list[str]:
    def run(file: Path) -> None:
        # Without parameters psycopg sends the text as it is, so it may have several statements.
        connection.execute(_text(file))

    connection.execute("set local client_min_messages = warning")
    run(folder / "roles.sql")
    connection.execute("set local role pgthreads_owner")
    connection.execute("set local check_function_bodies = off")
    run(folder / "ledger.sql")
    known = {row[0] for row in connection.execute("select m.name from pgthreads.migration as m")}
    folders = [folder]
    for name in optional_parts(folder):
        part = folder / "optional" / name
        if name in optional or any(file.stem in known for file in sql_files(part, "migrations")):
            folders.append(part)
    applied = []
    for file in (file for each in folders for file in sql_files(each, "migrations")):
        row = connection.execute(
            "select pgthreads.apply_migration(%s, %s)", (file.stem, _text(file))
        ).fetchone()
        if row and row[0]:
            applied.append(file.stem)
    connection.execute("select pgthreads.refuse_older_release()")
    for each in folders:
        for kind in ("functions", "views", "policies"):
            for file in sql_files(each, kind):
                run(file)
    return applied


def _text(file: Path) -> str:
    return file.read_text(encoding="utf-8")
