"""Opens what an application needs to serve: the key set, the connections, the turn runtime."""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator

import psycopg
from aiohttp import web

from ..errors import OperatorError, PgThreadsError, TenantError, UnavailableError
from ..postgres.fairness import Fairness
from ..postgres.pool import Pool, Timeouts, reason_of
from ..postgres.tenants import tenant_of
from ..postgres.threads import Threads
from ..settings import Settings
from ..turns.begin import TurnPolicy
from ..turns.runtime import TurnRuntime
from ..turns.spool import Spool, SpoolError
from . import probes
from .app_keys import AUTHENTICATOR, EXECUTOR, METRICS, RUNTIME, SETTINGS, THREADS

log = logging.getLogger(__name__)


class StartError(OperatorError):
    """The server cannot start."""


async def start_authenticator(app: web.Application) -> AsyncIterator[None]:
    """Keep the authenticator running while the application runs."""
    async with app[AUTHENTICATOR].running():
        yield


async def start_turns(app: web.Application) -> AsyncIterator[None]:
    """Open the connections and the turn runtime. Raises StartError if they cannot be used."""
    settings = app[SETTINGS]
    if settings.database_url is None:
        raise StartError("there is no database URL", "Set PGTHREADS_DATABASE_URL.")
    spool = _opened_spool(settings)
    tenant = tenant_of(settings.tenant_key)
    timeouts = Timeouts(
        connect=settings.connect_timeout,
        acquire=settings.acquire_timeout,
        statement=settings.statement_timeout,
        lock=settings.lock_timeout,
    )
    requests, turns, heartbeats = (
        Pool(
            settings.database_url,
            name=name,
            size=size,
            prepare=settings.prepare,
            timeouts=timeouts,
        )
        for name, size in (
            ("requests", settings.pool_size),
            ("turns", settings.turn_pool_size),
            ("heartbeats", 1),
        )
    )
    try:
        await requests.reach()
    except psycopg.OperationalError as error:
        raise StartError(
            f"the database cannot be reached: {reason_of(error)}",
            "Look whether PostgreSQL runs and lets this role in: pgthreads doctor.",
        ) from error
    async with requests, turns, heartbeats:
        fairness = Fairness(settings.fair_share_in_force, patience=settings.acquire_timeout)
        app[THREADS] = Threads(requests, tenant, fairness=fairness)
        await _check_database(app[THREADS])
        app[RUNTIME] = TurnRuntime(
            app[EXECUTOR],
            threads=app[THREADS],
            turn_threads=Threads(turns, tenant),
            heartbeats=Threads(heartbeats, tenant),
            policy=TurnPolicy(
                on_busy=settings.on_busy,
                on_stale=settings.on_stale,
                busy_timeout=settings.busy_timeout,
                history_window=settings.history_window,
                max_turns=settings.max_turns,
            ),
            heartbeat=settings.heartbeat,
            journal_interval=settings.journal_interval,
            spool=spool,
            watch=app[METRICS],
        )
        async with app[RUNTIME].lifespan():
            yield


def _opened_spool(settings: Settings) -> Spool | None:
    if settings.spool_dir is None:
        return None
    spool = Spool(settings.spool_dir, keep_seconds=settings.keep_answers)
    try:
        spool.open()
    except SpoolError as error:
        raise StartError(str(error), error.hint) from error
    return spool


async def _check_database(threads: Threads) -> None:
    try:
        role = await threads.require_server_role()
        version = await threads.api_version()
        notes = await threads.site_notes()
    except UnavailableError as error:
        raise StartError(
            f"the database cannot be used: {error} ({error.detail})",
            "Look whether PostgreSQL runs and lets this role in: pgthreads doctor.",
        ) from error
    except PgThreadsError as error:
        raise StartError(
            ": ".join(filter(None, ("the database cannot be used", str(error), error.detail))),
            error.hint or _hint_of(error),
        ) from error
    if version != probes.API_VERSION:
        raise StartError(
            f"the database has version {version} of the contract, and this server needs"
            f" {probes.API_VERSION}",
            "Run pgthreads migrate with the release of this server.",
        )
    try:
        await threads.require_tenant()
    except TenantError as error:
        raise StartError(
            f"the database does not accept this server's tenants: {error}. {error.detail}",
            "Set --tenant-key to a key of pgthreads.tenant_key that is active.",
        ) from error
    log.info("connected as %s", role)
    for each in notes:
        if each.topic == "login setting":
            log.info("every program that uses this login shares its settings: %s", each.note)


def _hint_of(refusal: PgThreadsError) -> str:
    cause = refusal.__cause__
    if isinstance(cause, psycopg.errors.InsufficientPrivilege) and cause.diag.message_hint:
        return cause.diag.message_hint
    return "Run pgthreads migrate, and connect as a member of pgthreads_server."
