"""Stacks of a compiled server by the kernel's profiler, in the lines that `flame_graph.py` reads.

What it is: `perf` on one thread, whose stacks reach from the event loop into compiled functions, the interpreter's C
code and the kernel, and those names as one would say them. py-spy sees the frames of interpreted Python alone, which a
compiled server hardly has. What it is not: a profiler of the interpreted package, for which py-spy is the better one.
Needed: `perf` (Debian: linux-perf) and the right to use it. Called by tools/bench_sip.py.
"""

from __future__ import annotations

import re
import shutil
import subprocess
from collections import Counter
from functools import cache
from pathlib import Path

SAMPLES = 499
"""A second. The stack is copied each time, 12 kB of it."""
THREAD = "main thread"
_PACKAGE = Path(__file__).resolve().parent.parent / "src" / "maskline"
_COMPILED = re.compile(r"CPyDef_(?P<name>\w+)")
_GENERATOR = re.compile(r"_gen_+(mypyc_generator_helper__)?$")
_KERNEL = re.compile(r"(?:__x64_sys|__se_sys)_(\w+)")
_OTHERS = (
    (re.compile(r"gc_collect_main"), "cycles looked for"),
    (re.compile(r"AesGcm"), "AES-GCM"),
    (re.compile(r"sqlite3_(?:step|prepare\w*)"), "SQLite"),
    (re.compile(r"PyMarshal_"), "marshal"),
    (re.compile(r"_sre_SRE_Pattern"), "re"),
    (re.compile(r"_PyEval_EvalFrameDefault"), "interpreted Python"),
)


def can_trace() -> bool:
    return shutil.which("perf") is not None


def record(pid: int, seconds: int, path: Path) -> subprocess.Popen[bytes]:
    """Begin to sample the process's first thread for so long."""
    command = [
        "perf", "record", "-q", "-e", "cpu-clock", "-F", str(SAMPLES), "--call-graph", "dwarf,12000", "-t", str(pid),
        "-o", str(path), "--", "sleep", str(seconds),
    ]  # fmt: skip
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def read(path: Path) -> str:
    """What was recorded, as lines of frames by semicolon, a blank and a count. Raises `CalledProcessError`."""
    command = ["perf", "script", "-i", str(path), "-F", "comm,ip,sym", "--no-inline"]
    told = subprocess.run(command, capture_output=True, text=True, errors="replace", check=True).stdout
    return fold(told)


def fold(text: str) -> str:
    """`text`: what `perf script` says of each sample, its innermost frame first."""
    found: Counter[tuple[str, ...]] = Counter()
    for sample in text.split("\n\n"):
        _, *frames = sample.strip().splitlines() or [""]
        named = [_named(line.split(None, 1)[-1].strip()) for line in reversed(frames)]
        stack = [name for name in named if name]
        found[tuple(name for at, name in enumerate(stack) if not at or stack[at - 1] != name)] += 1
    return "".join(f"{';'.join((THREAD, *stack))} {count}\n" for stack, count in found.items() if stack)


@cache
def _named(symbol: str) -> str:
    """As one would say it; empty: what it takes is its caller's."""
    if found := _COMPILED.match(symbol):
        return _function(_GENERATOR.sub("", found["name"]))
    if found := _KERNEL.match(symbol):
        return f"kernel: {found[1]}"
    return next((name for pattern, name in _OTHERS if pattern.search(symbol)), "")


def _function(mangled: str) -> str:
    """mypyc writes `AgentClient.receive` of sip/agent_client.py as agent_client___AgentClient___receive, with as much
    of the module's path before it as tells it from others."""
    parts = re.split(r"(?<=[^_])___(?=\w)", mangled)
    for length in range(len(parts) - 1, 0, -1):
        path = _files().get("/".join(parts[:length]))
        if path:
            return f"{'.'.join(parts[length:])} (maskline/{path})"
    return mangled


@cache
def _files() -> dict[str, str]:
    """Paths below the package of what is compiled, by every end of them: mypyc tells a module from those it compiles
    with it, and not from the package's others."""
    from tools.compile import modules  # brings mypyc, which takes a second

    found: dict[str, str] = {}
    for module in modules(_PACKAGE):
        path = module.partition("/")[2]
        names = path.removesuffix(".py").split("/")
        for start in range(len(names)):
            found.setdefault("/".join(names[start:]), path)
    return found
