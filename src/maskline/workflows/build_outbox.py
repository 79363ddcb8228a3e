"""Turn what happened in calls and sessions into webhooks to send. Pure; called by `record_call.py` and the
session sweeper.

What it is: which receivers hear of a fact, in which order, and the session's totals that move with a finished
call. What it is not: bodies (`webhooks/formats`) or sending (`webhooks/deliver.py`).

- Plivo session events go to the session's `callback_url`, as the facts come. They are numbered per interaction.
- The 8x8 and Wavecell summaries go out once, with the record, to what is configured for the subaccount, or for
  the account when the number has none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from maskline.engine.ports import CallCommit, CallContext
from maskline.ids import Ids
from maskline.masking.call_record import CallRecord
from maskline.masking.facts import CallRouted, Fact, LegAnswered, LegEnded, LegName
from maskline.masking.session import Interaction, Role, Session
from maskline.storage.store import OutboxRow, RecordedCall
from maskline.webhooks.formats import eight, plivo, wavecell


@dataclass(frozen=True, slots=True)
class Receiver:
    """Who gets a summary: a configured endpoint, with the name it knows the (sub)account by."""

    kind: str
    url: str
    sub_account_id: str
    authorization: str = field(default="", repr=False)


Receivers = Mapping[str, tuple[Receiver, ...]]
"""By the subaccount's id, or the account's for numbers without a subaccount."""

_SUMMARIES = {
    eight.KIND: ("eight", eight.EVENT, eight.CONTENT_TYPE, eight.session_summary),
    wavecell.KIND: ("wavecell", wavecell.EVENT, wavecell.CONTENT_TYPE, wavecell.call_status),
}


class CallProgress:
    """What must be remembered of one call between its commits; dropped with its record."""

    __slots__ = ("answered", "events", "parties", "routed", "rows")

    def __init__(self) -> None:
        self.answered: dict[str, float] = {}
        """Leg name → wall seconds of its answer."""
        self.events = 0
        """Plivo's SequenceNumber, from 1 (plivo-vts.md §7.2 REC: per interaction)."""
        self.rows = 0
        """Order of all webhooks of this call."""
        self.routed = False
        self.parties: plivo.Parties | None = None


def receiver_owner(context: CallContext) -> str:
    """Whose endpoints apply to this call."""
    return context.subaccount_id or context.account_id


def build_share(commit: CallCommit, progress: CallProgress, receivers: Receivers, now: float, ids: Ids) -> RecordedCall:
    """The call's share of the next group commit. `now`: wall seconds; moves `progress` on."""
    context, record = commit.context, commit.record
    if context is None:
        return RecordedCall(commit.facts, None)
    session = context.session
    was_routed = progress.routed
    rows: list[OutboxRow] = []
    for fact in commit.facts:
        if isinstance(fact, LegAnswered):
            progress.answered[fact.leg] = fact.at
        elif isinstance(fact, CallRouted):
            progress.routed = True
        if session is not None and session.options.callback_url:
            rows.extend(_session_event(context, session, fact, progress, now, ids))
    if record is not None:
        rows.extend(_summaries(context, record, receivers, progress, now, ids))
    ended = record is not None and progress.routed
    return RecordedCall(
        facts=commit.facts,
        account_id=context.account_id,
        outbox=tuple(rows),
        record=record,
        session_id=session.id if session else None,
        interaction=interaction_of(record) if record is not None and ended else None,
        calls_in_progress_delta=(progress.routed - was_routed) - ended,
    )


def session_timeout_outbox(session: Session, at: float, ids: Ids) -> tuple[OutboxRow, ...]:
    """`SessionTimeout` for a session whose time was over at wall second `at`; nothing without a callback URL."""
    if not session.options.callback_url:
        return ()
    body = plivo.timeout_event(session, at)
    return (_plivo_row(session, ids.uuid(), session.id, 1, plivo.SESSION_TIMEOUT, body, at),)


def interaction_of(record: CallRecord) -> Interaction:
    """The finished call as the session object lists it (plivo-vts.md §5.1)."""
    leg_a, leg_b = record.legs[0], record.leg(LegName.B)
    caller = record.caller or Role.FIRST
    leg_ids = {caller: leg_a.id, caller.other: leg_b.id if leg_b else None}
    seconds = [plivo.leg_seconds(leg.answered_at, leg.ended_at) for leg in record.legs]
    return Interaction(
        call_id=record.id,
        started_at=record.started_at,
        ended_at=record.ended_at,
        caller=caller,
        first_party_leg_id=leg_ids[Role.FIRST],
        second_party_leg_id=leg_ids[Role.SECOND],
        duration=sum(duration for duration, _ in seconds),
        billed_duration=sum(billed for _, billed in seconds),
        legs=len(record.legs),
    )


def _session_event(
    context: CallContext, session: Session, fact: Fact, progress: CallProgress, now: float, ids: Ids
) -> tuple[OutboxRow, ...]:
    event = plivo.event_name(fact)
    if event is None:
        return ()
    if progress.parties is None:
        progress.parties = plivo.parties(session, context.caller, context.callee)
    progress.events += 1
    progress.rows += 1
    answered_at = progress.answered.get(fact.leg) if isinstance(fact, LegEnded) else None
    body = plivo.call_event(progress.parties, fact, event, progress.events, answered_at)
    return (_plivo_row(session, ids.uuid(), context.call_id, progress.rows, event, body, now),)


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
