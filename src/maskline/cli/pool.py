"""`maskline pool`: how many virtual numbers traffic needs, and whether no caller could reach a stranger."""

from __future__ import annotations

import gc
import re
import secrets
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Any

import typer

from maskline import __version__
from maskline.cli.context import chosen_accounts, run
from maskline.cli.output import JsonFlag, emit, fail, pairs, show_time, table
from maskline.errors import InvalidParameter
from maskline.masking.plan import GROWTH, Cooloff, Need, PlanRow, make_plan
from maskline.masking.session import PoolMode
from maskline.masking.traffic import PlannedSession
from maskline.masking.traffic_log import read_log
from maskline.masking.verify import Certificate, Violation
from maskline.services import Services
from maskline.workflows.plan_pool import plan_traffic
from maskline.workflows.verify_pool import verify_pool

app = typer.Typer(
    name="pool",
    help="Virtual numbers as a pool: how many are needed, and the proof of no stranger.",
    no_args_is_help=True,
)

_DURATION = re.compile(r"([0-9]{1,6}(?:\.[0-9]{1,3})?)(s|m|h|d|)")
_UNITS = {"": 1, "s": 1, "m": 60, "h": 3_600, "d": 86_400}
_COLUMNS = ("sessions", "D", "need", "bound", "2C-1")
_LEGEND = """\
D      the most sessions one party held at one moment, live or in cool-off; nothing can do with fewer numbers
need   numbers with which nothing of this traffic is refused, by running Maskline's own allocation over it
bound  numbers that suffice whatever the order of sessions: D_A + D_B - 1 with a shared number, D when split
2C-1   Plivo's rule for the same traffic"""


@app.command("plan")
def plan(
    log: Annotated[
        str,
        typer.Option("--from", metavar="FILE", help="Session log, JSON lines or CSV, - for stdin; db: own sessions."),
    ] = "db",
    cooloffs: Annotated[
        list[str] | None,
        typer.Option("--cooloff", metavar="TIME", help="90s, 1h, 7d …, or 1h/7d by party; 0, 1h and 24h if none."),
    ] = None,
    account: Annotated[
        str | None, typer.Option("--account", metavar="ID", help="Only own sessions of this account.")
    ] = None,
    days: Annotated[int, typer.Option("--days", min=1, max=3650, help="Own sessions of the last so many days.")] = 30,
    any_country: Annotated[bool, typer.Option("--any-country", help="One pool for all, without geomatch.")] = False,
    seed: Annotated[int, typer.Option("--seed", help="Decides which sessions are added for +20 %.")] = 1,
    as_json: JsonFlag = False,
) -> None:
    """Print how many numbers traffic needs, by country, mode and cool-off, today and with 20 % more sessions."""
    chosen = [_cooloff(text) for text in cooloffs or ("0", "1h", "24h")]
    sessions = _own(account, days) if log == "db" else _logged(log)
    if not sessions:
        raise InvalidParameter("There is no session to plan for.")
    if any_country:
        sessions = [one._replace(first_country=None, second_country=None) for one in sessions]
    rows = _planned(sessions, chosen, seed)
    emit(as_json, _document(sessions, rows, seed), _page(sessions, rows))


@app.command("verify")
def verify(
    until: Annotated[
        int | None, typer.Option("--until", metavar="POSITION", help="Only the facts up to this one; default: all.")
    ] = None,
    as_json: JsonFlag = False,
) -> None:
    """Replay the whole fact log and print a certificate that no caller could reach a stranger; exit 1 if one could."""

    async def work(services: Services) -> Certificate | Violation:
        return await verify_pool(services.store, until)

    found = run(work)
    if isinstance(found, Violation):
        if as_json:
            emit(True, {"violation": asdict(found), "certificate": None}, "")
        fail(found.sentence)
        raise typer.Exit(1)
    emit(as_json, {"violation": None, "certificate": _certificate(found)}, _certificate_page(found))


def _own(account: str | None, days: int) -> list[PlannedSession]:
    async def work(services: Services) -> list[PlannedSession]:
        return await plan_traffic(services.store, services.clock, await chosen_accounts(services, account), days)

    return run(work)


def _logged(name: str) -> list[PlannedSession]:
    key = secrets.token_bytes(32)
    try:
        if name == "-":
            return read_log(sys.stdin, key)
        with Path(name).open(encoding="utf-8") as lines:
            return read_log(lines, key)
    except (OSError, UnicodeDecodeError) as error:
        raise InvalidParameter(f"The file of --from cannot be read: {error.__class__.__name__}.") from None


def _planned(sessions: Sequence[PlannedSession], cooloffs: Sequence[Cooloff], seed: int) -> list[PlanRow]:
    # A million small values and not one cycle: looking for cycles among them took half of the time (100,000 sessions).
    gc.disable()
    try:
        return make_plan(sessions, cooloffs, seed)
    finally:
        gc.enable()


def _cooloff(text: str) -> Cooloff:
    parts = [_DURATION.fullmatch(part.strip()) for part in text.split("/")]
    seconds = [float(part[1]) * _UNITS[part[2]] for part in parts if part]
    if len(seconds) != len(parts) or len(seconds) > 2:
        raise InvalidParameter("--cooloff must look like 0, 90s, 30m, 24h or 7d, or like 1h/7d for the two parties.")
    return Cooloff(seconds[0], seconds[-1])


# -- the certificate -------------------------------------------------------------------------------------------
def _certificate(found: Certificate) -> dict[str, Any]:
    times = {"first_at": show_time(found.first_at), "last_at": show_time(found.last_at)} if found.facts else {}
    return {"version": __version__, **asdict(found), **times}


def _certificate_page(found: Certificate) -> str:
    if not found.facts:
        return "The fact log is empty: there is nothing to certify."
    shown = _certificate(found)
    lines = {
        "log": f"positions {found.first_position} to {found.last_position}, {found.facts} facts",
        "time": f"{shown['first_at']} to {shown['last_at']}",
        "sessions": f"{found.sessions}, with {found.claims} claims, {found.held} of them held at the end",
        "calls": f"{found.calls}, {found.routed} of them matched with a session, {found.unfinished} without end",
        "call records": f"{found.records} name the parties of their session",
        "crossed": f"{found.late} calls were matched while a request ended or changed their session",
        "most at once": f"{found.most_on_number} sessions on a number, {found.most_of_party} numbers of a party",
        "digest": f"blake2b-256 {found.digest}",
        "result": "no violation",
    }
    return f"Certificate by Maskline {__version__}: no caller could reach a stranger.\n\n{pairs(lines)}"


# -- the plan --------------------------------------------------------------------------------------------------
def _document(sessions: Sequence[PlannedSession], rows: Sequence[PlanRow], seed: int) -> dict[str, Any]:
    return {
        "from": show_time(min(one.start for one in sessions)),
        "to": show_time(max(one.end for one in sessions)),
        "sessions": len(sessions),
        "parties": _count_parties(sessions),
        "growth": GROWTH,
        "seed": seed,
        "needs": [
            {
                "country": row.country,
                "mode": row.mode,
                "first_party_cooloff": row.cooloff.first,
                "second_party_cooloff": row.cooloff.second,
                "today": _need(row.today, row.mode),
                "grown": _need(row.grown, row.mode),
            }
            for row in rows
        ],
    }


def _need(need: Need, mode: PoolMode) -> dict[str, int]:
    return {
        "sessions": need.sessions,
        "first_party_peak": need.first_peak,
        "second_party_peak": need.second_peak,
        "single_party_peak": need.open_peak,
        "peak": need.peak,
        "numbers": need.numbers,
        "bound": need.bound(mode),
        "plivo": need.plivo,
    }


def _page(sessions: Sequence[PlannedSession], rows: Sequence[PlanRow]) -> str:
    head = (
        f"{len(sessions)} sessions of {_count_parties(sessions)} parties, "
        f"{show_time(min(one.start for one in sessions))} to {show_time(max(one.end for one in sessions))}"
    )
    more = f"+{GROWTH:.0%}: "
    headings = ("country", "mode", "cool-off", *_COLUMNS, more + _COLUMNS[0], *_COLUMNS[1:])
    lines = [
        (row.country or "any", row.mode, _show(row.cooloff), *_cells(row.today, row.mode), *_cells(row.grown, row.mode))
        for row in rows
    ]
    return f"{head}\n\n{table(headings, lines)}\n\n{_LEGEND}"


def _cells(need: Need, mode: PoolMode) -> tuple[int, ...]:
    return need.sessions, need.peak, need.numbers, need.bound(mode), need.plivo


def _show(cooloff: Cooloff) -> str:
    shown = [_duration(seconds) for seconds in cooloff]
    return shown[0] if shown[0] == shown[1] else "/".join(shown)


def _duration(seconds: float) -> str:
    unit = next((unit for unit in "dhm" if seconds and seconds % _UNITS[unit] == 0), "s")
    return f"{seconds / _UNITS[unit]:g}{unit}" if seconds else "0"


def _count_parties(sessions: Sequence[PlannedSession]) -> int:
    return len({party for one in sessions for party in (one.first, one.second) if party is not None})
