"""`pgthreads serve`: one worker or several, with an embedded PostgreSQL unless a URL is given."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from .. import __version__
from ..options import options_of, with_options
from ..serve.port import require_free_port
from ..settings import Settings


@click.command()
@with_options(*options_of(Settings))
def serve(**params: Any) -> None:
    """Serve chats over HTTP.

    Without --database-url, an embedded PostgreSQL is started, its schema is upgraded, and it is
    stopped at the end. SIGTERM or ^C lets running turns finish, for up to --drain-timeout seconds;
    a second one ends the server at once.
    """
    settings = Settings.from_params(params)
    from ..executors import chosen  # noqa: PLC0415

    # Whatever is wrong with the executor is reported before anything is started.
    chosen(settings)
    require_free_port(settings.host, settings.port)
    _configure_log(settings)

    with ExitStack() as stack:
        if settings.database_url is None:
            dsn = stack.enter_context(_embedded_database(settings.data_dir))
            settings = replace(settings, database_url=dsn, spool_dir=settings.spool)
        _serve(settings)


@click.command(hidden=True)
@click.argument("channel", type=int)
def work(channel: int) -> None:
    """Be a worker of `pgthreads serve --workers`, which alone runs this command."""
    from ..serve.workers import work as work_until_signal  # noqa: PLC0415

    work_until_signal(channel, _configure_log)


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
    """Run an embedded PostgreSQL whose schema is up to date.

    Yields the connection string of the application's role.
    """
    from ..embedded import EmbeddedPostgres  # noqa: PLC0415
    from ..embedded.database import end_leases  # noqa: PLC0415
    from ..postgres.migrate import migrate as apply  # noqa: PLC0415

    embedded = EmbeddedPostgres(data_dir)
    with embedded as server:
        apply(server.admin_dsn)
        embedded.prepare_app_role()
        end_leases(server.admin_dsn)
        click.echo(f"PostgreSQL {server.version} on port {server.port}, data in {server.data_dir}")
        yield server.app_dsn


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
