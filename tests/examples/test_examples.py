"""Every program of `examples/`, run as an application runs: as a member of `pgthreads_server`."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from tests import run
from tests.database import Database
from tests.examples.languages import LANGUAGES, STORIES, Language, stories

_BY_SUFFIX = {language.suffix: language for language in LANGUAGES}
_EXAMPLES = STORIES.parent
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
    ours = {"PGUSER": str(login["user"]), "PGPASSWORD": str(login["password"])}
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
