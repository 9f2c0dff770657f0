"""`python -m pgthreads`: the command."""

from .cli import main

main(prog_name="pgthreads")
