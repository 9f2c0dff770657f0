"""Where a server listens, with how many workers, how it ends, and what it logs."""

from __future__ import annotations

from dataclasses import dataclass

import click

from ..options import setting
from .error import SettingsError
from .group import SettingsGroup

LOG_LEVELS = ("debug", "info", "warning", "error")


@dataclass(frozen=True, kw_only=True)
class ListeningSettings(SettingsGroup):
    """The address, the workers, the shutdown and the log."""

    host: str = setting("Address to listen on.", default="127.0.0.1")
    port: int = setting(
        "Port to listen on. 0 picks a free one.", click.IntRange(0, 65535), default=8080
    )
    workers: int = setting(
        "Number of worker processes. Each has its own connections to the database.",
        click.IntRange(1, 256),
        default=1,
    )
    drain_timeout: float = setting(
        "Seconds to wait at shutdown for running turns to finish. After that, what exists of their"
        " answers is stored.",
        click.FloatRange(0, 3600),
        default=20.0,
    )
    log_level: str = setting(
        "Lowest level of messages to log.", click.Choice(LOG_LEVELS), default="info"
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if not self.host.strip():
            raise SettingsError("--host is empty", "0.0.0.0 or :: listens on every address")
