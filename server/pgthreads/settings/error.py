"""The error of settings that cannot be used."""

from __future__ import annotations

from ..errors import OperatorError


class SettingsError(OperatorError):
    """A setting is out of its range, or the settings contradict each other."""

    exit_status = 2
