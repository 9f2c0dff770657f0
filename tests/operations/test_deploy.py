"""The files of `deploy/`: linters take them, what they name exists, and their roles can serve.

The image is built and run where a Docker daemon answers, and the unit is checked where there is
systemd, as in CI; elsewhere those tests are not collected.
"""

from __future__ import annotations

import ast
import os
import re
import shutil
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import compose_spec
import kubernetes_validate
import psycopg
import pytest
import yaml
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from pgthreads.settings.listening import ListeningSettings
from tests import programs
from tests.database import docker_answers
from tests.server.command import COMMAND, environment, serving
from tests.server.test_install import new_clusters

ROOT = Path(__file__).resolve().parents[2]
DEPLOY = ROOT / "deploy"
MANIFESTS = sorted((DEPLOY / "kubernetes").glob("*.yaml"))


def compose() -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load((DEPLOY / "compose.yaml").read_text())
    return loaded


def resources() -> list[dict[str, Any]]:
    return [each for path in MANIFESTS for each in yaml.safe_load_all(path.read_text())]


def run(*command: str | Path, **variables: str) -> str:
    answer = subprocess.run(
        command,
        env=environment(**variables),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
    )
    assert answer.returncode == 0, f"{command}\n{answer.stdout}\n{answer.stderr}"
    return answer.stdout


def test_hadolint_finds_nothing() -> None:
    assert run(Path(sys.executable).with_name("hadolint"), DEPLOY / "Dockerfile") == ""


def test_compose_yaml_is_valid() -> None:
    text = (DEPLOY / "compose.yaml").read_text()
    compose_spec.PyCompose.from_yaml(re.sub(r"\$\{(\w+)[^}]*\}", r"\1", text))


@pytest.mark.parametrize("resource", resources(), ids=lambda each: each["kind"])
def test_manifests_are_valid(resource: dict[str, Any]) -> None:
    kubernetes_validate.validate(resource, kubernetes_validate.latest_version(), strict=True)


if os.environ.get("CI") or shutil.which("systemd-analyze"):

    def test_systemd_takes_the_unit(tmp_path: Path) -> None:
        unit = tmp_path / "pgthreads.service"
        text = (DEPLOY / "pgthreads.service").read_text()
        program = str(Path(sys.executable).with_name("pgthreads"))
        unit.write_text(text.replace("/opt/pgthreads/bin/pgthreads", program))
        assert run("systemd-analyze", "verify", unit) == ""
        told = run("systemd-analyze", "security", "--offline=yes", "--no-pager", unit)
        exposure = re.search(r"Overall exposure level for \S+: ([\d.]+)", told)
        assert exposure
        assert float(exposure[1]) < 2


def test_every_setting_that_they_name_exists() -> None:
    known = set(
        re.findall(r"PGTHREADS_\w+", run(*COMMAND, "serve", "--help"))
        + re.findall(r"PGTHREADS_\w+", run(*COMMAND, "migrate", "--help"))
    )
    for path in (path for path in DEPLOY.rglob("*") if path.is_file()):
        assert set(re.findall(r"PGTHREADS_\w+", path.read_text())) <= known, path.name


def test_they_wait_until_the_last_answers_are_stored() -> None:
    needed = ListeningSettings.drain_timeout + 20
    unit = (DEPLOY / "pgthreads.service").read_text()
    (stop,) = re.findall(r"^TimeoutStopSec=(\d+)s$", unit, re.MULTILINE)
    (server,) = [each for each in resources() if each["kind"] == "StatefulSet"]
    pod = server["spec"]["template"]["spec"]
    before = int(pod["containers"][0]["lifecycle"]["preStop"]["exec"]["command"][1])
    grace = compose()["services"]["server"]["stop_grace_period"]
    assert int(stop) > needed
    assert int(grace.removesuffix("s")) > needed
    assert pod["terminationGracePeriodSeconds"] > needed + before


def test_nothing_of_ours_runs_as_root_or_writes_to_its_image() -> None:
    for name in ("migrate", "login", "server"):
        service = compose()["services"][name]
        assert (service["read_only"], service["cap_drop"]) == (True, ["ALL"])
        assert service["security_opt"] == ["no-new-privileges:true"]
    pods = [each["spec"]["template"]["spec"] for each in resources() if "template" in each["spec"]]
    assert len(pods) == 2
    for pod in pods:
        assert pod["securityContext"]["runAsNonRoot"]
        for container in pod["containers"]:
            context = container["securityContext"]
            assert context["readOnlyRootFilesystem"]
            assert not context["allowPrivilegeEscalation"]
    assert re.search(r"^USER 10001:10001$", (DEPLOY / "Dockerfile").read_text(), re.MULTILINE)


@pytest.fixture(params=new_clusters())
def cluster(request: pytest.FixtureRequest) -> Iterator[str]:
    start: Callable[[], AbstractContextManager[str]] = request.param
    with start() as conninfo:
        yield conninfo


def test_compose_installs_and_serves_without_a_superuser(cluster: str, tmp_path: Path) -> None:
    """Each step as compose.yaml has it: its command, its variables, its role."""
    place = conninfo_to_dict(cluster)
    services = compose()["services"]
    passwords = {"INSTALLER_PASSWORD": "of the installer", "APP_PASSWORD": "of the app"}
    values = {**passwords, "PGTHREADS_JWT_SECRET": "0123456789abcdef0123456789abcdef"}

    def variables(name: str) -> dict[str, Any]:
        here = {"PGHOST": str(place["host"]), "PGPORT": str(place["port"])}
        given = {
            key: re.sub(r"\$\{(\w+)[^}]*\}", lambda found: values[found[1]], value)
            for key, value in services[name]["environment"].items()
        }
        for key, value in given.items():
            if key.endswith("DATABASE_URL"):
                given[key] = value.replace("@database/", f"@{place['host']}:{place['port']}/")
        return {**given, **here}

    with psycopg.connect(cluster, autocommit=True) as admin:
        admin.execute("create database chat")
    psql = programs.client("psql")
    script: list[str | Path] = [psql, "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f"]
    as_superuser = make_conninfo(cluster, dbname="chat")
    run(*script, DEPLOY / "installer.sql", "-d", as_superuser, **passwords)
    for _ in range(2):
        assert services["migrate"]["command"] == ["migrate"]
        run(*COMMAND, "migrate", **variables("migrate"))
        assert services["login"]["command"][:-2] == ["psql", *script[1:-1]]
        run(*script, DEPLOY / "login.sql", **variables("login"))

    with serving("--spool-dir", str(tmp_path / "spool"), **variables("server")) as server:
        assert urllib.request.urlopen(f"{server.url}/readyz").status == 200
        # The health check of the image, at this port.
        text = (DEPLOY / "Dockerfile").read_text()
        (check,) = re.findall(r"^  CMD (\[.*\])$", text, re.MULTILINE)
        python, option, code = ast.literal_eval(check)
        assert (python, option) == ("python", "-c")
        run(sys.executable, "-c", code.replace("http://127.0.0.1:8080", server.url))
    with psycopg.connect(as_superuser) as admin:
        roles = admin.execute(
            "select r.rolname, r.rolsuper, r.rolcreaterole, r.rolbypassrls from pg_roles as r"
            " where r.rolname in ('app', 'installer') order by r.rolname"
        ).fetchall()
    assert roles == [("app", False, False, False), ("installer", False, True, False)]


if docker_answers():

    def test_the_image_can_be_built_and_runs_read_only() -> None:
        tag = "pgthreads:test"
        run("docker", "build", "--quiet", "-f", DEPLOY / "Dockerfile", "--tag", tag, ROOT)
        confined = ("--rm", "--read-only", "--cap-drop=ALL", "--security-opt=no-new-privileges")
        assert "pgthreads" in run("docker", "run", *confined, tag, "--version")
        told = run("docker", "run", *confined, "--entrypoint", "id", tag)
        assert "uid=10001" in told
        script = run("docker", "run", *confined, tag, "sql")
        assert "pgthreads_owner" in script
