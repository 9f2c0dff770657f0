"""Who may call, and how a caller shows who it is."""

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
    """How callers are known. Which way is allowed depends on the address to listen on."""

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
                    "keys fetched without TLS could be anybody's",
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
