"""What one user may have of one process: requests a second, and answers that are open at once.

These keep a user from taking the time of others in this process. What has to hold whoever calls is
in the database: `config.max_turns_per_owner` and `config.max_queued_per_owner`.
"""

from __future__ import annotations

import math
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from ..errors import TooManyError
from ..postgres.fairness import KNOWN_USERS, Lane

BURST_SECONDS = 4.0
"""A user who was silent may send the requests of so many seconds at once."""

BODY_PATIENCE = 30.0
"""Seconds that a large body waits at most to be parsed."""


class Limits:
    """Counts by user. A limit of 0 is none; `refused` is told the name of one that was reached."""

    def __init__(
        self,
        *,
        request_rate: float,
        max_streams: int,
        refused: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._rate = request_rate
        self._max_streams = max_streams
        self._refused = refused
        self._clock = clock
        # By user: how many requests he may send at once, and when that was so.
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()
        self._streams: Counter[str] = Counter()
        self.bodies = Lane(BODY_PATIENCE)

    def take_request(self, owner: str) -> None:
        """Count a request. Raises TooManyError if this user has sent too many."""
        if not self._rate:
            return
        now = self._clock()
        burst = max(1.0, self._rate * BURST_SECONDS)
        left, since = self._left.get(owner, (burst, now))
        left = min(burst, left + (now - since) * self._rate)
        is_allowed = left >= 1
        self._left[owner] = (left - is_allowed, now)
        self._left.move_to_end(owner)
        if len(self._left) > KNOWN_USERS:
            self._left.popitem(last=False)
        if not is_allowed:
            self._refused("requests")
            raise TooManyError(
                "too many requests",
                hint=f"send at most {self._rate:g} in a second",
                retry_after=math.ceil((1 - left) / self._rate),
            )

    @contextmanager
    def stream(self, owner: str) -> Iterator[None]:
        """Count an answer as open. Raises TooManyError if this user has too many of them."""
        if self._max_streams and self._streams[owner] >= self._max_streams:
            self._refused("streams")
            raise TooManyError(
                "too many answers are open", hint=f"read at most {self._max_streams} at once"
            )
        self._streams[owner] += 1
        try:
            yield
        finally:
            self._streams[owner] -= 1
            if not self._streams[owner]:
                del self._streams[owner]
