"""Values: dataclasses that nothing may change, and that cost little to make.

What it is: `dataclass` for `@dataclass(frozen=True, slots=True)`, used as the one of the standard library. To the type
checker it is that one, so to change a value is an error of `mypy --strict`, which every change of the code has to pass.
At run time a frozen class is made without the guard: Python's own sets each field by a call of `object.__setattr__`,
which was 6 to 10 % of a masked call, that makes some sixty values (docs/decisions, "Frozen for the checker").
What it is not: protection from code that is not checked. Who uses it: modules whose values are made for every call.

And `leaf`, which says of a class that nothing it holds leads back to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, TypeVar

if TYPE_CHECKING:
    from dataclasses import dataclass
else:
    import dataclasses

    def dataclass(cls: type | None = None, /, *, frozen: bool = False, **options: Any) -> Any:
        """As `dataclasses.dataclass`; a frozen class hashes by its fields, as there."""
        if frozen and options.get("eq", True):
            options["unsafe_hash"] = True
        return dataclasses.dataclass(cls, **options)


C = TypeVar("C", bound=type)


def leaf(cls: C) -> C:
    """Of a class whose values hold nothing that leads back to them, whatever becomes of them: the collector of cycles
    need not look at them, and what `make compile` makes of the class is out of its sight. A call in progress has some
    sixty things, and to look at each of them once was 4 % of a call."""
    return cls


__all__ = ["dataclass", "leaf"]
