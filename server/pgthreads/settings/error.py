"""What is wrong with the settings."""

from __future__ import annotations

from ..errors import OperatorError


class SettingsError(OperatorError):
    """The settings contradict each other or break a rule."""

    exit_status = 2
