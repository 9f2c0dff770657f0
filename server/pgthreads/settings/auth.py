"""Who may call the server, and how callers prove who they are."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import urlsplit

import click

from ..options import flag_of, setting
from .error import SettingsError
from .listening import ListeningSettings

AUTH_MODES = ("dev", "jwt")
_MINIMUM_SECRET_BYTES = 32


@dataclass(frozen=True, kw_only=True)
class AuthSettings(ListeningSettings):
    """How callers prove who they are. `dev` is allowed only if `host` is a loopback address."""

    auth: str = setting(
        "How callers prove who they are: dev takes everybody for the same user, and is allowed on"
        " loopback addresses only; jwt wants a bearer token, whose sub claim names the owner.",
        click.Choice(AUTH_MODES),
        default="dev",
    )
    dev_user: str = setting("Owner of all threads with --auth dev.", default="dev")
    jwt_secret: str | None = setting(
        "Secret that HS256 tokens are signed with, at least 32 bytes. Prefer the environment"
        " variable: other users of the machine can see flags in the list of processes.",
        secret=True,
    )
    jwks_url: str | None = setting("URL of the key set (JWKS) for RS256 or ES256 tokens.")
    jwks_lifetime: float = setting(
        "Seconds that a key stays valid after it was last seen at --jwks-url. The keys are fetched"
        " three times in this period.",
        click.FloatRange(30, 86400),
        default=600.0,
    )
    jwt_audience: str | None = setting("Audience (aud) that a token must name.")
    jwt_issuer: str | None = setting("Issuer (iss) that a token must name.")
    jwt_leeway: float = setting(
        "Seconds by which the clocks of the issuer and of this machine may differ when exp, nbf and"
        " iat of a token are checked.",
        click.FloatRange(0, 300),
        default=10.0,
    )

    def __post_init__(self) -> None:
        super().__post_init__()
        given = [n for n in ("jwt_secret", "jwks_url") if getattr(self, n) is not None]
        if self.auth == "dev":
            self._check_dev(given)
        else:
            self._check_jwt(given)

    def _check_dev(self, given: list[str]) -> None:
        if not is_loopback(self.host):
            raise SettingsError(
                f"--auth dev lets everybody in as the same user, so it is allowed on loopback"
                f" addresses only, and --host is {self.host}",
                "use --auth jwt, or --host 127.0.0.1",
            )
        if given:
            raise SettingsError(
                f"{flag_of(given[0])} is set, but has no effect because --auth is dev",
                "add --auth jwt, or remove this setting",
            )
        if not self.dev_user:
            raise SettingsError("--dev-user is empty")

    def _check_jwt(self, given: list[str]) -> None:
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
                    "anybody could replace keys that are fetched without TLS",
                )


def is_loopback(host: str | None) -> bool:
    """Whether only this machine can reach an address to listen on.

    `localhost` counts as such. No other name does, because what it stands for may change.
    """
    if host is None:
        return False
    name = host.strip("[]").lower()
    try:
        return ipaddress.ip_address(name).is_loopback
    except ValueError:
        return name == "localhost"
