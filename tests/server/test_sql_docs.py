"""docs/sql-api.md covers exactly the functions of the catalogue, and their signatures."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import psycopg
import pytest

DOCS = Path(__file__).resolve().parents[2] / "docs" / "sql-api.md"

_CALL = re.compile(
    r"pgthreads\.(\w+)\(([^()]*)\)\s*returns\s+(table\s*\([^()]*\)|[\w\[\]]+)", re.DOTALL
)


Signatures = dict[str, set[tuple[str, str]]]
"""`(parameters, result)` by a function's name; a function with overloads has several."""


def _by_name(signatures: Iterable[tuple[str, str, str]]) -> Signatures:
    found: Signatures = {}
    for name, given, back in signatures:
        found.setdefault(name, set()).add((_words(given), _words(back)))
    return found


def _words(text: str) -> str:
    """Return SQL in one form: without comments, with single spaces, each type by one name."""
    for long, short in (("integer", "int"), ("boolean", "bool"), ("timestamp with time zone", "t")):
        text = text.replace(long, short)
    text = text.replace("timestamptz", "t").replace("'{}'", "").lower()
    text = re.sub(r"::\w+( \w+)*", "", text)
    return (
        re.sub(r"\s+", " ", text).replace("( ", "(").replace(" )", ")").replace(" (", "(").strip()
    )


def documented() -> Signatures:
    """The signatures of each function that has a section."""
    text = re.sub(r"--[^\n]*", "", DOCS.read_text(encoding="utf-8"))
    return _by_name(_CALL.findall(text))


def internal() -> set[str]:
    """The functions in the table at the end."""
    table = DOCS.read_text(encoding="utf-8").partition("## Internal functions")[2]
    rows = [line.split("|")[1] for line in table.splitlines() if line.startswith("| `")]
    return {name for row in rows for name in re.findall(r"`(\w+)`", row)}


@pytest.fixture
def catalogue(
    admin_dsn: str, connect: Callable[..., psycopg.Connection[tuple[Any, ...]]]
) -> Signatures:
    """The signatures of each function of the schema."""
    rows = (
        connect(admin_dsn)
        .execute(
            "select proname, pg_get_function_arguments(oid), pg_get_function_result(oid)"
            " from pg_proc where pronamespace = 'pgthreads'::regnamespace"
        )
        .fetchall()
    )
    return _by_name(rows)


def test_every_function_is_documented_once(catalogue: Signatures) -> None:
    sections, rest = set(documented()), internal()
    assert sections & rest == set()
    assert sections | rest == set(catalogue) | {"search_threads"} & sections


def test_a_server_may_call_what_is_documented_and_little_else(
    admin_dsn: str, connect: Callable[..., psycopg.Connection[tuple[Any, ...]]]
) -> None:
    """Helpers are granted only where somebody calls them in the server's name."""
    rows = connect(admin_dsn).execute(
        "select p.proname from pg_proc as p where p.pronamespace = 'pgthreads'::regnamespace"
        " and has_function_privilege('pgthreads_server', p.oid, 'execute')"
    )
    # Policies call requires_token and verified_tenant, set_tenant calls verify_tenant_token,
    # verify_thread reads as its caller, and has_plain_numbers is inlined where it is called.
    called_by_others = {
        *("requires_token", "verified_tenant", "verify_tenant_token", "fit_doubles"),
        *("require_tenant", "require_state_key", "is_state_key"),
    }
    assert {name for (name,) in rows} - set(documented()) - {"begin_turn"} == called_by_others


def test_signatures_are_those_of_the_catalogue(catalogue: Signatures) -> None:
    for name, signature in documented().items():
        if name in catalogue:
            assert signature == catalogue[name], name


def test_every_section_has_an_example_and_its_locks() -> None:
    text = DOCS.read_text(encoding="utf-8").partition("## Internal functions")[0]
    sections = re.split(r"^### ", text, flags=re.MULTILINE)[1:]
    for section in sections:
        if "returns" in section and re.search(r"pgthreads\.\w+\(", section):
            title = section.partition("\n")[0]
            assert re.search(r"[Ll]ock", section), f"{title} says nothing of locks"
            assert "select " in section, f"{title} has no example"
            assert "```text" in section, f"{title} shows no output"
