"""What options of the benches may be: types for argparse, each of which refuses in one sentence.

What it is: a figure that nothing could be measured with (a rate of 0, a step that never climbs, half a list) is told
before a server is started. What it is not: the options themselves. Who uses it: `bench_*.py`.
"""

from __future__ import annotations

import math
from argparse import ArgumentTypeError


def amount(text: str) -> float:
    """1 at least: calls a second, or seconds."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 1 <= value < math.inf:
        raise ArgumentTypeError(f"{text!r} is not a number of 1 or more")
    return value


def whole(text: str) -> int:
    """The same without a fraction."""
    value = amount(text)
    if value != int(value):
        raise ArgumentTypeError(f"{text!r} is not a whole number")
    return int(value)


def count(text: str) -> int:
    """0 or more; what 0 stands for is said by the option."""
    try:
        value = int(text)
    except ValueError:
        value = -1
    if value < 0:
        raise ArgumentTypeError(f"{text!r} is not a whole number of 0 or more")
    return value


def climb(text: str) -> float:
    """By what a rate is multiplied at a time."""
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not 1 < value < math.inf:
        raise ArgumentTypeError(f"{text!r} is not above 1, so a search would never climb")
    return value


def multiples(text: str) -> list[float]:
    """Of a limit, by commas."""
    try:
        values = [float(one) for one in text.split(",")]
    except ValueError:
        values = []
    if not values or not all(0 < one < math.inf for one in values):
        raise ArgumentTypeError(f"{text!r} is no list of numbers above 0, such as 0.5,1,2")
    return values


def amounts(text: str) -> list[float]:
    """By commas."""
    return [amount(one) for one in text.split(",")]


def wholes(text: str) -> list[int]:
    return [whole(one) for one in text.split(",")]


def names(text: str) -> list[str]:
    return text.split(",")
