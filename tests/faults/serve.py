"""`pgthreads serve` as a process that ends when the test that started it does.

`python -m tests.faults.serve PARENT ARGUMENT…`: PARENT is the pid that it must not outlive. It runs
the first package on PYTHONPATH, so it can also serve a broken copy.
"""

from __future__ import annotations

import ctypes
import os
import signal
import sys

_PR_SET_PDEATHSIG = 1


def main() -> None:
    parent = int(sys.argv[1])
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        sys.exit("the test has ended")
    from pgthreads.cli.main import main as command  # noqa: PLC0415

    command(sys.argv[2:])


if __name__ == "__main__":
    main()
