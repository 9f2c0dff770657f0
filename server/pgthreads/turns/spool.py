"""Keeps answers on the disk while the database is away, each in a file of its own.

The process that works on a file locks it (flock), so when that process ends, for whatever reason,
the next one can have the file. A file is written under another name and then renamed. If a writer
dies before it has renamed its file, that file is looked at as well, because it may be complete.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import logging
import os
import stat
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from pathlib import Path

from ..errors import OperatorError
from .settle import Answer, Begin

log = logging.getLogger(__name__)

_MAGIC = b"pgthreads answer 1 "
_KEPT_MAGIC = b"pgthreads kept 1 "
_WHOLE, _PARTIAL, _CORRUPT, _REFUSED = ".answer", ".partial", ".corrupt", ".refused"
_KEPT, _KEEPING = ".kept", ".keeping"
_STALE_SECONDS = 3600.0


class SpoolError(OperatorError):
    """The spool's folder cannot be used."""


class Spooled:
    """A file of the spool that this process holds. Each method gives it up."""

    def __init__(self, path: Path, fd: int, answer: Answer) -> None:
        self.answer = answer
        self._path = path
        self._fd = fd

    def remove(self) -> None:
        """Delete the file, because the answer is stored elsewhere."""
        self._path.unlink(missing_ok=True)
        _sync(self._path.parent)
        self.release()

    def set_aside(self) -> None:
        """Leave the file to the operator, because the database refuses the answer for good."""
        _set_aside(self._path, _REFUSED)
        self.release()

    def release(self) -> None:
        """Leave the file to the next process."""
        os.close(self._fd)


@dataclass(frozen=True, slots=True)
class Kept:
    """An answer that the database has taken, and may have lost since then; see `Spool.keep`."""

    path: Path
    kept_until: float
    answer: Answer
    begin: Begin


class Spool:
    """A folder of answers that wait for the database. Its methods block, and raise OSError.

    `keep_seconds` is how long an answer stays there after the database has taken it.
    """

    def __init__(self, folder: Path, *, keep_seconds: float = 0) -> None:
        self.keep_seconds = keep_seconds
        self._folder = folder

    def open(self) -> None:
        """Create the folder if it is missing, and check that nobody else may write to it.

        Whoever can put a file there can append to any thread. Raises SpoolError.
        """
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = self._folder.stat()
            usable = os.access(self._folder, os.R_OK | os.W_OK | os.X_OK)
        except OSError as error:
            raise SpoolError(f"{self._folder}: {error.strerror}", "see --spool-dir") from error
        if found.st_uid != os.geteuid() or found.st_mode & 0o022 or not usable:
            raise SpoolError(
                f"{self._folder} is not a folder that this user alone may write to",
                f"chown it to the user that runs pgthreads, and chmod 700 {self._folder}",
            )

    def keep(self, answer: Answer, begin: Begin) -> None:
        """Write an answer for `pgthreads recover`, in case the database loses its commit.

        The modification time of the file says until when it is kept. No lock is needed, because the
        complete file is renamed into its place.
        """
        text = json.dumps(
            {"answer": asdict(answer), "begin": asdict(begin) | {"message": begin.question}}
        ).encode()
        name = _name(answer)
        writing, path = self._folder / (name + _KEEPING), self._folder / (name + _KEPT)
        fd = os.open(writing, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "wb") as file:
            file.write(_KEPT_MAGIC + hashlib.sha256(text).hexdigest().encode() + b"\n" + text)
            file.flush()
            os.utime(fd, (time.time(), time.time() + self.keep_seconds))
            os.fsync(fd)
        writing.rename(path)
        _sync(self._folder)

    def kept(self) -> list[Kept]:
        """Return the answers that are kept, in the order in which they were stored."""
        found = [each for each in self._folder.iterdir() if each.suffix == _KEPT]
        answers = []
        for path in found:
            kept = _parsed_kept(path)
            if kept is None:
                log.error("spool: %s is not a complete answer", path)
                _set_aside(path, _CORRUPT)
            else:
                answers.append(kept)
        return sorted(answers, key=lambda each: each.kept_until)

    def forget(self) -> int:
        """Delete the answers that were kept long enough. Return how many."""
        now, count = time.time(), 0
        for each in self._folder.iterdir():
            until = {_KEPT: now, _KEEPING: now - _STALE_SECONDS}.get(each.suffix)
            with suppress(FileNotFoundError):
                if until is not None and each.stat().st_mtime < until:
                    each.unlink()
                    count += each.suffix == _KEPT
        return count

    def put(self, answer: Answer) -> Spooled:
        """Write an answer, so that it survives a crash of the process and of the machine."""
        text = json.dumps(asdict(answer)).encode()
        name = _name(answer)
        partial, path = self._folder / (name + _PARTIAL), self._folder / (name + _WHOLE)
        with self._locked():
            fd = os.open(partial, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        try:
            with os.fdopen(fd, "wb", closefd=False) as file:
                file.write(_MAGIC + hashlib.sha256(text).hexdigest().encode() + b"\n" + text)
            os.fsync(fd)
            partial.rename(path)
            _sync(self._folder)
        except BaseException:
            partial.unlink(missing_ok=True)
            os.close(fd)
            raise
        return Spooled(path, fd, answer)

    def names(self) -> list[str]:
        """The names of all waiting files, whether some process holds them or not."""
        return sorted(
            each.name for each in self._folder.iterdir() if each.suffix in (_WHOLE, _PARTIAL)
        )

    def aside(self) -> list[str]:
        """The names of all files that were set aside for the operator."""
        return sorted(
            each.name for each in self._folder.iterdir() if each.suffix in (_CORRUPT, _REFUSED)
        )

    def claim(self, name: str) -> Spooled | None:
        """Take a file whose process has ended.

        Returns None if another process holds it, or if it is gone, or if it is not a complete
        answer; in the last case it is set aside.
        """
        path = self._folder / name
        # Writers hold this lock until they have locked their file, so no file is unlocked yet.
        with self._locked():
            try:
                fd = os.open(path, os.O_RDWR | os.O_NOFOLLOW | os.O_CLOEXEC)
            except OSError:
                return None
            try:
                fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                os.close(fd)
                return None
        found = os.fstat(fd)
        if found.st_nlink == 0 or not stat.S_ISREG(found.st_mode):
            # The process that held it has just removed it.
            os.close(fd)
            return None
        with os.fdopen(fd, "rb", closefd=False) as file:
            answer = _parsed(file.read())
        if answer is None:
            log.error("spool: %s is not a complete answer", path)
            _set_aside(path, _CORRUPT)
            os.close(fd)
            return None
        return Spooled(path, fd, answer)

    @contextmanager
    def _locked(self) -> Iterator[None]:
        fd = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            fcntl.flock(fd, fcntl.LOCK_EX)
            yield
        finally:
            os.close(fd)


def _parsed(data: bytes) -> Answer | None:
    head, _, text = data.partition(b"\n")
    if head != _MAGIC + hashlib.sha256(text).hexdigest().encode():
        return None
    try:
        return Answer(**json.loads(text))
    except (ValueError, TypeError, RecursionError):
        return None


def _parsed_kept(path: Path) -> Kept | None:
    head, _, text = path.read_bytes().partition(b"\n")
    if head != _KEPT_MAGIC + hashlib.sha256(text).hexdigest().encode():
        return None
    try:
        both = json.loads(text)
        return Kept(path, path.stat().st_mtime, Answer(**both["answer"]), Begin(**both["begin"]))
    except (ValueError, TypeError, KeyError, RecursionError):
        return None


def set_aside(kept: Kept) -> None:
    """Leave a kept answer to the operator, because it cannot be given back."""
    _set_aside(kept.path, _REFUSED)


def _name(answer: Answer) -> str:
    turn = "\0".join((answer.owner_user_id, answer.state_key, answer.turn_id))
    return hashlib.sha256(turn.encode("utf-8", "surrogatepass")).hexdigest()[:40]


def _set_aside(path: Path, why: str) -> None:
    aside = path.with_name(path.name + why)
    path.rename(aside)
    _sync(path.parent)
    log.error("spool: set aside for the operator: %s", aside)


def _sync(folder: Path) -> None:
    fd = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
