"""The errors of the embedded PostgreSQL, with texts that say what to do."""

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
    """The embedded PostgreSQL cannot be run or used."""


class DataDirInUseError(EmbeddedError):
    """Another process serves this data directory."""


def disk_full(place: Path) -> EmbeddedError:
    """Return the error for a full file system that holds `place`."""
    return EmbeddedError(
        f"no space left on the file system of {place}",
        "free some space (a new database needs about 60 MB), or choose another --data-dir",
    )


@contextmanager
def writing(place: Path) -> Iterator[None]:
    """Turn an OSError from creating or writing files below `place` into an EmbeddedError."""
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
    """Return the error for a failed PostgreSQL program; `output` is what it printed or logged."""
    tail = "\n".join(output.strip().splitlines()[-_TAIL_LINES:])
    full = [line for line in output.splitlines() if any(text in line for text in _FULL_TEXTS)]
    if any("shared memory" in line for line in full):
        return EmbeddedError(
            f"{what}: no room for shared memory\n{tail}",
            "make /dev/shm larger (in a container: --shm-size=256m)",
        )
    # On a full disk the log itself may be empty, so the disk is asked as well.
    if full or shutil.disk_usage(place).free < _NEARLY_FULL_BYTES:
        return disk_full(place)
    hint = ""
    if "could not look up effective user ID" in output:
        hint = "add this user to /etc/passwd, because PostgreSQL looks up its name"
    return EmbeddedError(f"{what}\n{tail}" if tail else what, hint)
