"""Runs benchmarks, and shows and writes what they measured.

`python -m bench [NAME …]` runs the named benchmarks, or all of them, on a cluster of its own.
`python -m bench appends turns --rounds 20 --no-peers` is a quick look while tuning.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import replace
from importlib import metadata
from pathlib import Path

from tests.database import NoDatabaseError, migrated_template

from bench import cluster, report
from bench.appends import Appends
from bench.attackers import Attackers
from bench.concurrency import Concurrency
from bench.crowd import Crowd
from bench.harness import Benchmark, Context
from bench.listeners import Listeners
from bench.lists import Lists
from bench.loads import Loads
from bench.parts import Parts
from bench.peers import PACKAGES
from bench.search import Search
from bench.slow_readers import SlowReaders
from bench.streaming import Streaming
from bench.turns import Turns
from bench.verified_tenancy import VerifiedTenancy
from bench.wal import Wal

_IN_MEMORY = {"tmpfs", "ramfs"}
_DOCUMENT = Path(__file__).resolve().parent.parent / "docs" / "performance.md"

BENCHMARKS: tuple[Benchmark, ...] = (
    Appends(),
    Turns(),
    Wal(),
    Loads(),
    Lists(),
    Concurrency(),
    Parts(),
    Streaming(),
    Crowd(),
    SlowReaders(),
    Listeners(),
    Attackers(),
    VerifiedTenancy(),
    Search(),
)


def _arguments(words: Sequence[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    names = [each.name for each in BENCHMARKS]
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(names))
    parser.add_argument("--rounds", type=int, help="instead of each benchmark's own number")
    parser.add_argument("--repeat", type=int, default=1, help="run everything so many times")
    parser.add_argument("--no-peers", action="store_true", help="leave other libraries out")
    parser.add_argument(
        "--smoke", action="store_true", help="only see that everything runs; figures mean nothing"
    )
    parser.add_argument("--write", action="store_true", help=f"write {_DOCUMENT.name}")
    arguments = parser.parse_args(words)
    unknown = set(arguments.names) - set(names)
    if unknown:
        parser.error(f"unknown benchmarks {sorted(unknown)}; there are {names}")
    if min(arguments.repeat, arguments.rounds or 1) < 1:
        parser.error("there has to be something to run")
    if arguments.write and (arguments.names or arguments.no_peers or arguments.smoke):
        parser.error("--write is for a whole run")
    return arguments


def _run(arguments: argparse.Namespace) -> None:
    chosen = [each for each in BENCHMARKS if not arguments.names or each.name in arguments.names]
    cores = cluster.split_cores()
    folder = Path(tempfile.gettempdir())
    if cluster.file_system(folder) in _IN_MEMORY and not arguments.smoke:
        raise NoDatabaseError(f"{folder} is in memory; set TMPDIR to a folder on a disk")
    peers = [] if arguments.no_peers else [f"{name} {metadata.version(name)}" for name in PACKAGES]
    with ExitStack() as stack:
        server = stack.enter_context(cluster.running(cores))
        cluster.pin(0, cores.client)
        template = stack.enter_context(migrated_template(server))
        facts = cluster.facts(server, cores)
        if peers:
            facts.append(f"Others: {', '.join(peers)}.")
        print("\n".join(facts), flush=True)
        context = Context(server, template, cores, arguments.smoke, bool(peers), arguments.rounds)
        rows: dict[str, list[list[report.Row]]] = {each.name: [] for each in chosen}
        start = time.monotonic()
        for _ in range(arguments.repeat):
            for each in chosen:
                begun = time.monotonic()
                with ExitStack() as own:
                    rows[each.name].append(each.run(replace(context, stack=own)))
                shown = report.Result(each.title, each.about, rows[each.name][-1:])
                print(report.text_table(shown))
                print(f"({each.name}: {time.monotonic() - begun:.0f} s)", flush=True)
    results = [report.Result(each.title, each.about, rows[each.name]) for each in chosen]
    seconds = time.monotonic() - start
    judged = "figures of a smoke run mean nothing" if arguments.smoke else report.tally(results)
    print(f"\n# bench: {len(results)} benchmarks in {seconds:.0f} s; {judged}")
    if arguments.write:
        report.write(_DOCUMENT, report.markdown(results, facts))
        print(f"written: {_DOCUMENT}")


def main(words: Sequence[str] | None = None) -> int:
    """Run what the command line asks for; a bar that is not met is not a failure."""
    arguments = _arguments(words)
    try:
        _run(arguments)
    except (NoDatabaseError, metadata.PackageNotFoundError) as error:
        print(f"error: {error}", file=sys.stderr)
        if isinstance(error, metadata.PackageNotFoundError):
            print("hint: make bench installs it, --no-peers does without", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    sys.exit(main())
