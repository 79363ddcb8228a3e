"""Dataclasses that are written out before they are compiled do what they did."""

from __future__ import annotations

import dataclasses
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parent.parent.parent
sys.path.insert(0, str(ROOT))

from tools.native_names import constant  # noqa: E402
from tools.native_tuples import tuples  # noqa: E402
from tools.native_values import DECLARE, native  # noqa: E402

BASE = '''"""A module."""

from __future__ import annotations

from dataclasses import field
from typing import ClassVar

from maskline.values import dataclass, leaf


class Root:
    """Of all."""

    __slots__ = ()


@dataclass(frozen=True, slots=True)
class Person(Root):
    name: ClassVar[str] = "Person"
    number: str = field(repr=False)
    """Nobody's business."""
    age: int = 7
    """In years."""
    notes: list[str] = field(default_factory=list)

    @property
    def is_old(self) -> bool:
        return self.age > 90


@dataclass(slots=True)
class Child(Person):
    mother: Person | None = None

    def __post_init__(self) -> None:
        self.notes.append("made")


@dataclass(frozen=True, order=True)
class Sorted:
    rank: int


@leaf
class Plain:
    def __init__(self) -> None:
        self.notes: list[str] = []


@leaf
@dataclass(slots=True)
class Changing:
    place: str = ""
'''
OTHER = """from __future__ import annotations

from base import Person
from maskline.values import dataclass


@dataclass(frozen=True)
class Guest(Person):
    room: int = 1
"""


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """The names of both modules, run as they are written out."""
    declared = ModuleType("maskline._declared")
    exec(DECLARE, vars(declared))
    monkeypatch.setitem(sys.modules, declared.__name__, declared)
    names: dict[str, Any] = {}
    for name, text in native({"base": BASE, "other": OTHER}).items():
        module = ModuleType(name)
        vars(module)["_mypyc_attr"] = lambda **_: lambda cls: cls  # for mypyc alone
        monkeypatch.setitem(sys.modules, name, module)
        exec(compile(text, name, "exec"), vars(module))
        names |= vars(module)
    return names


def test_a_value_is_made_by_position_and_by_name_with_its_defaults(made: dict[str, Any]) -> None:
    one = made["Person"]("+441", notes=["x"])
    assert (one.number, one.age, one.notes, one.name, one.is_old) == ("+441", 7, ["x"], "Person", False)
    assert made["Person"]("+441").notes == []
    with pytest.raises(TypeError):
        made["Person"]()


def test_values_are_equal_by_class_and_fields_and_hash_alike(made: dict[str, Any]) -> None:
    guest, person = made["Guest"], made["Person"]
    assert guest("1", 2) == guest("1", 2)
    assert guest("1", 2) != guest("1", 3)
    assert guest("1", 2) != person("1", 2)
    assert person("1") != "1"
    sortable = made["Sorted"]
    assert hash(sortable(1)) == hash(sortable(1))


def test_what_repr_hides_stays_hidden(made: dict[str, Any]) -> None:
    assert repr(made["Person"]("+441")) == "Person(age=7, notes=[])"


def test_the_standard_library_still_knows_the_fields(made: dict[str, Any]) -> None:
    child = dataclasses.replace(made["Child"]("+441", 3, [], None), age=4)
    assert [one.name for one in dataclasses.fields(child)] == ["number", "age", "notes", "mother"]
    assert dataclasses.asdict(child) == {"number": "+441", "age": 4, "notes": ["made", "made"], "mother": None}


def test_a_class_that_cannot_be_judged_stays_a_dataclass(made: dict[str, Any]) -> None:
    assert made["Sorted"](1) < made["Sorted"](2)
    assert "order=True" in native({"base": BASE})["base"]


def test_what_inherits_from_a_module_that_is_not_compiled_stays_a_dataclass() -> None:
    assert "@dataclass(frozen=True)" in native({"other": OTHER})["other"]


def test_what_nothing_changes_is_said_to_be_in_no_cycle() -> None:
    marked = [line for line in native({"base": BASE})["base"].splitlines() if line.startswith(("@_mypyc", "class"))]
    assert marked == [
        "@_mypyc_attr(acyclic=True)", "class Root:", "@_mypyc_attr(acyclic=True)", "class Person(Root):",
        "class Child(Person):", "class Sorted:", "@_mypyc_attr(acyclic=True)", "class Plain:",
        "@_mypyc_attr(acyclic=True)", "class Changing:",
    ]  # fmt: skip


def test_a_leaf_is_what_it_was(made: dict[str, Any]) -> None:
    assert made["Plain"]().notes == []
    assert made["Changing"]("x") == made["Changing"]("x") != made["Changing"]()
    text = "from __future__ import annotations\n\nfrom maskline.values import leaf\n\n\n@leaf\nclass One:\n    pass\n"
    assert "mypy_extensions" in native({"alone": text})["alone"]


COLOURS = """from __future__ import annotations

from enum import Enum
from re import compile as made


class Colour(Enum):
    RED = 1
    BLUE = 2


LIMIT = 5
NAMES: dict[str, int] = {}
FIRST, SECOND = made("1"), made("2")
COUNT = 0
COUNT = 1
total = 0
KIND = Colour


def is_red(colour: Colour, other: Colour = Colour.RED) -> bool:
    match colour:
        case Colour.BLUE:
            return False
    return colour is Colour.RED and other is Colour.RED
"""


def test_constants_are_said_to_be_final_and_members_become_constants() -> None:
    text = constant({"colours": COLOURS}, {})["colours"]
    for line in (
        "LIMIT: _Final = 5", "NAMES: _Final[dict[str, int]] = {}", "COUNT = 0", "KIND = Colour", "total = 0",
        'FIRST: _Final = made(\'1\'); SECOND: _Final = made(\'2\')', "_COLOUR_RED__: _Final = Colour.RED",
        "    return colour is _COLOUR_RED__ and other is _COLOUR_RED__",
    ):  # fmt: skip
        assert line in text.splitlines()
    names: dict[str, Any] = {}
    exec(compile(text, "colours", "exec"), names)
    assert names["is_red"](names["Colour"].RED)
    assert not names["is_red"](names["Colour"].BLUE)


def test_members_of_an_enum_elsewhere_become_constants_too() -> None:
    other = "from colours import Colour\n\n\ndef red() -> Colour:\n    return Colour.RED\n"
    text = constant({"other": f"from __future__ import annotations\n{other}"}, {"colours": COLOURS})["other"]
    assert "    return _COLOUR_RED__" in text.splitlines()


PLACES = """from __future__ import annotations

from typing import NamedTuple

from away import Far
from passing import Near


class Place(NamedTuple):
    name: str
    depth: int = 0
    more: tuple[str, ...] = ()


HOME = Place("home")


def noted(log: list[str], text: str) -> str:
    log.append(text)
    return text


def places(log: list[str]) -> list[object]:
    rest = ("d", 4)
    return [
        Place("a"), Place(noted(log, "b"), more=(noted(log, "c"),)), Place(*rest), Far(Place("e", 5), 1),
        Place(more=(noted(log, "f"),), name=noted(log, "g")), Near("h"), [Place(n) for n in "i"],
    ]


def outer() -> object:
    def inner() -> Place:
        return Place("j", depth=1)

    return inner()
"""
FAR = """from typing import NamedTuple

LATEST = []


class Far(NamedTuple):
    place: object
    size: int
    seen: object = LATEST
"""
NEAR = "from typing import NamedTuple\n\n\nclass Near(NamedTuple):\n    name: str\n"


def test_named_tuples_are_made_without_their_own_function_and_are_what_they_were(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    others = {"away": FAR, "near": NEAR, "passing": "from near import Near as Near\n"}
    text = tuples({"places": PLACES}, others)["places"]
    plain: dict[str, Any] = {}
    direct: dict[str, Any] = {}
    for name, other in (("near", NEAR), ("passing", others["passing"]), ("away", FAR)):
        module = ModuleType(name)
        monkeypatch.setitem(sys.modules, name, module)
        exec(other, vars(module))
    exec(PLACES, plain)
    exec(compile(text, "places", "exec"), direct)
    logs: tuple[list[str], list[str]] = ([], [])
    assert direct["places"](logs[1]) == plain["places"](logs[0])
    assert logs[0] == logs[1]
    assert direct["outer"]() == ("j", 1, ())
    assert type(direct["places"]([])[0]) is direct["Place"]
    assert direct["HOME"].name == "home"
    for made in (
        "HOME = Place('home')".replace("'", '"'), "Place(*rest)", "Far(_tuple_cast(Place",
        "Place(more=(noted(log, 'f'),), name=noted(log, 'g'))", "_new_tuple(Near, ('h',))",
        "_new_tuple(Place, (n, 0, ()))",
        "_new_tuple(Place, ('j', 1, ()))",
    ):  # fmt: skip
        assert made in text or made.replace("'", '"') in text, made


def test_a_module_that_makes_no_named_tuple_stays_as_it_is() -> None:
    assert tuples({"other": OTHER}, {}) == {"other": OTHER}
