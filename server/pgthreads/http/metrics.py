"""The Prometheus metrics of one application, in a registry of its own.

If PROMETHEUS_MULTIPROC_DIR is set, several processes write to that folder, and each of them reports
the metrics of all (prometheus_client, "Multiprocess Mode").
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from ..turns.turn import Ending


class Metrics:
    """What operators watch: how turns end, answers that were not stored, limits, and requests."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.turns = Counter(
            "pgthreads_turns_total", "Turns that have ended", ["status"], registry=self.registry
        )
        self.unstored = Counter(
            "pgthreads_answers_not_stored_total",
            "Answers that the database did not take",
            ["code"],
            registry=self.registry,
        )
        self.corrected = Counter(
            "pgthreads_answers_corrected_total",
            "Answers whose final text contradicted what was streamed",
            registry=self.registry,
        )
        # "livesum": the sum of the workers that are alive, if they share a folder.
        self.running = Gauge(
            "pgthreads_turns_running",
            "Turns that are running",
            registry=self.registry,
            multiprocess_mode="livesum",
        )
        self.waiting = Gauge(
            "pgthreads_messages_waiting",
            "Messages that wait for the running turn of their thread",
            registry=self.registry,
            multiprocess_mode="livesum",
        )
        self.readers = Gauge(
            "pgthreads_streams_open",
            "Clients that read a turn's stream",
            registry=self.registry,
            multiprocess_mode="livesum",
        )
        self.listeners = Gauge(
            "pgthreads_listeners",
            "Clients that are told which threads change",
            registry=self.registry,
            multiprocess_mode="livesum",
        )
        self.refused = Counter(
            "pgthreads_limited_total",
            "Requests and connections that a limit refused",
            ["limit"],
            registry=self.registry,
        )
        self.requests = Histogram(
            "pgthreads_request_seconds",
            "Time to the end of the answer, by route",
            ["method", "route", "status"],
            registry=self.registry,
        )

    def turn_started(self) -> None:
        """Count a turn as running."""
        self.running.inc()

    def turn_ended(self, ending: Ending | None) -> None:
        """Count a turn by how it ended; `ending` is None if it broke off."""
        self.running.dec()
        if ending is None:
            return
        self.turns.labels(ending.status).inc()
        if ending.corrected:
            self.corrected.inc()
        if ending.lost:
            self.unstored.labels(ending.code).inc()

    def message_waits(self) -> AbstractContextManager[object]:
        """Count a message as waiting while the returned context is entered."""
        return self.waiting.track_inprogress()

    def refuse(self, limit: str) -> None:
        """Count what a limit refused."""
        self.refused.labels(limit).inc()

    def text(self) -> bytes:
        """Return all metrics in Prometheus's text format, of all workers if they share a folder."""
        if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
            return generate_latest(self.registry)
        registry = CollectorRegistry()
        MultiProcessCollector(registry)  # type: ignore[no-untyped-call]
        return generate_latest(registry)
