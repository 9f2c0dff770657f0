"""Measures what pgthreads costs, as ratios within one run: `python -m bench`."""
