"""The four transaction machines of RFC 3261 §17, with the Accepted states of RFC 6026, as tables.

Theory of operation. A table maps (state, input) to (next state, actions). Two rules: every transition lives in
this file, and an input that has no row in its state is ignored. Inputs are what arrives (a class of response,
a retransmitted request, an ACK), what the user sends (a class of response), a timer, or a dead transport.
Actions are names; `transaction_client` and `transaction_server` know what they do. A state's timers die with
the transition that leaves it: each row that ends a wait names STOP_RETRANSMIT or STOP_TIMEOUT.

What it is not: code that runs, or knowledge of messages. `make docs` draws
docs/reference/sip-transactions.md from these tables.
"""

from __future__ import annotations

from collections.abc import Callable
from enum import StrEnum
from typing import Any, TypeVar

Step = TypeVar("Step", bound=Callable[..., Any])


class State(StrEnum):
    CALLING = "calling"
    TRYING = "trying"
    PROCEEDING = "proceeding"
    ACCEPTED = "accepted"
    """RFC 6026: a 2xx went through; more of them (client) or more copies of the INVITE (server) may come."""
    COMPLETED = "completed"
    CONFIRMED = "confirmed"
    TERMINATED = "terminated"


class Input(StrEnum):
    PROVISIONAL = "1xx"
    SUCCESS = "2xx"
    FAILURE = "300-699"
    REQUEST = "request"
    """The same request again (server only; the first one makes the transaction)."""
    ACK = "ack"
    RETRANSMIT = "retransmit"
    """Timer A, E or G."""
    TIMEOUT = "timeout"
    """Timer B, F or H; for a cancelled INVITE the 64*T1 of §9.1."""
    LINGER = "linger"
    """Timer D, I, J, K, L or M: nothing more will come."""
    TRANSPORT_ERROR = "transport error"


class Action(StrEnum):
    PASS = "pass"
    """Hand the message to the transaction user."""
    SEND = "send"
    """Send the response the user gave (server)."""
    RESEND = "resend"
    """Send the last message again."""
    ACK = "ack"
    """Acknowledge a 300-699 (client INVITE): the transaction does this, not its user."""
    BACK_OFF = "back off"
    """Set the retransmission timer to twice its last value: A without limit, E and G up to T2."""
    SLOW_DOWN = "slow down"
    """Set the retransmission timer to T2 (client non-INVITE, Proceeding)."""
    START_RETRANSMIT = "start retransmit"
    START_TIMEOUT = "start timeout"
    STOP_RETRANSMIT = "stop retransmit"
    STOP_TIMEOUT = "stop timeout"
    LINGER_D = "linger 64*T1 (D)"
    LINGER_I = "linger T4 (I)"
    LINGER_J = "linger 64*T1 (J)"
    LINGER_K = "linger T4 (K)"
    LINGER_L = "linger 64*T1 (L)"
    LINGER_M = "linger 64*T1 (M)"
    TIMED_OUT = "timed out"
    """Tell the user: no final response."""
    FAILED = "failed"
    """Tell the user: the transport is dead."""


Table = dict[tuple[State, Input], tuple[State, tuple[Action, ...]]]

_S, _I, _A = State, Input, Action

CLIENT_INVITE: Table = {
    (_S.CALLING, _I.RETRANSMIT): (_S.CALLING, (_A.RESEND, _A.BACK_OFF)),
    (_S.CALLING, _I.TIMEOUT): (_S.TERMINATED, (_A.STOP_RETRANSMIT, _A.TIMED_OUT)),
    (_S.CALLING, _I.TRANSPORT_ERROR): (_S.TERMINATED, (_A.STOP_RETRANSMIT, _A.STOP_TIMEOUT, _A.FAILED)),
    (_S.CALLING, _I.PROVISIONAL): (_S.PROCEEDING, (_A.STOP_RETRANSMIT, _A.STOP_TIMEOUT, _A.PASS)),
    (_S.CALLING, _I.SUCCESS): (_S.ACCEPTED, (_A.STOP_RETRANSMIT, _A.STOP_TIMEOUT, _A.LINGER_M, _A.PASS)),
    (_S.CALLING, _I.FAILURE): (_S.COMPLETED, (_A.STOP_RETRANSMIT, _A.STOP_TIMEOUT, _A.ACK, _A.LINGER_D, _A.PASS)),
    (_S.PROCEEDING, _I.PROVISIONAL): (_S.PROCEEDING, (_A.PASS,)),
    (_S.PROCEEDING, _I.SUCCESS): (_S.ACCEPTED, (_A.STOP_TIMEOUT, _A.LINGER_M, _A.PASS)),
    (_S.PROCEEDING, _I.FAILURE): (_S.COMPLETED, (_A.STOP_TIMEOUT, _A.ACK, _A.LINGER_D, _A.PASS)),
    # Only a cancelled INVITE has a timeout here: 64*T1 after its CANCEL nobody will answer any more (§9.1).
    (_S.PROCEEDING, _I.TIMEOUT): (_S.TERMINATED, (_A.TIMED_OUT,)),
    # Not in §17: nothing is being sent, but a far side that is gone will not answer what it was asked.
    (_S.PROCEEDING, _I.TRANSPORT_ERROR): (_S.TERMINATED, (_A.STOP_TIMEOUT, _A.FAILED)),
    (_S.COMPLETED, _I.FAILURE): (_S.COMPLETED, (_A.RESEND,)),
    (_S.COMPLETED, _I.LINGER): (_S.TERMINATED, ()),
    # RFC 6026 §7.2: further 2xx (of this or of other forks) are the user's; it acknowledges each.
    (_S.ACCEPTED, _I.SUCCESS): (_S.ACCEPTED, (_A.PASS,)),
    (_S.ACCEPTED, _I.LINGER): (_S.TERMINATED, ()),
}

CLIENT_OTHER: Table = {
    (_S.TRYING, _I.RETRANSMIT): (_S.TRYING, (_A.RESEND, _A.BACK_OFF)),
    (_S.TRYING, _I.TIMEOUT): (_S.TERMINATED, (_A.STOP_RETRANSMIT, _A.TIMED_OUT)),
    (_S.TRYING, _I.TRANSPORT_ERROR): (_S.TERMINATED, (_A.STOP_RETRANSMIT, _A.STOP_TIMEOUT, _A.FAILED)),
    (_S.TRYING, _I.PROVISIONAL): (_S.PROCEEDING, (_A.PASS,)),
    (_S.TRYING, _I.SUCCESS): (_S.COMPLETED, (_A.STOP_RETRANSMIT, _A.STOP_TIMEOUT, _A.LINGER_K, _A.PASS)),
    (_S.TRYING, _I.FAILURE): (_S.COMPLETED, (_A.STOP_RETRANSMIT, _A.STOP_TIMEOUT, _A.LINGER_K, _A.PASS)),
    (_S.PROCEEDING, _I.RETRANSMIT): (_S.PROCEEDING, (_A.RESEND, _A.SLOW_DOWN)),
    (_S.PROCEEDING, _I.TIMEOUT): (_S.TERMINATED, (_A.STOP_RETRANSMIT, _A.TIMED_OUT)),
    (_S.PROCEEDING, _I.TRANSPORT_ERROR): (_S.TERMINATED, (_A.STOP_RETRANSMIT, _A.STOP_TIMEOUT, _A.FAILED)),
    (_S.PROCEEDING, _I.PROVISIONAL): (_S.PROCEEDING, (_A.PASS,)),
    (_S.PROCEEDING, _I.SUCCESS): (_S.COMPLETED, (_A.STOP_RETRANSMIT, _A.STOP_TIMEOUT, _A.LINGER_K, _A.PASS)),
    (_S.PROCEEDING, _I.FAILURE): (_S.COMPLETED, (_A.STOP_RETRANSMIT, _A.STOP_TIMEOUT, _A.LINGER_K, _A.PASS)),
    (_S.COMPLETED, _I.LINGER): (_S.TERMINATED, ()),
}

SERVER_INVITE: Table = {
    (_S.PROCEEDING, _I.REQUEST): (_S.PROCEEDING, (_A.RESEND,)),
    (_S.PROCEEDING, _I.PROVISIONAL): (_S.PROCEEDING, (_A.SEND,)),
    (_S.PROCEEDING, _I.SUCCESS): (_S.ACCEPTED, (_A.SEND, _A.LINGER_L)),
    (_S.PROCEEDING, _I.FAILURE): (_S.COMPLETED, (_A.SEND, _A.START_RETRANSMIT, _A.START_TIMEOUT)),
    (_S.COMPLETED, _I.REQUEST): (_S.COMPLETED, (_A.RESEND,)),
    (_S.COMPLETED, _I.RETRANSMIT): (_S.COMPLETED, (_A.RESEND, _A.BACK_OFF)),
    (_S.COMPLETED, _I.TIMEOUT): (_S.TERMINATED, (_A.STOP_RETRANSMIT,)),
    (_S.COMPLETED, _I.ACK): (_S.CONFIRMED, (_A.STOP_RETRANSMIT, _A.STOP_TIMEOUT, _A.LINGER_I)),
    (_S.CONFIRMED, _I.LINGER): (_S.TERMINATED, ()),
    # RFC 6026 §7.1: copies of the INVITE are absorbed, the user itself repeats its 2xx until the ACK comes.
    (_S.ACCEPTED, _I.ACK): (_S.ACCEPTED, (_A.PASS,)),
    (_S.ACCEPTED, _I.LINGER): (_S.TERMINATED, ()),
}

SERVER_OTHER: Table = {
    # Proceeding is left out: over UDP a 1xx before Timer E has reached T2 is forbidden, and none is ever needed (RFC
    # 4320 §4.1): we answer at once, or as soon as the other side has.
    (_S.TRYING, _I.SUCCESS): (_S.COMPLETED, (_A.SEND, _A.LINGER_J)),
    (_S.TRYING, _I.FAILURE): (_S.COMPLETED, (_A.SEND, _A.LINGER_J)),
    (_S.COMPLETED, _I.REQUEST): (_S.COMPLETED, (_A.RESEND,)),
    (_S.COMPLETED, _I.LINGER): (_S.TERMINATED, ()),
}


_PROVISIONAL, _SUCCESS, _FAILURE = Input.PROVISIONAL, Input.SUCCESS, Input.FAILURE


def input_of_status(status: int) -> Input:
    """The input a response with this status is."""
    if status < 200:
        return _PROVISIONAL
    return _SUCCESS if status < 300 else _FAILURE


Row = tuple[State, tuple[Step, ...], Action | None]
Steps = dict[State, dict[Input, Row[Step]]]
"""By state and then by input: a pair would be made and hashed for each look."""


def resolve(table: Table, steps: dict[Action, Step]) -> Steps[Step]:
    """The table with what each action does in its place, and what the row tells the user (the action without a step).
    Done once, at import: to name a member of an `Enum` is a call in Python 3.11, and a masked call did it 116 times."""
    resolved: Steps[Step] = {state: {} for state in State}
    for (state, signal), (following, actions) in table.items():
        told = [action for action in actions if action not in steps]
        done = tuple([steps[action] for action in actions if action in steps])
        resolved[state][signal] = (following, done, (*told, None)[0])
    return resolved
