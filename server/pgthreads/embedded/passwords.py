"""The generated passwords of a data directory."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import asdict, dataclass
from pathlib import Path

from .error import EmbeddedError, writing

_NAME = "passwords.json"


@dataclass(frozen=True, slots=True)
class Passwords:
    """Of the superuser `postgres` and of the application's role `pgthreads_app`."""

    superuser: str
    app: str

    @classmethod
    def of(cls, data_dir: Path, *, create: bool) -> Passwords:
        """Reads them, or makes them first with `create`. Raises EmbeddedError."""
        path = data_dir / _NAME
        try:
            kept = json.loads(path.read_text())
            return cls(superuser=kept["superuser"], app=kept["app"])
        except FileNotFoundError:
            if not create:
                raise EmbeddedError(
                    f"{path} is missing: the database is there, its passwords are not",
                    "put the file back from where the directory was copied",
                ) from None
        except OSError as error:
            raise EmbeddedError(f"cannot read {path}: {error.strerror}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise EmbeddedError(f"{path} is damaged", "put it back from a backup") from error
        made = cls(superuser=secrets.token_urlsafe(24), app=secrets.token_urlsafe(24))
        write_private(path, json.dumps(asdict(made)) + "\n")
        return made


def write_private(path: Path, text: str) -> None:
    """Writes a whole file of mode 0600 or none. Raises EmbeddedError."""
    unfinished = path.with_name(path.name + ".unfinished")
    with writing(path.parent):
        unfinished.unlink(missing_ok=True)
        fd = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(path)
