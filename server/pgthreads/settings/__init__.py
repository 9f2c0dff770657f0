"""Every setting of the server, declared once: a field here is a flag and a variable.

The field `drain_timeout` is the flag `--drain-timeout` and the variable
`PGTHREADS_DRAIN_TIMEOUT`; a flag wins. A variable that takes several values separates them by
spaces, and one that is empty counts as unset.
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
    """What `pgthreads serve` and `pgthreads.app` run by. Raises SettingsError when made."""

    @classmethod
    def from_env(cls) -> Self:
        """The settings of the environment alone, for `pgthreads.app:create_app`.

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
        """From what click parsed of the flags of `setting_options`. Raises SettingsError."""
        return cls(**{each.name: params[each.name] for each in fields(cls)})
