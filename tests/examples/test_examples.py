"""Every program of `examples/`, run as an application runs: as a member of `pgthreads_server`."""

from __future__ import annotations

import asyncio
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from pgthreads.events import Done, TextDelta
from tests import run
from tests.database import Database
from tests.examples.languages import LANGUAGES, STORIES, Language, stories
from tests.server.service import running_service, says

_BY_SUFFIX = {language.suffix: language for language in LANGUAGES}
_EXAMPLES = STORIES.parent
_TYPESCRIPT = sorted(path.parent.name for path in _EXAMPLES.glob("*/tsconfig.json"))
_TRANSCRIPT = (STORIES / "transcript.txt").read_text(encoding="utf-8")
_SECONDS = 100


def _environment(database: Database) -> dict[str, str]:
    """Return this environment with the PG* variables of the application's login role."""
    clean = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PG", "DATABASE_URL"))
    }
    login = conninfo_to_dict(database.server_dsn)
    ours = {
        "PGUSER": str(login["user"]),
        "PGPASSWORD": str(login["password"]),
        # Node is there where the system has none, or one that is too old.
        "PATH": f"{Path(sys.prefix) / 'bin'}{os.pathsep}{os.environ['PATH']}",
    }
    # Go's lib/pq insists on TLS unless it is told otherwise.
    defaults = {"LC_ALL": "C.UTF-8", "PGSSLMODE": "disable"}
    return {**defaults, **clean, **database.environment(), **ours}


def _run(command: list[str], folder: Path, environment: dict[str, str]) -> str:
    """Return what the command printed; fail with all of it unless it succeeded."""
    answer = subprocess.run(
        command,
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        encoding="utf-8",
        timeout=_SECONDS,
        check=False,
    )
    assert answer.returncode == 0, f"{command}\n{answer.stdout}\n{answer.stderr}"
    return answer.stdout


def _require(language: Language) -> None:
    if not language.is_there():
        packages = " ".join(language.packages)
        pytest.fail(f"missing: {language.advice} (Debian: apt-get install {packages})")


def test_there_are_stories_in_all_languages_that_are_installed() -> None:
    assert {story.suffix for story in stories()} == set(_BY_SUFFIX)
    assert len(stories()) == len(_BY_SUFFIX) >= 6


def test_ci_installs_every_language() -> None:
    script = (run.ROOT / ".ci" / "run").read_text(encoding="utf-8").split()
    wanted = {name for lang in LANGUAGES if lang.is_separate for name in lang.packages}
    missing = wanted - set(script)
    assert not missing


@pytest.mark.parametrize("story", stories(), ids=lambda story: story.name)
def test_story(story: Path, fresh_database: Callable[..., Database]) -> None:
    language = _BY_SUFFIX[story.suffix]
    _require(language)
    database = fresh_database()
    environment = {**_environment(database), **language.environment}
    command = [*language.command, story.name]
    assert _run(command, STORIES, environment) == _TRANSCRIPT
    with psycopg.connect(database.admin_dsn) as connection:
        rows = connection.execute(
            "select owner_user_id, message_count, deleted_at is not null from pgthreads.thread"
        ).fetchall()
    assert rows == [("ada", 3, True)]
    assert _run(command, STORIES, environment) == _TRANSCRIPT, "the second time"


@pytest.mark.parametrize(
    "command",
    [
        [sys.executable, "django_story.py"],
        [sys.executable, "sqlalchemy_story.py"],
        ["node", "drizzle_story.mjs"],
    ],
    ids=lambda command: command[1],
)
def test_story_in_a_framework(command: list[str], database: Database) -> None:
    assert _run(command, _EXAMPLES / "frameworks", _environment(database)) == _TRANSCRIPT


def test_types_of_rows_are_those_of_the_functions(database: Database) -> None:
    """Columns that a release has added may be missing; no column may be other than it is."""
    text = (_EXAMPLES / "frameworks" / "pgthreads.d.ts").read_text()
    kinds = {
        "string": {"text", "uuid"},
        "number": {"integer"},
        "boolean": {"boolean"},
        "Date": {"timestamp with time zone"},
        "UIMessage": {"json"},
        "UIMessage[]": {"json", "jsonb"},
        "Metadata": {"jsonb"},
    }
    interfaces = re.findall(r"^export interface (\w+) \{$(.*?)^\}$", text, re.MULTILINE | re.DOTALL)
    assert len(interfaces) > 8
    with psycopg.connect(database.admin_dsn) as connection:
        for interface, body in interfaces:
            name = re.sub(r"(?<!^)(?=[A-Z])", "_", interface).lower()
            columns = connection.execute(
                "select u.name, u.type::regtype::text from pg_proc as p,"
                " unnest(p.proargnames, p.proallargtypes, p.proargmodes) as u (name, type, mode)"
                " where p.pronamespace = 'pgthreads'::regnamespace and p.proname = %(name)s"
                " and u.mode = 't'"
                " union select a.attname, a.atttypid::regtype::text from pg_attribute as a"
                " where a.attrelid = to_regclass('pgthreads.' || %(name)s) and a.attnum > 0",
                {"name": name},
            ).fetchall()
            known: dict[str, str] = dict(columns)
            for column, kind in re.findall(r"^  (\w+): (.*);$", body, re.MULTILINE):
                plain = "string" if kind.startswith("'") else kind.removesuffix(" | null")
                assert known[column] in kinds[plain], f"{interface}.{column}"


@pytest.mark.parametrize("folder", _TYPESCRIPT)
def test_types(folder: str, database: Database) -> None:
    _run(["npm", "run", "types"], _EXAMPLES / folder, _environment(database))


def test_nextjs_route(database: Database) -> None:
    _run(["npm", "test"], _EXAMPLES / "nextjs", _environment(database))
    with psycopg.connect(database.admin_dsn) as connection:
        turns = connection.execute(
            "select state_key, status, (usage ->> 'outputTokens')::int,"
            " assistant_message_id is not null"
            " from pgthreads.turn where char_length(state_key) < 21 order by started_at"
        ).fetchall()
    assert turns == [
        ("prompt", "completed", 5, True),
        ("prompt", "completed", 5, True),
        *[("page", "completed", 5, True)] * 3,
        ("left", "completed", 5, True),
        ("again", "completed", 5, True),
        ("stop", "stopped", None, True),
        ("fail", "failed", None, False),
        ("fail", "completed", 5, True),
    ]


async def test_react_client(server_dsn: str, admin_dsn: str, database: Database) -> None:
    executor = says(TextDelta("Hello to you."), Done())
    async with running_service(server_dsn, admin_dsn, executor) as service:
        environment = {
            **_environment(database),
            "PGTHREADS_API": f"{service.url}/api/v1/ai",
        }
        await asyncio.to_thread(_run, ["npm", "test"], _EXAMPLES / "react", environment)
        assert len(service.turns("react")) == 2
