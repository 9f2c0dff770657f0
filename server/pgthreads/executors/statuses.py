"""Names what a model's provider has refused with an HTTP status, for clients."""

from __future__ import annotations

_CODES = {
    401: "model_unauthorized",
    402: "model_quota_exceeded",
    403: "model_unauthorized",
    404: "model_not_found",
    408: "model_timeout",
    413: "prompt_too_large",
    429: "model_rate_limited",
    504: "model_timeout",
}


def code_of_status(status: int) -> str:
    """A name for a status that is safe to show to clients."""
    default = "model_unavailable" if status >= 500 else "model_rejected_request"
    return _CODES.get(status, default)
