"""Limits one user's requests per second and answers under way in this worker.

So one user cannot take the time of the others in this worker. Limits that have to hold for every
caller are in the database: `config.max_turns_per_owner` and `config.max_queued_per_owner`.
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
"""A user who was silent may send the requests of this many seconds at once."""

BODY_PATIENCE = 30.0
"""How many seconds a large body may wait to be parsed."""


class Limits:
    """Counts for each user; 0 means no limit. `refused` is called with the limit that refuses."""

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
        # For each user: how many requests they could send at once, and at what time.
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
                hint=f"send at most {self._rate:g} per second",
                retry_after=math.ceil((1 - left) / self._rate),
            )

    @contextmanager
    def stream(self, owner: str) -> Iterator[None]:
        """Count an answer as under way. Raises TooManyError if this user has too many of them."""
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
