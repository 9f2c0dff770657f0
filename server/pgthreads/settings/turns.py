"""What generates answers, what happens to messages for a busy thread, and how answers are kept."""

from __future__ import annotations

import re
from collections.abc import Sequence
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
    """How turns run. Where the spool is by default depends on the database."""

    executor: str | None = setting(
        "What generates the answers, as module:attribute: an async generator function, a"
        " pydantic-ai Agent or a compiled LangGraph graph. Without --executor and --model, a"
        " built-in executor answers offline.",
        metavar="MODULE:ATTR",
    )
    model: str | None = setting(
        "Model that generates the answers, by the name that pydantic-ai has for it, for example"
        " openai:gpt-5-mini or ollama:qwen3.",
        metavar="PROVIDER:NAME",
    )
    models: Sequence[str] = setting(
        "Model that a request may ask for in place of that of --model or of the agent of"
        " --executor. Can be given several times. A request for any other model is refused. Without"
        " it, what a request asks for is passed on to a function as --executor, and otherwise"
        " ignored.",
        default=(),
        multiple=True,
        metavar="PROVIDER:NAME",
    )
    history_window: int = setting(
        "Number of a thread's last messages that go into the prompt.",
        click.IntRange(1),
        default=200,
    )
    on_busy: str = setting(
        "What to do with a message for a thread whose turn is still running, unless the request"
        " says otherwise: reject the message, interrupt the turn, or enqueue the message behind"
        " it.",
        click.Choice(BUSY_POLICIES),
        default="reject",
    )
    busy_timeout: float = setting(
        "Seconds that a message may wait for the running turn to end. Choose less than the read"
        " timeout of a proxy in front of the server.",
        click.FloatRange(0, 3600),
        default=30.0,
    )
    approvals: bool = setting(
        "Whether pages can ask a person to approve a call of a tool, unless a request says"
        " otherwise. Pages of AI SDK 5 cannot, and most of them do not say what they are:"
        " --no-approvals ends their answers with a text that says so.",
        bool,
        default=True,
        is_flag=True,
    )
    on_stale: str = setting(
        "What to do with a message from a page that does not show the end of the thread, unless the"
        " request says otherwise: append it at the end, begin a branch after the last message that"
        " the page shows, or reject it.",
        click.Choice(STALE_POLICIES),
        default="append",
    )
    max_turns: int = setting(
        "Turns that each worker runs at the same time, of all users together. Further requests get"
        " 503. 0 means no limit.",
        click.IntRange(0),
        default=2000,
    )
    heartbeat: float = setting(
        "Seconds between two signs of life, which go to the client and extend the turn's lease.",
        click.FloatRange(0.05, 30),
        default=5.0,
    )
    journal_interval: float = setting(
        "Seconds between two writes to the journal, which holds what running turns have sent. Other"
        " workers stream turns from it, and if this worker dies, a partial answer is made from it."
        " 0 means no journal.",
        click.FloatRange(0, 10),
        default=0.2,
    )
    spool_dir: Path | None = setting(  # noqa: RUF009
        "Directory for answers that the database has not taken by the time the process has to exit."
        " They are stored at the next start. By default it is in the data directory of the embedded"
        " PostgreSQL; with --database-url there is no default, and such answers are lost.",
        click.Path(file_okay=False, path_type=Path),
    )
    keep_answers: float = setting(
        "Seconds that an answer stays in --spool-dir after the database has taken it, so that"
        " pgthreads recover can give it back. Choose more than the replication delay of a standby"
        " that may be promoted.",
        click.FloatRange(0, 604800),
        default=0.0,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.executor is not None:
            if self.model is not None:
                raise SettingsError(
                    "--executor and --model exclude each other", "use only one of them"
                )
            if not re.fullmatch(r"[\w.]+:[\w.]+", self.executor):
                raise SettingsError(f"--executor {self.executor!r} is not of the form module:attr")
        if self.model is not None and not re.fullmatch(r"[^:\s]+:\S+", self.model):
            raise SettingsError(
                f"--model {self.model!r} is not of the form provider:name",
                "for example openai:gpt-5-mini",
            )
        if self.models and self.model is None and self.executor is None:
            raise SettingsError(
                "--models needs something that answers with a model",
                "name it with --model or --executor",
            )
        for name in self.models:
            if not re.fullmatch(r"\S{1,200}", name):
                raise SettingsError(
                    f"--models {name!r} is not the name of a model",
                    "give one name at a time, for example --models openai:gpt-5-mini",
                )
        if self.keep_answers and self.spool is None:
            raise SettingsError(
                "--keep-answers needs a folder to keep answers in", "name one with --spool-dir"
            )

    @property
    def offered_models(self) -> tuple[str, ...]:
        """The models that a request may ask for; the first is `model`, if there is one."""
        first = () if self.model is None else (self.model,)
        return tuple(dict.fromkeys((*first, *self.models)))

    @property
    def spool(self) -> Path | None:
        """The folder of the spool: `spool_dir`, or one in the embedded PostgreSQL's data directory.

        It is None if neither exists.
        """
        embedded = self.data_dir / "spool" if self.database_url is None else None
        return self.spool_dir or embedded
