"""`pgthreads doctor`: prints what the checks of `checks.py` find."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import click

from ..options import options_of, with_options
from ..serve.port import PortError, require_free_port
from ..settings import Settings


@click.command()
@with_options(*options_of(Settings))
@click.option(
    "--pgtap",
    is_flag=True,
    help="Also run the installed suite of pgTAP tests, in a transaction that is rolled back.",
)
@click.option(
    "--pgtap-database-url",
    envvar="PGTHREADS_PGTAP_DATABASE_URL",
    show_envvar=True,
    help="Connection string for the suite, with a member of pgthreads_server and"
    " pgthreads_maintenance. The default is --database-url, or the superuser of the embedded"
    " PostgreSQL.",
)
@click.option(
    "--pgtap-sql",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="The file pgtap.sql of pgTAP, for a database that does not have the extension.",
)
@click.pass_context
def doctor(
    ctx: click.Context,
    /,
    pgtap: bool,
    pgtap_database_url: str | None,
    pgtap_sql: Path | None,
    **params: Any,
) -> None:
    """Check whether `pgthreads serve` would run with these flags. Nothing is changed.

    The exit status is 1 if a check fails.
    """
    settings = Settings.from_params(params)
    from ..embedded import EmbeddedError, attached  # noqa: PLC0415
    from ..postgres.tenants import tenant_of  # noqa: PLC0415
    from .checks import (  # noqa: PLC0415
        Finding,
        check_database,
        check_installation,
        check_keys,
        check_suite,
    )

    failures = 0

    def report(finding: Finding) -> None:
        nonlocal failures
        failures += finding.verdict == "FAIL"
        click.echo(f"{finding.verdict:<4}  {finding.text}")
        if finding.hint:
            click.echo(f"      {finding.hint}")

    async def report_keys() -> None:
        async for finding in check_keys(settings):
            report(finding)

    async def report_database(conninfo: str) -> None:
        async for finding in check_database(conninfo, tenant_of(settings.tenant_key)):
            report(finding)

    def report_suite(conninfo: str) -> None:
        tenant = tenant_of(settings.tenant_key)
        for finding in check_suite(pgtap_database_url or conninfo, tenant, pgtap_sql):
            report(finding)

    for finding in check_installation(settings):
        report(finding)
    try:
        require_free_port(settings.host, settings.port)
        report(Finding("ok", f"port {settings.port} of {settings.host} is free"))
    except PortError as error:
        report(Finding("note", str(error), error.hint))
    asyncio.run(report_keys())
    try:
        if settings.database_url is not None:
            asyncio.run(report_database(settings.database_url))
            if pgtap:
                report_suite(settings.database_url)
        elif not (settings.data_dir / "cluster").exists():
            report(Finding("note", f"serve will create a new database in {settings.data_dir}"))
        else:
            with attached(settings.data_dir) as server:
                asyncio.run(report_database(server.app_dsn))
                if pgtap:
                    report_suite(server.admin_dsn)
    except EmbeddedError as error:
        report(Finding("FAIL", str(error), error.hint))
    ctx.exit(1 if failures else 0)
