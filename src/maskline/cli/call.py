"""`maskline call`: what happened in calls, from the call records and the fact log; and the end of one."""

from __future__ import annotations

import asyncio
import contextlib
import json
from typing import Annotated, Any

import typer

from maskline.cli.context import chosen_accounts, find_in_accounts, run
from maskline.cli.output import JsonFlag, RevealFlag, emit, pairs, show_number, show_time, table
from maskline.masking.call_record import CallRecord, LegRecord
from maskline.masking.facts import Fact, fact_details
from maskline.masking.price import amount_text
from maskline.services import Services
from maskline.storage.topics import FACTS, Told
from maskline.workflows.end_call import EndedCall, end_call
from maskline.workflows.list_calls import follow_facts, get_call, list_calls
from maskline.workflows.scope import Scope

app = typer.Typer(name="call", help="Calls: records, facts as they happen, and their end.", no_args_is_help=True)

AccountFilter = Annotated[str | None, typer.Option("--account", metavar="ID", help="Only of this account.")]
_POLL_SECONDS = 0.3
"""How often `tail` asks for new facts on SQLite; the engine commits a few times a second at most when idle."""
_MISSED_SECONDS = 5.0
"""The same on PostgreSQL, which tells of each commit: what it told while nobody was connected is missed."""
_PAGE = 500
_WIDEST = 60
"""Characters of a fact's detail in a table: ids and reasons fit."""


@app.command("list")
def list_(
    account: AccountFilter = None,
    session: Annotated[str | None, typer.Option("--session", metavar="ID", help="Only of this session.")] = None,
    limit: Annotated[int, typer.Option("--limit", min=1, max=1000, help="At most this many.")] = 20,
    reveal: RevealFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """List finished calls, newest first."""

    async def work(services: Services) -> list[CallRecord]:
        found: list[CallRecord] = []
        for owner in await chosen_accounts(services, account):
            found += await list_calls(services.store, owner, session_id=session, limit=limit)
        return sorted(found, key=lambda call: call.started_at, reverse=True)[:limit]

    calls = run(work)
    rows = [
        (
            call.id, show_time(call.started_at), _party(call, 0, reveal), call.virtual_number.e164,
            _party(call, 1, reveal), f"{_talk_time(call):.1f} s", call.outcome, call.cause,
        )
        for call in calls
    ]  # fmt: skip
    headings = ("call", "started", "caller", "virtual number", "callee", "talked", "outcome", "cause")
    text = table(headings, rows, "No call yet.")
    emit(as_json, {"calls": [describe(call, reveal) for call in calls]}, text)


@app.command("show")
def show(
    call_id: Annotated[str, typer.Argument(help="Id of the call.")],
    account: AccountFilter = None,
    reveal: RevealFlag = False,
    as_json: JsonFlag = False,
) -> None:
    """Show one call: its legs, their quality and every fact."""

    async def work(services: Services) -> tuple[CallRecord, list[Fact]]:
        return await find_in_accounts(services, account, "call", lambda owner: get_call(services.store, owner, call_id))

    call, facts = run(work)
    document = describe(call, reveal) | {"facts": [describe_fact(fact) for fact in facts]}
    emit(as_json, document, _page(call, facts, reveal))


@app.command("end")
def end(
    call_id: Annotated[str, typer.Argument(help="Id of the call.")],
    account: AccountFilter = None,
    as_json: JsonFlag = False,
) -> None:
    """End a call in progress: both sides are hung up, or the one that rings is called no more."""

    async def work(services: Services) -> EndedCall:
        async def ask(owner: str) -> EndedCall:
            return await end_call(services.store, services.clock, Scope(owner), call_id)

        return await find_in_accounts(services, account, "call", ask)

    record = run(work).record
    said = {
        "call_id": call_id,
        "status": "ending" if record is None else "ended",
        "ended_at": None if record is None else show_time(record.ended_at),
        "outcome": None if record is None else record.outcome,
        "cause": None if record is None else record.cause,
    }
    emit(as_json, said, pairs(said))


@app.command("tail")
def tail(
    since: Annotated[
        int | None, typer.Option("--since", min=0, help="Start after this cursor; 0: from the first fact.")
    ] = None,
    count: Annotated[int | None, typer.Option("--count", min=1, help="Stop after this many facts.")] = None,
    as_json: JsonFlag = False,
) -> None:
    """Follow facts as they are committed, until interrupted. With --json: one JSON document a line."""

    async def work(services: Services) -> None:
        await follow(services, since, count, as_json)

    run(work)


async def follow(services: Services, since: int | None, count: int | None, as_json: bool) -> None:
    store, news = services.store, asyncio.Event()

    def hear(told: Told) -> None:
        if told.topic == FACTS:
            news.set()

    store.on_told(hear)
    cursor = await last_cursor(services) if since is None else since
    written = 0
    while True:
        news.clear()
        page = await follow_facts(store, cursor, _PAGE)
        for cursor, fact in page:
            typer.echo(_line(cursor, fact, as_json))
            written += 1
            if written == count:
                return
        if len(page) < _PAGE:
            await pause(news, _MISSED_SECONDS if store.is_shared else _POLL_SECONDS)


async def pause(news: asyncio.Event, seconds: float) -> None:
    """Until there is something new, or `seconds` have passed."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await news.wait()


async def last_cursor(services: Services) -> int:
    """The cursor of the newest fact, found by halving: reading the whole log would take minutes on a large one."""
    step = 1
    while await follow_facts(services.store, step, 1):
        step *= 2
    low, high = step // 2, step
    while low < high:
        middle = (low + high) // 2
        if await follow_facts(services.store, middle, 1):
            low = middle + 1
        else:
            high = middle
    return low


def _line(cursor: int, fact: Fact, as_json: bool) -> str:
    if as_json:
        return json.dumps({"cursor": cursor} | describe_fact(fact), ensure_ascii=False)
    return f"{show_time(fact.at)}  {fact.subject}  {fact.sequence:>3}  {fact.name}  {_details(fact)}".rstrip()


def _details(fact: Fact, widest: int | None = None) -> str:
    """All of them in a line; a value longer than `widest` (the document of a spool) is for --json."""
    shown = {name: str(value) for name, value in fact_details(fact).items()}
    return " ".join(
        f"{name}={value if widest is None or len(value) <= widest else value[: widest - 1] + '…'}"
        for name, value in shown.items()
    )


def describe_fact(fact: Fact) -> dict[str, Any]:
    return {
        "name": fact.name,
        "subject": fact.subject,
        "sequence": fact.sequence,
        "at": fact.at,
        "details": fact_details(fact),
    }


def describe(call: CallRecord, reveal: bool) -> dict[str, Any]:
    return {
        "call_id": call.id,
        "account_id": call.account_id,
        "subaccount_id": call.subaccount_id,
        "session_id": call.session_id,
        "caller_role": call.caller,
        "virtual_number": call.virtual_number.e164,
        "reference_id": call.reference_id,
        "started_at": call.started_at,
        "ended_at": call.ended_at,
        "outcome": call.outcome,
        "cause": call.cause,
        "hung_up_by": call.hung_up_by,
        "recovered": call.recovered,
        "legs": [_describe_leg(leg, reveal) for leg in call.legs],
    }


def _describe_leg(leg: LegRecord, reveal: bool) -> dict[str, Any]:
    quality = leg.quality
    # Of leg A the source is a person and the destination ours; of leg B the other way round.
    return {
        "leg": leg.leg,
        "leg_id": leg.id,
        "inbound": leg.inbound,
        "source": show_number(leg.source, reveal or not leg.inbound),
        "destination": show_number(leg.destination, reveal or leg.inbound),
        "trunk_id": leg.trunk_id,
        "initiated_at": leg.initiated_at,
        "ringing_at": leg.ringing_at,
        "answered_at": leg.answered_at,
        "ended_at": leg.ended_at,
        "duration": leg.duration,
        "billed_duration": leg.billed_duration,
        "amount": amount_text(leg.amount),
        "outcome": leg.outcome,
        "cause": leg.cause,
        "sip_status": leg.sip_status,
        "hung_up_by": leg.hung_up_by,
        "quality": None
        if quality is None
        else {
            "mos": quality.mos,
            "packet_loss": quality.packet_loss,
            "jitter_ms": quality.jitter_ms,
            "packets_received": quality.packets_received,
            "packets_lost": quality.packets_lost,
            "packets_relayed": quality.packets_relayed,
            "loss_known": quality.loss_known,
            "far_mos": quality.far_mos,
            "far_packet_loss": quality.far_packet_loss,
            "far_jitter_ms": quality.far_jitter_ms,
            "round_trip_ms": quality.round_trip_ms,
        },
    }


def _party(call: CallRecord, index: int, reveal: bool) -> str | None:
    """The caller (leg A's source) or the callee (leg B's destination)."""
    if index >= len(call.legs):
        return None
    leg = call.legs[index]
    return show_number(leg.source if leg.inbound else leg.destination, reveal)


def _talk_time(call: CallRecord) -> float:
    return call.legs[-1].duration if len(call.legs) > 1 else 0.0


def _page(call: CallRecord, facts: list[Fact], reveal: bool) -> str:
    head = {key: value for key, value in describe(call, reveal).items() if key != "legs"}
    head |= {"started_at": show_time(call.started_at), "ended_at": show_time(call.ended_at)}
    leg_rows = [
        (
            leg.leg, show_number(leg.source, reveal or not leg.inbound),
            show_number(leg.destination, reveal or leg.inbound), f"{leg.duration:.1f} s", amount_text(leg.amount),
            leg.outcome, leg.cause, leg.sip_status, leg.hung_up_by, leg.quality and leg.quality.mos,
        )
        for leg in call.legs
    ]  # fmt: skip
    headings = ("leg", "from", "to", "talked", "amount", "outcome", "cause", "sip", "hung up by", "mos")
    fact_rows = [
        (f"+{fact.at - call.started_at:.3f} s", fact.name, _details(fact, _WIDEST))
        for fact in facts
    ]  # fmt: skip
    return "\n\n".join((pairs(head), table(headings, leg_rows), table(("when", "fact", "details"), fact_rows)))
