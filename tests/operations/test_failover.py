"""A primary that is lost while a turn runs: the promoted standby gets the answer."""

from __future__ import annotations

import asyncio
import signal
from collections.abc import AsyncIterator, Callable

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from pgthreads.events import AiEvent, Done, ExecutorRequest, TextDelta
from pgthreads.postgres.migrate import migrate
from tests.database import Database, Server, new_database, prepared
from tests.operations.clusters import copied_cluster, folder_for, wait_for_replay
from tests.server.own_postgres import own_postgres
from tests.server.service import CHAT, THREADS, body_of, chunks_of, running_service, text_of


async def test_the_standby_takes_over(database_server: Server) -> None:
    folder = folder_for(database_server)
    with own_postgres(folder) as primary:
        server = prepared(primary.conninfo, "the primary")
        with new_database(server) as database:
            migrate(database.admin_dsn)
            with psycopg.connect(database.admin_dsn, autocommit=True) as admin:
                admin.execute("grant pgthreads_server to app_login")
            with copied_cluster(folder, primary.conninfo, "-R") as standby:
                await lose_the_primary(primary.stop, database, standby)
                primary.start()


async def lose_the_primary(
    stop: Callable[[signal.Signals], None], database: Database, standby: str
) -> None:
    """Chat with a server that knows both; lose the primary during a turn, promote the standby."""
    opened = asyncio.Event()

    async def script(_: ExecutorRequest) -> AsyncIterator[AiEvent]:
        yield TextDelta("begun there, ")
        await opened.wait()
        yield TextDelta("ended here")
        yield Done()

    ports = [conninfo_to_dict(each)["port"] for each in (database.admin_dsn, standby)]
    both = {"host": "127.0.0.1,127.0.0.1", "port": ",".join(map(str, ports))}
    copy = make_conninfo(standby, dbname=database.name)
    async with running_service(
        make_conninfo(database.server_dsn, target_session_attrs="read-write", **both),
        copy,
        acquire_timeout=1.0,
    ) as service:
        service.executor.script = script
        response = await service.post(CHAT, body_of("moved", "hi", "u1"))
        assert response.status == 200
        wait_for_replay(database.server.conninfo, standby)
        stop(signal.SIGQUIT)
        opened.set()
        async with await service.get(THREADS) as refused:
            assert (refused.status, (await refused.json())["code"]) == (
                503,
                "database_unavailable",
            )

        with psycopg.connect(standby, autocommit=True) as admin:
            assert admin.execute("select pg_promote(true, 20)").fetchone() == (True,)
        async with asyncio.timeout(15):
            assert chunks_of(await response.read())[-1]["type"] == "finish"
        assert [turn[0] for turn in service.turns("moved")] == ["completed"]
        messages = await service.messages("moved")
        assert [text_of(each) for each in messages] == ["hi", "begun there, ended here"]
        assert chunks_of(await service.chat("moved", "and now?", "u2"))[-1]["type"] == "finish"
