"""Set up what `make` needs, from nothing: the virtual environment and, for the tests, Debian and Node packages.

What it is: the first thing every make target runs, with whatever Python the machine has, so it uses the
standard library alone. `setup_env.py runtime` makes .venv with what the product needs, `dev` adds the tools,
`system` installs the packages of tools/apt-packages.txt, `node` those that the contract tests drive in
tests/contract/node. Each is idempotent, says nothing when nothing is to
be done, and ends with one sentence and exit 1 when it cannot go on. What it is not: part of the product.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
VENV_PYTHON = VENV / "bin" / "python"
STAMP = VENV / "maskline-setup.json"
APT_PACKAGES = ROOT / "tools" / "apt-packages.txt"
OLDEST = (3, 11)
LOCKS = {"runtime": ("requirements/runtime.txt", "requirements/build.txt"), "dev": ("requirements/dev.txt",)}
NODE_PROJECT = ROOT / "tests" / "contract" / "node"
NODE_STAMP = NODE_PROJECT / "node_modules" / "maskline-lock.sha256"
POLICY = Path("/usr/sbin/policy-rc.d")


class SetupError(Exception):
    """Why set-up cannot go on: one sentence for the person at the keyboard."""


def main(arguments: list[str]) -> int:
    goal = arguments[0] if arguments else "dev"
    try:
        if goal == "system":
            set_up_system()
        elif goal == "node":
            set_up_node()
        else:
            set_up_venv(goal)
    except SetupError as error:
        print(f"setup: {error}", file=sys.stderr)
        return 1
    return 0


# --- the virtual environment


def set_up_venv(goal: str) -> None:
    if sys.version_info < OLDEST:
        found = sys.version.split()[0]
        raise SetupError(f"Maskline needs Python 3.11 or newer, this is {found}; try 'make PYTHON=python3.12 ...'.")
    wanted = describe(goal)
    steps = plan(read_stamp(), wanted)
    if not steps:
        return
    print(f"setup: {', '.join(steps)} in {VENV.relative_to(ROOT)} …", flush=True)
    if "create" in steps:
        create_venv()
    STAMP.unlink(missing_ok=True)
    for name in ("runtime", "dev"):
        if name in steps:
            locks = [part for path in LOCKS[name] for part in ("-r", str(ROOT / path))]
            pip("--require-hashes", "--no-deps", *locks)
    if "project" in steps:
        # hatchling comes from the build lock, so that nothing unpinned takes part.
        pip("--no-deps", "--no-build-isolation", "--editable", str(ROOT))
    STAMP.write_text(json.dumps(wanted))


def describe(goal: str) -> dict[str, str]:
    """What the environment must have been made from, as digests; `dev` is empty when the tools are not asked for."""
    runtime = [ROOT / path for path in LOCKS["runtime"]]
    dev = [ROOT / path for path in LOCKS["dev"]]
    return {
        "python": f"{sys.version} {sys.base_prefix} {ROOT}",
        "runtime": digest(runtime),
        "dev": digest(dev) if goal == "dev" else "",
        "project": digest([ROOT / "pyproject.toml"]),
    }


def plan(stamp: dict[str, str], wanted: dict[str, str]) -> list[str]:
    """Which steps lead from what is there (`stamp`, empty when nothing is) to `wanted`; updates `wanted["dev"]`.

    A changed lock file or Python starts from an empty environment: installing over the old one would leave
    packages behind that no lock names.
    """
    kept = ("python", "runtime")
    stale_tools = bool(stamp.get("dev")) and bool(wanted["dev"]) and stamp["dev"] != wanted["dev"]
    if stale_tools or any(stamp.get(key) != wanted[key] for key in kept):
        return ["create", "runtime", *(["dev"] if wanted["dev"] else []), "project"]
    steps = []
    if wanted["dev"] and not stamp.get("dev"):
        steps.append("dev")
    if stamp.get("project") != wanted["project"]:
        steps.append("project")
    wanted["dev"] = wanted["dev"] or stamp.get("dev", "")
    return steps


def read_stamp() -> dict[str, str]:
    try:
        return dict(json.loads(STAMP.read_text())) if VENV_PYTHON.exists() else {}
    except (OSError, ValueError):
        return {}


def digest(paths: list[Path]) -> str:
    return hashlib.sha256(b"\0".join(path.read_bytes() for path in paths)).hexdigest()


def create_venv() -> None:
    """Make an empty environment, also where Debian's python3-venv is missing.

    That package holds the part of `venv` that brings pip. Without it the machine's own pip installs into the
    environment from outside; only when there is no pip either is apt asked.
    """
    shutil.rmtree(VENV, ignore_errors=True)
    if succeeds(sys.executable, "-m", "venv", str(VENV)):
        return
    shutil.rmtree(VENV, ignore_errors=True)
    if has_pip(sys.executable) and succeeds(sys.executable, "-m", "venv", "--without-pip", str(VENV)):
        return
    shutil.rmtree(VENV, ignore_errors=True)
    command = ["apt-get", "install", "-y", "--no-install-recommends", "python3-venv"]
    if not can_use_apt():
        raise SetupError(
            f"this Python has neither venv nor pip; on Debian run 'sudo {shlex.join(command)}' and try again."
        )
    apt_install(["python3-venv"])
    if not succeeds(sys.executable, "-m", "venv", str(VENV)):
        raise SetupError(f"'{sys.executable} -m venv' fails; see what it says when run by hand.")


def has_pip(python: str) -> bool:
    return succeeds(python, "-m", "pip", "--version")


def pip(*arguments: str) -> None:
    inside = [str(VENV_PYTHON), "-m", "pip"]
    outside = [sys.executable, "-m", "pip", "--python", str(VENV_PYTHON)]
    command = inside if has_pip(str(VENV_PYTHON)) else outside
    # Compiled when imported first: most modules of the tools never are, and compiling all takes half of pip's time.
    options = ["-qq", "--disable-pip-version-check", "--no-input", "--no-compile"]
    if subprocess.run([*command, "install", *options, *arguments], check=False).returncode != 0:
        raise SetupError("pip could not install the packages; its own words are above.")


def succeeds(*command: str) -> bool:
    return subprocess.run(command, check=False, capture_output=True).returncode == 0


# --- Debian packages


def set_up_system() -> None:
    wanted = read_packages(APT_PACKAGES.read_text())
    missing = {name: service for name, (command, service) in wanted.items() if not is_here(command)}
    if not missing:
        return
    if not can_use_apt():
        command = shlex.join(["apt-get", "install", "-y", "--no-install-recommends", *missing])
        raise SetupError(f"the tests need programs that are not installed; run 'sudo {command}' and try again.")
    print(f"setup: installing {', '.join(missing)} …", flush=True)
    apt_install(list(missing))
    stop_services([service for service in missing.values() if service != "-"])


def is_here(command: str) -> bool:
    """A path is a file of a package that brings no command."""
    return Path(command).exists() if command.startswith("/") else shutil.which(command) is not None


def read_packages(text: str) -> dict[str, tuple[str, str]]:
    """`{package: (command, service)}` from lines of three words; `#` starts a comment."""
    rows = [line.split("#")[0].split() for line in text.splitlines()]
    return {row[0]: (row[1], row[2]) for row in rows if row}


def can_use_apt() -> bool:
    return os.geteuid() == 0 and shutil.which("apt-get") is not None


def apt_install(packages: list[str]) -> None:
    """Install quietly, with every service kept from starting meanwhile: the tests start their own."""
    environment = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    command = ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages]
    with APT_PACKAGES.open() as one_at_a_time:
        fcntl.flock(one_at_a_time, fcntl.LOCK_EX)  # `make setup` runs two of us, and apt's own lock is no queue
        apt_install_alone(command, environment)


def apt_install_alone(command: list[str], environment: dict[str, str]) -> None:
    ours = not POLICY.exists()
    if ours:
        POLICY.write_text("#!/bin/sh\nexit 101\n")
        POLICY.chmod(0o755)
    try:
        for attempt in (["apt-get", "update", "-qq"], command):
            done = subprocess.run(
                attempt, check=False, env=environment, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
            )
            if done.returncode != 0 and attempt is command:
                sys.stderr.write(done.stdout.decode(errors="replace"))
                raise SetupError(f"'{shlex.join(command)}' failed; its own words are above.")
    finally:
        if ours:
            POLICY.unlink()


def stop_services(services: list[str]) -> None:
    """Undo what a package's installation enabled, where systemd runs; only for packages installed just now."""
    if Path("/run/systemd/system").is_dir():
        for service in services:
            subprocess.run(["systemctl", "disable", "--now", service], check=False, capture_output=True)


# --- Node packages


def set_up_node() -> None:
    """Install exactly what package-lock.json names, unless that is there already.

    The lock file holds digests and no addresses, so the packages come from whatever registry npm is configured
    for, and are the same bytes everywhere. Their install scripts do not run: none of them has any.
    """
    wanted = digest([NODE_PROJECT / "package.json", NODE_PROJECT / "package-lock.json"])
    if NODE_STAMP.exists() and NODE_STAMP.read_text() == wanted:
        return
    npm = shutil.which("npm")
    if npm is None:
        raise SetupError(
            "the contract tests need npm; run 'make setup' as root, or install Node with npm, and try again."
        )
    print(f"setup: npm ci in {NODE_PROJECT.relative_to(ROOT)} …", flush=True)
    command = [npm, "ci", "--ignore-scripts", "--no-audit", "--no-fund", "--loglevel=error"]
    done = subprocess.run(command, check=False, cwd=NODE_PROJECT, stdout=subprocess.DEVNULL)
    if done.returncode != 0:
        raise SetupError("npm could not install the packages; its own words are above.")
    NODE_STAMP.write_text(wanted)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
