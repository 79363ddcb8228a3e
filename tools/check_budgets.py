"""Count what CONTRIBUTING.md promises about size and shape; print one line per violation, then the medians.

What it is: a reader of the syntax tree of every Python file in src, tools and tests, and of the text of every
file in the repository. What it is not: a style checker (ruff) or the layer contract (import-linter). Called
by `make lint`; exit 1 when something is over its budget.

A file over 400 lines needs `# budget: <reason>` as its first line and may then have 600.
"""

from __future__ import annotations

import ast
import re
import statistics
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent

FUNCTION_LINES = 50
FUNCTION_MEDIAN = 10
FILE_LINES = 400
FILE_LINES_WITH_REASON = 600
CLASS_LINES = 300
DOCSTRING_FROM = 20
"""A module longer than this many lines opens with a docstring."""

PURE = (
    "src/maskline/sip/**/*.py",
    "src/maskline/sdp/**/*.py",
    "src/maskline/masking/**/*.py",
    "src/maskline/engine/announcer.py",
    "src/maskline/engine/call*.py",
    "src/maskline/engine/capture.py",
    "src/maskline/engine/digit_entry.py",
    "src/maskline/engine/pin_prompt.py",
    "src/maskline/webhooks/schedule.py",
    "src/maskline/webhooks/sign.py",
    "src/maskline/webhooks/formats/**/*.py",
)
"""Modules without IO and clock (docs/decisions/0001): bytes, events and `now` in, data out."""

IMPURE_IMPORTS = {
    *("aiohttp", "asyncio", "concurrent", "fcntl", "http", "logging", "multiprocessing", "os", "select", "selectors"),
    *("signal", "socket", "sqlite3", "ssl", "structlog", "subprocess", "tempfile", "threading", "time", "uvloop"),
    "urllib.request",
}  # fmt: skip

# Split so that this file does not contain what it looks for.
MARKERS = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X|HACK)\b|NotImplemented" r"Error|(?i:\bfor" r" now\b)")
PLACES = re.compile(
    r"pypi\." r"org|python" r"hosted\.org|npmjs\." r"(?:org|com)|deb\.debian" r"\.org|crates\." r"io|proxy\.golang"
    r"|(?<![\w.])/(?:work/\w|tmp/wt\b|tmp/venv\b|root/\.)"
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Violation:
    path: str
    line: int
    what: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.what}"


@dataclass(slots=True)
class Sizes:
    functions: list[int]
    files: list[int]


Function = ast.FunctionDef | ast.AsyncFunctionDef


def check_source(path: str, text: str, *, pure: bool, sizes: Sizes) -> Iterator[Violation]:
    """Everything asked of one Python file of src or tools."""
    tree = ast.parse(text)
    lines = text.splitlines()
    sizes.files.append(len(lines))
    yield from check_file_size(path, lines)
    if len(lines) > DOCSTRING_FROM and not ast.get_docstring(tree):
        yield Violation(path, 1, f"no module docstring in {len(lines)} lines")
    for node in ast.walk(tree):
        yield from check_node_size(path, node, sizes)
        yield from check_handler(path, node)
        if pure:
            yield from check_imports(path, node)


def check_file_size(path: str, lines: list[str]) -> Iterator[Violation]:
    reason = lines[0].partition("# budget:")[2].strip() if lines and lines[0].startswith("# budget:") else ""
    limit = FILE_LINES_WITH_REASON if reason else FILE_LINES
    if len(lines) > limit:
        yield Violation(path, 1, f"file of {len(lines)} lines, budget {limit}")


def check_node_size(path: str, node: ast.AST, sizes: Sizes) -> Iterator[Violation]:
    if isinstance(node, Function):
        length = (node.end_lineno or node.lineno) - node.lineno + 1
        sizes.functions.append(length)
        if length > FUNCTION_LINES:
            yield Violation(path, node.lineno, f"function {node.name} of {length} lines, budget {FUNCTION_LINES}")
    elif isinstance(node, ast.ClassDef):
        length = (node.end_lineno or node.lineno) - node.lineno + 1
        if length > CLASS_LINES:
            yield Violation(path, node.lineno, f"class {node.name} of {length} lines, budget {CLASS_LINES}")


def check_handler(path: str, node: ast.AST) -> Iterator[Violation]:
    if isinstance(node, ast.ExceptHandler) and all(isinstance(item, ast.Pass) for item in node.body):
        yield Violation(path, node.lineno, "exception swallowed by 'pass'")


def check_imports(path: str, node: ast.AST) -> Iterator[Violation]:
    names: list[str] = []
    if isinstance(node, ast.Import):
        names = [alias.name for alias in node.names]
    elif isinstance(node, ast.ImportFrom) and node.level == 0:
        names = [node.module or ""]
    for name in names:
        if name in IMPURE_IMPORTS or name.split(".")[0] in IMPURE_IMPORTS:
            line = getattr(node, "lineno", 1)
            yield Violation(path, line, f"pure module imports {name}")


def check_markers(path: str, text: str) -> Iterator[Violation]:
    """Unfinished work is not left behind in src."""
    for number, line in enumerate(text.splitlines(), 1):
        if found := MARKERS.search(line):
            yield Violation(path, number, f"marker of unfinished work: {found.group()}")


def check_places(path: str, text: str) -> Iterator[Violation]:
    """Nothing may name a package registry's host or a path of somebody's machine."""
    for number, line in enumerate(text.splitlines(), 1):
        if found := PLACES.search(line):
            yield Violation(path, number, f"names a place outside the project: {found.group()}")


def check_medians(sizes: Sizes) -> Iterator[Violation]:
    if sizes.functions and (middle := statistics.median(sizes.functions)) > FUNCTION_MEDIAN:
        yield Violation("src", 0, f"median function of {middle} lines, budget {FUNCTION_MEDIAN}")


def pure_paths(root: Path) -> set[Path]:
    return {path for pattern in PURE for path in root.glob(pattern)}


def repository_files(root: Path) -> list[Path]:
    """Files git knows or would add; ignored ones are nobody's text."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    listing = subprocess.run(command, cwd=root, check=True, capture_output=True).stdout
    return [path for name in listing.decode().split("\0") if name and (path := root / name).is_file()]


def check_repository(root: Path, sizes: Sizes) -> Iterator[Violation]:
    pure = pure_paths(root)
    for path in repository_files(root):
        name = path.relative_to(root).as_posix()
        try:
            text = path.read_text()
        except UnicodeDecodeError:
            continue
        yield from check_places(name, text)
        if path.suffix != ".py":
            continue
        if name.startswith("src/"):
            yield from check_source(name, text, pure=path in pure, sizes=sizes)
            yield from check_markers(name, text)
        elif name.startswith("tools/"):
            yield from check_source(name, text, pure=False, sizes=Sizes([], []))


def main() -> int:
    sizes = Sizes([], [])
    violations = [*check_repository(ROOT, sizes), *check_medians(sizes)]
    for violation in violations:
        print(violation)
    if sizes.functions:
        print(
            f"src: {len(sizes.files)} files, median {statistics.median(sizes.files):g} lines, "
            f"longest {max(sizes.files)}; {len(sizes.functions)} functions, "
            f"median {statistics.median(sizes.functions):g} lines, longest {max(sizes.functions)}; "
            f"{len(violations)} over budget"
        )
    return 1 if violations else 0


if __name__ == "__main__":
    sys.exit(main())
