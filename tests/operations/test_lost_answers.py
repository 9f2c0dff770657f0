"""An asynchronous standby is promoted without the last commits: kept answers are given back."""

from __future__ import annotations

import asyncio
import json
import signal
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import psycopg
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from pgthreads.events import AiEvent, Done, ExecutorRequest, TextDelta
from pgthreads.postgres.migrate import migrate
from tests.database import Server, new_database, prepared
from tests.operations.clusters import copied_cluster, folder_for, wait_for_replay
from tests.server.command import COMMAND, environment
from tests.server.own_postgres import own_postgres
from tests.server.service import CHAT, Service, body_of, running_service, text_of


async def test_the_last_commits_are_lost(database_server: Server, tmp_path: Path) -> None:
    folder, spool = folder_for(database_server), tmp_path / "spool"
    with own_postgres(folder) as primary:
        server = prepared(primary.conninfo, "the primary")
        with new_database(server) as database:
            migrate(database.admin_dsn)
            with psycopg.connect(database.admin_dsn, autocommit=True) as admin:
                admin.execute("grant pgthreads_server to app_login")
            with copied_cluster(folder, primary.conninfo, "-R") as standby:
                ports = [conninfo_to_dict(each)["port"] for each in (database.admin_dsn, standby)]
                both = make_conninfo(
                    database.server_dsn,
                    host="127.0.0.1,127.0.0.1",
                    port=",".join(map(str, ports)),
                    target_session_attrs="read-write",
                )
                copy = make_conninfo(standby, dbname=database.name)
                app = make_conninfo(
                    database.server_dsn, port=str(conninfo_to_dict(standby)["port"])
                )
                async with running_service(
                    both, copy, acquire_timeout=2.0, spool_dir=spool, keep_answers=600
                ) as service:
                    service.executor.script, opened = answers_in_turn()
                    await before_and_after_the_cut(service, server, standby, opened)
                    primary.stop(signal.SIGQUIT)
                    with psycopg.connect(standby, autocommit=True) as admin:
                        assert admin.execute("select pg_promote(true, 20)").fetchone() == (True,)
                    await after_the_failover(service)
                    await give_back(service, spool, app)
                primary.start()


def answers_in_turn() -> tuple[Any, asyncio.Event]:
    """Answers with the question's text; a question "held" waits for the event."""
    opened = asyncio.Event()
    count = 0

    async def script(request: ExecutorRequest) -> AsyncIterator[AiEvent]:
        nonlocal count
        count += 1
        number, question = count, text_of(request.messages[-1])
        yield TextDelta(f"{question}, answer ")
        if question == "held":
            await opened.wait()
        yield TextDelta(str(number))
        yield Done()

    return script, opened


async def before_and_after_the_cut(
    service: Service, primary: Server, standby: str, opened: asyncio.Event
) -> None:
    """Chat while the standby follows, and go on when it no longer does."""
    for key in ("kept", "lost", "went-on", "asked-again", "anew"):
        await service.chat(key, "one", "u1")
    await service.chat("branch", "one", "u1")
    shown = (await service.messages("branch"))[-1]["id"]
    await service.chat("branch", "two", "u2")
    held = await service.post(CHAT, body_of("end", "held", "u1"))
    assert held.status == 200
    wait_for_replay(primary.conninfo, standby)
    with psycopg.connect(standby, autocommit=True) as admin:
        admin.execute("alter system set primary_conninfo = ''")
        admin.execute("select pg_reload_conf()")
        for _ in range(100):
            row = admin.execute("select count(*), pg_sleep(0.1) from pg_stat_wal_receiver")
            if (row.fetchone() or (1,))[0] == 0:
                break
    opened.set()
    await held.read()
    for key in ("lost", "went-on", "asked-again", "new"):
        await service.chat(key, "two", "u2")
    await service.chat("lost", "three", "u3")
    regenerate = {"id": "anew", "messages": [body_of("anew", "one", "u1")["message"]]}
    async with await service.post(CHAT, regenerate | {"trigger": "regenerate-message"}) as response:
        assert response.status == 200
        await response.read()
    aside = body_of("branch", "aside", "u3") | {"parentId": shown}
    async with await service.post(CHAT, aside) as response:
        assert response.status == 200
        await response.read()


async def after_the_failover(service: Service) -> None:
    """What users see on the promoted standby, and what they do."""
    assert await texts(service, "lost") == ["one", "one, answer 2"]
    assert await texts(service, "end") == ["held"]
    await service.chat("went-on", "other", "u3")
    await service.chat("asked-again", "two", "u2")


async def give_back(service: Service, spool: Path, dsn: str) -> None:
    answers = await recover(spool, dsn)
    assert sorted((each["stateKey"], each["verdict"]) for each in answers["answers"]) == [
        ("anew", "given back"),
        ("anew", "stored"),
        ("asked-again", "refused"),
        ("asked-again", "stored"),
        ("asked-again", "stored"),
        ("branch", "given back"),
        ("branch", "stored"),
        ("branch", "stored"),
        ("end", "given back"),
        ("kept", "stored"),
        ("lost", "given back"),
        ("lost", "given back"),
        ("lost", "stored"),
        ("new", "given back"),
        ("went-on", "refused"),
        ("went-on", "stored"),
        ("went-on", "stored"),
    ]
    lost = await texts(service, "lost")
    assert lost[::2] == ["one", "two", "three"]
    assert [each.partition(",")[0] for each in lost[1::2]] == ["one", "two", "three"]
    assert await texts(service, "new") == ["two", "two, answer 12"]
    assert await texts(service, "end") == ["held", "held, answer 8"]
    assert await texts(service, "anew") == ["one", "one, answer 14"]
    assert await texts(service, "branch") == ["one", "one, answer 6", "aside", "aside, answer 15"]
    assert len(await texts(service, "went-on")) == len(await texts(service, "asked-again")) == 4
    assert files(spool) == [".kept"] * 15 + [".refused"] * 2
    assert {turn[0] for key in ("lost", "new", "end") for turn in service.turns(key)} == {
        "completed"
    }
    again = await recover(spool, dsn)
    assert {each["verdict"] for each in again["answers"]} == {"stored"}


async def recover(spool: Path, dsn: str) -> dict[str, Any]:
    process = await asyncio.create_subprocess_exec(
        *(*COMMAND, "recover", str(spool), "--database-url", dsn, "--json"),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=environment(),
    )
    async with asyncio.timeout(60):
        out, err = await process.communicate()
    sys.stderr.write(err.decode())
    found: dict[str, Any] = json.loads(out)
    refused = any(each["verdict"] == "refused" for each in found["answers"])
    assert process.returncode == int(refused), err
    return found


def files(spool: Path) -> list[str]:
    return sorted(each.suffix for each in spool.iterdir())


async def texts(service: Service, key: str) -> list[str]:
    return [text_of(message) for message in await service.messages(key)]
