"""Checks whether `pgthreads serve` would run, and says for each fault what to do about it."""

from __future__ import annotations

import json
import logging
import platform
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal, LiteralString, TypeAlias, cast

import psycopg
from nanoid import generate

from .. import __version__
from ..embedded import EmbeddedError, installed_version
from ..errors import PgThreadsError, UnavailableError
from ..events import UIMessage
from ..executors import ExecutorSpecError, chosen
from ..http.key_set import KeySet
from ..http.probes import API_VERSION
from ..postgres.migrate import MigrateError
from ..postgres.pgtap import SuiteError, run_installed_suite
from ..postgres.pool import Pool, Timeouts, adapt, reason_of
from ..postgres.tenants import Tenant, named
from ..postgres.threads import Threads
from ..settings import Settings
from ..turns.spool import Spool, SpoolError

Verdict: TypeAlias = Literal["ok", "note", "FAIL"]
_MINIMUM_SERVER = 150000
_NOTE_HINTS = {
    "login setting": "every program with this login gets it: give each program a login of its own",
    "compression": "what that means for dumps and upgrades is in docs/operations.md, Backups",
}


@dataclass(frozen=True, slots=True)
class Finding:
    """What one check found; `hint` says what to do about it."""

    verdict: Verdict
    text: str
    hint: str = ""


def check_installation(settings: Settings) -> list[Finding]:
    """Check versions, the embedded PostgreSQL, the executor and the spool."""
    found = [
        Finding(
            "ok",
            f"pgthreads {__version__}, Python {platform.python_version()},"
            f" psycopg {psycopg.__version__} with libpq {psycopg.pq.version() // 10000}",
        )
    ]
    try:
        found.append(Finding("ok", f"embedded PostgreSQL {installed_version()}"))
    except EmbeddedError as error:
        needed = settings.database_url is None
        found.append(Finding("FAIL" if needed else "note", str(error), error.hint))
    if settings.model is not None and find_spec("pydantic_ai") is None:
        hint = "pip install 'pgthreads[agents]'"
        found.append(Finding("FAIL", "--model needs pydantic-ai, which is not installed", hint))
    elif settings.executor is not None or settings.model is not None:
        found.append(_check_executor(settings))
    if settings.spool is not None:
        found.append(_check_spool(settings.spool))
    return found


def _check_executor(settings: Settings) -> Finding:
    try:
        chosen(settings)
    except ExecutorSpecError as error:
        return Finding("FAIL", str(error))
    return Finding("ok", f"{settings.executor or settings.model} answers")


def _check_spool(folder: Path) -> Finding:
    if not folder.exists():
        return Finding("note", f"serve will create the spool {folder}")
    spool = Spool(folder)
    try:
        spool.open()
        aside, waiting = spool.aside(), spool.names()
    except SpoolError as error:
        return Finding("FAIL", str(error), error.hint)
    if aside:
        return Finding(
            "note",
            f"{len(aside)} answers were set aside in the spool {folder}",
            "look at them, and delete them; they are as the model gave them",
        )
    return Finding("ok", f"spool {folder}, {len(waiting)} answers wait")


async def check_keys(settings: Settings) -> AsyncIterator[Finding]:
    """Check that the key set of `--jwks-url` can be fetched and has keys."""
    if settings.jwks_url is None:
        return
    lifetime = settings.jwks_lifetime
    keys = KeySet(settings.jwks_url, lifetime=lifetime, log_level=logging.DEBUG)
    async with keys.running():
        try:
            count = await keys.count()
        except UnavailableError as error:
            yield Finding("FAIL", f"{error}: {error.detail}", "see --jwks-url")
            return
    if count:
        yield Finding("ok", f"{settings.jwks_url} has {count} keys")
    else:
        hint = "a key counts if it has a kid, and its use is sig or missing"
        yield Finding("FAIL", f"{settings.jwks_url} has no key for signatures", hint)


async def check_database(conninfo: str, tenant: Tenant = named) -> AsyncIterator[Finding]:
    """Check the versions of PostgreSQL and of the schema, the role, and the redaction rules.

    It ends at the first failure.
    """
    try:
        async with await psycopg.AsyncConnection.connect(conninfo, connect_timeout=10) as probe:
            version, where = probe.info.server_version, f"{probe.info.host}:{probe.info.port}"
            user = probe.info.user
    except psycopg.OperationalError as error:
        yield Finding("FAIL", f"no connection: {reason_of(error)}", "see --database-url")
        return
    text = f"PostgreSQL {version // 10000}.{version % 10000} at {where}"
    if version < _MINIMUM_SERVER:
        yield Finding("FAIL", f"{text} is too old", "pgthreads needs PostgreSQL 15 or later")
        return
    yield Finding("ok", text)
    async with Pool(conninfo, size=1) as pool:
        threads = Threads(pool, tenant)
        try:
            api_version = await threads.api_version()
            if api_version != API_VERSION:
                yield Finding(
                    "FAIL",
                    f"the schema has contract {api_version}, and this server needs {API_VERSION}",
                    "run pgthreads migrate of the same version as pgthreads serve",
                )
                return
            yield Finding("ok", f"schema pgthreads, contract {api_version}")
            yield Finding("ok", f"{await threads.require_server_role()} is a role that may serve")
            await threads.require_tenant()
            await threads.check()
            yield await _rehearse(conninfo, tenant)
            for each in await threads.site_notes():
                yield Finding("note", each.note, _NOTE_HINTS.get(each.topic, ""))
            faults = await threads.redaction_faults()
            for fault in faults:
                yield Finding("FAIL", f"redaction: {fault}", "see docs/security.md, Redaction")
            if not faults:
                yield Finding("ok", "redaction works as its rules say")
        except (PgThreadsError, psycopg.Error) as error:
            hint = getattr(error, "hint", "") or (
                "pgthreads migrate installs the schema; a superuser then runs:"
                f" grant pgthreads_server to {user}"
            )
            detail = getattr(error, "detail", "")
            yield Finding("FAIL", f"{error} {detail}".strip(), hint)


class _Rehearsal:
    """Stands in for a `Pool`: it sends what `Threads` calls within one transaction."""

    timeouts = Timeouts()

    def __init__(self, connection: psycopg.AsyncConnection[Any]) -> None:
        self._connection = connection

    async def fetch(
        self, statement: LiteralString, values: Sequence[object], row: Any, **_: object
    ) -> list[Any]:
        """Run a statement, and return its rows."""
        cursor = self._connection.cursor(row_factory=row)
        await cursor.execute(statement, values, binary=True)
        return await cursor.fetchall()


async def _rehearse(conninfo: str, tenant: Tenant) -> Finding:
    """Store a turn of an owner who does not exist, read it again, and roll it back."""
    owner, key = f"doctor-{generate()}", generate()
    text = "Is what is stored what comes back? \\s, \u00e9, \U0001f600"
    asked: UIMessage = {"id": "q", "role": "user", "parts": [{"type": "text", "text": text}]}
    answer: UIMessage = {**asked, "id": "a", "role": "assistant"}
    async with await psycopg.AsyncConnection.connect(
        conninfo, connect_timeout=10, client_encoding="utf8"
    ) as connection:
        adapt(connection)
        threads = Threads(cast("Pool", _Rehearsal(connection)), tenant)
        await threads.begin_turn(owner, key, asked, "t")
        await threads.complete_turn(
            owner, key, "t", status="completed", usage={}, error_code=None, message=answer
        )
        thread = await threads.read_thread(owner, key)
        listed = await threads.list_threads(owner)
        await connection.rollback()
    if thread is None or json.loads(thread.messages or b"[]") != [asked, answer] or not listed:
        return Finding(
            "FAIL",
            "what is stored does not come back as it was",
            "look at the settings of the role with: select * from pg_db_role_setting",
        )
    return Finding("ok", "a turn can be stored and read again")


def check_suite(
    conninfo: str, tenant: Tenant = named, pgtap_sql: Path | None = None
) -> Iterator[Finding]:
    """Run the installed suite. There is a finding for each failure, and one for the whole."""
    try:
        result = run_installed_suite(conninfo, tenant=tenant, pgtap_sql=pgtap_sql)
    except (SuiteError, MigrateError) as error:
        yield Finding("FAIL", f"the installed suite does not run: {error}", error.hint)
        return
    for text in result.failed:
        yield Finding("FAIL", f"pgTAP: {text}")
    passed = result.assertions - len(result.failed)
    verdict: Verdict = "FAIL" if result.failed else "ok"
    yield Finding(verdict, f"the installed suite: {passed} of {result.assertions} assertions hold")
