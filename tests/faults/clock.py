"""A cluster whose wall clock can jump, by libfaketime."""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests import programs
from tests.database import cluster_home
from tests.faults.cluster import Cluster


class Clock:
    """The wall clock of a cluster; clocks that measure spans of time are left alone.

    A script beside PostgreSQL's other programs starts it with libfaketime.
    """

    def __init__(self, own: Path, folder: Path, library: Path) -> None:
        self._offset = own / "offset"
        self.programs = own / "programs"
        self.programs.mkdir()
        for program in folder.iterdir():
            if program.name != "postgres":
                (self.programs / program.name).symlink_to(program)
        preload = "DYLD_INSERT_LIBRARIES" if sys.platform == "darwin" else "LD_PRELOAD"
        variables = {
            preload: str(library),
            "FAKETIME_TIMESTAMP_FILE": str(self._offset),
            "FAKETIME_NO_CACHE": "1",
            "FAKETIME_DONT_FAKE_MONOTONIC": "1",
        }
        words = " ".join(f"'{name}={value}'" for name, value in variables.items())
        script = self.programs / "postgres"
        script.write_text(f'#!/bin/sh\nexec env {words} "{folder}/postgres" "$@"\n')
        script.chmod(0o755)
        self.jump(0)

    def jump(self, seconds: float) -> None:
        """From now on, make the clock differ from the real one by so many seconds."""
        # In one step, so that a reader never sees half of it.
        new = self._offset.with_suffix(".new")
        new.write_text(f"{seconds:+.1f}\n")
        new.chmod(0o644)
        new.rename(self._offset)


@contextmanager
def cluster_with_a_clock(**settings: str) -> Iterator[Cluster]:
    """Yield a cluster with a clock of its own."""
    folder, library = programs.server_folder() or programs.wheel_folder(), programs.clock_library()
    if folder is None or library is None:
        raise programs.MissingProgramError(
            "libfaketime is missing (Debian: apt-get install libfaketime)"
        )
    with cluster_home() as home, tempfile.TemporaryDirectory(prefix="pgthreads-test-") as own:
        # PostgreSQL's account reads there.
        Path(own).chmod(0o755)
        clock = Clock(Path(own), folder, library)
        cluster = Cluster(clock.programs, home, **settings)
        cluster.set_clock = clock.jump
        try:
            yield cluster
        finally:
            cluster.stop()
