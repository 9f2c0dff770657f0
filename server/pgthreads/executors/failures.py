"""Names the failures of an agent's run for clients."""

from __future__ import annotations

from pydantic_ai.exceptions import (
    ContentFilterError,
    FallbackExceptionGroup,
    ModelAPIError,
    ModelContextWindowExceededError,
    ModelHTTPError,
    UnexpectedModelBehavior,
    UsageLimitExceeded,
)

_HTTP_CODES = {
    401: "model_unauthorized",
    402: "model_quota_exceeded",
    403: "model_unauthorized",
    404: "model_not_found",
    408: "model_timeout",
    413: "prompt_too_large",
    429: "model_rate_limited",
    504: "model_timeout",
}


def error_code(error: Exception) -> str:
    """A name for the failure that is safe to show to clients."""
    if isinstance(error, FallbackExceptionGroup):
        last = error.exceptions[-1]
        return error_code(last) if isinstance(last, Exception) else "agent_failed"
    match error:
        case ModelContextWindowExceededError():
            code = "prompt_too_large"
        case ModelHTTPError(status_code=status):
            default = "model_unavailable" if status >= 500 else "model_rejected_request"
            code = _HTTP_CODES.get(status, default)
        case ModelAPIError() | OSError():
            code = "model_unreachable"
        case ContentFilterError():
            code = "content_filtered"
        case UnexpectedModelBehavior():
            code = "model_misbehaved"
        case UsageLimitExceeded():
            code = "usage_limit_exceeded"
        case _:
            code = "agent_failed"
    return code
