"""Values are the standard library's dataclasses in all that can be seen of them, but for the guard at run time."""

from __future__ import annotations

import dataclasses

import pytest

from maskline.values import dataclass, leaf


@dataclass(frozen=True, slots=True)
class Value:
    """A value."""

    name: str
    sizes: tuple[int, ...] = ()


@dataclass(slots=True)
class Changing:
    name: str


@dataclass(frozen=True, eq=False)
class Itself:
    name: str


def test_values_of_the_same_fields_are_equal_and_one_key() -> None:
    assert Value("a", (1,)) == Value("a", (1,)) != Value("a")
    assert {Value("a"): 1}[Value("a")] == 1


def test_a_value_has_no_other_attributes_than_its_fields() -> None:
    with pytest.raises(AttributeError):
        Value("a").other = 1  # type: ignore[attr-defined]


def test_values_are_copied_with_changes_as_dataclasses_are() -> None:
    assert dataclasses.replace(Value("a"), sizes=(2,)) == Value("a", (2,))
    assert dataclasses.asdict(Value("a")) == {"name": "a", "sizes": ()}


def test_what_is_not_frozen_is_no_key() -> None:
    with pytest.raises(TypeError):
        hash(Changing("a"))


def test_what_is_only_equal_to_itself_hashes_as_itself() -> None:
    one = Itself("a")
    assert {one: 1}[one] == 1
    assert Itself("a") != one


def test_a_leaf_is_the_class_itself() -> None:
    assert leaf(Value) is Value
