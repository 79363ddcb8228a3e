"""The state tables of a call and of its two legs.

What it is: the only place where it is written what may follow what. `LEG_IN` and `LEG_OUT` map (state, signal) to
(next state, actions); `CALL` maps (state, input) to (next state, action). What it is not: the actions, which
are effects (`leg.py`) and the functions of `call_*.py`; docs/reference draws its diagrams from here. What somebody
hears before the bridge has tables of its own (`announcer.py`, `pin_prompt.py`, `capture.py`).

Three rules. A pair without a row changes nothing: it is the late half of a race (a provisional response after
the cancel, media that got ready after the end), which on UDP is normal and not an error. A leg always sees
its signal before the call does, so that what SIP owes the far side (ACK, BYE) never depends on the call. And the
next state is the way things go well: an action that cannot go that way ends the call, or takes the step that needs no
waiting at once.
"""

from __future__ import annotations

from enum import Enum, auto

from maskline.engine import inputs as i


class _Identity(Enum):
    """Enum whose members hash by identity: the hash of `Enum` is a Python function, and a call makes some fifty
    look-ups in these tables."""

    __hash__ = object.__hash__


class LegState(_Identity):
    IDLE = auto()
    """Outbound: not dialled."""
    TRYING = auto()
    """Inbound: INVITE received; outbound: INVITE sent."""
    EARLY = auto()
    """180 or 183 passed this way."""
    ANSWERED = auto()
    """Inbound: 200 sent, ACK not seen."""
    TALKING = auto()
    CANCELLING = auto()
    """Outbound: CANCEL sent, the INVITE's final response is still to come."""
    ENDING = auto()
    """BYE sent; the agent holds it back until the ACK of our 200 has come or is given up (RFC 3261 §15)."""
    ENDED = auto()


class LegSignal(_Identity):
    DIAL = auto()
    REDIAL = auto()
    """Somebody who could not be reached is tried elsewhere."""
    RING = auto()
    """Inbound: send 18x; outbound: 18x came."""
    ANSWER = auto()
    """Inbound: send 200; outbound: 2xx came."""
    REFUSED = auto()
    """Outbound: 3xx-6xx or time-out; inbound: the caller's CANCEL (the agent has sent 487)."""
    ACKED = auto()
    ACK_MISSING = auto()
    FAR_BYE = auto()
    BYE_DONE = auto()
    HANG_UP = auto()
    """We want this leg to end."""


class LegAction(_Identity):
    INVITE = auto()
    PROGRESS = auto()
    ANSWER = auto()
    REJECT = auto()
    ACK = auto()
    CANCEL = auto()
    BYE = auto()


LegTable = dict[tuple[LegState, LegSignal], tuple[LegState, tuple[LegAction, ...]]]

LEG_IN: LegTable = {
    (LegState.TRYING, LegSignal.RING): (LegState.EARLY, (LegAction.PROGRESS,)),
    (LegState.TRYING, LegSignal.ANSWER): (LegState.ANSWERED, (LegAction.ANSWER,)),
    (LegState.TRYING, LegSignal.HANG_UP): (LegState.ENDED, (LegAction.REJECT,)),
    (LegState.TRYING, LegSignal.REFUSED): (LegState.ENDED, ()),
    (LegState.TRYING, LegSignal.FAR_BYE): (LegState.ENDED, ()),
    (LegState.EARLY, LegSignal.RING): (LegState.EARLY, (LegAction.PROGRESS,)),
    (LegState.EARLY, LegSignal.ANSWER): (LegState.ANSWERED, (LegAction.ANSWER,)),
    (LegState.EARLY, LegSignal.HANG_UP): (LegState.ENDED, (LegAction.REJECT,)),
    (LegState.EARLY, LegSignal.REFUSED): (LegState.ENDED, ()),
    # A caller may end an early dialog by BYE (RFC 3261 §15); the agent answers the INVITE with 487.
    (LegState.EARLY, LegSignal.FAR_BYE): (LegState.ENDED, ()),
    (LegState.ANSWERED, LegSignal.ACKED): (LegState.TALKING, ()),
    (LegState.ANSWERED, LegSignal.ACK_MISSING): (LegState.ENDING, (LegAction.BYE,)),
    (LegState.ANSWERED, LegSignal.HANG_UP): (LegState.ENDING, (LegAction.BYE,)),
    (LegState.ANSWERED, LegSignal.FAR_BYE): (LegState.ENDED, ()),
    # The ACK of a 2xx to its re-INVITE can go missing as well (§14.2).
    (LegState.TALKING, LegSignal.ACK_MISSING): (LegState.ENDING, (LegAction.BYE,)),
    (LegState.TALKING, LegSignal.HANG_UP): (LegState.ENDING, (LegAction.BYE,)),
    (LegState.TALKING, LegSignal.FAR_BYE): (LegState.ENDED, ()),
    (LegState.ENDING, LegSignal.BYE_DONE): (LegState.ENDED, ()),
}

LEG_OUT: LegTable = {
    (LegState.IDLE, LegSignal.DIAL): (LegState.TRYING, (LegAction.INVITE,)),
    (LegState.IDLE, LegSignal.HANG_UP): (LegState.ENDED, ()),
    (LegState.ENDED, LegSignal.REDIAL): (LegState.TRYING, (LegAction.INVITE,)),
    (LegState.TRYING, LegSignal.RING): (LegState.EARLY, ()),
    (LegState.TRYING, LegSignal.ANSWER): (LegState.TALKING, (LegAction.ACK,)),
    (LegState.TRYING, LegSignal.REFUSED): (LegState.ENDED, ()),
    (LegState.TRYING, LegSignal.HANG_UP): (LegState.CANCELLING, (LegAction.CANCEL,)),
    (LegState.EARLY, LegSignal.ANSWER): (LegState.TALKING, (LegAction.ACK,)),
    (LegState.EARLY, LegSignal.REFUSED): (LegState.ENDED, ()),
    (LegState.EARLY, LegSignal.HANG_UP): (LegState.CANCELLING, (LegAction.CANCEL,)),
    # A callee may not end an early dialog by BYE (RFC 3261 §15); the agent takes it at its word.
    (LegState.TRYING, LegSignal.FAR_BYE): (LegState.ENDED, ()),
    (LegState.EARLY, LegSignal.FAR_BYE): (LegState.ENDED, ()),
    (LegState.CANCELLING, LegSignal.FAR_BYE): (LegState.ENDED, ()),
    # The 200 crossed our CANCEL (§9.1). The agent hangs such a call up and reports 487; the row is for an
    # answer that was in its event queue already.
    (LegState.CANCELLING, LegSignal.ANSWER): (LegState.ENDING, (LegAction.ACK, LegAction.BYE)),
    (LegState.CANCELLING, LegSignal.REFUSED): (LegState.ENDED, ()),
    (LegState.TALKING, LegSignal.ACK_MISSING): (LegState.ENDING, (LegAction.BYE,)),
    (LegState.TALKING, LegSignal.HANG_UP): (LegState.ENDING, (LegAction.BYE,)),
    (LegState.TALKING, LegSignal.FAR_BYE): (LegState.ENDED, ()),
    (LegState.ENDING, LegSignal.BYE_DONE): (LegState.ENDED, ()),
}


class CallState(_Identity):
    NEW = auto()
    ROUTING = auto()
    """The router has been asked."""
    ABANDONED = auto()
    """The caller gave up while the router was thinking; it is asked again, whose record that is and nothing more."""
    OPENING = auto()
    """The media driver has been asked for ports, the callee's among them."""
    OPENING_CALLER = auto()
    """It has been asked for the caller's ports alone: the caller will be asked for a PIN, or be told why not."""
    OPENING_FIRST = auto()
    """The same for the first party of a call that we start ourselves."""
    CALLING_FIRST = auto()
    """The first party has been dialled."""
    MEETING = auto()
    """The first party answered; its media is being attached."""
    ACCEPTING = auto()
    """The caller was answered so that it can be played to; its ACK is awaited, and after a late offer its media."""
    ASKING = auto()
    """The caller is asked for a PIN (`pin_prompt.py`)."""
    ANNOUNCING = auto()
    """The caller hears its prompts; nobody else has been dialled."""
    SAYING = auto()
    """A step of a call flow speaks to whoever is on the first leg, alone there or alone again."""
    CAPTURING = auto()
    """A call flow asks it for digits (`capture.py`)."""
    ASKING_NEXT = auto()
    """The customer's application is asked what comes next; the first leg hears silence."""
    REFUSING = auto()
    """The caller hears why, before it is refused or, if it was answered to be asked for a PIN, hung up."""
    DIALING = auto()
    RINGING = auto()
    """The callee's side sent 180 or 183."""
    ANSWERING = auto()
    """The callee answered and has its ACK; its media is being attached, the caller still waits."""
    INFORMING = auto()
    """The callee answered and hears its prompts; the caller still waits."""
    BRIDGING = auto()
    """All prompts are over; the two are being connected."""
    TALKING = auto()
    PARTING = auto()
    """Nobody was reached, but the caller was answered: it hears a tone before the BYE."""
    ENDING = auto()
    """The result is fixed; legs and media are being taken down."""
    ENDED = auto()


_S = CallState
CallEvent = type[i.Input] | i.TimerName
"""What may happen to a call: an input by its type, a timer by its name."""
CallTable = dict[tuple[CallState, CallEvent], tuple[CallState, str]]

_IN_FLOW = (_S.SAYING, _S.CAPTURING, _S.ASKING_NEXT)
_CALLER_ALONE = (
    _S.OPENING_CALLER, _S.OPENING_FIRST, _S.CALLING_FIRST, _S.MEETING, _S.ACCEPTING, _S.ASKING, _S.ANNOUNCING,
    _S.REFUSING, *_IN_FLOW,
)  # fmt: skip
_TO_CALLEE = (_S.DIALING, _S.RINGING, _S.ANSWERING, _S.INFORMING, _S.BRIDGING)
_UNCONNECTED = (_S.OPENING, *_CALLER_ALONE, *_TO_CALLEE)

_INVITED_US = (_S.OPENING, _S.OPENING_CALLER, _S.ANNOUNCING, _S.REFUSING, *_TO_CALLEE)
"""The caller may still wait for its answer."""
_UNANSWERED = (_S.OPENING_CALLER, _S.OPENING_FIRST, _S.CALLING_FIRST)
"""The first leg has neither our 200 nor a reliable 18x of ours."""
_AT_ONCE = (_S.OPENING, _S.MEETING, _S.ACCEPTING)
"""Who is answered at all, has been so just now: no session is old enough to be renewed."""
_OF_A_SESSION = (
    _S.OPENING, _S.OPENING_FIRST, _S.CALLING_FIRST, _S.MEETING, _S.ACCEPTING, _S.ANNOUNCING, *_TO_CALLEE
)  # fmt: skip
"""A session may have the call: its caller has been let in, and no call flow says what comes next."""


def _but(*without: CallState) -> tuple[CallState, ...]:
    return tuple([state for state in _UNCONNECTED if state not in without])


_BEFORE: tuple[tuple[CallEvent, CallState | None, str, tuple[CallState, ...]], ...] = (
    (i.Stopped, _S.ENDING, "stop", _UNCONNECTED),
    # The agent tells of a CANCEL that found its INVITE unanswered (RFC 3261 §9.2), and of no other.
    (i.Cancelled, _S.ENDING, "cancel", _INVITED_US),
    (i.HungUp, _S.ENDING, "hang_up_early", _but(_S.OPENING_FIRST)),
    (i.Offered, None, "change_early", _but(_S.OPENING_FIRST)),
    # Of a 200 to the INVITE or to a change, or the PRACK of a 18x (RFC 3262 §3).
    (i.AckMissing, _S.ENDING, "miss_ack", _but(*_UNANSWERED)),
    (i.Acked, None, "take_ack", _but(*_UNANSWERED)),
    # The driver takes one step after the other, so that a change of the one whom we called is ready after its answer.
    (i.Renewed, None, "take_renewal", _but(*_UNANSWERED, *_AT_ONCE)),
    (i.ChangeReady, None, "confirm_change", _but(*_UNANSWERED, _S.MEETING)),
    (i.MediaFailed, None, "lose_media", _but(_S.CALLING_FIRST)),
    (i.SessionEnded, None, "withdraw", _OF_A_SESSION),
    # The other side of a first leg that is alone again is asked by nobody else.
    (i.OfferAnswered, None, "hear_other_side", _IN_FLOW),
)
"""What can happen between the route and the bridge, and when a call flow goes on after it: event, next state, action,
and where. None: the call stays where it is. A leg that was answered already may ask for changes like any other, may
hang up, and its ACK may be missing."""

CALL: CallTable = {
    (_S.NEW, i.Received): (_S.ROUTING, "route"),
    (_S.NEW, i.Requested): (_S.OPENING_FIRST, "start"),
    (_S.NEW, i.FlowRequested): (_S.OPENING_FIRST, "start_flow"),
    (_S.ROUTING, i.Forwarded): (_S.OPENING, "forward"),
    (_S.ROUTING, i.PinAsked): (_S.OPENING_CALLER, "ask_pin"),
    (_S.ROUTING, i.FlowGiven): (_S.OPENING, "take_flow"),
    (_S.ROUTING, i.Refused): (_S.ENDING, "refuse"),
    (_S.ROUTING, i.RouteFailed): (_S.ENDING, "give_up"),
    (_S.ROUTING, i.Cancelled): (_S.ABANDONED, "stop_asking"),
    (_S.ROUTING, i.HungUp): (_S.ABANDONED, "stop_asking"),
    (_S.ROUTING, i.Offered): (_S.ROUTING, "change_early"),
    (_S.ROUTING, i.Stopped): (_S.ENDING, "stop"),
    (_S.ABANDONED, i.Forwarded): (_S.ENDING, "abandon"),
    (_S.ABANDONED, i.PinAsked): (_S.ENDING, "abandon_question"),
    (_S.ABANDONED, i.FlowGiven): (_S.ENDING, "abandon_flow"),
    (_S.ABANDONED, i.Refused): (_S.ENDING, "refuse"),
    (_S.ABANDONED, i.RouteFailed): (_S.ENDING, "give_up"),
    (_S.ABANDONED, i.Stopped): (_S.ENDING, "stop"),
    **{
        (state, event): (state if after is None else after, action)
        for event, after, action, states in _BEFORE
        for state in states
    },
    (_S.OPENING, i.MediaOpened): (_S.DIALING, "dial"),
    (_S.OPENING_CALLER, i.MediaOpened): (_S.ACCEPTING, "face"),
    (_S.OPENING_CALLER, i.MediaFailed): (_S.ENDING, "miss_caller"),
    (_S.OPENING_FIRST, i.MediaOpened): (_S.CALLING_FIRST, "dial_first"),
    (_S.CALLING_FIRST, i.Progressed): (_S.CALLING_FIRST, "ring_first"),
    (_S.CALLING_FIRST, i.Answered): (_S.MEETING, "meet"),
    (_S.CALLING_FIRST, i.Failed): (_S.CALLING_FIRST, "try_next"),
    (_S.CALLING_FIRST, i.TimerName.CALL): (_S.ENDING, "stop_ringing"),
    (_S.MEETING, i.AnswerMediaReady): (_S.ANNOUNCING, "listen"),
    (_S.ACCEPTING, i.Acked): (_S.ANNOUNCING, "hear_ack"),
    (_S.ACCEPTING, i.LateMediaReady): (_S.ANNOUNCING, "listen"),
    (_S.ASKING, i.Digit): (_S.ASKING, "note_digit"),
    (_S.ASKING, i.PlayDone): (_S.ASKING, "hear_question"),
    (_S.ASKING, i.PlayFailed): (_S.ASKING, "hear_question"),
    (_S.ASKING, i.TimerName.DIGITS): (_S.ASKING, "close_entry"),
    (_S.ASKING, i.TimerName.PIN): (_S.ASKING, "go_on_asking"),
    (_S.ASKING, i.PinRefused): (_S.ASKING, "refuse_pin"),
    (_S.ASKING, i.Forwarded): (_S.ANNOUNCING, "admit"),
    (_S.ASKING, i.Refused): (_S.PARTING, "turn_away"),
    (_S.ASKING, i.RouteFailed): (_S.PARTING, "lose_router"),
    (_S.ANNOUNCING, i.PlayDone): (_S.ANNOUNCING, "announced"),
    (_S.ANNOUNCING, i.PlayFailed): (_S.ANNOUNCING, "announced"),
    (_S.ANNOUNCING, i.TimerName.PIN): (_S.ANNOUNCING, "cut_announcement"),
    (_S.SAYING, i.PlayDone): (_S.SAYING, "said"),
    (_S.SAYING, i.PlayFailed): (_S.SAYING, "not_said"),
    (_S.SAYING, i.TimerName.PIN): (_S.SAYING, "cut_saying"),
    (_S.CAPTURING, i.Digit): (_S.CAPTURING, "take_key"),
    (_S.CAPTURING, i.PlayDone): (_S.CAPTURING, "hear_instructions"),
    (_S.CAPTURING, i.PlayFailed): (_S.CAPTURING, "hear_instructions"),
    (_S.CAPTURING, i.TimerName.DIGITS): (_S.CAPTURING, "close_digits"),
    (_S.CAPTURING, i.TimerName.PIN): (_S.CAPTURING, "cut_instructions"),
    (_S.ASKING_NEXT, i.FlowGiven): (_S.ASKING_NEXT, "take_next"),
    (_S.ASKING_NEXT, i.Refused): (_S.ENDING, "refuse_next"),
    (_S.ASKING_NEXT, i.RouteFailed): (_S.ENDING, "lose_application"),
    **{
        (state, event): (state, action)
        for state in _IN_FLOW
        for event, action in ((i.RecordingOn, "recording_on"), (i.RecordingOff, "recording_off"))
    },
    (_S.REFUSING, i.PlayDone): (_S.REFUSING, "told_why"),
    (_S.REFUSING, i.PlayFailed): (_S.REFUSING, "told_why"),
    (_S.REFUSING, i.TimerName.PIN): (_S.ENDING, "refuse_now"),
    (_S.DIALING, i.Progressed): (_S.RINGING, "ring"),
    (_S.DIALING, i.Answered): (_S.ANSWERING, "connect"),
    (_S.DIALING, i.Failed): (_S.DIALING, "try_next"),
    (_S.DIALING, i.TimerName.CALL): (_S.ENDING, "stop_ringing"),
    (_S.RINGING, i.Progressed): (_S.RINGING, "ring"),
    (_S.RINGING, i.EarlyMediaReady): (_S.RINGING, "pass_early_media"),
    (_S.RINGING, i.Answered): (_S.ANSWERING, "connect"),
    (_S.RINGING, i.Failed): (_S.ENDING, "fail"),
    (_S.RINGING, i.TimerName.CALL): (_S.ENDING, "stop_ringing"),
    (_S.RINGING, i.PlayFailed): (_S.RINGING, "miss_tone"),
    (_S.ANSWERING, i.AnswerMediaReady): (_S.TALKING, "answer"),
    (_S.INFORMING, i.AnswerMediaReady): (_S.INFORMING, "inform"),
    (_S.INFORMING, i.PlayDone): (_S.INFORMING, "informed"),
    (_S.INFORMING, i.PlayFailed): (_S.INFORMING, "informed"),
    (_S.INFORMING, i.TimerName.PIN): (_S.INFORMING, "cut_information"),
    (_S.BRIDGING, i.Bridged): (_S.TALKING, "answer"),
    (_S.TALKING, i.Acked): (_S.TALKING, "take_ack"),
    (_S.TALKING, i.Renewed): (_S.TALKING, "take_renewal"),
    (_S.TALKING, i.AckMissing): (_S.ENDING, "miss_ack"),
    (_S.TALKING, i.HungUp): (_S.ENDING, "part_company"),
    (_S.TALKING, i.TimerName.CALL): (_S.ENDING, "reach_limit"),
    (_S.TALKING, i.Offered): (_S.TALKING, "change"),
    (_S.TALKING, i.ChangeReady): (_S.TALKING, "confirm_change"),
    (_S.TALKING, i.OfferAnswered): (_S.TALKING, "hear_other_side"),
    (_S.TALKING, i.OfferWithdrawn): (_S.TALKING, "hear_withdrawal"),
    **{(state, i.OfferWithdrawn): (state, "hear_withdrawal") for state in _IN_FLOW},
    (_S.TALKING, i.LateMediaReady): (_S.TALKING, "hear_both"),
    (_S.TALKING, i.MediaFailed): (_S.TALKING, "refuse_failed_change"),
    (_S.TALKING, i.Digit): (_S.TALKING, "pass_digit"),
    (_S.TALKING, i.RecordingOn): (_S.TALKING, "recording_on"),
    (_S.TALKING, i.RecordingOff): (_S.TALKING, "recording_off"),
    (_S.TALKING, i.Stopped): (_S.ENDING, "stop"),
    (_S.PARTING, i.TimerName.PIN): (_S.ENDING, "part"),
    (_S.PARTING, i.PlayFailed): (_S.ENDING, "part"),
    (_S.PARTING, i.HungUp): (_S.ENDING, "part"),
    (_S.PARTING, i.AckMissing): (_S.ENDING, "part"),
    (_S.PARTING, i.Stopped): (_S.ENDING, "part"),
    (_S.PARTING, i.MediaFailed): (_S.PARTING, "lose_media"),
    (_S.PARTING, i.Offered): (_S.PARTING, "change"),
    (_S.PARTING, i.Acked): (_S.PARTING, "take_ack"),
    (_S.PARTING, i.Renewed): (_S.PARTING, "take_renewal"),
    (_S.PARTING, i.ChangeReady): (_S.PARTING, "confirm_change"),
    (_S.ENDING, i.Offered): (_S.ENDING, "refuse_late_change"),
    (_S.ENDING, i.ChangeReady): (_S.ENDING, "refuse_late_change"),
    (_S.ENDING, i.MediaFailed): (_S.ENDING, "refuse_failed_change"),
    (_S.ENDING, i.RecordingOn): (_S.ENDING, "recording_on"),
    (_S.ENDING, i.RecordingOff): (_S.ENDING, "recording_off"),
    (_S.ENDING, i.MediaClosed): (_S.ENDING, "close"),
}
