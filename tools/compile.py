"""`make compile`: a copy of the package whose hot pure rooms are compiled by mypyc, in build/compiled.

What it is: an option for those who want more calls per core and have a C compiler. The copy is run by putting it
before the installed package: `PYTHONPATH=build/compiled .venv/bin/maskline serve`; `maskline --version` then says so.
What it is not: part of the wheel, which stays pure Python. Nothing is written beside the sources, so what was compiled
before never hides a change of them; run it again then. With GCC everything is compiled twice, the second time by
counts of which branches the benchmark's calls took (docs/decisions/0088-compiled-by-counts.md). Needed: cc and the
headers of Python, and the mypy of the dev packages, which brings mypyc (docs/decisions tells what it gains).
"""

from __future__ import annotations

import argparse
import os
import re
import shutil
import subprocess
import sys
import sysconfig
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from mypyc.build import mypycify
from setuptools import Extension, setup  # type: ignore[import-untyped]
from setuptools.command.build_ext import build_ext  # type: ignore[import-untyped]

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from tools.native_names import constant  # noqa: E402
from tools.native_tuples import tuples  # noqa: E402
from tools.native_values import DECLARE, DECLARED_IN, native  # noqa: E402

TARGET = ROOT / "build" / "compiled"
OBJECTS = ROOT / "build" / "mypyc-objects"

JOBS = os.cpu_count() or 1
_MODULE_BODY = re.compile(r"\n(char CPyDef_\w*__top_level__\(void\) \{)")
ROOMS = (
    "timers.py", "clock.py", "json_text.py", "system_ids.py", "sip/*.py", "sdp/*.py", "masking/facts.py",
    "masking/call_record.py", "masking/e164.py", "masking/usage*.py", "masking/meter.py", "masking/permit.py",
    "masking/price_table.py", "masking/match.py", "masking/session.py", "masking/prompt.py",
    "masking/trunk_choice.py", "masking/trunk_state.py", "masking/price.py", "masking/decision.py",
    "masking/trunk.py", "masking/call_flow.py", "masking/redaction.py", "storage/rows.py", "storage/rows_facts.py",
    "storage/rows_kept.py", "storage/rows_outbox.py", "storage/kept.py", "storage/store.py", "storage/crypto.py",
    "storage/sql_units.py", "storage/sql_outbox.py", "net/udp.py", "net/udp_family.py", "webhooks/formats/eight.py",
    "webhooks/formats/eight_parts.py", "webhooks/formats/summary.py", "webhooks/formats/plivo.py",
    "webhooks/formats/shape.py", "webhooks/formats/eight_action.py", "webhooks/formats/eight_status.py",
    "workflows/record_call.py", "workflows/native_outbox.py", "workflows/recording_outbox.py",
    "workflows/check_limits.py", "workflows/find_limits.py", "workflows/build_outbox.py",
    "workflows/call_progress.py", "workflows/receivers.py", "workflows/status_outbox.py", "workflows/trunk_table.py",
    "workflows/route_call.py", "workflows/routing_answers.py", "engine/route_work.py", "engine/call*.py",
    "engine/announcer.py", "engine/attestation.py", "engine/capture.py", "engine/causes.py", "engine/core.py",
    "engine/effects.py", "engine/identity.py", "engine/inputs.py", "engine/leg.py", "engine/account_gate.py",
    "engine/admission.py", "engine/alarm.py", "engine/counters.py", "engine/guard.py", "engine/intake.py",
    "engine/media_inputs.py", "engine/far_ends.py", "engine/media_work.py", "engine/outlets.py", "engine/outside.py",
    "engine/revival.py", "engine/rounds.py", "engine/runner.py", "engine/strangers.py", "engine/pin_prompt.py",
    "engine/ports.py", "engine/presentation.py", "engine/sip_*.py", "engine/trunk_*.py",
)  # fmt: skip
"""What a masked call spends its time in, as patterns below src/maskline: all in one group, since only within it a
function is called directly. Not `ids.py`: tests inherit from its seeded source, and no class of Python's can inherit
from a compiled one."""
COMPILER = ["-fvisibility=hidden", "-fno-plt"]
LINKER = ["-Wl,-Bsymbolic", "-Wl,-z,now"]
"""A function of ours calls another one directly, and not by way of a table that another library could change."""
COUNTED, BY_COUNTS = "-fprofile-generate", "-fprofile-use"
UNCOUNTED_AS_USUAL = ["-fprofile-partial-training", "-fprofile-correction", "-Wno-missing-profile"]
"""What no call of the benchmark came by is compiled as without counts, not for size."""
TRAINING = ("--calls", "2500")
LEFT_OUT: frozenset[str] = frozenset(())
"""Of these what stays Python."""


def modules(package: Path) -> list[str]:
    """Paths of what is compiled, relative to the folder that holds the package."""
    found = sorted(path for room in ROOMS for path in package.glob(room) if path.name != "__init__.py")
    names = [path.relative_to(package).as_posix() for path in found]
    return [f"{package.name}/{name}" for name in names if name not in LEFT_OUT]


def compiler() -> str:
    """The C compiler that will run; empty: there is none."""
    first = (sysconfig.get_config_var("CC") or "cc").split()[0]
    return shutil.which(first) or shutil.which("cc") or ""


def need_compiler() -> None:
    """End the program in one sentence when C cannot be compiled here."""
    if not compiler():
        raise SystemExit("make compile needs a C compiler: install one (Debian: gcc, libc6-dev).")
    if not (Path(sysconfig.get_path("include")) / "Python.h").exists():
        raise SystemExit("make compile needs Python.h: install the headers of this Python (Debian: python3-dev).")


def rewrite(root: Path, paths: list[str]) -> None:
    """What mypyc makes fast code of, in place of what reads best."""
    every = {file.relative_to(root).as_posix(): file for file in root.rglob("*.py")}
    texts = {path.removesuffix(".py").replace("/", "."): file.read_text() for path, file in every.items()}
    own = {name: texts.pop(name) for name in [path.removesuffix(".py").replace("/", ".") for path in paths]}
    for name, text in constant(native(tuples(own, texts)), texts).items():
        every[f"{name.replace('.', '/')}.py"].write_text(text)
    (root / DECLARED_IN).write_text(DECLARE)


def trim(sources: list[str]) -> None:
    """Leave what runs once, the bodies of modules, as it is: it is most of the compiler's work."""
    for path in map(Path, sources):
        text = path.read_text()
        path.write_text(_MODULE_BODY.sub(r'\n__attribute__((optimize("O0"), cold)) \1', text))


class Compile(build_ext):  # type: ignore[misc]  # setuptools has no types
    """Two compilers at a time."""

    def build_extensions(self) -> None:
        compile_all, compiler = self.compiler.compile, self.compiler

        def compile_some(sources: list[str], **options: Any) -> list[str]:
            with ThreadPoolExecutor(JOBS) as pool:
                found = pool.map(lambda one: compile_all([one], **options), sources)
                return [name for names in found for name in names]

        compiler.compile = compile_some
        super().build_extensions()


def counts_branches() -> bool:
    """Whether the compiler is GCC, whose options these are."""
    told = subprocess.run([compiler(), "--version"], capture_output=True, text=True, check=False).stdout
    return "Free Software Foundation" in told


def build(extensions: list[Any], to_compile: list[str], to_link: list[str]) -> None:
    """All of them anew, with these options besides."""
    made = [
        Extension(
            one.name, one.sources, include_dirs=one.include_dirs, depends=one.depends,
            extra_compile_args=[*one.extra_compile_args, *COMPILER, *to_compile],
            extra_link_args=[*one.extra_link_args, *LINKER, *to_link],
        )
        for one in extensions
    ]  # fmt: skip
    where = ["--build-lib", str(TARGET), "--build-temp", str(OBJECTS)]
    setup(
        name="maskline-compiled", ext_modules=made, cmdclass={"build_ext": Compile},
        script_args=["--quiet", "build_ext", "--force", *where],
    )  # fmt: skip


def train() -> None:
    """Calls by which each branch is counted. Raises `CalledProcessError` when they fail."""
    bench = [sys.executable, str(ROOT / "tools" / "bench_call.py"), *TRAINING]
    settings = {**os.environ, "PYTHONPATH": str(TARGET)}
    subprocess.run(bench, cwd=ROOT, env=settings, check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--level", default="2", help="optimisation of the C compiler, 0 to 3")
    parser.add_argument("--quick", action="store_true", help="compile once, without the counts of calls that were run")
    options = parser.parse_args()
    need_compiler()
    for folder in (TARGET, OBJECTS):
        shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(ROOT / "src", TARGET, ignore=shutil.ignore_patterns("__pycache__", "*.egg-info"))
    os.chdir(TARGET)  # mypyc names modules by paths relative to where it stands
    names = modules(Path("maskline"))
    rewrite(TARGET, names)
    settings = ["--python-version=3.11", "--strict", "--ignore-missing-imports", *names]
    extensions = mypycify(
        settings, opt_level=options.level, debug_level="0", multi_file=True, target_dir=str(ROOT / "build" / "mypyc")
    )
    trim([source for extension in extensions for source in extension.sources])
    if options.quick or not counts_branches():
        build(extensions, [], [])
    else:
        build(extensions, [COUNTED], [COUNTED])
        train()
        build(extensions, [BY_COUNTS, *UNCOUNTED_AS_USUAL], [BY_COUNTS])
    sys.stdout.write(f"{len(names)} modules are compiled in {TARGET.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
