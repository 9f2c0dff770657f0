"""Builds that are broken on purpose: each has one safeguard removed.

An edit names text that occurs exactly once in a file. If it no longer does, the mutant cannot be
built, and has to be updated.
"""

from __future__ import annotations

import shutil
from dataclasses import dataclass, field
from pathlib import Path
from typing import LiteralString

import psycopg

ROOT = Path(__file__).resolve().parents[2]


class StaleMutantError(Exception):
    """The text that a mutant edits is not in the source, or occurs more than once."""


@dataclass(frozen=True, slots=True)
class Edit:
    """`old` becomes `new` in a file below the root of the sources."""

    file: str
    old: str
    new: str

    def apply(self, text: str) -> str:
        """Return the edited text. Raises StaleMutantError."""
        if text.count(self.old) != 1:
            raise StaleMutantError(
                f"{self.file} has {text.count(self.old)} times, not once: {self.old!r}"
            )
        return text.replace(self.old, self.new)


@dataclass(frozen=True, slots=True)
class Mutant:
    """A broken build: edits of the SQL functions and of the server, and statements of a superuser.

    The checker must find a violation of at least one of the rules in `breaks`. The other fields
    provoke it: settings of PostgreSQL, behaviours of clients, kinds of faults, arguments of the
    server.
    """

    name: str
    breaks: frozenset[str]
    edits: tuple[Edit, ...] = ()
    statements: tuple[LiteralString, ...] = ()
    settings: dict[str, str] = field(default_factory=dict)
    behaviours: dict[str, int] = field(default_factory=lambda: {"plain": 1})
    faults: tuple[str, ...] = ()
    arguments: tuple[str, ...] = ()

    def install_sql(self, admin_dsn: str) -> None:
        """Replace the functions of a migrated database by the broken ones."""
        files = {edit.file for edit in self.edits if edit.file.startswith("db/")}
        with psycopg.connect(admin_dsn, autocommit=True) as connection:
            for statement in self.statements:
                connection.execute(statement)
            connection.execute("set role pgthreads_owner")
            for file in sorted(files):
                connection.execute(self._edited(ROOT, file).encode())

    def package(self, folder: Path) -> Path | None:
        """Write a broken copy of the server below `folder`; None if this one is not broken."""
        files = {edit.file for edit in self.edits if edit.file.startswith("server/")}
        if not files:
            return None
        shutil.copytree(ROOT / "server", folder / "server")
        for file in files:
            (folder / file).write_text(self._edited(ROOT, file))
        return folder / "server"

    def _edited(self, root: Path, file: str) -> str:
        text = (root / file).read_text()
        for edit in self.edits:
            if edit.file == file:
                text = edit.apply(text)
        return text


_APPEND = "db/functions/api/append_thread.sql"
_COMPLETE = "db/functions/api/complete_turn.sql"
_WRITE = "db/functions/internal/write_messages.sql"
_END = "db/functions/internal/end_turn.sql"
_PUMP = "server/pgthreads/turns/pump.py"
_ABANDON = "db/functions/internal/abandon_turn.sql"
_STORING = "server/pgthreads/turns/store.py"
_FOLLOWERS = "server/pgthreads/turns/followed.py"
_ANSWERS = "server/pgthreads/turns/settle.py"
_CHAT = "server/pgthreads/http/chat.py"

_WITHOUT_LOCK = (
    Edit(_APPEND, "    for update;\n    exit when found;", "    ;\n    exit when found;"),
    Edit(_COMPLETE, "    for update of t, n;\n", "    ;\n"),
    # The wider the gap is, the more often two calls meet in it.
    Edit(
        _APPEND,
        "  if v_deleted_at is not null or v_stored_ids is not null then\n",
        "  perform pg_sleep(0.2);\n"
        "  if v_deleted_at is not null or v_stored_ids is not null then\n",
    ),
)

_BUSY = {"two tabs": 2, "duplicate": 1}

MUTANTS = (
    Mutant(
        "append_thread takes no lock",
        frozenset({"settled"}),
        _WITHOUT_LOCK,
        behaviours=_BUSY,
    ),
    Mutant(
        "append_thread takes no lock, and no keys stand behind it",
        frozenset({"chain", "once"}),
        _WITHOUT_LOCK,
        (
            "alter table pgthreads.message drop constraint message_pkey",
            "drop index pgthreads.turn_one_running",
        ),
        behaviours=_BUSY,
    ),
    Mutant(
        "a known message id is appended again",
        frozenset({"once"}),
        (
            Edit(
                _APPEND,
                "        and m.message_id = i.id\n",
                "        and m.message_id = i.id\n        and false\n",
            ),
        ),
        ("alter table pgthreads.message drop constraint message_message_id_key",),
        behaviours={"leave": 1, "duplicate": 1},
    ),
    Mutant(
        "a digest leaves the one before it out",
        frozenset({"chain"}),
        (Edit(_WRITE, "sha256(v_digest || convert_to(v_body", "sha256(convert_to(v_body"),),
    ),
    Mutant(
        "a turn that lost its lease may append",
        frozenset({"turns", "one_answer"}),
        (
            Edit(
                _APPEND,
                "if v_turn_id is distinct from p_turn_id"
                " or v_lease_until <= clock_timestamp() then",
                "if false then",
            ),
            Edit(_COMPLETE, "      and n.status = 'running'\n", ""),
            Edit(_END, "if v_status is distinct from p_status then", "if false then"),
        ),
        behaviours={"leave": 2, "two tabs": 1},
        faults=("SIGSTOP of a worker",),
        # Otherwise the partial answer that is stored already has the same id, and stops it as well.
        arguments=("--journal-interval", "0"),
    ),
    Mutant(
        "a commit is not waited for",
        frozenset({"acknowledged", "seen", "chain"}),
        (),
        ("alter role app_login set synchronous_commit = off",),
        {"wal_writer_delay": "10s"},
        faults=("kill -9 of PostgreSQL",),
    ),
    Mutant(
        "the end is told before the commit",
        frozenset({"seen"}),
        (
            Edit(
                _PUMP,
                "            refusal = await self._store(",
                "            self.stream.write(end)\n            refusal = await self._store(",
            ),
        ),
        faults=("kill -9 of a worker without database",),
    ),
    Mutant(
        "each attempt to store an answer has a new id",
        frozenset({"seen"}),
        (
            Edit(
                _ANSWERS,
                "        message=answer.message,\n",
                "        message=answer.message"
                ' and {**answer.message, "id": os.urandom(9).hex()},\n',
            ),
            Edit(_ANSWERS, "import logging\n", "import logging\nimport os\n"),
        ),
    ),
    Mutant(
        "an answer that the database does not take at once is given up",
        frozenset({"kept"}),
        (
            Edit(_STORING, "        if give_up.is_set():\n            break\n", "        break\n"),
            Edit(
                _STORING,
                "    spooled: Spooled | None = None\n",
                "    spooled, spool = None, None\n",
            ),
        ),
        faults=("database links refused", "restart of PostgreSQL"),
    ),
    Mutant(
        "a partial answer is put together in another order",
        frozenset({"generated"}),
        (Edit(_ABANDON, "order by j.start_offset)", "order by j.start_offset desc)"),),
        faults=("kill -9 of a worker",),
    ),
    Mutant(
        "who follows a turn of another worker is told things twice",
        frozenset({"settled", "seen", "glimpsed"}),
        (
            Edit(
                _FOLLOWERS,
                "(each.key, len(each.stream))",
                "(each.key, max(0, len(each.stream) - 99))",
            ),
        ),
        behaviours={"resume": 1, "duplicate": 1},
    ),
    Mutant(
        "a client that leaves stops its answer",
        frozenset({"stopped"}),
        (
            Edit(
                _CHAT,
                "        # The client has left or was cut off. The pump goes on.\n        pass\n",
                "        turns = request.app[RUNTIME]\n"
                "        await turns.stop(turn.key.owner_user_id, turn.key.state_key)\n",
            ),
        ),
        behaviours={"leave": 1},
    ),
)
