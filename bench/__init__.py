"""What pgthreads claims of its speed, as ratios measured in one run: `python -m bench`."""
