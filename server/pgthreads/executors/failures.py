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

from .statuses import code_of_status


def error_code(error: Exception) -> str:
    """A name for the failure that is safe to show to clients."""
    if isinstance(error, FallbackExceptionGroup):
        last = error.exceptions[-1]
        return error_code(last) if isinstance(last, Exception) else "agent_failed"
    match error:
        case ModelContextWindowExceededError():
            code = "prompt_too_large"
        case ModelHTTPError(status_code=status):
            code = code_of_status(status)
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
