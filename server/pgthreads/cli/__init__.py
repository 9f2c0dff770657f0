"""The command `pgthreads`."""

from .main import main

__all__ = ["main"]
