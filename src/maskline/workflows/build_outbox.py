"""Turn what happened in calls and sessions into webhooks to send. Pure; called by `record_call.py`, the session
sweeper and the workflows that change sessions.

What it is: which receivers hear of a fact, in which order, what each leg costs, and the session's totals that move
with a finished call. What it is not: bodies (`webhooks/formats`) or sending (`webhooks/deliver.py`).

- Plivo session events go to the session's `callback_url`, as the facts come. They are numbered per interaction.
- 8x8's call statuses go out as the facts come (`status_outbox.py`), the 8x8 and Wavecell summaries once, with the
  record: to what is configured for the subaccount, or for the account when the number has none.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import field

from maskline.engine.ports import CallCommit, CallContext
from maskline.ids import Ids
from maskline.masking.call_record import CallRecord
from maskline.masking.decision import MatchedBy
from maskline.masking.e164 import Number
from maskline.masking.facts import CallEnded, CallNotStarted, CallRouted, Fact, LegEnded, LegName, PinChecked
from maskline.masking.price import Charge
from maskline.masking.price_table import PriceTable
from maskline.masking.session import Interaction, Role, Session
from maskline.storage.kept import LiveCall
from maskline.storage.store import OutboxRow, RecordedCall
from maskline.values import dataclass
from maskline.webhooks.formats import eight, native, plivo, plivo_events, wavecell
from maskline.webhooks.formats.plivo import DEFAULT_STYLE, Style
from maskline.workflows.call_progress import FREE, CallProgress, priced
from maskline.workflows.native_outbox import append_native
from maskline.workflows.receivers import NOBODY, Receiver, Receivers, call_row, owner_of
from maskline.workflows.recording_links import RecordingLinks
from maskline.workflows.recording_outbox import TOLD_FACTS, RecordingProgress, Teller, recording_end, take_fact
from maskline.workflows.status_outbox import append_steps

NO_LINKS = RecordingLinks(b"", "", 0.0)
"""Where nothing is recorded."""


@dataclass(frozen=True, slots=True)
class Rules:
    """What holds for all calls of a group commit."""

    receivers: Receivers = field(default_factory=dict)
    prices: PriceTable = field(default_factory=PriceTable)
    style: Style = DEFAULT_STYLE
    links: RecordingLinks = NO_LINKS


_RENDER = {
    eight.KIND: (eight.EVENT, eight.session_summary),
    wavecell.KIND: (wavecell.EVENT, wavecell.call_status),
    native.KIND: (native.CALL_ENDED, lambda record, shape: native.call_ended(record, shape.redactor)),
}


_AUTHORIZED = "AuthorizedCaller"
"""Pin status of a caller who was recognised by number (plivo-vts.md §7.2)."""
_PIN_STATUS = {True: "success", False: "failed"}


def build_share(
    commit: CallCommit, progress: CallProgress, rules: Rules, now: float, ids: Ids, live: LiveCall | None = None
) -> RecordedCall:
    """The call's share of the next group commit. `now`: wall seconds; moves `progress` on. `live`: what is kept of the
    call with it."""
    context, record = commit.context, commit.record
    if context is None:
        return RecordedCall(commit.facts, None)
    session = context.session
    was_routed = progress.routed
    rows: list[OutboxRow] = []
    told = _told_facts(session, rules.style)
    audience = rules.receivers.get(owner_of(context), NOBODY)
    recording, end = None, None
    for fact in commit.facts:
        progress.take(fact, context, rules.prices)
        if session is not None and type(fact) in told:
            _tell(context, session, fact, progress, rules.style, now, ids, rows)
        if type(fact) in TOLD_FACTS:
            progress.recording = progress.recording or RecordingProgress()
            teller = Teller(rules.links, ids, now, progress.number_event)
            recording = take_fact(fact, context, session, progress.recording, teller, rows) or recording
        if audience.followers:
            append_steps(fact, context, progress, audience.followers, now, ids, rows)
        if audience.native:
            append_native(fact, context, progress, audience.native, now, ids, rows)
    if record is not None:
        record = priced(record, progress, context, rules.prices)
        rows.extend(_summaries(context, record, audience.summaries, progress, now, ids))
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
        live=live,
        held=progress.tenure,
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
    ended = plivo.Ended(0, FREE, fact.cause)
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
    ended = None
    if isinstance(fact, LegEnded):
        ended = progress.ended[fact.leg]
    elif isinstance(fact, CallEnded):
        if not progress.routed:
            return
        ended = _whole_call(fact, progress)
    elif isinstance(fact, PinChecked) and not session.is_live(fact.at):
        # The right PIN of a session that is over: such a call is no longer the session's.
        progress.answer_untold = None
        return
    who = _parties(context, session, progress)

    def add(event: str, body: bytes) -> None:
        rows.append(_plivo_row(session, ids.uuid(), context.call_id, progress.rows, event, body, now))

    def add_events(fact: Fact) -> None:
        answered = isinstance(fact, LegEnded) and fact.leg in progress.answered
        begun = progress.dialed or progress.rows > 0
        for name in style.events.names(fact, answered, progress.requested, begun=begun):
            sequence, _ = progress.number_event()
            add(name, style.call_event(who, name, fact.at, sequence, ended))

    status = _pin_status(fact, session)
    if status is not None and style.events.tells(plivo_events.PIN_STATUS):
        # Its SequenceNumber is null by the page, so it does not count.
        progress.rows += 1
        add(plivo_events.PIN_STATUS, style.pin_event(who, fact.at, *status))
    if progress.answer_untold is not None:
        answer, progress.answer_untold = progress.answer_untold, None
        add_events(answer)
    add_events(fact)


def _parties(context: CallContext, session: Session, progress: CallProgress) -> plivo.Parties:
    if progress.parties is None or progress.parties_of is not context:
        number = context.virtual_number.number
        progress.parties = plivo.parties(session, context.caller, context.callee, number)
        progress.parties_of = context
    return progress.parties


def _pin_status(fact: Fact, session: Session) -> tuple[str, int] | None:
    """Status and wrong PINs so far (plivo-vts.md §7.2): of each PIN that was given or missed, where it is known whose
    session is meant, and of a caller who was recognised by number and not asked. Who is asked because nobody knows the
    number belongs to no session until the PIN is right."""
    if isinstance(fact, PinChecked):
        return _PIN_STATUS[fact.accepted], fact.failures
    by_number = isinstance(fact, CallRouted) and fact.matched_by == MatchedBy.PARTY
    return (_AUTHORIZED, 0) if by_number and session.options.is_pin_authentication_required else None


def _whole_call(fact: CallEnded, progress: CallProgress) -> plivo.Ended:
    legs = progress.ended.values()
    total = Charge(sum(leg.charge.billed_duration for leg in legs), sum(leg.charge.amount for leg in legs))
    answered = all(leg.answered for leg in legs)
    return plivo.Ended(sum(leg.duration for leg in legs), total, fact.cause, answered)


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


# -- summaries ---------------------------------------------------------------------------------------------------
def _summaries(
    context: CallContext, record: CallRecord, receivers: Sequence[Receiver], progress: CallProgress, now: float,
    ids: Ids,
) -> Iterator[OutboxRow]:  # fmt: skip
    for receiver in receivers:
        event, render = _RENDER[receiver.kind]
        body = render(record, receiver.shape)
        yield call_row(receiver, context, ids.uuid(), event, body, progress.next_row(), now)
