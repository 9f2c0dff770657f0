"""The group of all commands, which prints every error that the person at the shell can mend."""

from __future__ import annotations

from typing import Any

import click

from ..errors import OperatorError, PgThreadsError


class Group(click.Group):
    """Prints what is wrong and what to do about it, instead of a traceback.

    The exit status is the error's: 1 when a command failed, 2 when it was called wrongly, and then
    its usage is printed as well. Whatever is not expected in a correct program keeps its traceback.
    """

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was called."""
        try:
            return super().invoke(ctx)
        except (click.ClickException, click.exceptions.Exit, click.Abort):
            raise
        except Exception as error:
            known = _known(error)
            if known is None:
                raise
            # libpq continues its messages on further lines, and begins each with a tab.
            text = str(known).strip().replace("\n\t", " ")
            if known.hint:
                text += f"\nHint: {known.hint}"
            if known.exit_status == click.UsageError.exit_code:
                raise click.UsageError(text, _called(ctx)) from error
            raise click.ClickException(text) from error


def _called(ctx: click.Context) -> click.Context:
    """Return the context of the command that was called: its usage is shown, not the group's.

    The command's own context is gone by the time that its error arrives here.
    """
    name = ctx.invoked_subcommand
    group = ctx.command
    command = group.get_command(ctx, name) if name and isinstance(group, click.Group) else None
    return ctx if command is None else click.Context(command, parent=ctx, info_name=name)


def _known(error: Exception) -> OperatorError | None:
    """Return what to print for an error that can happen to a correct program, otherwise None."""
    if isinstance(error, OperatorError):
        return error
    if isinstance(error, PgThreadsError):
        return OperatorError(f"{error} {error.detail}", error.hint)
    # Imported here, as in the commands: the driver is slow to load, and --help needs none of it.
    import psycopg  # noqa: PLC0415

    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return OperatorError(
            str(error.diag.message_primary or error),
            "this command needs a role that is a member of pgthreads_server: pgthreads doctor",
        )
    if isinstance(error, psycopg.Error):
        # libpq reports each address that it tried; the first line says what is wrong.
        return OperatorError((str(error).strip() or type(error).__name__).splitlines()[0])
    return None
