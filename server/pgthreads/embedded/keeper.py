"""Runs one PostgreSQL for as long as standard input stays open, and then stops it.

Standard input is a pipe, and only the process that uses PostgreSQL holds its other end. The kernel
closes that end however the process ends, also after `kill -9`. So PostgreSQL is stopped in the same
way whether its user stops it or dies. The keeper is PostgreSQL's parent process, so no other
process can have the pid that it signals. It leads a session of its own, so a ^C at the terminal
reaches only the application, which can still store what it has.

It is started by its path with `python -I -S`, so it imports nothing but the standard library:
`keeper.py UID GID FAST_SECONDS PROGRAM ARGUMENT...`. With UID -1 the user is not changed. The exit
status is that of PostgreSQL, or 128 plus the signal that has ended it.
"""

from __future__ import annotations

import ctypes
import os
import select
import signal
import sys
import time
from typing import NoReturn

ENVIRONMENT = {"PATH": "/usr/bin:/bin", "LC_ALL": "C", "TZ": "UTC"}
"""The environment of PostgreSQL's programs: none of the caller's PG* variables, and messages in
English."""

_PR_SET_PDEATHSIG = 1
_IMMEDIATE_SECONDS = 5.0


def _become_server(uid: int, gid: int, command: list[str], libc: ctypes.CDLL | None) -> NoReturn:
    keeper = os.getppid()
    try:
        null = os.open(os.devnull, os.O_RDONLY)
        os.dup2(null, 0)
        if uid >= 0:
            os.setgroups([])
            os.setgid(gid)
            os.setuid(uid)
        if libc is not None:
            # The kernel sends this signal if the keeper is killed. setuid would clear the request,
            # so it comes after that.
            libc.prctl(_PR_SET_PDEATHSIG, signal.SIGINT, 0, 0, 0)
            if os.getppid() != keeper:
                os._exit(1)
        os.execve(command[0], command, ENVIRONMENT)  # noqa: S606
    except OSError as error:
        print(f"cannot run {command[0]}: {error}", file=sys.stderr, flush=True)
    os._exit(127)


def _exit_status(pid: int) -> int | None:
    ended, status = os.waitpid(pid, os.WNOHANG)
    if ended == 0:
        return None
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


def _stop(pid: int, wake: int, fast_seconds: float) -> int:
    steps = (
        (signal.SIGINT, fast_seconds),
        (signal.SIGQUIT, _IMMEDIATE_SECONDS),
        (signal.SIGKILL, _IMMEDIATE_SECONDS),
    )
    for number, seconds in steps:
        os.kill(pid, number)
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if select.select([wake], [], [], left)[0]:
                os.read(wake, 512)
            if (status := _exit_status(pid)) is not None:
                return status
    return 1


def main(arguments: list[str]) -> int:
    """Start PostgreSQL, and wait for its end or for the end of standard input; see the module."""
    uid, gid, fast_seconds, command = int(arguments[0]), int(arguments[1]), float(arguments[2]), 3
    libc = ctypes.CDLL(None) if sys.platform == "linux" else None
    wake, waker = os.pipe()
    os.set_blocking(waker, False)
    signal.set_wakeup_fd(waker, warn_on_full_buffer=False)
    for number in (signal.SIGCHLD, signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        # These handlers do nothing. SIG_IGN would be inherited by PostgreSQL.
        signal.signal(number, lambda _number, _frame: None)
    pid = os.fork()
    if pid == 0:
        _become_server(uid, gid, arguments[command:], libc)
    while True:
        ready = select.select([0, wake], [], [])[0]
        if wake in ready:
            os.read(wake, 512)
            if (status := _exit_status(pid)) is not None:
                return status
        if 0 in ready and not os.read(0, 512):
            return _stop(pid, wake, fast_seconds)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
