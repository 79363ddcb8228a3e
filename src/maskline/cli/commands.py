"""The commands by name, each imported when it is the one that was typed.

What it is: the list of what `maskline` can do, and how a name becomes a command. What it is not: any command. Who uses
it: `main.py`. Together the commands import all of Maskline, more than a second; one needs a part of it, and `--help`
and `--version` nothing.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator, Mapping
from functools import cache
from importlib import import_module
from typing import Any

import typer
from typer.core import TyperGroup

HELP = {
    "serve": "Run API, SIP engine, media relay and webhook deliverer until a signal ends them.",
    "api": "Answer the REST API, one of several processes on one PostgreSQL database, until a signal ends it.",
    "engine": "Carry calls, one of several processes on one PostgreSQL database, until a signal ends it.",
    "deliver": (
        "Deliver webhooks, end sessions: one of several processes on one PostgreSQL database, until a signal ends it."
    ),
    "migrate": "Make the tables of an empty database, or bring those of an older version up to this program's.",
    "doctor": ("Check settings, database, key, ports, media, carriers and numbers; exit 1 if something will not work."),
    "demo": "Watch masked calls over real SIP and RTP; exit 0 only if every check holds.",
    "account": "Accounts: tenants with API credentials of their own.",
    "subaccount": "Subaccounts: part of an account, with numbers and webhooks of their own.",
    "number": "Virtual numbers: what carriers deliver to us.",
    "pool": "Virtual numbers as a pool: how many are needed, and the proof of no stranger.",
    "trunk": "Trunks: the carriers calls come from and go to.",
    "price": "Prices: what the legs of calls cost; without any, all is free.",
    "session": "Masking sessions: who reaches whom through which number.",
    "call": "Calls: records, facts as they happen, and their end.",
    "recording": "Recordings of calls and their files.",
    "prompt": "Prompts: what people hear, tried without a call.",
    "webhook": "Webhooks: where they go, what became of them, and sending one again.",
    "events": "Sample events of each kind, sent to a receiver.",
    "lab": "Tools for trying Maskline out beside a running server.",
}
"""What each says of itself, for `--help`; `cli/NAME.py` has the command."""
HIDDEN = ("media",)
"""Not for people: it reads its own arguments."""


@cache
def load(name: str) -> Any:
    """The command, or the noun with its verbs."""
    # What modules make stays: to look through it for garbage again and again is a tenth of a short command's time.
    gc.disable()
    try:
        module = import_module(f"maskline.cli.{name}")
    finally:
        gc.enable()
    around = typer.Typer(add_completion=False, rich_markup_mode=None)
    around.callback()(_nothing)
    if hasattr(module, "app"):
        around.add_typer(module.app)
    else:
        taken = {"allow_extra_args": True, "ignore_unknown_options": True} if name in HIDDEN else {}
        around.command(name, hidden=name in HIDDEN, context_settings=taken)(getattr(module, name))
    return typer.main.get_group(around).commands[name]


def _nothing() -> None:
    """Makes a group of one command a group."""


class Commands(Mapping[str, Any]):
    """All of them; who asks for one has it imported."""

    def __getitem__(self, name: str) -> Any:
        if name in self:
            return load(name)
        raise KeyError(name)

    def __contains__(self, name: object) -> bool:
        return name in HELP or name in HIDDEN

    def __iter__(self) -> Iterator[str]:
        yield from HELP
        yield from HIDDEN

    def __len__(self) -> int:
        return len(HELP) + len(HIDDEN)


class Root(TyperGroup):
    """`maskline` itself."""

    def __init__(self, **attributes: Any) -> None:
        super().__init__(**{**attributes, "commands": Commands()})

    def list_commands(self, ctx: Any) -> list[str]:
        return list(self.commands)

    def format_commands(self, ctx: Any, formatter: Any) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(HELP.items()))
