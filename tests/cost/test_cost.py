"""No function costs much for an input of a quarter of a megabyte: a short `make fuzz-cost`.

The bars are far above what the functions take, and far below what a function takes whose time or
memory grows with the square of the input.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pgthreads.postgres.migrate import migrate
from tests.cost.calls import CALLS, Call
from tests.cost.inputs import ATOMS, DOMAINS, SHAPES, Genome
from tests.cost.meter import measure
from tests.database import Server, new_database

SIZE = 250_000
SECONDS = 1.5
MEMORY = 160 * 1024 * 1024

FEW = {
    "text": [Genome((atom,), glue, "text", 40) for atom, glue in (("4", " "), ("GB82", " "))],
    "json": [Genome(("1e300",), "", shape, 40) for shape in ("numbers", "deep", "keys")],
    "frames": [Genome(("the",), " ", shape, 8) for shape in ("deltas", "calls", "same-metadata")],
    "history": [Genome(("x",), "", shape, 2) for shape in ("star", "steps", "random")],
    "message": [
        *(Genome(("4",), " ", shape, 40) for shape in ("text", "tools", "metadata")),
        Genome(("1e300",), "", "numbers", 40),
        # The parser of text search took time in the square of such a word's length.
        Genome(("ghp_",), "", "text", 40),
        Genome(("x-", "a_"), "", "text", 40),
    ],
}
FEW |= {
    "question": FEW["message"],
    "waiting": FEW["message"],
    "messages": FEW["message"],
    "object": FEW["json"],
}


@pytest.fixture(scope="module")
def dsn(database_server: Server) -> Iterator[str]:
    with new_database(database_server) as database:
        migrate(database.admin_dsn, optional=("search",))
        yield database.admin_dsn


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.name)
def test_what_a_call_costs(dsn: str, call: Call) -> None:
    costs = [
        (genome, cost)
        for genome in FEW[call.domain]
        if (cost := measure(dsn, call, DOMAINS[call.domain](genome, SIZE))) is not None
    ]
    assert costs, "nothing that comes before it was accepted"
    for genome, cost in costs:
        assert cost.seconds < SECONDS, genome
        assert cost.memory < MEMORY, genome


def test_each_shape_makes_what_it_says() -> None:
    """Inputs are of about the size that was asked for, so that costs can be compared."""
    for domain, make in DOMAINS.items():
        for shape in SHAPES[domain]:
            made = make(Genome(tuple(ATOMS["words"][:3]), " ", shape, 40), 20_000)
            assert len(made) < 50_000, (domain, shape)
