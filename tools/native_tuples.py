"""Named tuples made without their interpreted `__new__`: what `tools/compile.py` does to its copy before it compiles.

What it is: a pass over the text of modules. `collections.namedtuple` gives each class a `__new__` written in Python, so
to make one takes 2,400 instructions, and a masked call makes forty; `tuple.__new__(Class, (…))`, which that function
ends in, takes 600. What it is not: a change of the sources, or of what is made: arguments are evaluated in the same
order, and whatever cannot be judged here stays as it is. Who uses it: `tools/compile.py`.
"""

from __future__ import annotations

import ast
import copy
from collections.abc import Iterator, Mapping

from tools.native_values import Module

_BASE = "typing.NamedTuple"
_MADE = (
    "from typing import Any as _TupleAny, Final as _TupleFinal, cast as _tuple_cast\n"
    "_new_tuple: _TupleFinal[_TupleAny] = tuple.__new__\n"
)
Fields = dict[str, str | None]
"""Text of the default by field's name; None: it has none."""


def tuples(modules: Mapping[str, str], others: Mapping[str, str]) -> dict[str, str]:
    """The texts of `modules` (by full name), with named tuples made directly. `others`: what else has such classes."""
    own = {name: Module(name, text) for name, text in modules.items()}
    known = own | {name: Module(name, text) for name, text in others.items()}
    classes = {
        f"{module.name}.{node.name}": _fields(node)
        for module in known.values()
        for node in module.classes.values()
        if [module.full(base) for base in node.bases] == [_BASE]
    }
    # Some are had from a module that imports them itself.
    passed_on = {
        f"{module.name}.{name}": classes[full]
        for module in known.values()
        for name, full in module.names.items()
        if full in classes
    }
    return {name: _rewritten(module, classes | passed_on) for name, module in own.items()}


def _fields(node: ast.ClassDef) -> Fields:
    found: Fields = {}
    for item in node.body:
        if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
            found[item.target.id] = None if item.value is None else ast.unparse(item.value)
    return found


def _rewritten(module: Module, classes: Mapping[str, Fields]) -> str:
    direct = _Direct(module, classes)
    found = [(node, made) for node in _outermost(module.tree, direct) if (made := direct.visit(copy.deepcopy(node)))]
    if not found:
        return module.text
    lines = [line.encode() for line in module.text.splitlines(keepends=True)]
    for node, made in sorted(found, key=lambda one: (one[0].lineno, one[0].col_offset), reverse=True):
        assert node.end_lineno is not None
        before = lines[node.lineno - 1][: node.col_offset]
        after = lines[node.end_lineno - 1][node.end_col_offset :]
        lines[node.lineno - 1 : node.end_lineno] = [before + ast.unparse(made).encode() + after]
    future = next(node for node in module.tree.body if isinstance(node, ast.ImportFrom))
    lines[future.lineno - 1] += _MADE.encode()
    return b"".join(lines).decode()


class _Direct(ast.NodeTransformer):
    def __init__(self, module: Module, classes: Mapping[str, Fields]) -> None:
        self._module = module
        self._classes = classes

    def values_of(self, node: ast.Call) -> list[ast.expr] | None:
        """One for each field; None: leave the call."""
        fields = self._classes.get(self._module.full(node.func))
        if fields is None or any(isinstance(one, ast.Starred) for one in node.args):
            return None
        names = [*fields][len(node.args) :]
        given = {one.arg: one.value for one in node.keywords}
        if [name for name in names if name in given] != [*given]:
            return None  # a mapping, or in another order than that of the fields, in which they would be evaluated
        rest = [given.get(name) or _literal(fields[name]) for name in names]
        return [*node.args, *[one for one in rest if one is not None]] if None not in rest else None

    def visit_Call(self, node: ast.Call) -> ast.expr:
        values = self.values_of(node)
        self.generic_visit(node)
        if values is None:
            return node
        name = ast.unparse(node.func)
        made = ast.parse(f"_tuple_cast({name}, _new_tuple({name}, ()))", mode="eval").body
        assert isinstance(made, ast.Call)
        assert isinstance(made.args[1], ast.Call)
        made.args[1].args[1] = ast.Tuple([self.visit(one) for one in values], ast.Load())
        return made


def _outermost(tree: ast.Module, direct: _Direct) -> Iterator[ast.Call]:
    """In functions: what a module makes once may be as slow as it likes."""
    waiting: list[tuple[ast.AST, bool]] = [(tree, False)]
    while waiting:
        node, inside = waiting.pop()
        if inside and isinstance(node, ast.Call) and direct.values_of(node) is not None:
            yield node
            continue
        children: list[ast.AST] = [*ast.iter_child_nodes(node)]
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            children, inside = [*node.body], True
        waiting += [(child, inside) for child in children]


def _literal(text: str | None) -> ast.expr | None:
    """A default that may be written wherever the class is made."""
    if text is None:
        return None
    try:
        ast.literal_eval(text)
    except ValueError:
        return None
    return ast.parse(text, mode="eval").body
