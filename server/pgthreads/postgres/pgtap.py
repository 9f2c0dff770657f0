"""Runs the installed suite, `db/pgtap/installed.sql`, over a connection of its own.

The file has nothing but SQL, so that psql, pg_prove and this module send the same text. It ends
with a rollback. If it does not get that far, the end of the connection rolls everything back.
"""

from __future__ import annotations

import secrets
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from ..errors import OperatorError
from .migrate import database_files
from .tenants import Tenant, named


class SuiteError(OperatorError):
    """The installed suite could not be run completely."""


@dataclass(frozen=True, slots=True)
class SuiteResult:
    """How many assertions were made, and for each that failed its description and diagnostics."""

    assertions: int
    failed: list[str]


def installed_suite() -> Path:
    """Return the file of the installed suite. Raises MigrateError if it is missing."""
    return database_files() / "pgtap" / "installed.sql"


def run_installed_suite(
    conninfo: str, *, tenant: Tenant = named, pgtap_sql: Path | None = None
) -> SuiteResult:
    """Run the installed suite as a member of pgthreads_server and pgthreads_maintenance.

    `pgtap_sql` is a file with pgTAP (`pgtap.sql`), for a database that does not have the extension;
    it is loaded into a schema that exists only in this transaction. `tenant` signs the name of the
    suite's own owner if the database wants tokens. Raises SuiteError.
    """
    suite = installed_suite().read_bytes()
    try:
        with psycopg.connect(
            conninfo, autocommit=True, connect_timeout=10, prepare_threshold=None
        ) as connection:
            connection.execute("begin")
            if pgtap_sql is not None:
                _load(connection, pgtap_sql)
            token = tenant(f"pgtap {secrets.token_urlsafe(16)}")
            if tenant is not named:
                connection.execute(
                    "select set_config('pgthreads.pgtap_tenant', %s, true)", (token,)
                )
            lines: list[str] = []
            # Without parameters psycopg sends the text as it is, and has a result for each of its
            # statements.
            cursor = connection.execute(suite)
            more: bool | None = True
            while more:
                if cursor.description is not None:
                    lines += [str(row[0]) for row in cursor.fetchall()]
                more = cursor.nextset()
    except psycopg.Error as error:
        message = (error.diag.message_primary or str(error)).strip()
        raise SuiteError(message, error.diag.message_hint or "") from error
    return _judged(lines)


def _load(connection: psycopg.Connection, pgtap_sql: Path) -> None:
    try:
        text = pgtap_sql.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise SuiteError(
            f"{pgtap_sql} cannot be read: {error}", "name the file pgtap.sql of pgTAP"
        ) from error
    # `create extension` does the same: lines that are commands of psql are left out.
    body = "\n".join(line for line in text.splitlines() if not line.startswith("\\"))
    schema = sql.Identifier(f"pgthreads_pgtap_{connection.info.backend_pid}")
    connection.execute("set local client_min_messages = warning")
    connection.execute(sql.SQL("create schema {}").format(schema))
    connection.execute(sql.SQL("set local search_path = {}").format(schema))
    connection.execute(body.encode())


def _judged(lines: list[str]) -> SuiteResult:
    failed: list[str] = []
    assertions = 0
    planned = None
    for line in "\n".join(lines).splitlines():
        if line.startswith("1.."):
            planned = int(line.removeprefix("1.."))
        elif line.startswith(("ok ", "not ok ")):
            assertions += 1
            if line.startswith("not ok "):
                failed.append(line.split(" - ", 1)[-1])
        elif failed and line.startswith("# ") and not line.startswith("# Failed test"):
            failed[-1] += f"\n{line.removeprefix('#')}"
    if planned is None or planned != assertions:
        raise SuiteError(f"the suite planned {planned} assertions and made {assertions}")
    return SuiteResult(assertions, failed)
