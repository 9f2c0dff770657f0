"""Declares a setting once: as a dataclass field that is also a flag and an environment variable."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, Field, field, fields
from typing import Any, TypeVar

import click

_Command = TypeVar("_Command", bound=Callable[..., Any])


def setting(
    summary: str, kind: Any = str, *, default: Any = None, secret: bool = False, **more: Any
) -> Any:
    """Make a dataclass field that is a setting; `summary` is its text in `--help`.

    `kind` is a click type. If `default` is callable, it is called for each instance. `secret` keeps
    the value out of `repr()`. `more` is passed on to `click.Option`.
    """
    metadata = {"help": summary, "type": kind, **more}
    if callable(default):
        return field(default_factory=default, metadata=metadata)
    return field(default=default, repr=not secret, metadata=metadata)


def flag_of(name: str) -> str:
    """The flag of a field: `--drain-timeout` of `drain_timeout`."""
    return "--" + name.replace("_", "-")


def variable_of(name: str) -> str:
    """The environment variable of a field: `PGTHREADS_DRAIN_TIMEOUT` of `drain_timeout`."""
    return "PGTHREADS_" + name.upper()


def option_of(owner: type, name: str, **changes: Any) -> click.Option:
    """The click option of one field of the dataclass `owner`.

    `changes` are arguments of `click.Option` that replace those of the field.
    """
    (declared,) = (each for each in fields(owner) if each.name == name)
    flag = flag_of(name)
    default = _default_of(declared)
    attributes = {
        # click would take an explicit None for a value, so `required` would have no effect.
        **({} if default is None else {"default": default}),
        "show_default": default not in (None, ()),
        "envvar": variable_of(name),
        "show_envvar": True,
        **declared.metadata,
        **changes,
    }
    is_flag = attributes.get("is_flag", False)
    return click.Option([f"{flag}/--no-{flag[2:]}" if is_flag else flag], **attributes)


def options_of(owner: type) -> list[click.Option]:
    """The click options of all fields of the dataclass `owner`."""
    return [option_of(owner, each.name) for each in fields(owner)]


def check_range(declared: Field[Any], value: Any) -> None:
    """Raise click.BadParameter if `value` is neither None nor in the field's range or choice."""
    if value is None:
        return
    kind = declared.metadata["type"]
    if isinstance(kind, click.IntRange | click.FloatRange | click.Choice):
        kind.convert(value, None, None)


def with_options(*options: click.Option) -> Callable[[_Command], _Command]:
    """Return a decorator that gives click options to a function which becomes a command."""

    def decorate(command: _Command) -> _Command:
        # This is where click's own decorators keep their options, the last one first.
        kept = getattr(command, "__click_params__", [])
        command.__click_params__ = [*kept, *reversed(options)]  # type: ignore[attr-defined]
        return command

    return decorate


def _default_of(declared: Field[Any]) -> Any:
    return declared.default_factory if declared.default is MISSING else declared.default
