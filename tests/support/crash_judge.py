"""What must hold after a run of the crash suite, read from the database's tables and compared with what customers know.

What it is: one sentence for each thing that is wrong. What it is not: the product's own reading: tables are read as
they are, so that a fault in both cannot hide; only the proof of the pool is the product's. Who uses it: `crash_run.py`.
"""

from __future__ import annotations

import json
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from maskline.masking.verify import Violation
from maskline.workflows.verify_pool import verify_pool
from tests.support.crash_field import Customer, Field
from tests.support.crash_inbox import CrashInbox
from tests.support.crash_load import Ledger

UNREST = {
    "webhooks": "SELECT id FROM outbox WHERE account_id = $1 AND state IN ('due', 'leased', 'waiting')",
    "live calls": "SELECT call_id FROM live_calls WHERE account_id = $1",
    "requested calls": "SELECT session_id FROM requested_calls WHERE account_id = $1",
    "requested flows": "SELECT id FROM requested_flows WHERE account_id = $1",
    "recordings": "SELECT id FROM recordings WHERE account_id = $1"
    " AND status IN ('recording', 'stopped', 'processing')",
    "tables of calls": "SELECT id FROM exports WHERE account_id = $1 AND status IN ('queued', 'running')",
    "calls in progress": "SELECT id FROM sessions WHERE account_id = $1 AND calls_in_progress <> 0",
}
"""What is on its way somewhere, and must not be for ever."""
NATIVE_STEPS = {
    "CallReceived": "call.received",
    "CallRequested": "call.requested",
    "CallRouted": "call.routed",
    "LegDialed": "leg.dialed",
    "LegRinging": "leg.ringing",
    "LegAnswered": "leg.answered",
    "LegEnded": "leg.ended",
    "CallEnded": "call.ended",
}
NATIVE_RECORDING = {"RecordingCompleted": "recording.completed", "RecordingFailed": "recording.failed"}
NATIVE_SESSION = {
    "SessionCreated": "session.created",
    "SessionUpdated": "session.updated",
    "SessionExpired": "session.expired",
}


@dataclass
class Log:
    """The fact log of a run."""

    names: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """By subject, in order of their numbers."""
    causes: Counter[str] = field(default_factory=Counter)
    """Why calls ended."""
    ends: dict[str, str] = field(default_factory=dict)
    """The same by call."""
    recordings: Counter[tuple[str, str]] = field(default_factory=Counter)
    """By call and webhook what became of them; their facts have a subject of their own."""
    requested: Counter[str] = field(default_factory=Counter)
    """By session how often a requested call was begun, or given up."""
    wrong: list[str] = field(default_factory=list)

    @property
    def calls(self) -> set[str]:
        return {subject for subject, names in self.names.items() if names[0] in ("CallReceived", "CallRequested")}

    @property
    def count(self) -> int:
        return sum(map(len, self.names.values()))


async def unrest(field: Field, customer: Customer) -> dict[str, int]:
    """How much of what is not at rest yet."""
    query = " UNION ALL ".join(f"SELECT '{what}', COUNT(*) FROM ({some}) AS them" for what, some in UNREST.items())
    return {what: many for what, many in await field.rows(query, customer.account_id) if many}


async def judge(field: Field, customer: Customer, ledger: Ledger, inbox: CrashInbox, people: list[str]) -> list[str]:
    log = await read_log(field, customer)
    wrong = [*ledger.wrong, *log.wrong]
    wrong += [f"{many} {what} never came to rest" for what, many in (await unrest(field, customer)).items()]
    wrong += await _acknowledged(field, customer, ledger)
    wrong += await _delivered(field, customer, inbox)
    wrong += await _told(field, customer, log)
    wrong += await _recorded(field, customer, log)
    wrong += [
        f"session {one} asked for a call, and there were {log.requested[one]}"
        for one in ledger.requested
        if log.requested[one] != 1
    ]
    wrong += await _ended_normally(field, customer, ledger, log)
    wrong += await _nobody_meets_a_stranger(field, customer, ledger)
    wrong += [f"{path.name} names a number" for path in field.logs if _names(path, customer, people)]
    return wrong


# -- the log of facts ------------------------------------------------------------------------------------------------
async def read_log(field: Field, customer: Customer) -> Log:
    log = Log()
    rows = await field.rows(
        "SELECT position, subject, sequence, name, many, earlier, details FROM facts"
        " WHERE position > $1 ORDER BY position",
        customer.facts_from,
    )
    expected = customer.facts_from
    for position, subject, sequence, name, many, earlier, details in rows:
        expected += many
        if position != expected:
            log.wrong.append(f"fact {expected} is missing before {position}")
            expected = position
        told = [(one[1], one[2]) for one in json.loads(earlier or "[]")] + [(name, json.loads(details))]
        names = [one for one, _ in told]
        log.names[subject] += names
        for what, values in told:
            if what in ("CallEnded", "CallNotStarted"):
                log.causes[values["cause"]] += 1
                log.ends[subject] = values["cause"]
            if what in ("CallRequested", "CallNotStarted"):
                log.requested[values["session_id"]] += 1
            if what in NATIVE_RECORDING:
                log.recordings[values["call_id"], NATIVE_RECORDING[what]] += 1
        if len(log.names[subject]) != sequence or len(names) != many:
            log.wrong.append(f"{subject} has {len(log.names[subject])} facts, and one numbered {sequence}")
    return log


# -- what was acknowledged -------------------------------------------------------------------------------------------
async def _acknowledged(field: Field, customer: Customer, ledger: Ledger) -> list[str]:
    rows = await field.rows(
        "SELECT id, virtual_number, options, ended_at FROM sessions WHERE account_id = $1", customer.account_id
    )
    stored = {row[0]: row for row in rows}
    wrong = []
    for session in ledger.sessions.values():
        row = stored.pop(session.id, None)
        if row is None:
            wrong.append(f"session {session.id} was acknowledged and is not there")
            continue
        _, number, options, ended_at = row
        if _digits(number) != _digits(session.number):
            wrong.append(f"session {session.id} has another number than was acknowledged")
        if json.loads(options).get("call_time_limit") != session.limit:
            wrong.append(f"session {session.id} has not the value of its last acknowledged update")
        if session.over and ended_at is None:
            wrong.append(f"session {session.id} goes on after its acknowledged end")
    if len(stored) > ledger.walked_away:
        wrong.append(f"{len(stored)} sessions are nobody's, and {ledger.walked_away} customers walked away")
    return wrong


# -- webhooks --------------------------------------------------------------------------------------------------------
async def _delivered(field: Field, customer: Customer, inbox: CrashInbox) -> list[str]:
    rows = await field.rows(
        "SELECT id, subject, url, sequence, state, event FROM outbox WHERE account_id = $1 ORDER BY subject, sequence",
        customer.account_id,
    )
    committed = {row[0] for row in rows}
    wrong = [f"webhook {row[0]} ({row[5]}) ended as {row[4]}" for row in rows if row[4] != "done"]
    if lost := committed - inbox.ids:
        wrong.append(f"{len(lost)} committed webhooks never arrived: {sorted(lost)[:3]}")
    if invented := inbox.ids - committed:
        wrong.append(f"{len(invented)} webhooks arrived that were never committed: {sorted(invented)[:3]}")
    bodies: dict[str, set[str]] = defaultdict(set)
    for webhook, digest in inbox.arrivals:
        bodies[webhook].add(digest)
    wrong += [f"webhook {webhook} came with {len(them)} bodies" for webhook, them in bodies.items() if len(them) > 1]
    return wrong + list(_out_of_order(rows, inbox))


def _out_of_order(rows: Iterable[tuple[Any, ...]], inbox: CrashInbox) -> Iterator[str]:
    """Of one call and receiver, nothing is sent before what was earlier is done, nor that again after it."""
    first: dict[str, int] = {}
    last: dict[str, int] = {}
    for place, (webhook, _) in enumerate(inbox.arrivals):
        first.setdefault(webhook, place)
        last[webhook] = place
    before: dict[tuple[str, str], tuple[int, str]] = {}
    for webhook, subject, url, _, _, event in rows:
        if event.startswith(("session.", "SessionP")):
            continue  # numbered by the clock: of two in a millisecond either may be first
        if webhook in first:
            latest, which = before.get((subject, url), (-1, ""))
            if first[webhook] < latest:
                yield f"webhook {webhook} ({event}) of {subject} came before the last of {which}"
            before[subject, url] = (last[webhook], event)


async def _told(field: Field, customer: Customer, log: Log) -> list[str]:
    """Each fact that has a native webhook has one."""
    rows = await field.rows(
        "SELECT subject, event, COUNT(*) FROM outbox WHERE account_id = $1 AND dialect = 'native' GROUP BY 1, 2",
        customer.account_id,
    )
    events = {**NATIVE_STEPS, **NATIVE_SESSION}
    # What is new among them is not judged until it is written down here.
    known = {*events.values(), *NATIVE_RECORDING.values()}
    told = Counter({(subject, event): int(many) for subject, event, many in rows if event in known})
    due: Counter[tuple[str, str]] = Counter(log.recordings)
    for subject, names in log.names.items():
        for name in names:
            if event := events.get(name):
                due[subject, event] += 1
    return [
        f"{subject} has {told[subject, event]} webhooks {event} for {due[subject, event]} facts"
        for subject, event in {*told, *due}
        if told[subject, event] != due[subject, event]
    ]


# -- calls -----------------------------------------------------------------------------------------------------------
async def _recorded(field: Field, customer: Customer, log: Log) -> list[str]:
    rows = await field.rows("SELECT id, session_id, legs FROM calls WHERE account_id = $1", customer.account_id)
    records = Counter(row[0] for row in rows)
    wrong = [f"call {call} has {records[call]} records" for call in log.calls if records[call] != 1]
    wrong += [f"call {call} has a record and no facts" for call in records if call not in log.calls]
    for call in log.calls:
        ends = log.names[call].count("CallEnded")
        if ends != 1 or log.names[call][-1] != "CallEnded":
            wrong.append(f"call {call} ended {ends} times: {' '.join(log.names[call])}")
    routed = sum("CallRouted" in log.names[call] for call in log.calls)
    query = "SELECT COUNT(*) FROM interactions WHERE session_id IN (SELECT id FROM sessions WHERE account_id = $1)"
    if (told := (await field.rows(query, customer.account_id))[0][0]) != routed:
        wrong.append(f"{routed} calls were routed, and sessions tell of {told}")
    return wrong + await _totals(field, customer)


async def _ended_normally(field: Field, customer: Customer, ledger: Ledger, log: Log) -> list[str]:
    """Who talked before anything died and hung up afterwards has one complete record, as if nothing had happened."""
    rows = await field.rows("SELECT id, session_id FROM calls WHERE account_id = $1", customer.account_id)
    wrong = []
    for session in ledger.talks:
        causes = [log.ends.get(call) for call, its in rows if its == session]
        if causes.count("normal") != 1:
            wrong.append(f"the call of session {session} that outlived everything ended as {causes}")
    return wrong


async def _totals(field: Field, customer: Customer) -> list[str]:
    """What a session says of its calls is what its calls say."""
    rows = await field.rows(
        "SELECT s.id, s.total_call_count, s.total_call_billed_duration,"
        " (SELECT COALESCE(SUM(i.legs), 0) FROM interactions AS i WHERE i.session_id = s.id),"
        " (SELECT COALESCE(SUM(i.billed_duration), 0) FROM interactions AS i WHERE i.session_id = s.id)"
        " FROM sessions AS s WHERE s.account_id = $1",
        customer.account_id,
    )
    return [
        f"session {row[0]} counts {row[1]} legs and {row[2]} s, its interactions {row[3]} and {row[4]}"
        for row in rows
        if (row[1], row[2]) != (row[3], row[4])
    ]


# -- numbers ---------------------------------------------------------------------------------------------------------
async def _nobody_meets_a_stranger(field: Field, customer: Customer, ledger: Ledger) -> list[str]:
    found = await verify_pool(field.services.store)
    wrong = [found.sentence] if isinstance(found, Violation) else []
    rows = await field.rows(
        "SELECT first_party_hash, second_party_hash, virtual_number, second_virtual_number, id FROM sessions"
        " WHERE account_id = $1 AND ended_at IS NULL",
        customer.account_id,
    )
    held = [(party, number) for row in rows for party, number in ((row[0], row[2]), (row[1], row[3] or row[2]))]
    wrong += [f"{many} live sessions hold one caller on {pair[1]}" for pair, many in Counter(held).items() if many > 1]
    live = [one for one in ledger.sessions.values() if not one.over]
    given = Counter((party, one.number) for one in live for party in (one.first, one.second))
    if any(many > 1 for many in given.values()):
        wrong.append("a customer was given one number twice for one person")
    return wrong


def _names(path: Path, customer: Customer, people: list[str]) -> bool:
    """In what was written since the run began."""
    wanted = "|".join(number[3:] for number in people)
    with path.open("rb") as log:
        log.seek(customer.logs_from.get(path, 0))
        return re.search(rf"(?<![\d.])(?:\+?65)?(?:{wanted})(?!\d)", log.read().decode(errors="replace")) is not None


def _digits(number: str) -> str:
    return number.lstrip("+")
