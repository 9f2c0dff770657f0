"""Reports an outage of the database once, and not for each attempt to connect."""

from __future__ import annotations

import logging

_FAILED = "error connecting"
_FOLLOWS = ("discarding ", "reconnection attempt")


class Outages(logging.Filter):
    """Filters the log of psycopg's pools, of all pools of this process together.

    During an outage each pool logs every connection that it has lost and every attempt to replace
    it. Of these lines the first one that says why it cannot connect is logged.
    """

    def __init__(self) -> None:
        super().__init__()
        self._is_out = False

    def connected(self) -> None:
        """Note that the outage, if there was one, is over."""
        self._is_out = False

    def filter(self, record: logging.LogRecord) -> bool:
        """Whether to log the record."""
        text = str(record.msg)
        if not text.startswith(_FAILED):
            return not text.startswith(_FOLLOWS)
        is_first, self._is_out = not self._is_out, True
        return is_first


OUTAGES = Outages()
