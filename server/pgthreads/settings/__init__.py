"""Every setting of the server, declared once: each field is a flag and an environment variable.

The field `drain_timeout` is the flag `--drain-timeout` and the variable
`PGTHREADS_DRAIN_TIMEOUT`. If both are given, the flag wins. In a variable with several values they
are separated by spaces, and an empty variable counts as unset.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Any, Self

import click

from ..options import options_of
from .auth import is_loopback
from .database import default_data_dir
from .error import SettingsError
from .http import HttpSettings
from .turns import BUSY_POLICIES, STALE_POLICIES, TurnSettings

__all__ = [
    "BUSY_POLICIES",
    "STALE_POLICIES",
    "Settings",
    "SettingsError",
    "default_data_dir",
    "is_loopback",
]


@dataclass(frozen=True, kw_only=True)
class Settings(TurnSettings, HttpSettings):
    """The settings that `pgthreads serve` and `pgthreads.app` run with.

    The constructor raises SettingsError if a value is out of its range, or if values contradict
    each other.
    """

    @classmethod
    def from_env(cls) -> Self:
        """Read the settings from the environment alone, for `pgthreads.app:create_app`.

        Raises SettingsError.
        """
        command = click.Command("pgthreads", params=list(options_of(cls)))
        try:
            with command.make_context("pgthreads", []) as context:
                return cls.from_params(context.params)
        except click.UsageError as error:
            raise SettingsError(error.format_message()) from error

    @classmethod
    def from_params(cls, params: Mapping[str, Any]) -> Self:
        """Make settings of what click has parsed, for a command with `options_of(Settings)`.

        Raises SettingsError.
        """
        return cls(**{each.name: params[each.name] for each in fields(cls)})
