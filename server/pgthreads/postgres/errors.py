"""Which error class belongs to what PostgreSQL, psycopg or its pool reported, by SQLSTATE."""

from __future__ import annotations

import psycopg
from psycopg_pool import PoolClosed, PoolTimeout

from ..errors import BadRequestError, PgThreadsError, ThreadLockedError, UnavailableError

_BY_SQLSTATE = {
    each.sqlstate: each for each in PgThreadsError.__subclasses__() if each.sqlstate is not None
}

# What passes by itself or by an operator's hand, said for people, and the seconds until then.
_UNAVAILABLE = {
    "08": ("the connection to the database broke", 1),
    "25006": ("the database takes no writes at the moment", 5),
    "25P": ("the database ended the transaction", 1),
    "40": ("calls on the same thread met", 1),
    "53": ("the database has run out of a resource", 5),
    "55P03": ("the thread stayed locked for too long", 1),
    "57014": ("the database took too long", 1),
    "57": ("the database is being restarted", 2),
    "58": ("the database meets errors of its system", 5),
}

# A lock that was waited for longer than lock_timeout.
_LOCKED = "55P03"

# The connection broke, its session was ended, or its server takes no writes any more: it was one
# that is gone, and the next connection leads to the one that took its place.
_LOST_SERVER = ("08", "57P", "25006")

# The connection broke, perhaps after the commit.
_UNCERTAIN = ("08", "57P")

# Data that no type takes (class 22), and JSON nested deeper than the stack (54001).
_BAD_INPUT = ("22", "54")


class SilentServerError(psycopg.errors.QueryCanceled):
    """A call took too long, and the server did not say that it was cancelled."""


def from_database(error: Exception) -> PgThreadsError:
    """Translate what psycopg or its pool raised; by SQLSTATE, never by text."""
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
    """Whether the call met a server that is gone, and may find another one, or the same again."""
    return _sqlstate_of(error).startswith(_LOST_SERVER)


def _sqlstate_of(error: psycopg.Error) -> str:
    """Return the SQLSTATE, or what the server would have said of what psycopg found itself.

    A parameter that cannot be sent is bad input; anything else is a connection that broke.
    """
    client = "22000" if isinstance(error, psycopg.DataError) else "08006"
    return error.sqlstate or client
