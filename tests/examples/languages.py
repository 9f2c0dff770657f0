"""The languages of `examples/story/`: how to run a program in each, and what that needs."""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

STORIES = Path(__file__).resolve().parents[2] / "examples" / "story"
_JDBC = "/usr/share/java/postgresql.jar"
# Debian's packages of Go libraries are made for GOPATH.
_GO = {"GO111MODULE": "off", "GOPATH": "/usr/share/gocode", "GOFLAGS": "", "GOTOOLCHAIN": "local"}


@dataclass(frozen=True)
class Language:
    """One language: the file name's suffix, the command, and a command that tells if it can run."""

    name: str
    suffix: str
    command: list[str]
    probe: list[str]
    packages: list[str]
    advice: str
    environment: dict[str, str] = field(default_factory=dict)

    @property
    def is_separate(self) -> bool:
        """Tell whether it has to be installed, because neither server nor environment bring it."""
        return self.name not in {"psql", "python", "javascript"}

    def list_packages(self) -> list[str]:
        """Return Debian's packages of it."""
        return self.packages

    def is_there(self) -> bool:
        """Tell whether a story in this language can be run here."""
        try:
            answer = subprocess.run(
                self.probe,
                env={**os.environ, **self.environment},
                cwd=STORIES,
                stdin=subprocess.DEVNULL,
                capture_output=True,
                check=False,
            )
        except FileNotFoundError:
            return False
        return answer.returncode == 0


LANGUAGES = (
    Language(
        "psql",
        ".sql",
        ["psql", "-qX", "-f"],
        ["psql", "--version"],
        ["postgresql-client"],
        "psql",
    ),
    Language(
        "python",
        ".py",
        [sys.executable],
        [sys.executable, "-c", "import psycopg"],
        ["python3-psycopg"],
        "Python with psycopg 3",
    ),
    Language(
        "javascript",
        ".mjs",
        ["node"],
        ["node", "--input-type=module", "-e", "import 'pg'"],
        ["nodejs"],
        "Node, and npm install in examples/",
    ),
    Language(
        "perl",
        ".pl",
        ["perl"],
        ["perl", "-MDBD::Pg", "-MJSON::PP", "-e1"],
        ["libdbd-pg-perl"],
        "Perl with DBD::Pg",
    ),
    Language(
        "ruby",
        ".rb",
        ["ruby"],
        ["ruby", "-rpg", "-rjson", "-e1"],
        ["ruby", "ruby-pg"],
        "Ruby with the gem pg",
    ),
    Language(
        "php",
        ".php",
        ["php"],
        ["php", "-r", "exit(extension_loaded('pdo_pgsql') ? 0 : 1);"],
        ["php-cli", "php-pgsql"],
        "PHP with pdo_pgsql",
    ),
    Language(
        "go",
        ".go",
        ["go", "run"],
        ["go", "list", "github.com/lib/pq"],
        ["golang-go", "golang-github-lib-pq-dev"],
        f"Go, and github.com/lib/pq in {_GO['GOPATH']}",
        _GO,
    ),
    Language(
        "java",
        ".java",
        ["java", "-cp", _JDBC],
        ["jar", "tf", _JDBC],
        ["default-jdk-headless", "libpostgresql-jdbc-java"],
        f"a JDK, and PostgreSQL's JDBC driver as {_JDBC}",
    ),
)


def stories() -> list[Path]:
    """Return every program in `examples/story/`, whatever its language."""
    return sorted(p for p in STORIES.iterdir() if p.stem.lower() == "story")
