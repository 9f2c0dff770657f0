"""One class per refusal. Its docstring is the meaning; the HTTP status and code hang on it.

Clients match `code`, never a text. The SQLSTATEs of class TH are raised by the SQL functions (see
docs/sql-api.md); the other classes are refusals of the HTTP layer.
"""

from __future__ import annotations

from typing import ClassVar

import psycopg
from psycopg_pool import PoolClosed, PoolTimeout


class PgThreadsError(Exception):
    """Something went wrong that is not the caller's fault."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal"
    sqlstate: ClassVar[str | None] = None

    def __init__(self, message: str = "", *, detail: str = "", hint: str = "") -> None:
        """`message` is for people, `detail` has the facts for the log, `hint` the way out."""
        super().__init__(message or type(self).__doc__ or self.code)
        self.detail = detail
        self.hint = hint


class TenantError(PgThreadsError):
    """No tenant is set, or another than the argument."""

    status = 403
    code = "no_tenant"
    sqlstate = "THTEN"


class StateKeyError(PgThreadsError):
    """The state key has a wrong form."""

    status = 400
    code = "bad_state_key"
    sqlstate = "THKEY"


class MessageError(PgThreadsError):
    """Not a UIMessage, or one that this caller may not send."""

    status = 400
    code = "bad_message"
    sqlstate = "THMSG"


class CountError(PgThreadsError):
    """The thread has another number of messages than expected."""

    status = 409
    code = "thread_conflict"
    sqlstate = "THCNT"


class ShrunkError(PgThreadsError):
    """A save that is shorter than what is stored, or rewrites it."""

    status = 409
    code = "thread_shrunk"
    sqlstate = "THSHR"


class DuplicateError(PgThreadsError):
    """The message id is known with other content."""

    status = 409
    code = "duplicate_message"
    sqlstate = "THDUP"


class TurnRunningError(PgThreadsError):
    """A turn is running on this thread."""

    status = 409
    code = "turn_running"
    sqlstate = "THTRN"


class TurnLostError(PgThreadsError):
    """This turn has lost its lease."""

    status = 409
    code = "turn_lost"
    sqlstate = "THLST"


class DeletedError(PgThreadsError):
    """The thread is deleted."""

    status = 410
    code = "thread_deleted"
    sqlstate = "THDEL"


class ThreadNotFoundError(PgThreadsError):
    """There is no such thread."""

    status = 404
    code = "thread_not_found"
    sqlstate = "THNON"


class LimitError(PgThreadsError):
    """A limit: messages in a thread, bytes in a message."""

    status = 413
    code = "limit_exceeded"
    sqlstate = "THMAX"


class BadRequestError(PgThreadsError):
    """A value in the request has a wrong type or is out of range."""

    status = 400
    code = "bad_request"


class BadJsonError(PgThreadsError):
    """The request's body is not JSON in UTF-8."""

    status = 400
    code = "bad_json"


class UnauthorizedError(PgThreadsError):
    """The request has no valid credentials."""

    status = 401
    code = "unauthorized"


class ForbiddenError(PgThreadsError):
    """The request comes from where it may not come."""

    status = 403
    code = "forbidden"


class MediaTypeError(PgThreadsError):
    """The request's body is of another type than application/json."""

    status = 415
    code = "unsupported_media_type"


class ExecutorError(PgThreadsError):
    """The executor failed, so there is no whole answer."""

    status = 502
    code = "executor_failed"


class UnavailableError(PgThreadsError):
    """The database cannot be reached or does not take writes at the moment."""

    status = 503
    code = "database_unavailable"


class ShuttingDownError(PgThreadsError):
    """This server is stopping and takes no new turns."""

    status = 503
    code = "shutting_down"


_BY_SQLSTATE = {
    each.sqlstate: each for each in PgThreadsError.__subclasses__() if each.sqlstate is not None
}

# Connection lost, out of resources, operator intervention, system error, read-only server.
_UNAVAILABLE = ("08", "53", "57", "58", "25006")

# Data that no type takes (class 22), and JSON nested deeper than the stack (54001).
_BAD_INPUT = ("22", "54")


def from_database(error: Exception) -> PgThreadsError:
    """Translate what psycopg or its pool raised; by SQLSTATE, never by text."""
    if isinstance(error, PoolTimeout | PoolClosed):
        return UnavailableError("no connection to the database is free", detail=str(error))
    if not isinstance(error, psycopg.Error):
        return PgThreadsError("internal error", detail=repr(error))
    sqlstate = error.sqlstate or _sqlstate_of_client(error)
    diagnosis = error.diag
    message = diagnosis.message_primary or str(error)
    detail, hint = diagnosis.message_detail or "", diagnosis.message_hint or ""
    if sqlstate.startswith(_UNAVAILABLE):
        return UnavailableError("the database is not available", detail=f"{sqlstate} {message}")
    if sqlstate.startswith(_BAD_INPUT):
        return BadRequestError(message, detail=detail, hint=hint)
    if sqlstate not in _BY_SQLSTATE:
        return PgThreadsError("the database refused the call", detail=f"{sqlstate} {message}")
    return _BY_SQLSTATE[sqlstate](message, detail=detail, hint=hint)


def _sqlstate_of_client(error: psycopg.Error) -> str:
    """Return what the server would have said of an error that psycopg found itself.

    A parameter that cannot be sent is bad input; anything else is a connection that broke.
    """
    return "22000" if isinstance(error, psycopg.DataError) else "08006"
