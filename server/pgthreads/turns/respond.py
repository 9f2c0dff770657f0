"""Takes what a client responds to the calls of an answer that waits.

TOOLS_ARE_SERVER_AUTHORED: a client sends the whole answer back. Of that, only the responses to
calls that wait are passed on; `respond_turn` checks them again, and knows nothing else of it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass

from nanoid import generate

from ..errors import NotWaitingError, TurnLostError, UnavailableError
from ..events import ExecutorRequest, JsonText, ToolResponse, UIMessage
from ..message.calls import is_tool
from ..message.wire import Shown
from ..postgres.nesting import loads
from ..postgres.pieces import load_messages
from ..postgres.rows import OpenAnswer, RespondedTurn
from ..postgres.threads import Threads
from .begin import TRIES


@dataclass(frozen=True, slots=True)
class Claim:
    """What a client says that became of a call: its state, and that as a response."""

    call_id: str
    state: str
    response: JsonText


@dataclass(frozen=True, slots=True, kw_only=True)
class Continuation:
    """What a client asks for when it sends an answer back.

    `message_id` is the answer's id, `shown` what the page shows of it, and `claims` what it says of
    the calls that were responded to or have ended. The others are those of `ChatRequest`.
    """

    message_id: str
    shown: Shown
    claims: Sequence[Claim] = ()
    model: str | None = None
    approvals: bool = True


@dataclass(slots=True)
class Response:
    """A response on its way to the database. If its turn is lost, it gets another `turn_id`."""

    owner_user_id: str
    state_key: str
    message_id: str
    given: JsonText
    turn_id: str


class Responder:
    """Gives responses over the connections for requests. `window` is that of the history."""

    def __init__(self, threads: Threads, *, window: int | None) -> None:
        self._threads = threads
        self._window = window

    async def read(
        self, owner_user_id: str, state_key: str, asked: Continuation
    ) -> tuple[Response, OpenAnswer | None]:
        """Return what is taken of what a client says, and the answer if that waits."""
        answer = await self._threads.read_open_answer(owner_user_id, state_key)
        if answer is not None and answer.message_id != asked.message_id:
            answer = None
        calls = {} if answer is None else {c["toolCallId"]: c for c in json.loads(answer.calls)}
        given = [each.response for each in asked.claims if _counts(each, calls)]
        text = JsonText(f"[{', '.join(given)}]")
        return Response(owner_user_id, state_key, asked.message_id, text, generate()), answer

    async def give(self, response: Response) -> RespondedTurn:
        """Pass a response on. Raises what `respond_turn` refuses, and UnavailableError."""
        for _ in range(TRIES):
            try:
                return await self._threads.respond_turn(
                    response.owner_user_id,
                    response.state_key,
                    response.message_id,
                    response.given,
                    response.turn_id,
                    last=self._window,
                )
            except TurnLostError as error:
                response.turn_id, lost = generate(), error
        raise UnavailableError("the database is too slow for the lease of a turn") from lost


def _counts(claim: Claim, calls: dict[str, dict[str, object]]) -> bool:
    """Whether a claim is passed on.

    A claim of an approval always is, because nobody makes it but a person: the database refuses it
    unless the call waits for it, or has had it. Outputs are claimed of every call that has ended,
    those of server's tools included. They only count for calls that wait.
    """
    if claim.state == "approval-responded":
        return True
    call = calls.get(claim.call_id)
    # A call that was approved has run by now, as the client has seen.
    return call is not None and (call["kind"] == "client" or "respondedBy" not in call)


def require_same_ends(message: UIMessage, asked: Continuation) -> None:
    """Raise NotWaitingError if a client says of a complete answer what did not become of it.

    That is so if a response comes too late, because the answer was closed before.
    """
    claimed = {each.call_id: each.state for each in asked.claims}
    for part in message["parts"]:
        state = claimed.get(part["toolCallId"]) if is_tool(part) else None
        if state in ("output-available", "output-error") and state != part["state"]:
            raise NotWaitingError(
                "this answer does not wait any more",
                detail=f"Call {part['toolCallId']} has ended as {part['state']}.",
                hint="load the thread again",
            )


async def going_on(
    response: Response, responded: RespondedTurn, asked: Continuation
) -> ExecutorRequest:
    """Return what the executor needs to go on with an answer."""
    answer = loads(responded.answer or b"null")
    given = [
        ToolResponse(
            each["toolCallId"],
            approved=each.get("approved"),
            reason=each.get("reason"),
            output=each.get("output"),
            error_text=each.get("errorText"),
        )
        for each in loads(responded.responses or b"[]")
    ]
    return ExecutorRequest(
        messages=await load_messages(responded.history or b"[]"),
        owner_user_id=response.owner_user_id,
        state_key=response.state_key,
        turn_id=response.turn_id,
        model=asked.model,
        answer=answer,
        responses=given,
    )
