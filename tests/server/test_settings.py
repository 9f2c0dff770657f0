"""Settings: one declaration for fields, flags and variables, and the rules between them."""

from __future__ import annotations

from dataclasses import FrozenInstanceError, fields
from pathlib import Path
from typing import Any

import click
import pytest

from pgthreads.options import flag_of, options_of, variable_of
from pgthreads.settings import Settings, SettingsError, default_data_dir, is_loopback

SECRET = "0123456789abcdef0123456789abcdef"


@pytest.fixture(autouse=True)
def _no_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for each in fields(Settings):
        monkeypatch.delenv(variable_of(each.name), raising=False)


def test_defaults_are_valid_and_frozen() -> None:
    settings = Settings()
    assert (settings.host, settings.port, settings.auth) == ("127.0.0.1", 8080, "dev")
    assert settings.database_url is None
    with pytest.raises(FrozenInstanceError):
        settings.port = 1  # type: ignore[misc]


def test_every_field_is_a_documented_flag_and_variable() -> None:
    options = {option.name: option for option in options_of(Settings)}
    assert set(options) == {each.name for each in fields(Settings)}
    for name, option in options.items():
        assert name is not None
        assert flag_of(name) in option.opts
        assert option.envvar == variable_of(name)
        assert option.show_envvar
        assert option.help
        assert option.help.endswith(".")


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("host", "localhost", "localhost"),
        ("port", "0", 0),
        ("data_dir", "/srv/chat", Path("/srv/chat")),
        ("database_url", "postgresql://app@db/chat", "postgresql://app@db/chat"),
        ("pool_size", "3", 3),
        ("prepare", "0", False),
        ("prepare", "true", True),
        ("dev_user", "ann", "ann"),
        ("executor", "my.bot:answer", "my.bot:answer"),
        ("model", "ollama:qwen3:4b", "ollama:qwen3:4b"),
        ("history_window", "10", 10),
        ("cors_origin", "https://a.example http://b:1", ("https://a.example", "http://b:1")),
        ("max_body", "2048", 2048),
        ("heartbeat", "0.5", 0.5),
        ("drain_timeout", "0", 0.0),
        ("log_level", "debug", "debug"),
    ],
)
def test_a_variable_sets_its_field(
    name: str, text: str, expected: object, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(variable_of(name), text)
    assert getattr(Settings.from_env(), name) == expected


def test_an_empty_variable_counts_as_unset(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGTHREADS_PORT", "")
    monkeypatch.setenv("PGTHREADS_DATABASE_URL", "")
    assert Settings.from_env() == Settings()


def test_a_bad_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGTHREADS_PORT", "eighty")
    with pytest.raises(SettingsError, match="PGTHREADS_PORT"):
        Settings.from_env()


def test_a_flag_wins_over_its_variable(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PGTHREADS_PORT", "1")
    command = click.Command("serve", params=list(options_of(Settings)))
    with command.make_context("serve", ["--port", "2"]) as context:
        assert Settings.from_params(context.params).port == 2


@pytest.mark.parametrize("host", ["127.0.0.1", "127.1.2.3", "::1", "[::1]", "localhost"])
def test_dev_mode_is_for_loopback(host: str) -> None:
    assert is_loopback(host)
    assert Settings(host=host).host == host


@pytest.mark.parametrize(
    "host",
    ["0.0.0.0", "::", "10.0.0.1", "192.168.1.5", "example.com", "localhost.example", "127.1", "0"],
)
def test_dev_mode_is_refused_elsewhere(host: str) -> None:
    with pytest.raises(SettingsError, match="--auth dev lets everybody in") as refused:
        Settings(host=host)
    assert "--auth jwt" in refused.value.hint
    assert Settings(host=host, auth="jwt", jwt_secret=SECRET).host == host


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"auth": "jwt"}, "exactly one of"),
        ({"auth": "jwt", "jwt_secret": SECRET, "jwks_url": "https://id.example"}, "exactly one of"),
        ({"auth": "jwt", "jwt_secret": SECRET[1:]}, "less than 32 bytes"),
        ({"auth": "jwt", "jwks_url": "http://id.example/keys"}, "not an https address"),
        ({"auth": "jwt", "jwks_url": "https://"}, "not an https address"),
        ({"auth": "jwt", "jwks_url": "file:///keys"}, "not an https address"),
        ({"jwt_secret": SECRET}, "--auth is dev"),
        ({"jwks_url": "https://id.example"}, "--auth is dev"),
        ({"auth": "none"}, "--auth"),
        ({"dev_user": ""}, "--dev-user is empty"),
        ({"host": " "}, "--host is empty"),
        ({"port": 65536}, "--port"),
        ({"port": -1}, "--port"),
        ({"pool_size": 0}, "--pool-size"),
        ({"turn_pool_size": 0}, "--turn-pool-size"),
        ({"connect_timeout": 0.5}, "--connect-timeout"),
        ({"acquire_timeout": 0}, "--acquire-timeout"),
        ({"statement_timeout": 0}, "--statement-timeout"),
        ({"history_window": 0}, "--history-window"),
        ({"max_body": 0}, "--max-body"),
        ({"heartbeat": 0}, "--heartbeat"),
        ({"heartbeat": 61}, "--heartbeat"),
        ({"drain_timeout": -1}, "--drain-timeout"),
        ({"log_level": "loud"}, "--log-level"),
        ({"cors_origin": ("https://a.example/",)}, "is not an origin"),
        ({"cors_origin": ("a.example",)}, "is not an origin"),
        ({"cors_origin": ("*",)}, "every web page"),
        ({"cors_headers": ("x-a,x-b",)}, "is not the name of a header"),
        ({"cors_headers": ("",)}, "is not the name of a header"),
        ({"jwt_leeway": -1}, "--jwt-leeway"),
        ({"jwks_lifetime": 1}, "--jwks-lifetime"),
        ({"executor": "bot"}, "module:attr"),
        ({"executor": "a:b", "model": "openai:x"}, "exclude each other"),
        ({"model": "gpt"}, "provider:name"),
        ({"database_url": "not a url"}, "not a connection string"),
    ],
)
def test_rules(values: dict[str, Any], message: str) -> None:
    with pytest.raises(SettingsError) as refused:
        Settings(**values)
    assert message in str(refused.value)


def test_jwt_accepts_a_secret_or_a_key_set() -> None:
    assert Settings(auth="jwt", jwt_secret=SECRET, cors_origin=("*",)).jwt_secret == SECRET
    assert Settings(auth="jwt", jwks_url="https://id.example/keys").jwks_url
    assert Settings(auth="jwt", jwks_url="http://127.0.0.1:1/keys").jwks_url


def test_secrets_are_not_shown() -> None:
    url = "postgresql://app:hunter22@db/chat"
    shown = repr(Settings(auth="jwt", jwt_secret=SECRET, database_url=url))
    assert SECRET not in shown
    assert "hunter22" not in shown
    with pytest.raises(SettingsError) as refused:
        Settings(database_url="postgresql://app:hunter22@[")
    assert "hunter22" not in str(refused.value)


def test_the_data_dir_follows_the_users_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.geteuid", lambda: 1000)
    monkeypatch.setattr("sys.platform", "linux")
    monkeypatch.setenv("XDG_DATA_HOME", "/home/ann/data")
    assert default_data_dir() == Path("/home/ann/data/pgthreads")
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    monkeypatch.setenv("HOME", "/home/ann")
    assert default_data_dir() == Path("/home/ann/.local/share/pgthreads")
    monkeypatch.setattr("os.geteuid", lambda: 0)
    assert default_data_dir() == Path("/var/lib/pgthreads")
