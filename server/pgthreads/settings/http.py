"""What clients may send, how fast, and how long the server waits for them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

import click

from ..options import setting
from .auth import AuthSettings
from .error import SettingsError


@dataclass(frozen=True, kw_only=True)
class HttpSettings(AuthSettings):
    """Foreign pages, and limits of requests. Some of them depend on how callers are known."""

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
    write_timeout: float = setting(
        "Seconds after which a client is cut off that takes nothing of what is sent to it.",
        click.FloatRange(1, 3600),
        default=30.0,
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

    def __post_init__(self) -> None:
        super().__post_init__()
        for origin in self.cors_origin:
            self._check_origin(origin)
        for name in self.cors_headers:
            if name != "*" and not re.fullmatch(r"[\w!#$%&'*+.^`|~-]+", name, re.ASCII):
                raise SettingsError(
                    f"--cors-headers {name!r} is not the name of a header",
                    "one name each time, for example --cors-headers x-app --cors-headers x-tenant",
                )

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
