"""Counters of the HTTP side, in the Prometheus registry the process owns.

Labels are dialect, operation and status: closed lists, never an account, a path or a number.
"""

from __future__ import annotations

from prometheus_client import CollectorRegistry, Counter, Histogram

_BUCKETS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0)


class HttpMetrics:
    """Requests by dialect, operation and status, and the seconds they took."""

    __slots__ = ("_children", "_requests", "_seconds")

    def __init__(self, registry: CollectorRegistry) -> None:
        self._requests = Counter(
            "maskline_http_requests", "API requests answered.", ("dialect", "operation", "status"), registry=registry
        )
        self._seconds = Histogram(
            "maskline_http_request_seconds", "Seconds from a request's head to its answer.",
            ("dialect", "operation"), registry=registry, buckets=_BUCKETS,
        )  # fmt: skip
        # `labels()` costs as much as the rest of a count; the set of children is small and fixed.
        self._children: dict[tuple[str, str, int], tuple[Counter, Histogram]] = {}

    def count(self, dialect: str, operation: str, status: int, seconds: float) -> None:
        key = (dialect, operation, status)
        children = self._children.get(key)
        if children is None:
            children = self._children[key] = (
                self._requests.labels(dialect, operation, str(status)),
                self._seconds.labels(dialect, operation),
            )
        children[0].inc()
        children[1].observe(seconds)
