"""The command `pgthreads`. Its exit status is 0 if it succeeded, 1 if it failed, 2 if it was
called wrongly.
"""

from __future__ import annotations

import click

from .. import __version__
from ..options import option_of, with_options
from ..settings import Settings
from .doctor import doctor
from .group import Group
from .maintenance import COMMANDS as MAINTENANCE_COMMANDS
from .recover import recover
from .serve import serve, work
from .threads import threads_group


@click.group(cls=Group, context_settings={"max_content_width": 100})
@click.version_option(__version__, prog_name="pgthreads")
def main() -> None:
    """Server-authoritative chat threads in PostgreSQL.

    `pgthreads serve` starts everything on this machine. Every setting can be given as a flag, or
    as the environment variable that the help names.
    """


@main.command()
@with_options(
    option_of(
        Settings,
        "database_url",
        help="Connection string of the database, for a superuser or a role with CREATEROLE that may"
        " create schemas.",
        envvar=["PGTHREADS_ADMIN_DATABASE_URL", "PGTHREADS_DATABASE_URL"],
        required=True,
    )
)
@click.option(
    "--with",
    "optional",
    multiple=True,
    type=click.Choice(["search"]),
    help="Install this optional part too. It stays installed. search is the function"
    " search_threads. Can be given several times.",
)
def migrate(database_url: str, optional: tuple[str, ...]) -> None:
    """Install or upgrade the schema.

    It is safe to run this again, and to run it twice at the same time.
    """
    from ..postgres.migrate import migrate as apply  # noqa: PLC0415

    applied = apply(database_url, optional=optional)
    for name in applied:
        click.echo(f"applied {name}")
    click.echo("functions and policies are up to date" if not applied else "done")


@main.command("sql")
@click.option(
    "--with",
    "optional",
    multiple=True,
    type=click.Choice(["search"]),
    help="Install this optional part too. It stays installed. Can be given several times.",
)
def write_sql(optional: tuple[str, ...]) -> None:
    """Print the installation as one statement of SQL, for tools that run migrations.

    It does what migrate does: `pgthreads sql > install.sql`.
    """
    from ..postgres.script import installation_script  # noqa: PLC0415

    click.echo(installation_script(optional=optional), nl=False)


for _command in (serve, work, doctor, threads_group, recover, *MAINTENANCE_COMMANDS):
    main.add_command(_command)
