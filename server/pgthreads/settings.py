"""Every setting of the server, declared once: a field here is a flag and a variable.

The field `drain_timeout` is the flag `--drain-timeout` and the variable
`PGTHREADS_DRAIN_TIMEOUT`; a flag wins. A variable that takes several values separates them by
spaces, and one that is empty counts as unset.
"""

from __future__ import annotations

import ipaddress
import os
import re
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

import click

from .errors import OperatorError
from .options import check_range, flag_of, options_of, setting
from .postgres.tenants import tenant_of

AUTH_MODES = ("dev", "jwt")
BUSY_POLICIES = ("reject", "interrupt", "enqueue")
STALE_POLICIES = ("append", "branch", "reject")
LOG_LEVELS = ("debug", "info", "warning", "error")
_MINIMUM_SECRET_BYTES = 32


class SettingsError(OperatorError):
    """The settings contradict each other or break a rule."""

    exit_status = 2


def default_data_dir() -> Path:
    """Where the embedded PostgreSQL keeps its data unless told otherwise.

    For root a system directory: its PostgreSQL runs as another user, who cannot enter /root.
    """
    if os.geteuid() == 0:
        return Path("/var/lib/pgthreads")
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Application Support" / "pgthreads"
    configured = os.environ.get("XDG_DATA_HOME", "")
    base = Path(configured) if configured.startswith("/") else Path.home() / ".local" / "share"
    return base / "pgthreads"


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What `pgthreads serve` and `pgthreads.app` run by. Raises SettingsError when made."""

    host: str = setting("Address to listen on.", default="127.0.0.1")
    port: int = setting(
        "Port to listen on; 0 takes a free one.", click.IntRange(0, 65535), default=8080
    )
    workers: int = setting(
        "Processes that serve; each has connections of its own to the database.",
        click.IntRange(1, 256),
        default=1,
    )
    data_dir: Path = setting(  # noqa: RUF009
        "Directory of the embedded PostgreSQL, used without --database-url.",
        click.Path(file_okay=False, path_type=Path),
        default=default_data_dir,
        show_default="the user's data directory",
    )
    database_url: str | None = setting(
        "PostgreSQL to use, as the application's role, for example"
        " postgresql://app@db/chat. Without it an embedded one is started.",
        secret=True,
    )
    pool_size: int = setting(
        "Most connections to the database for requests.", click.IntRange(1), default=10
    )
    turn_pool_size: int = setting(
        "Most connections besides, kept for running turns: requests cannot use them up.",
        click.IntRange(1),
        default=4,
    )
    connect_timeout: float = setting(
        "Seconds to connect to the database, for each of its hosts.",
        click.FloatRange(1, 60),
        default=3.0,
    )
    acquire_timeout: float = setting(
        "Seconds that a call waits for a connection.", click.FloatRange(0.1, 300), default=5.0
    )
    statement_timeout: float = setting(
        "Seconds that a call may take in the database.", click.FloatRange(0.1, 3600), default=10.0
    )
    lock_timeout: float = setting(
        "Seconds that a call waits for a lock in the database, such as that of a thread which"
        " somebody else is writing to.",
        click.FloatRange(0.05, 3600),
        default=2.0,
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
    prepare: bool = setting(
        "Whether to use prepared statements; --no-prepare suits PgBouncer before 1.21 in"
        " transaction mode.",
        bool,
        default=True,
        is_flag=True,
    )
    auth: str = setting(
        "How callers are known: dev is one fixed user, on loopback only; jwt a bearer token"
        " whose sub is the owner.",
        click.Choice(AUTH_MODES),
        default="dev",
    )
    dev_user: str = setting("The owner of all threads with --auth dev.", default="dev")
    jwt_secret: str | None = setting(
        "Secret of HS256 tokens, at least 32 bytes. Better given by the variable: flags show in"
        " process lists.",
        secret=True,
    )
    jwks_url: str | None = setting("Address of the key set of RS256 or ES256 tokens.")
    jwks_lifetime: float = setting(
        "Seconds that a key is good after it was last seen at --jwks-url; keys are fetched three"
        " times as often.",
        click.FloatRange(30, 86400),
        default=600.0,
    )
    jwt_audience: str | None = setting("Audience that tokens must name.")
    jwt_issuer: str | None = setting("Issuer that tokens must name.")
    jwt_leeway: float = setting(
        "Seconds that the issuer's clock and this one may differ: for exp, nbf and iat of a token.",
        click.FloatRange(0, 300),
        default=10.0,
    )
    tenant_key: str | None = setting(
        "A key of pgthreads.tenant_key, in hex or as a file with it, for a database with"
        " require_verified_tenant. Better a file, or given by the variable: flags show in process"
        " lists.",
        secret=True,
    )
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
    cors_origin: Sequence[str] = setting(
        "Origin whose pages may call, for example https://app.example; may be given again.",
        default=(),
        multiple=True,
    )
    cors_headers: Sequence[str] = setting(
        "Request header that such pages may send besides authorization, content-type and"
        " if-none-match; may be given again. * allows all.",
        default=("*",),
        multiple=True,
    )
    max_body: int = setting(
        "Largest request body in bytes.", click.IntRange(1024), default=4 * 1024 * 1024
    )
    header_timeout: float = setting(
        "Seconds that a client has to send the headers of a request.",
        click.FloatRange(0.1, 3600),
        default=15.0,
    )
    body_timeout: float = setting(
        "Seconds that a client has to send the body of a request.",
        click.FloatRange(0.1, 3600),
        default=30.0,
    )
    idle_timeout: float = setting(
        "Seconds that a connection may be idle between requests; above that of a proxy in front.",
        click.FloatRange(1, 86400),
        default=75.0,
    )
    request_rate: float | None = setting(
        "Requests a second of one user that each worker takes, on average; above it they get 429."
        " 0 is no limit.",
        click.FloatRange(0),
        show_default="50, and 0 with --auth dev",
    )
    fair_share: float | None = setting(
        "Seconds in a second that one user may use the database for requests, in each worker."
        " Requests of those who use more wait for each other, and so do those above 64 KiB: each"
        " kind has one connection. 0 is no limit.",
        click.FloatRange(0),
        show_default="0.5, and 0 with --auth dev",
    )
    max_streams: int | None = setting(
        "Answers that one user may wait for or read at once, from each worker; above it they get"
        " 429. 0 is no limit.",
        click.IntRange(0),
        show_default="100, and 0 with --auth dev",
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
    write_timeout: float = setting(
        "Seconds after which a client is cut off that takes nothing of what is sent to it.",
        click.FloatRange(1, 3600),
        default=30.0,
    )
    journal_interval: float = setting(
        "Seconds between two writes of what running turns have sent: for other workers, which can"
        " stream them then, and for a partial answer if this one dies. 0 writes nothing.",
        click.FloatRange(0, 10),
        default=0.2,
    )
    drain_timeout: float = setting(
        "Seconds that running answers get to finish at shutdown; then what there is of them is"
        " stored.",
        click.FloatRange(0, 3600),
        default=20.0,
    )
    log_level: str = setting("What to log.", click.Choice(LOG_LEVELS), default="info")

    def __post_init__(self) -> None:
        self._check_values()
        self._check_auth()
        for origin in self.cors_origin:
            self._check_origin(origin)
        for name in self.cors_headers:
            if name != "*" and not re.fullmatch(r"[\w!#$%&'*+.^`|~-]+", name, re.ASCII):
                raise SettingsError(
                    f"--cors-headers {name!r} is not the name of a header",
                    "one name each time, for example --cors-headers x-app --cors-headers x-tenant",
                )
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
        if self.database_url is not None:
            _check_conninfo(self.database_url)
        try:
            tenant_of(self.tenant_key)
        except (ValueError, OSError) as error:
            reason = (
                error.strerror if isinstance(error, OSError) else "it is not 32 to 64 bytes in hex"
            )
            raise SettingsError(
                f"--tenant-key cannot be used: {reason}",
                "select encode(key, 'hex') from pgthreads.tenant_key, as pgthreads_owner",
            ) from error

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

    @property
    def request_rate_in_force(self) -> float:
        """The limit of requests a second; with `--auth dev` everybody is one user."""
        if self.request_rate is not None:
            return self.request_rate
        return 50.0 if self.auth == "jwt" else 0.0

    @property
    def fair_share_in_force(self) -> float:
        """The share of one user; with `--auth dev` everybody is one user."""
        if self.fair_share is not None:
            return self.fair_share
        return 0.5 if self.auth == "jwt" else 0.0

    @property
    def max_streams_in_force(self) -> int:
        """The limit of open answers; with `--auth dev` everybody is one user."""
        if self.max_streams is not None:
            return self.max_streams
        return 100 if self.auth == "jwt" else 0

    @property
    def spool(self) -> Path | None:
        """The folder of the spool: as named, else beside an embedded PostgreSQL, else none."""
        embedded = self.data_dir / "spool" if self.database_url is None else None
        return self.spool_dir or embedded

    def _check_values(self) -> None:
        for each in fields(self):
            try:
                check_range(each, getattr(self, each.name))
            except click.BadParameter as error:
                raise SettingsError(f"{flag_of(each.name)}: {error.message}") from error
        if not self.host.strip():
            raise SettingsError("--host is empty", "0.0.0.0 or :: listens on every address")

    def _check_auth(self) -> None:
        given = [n for n in ("jwt_secret", "jwks_url") if getattr(self, n) is not None]
        if self.auth == "dev":
            if not is_loopback(self.host):
                raise SettingsError(
                    f"--auth dev lets everybody in as one user, so it is for loopback addresses"
                    f" only, and --host is {self.host}",
                    "use --auth jwt, or --host 127.0.0.1",
                )
            if given:
                raise SettingsError(
                    f"{flag_of(given[0])} is set, but --auth is dev and would not look at it",
                    "add --auth jwt, or unset it",
                )
            if not self.dev_user:
                raise SettingsError("--dev-user is empty")
            return
        if len(given) != 1:
            raise SettingsError(
                "--auth jwt needs exactly one of --jwt-secret and --jwks-url",
                "set PGTHREADS_JWT_SECRET or PGTHREADS_JWKS_URL",
            )
        if self.jwt_secret is not None and len(self.jwt_secret.encode()) < _MINIMUM_SECRET_BYTES:
            raise SettingsError(
                f"--jwt-secret has less than {_MINIMUM_SECRET_BYTES} bytes (RFC 7518, 3.2)",
                "make one with: openssl rand -base64 48",
            )
        if self.jwks_url is not None:
            url = urlsplit(self.jwks_url)
            safe = url.scheme == "https" or (url.scheme == "http" and is_loopback(url.hostname))
            if not safe or not url.hostname:
                raise SettingsError(
                    f"--jwks-url {self.jwks_url!r} is not an https address",
                    "keys fetched without TLS could be anybody's",
                )

    def _check_origin(self, origin: str) -> None:
        if origin == "*":
            if self.auth == "dev":
                raise SettingsError(
                    "--cors-origin '*' with --auth dev would let every web page read the threads",
                    "name the origin, for example http://localhost:3000",
                )
            return
        url = urlsplit(origin)
        if url.scheme not in ("http", "https") or f"{url.scheme}://{url.netloc}" != origin:
            raise SettingsError(
                f"--cors-origin {origin!r} is not an origin",
                "scheme, host and port only, for example https://app.example",
            )


def is_loopback(host: str | None) -> bool:
    """Whether an address to listen on is reached from this machine only.

    `localhost` counts; another name does not, because what it means may change.
    """
    if host is None:
        return False
    name = host.strip("[]").lower()
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"


def _check_conninfo(conninfo: str) -> None:
    # Imported here: it is slow, and nothing else of --help needs it.
    import psycopg  # noqa: PLC0415
    from psycopg.conninfo import conninfo_to_dict  # noqa: PLC0415

    try:
        conninfo_to_dict(conninfo)
    except psycopg.ProgrammingError as error:
        raise SettingsError(
            "--database-url is not a connection string",
            "for example postgresql://app:password@db.example/chat",
        ) from error
