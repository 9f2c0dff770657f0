"""Finds the error class of what PostgreSQL, psycopg or its pool reported, by SQLSTATE."""

from __future__ import annotations

import psycopg
from psycopg_pool import PoolClosed, PoolTimeout

from ..errors import BadRequestError, PgThreadsError, ThreadLockedError, UnavailableError

_BY_SQLSTATE = {
    each.sqlstate: each for each in PgThreadsError.__subclasses__() if each.sqlstate is not None
}

# Faults that pass by themselves, or that an operator mends: what to tell people, and how many
# seconds a client should wait before it tries again.
_UNAVAILABLE = {
    "08": ("the connection to the database broke", 1),
    "25006": ("the database takes no writes at the moment", 5),
    "25P": ("the database ended the transaction", 1),
    "40": ("two calls on the same thread conflicted", 1),
    "53": ("the database has run out of a resource", 5),
    "55P03": ("the thread stayed locked for too long", 1),
    "57014": ("the database took too long", 1),
    "57": ("the database is being restarted", 2),
    "58": ("the database has met an error of its operating system", 5),
}

# A call has waited for a lock longer than lock_timeout.
_LOCKED = "55P03"

# The connection broke, its session was ended, or its database server no longer takes writes. That
# server is gone, and the next connection leads to the one that has taken its place.
_LOST_SERVER = ("08", "57P", "25006")

# The connection broke, and the call may have been committed before that.
_UNCERTAIN = ("08", "57P")

# Values that no type accepts (class 22), and JSON that is nested too deep for the stack (54001).
_BAD_INPUT = ("22", "54")


class SilentServerError(psycopg.errors.QueryCanceled):
    """A call took too long, and the database server did not confirm that it was cancelled."""


def from_database(error: Exception) -> PgThreadsError:
    """Translate what psycopg or its pool raised, by its SQLSTATE and never by its text."""
    if isinstance(error, PoolTimeout | PoolClosed):
        return UnavailableError("there is no connection to the database", detail=str(error))
    if not isinstance(error, psycopg.Error):
        return PgThreadsError("internal error", detail=repr(error))
    sqlstate = _sqlstate_of(error)
    diagnosis = error.diag
    message = diagnosis.message_primary or str(error)
    detail, hint = diagnosis.message_detail or "", diagnosis.message_hint or ""
    for prefix, (reason, seconds) in _UNAVAILABLE.items():
        if sqlstate.startswith(prefix):
            known = f"{sqlstate} {message} {detail}".rstrip()
            kind = ThreadLockedError if sqlstate == _LOCKED else UnavailableError
            return kind(
                reason,
                detail=known,
                retry_after=seconds,
                uncertain=sqlstate.startswith(_UNCERTAIN) or isinstance(error, SilentServerError),
                timed_out=sqlstate == "57014" and not isinstance(error, SilentServerError),
            )
    if sqlstate.startswith(_BAD_INPUT):
        return BadRequestError(message, detail=detail, hint=hint)
    if sqlstate not in _BY_SQLSTATE:
        known = f"{sqlstate} {message} {detail}".rstrip()
        return PgThreadsError("the database refused the call", detail=known)
    return _BY_SQLSTATE[sqlstate](message, detail=detail, hint=hint)


def is_of_a_lost_server(error: psycopg.Error) -> bool:
    """Whether the database server was lost, so that another connection may lead to a new one."""
    return _sqlstate_of(error).startswith(_LOST_SERVER)


def _sqlstate_of(error: psycopg.Error) -> str:
    """Return the SQLSTATE, or a fitting one if psycopg itself found the fault.

    A parameter that cannot be sent is bad input; anything else is a broken connection.
    """
    client = "22000" if isinstance(error, psycopg.DataError) else "08006"
    return error.sqlstate or client
