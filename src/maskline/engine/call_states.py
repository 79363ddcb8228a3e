"""The state tables of a call and of its two legs.

What it is: the only place where it is written what may follow what. `LEG_A` and `LEG_B` map (state, signal) to
(next state, actions); `CALL` maps (state, input) to (next state, action). What it is not: the actions, which
are effects (`leg.py`) and methods (`call.py`); docs/topics draws its diagrams from here.

Two rules. A pair without a row changes nothing: it is the late half of a race (a provisional response after
the cancel, media that got ready after the end), which on UDP is normal and not an error. And a leg always sees
its signal before the call does, so that what SIP owes the far side (ACK, BYE) never depends on the call.
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
    """B only: not dialled."""
    TRYING = auto()
    """A: INVITE received; B: INVITE sent."""
    EARLY = auto()
    """180 or 183 passed this way."""
    ANSWERED = auto()
    """A only: 200 sent, ACK not seen."""
    TALKING = auto()
    CANCELLING = auto()
    """B only: CANCEL sent, the INVITE's final response is still to come."""
    ENDING = auto()
    """BYE sent; on A the agent holds it back until the ACK has come or is given up (RFC 3261 §15)."""
    ENDED = auto()


class LegSignal(_Identity):
    DIAL = auto()
    RING = auto()
    """A: pass 18x on; B: 18x came."""
    ANSWER = auto()
    """A: send 200; B: 2xx came."""
    REFUSED = auto()
    """B: 3xx-6xx or time-out; A: the caller's CANCEL (the agent has sent 487)."""
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

LEG_A: LegTable = {
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
    (LegState.ENDING, LegSignal.FAR_BYE): (LegState.ENDED, ()),
    (LegState.ENDING, LegSignal.BYE_DONE): (LegState.ENDED, ()),
}

LEG_B: LegTable = {
    (LegState.IDLE, LegSignal.DIAL): (LegState.TRYING, (LegAction.INVITE,)),
    (LegState.IDLE, LegSignal.HANG_UP): (LegState.ENDED, ()),
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
    (LegState.ENDING, LegSignal.FAR_BYE): (LegState.ENDED, ()),
    (LegState.ENDING, LegSignal.BYE_DONE): (LegState.ENDED, ()),
}


class CallState(_Identity):
    NEW = auto()
    ROUTING = auto()
    """The router has been asked."""
    ABANDONED = auto()
    """The caller gave up while the router was thinking; its answer says whose record that is."""
    OPENING = auto()
    """The media driver has been asked for ports."""
    DIALING = auto()
    RINGING = auto()
    """The callee's side sent 180 or 183."""
    ANSWERING = auto()
    """The callee answered and has its ACK; its media is being attached, the caller still waits."""
    TALKING = auto()
    ENDING = auto()
    """The result is fixed; legs and media are being taken down."""
    ENDED = auto()


_S = CallState

CALL: dict[tuple[CallState, type[i.Input]], tuple[CallState, str]] = {
    (_S.NEW, i.Received): (_S.ROUTING, "route"),
    (_S.ROUTING, i.Forwarded): (_S.OPENING, "open_media"),
    (_S.ROUTING, i.Refused): (_S.ENDING, "refuse"),
    (_S.ROUTING, i.RouteFailed): (_S.ENDING, "give_up"),
    (_S.ROUTING, i.Cancelled): (_S.ABANDONED, "await_route"),
    (_S.ROUTING, i.HungUp): (_S.ABANDONED, "await_route"),
    (_S.ROUTING, i.Offered): (_S.ROUTING, "refuse_early_change"),
    (_S.ABANDONED, i.Forwarded): (_S.ENDING, "abandon"),
    (_S.ABANDONED, i.Refused): (_S.ENDING, "refuse"),
    (_S.ABANDONED, i.RouteFailed): (_S.ENDING, "give_up"),
    (_S.OPENING, i.MediaOpened): (_S.DIALING, "dial"),
    (_S.OPENING, i.MediaFailed): (_S.ENDING, "lose_media"),
    (_S.OPENING, i.Cancelled): (_S.ENDING, "cancel"),
    (_S.OPENING, i.HungUp): (_S.ENDING, "hang_up_early"),
    (_S.OPENING, i.Stopped): (_S.ENDING, "stop"),
    (_S.OPENING, i.Offered): (_S.OPENING, "refuse_early_change"),
    (_S.DIALING, i.Progressed): (_S.RINGING, "ring"),
    (_S.DIALING, i.Answered): (_S.ANSWERING, "connect"),
    (_S.DIALING, i.Failed): (_S.ENDING, "fail"),
    (_S.DIALING, i.TimerFired): (_S.ENDING, "stop_ringing"),
    (_S.DIALING, i.Cancelled): (_S.ENDING, "cancel"),
    (_S.DIALING, i.HungUp): (_S.ENDING, "hang_up_early"),
    (_S.DIALING, i.Stopped): (_S.ENDING, "stop"),
    (_S.DIALING, i.Offered): (_S.DIALING, "refuse_early_change"),
    (_S.RINGING, i.Progressed): (_S.RINGING, "ring"),
    (_S.RINGING, i.EarlyMediaReady): (_S.RINGING, "pass_early_media"),
    (_S.RINGING, i.Answered): (_S.ANSWERING, "connect"),
    (_S.RINGING, i.Failed): (_S.ENDING, "fail"),
    (_S.RINGING, i.TimerFired): (_S.ENDING, "stop_ringing"),
    (_S.RINGING, i.Cancelled): (_S.ENDING, "cancel"),
    (_S.RINGING, i.HungUp): (_S.ENDING, "hang_up_early"),
    (_S.RINGING, i.MediaFailed): (_S.ENDING, "lose_media"),
    (_S.RINGING, i.Stopped): (_S.ENDING, "stop"),
    (_S.RINGING, i.Offered): (_S.RINGING, "refuse_early_change"),
    (_S.ANSWERING, i.AnswerMediaReady): (_S.TALKING, "answer"),
    (_S.ANSWERING, i.Cancelled): (_S.ENDING, "cancel"),
    (_S.ANSWERING, i.HungUp): (_S.ENDING, "hang_up"),
    (_S.ANSWERING, i.MediaFailed): (_S.ENDING, "lose_media"),
    (_S.ANSWERING, i.Stopped): (_S.ENDING, "stop"),
    (_S.ANSWERING, i.Offered): (_S.ANSWERING, "refuse_early_change"),
    (_S.TALKING, i.Acked): (_S.TALKING, "take_ack"),
    (_S.TALKING, i.AckMissing): (_S.ENDING, "miss_ack"),
    (_S.TALKING, i.HungUp): (_S.ENDING, "hang_up"),
    (_S.TALKING, i.TimerFired): (_S.ENDING, "reach_limit"),
    (_S.TALKING, i.Offered): (_S.TALKING, "change"),
    (_S.TALKING, i.ChangeReady): (_S.TALKING, "confirm_change"),
    (_S.TALKING, i.MediaFailed): (_S.TALKING, "refuse_failed_change"),
    (_S.TALKING, i.Stopped): (_S.ENDING, "stop"),
    (_S.ENDING, i.Offered): (_S.ENDING, "refuse_late_change"),
    (_S.ENDING, i.ChangeReady): (_S.ENDING, "refuse_late_change"),
    (_S.ENDING, i.MediaFailed): (_S.ENDING, "refuse_failed_change"),
    (_S.ENDING, i.MediaClosed): (_S.ENDING, "close"),
}
