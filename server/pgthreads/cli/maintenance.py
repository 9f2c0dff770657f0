"""`pgthreads purge|verify|reap|stats`: for operators, their cron jobs and their monitoring.

Results go to stdout, as text for people or, with --json, as one JSON object. Progress is shown on
stderr if that is a terminal.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import asdict, fields
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..options import option_of, with_options
from ..settings import Settings
from .threads import printable

if TYPE_CHECKING:
    from ..postgres.maintenance import Maintenance

_CONNECTION = (
    option_of(
        Settings,
        "database_url",
        help="Connection string of the database, with a member of pgthreads_maintenance or a"
        " superuser. Without it, the embedded PostgreSQL is used.",
        envvar=["PGTHREADS_MAINTENANCE_DATABASE_URL", "PGTHREADS_DATABASE_URL"],
    ),
    option_of(Settings, "data_dir"),
    click.Option(["--json", "as_json"], is_flag=True, help="Print one JSON object."),
)
_BATCH = click.Option(
    ["--batch"],
    type=click.IntRange(1, 10000),
    default=100,
    show_default=True,
    help="Maximum number of threads in one transaction.",
)


@click.command()
@click.option(
    "--deleted-before",
    metavar="INTERVAL",
    help="Purge only threads that were deleted at least this long ago, and turns that finished at"
    " least this long ago, for example '1 year'. Nothing is purged before its retention has ended.",
)
@with_options(_BATCH, *_CONNECTION)
def purge(
    deleted_before: str | None, batch: int, database_url: str | None, data_dir: Path, as_json: bool
) -> None:
    """Remove for good the threads that were deleted long enough ago, batch by batch.

    Finished turns and late answers are removed, too, once they are older than config.turns_kept and
    config.late_answers_kept. What the turns have used stays in usage_total.
    """
    total = {"threads": 0, "messages": 0, "turns": 0, "bytes": 0}
    finished = {"turns": 0, "late_answers": 0}
    with _maintenance(database_url, data_dir) as maintenance, _progress() as show:
        more = True
        while more:
            purged = maintenance.purge_threads(deleted_before, batch)
            more = purged.more
            for name in total:
                total[name] += getattr(purged, name)
            show(f"purged {total['threads']} threads, {total['messages']} messages")
        more = True
        while more:
            old = maintenance.purge_turns(deleted_before, batch)
            more = old.more
            for name in finished:
                finished[name] += getattr(old, name)
            show(f"purged {finished['turns']} finished turns")
    if as_json:
        _print_json(
            {
                **total,
                "finishedTurns": finished["turns"],
                "lateAnswers": finished["late_answers"],
            }
        )
    else:
        click.echo(
            f"purged {total['threads']} threads with {total['messages']} messages"
            f" ({_size(total['bytes'])}) and {total['turns']} turns"
        )
        click.echo(
            f"purged {finished['turns']} finished turns and {finished['late_answers']} late answers"
        )


@click.command()
@click.option("--owner", help="Verify only this owner's threads.")
@with_options(_BATCH, *_CONNECTION)
def verify(
    owner: str | None, batch: int, database_url: str | None, data_dir: Path, as_json: bool
) -> None:
    """Recompute the digests of all threads. The exit status is 1 if one does not fit."""
    threads = messages = 0
    bad = []
    with _maintenance(database_url, data_dir) as maintenance, _progress() as show:
        for page in maintenance.verify_threads(owner, batch):
            threads += len(page)
            messages += sum(row.checked for row in page)
            bad += [row for row in page if not row.ok]
            show(f"verified {threads} threads, {messages} messages, {len(bad)} bad")
        if owner is None:
            maintenance.note_verification(threads, len(bad))
    if as_json:
        rows = [
            {
                "ownerUserId": row.owner_user_id,
                "stateKey": row.state_key,
                "badSeq": row.bad_seq,
                "detail": row.detail,
            }
            for row in bad
        ]
        _print_json({"ok": not bad, "threads": threads, "messages": messages, "bad": rows})
    else:
        for row in bad:
            click.echo(f"BAD  {printable(row.owner_user_id)}  {row.state_key}  {row.detail}")
        click.echo(f"verified {threads} threads with {messages} messages, {len(bad)} bad")
    click.get_current_context().exit(1 if bad else 0)


@click.command()
@click.option(
    "--grace",
    metavar="INTERVAL",
    default="0 seconds",
    show_default=True,
    help="How long ago a lease has to have ended. Until then, a worker that was only late can"
    " extend its lease.",
)
@with_options(_BATCH, *_CONNECTION)
def reap(grace: str, batch: int, database_url: str | None, data_dir: Path, as_json: bool) -> None:
    """End running turns whose lease has ended, because their workers are gone."""
    turns = []
    with _maintenance(database_url, data_dir) as maintenance, _progress() as show:
        while reaped := maintenance.reap_turns(batch, grace):
            turns += reaped
            show(f"closed {len(turns)} turns")
    if as_json:
        rows = [
            {
                "ownerUserId": turn.owner_user_id,
                "stateKey": turn.state_key,
                "turnId": turn.turn_id,
                "leaseUntil": turn.lease_until.isoformat(),
            }
            for turn in turns
        ]
        _print_json({"turns": rows})
        return
    for turn in turns:
        until = turn.lease_until.isoformat(sep=" ", timespec="seconds")
        click.echo(
            f"{printable(turn.owner_user_id)}  {turn.state_key}  {printable(turn.turn_id)}"
            f"  lease ended {until}"
        )
    click.echo(f"closed {len(turns)} turns")


@click.command()
@with_options(*_CONNECTION)
def stats(database_url: str | None, data_dir: Path, as_json: bool) -> None:
    """Print the numbers of threads, messages and turns, and the sizes of the tables."""
    with _maintenance(database_url, data_dir) as maintenance:
        found = maintenance.thread_stats()
    if as_json:
        _print_json({_camel(name): _plain(value) for name, value in asdict(found).items()})
        return
    for each in fields(found):
        value = getattr(found, each.name)
        if value is not None:
            text = _size(value) if each.name.endswith("_bytes") else str(value)
            label = each.name.replace("_bytes", " table").replace("_", " ")
            click.echo(f"{label:<16} {text:>12}")


COMMANDS = (purge, verify, reap, stats)


@contextmanager
def _maintenance(database_url: str | None, data_dir: Path) -> Iterator[Maintenance]:
    # The driver is slow to load and --help does not need it, so it is imported only here.
    from ..embedded import attached  # noqa: PLC0415
    from ..postgres.maintenance import connected  # noqa: PLC0415

    with ExitStack() as stack:
        conninfo = database_url or stack.enter_context(attached(data_dir)).admin_dsn
        yield stack.enter_context(connected(conninfo))


@contextmanager
def _progress() -> Iterator[Any]:
    """Yield a function that shows a line in place of the last one, if stderr is a terminal."""
    is_terminal = sys.stderr.isatty()

    def show(text: str) -> None:
        if is_terminal:
            click.echo(f"\r\x1b[K{text}", err=True, nl=False)

    try:
        yield show
    finally:
        if is_terminal:
            click.echo("\r\x1b[K", err=True, nl=False)


def _print_json(value: dict[str, Any]) -> None:
    click.echo(json.dumps(value))


def _camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(word.capitalize() for word in rest)


def _plain(value: Any) -> Any:
    return value.total_seconds() if isinstance(value, timedelta) else value


def _size(count: int) -> str:
    size = float(count)
    for unit in ("bytes", "KiB", "MiB", "GiB"):
        if size < 1024:
            return f"{size:.0f} {unit}" if unit == "bytes" else f"{size:.1f} {unit}"
        size /= 1024
    return f"{size:.1f} TiB"
