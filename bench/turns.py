"""A real turn: begin_turn and complete_turn, as the server sends them."""

from __future__ import annotations

from bench.appends import LENGTHS, floor_systems
from bench.harness import Context, System, interleave
from bench.messages import Exchange, conversation, new_id, new_thread
from bench.report import Bar, Row
from bench.stores import (
    OWNER,
    WINDOW,
    Call,
    Floor,
    PgThreads,
    Supply,
    at,
    bench_database,
    settle,
    statement_of,
)

_SMOKE_LENGTHS = (2, 20)
_WITH_HISTORY = f"F1×2 and F2, {WINDOW} messages"
_SHORT, _LONG = ("F1×2", Bar(2.5)), (_WITH_HISTORY, Bar(2.0))
"""What a turn is compared with, and the bar, by whether its history fills the window."""
_USAGE = {"inputTokens": 1200, "outputTokens": 420}


def turn_calls(store: PgThreads, thread: str, exchange: Exchange, window: int) -> tuple[Call, Call]:
    """Return the two calls of a turn: they are the server's own statements."""
    turn_id = new_id()
    begin = statement_of(
        lambda threads: threads.begin_turn(OWNER, thread, exchange.user(), turn_id, last=window)
    )
    finish = statement_of(
        lambda threads: threads.complete_turn(
            OWNER,
            thread,
            turn_id,
            status="completed",
            usage=dict(_USAGE),
            error_code=None,
            message=exchange.answer(),
        )
    )
    return store.call(begin), store.call(finish)


def turn_system(
    context: Context, store: PgThreads, name: str, length: int, window: int, rounds: int
) -> System:
    """Return a system that runs turns in threads of a length, which it fills."""

    def ready() -> Call:
        begin, finish = turn_calls(store, supply.take(), Exchange.new(), window)
        return lambda: (begin(), finish())

    system = System(name, ready)
    supply = Supply(store, length, system.calls(context, rounds))
    return system


class Turns:
    """A turn against two durable inserts."""

    name = "turns"
    title = "A turn"
    about = (
        "`begin_turn`, which also returns the last messages for the prompt (200 by default), and"
        " `complete_turn`, which stores the answer and ends the turn: two commits, by the"
        " server's own statements. Ratios are to F1×2; where 200 messages are returned, to F1×2"
        " and a SELECT of 200 messages. The lines with one message returned show what the history"
        " costs."
    )

    def run(self, context: Context) -> list[Row]:
        """Measure all lengths against each other."""
        database = bench_database(context)
        rounds = context.rounds(50)
        lengths = _SMOKE_LENGTHS if context.smoke else LENGTHS
        floor, store = Floor(database, context.stack), PgThreads(database, context.stack)
        cases: list[tuple[str, int, int, str, Bar | None]] = [
            (at("turn", length), length, WINDOW, *(_SHORT if length < WINDOW else _LONG))
            for length in lengths
        ]
        cases += [
            (f"{at('turn', length)}, one returned", length, 1, "F1×2", None)
            for length in (lengths[0], lengths[-1])
        ]
        systems = [
            turn_system(context, store, name, length, window, rounds)
            for name, length, window, _, _ in cases
        ]
        history = new_thread()
        floor.fill(history, conversation(WINDOW))

        def both() -> Call:
            insert, select = floor.insert_twice(Exchange.new()), floor.load(history)
            return lambda: (insert(), select())

        settle(database)
        floors = [*floor_systems(floor), System(_WITH_HISTORY, both)]
        samples = interleave(context, [*floors, *systems], rounds)
        rows = [
            Row.of_ratio(name, samples.median(name), samples.ratio(name, "F1×2"))
            for name in ("F1×2", _WITH_HISTORY)
        ]
        for name, _, _, base, bar in cases:
            rows.append(Row.of_ratio(name, samples.median(name), samples.ratio(name, base), bar))
        return rows
