"""What the soak test counts as growth, and what it measures."""

from __future__ import annotations

import os

import pytest

from tests.faults.usage import PROC, Series, memory_of_each, open_files, private_memory

needs_proc = pytest.mark.skipif(not (PROC / "self").exists(), reason="there is no /proc")


@pytest.mark.parametrize(
    ("samples", "grows"),
    [
        ([50.0] * 100, False),
        # Growth until caches are filled.
        ([float(min(number, 25)) for number in range(100)], False),
        ([50.0, 58.0] * 50, False),
        ([50.0 + number / 5 for number in range(100)], True),
        # A leak that begins late.
        ([50.0] * 80 + [70.0] * 20, True),
        ([90.0 - number / 5 for number in range(100)], False),
    ],
)
def test_growth(samples: list[float], grows: bool) -> None:
    assert Series("memory", "MiB", samples).grows is grows


@needs_proc
def test_a_leak_is_measured() -> None:
    before = private_memory(os.getpid())
    leak = bytearray(os.urandom(1024)) * (32 * 1024)
    assert private_memory(os.getpid()) > before + 24
    assert memory_of_each(os.getpid()) > 24
    assert leak


@needs_proc
def test_a_file_that_is_left_open_is_counted() -> None:
    before = open_files(os.getpid())
    reading, writing = os.pipe()
    assert open_files(os.getpid()) == before + 2
    os.close(reading)
    os.close(writing)
