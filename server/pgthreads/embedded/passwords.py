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
    """The passwords of the superuser `postgres` and of the application's role `pgthreads_app`."""

    superuser: str
    app: str

    @classmethod
    def of(cls, data_dir: Path, *, create: bool) -> Passwords:
        """Read the passwords; with `create`, make them if there are none. Raises EmbeddedError."""
        path = data_dir / _NAME
        try:
            kept = json.loads(path.read_text())
            return cls(superuser=kept["superuser"], app=kept["app"])
        except FileNotFoundError:
            if not create:
                raise EmbeddedError(
                    f"{path} is missing, so there are no passwords for the database",
                    "copy the file from where the data directory was copied from",
                ) from None
        except OSError as error:
            raise EmbeddedError(f"cannot read {path}: {error.strerror}") from error
        except (ValueError, KeyError, TypeError) as error:
            raise EmbeddedError(f"{path} is damaged", "restore it from a backup") from error
        made = cls(superuser=secrets.token_urlsafe(24), app=secrets.token_urlsafe(24))
        write_private(path, json.dumps(asdict(made)) + "\n")
        return made


def write_private(path: Path, text: str) -> None:
    """Write a file of mode 0600, completely or not at all. Raises EmbeddedError."""
    unfinished = path.with_name(path.name + ".unfinished")
    with writing(path.parent):
        unfinished.unlink(missing_ok=True)
        fd = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(fd, "w") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        unfinished.rename(path)
