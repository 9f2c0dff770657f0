"""A PostgreSQL for one test, which can be stopped, frozen and started again at its address."""

from __future__ import annotations

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from psycopg.conninfo import make_conninfo

from tests.database import (
    _account,
    _init_cluster,
    _running,
    cluster_home,
    free_port,
    wait_until_it_answers,
)


class OwnPostgres:
    """One cluster; `conninfo` is a superuser's, and stays the same."""

    def __init__(self, folder: Path, home: Path) -> None:
        self._folder, self._home, self._port = folder, home, free_port()
        self._stack = ExitStack()
        _init_cluster(folder, home, "secret", _account())
        self.conninfo = make_conninfo(
            host="127.0.0.1", port=self._port, user="postgres", password="secret", dbname="postgres"
        )

    def start(self, **settings: str) -> None:
        """Start it and wait until it answers."""
        self._keeper = self._stack.enter_context(
            _running(self._folder, self._home, self._port, _account(), settings)
        )
        wait_until_it_answers(self.conninfo, lambda: None)

    def stop(self, number: signal.Signals = signal.SIGINT) -> None:
        """End it and keep its data: SIGINT ends sessions, SIGQUIT is an immediate shutdown."""
        os.kill(self._processes()[0], number)
        self._keeper.wait(20)
        self._stack.close()

    def close(self) -> None:
        """End it if it runs, and delete its folder."""
        self._stack.close()

    def signal_all(self, number: signal.Signals) -> None:
        """Send a signal to the server and all its processes: SIGSTOP makes it silent."""
        for process in self._processes():
            # An autovacuum worker may just have ended.
            with suppress(ProcessLookupError):
                os.kill(process, number)

    def _processes(self) -> list[int]:
        server = int((self._home / "data" / "postmaster.pid").read_text().split()[0])
        children = Path(f"/proc/{server}/task/{server}/children").read_text().split()
        return [server, *map(int, children)]


@contextmanager
def own_postgres(folder: Path) -> Iterator[OwnPostgres]:
    """Yield a cluster that runs, with the programs in `folder`; end it, whatever state it is in."""
    with cluster_home() as home:
        postgres = OwnPostgres(folder, home)
        postgres.start()
        try:
            yield postgres
        finally:
            postgres.close()
