"""Every secret of a documented form is redacted, and ordinary text stays."""

from __future__ import annotations

import psycopg

from tests.redaction.corpus import must_go
from tests.redaction.figures import figures


def test_all_secrets_go_and_nothing_else(admin_dsn: str) -> None:
    with psycopg.connect(admin_dsn, autocommit=True) as connection:
        wrong = {
            figure.name: (figure.share, figure.wrong)
            for figure in figures(connection)
            if figure.share < 1
        }
    assert not wrong


def test_all_secrets_go_from_long_texts(admin_dsn: str) -> None:
    """In a long text, rules are chosen by needles that are looked for together."""
    missed: list[str] = []
    with psycopg.connect(admin_dsn, autocommit=True) as connection:
        for name, secrets in must_go():
            for each in secrets[:5]:
                answer = connection.execute(
                    "select pgthreads.redact_text(repeat('the quick brown fox ', 3500) || %s)",
                    [each.text],
                ).fetchone()
                assert answer
                if each.secret[-8:] in answer[0] or "[REDACTED:" not in answer[0]:
                    missed.append(f"{name}: {each.text}")
    assert not missed
