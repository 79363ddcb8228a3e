"""What of an INVITE usage is kept across a restart, and the usage made of it again.

What it is: the dialog, the session timer, the realm and the weakest proof of a usage that was answered, as JSON values;
and of one that was not what takes its INVITE back. What it is not: other transactions: what was under way when the
process died is given up, and the far side sends it again or asks anew. Who uses it: the engine keeps, `Agent.restore`
makes it go on, `Agent.take_back` has it rung no more.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from maskline.sip.build import Envelope
from maskline.sip.dialog import Dialog
from maskline.sip.flow import Flow, way_of
from maskline.sip.invite_usage import InviteUsage, UsageState
from maskline.sip.session_timer import Terms

CSEQ_JUMP = 100
"""By how much our CSeq jumps: requests of ours that were sent after the last keeping must not be taken for these."""
CSEQ_PER_SECOND = 0.1
"""And more, the longer ago that was: a session timer asks for a renewal every 45 s at most."""


class KeptSession(NamedTuple):
    """A session timer (RFC 4028)."""

    seconds: int
    we_refresh: bool
    sdp: str
    by_update: bool
    shortest: int


class KeptUsage(NamedTuple):
    """A usage whose INVITE was answered. Holds URIs with real numbers: seal it."""

    local_tag: str
    is_client: bool
    flow: Flow
    dialog: dict[str, Any]
    realm: str
    """Of the challenge that was answered last; empty: none was."""
    session: KeptSession | None
    weakest: int = 0
    """Strength of the weakest challenge that was answered, below which none of this dialog is; 0: none was."""


class KeptInvite(NamedTuple):
    """An INVITE of ours without a final response: all that its CANCEL and what may follow it need. Holds URIs with real
    numbers: seal it."""

    flow: Flow
    uri: str
    routes: str
    from_value: str
    to_value: str
    call_id: str
    cseq: int
    branch: str


def keep_invite(usage: InviteUsage) -> KeptInvite | None:
    """None when it is not ours, or over."""
    transaction = usage.transaction
    if usage.state is not UsageState.CALLING or transaction is None:
        return None
    sent: Envelope = transaction.envelope  # type: ignore[union-attr]  # CALLING: it is the client's
    return KeptInvite(
        transaction.flow, sent.uri, sent.routes, sent.from_value, sent.to_value, sent.call_id, sent.cseq, sent.branch
    )


def envelope_of(kept: KeptInvite) -> Envelope:
    return Envelope(*kept[1:], way_of(kept.flow))


def keep_usage(usage: InviteUsage) -> KeptUsage | None:
    """None before its answer, and once it is ending."""
    if usage.dialog is None or usage.state not in (UsageState.ANSWERED, UsageState.CONFIRMED):
        return None
    session, digest = usage.session, usage.digest
    kept = None
    if session is not None:
        terms = session.terms
        kept = KeptSession(
            terms.seconds, terms.we_refresh, session.sdp.decode(), session.by_update, session.shortest
        )  # fmt: skip
    realm, weakest = ("", 0) if digest is None else (digest.realm, digest.weakest)
    return KeptUsage(usage.local_tag, usage.is_client, usage.flow, usage.dialog.snapshot(), realm, kept, weakest)


def restore_usage(kept: KeptUsage, age: float) -> InviteUsage:
    """As acknowledged, whether or not the ACK was seen: who still waits for one of us hears our next request. `age`:
    seconds since it was kept. The session is the agent's to start again. Raises `ParseError`."""
    usage = InviteUsage(kept.local_tag, kept.flow, is_client=kept.is_client)
    usage.state = UsageState.CONFIRMED
    dialog = usage.dialog = Dialog.restore(kept.dialog)
    dialog.local_cseq += CSEQ_JUMP + int(max(0.0, age) * CSEQ_PER_SECOND)
    usage.provisional_seen = True
    return usage


def terms_of(session: KeptSession) -> Terms:
    return Terms(session.seconds, session.we_refresh)
