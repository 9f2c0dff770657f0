"""Clients: each has a conversation, sometimes behaves badly, and settles every message."""

from __future__ import annotations

import asyncio
import copy
import json
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import aiohttp
import jwt

from tests.faults.answers import WAITS, responses
from tests.faults.record import Record, Turn
from tests.faults.stream import Assembly, Message
from tests.faults.workers import JWT_SECRET

OWNERS = ("ann", "bea", "zoë 'quoted'")
BEHAVIOURS = {
    "plain": 20,
    "waits": 5,
    "leave": 20,
    "resume": 10,
    "duplicate": 15,
    "two tabs": 10,
    "stop": 10,
    "anew": 5,
    "json": 5,
}
"""What a client does with a message, and how often."""

_API = "/api/v1/ai"
_TIMEOUT = aiohttp.ClientTimeout(total=30, sock_connect=5, sock_read=15)
_EXPECTED = {"turn_running", "duplicate_message", "database_unavailable"}
_EXPECTED |= {"thread_locked", "shutting_down", "not_waiting"}


@dataclass(frozen=True, slots=True)
class Reply:
    """How a request ended: "complete", "waiting", "empty", "error", "broken", "left" or the code of
    a refusal."""

    kind: str

    @property
    def is_final(self) -> bool:
        """Whether sending the message again would change nothing."""
        return self.kind in ("complete", "waiting", "empty", "duplicate_message")


def headers_of(owner: str) -> dict[str, str]:
    """Return the headers that make a request one of this owner's."""
    token = jwt.encode({"sub": owner, "exp": int(time.time()) + 10**7}, JWT_SECRET, "HS256")
    return {"Authorization": f"Bearer {token}"}


class Chat:
    """One thread's client. `ports` are the workers' ports, in order."""

    def __init__(
        self,
        owner: str,
        key: str,
        ports: Sequence[int],
        record: Record,
        session: aiohttp.ClientSession,
        dice: random.Random,
        patience: float,
    ) -> None:
        self._thread = (owner, key)
        self._ports = ports
        self._record = record
        self._session = session
        self._dice = dice
        self._patience = patience
        self._count = 0
        self._last: Turn | None = None
        self._headers = headers_of(owner) | {"X-Thread": key}

    async def say(self, behaviour: str) -> None:
        """Send a message, again and again until it is settled."""
        if behaviour == "anew" and self._last is not None:
            turn = self._again(self._last)
        else:
            turn = self._new_turn(WAITS if behaviour == "waits" else "number")
        with self._record.open(turn):
            match behaviour:
                case "leave":
                    self._record.hit("client leaves", turn.key)
                    await self._post(turn, leave=self._dice.random() * 0.6)
                case "resume":
                    self._record.hit("client leaves", turn.key)
                    await self._post(turn, leave=self._dice.random() * 0.4)
                    await self._resume()
                case "duplicate":
                    self._record.hit("duplicate post", turn.key)
                    await asyncio.gather(self._post(turn), self._late(self._post(turn), 0.2))
                case "two tabs":
                    with self._record.open(self._new_turn()) as other:
                        self._record.hit("two tabs", turn.key)
                        await asyncio.gather(self._settle(turn), self._late(self._settle(other)))
                case "stop":
                    self._record.hit("stop", turn.key)
                    await asyncio.gather(self._post(turn), self._late(self._stop(), 0.8))
                case "json":
                    await self._post(turn, as_json=True)
            await self._settle(turn)
            if turn.open is not None:
                await self._go_on(turn, turn.open)
        if turn.open is not None:
            self._last = None
        elif turn.answers:
            self._last = turn

    def _new_turn(self, kind: str = "number") -> Turn:
        self._count += 1
        key = self._thread[1]
        text = f'{key} {kind} {self._count}: {self._dice.getrandbits(48):x} é \\ " 😀'
        return Turn(*self._thread, f"u{self._count}", text)

    def _again(self, turn: Turn) -> Turn:
        return Turn(*self._thread, turn.message_id, turn.text, anew=turn.answers[-1]["id"])

    async def _settle(self, turn: Turn) -> None:
        if turn.outcome != "open":
            return
        deadline = time.monotonic() + self._patience
        while not turn.answers or turn.anew:
            reply = await self._post(turn)
            if reply.is_final:
                names = {"duplicate_message": "orphaned", "waiting": "waits"}
                turn.outcome = names.get(reply.kind, reply.kind)
                return
            if time.monotonic() > deadline:
                turn.outcome = "unsettled"
                return
            await asyncio.sleep(0.05 + self._dice.random() * 0.4)
        turn.outcome = "complete"

    async def _go_on(self, turn: Turn, answer: Message) -> None:
        """Respond to an answer that waits: at once, piece by piece, twice, or never."""
        given = responses(turn.text)
        match self._dice.choice(("once", "each", "twice", "never")):
            case "once":
                await self._respond(turn, answer, given)
            case "each":
                for call_id in given:
                    await self._respond(turn, answer, {call_id: given[call_id]})
            case "twice":
                self._record.hit("two responses", turn.key)
                other = self._late(self._respond(turn, answer, given), 0.2)
                await asyncio.gather(self._respond(turn, answer, given), other)

    async def _respond(self, turn: Turn, answer: Message, given: dict[str, dict[str, Any]]) -> None:
        """Send responses until the answer is complete, still waits, or was closed."""
        known = copy.deepcopy(answer)
        for part in known["parts"]:
            said = given.get(part.get("toolCallId", ""))
            if said is not None and "output" in said:
                part.update(said, state="output-available")
            elif said is not None:
                part.update(state="approval-responded", approval={**part["approval"], **said})
        messages = [turn.message, known]
        body = {"id": turn.key, "messages": messages, "messageId": known["id"]}
        deadline = time.monotonic() + self._patience
        while time.monotonic() < deadline:
            reply = await self._send(turn, body, f"responses {sorted(given)}", known=known)
            if reply.is_final or reply.kind == "not_waiting":
                return
            await asyncio.sleep(0.05 + self._dice.random() * 0.4)
        turn.outcome = "unsettled"

    async def _late(self, action: Any, most: float = 0.5) -> None:
        await asyncio.sleep(self._dice.random() * most)
        await action

    async def _post(
        self, turn: Turn, *, leave: float | None = None, as_json: bool = False
    ) -> Reply:
        body: dict[str, Any] = {"id": turn.key, "message": turn.message}
        if turn.anew is not None:
            body |= {"trigger": "regenerate-message", "messageId": turn.anew}
            self._record.regenerations[turn.thread, turn.message_id] += 1
        name = f"{turn.message_id}{' anew' if turn.anew else ''}"
        return await self._send(turn, body, name, leave=leave, as_json=as_json)

    async def _send(
        self,
        turn: Turn,
        body: dict[str, Any],
        what: str,
        *,
        leave: float | None = None,
        as_json: bool = False,
        known: Message | None = None,
    ) -> Reply:
        worker = self._dice.randrange(len(self._ports))
        name = f"POST {what} to worker {worker}"
        self._record.note(turn.thread, name)
        turn.contacts[worker] += 1
        headers = self._headers | ({"Accept": "application/json"} if as_json else {})
        try:
            async with asyncio.timeout(leave):
                async with self._session.post(
                    self._url(worker, "/chat"), json=body, headers=headers, timeout=_TIMEOUT
                ) as response:
                    reply = await self._read(turn, response, known)
        except TimeoutError:
            reply = Reply("broken" if leave is None else "left")
        except (aiohttp.ClientError, OSError, ValueError) as error:
            if isinstance(error, ValueError) and not isinstance(error, aiohttp.ClientError):
                self._record.strange.append((turn.thread, f"{name}: {error}"))
            reply = Reply("broken")
        turn.contacts -= Counter((worker,))
        self._record.note(turn.thread, f"{name}: {reply.kind}")
        return reply

    async def _resume(self) -> None:
        worker = self._dice.randrange(len(self._ports))
        url = self._url(worker, f"/chat/{self._thread[1]}/stream")
        name = f"GET stream of worker {worker}"
        try:
            async with self._session.get(url, headers=self._headers, timeout=_TIMEOUT) as response:
                kind = str(response.status)
                if response.status == 200:
                    kind = (await self._read_stream(None, response)).kind
                elif response.status != 204:
                    await self._refusal(response)
        except (aiohttp.ClientError, OSError, TimeoutError):
            kind = "broken"
        except ValueError as error:
            kind = "strange"
            self._record.strange.append((self._thread, f"{name}: {error}"))
        self._record.note(self._thread, f"{name}: {kind}")

    async def _stop(self) -> None:
        worker = self._dice.randrange(len(self._ports))
        url = self._url(worker, f"/threads/{self._thread[1]}/stop")
        self._record.stops[self._thread] += 1
        try:
            async with self._session.post(url, headers=self._headers, timeout=_TIMEOUT) as response:
                kind = str(response.status)
                if response.status not in (202, 404):
                    await self._refusal(response)
        except (aiohttp.ClientError, OSError, TimeoutError):
            kind = "broken"
        self._record.note(self._thread, f"stop by worker {worker}: {kind}")

    async def _read(
        self, turn: Turn, response: aiohttp.ClientResponse, known: Message | None = None
    ) -> Reply:
        if response.status == 200:
            turn.acknowledged = True
            if response.content_type != "application/json":
                return await self._read_stream(turn, response, known)
            assembly = Assembly()
            assembly.message = await response.json()
            assembly.is_complete = True
            self._record.saw(turn, turn.thread, assembly)
            return Reply("complete")
        if response.status == 204:
            return Reply("empty")
        return Reply(await self._refusal(response))

    async def _read_stream(
        self,
        turn: Turn | None,
        response: aiohttp.ClientResponse,
        known: Message | None = None,
    ) -> Reply:
        assembly = Assembly(known)
        try:
            async for data in response.content.iter_any():
                assembly.feed(data)
                if assembly.is_complete or assembly.error is not None:
                    break
        finally:
            self._record.saw(turn, self._thread, assembly)
        if assembly.error is not None:
            self._record.note(self._thread, f"error frame: {assembly.error}")
            return Reply("error")
        if not assembly.is_complete:
            return Reply("broken")
        if assembly.waits:
            if turn is not None:
                turn.open = turn.open or assembly.message
            return Reply("waiting")
        return Reply("empty" if assembly.is_empty else "complete")

    async def _refusal(self, response: aiohttp.ClientResponse) -> str:
        text = (await response.read()).decode(errors="replace")
        try:
            code = str(json.loads(text)["code"])
        except (ValueError, KeyError, TypeError):
            code = "no code"
        self._record.refusals[f"{response.status} {code}"] += 1
        if code not in _EXPECTED and not (response.status == 502 and code == "executor_failed"):
            name = f"{response.method} {response.url.path}"
            self._record.strange.append((self._thread, f"{name}: {response.status} {text[:500]}"))
        return code

    def _url(self, worker: int, path: str) -> str:
        return f"http://127.0.0.1:{self._ports[worker]}{_API}{path}"
