"""What clients may send, how often, and how long the server waits for them."""

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
    """Pages of other origins, and limits of requests.

    Some limits have another default with `--auth dev`, where everybody is the same user.
    """

    cors_origin: Sequence[str] = setting(
        "Origin whose pages may call the server, for example https://app.example. Can be given"
        " several times.",
        default=(),
        multiple=True,
    )
    cors_headers: Sequence[str] = setting(
        "Request header that such pages may send in addition to authorization, content-type and"
        " if-none-match. Can be given several times; * allows every header.",
        default=("*",),
        multiple=True,
    )
    max_body: int = setting(
        "Size of the largest request body that is accepted, in bytes.",
        click.IntRange(1024),
        default=4 * 1024 * 1024,
    )
    header_timeout: float = setting(
        "Seconds that a client may take to send the headers of a request.",
        click.FloatRange(0.1, 3600),
        default=15.0,
    )
    body_timeout: float = setting(
        "Seconds that a client may take to send the body of a request.",
        click.FloatRange(0.1, 3600),
        default=30.0,
    )
    idle_timeout: float = setting(
        "Seconds that a connection may be idle between requests. Choose more than the idle"
        " timeout of a proxy in front of the server.",
        click.FloatRange(1, 86400),
        default=75.0,
    )
    write_timeout: float = setting(
        "Seconds after which a client is disconnected if it takes nothing of what is sent to it.",
        click.FloatRange(1, 3600),
        default=30.0,
    )
    request_rate: float | None = setting(
        "Requests per second that each worker accepts of one user, on average. Further ones get"
        " 429. 0 means no limit.",
        click.FloatRange(0),
        show_default="50, and 0 with --auth dev",
    )
    fair_share: float | None = setting(
        "Seconds of database time per second that each worker grants the requests of one user."
        " Requests of users who take more wait for each other, because they share one connection;"
        " so do requests of more than 64 KiB, which share another. 0 means no limit.",
        click.FloatRange(0),
        show_default="0.5, and 0 with --auth dev",
    )
    max_streams: int | None = setting(
        "Answers that one user may wait for or read at the same time, in each worker. Further"
        " requests get 429. 0 means no limit.",
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
                    "give one name at a time, for example --cors-headers x-a --cors-headers x-b",
                )

    @property
    def request_rate_in_force(self) -> float:
        """`request_rate`, or its default: requests per second, 0 for no limit."""
        if self.request_rate is not None:
            return self.request_rate
        return 50.0 if self.auth == "jwt" else 0.0

    @property
    def fair_share_in_force(self) -> float:
        """`fair_share`, or its default: seconds per second, 0 for no limit."""
        if self.fair_share is not None:
            return self.fair_share
        return 0.5 if self.auth == "jwt" else 0.0

    @property
    def max_streams_in_force(self) -> int:
        """`max_streams`, or its default: a number of answers, 0 for no limit."""
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
                "give the scheme, host and port only, for example https://app.example",
            )
