"""Times as 8x8's APIs write them."""

from __future__ import annotations

from datetime import UTC, datetime


def instant(wall: float) -> str:
    """`2026-11-22T17:05:09.250Z` of wall seconds; milliseconds are truncated."""
    return datetime.fromtimestamp(wall, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
