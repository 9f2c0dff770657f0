"""The work of a call is linear in its input, and has an upper bound."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import psycopg
import pytest
from click.testing import CliRunner

from pgthreads.cli.main import main
from tests.scaling import MOST, growth

Connection = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture
def admin(connect: Callable[..., Connection], admin_dsn: str) -> Connection:
    # With enough memory that no sort goes to the disk: that would be a step, not growth.
    return connect(
        admin_dsn,
        options="-c work_mem=256MB -c app.current_user_id=alice -c client_min_messages=error",
    )


@pytest.fixture
def limits(admin: Connection) -> Iterator[None]:
    """Change limits in config for a test."""
    yield
    admin.execute("update pgthreads.config set max_page_bytes = default")


def _text(number: int) -> Iterator[dict[str, object]]:
    yield {"type": "text-start", "id": "t0"}
    for each in range(number):
        yield {"type": "text-delta", "id": "t0", "delta": f"word{each} "}


def _reasoning(number: int) -> Iterator[dict[str, object]]:
    yield {"type": "reasoning-start", "id": "r0"}
    for each in range(number):
        yield {
            "type": "reasoning-delta",
            "id": "r0",
            "delta": "so",
            "providerMetadata": {"p": each},
        }


def _parts(number: int) -> Iterator[dict[str, object]]:
    for each in range(number // 2):
        yield {"type": "text-start", "id": f"t{each}"}
        yield {"type": "text-delta", "id": f"t{each}", "delta": "x"}


def _calls(number: int) -> Iterator[dict[str, object]]:
    for each in range(number // 2):
        call = {"toolCallId": f"c{each}", "toolName": "n", "dynamic": True}
        yield {"type": "tool-input-available", **call, "input": {"a": each}}
        yield {"type": "tool-output-available", "toolCallId": f"c{each}", "output": each}


def _one_call(number: int) -> Iterator[dict[str, object]]:
    yield {"type": "tool-input-start", "toolCallId": "c", "toolName": "n"}
    for _ in range(number // 2):
        yield {"type": "tool-input-delta", "toolCallId": "c", "inputTextDelta": "abc"}
    yield {"type": "tool-input-available", "toolCallId": "c", "toolName": "n", "input": 1}
    for each in range(number // 2):
        yield {
            "type": "tool-output-available",
            "toolCallId": "c",
            "output": each,
            "preliminary": True,
        }


def _data(number: int) -> Iterator[dict[str, object]]:
    for each in range(number // 2):
        yield {"type": "data-x", "id": "1", "data": each}
        yield {"type": "data-x", "data": each}


def _metadata(number: int) -> Iterator[dict[str, object]]:
    yield {"type": "text-start", "id": "t0"}
    for each in range(number):
        changes = {"all": {f"k{each}": each}, f"k{each}": each}
        yield {"type": "message-metadata", "messageMetadata": changes}


def _errors(number: int) -> Iterator[dict[str, object]]:
    yield {"type": "text-start", "id": "t0"}
    for _ in range(number):
        yield {"type": "error", "errorText": "no"}


def _large(number: int) -> Iterator[dict[str, object]]:
    yield {"type": "text-start", "id": "t0"}
    yield {"type": "text-delta", "id": "t0", "delta": "words " * number * 50}


def _frames(chunks: Iterator[dict[str, object]]) -> str:
    return "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks)


JOURNALS: dict[str, Callable[[int], str]] = {
    "text": lambda number: _frames(_text(number)),
    "reasoning": lambda number: _frames(_reasoning(number)),
    "parts": lambda number: _frames(_parts(number)),
    "calls": lambda number: _frames(_calls(number)),
    "one call": lambda number: _frames(_one_call(number)),
    "data": lambda number: _frames(_data(number)),
    "metadata": lambda number: _frames(_metadata(number)),
    "errors": lambda number: _frames(_errors(number)),
    "a large frame": lambda number: _frames(_large(number)),
    "escapes": lambda number: _frames(iter([{"type": "text-start", "id": "\0" * number * 10}])),
    "no stream": lambda number: "x\n\n" * number * 8,
    "comments": lambda number: ": keep-alive\n\n" * number * 8,
}


@pytest.mark.parametrize("shape", JOURNALS)
def test_a_journal_is_assembled_in_linear_time(admin: Connection, shape: str) -> None:
    """A worker that dies leaves a journal, and the thread's next message waits for it."""
    small = 2000
    journals = {size: JOURNALS[shape](size) for size in (small, 4 * small)}

    def assemble(size: int) -> None:
        admin.execute("select pgthreads.assemble_message(%s) is null", (journals[size],))

    assert growth(assemble, small) <= MOST


def test_branches_are_listed_in_linear_time(admin: Connection) -> None:
    """Every second message begins a branch, behind the message before the last one."""
    small = 625
    for branches in (small, 4 * small):
        admin.execute(
            "insert into pgthreads.thread (owner_user_id, state_key, message_count)"
            " values ('alice', %s, %s)",
            (f"b{branches}", 2 * branches),
        )
        admin.execute(
            "insert into pgthreads.message"
            " (owner_user_id, state_key, seq, message_id, message, digest, parent_seq)"
            """ select 'alice', %s, n, 'm' || n, '{}', '', case when n %% 2 = 0 then n - 2 end"""
            " from generate_series(1, %s) as n",
            (f"b{branches}", 2 * branches),
        )

    def branches_of(size: int) -> list[tuple[Any, ...]]:
        return admin.execute(
            "select leaf_seq, message_count from pgthreads.list_branches('alice', %s)",
            (f"b{size}",),
        ).fetchall()

    assert branches_of(small)[0] == (2 * small, small)
    assert len(branches_of(small)) == small + 1
    assert growth(branches_of, small) <= MOST


def test_details_are_read_in_linear_time(admin: Connection) -> None:
    """Every second message is the answer of a turn."""
    small = 1000
    for messages in (small, 4 * small):
        values = {"key": f"d{messages}", "messages": messages}
        admin.execute(
            "insert into pgthreads.thread (owner_user_id, state_key, message_count)"
            " values ('alice', %(key)s, %(messages)s)",
            values,
        )
        admin.execute(
            "insert into pgthreads.message"
            " (owner_user_id, state_key, seq, message_id, message, digest)"
            """ select 'alice', %(key)s, n, 'm' || n, json_build_object('id', 'm' || n), ''"""
            " from generate_series(1, %(messages)s) as n",
            values,
        )
        admin.execute(
            "insert into pgthreads.turn (owner_user_id, state_key, turn_id, status, lease_until,"
            " user_seq, assistant_message_id, started_at, finished_at)"
            " select 'alice', %(key)s, 't' || n, 'completed', now(), n - 1, 'm' || n, now(), now()"
            " from generate_series(2, %(messages)s, 2) as n",
            values,
        )

    def details_of(size: int) -> list[tuple[Any, ...]]:
        return admin.execute(
            "select json_array_length(r.messages), r.messages -> -1 #>>"
            " '{metadata,pgthreads,status}' from pgthreads.read_thread_details('alice', %s) as r",
            (f"d{size}",),
        ).fetchall()

    assert details_of(small) == [(small, "completed")]
    assert growth(details_of, small) <= MOST


def test_the_command_line_reads_a_thread_of_many_pages(
    admin: Connection, server_dsn: str, limits: None
) -> None:
    """`export` and `show` are for whole threads, however large a page is."""
    assert limits is None
    admin.execute("update pgthreads.config set max_page_bytes = 300")
    admin.execute(
        "select pgthreads.append_thread('alice', 'pages', (select jsonb_agg(jsonb_build_object("
        "'id', 'm' || n, 'role', 'user', 'parts', jsonb_build_array(jsonb_build_object("
        "'type', 'text', 'text', 'text ' || n))) order by n) from generate_series(1, 20) as n))"
    )
    where = ("--owner", "alice", "--database-url", server_dsn)
    run = CliRunner().invoke
    exported = json.loads(run(main, ["threads", "export", "pages", *where]).stdout)
    assert [each["id"] for each in exported["messages"]] == [f"m{n}" for n in range(1, 21)]
    shown = run(main, ["threads", "show", "pages", "--last", "7", *where]).stdout
    assert [line for line in shown.split("\n") if re.fullmatch(r"text \d+", line)] == [
        f"text {n}" for n in range(14, 21)
    ]
