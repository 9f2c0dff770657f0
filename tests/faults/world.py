"""Workers on one database, a proxy in front of and behind each, and the chats on them."""

from __future__ import annotations

import asyncio
import random
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import aiohttp
from psycopg.conninfo import make_conninfo

from tests.faults.clients import BEHAVIOURS, OWNERS, Chat
from tests.faults.cluster import Cluster
from tests.faults.proxy import Proxy
from tests.faults.record import Record
from tests.faults.taps import HttpTap, PostgresTap
from tests.faults.workers import Worker

STATEMENT_FATES = ("before", "uncommitted", "after", "after", "half", "delay")
REQUEST_FATES = ("request", "response", "response", "half", "eof", "delay")


@dataclass(frozen=True, slots=True)
class Plan:
    """One round. `turns` is how many turns faults have to hit before it ends, and `decks` how often
    each kind of fault of a process has to happen.

    A proxy disturbs the shares `statements` and `requests` of what passes. `every` is the mean of
    the seconds between faults of processes; `only` restricts their kinds. There are `chats` at a
    time, each of `length` messages. The round ends after `seconds` at the latest; a message that is
    not answered after `patience` more seconds is given up. `arguments` are passed to each server.
    """

    seed: int
    turns: int
    decks: int = 1
    workers: int = 2
    chats: int = 24
    length: int = 10
    statements: float = 0.1
    requests: float = 0.15
    every: float = 0.7
    only: tuple[str, ...] | None = None
    seconds: float = 600.0
    patience: float = 60.0
    arguments: tuple[str, ...] = ()


class World:
    """Running workers and proxies on a cluster, and the record of what happens there."""

    def __init__(
        self, cluster: Cluster, folder: Path, plan: Plan, package: Path | None = None
    ) -> None:
        self.cluster = cluster
        self.plan = plan
        self.record = Record()
        self.is_quiet = False
        self.decks = 0
        self.dice = random.Random(f"{plan.seed} world")
        self._first_key = 0
        target = "127.0.0.1", cluster.port
        self.database_proxies = [
            Proxy(*target, lambda: PostgresTap(self._choose_statement)) for _ in range(plan.workers)
        ]
        self.spool, self.ledger = folder / "spool", folder / "ledger"
        self._folder, self._package = folder, package
        self.workers: list[Worker] = []
        self.http_proxies: list[Proxy] = []

    async def start(self) -> None:
        """Start everything; return when all workers are ready."""
        for number, proxy in enumerate(self.database_proxies):
            await proxy.start()
            dsn = make_conninfo(
                self.cluster.database.server_dsn,
                port=proxy.port,
                sslmode="disable",
                gssencmode="disable",
            )
            arguments = ["--database-url", dsn, *self.plan.arguments]
            worker = Worker(number, self._folder, arguments, self._package)
            worker.start()
            self.workers.append(worker)
            http = Proxy("127.0.0.1", worker.port, lambda: HttpTap(self._choose_request))
            await http.start()
            self.http_proxies.append(http)
        await asyncio.gather(*(worker.ready() for worker in self.workers))

    async def stop(self) -> None:
        """End everything that was started."""
        for worker in self.workers:
            await worker.kill()
        for proxy in (*self.http_proxies, *self.database_proxies):
            await proxy.stop()

    async def chat(self, behaviours: dict[str, int] | None = None) -> None:
        """Hold conversations until enough turns were hit, or the time is up."""
        deadline = time.monotonic() + self.plan.seconds
        weights = behaviours or BEHAVIOURS
        ports = [proxy.port for proxy in self.http_proxies]
        connector = aiohttp.TCPConnector(force_close=True, limit=0)
        async with aiohttp.ClientSession(connector=connector) as session:

            def is_enough() -> bool:
                is_done = self.record.faulted >= self.plan.turns and self.decks >= self.plan.decks
                return is_done or time.monotonic() > deadline

            async with asyncio.TaskGroup() as group:
                for _ in range(self.plan.chats):
                    group.create_task(self._converse(ports, session, weights, is_enough))

    async def _converse(
        self,
        ports: Sequence[int],
        session: aiohttp.ClientSession,
        weights: dict[str, int],
        is_enough: Callable[[], bool],
    ) -> None:
        while not is_enough():
            number = self._first_key = self._first_key + 1
            dice = random.Random(f"{self.plan.seed} chat {number}")
            key, owner = f"chat-{self.plan.seed}{number:05}", OWNERS[number % len(OWNERS)]
            chat = Chat(owner, key, ports, self.record, session, dice, self.plan.patience)
            for _ in range(self.plan.length):
                await chat.say(dice.choices(list(weights), list(weights.values()))[0])
                if is_enough():
                    break
            # Whatever has happened, the thread goes on.
            await chat.say("plain")

    def _choose_statement(self, kind: str, key: str) -> str | float | None:
        if self.is_quiet or self.dice.random() > self.plan.statements:
            return None
        fate = self.dice.choice(STATEMENT_FATES)
        self.record.hit(f"{kind} cut {fate}" if fate != "delay" else f"{kind} delayed", key)
        return self.dice.random() if fate == "delay" else fate

    def _choose_request(self, key: str) -> tuple[str, float] | None:
        if self.is_quiet or self.dice.random() > self.plan.requests:
            return None
        fate = self.dice.choice(REQUEST_FATES)
        self.record.hit(f"request: {fate}", key)
        if fate == "delay":
            return fate, self.dice.random()
        return fate, float(self.dice.randrange(600 if fate == "request" else 4000))


@asynccontextmanager
async def running_world(
    cluster: Cluster, folder: Path, plan: Plan, package: Path | None = None
) -> AsyncIterator[World]:
    """Yield a world whose workers are ready, and end it afterwards."""
    world = World(cluster, folder, plan, package)
    try:
        await world.start()
        yield world
    finally:
        await world.stop()
