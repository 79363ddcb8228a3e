"""Turn what happened in calls and sessions into webhooks to send. Pure; called by `record_call.py`, the session
sweeper and the workflows that change sessions.

What it is: which receivers hear of a fact, in which order, what each leg costs, and the session's totals that move
with a finished call. What it is not: bodies (`webhooks/formats`) or sending (`webhooks/deliver.py`).

- Plivo session events go to the session's `callback_url`, as the facts come. They are numbered per interaction.
- The 8x8 and Wavecell summaries go out once, with the record, to what is configured for the subaccount, or for
  the account when the number has none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from maskline.engine.ports import CallCommit, CallContext
from maskline.ids import Ids
from maskline.masking.call_record import CallRecord, LegRecord
from maskline.masking.decision import MatchedBy
from maskline.masking.e164 import Number
from maskline.masking.facts import (
    CallEnded,
    CallNotStarted,
    CallReceived,
    CallRouted,
    Fact,
    LegAnswered,
    LegDialed,
    LegEnded,
    LegName,
)
from maskline.masking.price import Charge, Direction, charge
from maskline.masking.price_table import PriceTable
from maskline.masking.session import Interaction, Role, Session
from maskline.storage.store import OutboxRow, RecordedCall
from maskline.webhooks.formats import eight, plivo, plivo_events, wavecell
from maskline.webhooks.formats.plivo import DEFAULT_STYLE, Style
from maskline.workflows.recording_links import RecordingLinks
from maskline.workflows.recording_outbox import TOLD_FACTS, RecordingProgress, Teller, recording_end, take_fact


@dataclass(frozen=True, slots=True)
class Receiver:
    """Who gets a summary: a configured endpoint, with the name it knows the (sub)account by."""

    kind: str
    url: str
    sub_account_id: str
    authorization: str = field(default="", repr=False)


Receivers = Mapping[str, tuple[Receiver, ...]]
"""By the subaccount's id, or the account's for numbers without a subaccount."""


NO_LINKS = RecordingLinks(b"", "", 0.0)
"""Where nothing is recorded."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for all calls of a group commit."""

    receivers: Receivers = field(default_factory=dict)
    prices: PriceTable = field(default_factory=PriceTable)
    style: Style = DEFAULT_STYLE
    links: RecordingLinks = NO_LINKS


_SUMMARIES = {
    eight.KIND: ("eight", eight.EVENT, eight.CONTENT_TYPE, eight.session_summary),
    wavecell.KIND: ("wavecell", wavecell.EVENT, wavecell.CONTENT_TYPE, wavecell.call_status),
}


_AUTHORIZED = "AuthorizedCaller"
"""Pin status of a caller who was recognised by number (plivo-vts.md §7.2)."""
_FREE = Charge(0, 0)


class CallProgress:
    """What must be remembered of one call between its commits; dropped with its record."""

    __slots__ = ("answered", "ended", "events", "parties", "recording", "routed", "rows", "trunks")

    def __init__(self) -> None:
        self.answered: dict[str, float] = {}
        """Leg name → wall seconds of its answer."""
        self.trunks: dict[str, str] = {}
        """Leg name → id of its trunk."""
        self.ended: dict[str, plivo.Ended] = {}
        """Leg name → what it came to."""
        self.events = 0
        """Plivo's SequenceNumber, from 1 (plivo-vts.md §7.2 REC: per interaction)."""
        self.rows = 0
        """Order of all webhooks of this call."""
        self.routed = False
        self.parties: plivo.Parties | None = None
        self.recording: RecordingProgress | None = None

    def number_event(self) -> tuple[int, int]:
        """The next event's SequenceNumber, and its row's place."""
        self.events += 1
        self.rows += 1
        return self.events, self.rows

    def take(self, fact: Fact, context: CallContext, prices: PriceTable) -> None:
        """Move on by one fact."""
        match fact:
            case CallReceived():
                self.trunks[LegName.A] = fact.trunk_id
            case CallRouted():
                self.routed = True
            case LegDialed():
                self.trunks[fact.leg] = fact.trunk_id
            case LegAnswered():
                self.answered[fact.leg] = fact.at
            case LegEnded():
                answered_at = self.answered.get(fact.leg)
                trunk = self.trunks.get(fact.leg, "")
                cost = _charge(fact.leg, answered_at, fact.at, trunk, context, prices)
                self.ended[fact.leg] = plivo.Ended(plivo.whole_seconds(answered_at, fact.at), cost, fact.cause)


def receiver_owner(context: CallContext) -> str:
    """Whose endpoints apply to this call."""
    return context.subaccount_id or context.account_id


def build_share(commit: CallCommit, progress: CallProgress, rules: Rules, now: float, ids: Ids) -> RecordedCall:
    """The call's share of the next group commit. `now`: wall seconds; moves `progress` on."""
    context, record = commit.context, commit.record
    if context is None:
        return RecordedCall(commit.facts, None)
    session = context.session
    was_routed = progress.routed
    rows: list[OutboxRow] = []
    told = _told_facts(session, rules.style)
    recording, end = None, None
    for fact in commit.facts:
        progress.take(fact, context, rules.prices)
        if session is not None and type(fact) in told:
            _tell(context, session, fact, progress, rules.style, now, ids, rows)
        if session is not None and type(fact) in TOLD_FACTS:
            progress.recording = progress.recording or RecordingProgress()
            teller = Teller(rules.links, ids, now, progress.number_event)
            recording = take_fact(fact, context, session, progress.recording, teller, rows) or recording
    if record is not None:
        record = _priced(record, progress, context, rules.prices)
        rows.extend(_summaries(context, record, rules.receivers, progress, now, ids))
        end = recording_end(progress.recording, record.ended_at, progress.events + 1, progress.rows + 1, now)
    ended = record is not None and progress.routed and session is not None
    began = session is not None and progress.routed and not was_routed
    return RecordedCall(
        facts=commit.facts,
        account_id=context.account_id,
        outbox=tuple(rows),
        record=record,
        session_id=session.id if session else None,
        interaction=interaction_of(record, end.recording_id if end else None) if record is not None and ended else None,
        calls_in_progress_delta=began - ended,
        recording=recording,
        recording_end=end,
    )


def interaction_of(record: CallRecord, recording_id: str | None = None) -> Interaction:
    """The finished call as the session object lists it (plivo-vts.md §5.1)."""
    leg_a, leg_b = record.legs[0], record.leg(LegName.B)
    caller = record.caller or Role.FIRST
    leg_ids = {caller: leg_a.id, caller.other: leg_b.id if leg_b else None}
    return Interaction(
        call_id=record.id,
        started_at=record.started_at,
        ended_at=record.ended_at,
        caller=caller,
        first_party_leg_id=leg_ids[Role.FIRST],
        second_party_leg_id=leg_ids[Role.SECOND],
        duration=sum(plivo.whole_seconds(leg.answered_at, leg.ended_at) for leg in record.legs),
        billed_duration=sum(leg.billed_duration for leg in record.legs),
        legs=len(record.legs),
        amount=sum(leg.amount for leg in record.legs),
        recording_id=recording_id,
    )


# -- events of a session that belong to no call ------------------------------------------------------------------
def session_timeout_outbox(
    session: Session, at: float, ids: Ids, style: Style = DEFAULT_STYLE
) -> tuple[OutboxRow, ...]:
    """`SessionTimeout` for a session whose time was over at wall second `at`; nothing without a callback URL."""
    return _session_event(session, plivo_events.SESSION_TIMEOUT, at, ids, style, session.virtual_number)


def param_update_outbox(session: Session, at: float, ids: Ids, style: Style = DEFAULT_STYLE) -> tuple[OutboxRow, ...]:
    """`SessionParamUpdate` for a session as a request changed it at wall second `at`, to its new callback URL."""
    return _session_event(session, plivo_events.PARAM_UPDATE, at, ids, style, session.virtual_number)


def number_replaced_outbox(
    before: Session, after: Session, at: float, ids: Ids, style: Style = DEFAULT_STYLE
) -> tuple[OutboxRow, ...]:
    """`SessionVirtualNumberReplaced` with the new number. Where each party has a number of its own, one event for each
    that changed, whose `From` is the party concerned."""
    event = plivo_events.NUMBER_REPLACED
    changed = [role for role in Role if before.number_of(role) != after.number_of(role)]
    if after.second_virtual_number is None:
        return _session_event(after, event, at, ids, style, after.virtual_number) if changed else ()
    return tuple(
        row
        for role in changed
        for row in _session_event(after, event, at, ids, style, after.number_of(role), after.party(role))
    )


def not_started_outbox(
    session: Session, fact: CallNotStarted, ids: Ids, style: Style = DEFAULT_STYLE
) -> tuple[OutboxRow, ...]:
    """The end of a requested call that never began, under the call's id."""
    if not session.options.callback_url:
        return ()
    who = plivo.parties(session, session.first_party, session.second_party, session.number_of(Role.FIRST))
    ended = plivo.Ended(0, _FREE, fact.cause)
    return tuple(
        _plivo_row(
            session, ids.uuid(), fact.subject, sequence, name, style.call_event(who, name, fact.at, sequence, ended),
            fact.at,
        )
        for sequence, name in enumerate(style.events.names(fact, answered=False), 1)
    )  # fmt: skip


def _session_event(
    session: Session, event: str, at: float, ids: Ids, style: Style, number: Number, party: Number | None = None
) -> tuple[OutboxRow, ...]:
    if not session.options.callback_url or not style.events.tells(event):
        return ()
    body = style.session_event(plivo.parties(session, party, None, number), event, at)
    # Rows of one session are tried in this order; a counter would have to be kept for all its life.
    return (_plivo_row(session, ids.uuid(), session.id, round(at * 1000), event, body, at),)


# -- events of a call --------------------------------------------------------------------------------------------
def _told_facts(session: Session | None, style: Style) -> frozenset[type[Fact]]:
    """Facts that may have something to tell the session's callback URL; half of a call's have not."""
    if session is None or not session.options.callback_url:
        return frozenset()
    return style.events.facts_with_pins if session.options.is_pin_authentication_required else style.events.facts


def _tell(
    context: CallContext, session: Session, fact: Fact, progress: CallProgress, style: Style, now: float, ids: Ids,
    rows: list[OutboxRow],
) -> None:  # fmt: skip
    """Append the rows of one fact."""
    answered, ended = False, None
    if isinstance(fact, LegEnded):
        answered, ended = fact.leg in progress.answered, progress.ended[fact.leg]
    elif isinstance(fact, CallEnded):
        if not progress.routed:
            return
        ended = _whole_call(fact, progress)
    who = progress.parties
    if who is None:
        number = context.virtual_number.number
        who = progress.parties = plivo.parties(session, context.caller, context.callee, number)
    if _is_authorized(fact, session) and style.events.tells(plivo_events.PIN_STATUS):
        # Its SequenceNumber is null by the page, so it does not count.
        progress.rows += 1
        body = style.pin_event(who, fact.at, _AUTHORIZED, 0)
        rows.append(_plivo_row(session, ids.uuid(), context.call_id, progress.rows, plivo_events.PIN_STATUS, body, now))
    for name in style.events.names(fact, answered):
        progress.events += 1
        progress.rows += 1
        body = style.call_event(who, name, fact.at, progress.events, ended)
        rows.append(_plivo_row(session, ids.uuid(), context.call_id, progress.rows, name, body, now))


def _is_authorized(fact: Fact, session: Session) -> bool:
    """A session with PINs recognised this caller by number, so none was asked for."""
    by_number = isinstance(fact, CallRouted) and fact.matched_by == MatchedBy.PARTY
    return by_number and session.options.is_pin_authentication_required


def _whole_call(fact: CallEnded, progress: CallProgress) -> plivo.Ended:
    legs = progress.ended.values()
    total = Charge(sum(leg.charge.billed_duration for leg in legs), sum(leg.charge.amount for leg in legs))
    return plivo.Ended(sum(leg.duration for leg in legs), total, fact.cause)


def _plivo_row(
    session: Session, row_id: str, subject: str, sequence: int, event: str, body: bytes, now: float
) -> OutboxRow:
    # A GET keeps its parameters in the body column too: that one is sealed, the URL column is not.
    return OutboxRow(
        id=row_id,
        account_id=session.account_id,
        subaccount_id=session.subaccount_id,
        subject=subject,
        sequence=sequence,
        dialect="plivo",
        event=event,
        method=session.options.callback_method.upper(),
        url=session.options.callback_url,
        content_type=plivo.CONTENT_TYPE,
        body=body,
        created_at=now,
        due_at=now,
    )


# -- what a call costs -------------------------------------------------------------------------------------------
def _charge(
    leg: str, answered_at: float | None, ended_at: float, trunk_id: str, context: CallContext, prices: PriceTable
) -> Charge:
    """Leg A is priced by the dialled virtual number, leg B by whom it calls."""
    seconds = 0.0 if answered_at is None else ended_at - answered_at
    if seconds <= 0:
        return _FREE
    inbound = leg == LegName.A
    number = context.virtual_number.number if inbound else context.callee
    direction = Direction.INBOUND if inbound else Direction.OUTBOUND
    return charge(None if number is None else prices.find(trunk_id, direction, number.e164), seconds)


def _priced(record: CallRecord, progress: CallProgress, context: CallContext, prices: PriceTable) -> CallRecord:
    """With the charges that the hangup events told; made now for a leg whose facts were lost."""

    def priced(leg: LegRecord) -> LegRecord:
        told = progress.ended.get(leg.leg)
        cost = told.charge if told else _charge(
            leg.leg, leg.answered_at, leg.ended_at, leg.trunk_id, context, prices
        )  # fmt: skip
        return leg if cost == _FREE else leg.charged(cost.billed_duration, cost.amount)

    return record.with_legs(tuple(priced(leg) for leg in record.legs))


# -- summaries ---------------------------------------------------------------------------------------------------
def _summaries(
    context: CallContext, record: CallRecord, receivers: Receivers, progress: CallProgress, now: float, ids: Ids
) -> list[OutboxRow]:
    rows = []
    for receiver in receivers.get(receiver_owner(context), ()):
        if receiver.kind not in _SUMMARIES:
            continue  # a kind of a later version, configured before a downgrade
        dialect, event, content_type, render = _SUMMARIES[receiver.kind]
        progress.rows += 1
        rows.append(
            OutboxRow(
                id=ids.uuid(),
                account_id=context.account_id,
                subaccount_id=context.subaccount_id,
                subject=context.call_id,
                sequence=progress.rows,
                dialect=dialect,
                event=event,
                method="POST",
                url=receiver.url,
                content_type=content_type,
                body=render(record, receiver.sub_account_id),
                authorization=receiver.authorization,
                created_at=now,
                due_at=now,
            )
        )
    return rows
