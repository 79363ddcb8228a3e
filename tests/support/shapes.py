"""A few words to say what a JSON value must look like; each check yields one sentence per fault, with its path."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from typing import Any

Check = Callable[[Any, str], Iterator[str]]


def _of(what: str, fits: Callable[[Any], bool]) -> Check:
    def check(value: Any, path: str) -> Iterator[str]:
        if not fits(value):
            yield f"{path} is no {what}: {value!r}"

    return check


text = _of("text", lambda value: isinstance(value, str))
flag = _of("boolean", lambda value: isinstance(value, bool))
# json.loads keeps the difference that Go makes: 0 is whole, 0.0 and 6e1 are not.
whole = _of("whole number", lambda value: type(value) is int)
number = _of("number", lambda value: type(value) in (int, float))
null = _of("null", lambda value: value is None)


def matching(what: str, pattern: str) -> Check:
    compiled = re.compile(pattern, re.ASCII)
    return _of(what, lambda value: isinstance(value, str) and bool(compiled.fullmatch(value)))


def anything(_value: Any, _path: str) -> Iterator[str]:
    return iter(())


def nullable(inner: Check) -> Check:
    def check(value: Any, path: str) -> Iterator[str]:
        if value is not None:
            yield from inner(value, path)

    return check


def array(inner: Check, *, least: int = 0) -> Check:
    def check(value: Any, path: str) -> Iterator[str]:
        if not isinstance(value, list):
            yield f"{path} is no array: {value!r}"
            return
        if len(value) < least:
            yield f"{path} has {len(value)} items, not {least} or more"
        for index, item in enumerate(value):
            yield from inner(item, f"{path}[{index}]")

    return check


def both(*checks: Check) -> Check:
    def check(value: Any, path: str) -> Iterator[str]:
        for one in checks:
            yield from one(value, path)

    return check


def record(fields: dict[str, Check], *, without: tuple[str, ...] = ()) -> Check:
    """An object that has all `fields`, none of `without`, and whatever else."""

    def check(value: Any, path: str) -> Iterator[str]:
        if not isinstance(value, dict):
            yield f"{path} is no object: {value!r}"
            return
        for name, inner in fields.items():
            if name not in value:
                yield f"{path}.{name} is missing"
            else:
                yield from inner(value[name], f"{path}.{name}")
        yield from (f"{path}.{name} is not wanted" for name in without if name in value)

    return check


def fields(check: Check, names: str) -> dict[str, Check]:
    """The same check for each of the `names`."""
    return dict.fromkeys(names.split(), check)
