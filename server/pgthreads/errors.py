"""One class per refusal. Its docstring is the meaning; the HTTP status and code hang on it.

Clients match `code`, never a text. The SQLSTATEs of class TH are raised by the SQL functions (see
docs/sql-api.md); the other classes are refusals of the HTTP layer.
"""

from __future__ import annotations

from typing import ClassVar

import psycopg
from psycopg_pool import PoolClosed, PoolTimeout

TRY_AGAIN = "try again; a message that is sent again with the same id is stored once"


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


class StaleError(PgThreadsError):
    """What the page shows does not fit what is stored."""

    status = 409
    code = "stale_page"
    sqlstate = "THSTL"


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


class TooManyError(PgThreadsError):
    """This user has too much going on at once; `retry_after` is in seconds."""

    status = 429
    code = "too_many_requests"
    sqlstate = "THBSY"

    def __init__(
        self, message: str = "", *, detail: str = "", hint: str = "", retry_after: int = 5
    ) -> None:
        super().__init__(message, detail=detail, hint=hint)
        self.retry_after = retry_after


class BusyError(PgThreadsError):
    """This server runs as many turns as it may."""

    status = 503
    code = "server_busy"


class BodyTimeoutError(PgThreadsError):
    """The request's body did not come in time."""

    status = 408
    code = "request_timeout"


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
    """The database cannot be reached or does not take writes at the moment.

    `retry_after` is how many seconds a client should wait before it tries again; `uncertain` tells
    that the call may have been done all the same; `timed_out` that the database was there, and was
    cancelled because it took too long: it may be the call itself that does.
    """

    status = 503
    code = "database_unavailable"

    def __init__(
        self,
        message: str = "",
        *,
        detail: str = "",
        hint: str = TRY_AGAIN,
        retry_after: int = 1,
        uncertain: bool = False,
        timed_out: bool = False,
    ) -> None:
        super().__init__(message, detail=detail, hint=hint)
        self.retry_after = retry_after
        self.uncertain = uncertain
        self.timed_out = timed_out


class AnswerTooSlowError(PgThreadsError):
    """The database did not get done with an answer in the time of a call, several times."""

    status = 503
    code = "answer_too_slow"


class KeysUnavailableError(UnavailableError):
    """A token's key is not known, and the key set of `--jwks-url` cannot be fetched."""

    code = "keys_unavailable"


class ThreadLockedError(UnavailableError):
    """Somebody else holds the thread's lock, or too many calls wait for it.

    The call has changed nothing. It is worth to be sent again after `retry_after` seconds.
    """

    code = "thread_locked"


class ShuttingDownError(PgThreadsError):
    """This server is stopping and takes no new turns."""

    status = 503
    code = "shutting_down"


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
