"""What can go wrong with the embedded PostgreSQL, said so that a person can act on it."""

from __future__ import annotations

import errno
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ..errors import OperatorError

_FULL = (errno.ENOSPC, errno.EDQUOT)
_FULL_TEXTS = ("No space left on device", "Disk quota exceeded", "Check free disk space")
_CLOSED = (errno.EACCES, errno.EPERM, errno.EROFS)
_TAIL_LINES = 15
_NEARLY_FULL_BYTES = 1 << 20


class EmbeddedError(OperatorError):
    """The embedded PostgreSQL cannot run."""


class DataDirInUseError(EmbeddedError):
    """Another process serves this data directory."""


def disk_full(place: Path) -> EmbeddedError:
    """The file system that holds `place` has no room."""
    return EmbeddedError(
        f"no space left on the file system of {place}",
        "free some (a new database takes about 60 MB), or choose another place with --data-dir",
    )


@contextmanager
def writing(place: Path) -> Iterator[None]:
    """Turns the OSErrors of making and writing files below `place` into EmbeddedErrors."""
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise disk_full(place) from error
        reason = error.strerror or str(error)
        where = error.filename or place
        hint = "choose another place with --data-dir" if error.errno in _CLOSED else ""
        raise EmbeddedError(f"cannot write to {where}: {reason}", hint) from error


def program_failed(what: str, output: str, place: Path) -> EmbeddedError:
    """A PostgreSQL program failed; `output` is what it printed or logged while it ran."""
    tail = "\n".join(output.strip().splitlines()[-_TAIL_LINES:])
    full = [line for line in output.splitlines() if any(text in line for text in _FULL_TEXTS)]
    if any("shared memory" in line for line in full):
        return EmbeddedError(
            f"{what}: no room for shared memory\n{tail}",
            "make /dev/shm larger (in a container: --shm-size=256m)",
        )
    # On a full disk the log itself may have come out empty, so the disk is asked as well.
    if full or shutil.disk_usage(place).free < _NEARLY_FULL_BYTES:
        return disk_full(place)
    hint = ""
    if "could not look up effective user ID" in output:
        hint = "give this user a line in /etc/passwd; PostgreSQL looks its name up"
    return EmbeddedError(f"{what}\n{tail}" if tail else what, hint)
