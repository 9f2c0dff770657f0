"""The files of db/monitoring: each query runs as its role, and returns what it should."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
import yaml
from psycopg.conninfo import make_conninfo
from psycopg.rows import dict_row
from psycopg.types.json import Jsonb

from pgthreads.postgres.maintenance import connected
from tests.database import Database, Server
from tests.operations.chains import fill, message

FOLDER = Path(__file__).resolve().parents[2] / "db" / "monitoring"
COLLECTOR: dict[str, Any] = yaml.safe_load((FOLDER / "pgthreads.collector.yml").read_text())
RULES: dict[str, Any] = yaml.safe_load((FOLDER / "pgthreads.rules.yml").read_text())
_EXPORTER = "tap_exporter"

FreshDatabase = Callable[..., Database]


@pytest.fixture(scope="module", autouse=True)
def _exporter(database_server: Server, template_database: str) -> Iterator[None]:
    assert template_database, "the roles are there"
    create = (
        f"create role {_EXPORTER} login password '{_EXPORTER}'"
        " in role pgthreads_maintenance, pg_monitor"
    )
    with psycopg.connect(database_server.conninfo, autocommit=True) as admin:
        admin.execute(f"drop role if exists {_EXPORTER}".encode())
        admin.execute(create.encode())
    yield
    with psycopg.connect(database_server.conninfo, autocommit=True) as admin:
        admin.execute(f"drop role {_EXPORTER}".encode())


def scrape(dsn: str) -> dict[str, float]:
    """Run every query; return its values by metric and labels, as Prometheus writes them."""
    found: dict[str, float] = {}
    with psycopg.connect(dsn, autocommit=True, row_factory=dict_row) as connection:
        for metric in COLLECTOR["metrics"]:
            labels: list[str] = metric.get("key_labels", [])
            (column,) = metric["values"]
            rows = connection.execute(metric["query"].encode()).fetchall()
            assert rows, metric["metric_name"]
            for row in rows:
                assert set(row) == {*labels, column}, metric["metric_name"]
                shown = ",".join(f"{label}={row[label]}" for label in labels)
                name = metric["metric_name"] + (f"{{{shown}}}" if shown else "")
                assert name not in found
                found[name] = float(row[column])
    return found


def exporter(database: Database) -> str:
    return make_conninfo(database.admin_dsn, user=_EXPORTER, password=_EXPORTER)


def test_every_query_says_what_it_is_for(fresh_database: FreshDatabase) -> None:
    database = fresh_database()
    before = scrape(exporter(database))
    assert before["pgthreads_turns_open{lease=ended}"] == 0
    assert before["pgthreads_redaction_faults"] == 0
    assert before["pgthreads_verified_seconds"] == 1e12
    assert before["pgthreads_sees_sessions"] == 1
    assert scrape(database.maintenance_dsn)["pgthreads_sees_sessions"] in (0, 1), "it runs as well"

    fill(database.server_dsn, threads=2, messages=2)
    with psycopg.connect(database.admin_dsn, autocommit=True) as admin:
        for key in ("held", "ended", "old"):
            admin.execute(
                "select from pgthreads.set_tenant('ann') as t (owner),"
                " lateral pgthreads.begin_turn(t.owner, %s, %s, 't') as b",
                (key, Jsonb(message("u"))),
            )
        for statement in (
            "update pgthreads.turn set lease_until = now() - interval '1 s',"
            " started_at = now() - interval '1 hour' where state_key = 'ended'",
            "update pgthreads.turn set status = 'completed',"
            " finished_at = now() - interval '100 days' where state_key = 'old'",
            "update pgthreads.thread set deleted_at = now() - interval '1 year'"
            " where state_key = 'old0'",
            "insert into pgthreads.late_answer (owner_user_id, state_key, turn_id, message, bytes,"
            " reason) values ('ann', 'old', 't', '{}', 2, 'turn_lost')",
            "update pgthreads.redaction_rule set enabled = false",
        ):
            admin.execute(statement.encode())
    with connected(database.admin_dsn) as maintenance:
        maintenance.note_verification(6, 1)
        told = maintenance.thread_stats()
    assert (told.dead_turns, told.late_answers, told.waiting_messages) == (1, 1, 0)
    assert told.journal_bytes > 0

    with psycopg.connect(database.admin_dsn) as sits:
        sits.execute("select 1")
        after = scrape(exporter(database))

    expected = {
        "pgthreads_turns_open{lease=held}": 1,
        "pgthreads_turns_open{lease=ended}": 1,
        "pgthreads_late_answers{since=ever}": 1,
        "pgthreads_late_answers{since=yesterday}": 1,
        "pgthreads_threads_due": 3,
        "pgthreads_verified_bad": 1,
        "pgthreads_redaction_faults": 1,
    }
    assert {name: after[name] for name in expected} == expected
    assert after["pgthreads_turn_oldest_seconds"] > 3599
    assert 9 * 86400 < after["pgthreads_purge_behind_seconds"] < 11 * 86400
    assert after["pgthreads_verified_seconds"] < 600
    assert after["pgthreads_transaction_oldest_seconds{state=idle}"] > 0
    assert after["pgthreads_redaction_fingerprint"] != before["pgthreads_redaction_fingerprint"]
    assert after["pgthreads_table_bytes{table=journal}"] > 0
    assert after["pgthreads_table_frozen_age{table=message}"] > 0


def test_every_alert_is_about_a_metric() -> None:
    collected = {metric["metric_name"] for metric in COLLECTOR["metrics"]}
    labels = {
        label: metric["metric_name"]
        for metric in COLLECTOR["metrics"]
        for label in metric.get("key_labels", [])
    }
    assert all(metric["type"] == "gauge" and metric["help"] for metric in COLLECTOR["metrics"])
    (group,) = RULES["groups"]
    used = set()
    for rule in group["rules"]:
        assert set(rule) <= {"alert", "expr", "for", "labels", "annotations"}
        assert rule["annotations"]["summary"].endswith(".")
        assert rule["labels"]["severity"] in ("warning", "critical")
        names = set(re.findall(r"pgthreads_\w+", rule["expr"]))
        assert names <= collected, rule["alert"]
        assert names, rule["alert"]
        assert set(re.findall(r"[{,](\w+)=", rule["expr"])) <= set(labels)
        used |= names
    assert collected - used == {"pgthreads_turn_oldest_seconds"}, "what no alert is about"
