"""How many examples a run tries: few and always the same, or with --long many different ones."""

from __future__ import annotations

import pytest
from hypothesis import HealthCheck, settings

_FEW = settings(
    max_examples=60,
    stateful_step_count=50,
    derandomize=True,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)
_MANY = settings(_FEW, max_examples=3000, derandomize=False, print_blob=True)


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    if config.getoption("--long"):
        for item in items:
            item.add_marker(pytest.mark.timeout(7200))


@pytest.fixture
def examples(request: pytest.FixtureRequest) -> settings:
    """For `settings=`; a failure prints its steps, and with --long a blob that repeats it."""
    return _MANY if request.config.getoption("--long") else _FEW
