"""Constants of modules said to be constant: what `tools/compile.py` does to its copy before it compiles.

What it is: a pass over the text of modules. mypyc looks up every name of a module in the module's dictionary, since it
may be given another value; one that is `Final` it keeps in C. The members of an `Enum` cost a look-up in the class as
well, which in Python 3.11 is a call: each that a function names becomes a constant of its module. What it is not: a
change of the sources, or a proof: mypy, which checks the copy again, says where a name is not constant. Who uses it:
`tools/compile.py`.
"""

from __future__ import annotations

import ast
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from tools.native_values import Module

_CONSTANT = re.compile(r"_{0,2}[A-Z][A-Z0-9_]*")
_NO_VALUES = ("TypeVar", "ParamSpec", "NewType")
_ENUMS = ("enum.Enum", "enum.StrEnum", "enum.IntEnum", "enum.Flag")


@dataclass(frozen=True)
class _Edit:
    """Text from one place to another (line from 1, column in bytes) that becomes `text`."""

    line: int
    column: int
    end_line: int
    end_column: int
    text: str


def constant(modules: Mapping[str, str], others: Mapping[str, str]) -> dict[str, str]:
    """The texts of `modules` (by full name), with their constants said to be `Final`. `others`: what else has enums."""
    known = {name: Module(name, text) for name, text in modules.items()}
    enums = _enums(known | {name: Module(name, text) for name, text in others.items() if "Enum" in text})
    return {name: _with_constants(module, enums) for name, module in known.items()}


def _enums(known: Mapping[str, Module]) -> dict[str, frozenset[str]]:
    """Names of members by full name of the class."""
    kinds, found = set(_ENUMS), {}
    classes = [(module, node) for module in known.values() for node in module.classes.values()]
    for _ in range(3):  # a base of ours may be in another module
        for module, node in classes:
            if any(module.full(base) in kinds for base in node.bases):
                full = f"{module.name}.{node.name}"
                kinds.add(full)
                found[full] = frozenset(_members(node))
    return found


def _members(node: ast.ClassDef) -> Iterator[str]:
    for item in node.body:
        if isinstance(item, ast.Assign) and isinstance(item.targets[0], ast.Name):
            yield item.targets[0].id


def _with_constants(module: Module, enums: Mapping[str, frozenset[str]]) -> str:
    edits = [*_finals(module)]
    hoisted: dict[str, str] = {}
    for member in _named_members(module, enums):
        text = ast.unparse(member)
        name = hoisted.setdefault(text, f"_{text.replace('.', '_').upper()}__")
        edits.append(_edit(member, name))
    first = max(node.end_lineno or 0 for node in module.tree.body if isinstance(node, ast.Import | ast.ImportFrom))
    places = {node.name: node.end_lineno or 0 for node in module.classes.values()}
    lines = [line.encode() for line in module.text.splitlines(keepends=True)]
    for edit in sorted(edits, key=lambda one: (one.line, one.column), reverse=True):
        before = lines[edit.line - 1][: edit.column]
        after = lines[edit.end_line - 1][edit.end_column :]
        # The number of lines stays, for what is inserted by number below.
        lines[edit.line - 1 : edit.end_line] = [
            before + edit.text.encode() + after,
            *[b""] * (edit.end_line - edit.line),
        ]
    for text, name in hoisted.items():
        at = places.get(text.partition(".")[0], first) - 1
        lines[at] += f"\n\n{name}: _Final = {text}\n".encode()
    if edits:
        future = next(node for node in module.tree.body if isinstance(node, ast.ImportFrom))
        lines[future.lineno - 1] += b"from typing import Final as _Final\n"
    return b"".join(lines).decode()


def _edit(node: ast.stmt | ast.expr, text: str) -> _Edit:
    assert node.end_lineno is not None
    assert node.end_col_offset is not None
    return _Edit(node.lineno, node.col_offset, node.end_lineno, node.end_col_offset, text)


def _finals(module: Module) -> Iterator[_Edit]:
    """Assignments of the module to names in capitals that nothing else assigns to."""
    times = Counter(
        node.id for node in ast.walk(module.tree) if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store)
    )
    changing = {name for node in ast.walk(module.tree) if isinstance(node, ast.Global) for name in node.names}

    def fits(target: ast.expr, value: ast.expr | None) -> bool:
        return (
            isinstance(target, ast.Name)
            and _CONSTANT.fullmatch(target.id) is not None
            and times[target.id] == 1
            and target.id not in changing
            and value is not None
            and not isinstance(value, ast.Name)  # perhaps a class, and so another name of a type
            and not (isinstance(value, ast.Call) and module.full(value.func).rpartition(".")[2] in _NO_VALUES)
        )

    for node in module.tree.body:
        if isinstance(node, ast.AnnAssign) and fits(node.target, node.value) and "Final" not in ast.dump(node):
            yield _edit(node.annotation, f"_Final[{ast.unparse(node.annotation)}]")
        elif isinstance(node, ast.Assign) and len(node.targets) == 1:
            target, value = node.targets[0], node.value
            if fits(target, value):
                yield _edit(target, f"{ast.unparse(target)}: _Final")
            elif isinstance(target, ast.Tuple) and isinstance(value, ast.Tuple):
                pairs = list(zip(target.elts, value.elts, strict=False))
                if len(target.elts) == len(value.elts) and all(fits(*pair) for pair in pairs):
                    yield _edit(node, "; ".join(f"{ast.unparse(a)}: _Final = {ast.unparse(b)}" for a, b in pairs))


def _named_members(module: Module, enums: Mapping[str, frozenset[str]]) -> Iterator[ast.Attribute]:
    """Where a function names a member of an enum; not in patterns, where a plain name would take what is matched."""
    waiting: list[tuple[ast.AST, bool]] = [(module.tree, False)]
    while waiting:
        node, inside = waiting.pop()
        if inside and isinstance(node, ast.Attribute) and node.attr in enums.get(module.full(node.value), ()):
            yield node
            continue
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            waiting += [(child, True) for child in node.body]  # defaults are read once
        elif not isinstance(node, ast.pattern):
            waiting += [(child, inside) for child in ast.iter_child_nodes(node)]
