"""The SIP ladder of one call, as text, from what both phones saw on their sockets."""

from __future__ import annotations

from collections.abc import Iterable

from maskline.lab.phone import Phone

_WIDTH = 34


def draw(caller: Phone, callee: Phone) -> Iterable[str]:
    """One line a message, oldest first: time since the first one, and the arrow on its side."""
    rows = sorted(
        [(item.at, True, item) for item in caller.trace] + [(item.at, False, item) for item in callee.trace],
        key=lambda row: row[0],
    )
    yield f"{'':>9}{caller.name:^12}{'':{_WIDTH - 12}}{'Maskline':^10}{'':{_WIDTH - 12}}{callee.name:^12}"
    for at, on_caller_side, item in rows:
        label = _label(item.first_line)
        to_platform = item.sent
        arrow = _arrow(label, rightward=to_platform if on_caller_side else not to_platform)
        empty = " " * _WIDTH
        sides = (arrow, empty) if on_caller_side else (empty, arrow)
        yield f"{(at - rows[0][0]) * 1000:7.0f} ms      │{sides[0]}│{sides[1]}│"


def _label(first_line: str) -> str:
    """`180 Ringing` or `BYE`; URIs stay out, they may name a person."""
    return first_line.removeprefix("SIP/2.0 ") if first_line.startswith("SIP/2.0 ") else first_line.split(" ")[0]


def _arrow(label: str, *, rightward: bool) -> str:
    line = f" {label} ".center(_WIDTH - 1, "─")
    return f"{line}▶" if rightward else f"◀{line}"
