"""One declaration for a setting: a dataclass field that is also a flag and a variable."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import MISSING, Field, field, fields
from typing import Any, TypeVar

import click

_Command = TypeVar("_Command", bound=Callable[..., Any])


def setting(
    summary: str, kind: Any = str, *, default: Any = None, secret: bool = False, **more: Any
) -> Any:
    """A dataclass field; `kind` is a click type, a callable `default` a factory.

    `secret` keeps the value out of `repr()`; `more` goes to `click.Option`.
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
    """The click option of one field of the dataclass `owner`; `changes` go to `click.Option`."""
    (declared,) = (each for each in fields(owner) if each.name == name)
    flag = flag_of(name)
    default = _default_of(declared)
    attributes = {
        # An explicit None would satisfy `required`.
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
    """Raises click.BadParameter unless `value` is in the field's range or choice, or None."""
    if value is None:
        return
    kind = declared.metadata["type"]
    if isinstance(kind, click.IntRange | click.FloatRange | click.Choice):
        kind.convert(value, None, None)


def with_options(*options: click.Option) -> Callable[[_Command], _Command]:
    """Decorates a function that is to become a click command with ready options."""

    def decorate(command: _Command) -> _Command:
        # Where click's own decorators keep theirs, last one first.
        kept = getattr(command, "__click_params__", [])
        command.__click_params__ = [*kept, *reversed(options)]  # type: ignore[attr-defined]
        return command

    return decorate


def _default_of(declared: Field[Any]) -> Any:
    return declared.default_factory if declared.default is MISSING else declared.default
