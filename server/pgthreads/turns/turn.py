"""A turn as its clients see it, wherever it runs, and how it has ended."""

from __future__ import annotations

import asyncio
import json
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from functools import cached_property

from ..events import UIMessage
from ..message.wire import Shown, beginning, open_calls, replay, rest
from ..postgres.nesting import loads
from ..postgres.rows import TurnKey
from .stream import TurnStream


@dataclass(frozen=True, slots=True, kw_only=True)
class Ending:
    """How a turn ended.

    `status` is that of the table `turn`: `completed`, `stopped`, `failed` or `abandoned`; or
    `waiting` if there is an open answer. `code` is why a turn failed. What is stored of the answer
    is `message` if this worker generated it, and `stored` (UTF-8 JSON) if it was read from the
    database; both are None if nothing is stored.

    `lost` says that there was an answer and that it could not be stored; `corrected`, that the
    executor's final text contradicted what it had streamed.
    """

    status: str
    code: str | None = None
    message: UIMessage | None = None
    stored: bytes | None = None
    lost: bool = False
    corrected: bool = False

    @property
    def failure(self) -> str | None:
        """Why there is no whole answer; None if the turn was completed or stopped."""
        return (self.code or self.status) if self.status in ("failed", "abandoned") else None

    def answer(self) -> bytes | None:
        """Return the stored answer, a UIMessage as UTF-8 JSON; None if nothing is stored.

        A message of this worker is encoded here, because most clients read the stream instead.
        """
        if self.message is None:
            return self.stored
        return json.dumps(self.message, ensure_ascii=False).encode()


class LiveTurn:
    """A turn from which a client gets its answer.

    It runs in this worker (`Pump`), in another one (`Followed`), or has ended long ago
    (`answered`): the client reads `stream`, or waits for `ended`. Whoever waits for `ended` shields
    it, because cancelling it would cancel the turn.

    `begun` is the open answer that the turn goes on with, if there was one. Its stream then has
    only what is added to it. A client that does not show that answer gets `before` first.
    """

    def __init__(
        self, key: TurnKey, ended: asyncio.Future[Ending], begun: UIMessage | None = None
    ) -> None:
        self.key = key
        self.stream = TurnStream()
        self.ended = ended
        self.begun = begun

    @cached_property
    def before(self) -> bytes:
        """What comes before the stream, for clients that do not show what was begun.

        It may be long, so all of them share it.
        """
        return b"" if self.begun is None else beginning(self.begun)

    def reading(self) -> AbstractContextManager[None]:
        """Return a context for reading. A turn of another worker is followed only inside of it."""
        return nullcontext()


def answered(
    key: TurnKey, answer: bytes, shown: Shown | None = None, *, approvals: bool = True
) -> LiveTurn:
    """Return a turn that ended before the client asked. Its stream is complete from the start.

    The stream leaves out what is `shown`, and `approvals` is that of `replay`. The `turn_id` of its
    key is "" if the database does not say which turn has answered.
    """
    turn = LiveTurn(key, asyncio.get_running_loop().create_future())
    message = loads(answer)
    turn.stream.write(
        replay(message, approvals=approvals) if shown is None else rest(message, shown)
    )
    turn.stream.close()
    status = "waiting" if open_calls(message) else "completed"
    turn.ended.set_result(Ending(status=status, stored=answer))
    return turn
