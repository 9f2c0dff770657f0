"""The group of all commands. It prints every error that the person at the shell can mend."""

from __future__ import annotations

from typing import Any

import click

from ..errors import OperatorError, PgThreadsError


class Group(click.Group):
    """Prints what is wrong and what to do about it, instead of a traceback.

    The error says the exit status: 1 if the command failed, 2 if it was called wrongly. In the
    latter case the usage is printed, too. An error that a correct program does not have keeps its
    traceback.
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
            # Messages of libpq continue on further lines, which begin with a tab.
            text = str(known).strip().replace("\n\t", " ")
            if known.hint:
                text += f"\nHint: {known.hint}"
            if known.exit_status == click.UsageError.exit_code:
                raise click.UsageError(text, _called(ctx)) from error
            raise click.ClickException(text) from error


def _called(ctx: click.Context) -> click.Context:
    """Return a context of the command that was called, so that its usage is shown, not the group's.

    The command's own context is gone by the time its error arrives here.
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
    # The driver is slow to load and --help does not need it, so it is imported only here, as in the
    # commands.
    import psycopg  # noqa: PLC0415

    if isinstance(error, psycopg.errors.InsufficientPrivilege):
        return OperatorError(
            str(error.diag.message_primary or error),
            "this command needs a role that is a member of pgthreads_server: pgthreads doctor",
        )
    if isinstance(error, psycopg.Error):
        # libpq reports every address that it has tried; the first line says what is wrong.
        return OperatorError((str(error).strip() or type(error).__name__).splitlines()[0])
    return None
