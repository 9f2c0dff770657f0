"""Prometheus metrics of one application, in a registry of its own."""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from .pump import Outcome


class Metrics:
    """What operators watch: turns by how they ended, answers that were not stored, requests."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.turns = Counter(
            "pgthreads_turns_total", "Turns that ended", ["status"], registry=self.registry
        )
        self.unstored = Counter(
            "pgthreads_answers_not_stored_total",
            "Answers that the database did not take",
            ["code"],
            registry=self.registry,
        )
        self.running = Gauge(
            "pgthreads_turns_running", "Turns that run in this process", registry=self.registry
        )
        self.readers = Gauge(
            "pgthreads_streams_open", "Clients that read a turn's stream", registry=self.registry
        )
        self.requests = Histogram(
            "pgthreads_request_seconds",
            "Time to the end of the answer, by route",
            ["method", "route", "status"],
            registry=self.registry,
        )

    def turn_ended(self, outcome: Outcome) -> None:
        """Count a turn by its outcome."""
        self.turns.labels(outcome.status).inc()
        if outcome.lost:
            self.unstored.labels(outcome.error).inc()

    def text(self) -> bytes:
        """Return all metrics in Prometheus's text format."""
        return generate_latest(self.registry)
