"""Searches for inputs that cost PostgreSQL much: `make fuzz-cost`."""
