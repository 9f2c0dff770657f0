"""What answers, what happens to messages for a busy thread, and how answers are kept."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

import click

from ..options import setting
from .database import DatabaseSettings
from .error import SettingsError

BUSY_POLICIES = ("reject", "interrupt", "enqueue")
STALE_POLICIES = ("append", "branch", "reject")


@dataclass(frozen=True, kw_only=True)
class TurnSettings(DatabaseSettings):
    """How turns run. Where their answers wait for the database depends on which one it is."""

    executor: str | None = setting(
        "What answers, as module:attribute: an async generator function or a pydantic-ai Agent."
        " Without it and --model a built-in one answers offline.",
        metavar="MODULE:ATTR",
    )
    model: str | None = setting(
        "A model that pydantic-ai speaks to, for example openai:gpt-5-mini or ollama:qwen3.",
        metavar="PROVIDER:NAME",
    )
    history_window: int = setting(
        "How many of a thread's last messages the prompt holds.", click.IntRange(1), default=200
    )
    on_busy: str = setting(
        "What to do with a message for a thread whose turn runs, unless the request says: reject"
        " it, interrupt that turn, or enqueue the message behind it.",
        click.Choice(BUSY_POLICIES),
        default="reject",
    )
    busy_timeout: float = setting(
        "Seconds that a message waits for its turn at most; below the read timeout of a proxy in"
        " front.",
        click.FloatRange(0, 3600),
        default=30.0,
    )
    on_stale: str = setting(
        "What to do with a message from a page that does not show the end of the thread, unless the"
        " request says: append it at the end, begin a branch where the page is, or reject it.",
        click.Choice(STALE_POLICIES),
        default="append",
    )
    max_turns: int = setting(
        "Turns that each worker runs at once, of all users; above it there is 503. 0 is no limit.",
        click.IntRange(0),
        default=2000,
    )
    heartbeat: float = setting(
        "Seconds between signs of life: to the client, and to the turn's lease.",
        click.FloatRange(0.05, 30),
        default=5.0,
    )
    journal_interval: float = setting(
        "Seconds between two writes of what running turns have sent: for other workers, which can"
        " stream them then, and for a partial answer if this one dies. 0 writes nothing.",
        click.FloatRange(0, 10),
        default=0.2,
    )
    spool_dir: Path | None = setting(  # noqa: RUF009
        "Directory for answers that the database does not take before the process must exit; they"
        " are stored at the next start. By default in the data directory of an embedded PostgreSQL;"
        " with --database-url there is none, and such answers are lost.",
        click.Path(file_okay=False, path_type=Path),
    )
    keep_answers: float = setting(
        "Seconds that an answer stays in --spool-dir after the database has taken it, for"
        " pgthreads recover: above the delay of an asynchronous standby that may be promoted.",
        click.FloatRange(0, 604800),
        default=0.0,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.executor is not None:
            if self.model is not None:
                raise SettingsError("--executor and --model exclude each other", "give one of them")
            if not re.fullmatch(r"[\w.]+:[\w.]+", self.executor):
                raise SettingsError(f"--executor {self.executor!r} is not of the form module:attr")
        if self.model is not None and not re.fullmatch(r"[^:\s]+:\S+", self.model):
            raise SettingsError(
                f"--model {self.model!r} is not of the form provider:name",
                "for example openai:gpt-5-mini",
            )
        if self.keep_answers and self.spool is None:
            raise SettingsError(
                "--keep-answers needs a folder to keep them in", "name one by --spool-dir"
            )

    @property
    def spool(self) -> Path | None:
        """The folder of the spool: as named, else beside an embedded PostgreSQL, else none."""
        embedded = self.data_dir / "spool" if self.database_url is None else None
        return self.spool_dir or embedded
