"""The command `pgthreads`. Exit status: 0 done, 1 it failed, 2 it was called wrongly."""

from __future__ import annotations

import asyncio
import errno
import logging
import os
import socket
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from .. import __version__
from ..options import option_of, options_of, with_options
from ..settings import Settings, SettingsError
from .maintenance import COMMANDS as MAINTENANCE_COMMANDS
from .recover import recover
from .threads import threads_group


class _Failure(click.ClickException):
    """One clear line, the way out below it, no traceback."""

    exit_code = 1


class _Group(click.Group):
    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except SettingsError as error:
            raise click.UsageError(_with_hint(str(error), error.hint), _called(ctx)) from error
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            message = _explain(error)
            if message is None:
                raise
            raise _Failure(message) from error


def _called(ctx: click.Context) -> click.Context:
    """The context of the command that was called, so that its usage is shown and not the group's.

    Its own is gone by the time that an error of it is told.
    """
    name = ctx.invoked_subcommand
    group = ctx.command
    command = group.get_command(ctx, name) if name and isinstance(group, click.Group) else None
    return ctx if command is None else click.Context(command, parent=ctx, info_name=name)


def _with_hint(message: str, hint: str | None) -> str:
    return f"{message}\nHint: {hint}" if hint else message


def _explain(error: Exception) -> str | None:
    """The text for an error that can happen to a correct program, else None."""
    # Every error of this package that a person can act on carries a hint.
    if type(error).__module__.startswith("pgthreads.") and hasattr(error, "hint"):
        # What libpq says goes on over further lines, each begun with a tab.
        text = f"{error} {getattr(error, 'detail', '')}".strip().replace("\n\t", " ")
        return _with_hint(text, error.hint)
    # Imported here, as in the commands: the driver is slow to load, and --help needs none of it.
    import psycopg  # noqa: PLC0415

    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return _with_hint(
            str(error.diag.message_primary or error),
            "this command needs a role that is a member of pgthreads_server: pgthreads doctor",
        )
    if isinstance(error, psycopg.Error):
        # A failed connection is told once for each address tried; the first line says it.
        return (str(error).strip() or type(error).__name__).splitlines()[0]
    return None


@click.group(cls=_Group, context_settings={"max_content_width": 100})
@click.version_option(__version__, prog_name="pgthreads")
def main() -> None:
    """Server-authoritative chat threads in PostgreSQL.

    `pgthreads serve` starts everything on this machine. Every flag can be given by the variable
    that its help names.
    """


@main.command()
@with_options(*options_of(Settings))
def serve(**params: Any) -> None:
    """Serve chats over HTTP.

    Without --database-url an embedded PostgreSQL is started, migrated, and stopped at the end.
    SIGTERM and ^C let running answers finish, for --drain-timeout seconds; a second one does not.
    """
    settings = Settings.from_params(params)
    from ..executors import chosen  # noqa: PLC0415

    # What is wrong with it is told before anything is started.
    chosen(settings)
    require_free_port(settings.host, settings.port)
    _configure_log(settings)

    with ExitStack() as stack:
        if settings.database_url is None:
            dsn = stack.enter_context(_embedded_database(settings.data_dir))
            settings = replace(settings, database_url=dsn, spool_dir=settings.spool)
        _serve(settings)


@main.command(hidden=True)
@click.argument("channel", type=int)
def work(channel: int) -> None:
    """Be a worker of `pgthreads serve --workers`, which starts this; nobody else does."""
    from ..serve.workers import work as work_until_signal  # noqa: PLC0415

    work_until_signal(channel, _configure_log)


@main.command()
@with_options(
    option_of(
        Settings,
        "database_url",
        help="The database, as a superuser or as a role with CREATEROLE that may create schemas.",
        envvar=["PGTHREADS_ADMIN_DATABASE_URL", "PGTHREADS_DATABASE_URL"],
        required=True,
    )
)
@click.option(
    "--with",
    "optional",
    multiple=True,
    type=click.Choice(["search"]),
    help="Add this, for good: search is the function search_threads. May be given again.",
)
def migrate(database_url: str, optional: tuple[str, ...]) -> None:
    """Install or upgrade the schema; safe to run again, and twice at once."""
    from ..postgres.migrate import migrate as apply  # noqa: PLC0415

    applied = apply(database_url, optional=optional)
    for name in applied:
        click.echo(f"applied {name}")
    click.echo("functions and policies are up to date" if not applied else "done")


@main.command()
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
    help="Who runs it: a member of pgthreads_server and pgthreads_maintenance. By default"
    " --database-url, or the superuser of the embedded PostgreSQL.",
)
@click.option(
    "--pgtap-sql",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="pgTAP as a file, pgtap.sql, for a database that does not have it.",
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
    """Check whether `pgthreads serve` with these flags would run; changes nothing."""
    settings = Settings.from_params(params)
    from ..embedded import EmbeddedError, attached  # noqa: PLC0415
    from ..postgres.tenants import tenant_of  # noqa: PLC0415
    from .doctor import (  # noqa: PLC0415
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
    except click.ClickException as error:
        report(Finding("note", *error.message.split("\nHint: ", 1)))
    asyncio.run(report_keys())
    try:
        if settings.database_url is not None:
            asyncio.run(report_database(settings.database_url))
            if pgtap:
                report_suite(settings.database_url)
        elif not (settings.data_dir / "cluster").exists():
            report(Finding("note", f"serve will make a new database in {settings.data_dir}"))
        else:
            with attached(settings.data_dir) as server:
                asyncio.run(report_database(server.app_dsn))
                if pgtap:
                    report_suite(server.admin_dsn)
    except EmbeddedError as error:
        report(Finding("FAIL", str(error), error.hint))
    ctx.exit(1 if failures else 0)


main.add_command(threads_group)
main.add_command(recover)
for _command in MAINTENANCE_COMMANDS:
    main.add_command(_command)


def _serve(settings: Settings) -> None:
    def ready(url: str) -> None:
        _announce(settings, url)

    if settings.workers == 1:
        from ..serve.process import serve as serve_alone  # noqa: PLC0415

        asyncio.run(serve_alone(settings, ready=ready))
        return
    from ..serve.workers import FirstWorkerError, supervise  # noqa: PLC0415

    try:
        asyncio.run(supervise(settings, ready=ready))
    except FirstWorkerError as error:
        raise click.exceptions.Exit(max(error.status, 1)) from error


@contextmanager
def _embedded_database(data_dir: Path) -> Iterator[str]:
    """The application's connection string to an embedded PostgreSQL, migrated and running."""
    from ..embedded import EmbeddedPostgres  # noqa: PLC0415
    from ..postgres.migrate import migrate as apply  # noqa: PLC0415

    embedded = EmbeddedPostgres(data_dir)
    with embedded as server:
        apply(server.admin_dsn)
        embedded.prepare_app_role()
        click.echo(f"PostgreSQL {server.version} on port {server.port}, data in {server.data_dir}")
        yield server.app_dsn


def require_free_port(host: str, port: int) -> None:
    """Raises click.ClickException unless a server could listen there now."""
    try:
        addresses = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    except socket.gaierror as error:
        raise _Failure(f"--host {host}: {error.strerror}") from error
    for family, kind, protocol, _, address in addresses:
        with socket.socket(family, kind, protocol) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            if family == socket.AF_INET6:
                probe.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            try:
                probe.bind(address)
                probe.listen(1)
            except OSError as error:
                raise _Failure(_why_not(error, host, port)) from error


def _why_not(error: OSError, host: str, port: int) -> str:
    if error.errno == errno.EADDRINUSE:
        return _with_hint(
            f"port {port} of {host} is in use by another program",
            f"--port {port + 1 if port < 65535 else 8080}, or --port 0 for a free one",
        )
    hint = "ports below 1024 need a privilege" if error.errno == errno.EACCES else ""
    return _with_hint(
        f"cannot listen on {host}, port {port}: {os.strerror(error.errno or 0)}", hint
    )


def _configure_log(settings: Settings) -> None:
    process = " %(process)d" if settings.workers > 1 else ""
    logging.basicConfig(
        level=settings.log_level.upper(),
        format=f"%(asctime)s{process} %(levelname)s %(name)s: %(message)s",
    )


def _announce(settings: Settings, url: str) -> None:
    token = ' -H "authorization: Bearer $TOKEN"' if settings.auth == "jwt" else ""
    click.echo(
        f"pgthreads {__version__} serves {url} (a chat page is there; ^C stops)\n"
        f"Try: curl -N {url}/api/v1/ai/chat -H 'content-type: application/json'{token}"
        """ -d '{"message":"2+3*4"}'"""
    )
