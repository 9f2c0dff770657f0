"""The errors of pgthreads: a class for each refusal, and the base of what an operator can mend.

The docstring of a class says what the refusal means, and is its message if no other is given. The
HTTP status and the code belong to the class. Clients match `code`, never a text. The SQL functions
raise the SQLSTATEs of class TH (docs/sql-api.md), and `postgres/errors.py` finds the class of each.
The HTTP routes raise the other classes themselves.
"""

from __future__ import annotations

from typing import ClassVar

TRY_AGAIN = "try again; a message that is sent again with the same id is stored only once"


class OperatorError(Exception):
    """Something that the person at the shell can mend.

    The message says what is wrong and `hint` what to do; `cli/group.py` prints both and exits with
    `exit_status`.
    """

    exit_status: ClassVar[int] = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.hint = hint


class PgThreadsError(Exception):
    """Something went wrong that is not the caller's fault."""

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal"
    sqlstate: ClassVar[str | None] = None

    def __init__(self, message: str = "", *, detail: str = "", hint: str = "") -> None:
        """Make an error.

        `message` says to people what is wrong, `hint` says what they can do about it, and `detail`
        has the facts for the log.
        """
        super().__init__(message or type(self).__doc__ or self.code)
        self.detail = detail
        self.hint = hint


class TenantError(PgThreadsError):
    """No tenant is set, or the tenant is not the owner that the call names."""

    status = 403
    code = "no_tenant"
    sqlstate = "THTEN"


class StateKeyError(PgThreadsError):
    """The state key has a wrong form."""

    status = 400
    code = "bad_state_key"
    sqlstate = "THKEY"


class MessageError(PgThreadsError):
    """This is not a UIMessage, or it has something that this caller may not send."""

    status = 400
    code = "bad_message"
    sqlstate = "THMSG"


class CountError(PgThreadsError):
    """The thread does not have as many messages as the caller expected."""

    status = 409
    code = "thread_conflict"
    sqlstate = "THCNT"


class ShrunkError(PgThreadsError):
    """The messages to save are fewer than the stored ones, or differ from them."""

    status = 409
    code = "thread_shrunk"
    sqlstate = "THSHR"


class DuplicateError(PgThreadsError):
    """A message with this id is stored already, with other content."""

    status = 409
    code = "duplicate_message"
    sqlstate = "THDUP"


class StaleError(PgThreadsError):
    """What the page shows does not match what is stored."""

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


class ShareNotFoundError(PgThreadsError):
    """There is no such link, or it shows nothing any more."""

    status = 404
    code = "share_not_found"


class LimitError(PgThreadsError):
    """This exceeds a limit, such as the messages of a thread or the bytes of a message."""

    status = 413
    code = "limit_exceeded"
    sqlstate = "THMAX"


class NotWaitingError(PgThreadsError):
    """This answer, or this call in it, does not wait, or not for a response of this kind."""

    status = 409
    code = "not_waiting"
    sqlstate = "THWAI"


class ResponseError(PgThreadsError):
    """This call has another response already."""

    status = 409
    code = "response_differs"
    sqlstate = "THRSP"


class ApprovalError(PgThreadsError):
    """This login may not approve calls of this tool."""

    status = 403
    code = "approval_refused"
    sqlstate = "THAPR"


class TooManyError(PgThreadsError):
    """This user has too many requests, answers or turns under way.

    `retry_after` is how many seconds the client should wait before it tries again.
    """

    status = 429
    code = "too_many_requests"
    sqlstate = "THBSY"

    def __init__(
        self, message: str = "", *, detail: str = "", hint: str = "", retry_after: int = 5
    ) -> None:
        super().__init__(message, detail=detail, hint=hint)
        self.retry_after = retry_after


class BusyError(PgThreadsError):
    """This worker already runs as many turns as it may."""

    status = 503
    code = "server_busy"


class BodyTimeoutError(PgThreadsError):
    """The body of the request did not arrive in time."""

    status = 408
    code = "request_timeout"


class BadRequestError(PgThreadsError):
    """A value in the request has a wrong type or is out of range."""

    status = 400
    code = "bad_request"


class BadJsonError(PgThreadsError):
    """The body of the request is not JSON in UTF-8."""

    status = 400
    code = "bad_json"


class UnauthorizedError(PgThreadsError):
    """The request has no valid credentials."""

    status = 401
    code = "unauthorized"


class ForbiddenError(PgThreadsError):
    """Requests from this address, or from this page, are not allowed."""

    status = 403
    code = "forbidden"


class MediaTypeError(PgThreadsError):
    """The body of the request is not of the type application/json."""

    status = 415
    code = "unsupported_media_type"


class ExecutorError(PgThreadsError):
    """The executor failed, so there is no whole answer."""

    status = 502
    code = "executor_failed"


class UnavailableError(PgThreadsError):
    """The database cannot be reached or does not take writes at the moment.

    `retry_after` is how many seconds a client should wait before it tries again. `uncertain` says
    that the call may have been carried out all the same. `timed_out` says that the database was
    there, but the call took too long and was cancelled: the cause may be the call itself.
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
    """The database took too long to store an answer, several times."""

    status = 503
    code = "answer_too_slow"


class KeysUnavailableError(UnavailableError):
    """A token's key is not known, and the key set of `--jwks-url` cannot be fetched."""

    code = "keys_unavailable"


class ThreadLockedError(UnavailableError):
    """Somebody else holds the thread's lock, or too many calls wait for it.

    The call has changed nothing, and can be sent again after `retry_after` seconds.
    """

    code = "thread_locked"


class ShuttingDownError(PgThreadsError):
    """This server is shutting down and takes no new turns."""

    status = 503
    code = "shutting_down"
