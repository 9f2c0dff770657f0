"""The built wheel, outside the checkout, does what the README says of it."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import sysconfig
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def command(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`pgthreads` of an environment that holds the wheel; its dependencies are this one's."""
    folder = tmp_path_factory.mktemp("wheel")
    pip = [sys.executable, "-m", "pip", "--disable-pip-version-check", "--quiet"]
    subprocess.run([*pip, "wheel", "--no-deps", "--wheel-dir", folder, ROOT], check=True)
    [wheel] = folder.glob("pgthreads-*.whl")
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder / "env"], check=True)
    python = folder / "env" / "bin" / "python"
    subprocess.run(
        [*pip, "--python", python, "install", "--no-deps", "--no-index", wheel], check=True
    )
    [packages] = (folder / "env" / "lib").glob("python*/site-packages")
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    where = subprocess.run(
        [python, "-c", "import pgthreads; print(pgthreads.__file__)"],
        check=True,
        capture_output=True,
        text=True,
        cwd=folder,
    )
    assert Path(where.stdout.strip()).is_relative_to(packages)
    return folder / "env" / "bin" / "pgthreads"


@pytest.fixture
def data_dir() -> Iterator[Path]:
    # A folder that another user than root can enter.
    folder = Path(f"/tmp/pgthreads-test-wheel-{os.getpid()}")
    yield folder
    shutil.rmtree(folder, ignore_errors=True)


def test_the_wheel_has_every_file(command: Path) -> None:
    [package] = command.parents[1].glob("lib/python*/site-packages/pgthreads")
    for kind in ("functions", "migrations", "policies", "views"):
        built = {p.relative_to(package) for p in (package / "db" / kind).rglob("*.sql")}
        assert built == {p.relative_to(ROOT) for p in (ROOT / "db" / kind).rglob("*.sql")} != set()
    for name in (
        "py.typed",
        "http/openapi.json",
        "web/index.html",
        "web/licenses.txt",
        "db/install.sql",
        "db/pgtap/installed.sql",
    ):
        assert (package / name).is_file(), name


def test_serve(command: Path, data_dir: Path, tmp_path: Path) -> None:
    server = subprocess.Popen(
        [command, "serve", "--port", "0", "--data-dir", data_dir],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert server.stdout is not None
        for line in server.stdout:
            address = re.search(r"http://127\.0\.0\.1:\d+", line)
            if address:
                break
        else:
            pytest.fail("serve printed no address")
        request = urllib.request.Request(
            f"{address[0]}/api/v1/ai/chat",
            json.dumps({"id": "wheel", "message": "2+3*4"}).encode(),
            {"Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as response:
            assert b"14" in response.read()
        with urllib.request.urlopen(f"{address[0]}/", timeout=30) as response:
            assert b"<html" in response.read()
    finally:
        server.send_signal(signal.SIGTERM)
        assert server.wait(timeout=30) == 0
