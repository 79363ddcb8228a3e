"""Dataclasses written out as plain classes: what `tools/compile.py` does to its copy before it compiles.

What it is: a pass over the text of modules. mypyc compiles the body of a dataclass, but what the standard library makes
of it at import (`__init__`, `__eq__`, `__hash__`) is interpreted and called like a stranger's, and a masked call makes
some sixty such values. Here each becomes a class whose methods are written in it, so they are compiled and called
directly; `fields`, `replace` and `asdict` go on working (`DECLARE`). What it is not: a change of the sources, where
dataclasses stay as they read best, or a need: a class that it cannot judge stays a dataclass. Who uses it:
`tools/compile.py`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

_DECORATORS = ("maskline.values.dataclass", "dataclasses.dataclass")
_FIELDS = ("dataclasses.field", "maskline.values.field")
_LEAF = "maskline.values.leaf"
_OPTIONS = frozenset(("frozen", "slots", "eq"))
"""Of the decorator those that are known here."""
DECLARE = '''"""Made by `make compile`: tells the standard library of classes that were dataclasses."""

import dataclasses
from typing import Any


def declare(cls: type, names: tuple[str, ...], hidden: tuple[str, ...]) -> None:
    """`hidden`: those of `names` that `repr` does not show."""
    rows = [(name, Any, dataclasses.field(repr=name not in hidden)) for name in names]
    model: Any = dataclasses.make_dataclass(cls.__name__, rows)
    known: Any = cls
    known.__dataclass_fields__ = model.__dataclass_fields__
    known.__dataclass_params__ = model.__dataclass_params__
    setattr(cls, "__match_args__", names)
'''
_TYPES = "from typing import TYPE_CHECKING as _CHECKING, Any as _Any, ClassVar as _ClassVar\n"
_ACYCLIC = "@_mypyc_attr(acyclic=True)"
DECLARED_IN = "maskline/_declared.py"
_NO_PLAIN_FIELD = ("InitVar", "KW_ONLY")


@dataclass(frozen=True)
class _Field:
    name: str
    annotation: str
    default: str | None
    factory: str | None
    shown: bool
    """By `repr`."""
    compared: bool


@dataclass(frozen=True)
class _Class:
    """A dataclass of one module, as far as it can be judged."""

    node: ast.ClassDef
    decorator: ast.expr
    options: dict[str, str]
    """Keywords of the decorator."""
    fields: tuple[_Field, ...]


class Module:
    """One module to be compiled: its text, what its names mean, and its dataclasses."""

    def __init__(self, name: str, text: str) -> None:
        self.name = name
        self.text = text
        self.tree = ast.parse(text)
        self.names = dict(_imported(self.tree, name))
        """Full name by name in this module."""
        for node in self.tree.body:
            if isinstance(node, ast.ClassDef):
                self.names[node.name] = f"{name}.{node.name}"
        self.classes = {node.name: node for node in self.tree.body if isinstance(node, ast.ClassDef)}

    def full(self, node: ast.expr) -> str:
        """What a name, or a name behind a module's, means; empty: neither."""
        if isinstance(node, ast.Name):
            return self.names.get(node.id, node.id)
        if isinstance(node, ast.Attribute):
            return f"{self.full(node.value)}.{node.attr}"
        return ""


def native(modules: Mapping[str, str]) -> dict[str, str]:
    """The texts of `modules` (by full name), with their dataclasses written out where that can be done."""
    known = {name: Module(name, text) for name, text in modules.items()}
    return {name: _written_out(module, known) for name, module in known.items()}


def _imported(tree: ast.Module, module: str) -> Iterator[tuple[str, str]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and not node.level:
            for one in node.names:
                yield one.asname or one.name, f"{node.module}.{one.name}"
        elif isinstance(node, ast.Import):
            for one in node.names:
                yield one.asname or one.name, one.name


def _written_out(module: Module, known: Mapping[str, Module]) -> str:
    lines = module.text.splitlines(keepends=True)
    found = [one for node in module.classes.values() if (one := _judge(module, node, known)) is not None]
    leaves = {node.name: mark for node in module.classes.values() if (mark := _leaf(module, node)) is not None}
    values = {one.node.name for one in found}
    acyclic = _acyclic(module, found)
    for name in acyclic - values:
        lines[module.classes[name].lineno - 1] = f"{_ACYCLIC}\n{lines[module.classes[name].lineno - 1]}"
    for name, mark in leaves.items():
        lines[mark.lineno - 1] = "" if name in values else f"{_ACYCLIC}\n"
    acyclic |= leaves.keys()
    for one in reversed(found):
        end = one.node.end_lineno
        assert end is not None
        names, hidden = [field.name for field in one.fields], [field.name for field in one.fields if not field.shown]
        declared = f"_declare({one.node.name}, {tuple(names)}, {tuple(hidden)})"
        lines[end:end] = ["\n", *[f"    {line}\n" for line in _methods(one)], f"\n\n{declared}\n"]
        for item in reversed(one.node.body):
            if isinstance(item, ast.AnnAssign) and not _of_class(item):
                _replace(lines, item, f"    {ast.unparse(item.target)}: {ast.unparse(item.annotation)}\n")
        # A value of values that nothing changes is in no cycle: without this the collector would look at it.
        _replace(lines, one.decorator, f"{_ACYCLIC}\n" if one.node.name in acyclic else "")
    if found or leaves:
        future = next(node for node in module.tree.body if isinstance(node, ast.ImportFrom))
        lines.insert(future.lineno, "if _CHECKING: from mypy_extensions import mypyc_attr as _mypyc_attr\n")
        lines.insert(future.lineno, _TYPES)
        lines.insert(future.lineno, "from maskline._declared import declare as _declare\n")
    return "".join(lines)


def _acyclic(module: Module, found: list[_Class]) -> set[str]:
    """Frozen classes of the module whose bases are such too or mere markers, and those markers."""
    markers = {name for name, node in module.classes.items() if _is_marker(node)}
    known, used = set(markers), set[str]()
    for one in found:  # in the order of the module, so bases come first
        bases = {ast.unparse(base) for base in one.node.bases}
        if one.options.get("frozen") == "True" and bases <= known:
            known.add(one.node.name)
            used |= bases & markers
    return (known - markers) | used


def _leaf(module: Module, node: ast.ClassDef) -> ast.expr | None:
    """The decorator that says that nothing of this class leads back to it."""
    return next((one for one in node.decorator_list if module.full(one) == _LEAF), None)


def _is_marker(node: ast.ClassDef) -> bool:
    plain = not node.bases and not node.decorator_list
    return plain and all(isinstance(item, ast.Expr) or ast.unparse(item) == "__slots__ = ()" for item in node.body)


def _replace(lines: list[str], node: ast.expr | ast.stmt, text: str) -> None:
    assert node.end_lineno is not None
    lines[node.lineno - 1 : node.end_lineno] = [text]


def _judge(module: Module, node: ast.ClassDef, known: Mapping[str, Module]) -> _Class | None:
    """The dataclass with the fields of those it inherits from; None: no dataclass, or not one for us."""
    decorator = next((one for one in node.decorator_list if module.full(_called(one)) in _DECORATORS), None)
    own = {item.name for item in node.body if isinstance(item, ast.FunctionDef)}
    others = [one for one in node.decorator_list if one is not decorator and module.full(one) != _LEAF]
    if decorator is None or others or "__init__" in own or node.keywords:
        return None
    options = _options(decorator)
    if options.keys() - _OPTIONS or own & {"__eq__", "__hash__", "__repr__"}:
        return None
    fields: dict[str, _Field] = {}
    for base in node.bases:
        inherited = _inherited(module, base, known)
        if inherited is None:
            return None
        fields |= inherited
    for item in node.body:
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name) and not _of_class(item):
            field = _field(module, item)
            if field is None:
                return None
            fields[field.name] = field
    return _Class(node, decorator, options, tuple(fields.values()))


def _inherited(module: Module, base: ast.expr, known: Mapping[str, Module]) -> dict[str, _Field] | None:
    """Fields of a base of ours; None: it is not compiled, or its fields' types have no name here."""
    owner, _, name = module.full(base).rpartition(".")
    home = known.get(owner)
    node = None if home is None else home.classes.get(name)
    if home is None or node is None:
        return None
    if not node.decorator_list:
        return None if node.bases else {}
    found = _judge(home, node, known)
    if found is None or (home is not module and not all(_known_here(home, module, one) for one in found.fields)):
        return None
    return {field.name: field for field in found.fields}


def _known_here(home: Module, module: Module, field: _Field) -> bool:
    texts = [text for text in (field.annotation, field.default, field.factory) if text is not None]
    names = {node.id for text in texts for node in ast.walk(ast.parse(text)) if isinstance(node, ast.Name)}
    return all(module.names.get(name) == home.names.get(name) for name in names)


def _field(module: Module, item: ast.AnnAssign) -> _Field | None:
    assert isinstance(item.target, ast.Name)
    annotation = ast.unparse(item.annotation)
    if any(word in annotation for word in _NO_PLAIN_FIELD):
        return None
    default, factory, value = None, None, item.value
    given: dict[str, str] = {}
    if isinstance(value, ast.Call) and module.full(value.func) in _FIELDS:
        given = {one.arg or "": ast.unparse(one.value) for one in value.keywords}
        if given.keys() - {"default", "default_factory", "repr", "compare", "metadata"}:
            return None
        default, factory = given.get("default"), given.get("default_factory")
        if factory is not None and "None" in annotation:
            return None
    elif value is not None:
        default = ast.unparse(value)
    shown, compared = given.get("repr") != "False", given.get("compare") != "False"
    return _Field(item.target.id, annotation, default, factory, shown, compared)


def _of_class(item: ast.AnnAssign) -> bool:
    return "ClassVar" in ast.unparse(item.annotation)


def _options(decorator: ast.expr) -> dict[str, str]:
    keywords = decorator.keywords if isinstance(decorator, ast.Call) else []
    return {one.arg or "": ast.unparse(one.value) for one in keywords}


def _called(decorator: ast.expr) -> ast.expr:
    return decorator.func if isinstance(decorator, ast.Call) else decorator


def _methods(found: _Class) -> list[str]:
    """Lines of what the standard library would make."""
    own = {item.name for item in found.node.body if isinstance(item, ast.FunctionDef)}
    lines = ["__dataclass_fields__: _ClassVar[dict[str, _Any]]", "", *_init(found, "__post_init__" in own)]
    shown = ", ".join([f"{field.name}={{self.{field.name}!r}}" for field in found.fields if field.shown])
    lines += ["", "def __repr__(self) -> str:", f'    return f"{found.node.name}({shown})"']
    if found.options.get("eq") != "False":
        compared = [field.name for field in found.fields if field.compared]
        lines += ["", *_equality(found.node.name, compared)]
        if found.options.get("frozen") == "True":
            values = "".join([f"self.{name}, " for name in compared])
            lines += ["", "def __hash__(self) -> int:", f"    return hash(({values}))"]
    return lines


def _init(found: _Class, has_more: bool) -> list[str]:
    parameters, body = ["self"], []
    for field in found.fields:
        if field.factory is not None:
            parameters.append(f"{field.name}: {field.annotation} | None = None")
            body.append(f"    self.{field.name} = {field.factory}() if {field.name} is None else {field.name}")
            continue
        default = "" if field.default is None else f" = {field.default}"
        parameters.append(f"{field.name}: {field.annotation}{default}")
        body.append(f"    self.{field.name} = {field.name}")
    if has_more:
        body.append("    self.__post_init__()")
    return [f"def __init__({', '.join(parameters)}) -> None:", *(body or ["    pass"])]


def _equality(name: str, compared: list[str]) -> list[str]:
    same = " and ".join([f"self.{field} == other.{field}" for field in compared]) or "True"
    return [
        "def __eq__(self, other: object) -> bool:",
        f"    if not isinstance(other, {name}) or other.__class__ is not self.__class__:",
        "        return NotImplemented",
        f"    return {same}",
    ]
