"""What every group of settings has in common: the range of each value is checked."""

from __future__ import annotations

from dataclasses import dataclass, fields

import click

from ..options import check_range, flag_of
from .error import SettingsError


@dataclass(frozen=True, kw_only=True)
class SettingsGroup:
    """Some settings and the rules that they have to keep.

    A group checks its own rules in `__post_init__`, after those of the groups that it builds on,
    and raises SettingsError.
    """

    def __post_init__(self) -> None:
        for each in fields(self):
            try:
                check_range(each, getattr(self, each.name))
            except click.BadParameter as error:
                raise SettingsError(f"{flag_of(each.name)}: {error.message}") from error
