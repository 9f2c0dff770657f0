"""Records what happened: what clients sent and saw, and which faults hit which turns."""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from tests.faults.stream import Assembly, Message

Thread = tuple[str, str]
"""Owner and state key."""


@dataclass(eq=False, slots=True)
class Turn:
    """A user message of a client, and what that client saw become of it.

    `anew` is the id of an answer that is to be regenerated; then `message_id` and `text` are those
    of the message that it answers. In the end `outcome` is "complete", "empty" (stopped before
    anything was said), "orphaned" (refused, because others came after it), "waits" or "unsettled".
    `open` is the answer when it had to wait.
    """

    owner: str
    key: str
    message_id: str
    text: str
    anew: str | None = None
    faults: list[str] = field(default_factory=list)
    contacts: Counter[int] = field(default_factory=Counter)
    acknowledged: bool = False
    answers: list[Message] = field(default_factory=list)
    outcome: str = "open"
    open: Message | None = None

    @property
    def thread(self) -> Thread:
        """Owner and state key."""
        return self.owner, self.key

    @property
    def message(self) -> Message:
        """The user message as it is sent, and stored."""
        parts = [{"type": "text", "text": self.text}]
        return {"id": self.message_id, "role": "user", "parts": parts}


class Record:
    """Everything that the checker needs to know about clients and models.

    For each key, `generated` has the turns whose model finished, and the pid of its process.
    `ran` has, for each key, how often each call of each answer was run after its approval.
    `killed` has the pids of processes that had no chance to store what they had, and `spooled` the
    files that are left in the spool.
    """

    def __init__(self) -> None:
        self.turns: list[Turn] = []
        self.faulted = 0
        self.injected: Counter[str] = Counter()
        self.seen: defaultdict[Thread, list[Message]] = defaultdict(list)
        self.glimpses: dict[tuple[Thread, str], Message] = {}
        self.stops: Counter[Thread] = Counter()
        self.regenerations: Counter[tuple[Thread, str]] = Counter()
        self.refusals: Counter[str] = Counter()
        self.generated: defaultdict[str, dict[str, int]] = defaultdict(dict)
        self.ran: defaultdict[str, Counter[tuple[str, str]]] = defaultdict(Counter)
        self.killed: set[int] = set()
        self.spooled: list[str] = []
        self.strange: list[tuple[Thread, str]] = []
        self.history: defaultdict[Thread, list[str]] = defaultdict(list)
        self._open: defaultdict[str, set[Turn]] = defaultdict(set)
        self._turns: defaultdict[Thread, list[Turn]] = defaultdict(list)
        self._start = time.monotonic()

    def note(self, thread: Thread, text: str) -> None:
        """Add a line to the history of a thread."""
        self.history[thread].append(f"{time.monotonic() - self._start:8.3f} {text}")

    def of(self, thread: Thread) -> list[Turn]:
        """Return the turns of a thread."""
        return self._turns.get(thread, [])

    @contextmanager
    def open(self, turn: Turn) -> Iterator[Turn]:
        """From a turn's first request to its last."""
        self.turns.append(turn)
        self._turns[turn.thread].append(turn)
        self._open[turn.key].add(turn)
        try:
            yield turn
        finally:
            self._open[turn.key].discard(turn)
            if not self._open[turn.key]:
                del self._open[turn.key]
            self.note(turn.thread, f"{turn.message_id} is {turn.outcome}")

    def hit(self, fault: str, key: str) -> None:
        """Record a fault that was aimed at a thread."""
        self.injected[fault] += 1
        for turn in self._open.get(key, ()):
            self._hit(fault, turn)

    def hit_all(self, fault: str, worker: int | None = None) -> int:
        """Record a fault of one worker or of all; return how many turns were in progress there."""
        self.injected[fault] += 1
        turns = [turn for each in self._open.values() for turn in each]
        hit = [turn for turn in turns if worker is None or worker in turn.contacts]
        for turn in hit:
            self._hit(fault, turn)
        return len(hit)

    def saw(self, turn: Turn | None, thread: Thread, assembly: Assembly) -> None:
        """Record that a client has read this much of an answer."""
        message = assembly.message
        if assembly.is_empty:
            return
        if assembly.is_complete and not assembly.waits:
            self.seen[thread].append(message)
            if turn is not None:
                turn.answers.append(message)
        else:
            self.glimpses[thread, message["id"]] = message

    def _hit(self, fault: str, turn: Turn) -> None:
        if not turn.faults:
            self.faulted += 1
        turn.faults.append(fault)
        self.note(turn.thread, f"fault {fault} hits {turn.message_id}")
