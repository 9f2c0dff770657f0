"""Every secret of a documented form goes, and ordinary text stays."""

from __future__ import annotations

import psycopg

from tests.redaction.figures import figures


def test_all_secrets_go_and_nothing_else(admin_dsn: str) -> None:
    with psycopg.connect(admin_dsn, autocommit=True) as connection:
        wrong = {
            figure.name: (figure.share, figure.wrong)
            for figure in figures(connection)
            if figure.share < 1
        }
    assert not wrong
