"""A call taken down in values, and put together again in another process.

What it is: `keep`, which says of a call what has to be written of it now, `restore`, which makes a call whose parties
talk go on, and `end_begun`, which makes the record of one that was cut off before. What it is not: the form of what is
written (`call_kept.py`), a store, or SIP. Who uses it: `core.py` and `revival.py`.

What was under way is not kept: a change that one side had asked for is asked for again by whoever wants it, and of a
call flow only the bridge goes on; the call ends with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import NamedTuple

from maskline.engine.call import USUAL, Call, CallPolicy
from maskline.engine.call_kept import (
    VERSION,
    KeptCall,
    KeptContext,
    KeptLegMedia,
    KeptMedia,
    KeptTalk,
)
from maskline.engine.call_media import CallMedia, LegMedia
from maskline.engine.call_record_builder import CallRecordBuilder
from maskline.engine.call_states import CallState, LegState
from maskline.engine.effects import Effect, Emit, Finish
from maskline.engine.leg import Leg
from maskline.engine.ports import CallCommit, CallContext
from maskline.masking.facts import Cause, Fact, HungUpBy, LegEnded, LegName, Outcome
from maskline.masking.permit import Permit
from maskline.masking.session import Session
from maskline.sip.invite_usage import UsageState
from maskline.sip.kept_usage import KeptInvite, keep_invite, keep_usage

A, B = LegName.A, LegName.B
_TALKING = CallState.TALKING
_CALLING = UsageState.CALLING


# -- kept ---------------------------------------------------------------------------------------------------------


def keep(call: Call, now: float, permit_of: Callable[[str], Permit | None]) -> KeptCall | None:
    """What is to be written of the call at this moment; None: nothing that is not written already, or nothing at all.
    Remembers what was kept. `permit_of`: what a call uses of its account's limits."""
    context = call.record.context
    if context is None or call.record.closed:
        return None
    talk = _talk_of(call) if call.state is _TALKING and call.change is None else None
    alone = call.talked and call.leg_b.ended  # with a call flow: what was kept of the conversation is past
    if talk is None and call.kept is context and not alone and not _rings_otherwise(call):
        return None
    call.kept = context
    ringing = () if talk is not None else _ringing(call)
    call.kept_ringing = ringing[-1].branch if ringing else ""
    session = context.session
    whose = KeptContext(
        context.virtual_number, None if session is None else session.id, context.caller_role, context.shown,
        context.shown_reference_id,
    )  # fmt: skip
    return KeptCall(
        VERSION, call.id, call.record.wall(now), whose, call.record.kept(), talk, permit_of(call.id), ringing
    )


def _ringing(call: Call) -> tuple[KeptInvite, ...]:
    usages = (call.leg_a.usage, call.leg_b.usage)
    found = [keep_invite(usage) for usage in usages if usage is not None and usage.is_client]
    return tuple([kept for kept in found if kept is not None])


def _rings_otherwise(call: Call) -> bool:
    """Since it was kept an INVITE of ours went out, or went out again with proof of who we are."""
    for leg in (call.leg_b, call.leg_a):
        usage = leg.usage
        if usage is not None and usage.state is _CALLING and usage.transaction is not None:
            return usage.transaction.envelope.branch != call.kept_ringing  # type: ignore[union-attr]  # the client's
    return False


def _talk_of(call: Call) -> KeptTalk | None:
    """None when a leg is on its way out already."""
    usage_a, usage_b = call.leg_a.usage, call.leg_b.usage
    a = None if usage_a is None else keep_usage(usage_a)
    b = None if usage_b is None else keep_usage(usage_b)
    if a is None or b is None:
        return None
    ends_at = None if call.ends_at is None else call.record.wall(call.ends_at)
    return KeptTalk(a, b, _keep_media(call.media), ends_at, call.records)


def _keep_media(media: CallMedia) -> KeptMedia:
    a, b = _keep_leg(media.leg(A)), _keep_leg(media.leg(B))
    return KeptMedia(media.relay, media._caller_has, media.offered, media._only_g711, media.late, a, b)


def _keep_leg(leg: LegMedia) -> KeptLegMedia:
    return KeptLegMedia(
        leg._session_id, leg._version, leg._tag, leg.written, leg.agreed, leg.awaits_answer, leg.demands_keys, leg.far,
        leg.ipv6, leg.local, leg.nat, leg.voice, leg.wish,
    )  # fmt: skip


# -- restored -----------------------------------------------------------------------------------------------------


def context_of(kept: KeptCall, session: Session | None) -> CallContext:
    """`session`: the one that is named there, as it is now."""
    whose, record = kept.context, kept.record
    return CallContext(
        kept.call_id, whose.number.account_id, whose.number.subaccount_id, whose.number, session, whose.role,
        record.caller, record.callee, whose.shown, record.a.id, record.b.id, whose.shown_label,
    )  # fmt: skip


def restore(
    kept: KeptCall, talk: KeptTalk, context: CallContext, past: Iterable[Fact], wall_offset: float,
    new_id: Callable[[], str], policy: CallPolicy = USUAL, *, transcodes: bool = False, encrypts: bool = False,
) -> Call:  # fmt: skip
    """A call whose parties talk, its legs without usages. `past`: the facts of it that were written; `wall_offset`:
    what is added to monotonic seconds to get wall seconds."""
    tracks = kept.record
    legs = (Leg(A, tracks.a.id, inbound=tracks.a.inbound), Leg(B, tracks.b.id, inbound=tracks.b.inbound))
    media = _restore_media(talk.media, transcodes=transcodes, encrypts=encrypts)
    record = CallRecordBuilder.restored(context, kept.record, wall_offset)
    for fact in past:
        if fact.sequence > kept.record.sequence:
            record.fold(fact)
    call = Call(kept.call_id, legs, media, record, new_id, policy)
    call.state, call.talked, call.records, call.kept = _TALKING, True, talk.records, context
    call.ends_at = None if talk.ends_at is None else talk.ends_at - wall_offset
    for leg in legs:
        leg.state, leg.call = LegState.TALKING, call
    return call


def _restore_media(kept: KeptMedia, *, transcodes: bool, encrypts: bool) -> CallMedia:
    media = CallMedia(kept.relay, 0, 0, transcodes=transcodes, encrypts=encrypts)
    media._caller_has, media.offered, media._only_g711, media.late = kept[1:5]
    media._a, media._b = _restore_leg(kept.a), _restore_leg(kept.b)
    media.is_open = kept.relay
    return media


def _restore_leg(kept: KeptLegMedia) -> LegMedia:
    leg = LegMedia(kept.session_id)
    (
        _, leg._version, leg._tag, leg.written, leg.agreed, leg.awaits_answer, leg.demands_keys, leg.far, leg.ipv6,
        leg.local, leg.nat, leg.voice, leg.wish,
    ) = kept  # fmt: skip
    return leg


# -- cut off ------------------------------------------------------------------------------------------------------


class Ending(NamedTuple):
    """Why a call ends."""

    outcome: Outcome
    cause: Cause
    by: HungUpBy
    at: float
    """Wall seconds."""


def ending_of(kept: KeptCall, past: Iterable[Fact]) -> Ending | None:
    """Of a call that was on its way out when it was cut off: its media was being closed, or a far side had not
    answered our BYE. None: it was not. `past`: the facts of it that were written."""
    found = None
    for fact in past:
        if isinstance(fact, LegEnded) and fact.sequence > kept.record.sequence:
            found = Ending(fact.outcome, fact.cause, fact.hung_up_by, fact.at)
    return found


def end_begun(
    kept: KeptCall, context: CallContext, past: Iterable[Fact], wall: float, *, asked: bool = False
) -> list[CallCommit]:
    """The end of a call that cannot go on: its last facts and its record. `past` as there; `asked`: for its end."""
    past = tuple(past)
    record = CallRecordBuilder.restored(context, kept.record, 0.0)
    for fact in past:
        record.fold(fact)
    out: list[Effect] = []
    cut_off = Ending(Outcome.ERROR, Cause.ENGINE_RESTARTED, HungUpBy.PLATFORM, wall)
    if asked:
        cut_off = Ending(Outcome.CANCELED, Cause.ENDED_BY_REQUEST, HungUpBy.PLATFORM, wall)
    outcome, cause, by, at = ending_of(kept, past) or cut_off
    record.recovered(wall, out, goes_on=False)
    for leg in (B, A):
        record.ended(leg, at, outcome, cause, 200 if record.was_answered(leg) else 0, by, out)
    record.close(at, outcome, cause, by)
    record.finish({}, out)
    facts = tuple([effect.fact for effect in out if isinstance(effect, Emit)])
    (done,) = [effect.record for effect in out if isinstance(effect, Finish)]
    return [CallCommit(context, facts, done)]
