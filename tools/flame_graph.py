"""Stacks counted by py-spy or perf as a flame graph small enough for a page of the documentation.

What it is: one thread of py-spy's raw format as a plain SVG, without what is hardly seen and without the frames that
all stacks begin with; a tooltip tells each part's share. What it is not: a profiler, or interactive. Called by
tools/bench_sip.py.
"""

from __future__ import annotations

import re
from html import escape
from pathlib import Path

WIDTH, HEIGHT = 1200, 17
LEAST = 0.006
"""Share of the whole that a frame needs to be drawn."""
TRUNK = 0.95
"""Share of the whole in which stacks begin alike."""
LETTER = 6.2
"""Pixels of a letter."""
_COLOURS = {
    "sip": "#8ecae6", "sdp": "#a8dadc", "engine": "#ffd166", "workflows": "#f4a261", "storage": "#b5c99a",
    "webhooks": "#cdb4db", "net": "#e5989b", "masking": "#f1dca7",
}  # fmt: skip
_OTHER = "#dee2e6"


class Frame:
    """A function where it was called from; `samples` with all it called."""

    __slots__ = ("below", "name", "samples")

    def __init__(self, name: str) -> None:
        self.name = name
        self.samples = 0
        self.below: dict[str, Frame] = {}

    def take(self, stack: list[str], samples: int) -> None:
        """Add a stack that begins here."""
        frame = self
        frame.samples += samples
        for name in stack:
            frame = frame.below.setdefault(name, Frame(name))
            frame.samples += samples


def read_stacks(text: str, thread: str) -> Frame:
    """`text`: lines of frames by semicolon, a blank and a count. Only stacks of the thread so named are counted."""
    root = Frame(thread)
    for line in text.splitlines():
        frames, _, count = line.rpartition(" ")
        first, *stack = frames.split(";")
        if first.endswith(thread) and stack:
            root.take(stack, int(count))
    while (
        root.below and (most := max(root.below.values(), key=lambda one: one.samples)).samples >= TRUNK * root.samples
    ):
        root = most
    return root


def write_flame_graph(text: str, path: Path, thread: str) -> None:
    """Raises `ValueError` when the thread has no stack."""
    root = read_stacks(text, thread)
    if not root.samples:
        raise ValueError(f"no stack of {thread}")
    boxes: list[str] = []
    depth = _draw(root, 0.0, 0, root.samples, boxes)
    height = depth * HEIGHT
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height}" '
        f'viewBox="0 0 {WIDTH} {height}" font-family="monospace" font-size="10">\n' + "\n".join(boxes) + "\n</svg>\n"
    )


def _draw(frame: Frame, left: float, level: int, total: int, boxes: list[str]) -> int:
    """Appends this frame and what is below it; returns how many levels that took."""
    width = WIDTH * frame.samples / total
    room = int((width - 4) / LETTER)
    name = _short(frame.name)
    label = "" if room < 3 else name if len(name) <= room else name[: room - 1] + "…"
    title = f"{frame.name} {frame.samples / total:.1%}"
    boxes.append(
        f'<g><title>{escape(title)}</title><rect x="{left:.1f}" y="{level * HEIGHT}" width="{width:.1f}" '
        f'height="{HEIGHT - 1}" fill="{_colour(frame.name)}"/>'
        f'<text x="{left + 2:.1f}" y="{level * HEIGHT + 12}">{escape(label)}</text></g>'
    )
    deepest = level + 1
    for below in sorted(frame.below.values(), key=lambda one: -one.samples):
        if below.samples >= LEAST * total:
            deepest = max(deepest, _draw(below, left, level + 1, total, boxes))
            left += WIDTH * below.samples / total
    return deepest


def _short(name: str) -> str:
    """Without the file."""
    return name.partition(" (")[0]


def _colour(name: str) -> str:
    found = re.search(r"\(maskline/(\w+)/", name)
    return _COLOURS.get(found[1], _OTHER) if found else _OTHER
