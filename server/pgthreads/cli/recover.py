"""`pgthreads recover`: gives back answers that a promoted standby does not have."""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from ..options import option_of, with_options
from ..postgres.tenants import tenant_of
from ..settings import Settings
from .threads import printable

if TYPE_CHECKING:
    from ..turns.recover import Recovered


@click.command()
@click.argument("folders", nargs=-1, type=click.Path(exists=True, file_okay=False, path_type=Path))
@with_options(
    option_of(Settings, "database_url"),
    option_of(Settings, "data_dir"),
    option_of(Settings, "tenant_key"),
    option_of(Settings, "spool_dir", help="The spool, if no FOLDERS are given."),
    click.Option(["--json", "as_json"], is_flag=True, help="Print one JSON object."),
)
def recover(folders: tuple[Path, ...], tenant_key: str | None, as_json: bool, **where: Any) -> None:
    """Give the database back the answers that it has lost, from what --keep-answers has kept.

    FOLDERS are the spools of all servers. The answers in them are given back in the order in which
    they were stored. Run this after a failover, as a member of pgthreads_server, and if possible
    before people go on with their threads. It is safe to run it again. The exit status is 1 if an
    answer could not be given back.
    """
    # The driver is slow to load and --help does not need it, so it is imported only here.
    from ..embedded import attached  # noqa: PLC0415
    from ..turns.spool import set_aside  # noqa: PLC0415

    known = Settings(**where).spool
    if not folders and known is None:
        raise click.UsageError("name the folders of the spools, or give --spool-dir")
    with ExitStack() as stack:
        conninfo = where["database_url"] or stack.enter_context(attached(where["data_dir"])).app_dsn
        done = asyncio.run(_recover(conninfo, tenant_key, folders or (known or Path(),)))
    for each in done:
        if each.verdict == "refused":
            set_aside(each.kept)
    counts = Counter(each.verdict for each in done)
    if as_json:
        rows = [
            {
                "ownerUserId": each.kept.answer.owner_user_id,
                "stateKey": each.kept.answer.state_key,
                "turnId": each.kept.answer.turn_id,
                "verdict": each.verdict,
                "text": each.text,
            }
            for each in done
        ]
        click.echo(json.dumps({"answers": rows}))
    else:
        for each in done:
            answer = each.kept.answer
            click.echo(
                f"{each.verdict:<10}  {printable(answer.owner_user_id)}  {answer.state_key}"
                f"  {printable(answer.turn_id)}  {printable(each.text)}"
            )
        click.echo(
            f"{len(done)} answers were kept: {counts['stored']} are stored,"
            f" {counts['given back']} were given back, {counts['late']} are late answers,"
            f" {counts['refused']} were set aside for you to look at"
        )
    click.get_current_context().exit(1 if counts["refused"] else 0)


async def _recover(
    conninfo: str, tenant_key: str | None, folders: tuple[Path, ...]
) -> list[Recovered]:
    from ..postgres.pool import Pool  # noqa: PLC0415
    from ..postgres.threads import Threads  # noqa: PLC0415
    from ..turns.recover import give_back  # noqa: PLC0415
    from ..turns.spool import Spool  # noqa: PLC0415

    kept = []
    for folder in folders:
        spool = Spool(folder)
        spool.open()
        kept += spool.kept()
    kept.sort(key=lambda each: each.kept_until)
    async with Pool(conninfo, size=1, prepare=False) as pool:
        return await give_back(Threads(pool, tenant_of(tenant_key)), kept)
