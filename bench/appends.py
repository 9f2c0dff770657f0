"""A user message and its answer in one call, compared with the least durable write."""

from __future__ import annotations

from bench.harness import Context, System, interleave
from bench.messages import Exchange
from bench.peers import peer_stores
from bench.report import Bar, Row
from bench.stores import Floor, PgThreads, append_system, at, bench_database, settle

LENGTHS = (2, 20, 200, 1_000, 10_000)
_SMOKE_LENGTHS = (2, 20)
_EVERY = 10


def floor_systems(floor: Floor) -> list[System]:
    """Return F1 and F1×2."""
    return [
        System("F1", lambda: floor.insert(Exchange.new().answer())),
        System("F1×2", lambda: floor.insert_twice(Exchange.new())),
    ]


class Appends:
    """One call with a user message and its answer."""

    name = "appends"
    title = "User message and answer in one call"
    about = (
        "`append_thread` with two messages, to threads that already have the given number; ratios"
        " are to F1. The last line compares the longest thread with the shortest. Other libraries"
        " store the same two messages by the one call that they have for it, without a lock,"
        " redaction, a digest or row level security."
    )

    def run(self, context: Context) -> list[Row]:
        """Measure all lengths and systems against each other."""
        database = bench_database(context)
        rounds = context.rounds(50)
        lengths = _SMOKE_LENGTHS if context.smoke else LENGTHS
        floor, store = Floor(database, context.stack), PgThreads(database, context.stack)
        ours = [append_system(context, store, length, rounds) for length in lengths]
        others = []
        for peer in peer_stores(database, context):
            for length in lengths:
                if length > peer.longest:
                    continue
                slow = peer.grows and length >= 1_000
                options = {"block": 1, "every": 25, "warm_up": 2} if slow else {"every": _EVERY}
                system = append_system(context, peer, length, rounds, **options)
                others.append((system, peer.name, length))
        settle(database)
        systems = [*floor_systems(floor), *ours, *(system for system, *_ in others)]
        samples = interleave(context, systems, rounds)
        rows = [
            Row.of_ratio("F1, an answer", samples.median("F1"), samples.ratio("F1", "F1")),
            Row.of_ratio("F1×2", samples.median("F1×2"), samples.ratio("F1×2", "F1")),
        ]
        for system in ours:
            ratio = samples.ratio(system.name, "F1")
            rows.append(Row.of_ratio(system.name, samples.median(system.name), ratio, Bar(2.2)))
        longest, shortest = at(store.name, lengths[-1]), at(store.name, lengths[0])
        flat = samples.ratio(longest, shortest)
        what = f"{store.name}, {lengths[-1]:,} against {lengths[0]} messages"
        rows.append(Row(what, "", flat.value, (flat.low, flat.high), Bar(1.05)))
        for system, *_ in others:
            ratio = samples.ratio(system.name, "F1")
            rows.append(Row.of_ratio(system.name, samples.median(system.name), ratio))
        return rows
