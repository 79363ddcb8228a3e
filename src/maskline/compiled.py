"""Whether the package that runs is the one `make compile` makes.

What it is: one question, asked of the file system. What it is not: the compiler (`tools/compile.py`). Who uses it:
`maskline --version`, `maskline doctor` and the metric of the build.
"""

from __future__ import annotations

from importlib.util import find_spec


def is_compiled() -> bool:
    """Asked of the parser's file, without importing it: that costs more than all else a `--version` does."""
    parser = find_spec("maskline.sip.parser")
    return parser is not None and not str(parser.origin).endswith(".py")
