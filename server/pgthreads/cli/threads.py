"""`pgthreads threads`: reads one owner's threads, through the same functions as the server."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import ExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

import click

from ..options import option_of, with_options
from ..postgres.tenants import tenant_of
from ..settings import Settings

Result = TypeVar("Result")

_CONNECTION = (
    option_of(Settings, "database_url"),
    option_of(Settings, "data_dir"),
    option_of(Settings, "tenant_key"),
    click.Option(
        ["--owner"],
        default="dev",
        show_default=True,
        envvar=["PGTHREADS_OWNER", "PGTHREADS_DEV_USER"],
        show_envvar=True,
        help="Owner of the threads: the authenticated user's id. The default is the owner of all"
        " threads with --auth dev.",
    ),
)
_KEY = click.argument("state_key")
# A state key may begin with a dash.
_DASHES = {"ignore_unknown_options": True}


@click.group("threads")
def threads_group() -> None:
    """Look at one owner's threads.

    Without --database-url they are read from the embedded PostgreSQL, which need not be running.
    """


@threads_group.command("list")
@click.option("--limit", type=click.IntRange(1, 1000), default=50, show_default=True)
@click.option(
    "--cursor", help="Continue after an earlier page, with the cursor that was printed behind it."
)
@with_options(*_CONNECTION)
def list_command(owner: str, limit: int, cursor: str | None, **where: Any) -> None:
    """List threads with their key, number of messages, last change and title, the latest first."""

    async def call(threads: Any) -> Any:
        return await threads.list_threads(owner, limit=limit, cursor=cursor, archived=None)

    page = _call(call, **where)
    if not page and cursor is None:
        click.echo(f"{printable(owner)} has no threads (--owner names whose are listed)", err=True)
    for row in page:
        when = row.updated_at.isoformat(sep=" ", timespec="seconds")
        running = " (running)" if row.running else ""
        title = printable(row.title or "-").replace("\n", " ")
        click.echo(f"{row.state_key}  {row.message_count:>5}  {when}  {title}{running}")
    if page and page[-1].next_cursor:
        click.echo(f"more: --cursor {page[-1].next_cursor}", err=True)


@threads_group.command("show", context_settings=_DASHES)
@_KEY
@click.option("--last", type=click.IntRange(1), help="Show only this many messages, from the end.")
@with_options(*_CONNECTION)
def show_command(state_key: str, owner: str, last: int | None, **where: Any) -> None:
    """Print a thread's messages for people to read."""
    thread = _read(owner, state_key, last, **where)
    click.echo(f"{printable(thread.title or state_key)} ({thread.message_count} messages)")
    for message in json.loads(thread.messages):
        click.echo(f"\n{click.style(message['role'], bold=True)}")
        for part in message["parts"]:
            click.echo(_describe(part))


@threads_group.command("export", context_settings=_DASHES)
@_KEY
@with_options(*_CONNECTION)
def export_command(state_key: str, owner: str, **where: Any) -> None:
    """Print a thread as one line of JSON: its header, and its messages as they are stored."""
    thread = _read(owner, state_key, None, **where)
    header = {
        "stateKey": thread.state_key,
        "title": thread.title,
        "messageCount": thread.message_count,
        "createdAt": thread.created_at.isoformat(),
        "updatedAt": thread.updated_at.isoformat(),
        "digest": thread.digest,
    }
    # The stored bytes are put in without parsing them, so that they come out unchanged.
    text = b'%b, "metadata": %b, "messages": %b}' % (
        json.dumps(header)[:-1].encode(),
        thread.metadata,
        thread.messages,
    )
    click.echo(text.replace(b"\n", b" "))


def _read(owner: str, state_key: str, last: int | None, **where: Any) -> Any:
    async def call(threads: Any) -> Any:
        thread = await threads.read_thread(owner, state_key, last=last)
        return thread and await _with_earlier_pages(threads, owner, thread, last)

    thread = _call(call, **where)
    if thread is None:
        raise click.ClickException(f"{owner} has no thread {state_key}")
    return thread


async def _with_earlier_pages(threads: Any, owner: str, thread: Any, last: int | None) -> Any:
    """Return the thread with the pages before its present one; see config.max_page_bytes."""
    if thread.earlier_seq is None:
        return thread
    # All pages are of the same branch, even if something is appended meanwhile.
    leaf_id = json.loads(thread.messages)[-1]["id"]
    page, texts, count = thread, [thread.messages], len(json.loads(thread.messages))
    while page.earlier_seq is not None and (last is None or count < last):
        page = await threads.read_thread(
            owner,
            thread.state_key,
            last=None if last is None else last - count,
            before_seq=page.earlier_seq,
            leaf_id=leaf_id,
        )
        if page is None:
            raise click.ClickException(f"thread {thread.state_key} was deleted meanwhile")
        texts.append(page.messages)
        count += len(json.loads(page.messages))
    # The stored bytes are joined without parsing them, so that they come out unchanged.
    inner = (text.strip()[1:-1] for text in reversed(texts))
    return replace(thread, messages=b"[" + b", ".join(inner) + b"]")


def _call(
    call: Callable[[Any], Awaitable[Result]],
    *,
    database_url: str | None,
    data_dir: Path,
    tenant_key: str | None,
) -> Result:
    # The driver is slow to load and --help does not need it, so it is imported only here.
    import psycopg  # noqa: PLC0415

    from ..embedded import attached  # noqa: PLC0415
    from ..postgres.pool import Pool, Timeouts  # noqa: PLC0415
    from ..postgres.threads import Threads  # noqa: PLC0415

    async def run(conninfo: str) -> Result:
        async with Pool(conninfo, size=1, timeouts=Timeouts(statement=300)) as pool:
            return await call(Threads(pool, tenant))

    try:
        tenant = tenant_of(tenant_key)
    except (ValueError, OSError) as error:
        raise click.UsageError(f"--tenant-key cannot be used: {error}") from error
    with ExitStack() as stack:
        conninfo = database_url or stack.enter_context(attached(data_dir)).app_dsn
        # A pool could only say that it has waited in vain; a single connection says why.
        psycopg.connect(conninfo, connect_timeout=10).close()
        return asyncio.run(run(conninfo))


def _describe(part: dict[str, Any]) -> str:
    kind = str(part.get("type"))
    if kind == "text":
        return printable(str(part.get("text")))
    if kind == "reasoning":
        return click.style(printable(str(part.get("text"))), dim=True)
    if kind == "dynamic-tool" or kind.startswith("tool-"):
        name = part.get("toolName") or kind.removeprefix("tool-")
        outcome = part.get("output", part.get("errorText", part.get("state")))
        line = f"[{name}({json.dumps(part.get('input'), ensure_ascii=False)}) -> {outcome}]"
        return printable(line)
    return printable(f"[{kind}]")


def printable(text: str) -> str:
    """The text without characters that would control the terminal."""
    return "".join(
        c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in text
    )
