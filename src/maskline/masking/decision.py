"""What to do with a call: forward it inside a session, ask for a PIN first, start it ourselves, or refuse it.

What it is: the closed answers of the router (`workflows/route_call`, `check_pin`, `start_call`) to the engine. What it
is not: SIP; the engine turns a refusal's cause into its status. The order of routing is in `match.py`.
"""

from __future__ import annotations

from dataclasses import field
from enum import StrEnum

from maskline.masking.call_flow import Capture, Hangup, PlayFile, Say
from maskline.masking.e164 import Number
from maskline.masking.facts import Cause
from maskline.masking.permit import Permit
from maskline.masking.prompt import Prompt
from maskline.masking.session import Role, Session, SessionOptions
from maskline.masking.trunk import Trunk, Way
from maskline.values import dataclass


class NumberState(StrEnum):
    ACTIVE = "active"
    RESTING = "resting"
    """Gets no new sessions; its calls go on."""
    UNHEALTHY = "unhealthy"
    """As resting, because calls to or from it fail: an operator, or a script that watches figures, says so."""
    RETIRED = "retired"
    """Given back: no new sessions, not listed any more; its live sessions run to their end."""


class NumberUse(StrEnum):
    SHARED = "shared"
    PIN = "pin"
    """Reserved: every caller says by PIN which session is meant."""


@dataclass(frozen=True, slots=True)
class VirtualNumber:
    """A number that carriers deliver to us."""

    number: Number
    account_id: str
    subaccount_id: str | None
    reference_id: str = ""
    country: str | None = None
    state: NumberState = NumberState.ACTIVE
    use: NumberUse = NumberUse.SHARED
    alias: str = ""
    """A name for people."""
    fallback: Number | None = None
    """Where a call goes that belongs to no session: a support desk, say. None: it is refused."""
    added_at: float = 0.0
    changed_at: float = field(default=0.0, compare=False)
    """When an operator or the API wrote it last; says nothing of what it is."""


class MatchedBy(StrEnum):
    """What told whose call it is."""

    PARTY = "party"
    PIN = "pin"
    OPEN = "open"
    """The number is a single-party session's, and anyone who calls is connected."""
    REQUEST = "request"
    """We called the first party because the session asked for it (click-to-call)."""
    CALL_ACTION = "call_action"
    """No session: the customer's application said whom to call (8x8 Voice Call Action, or a call flow by API)."""
    FALLBACK = "fallback"
    """No session: the number's fallback takes the call."""


@dataclass(frozen=True, slots=True)
class Forward:
    """Dial `callee` through `trunk`, showing it the number it knows."""

    session: Session | None
    """None: the number's fallback takes the call."""
    caller_role: Role | None
    callee: Number
    virtual_number: VirtualNumber
    """The dialled one."""
    trunk: Trunk
    shown: Number
    """Caller id of the callee's leg: a virtual number, never a party's."""
    options: SessionOptions
    """Ring timeout, time limit and recording of this call."""
    matched_by: MatchedBy = MatchedBy.PARTY
    caller_prompts: tuple[Prompt, ...] = ()
    """Heard by the caller, in this order, before the callee is dialled."""
    callee_prompts: tuple[Prompt, ...] = ()
    """Heard by the callee when it has answered, before the two are connected."""
    shown_reference_id: str = ""
    """Label of `shown`, which may be of another pool than the dialled number."""
    ways: tuple[Way, ...] = field(default=(), compare=False)
    """Where the callee is tried, best first: addresses of `trunk`, then of others that may call it (RFC 3263 §4.3).
    Empty: the trunk's own address only."""
    permit: Permit | None = field(default=None, compare=False)
    """What its account's limits count of it; None: there are none."""


@dataclass(frozen=True, slots=True)
class PinRules:
    """How a caller is asked for a PIN (plivo-vts.md §2)."""

    prompt: Prompt | None
    """None or not to be had: a beep."""
    wrong: Prompt | None
    """`incorrect_pin_play`."""
    retries: int = 1
    """Further tries after the first."""
    retry_wait: float = 5.0
    """Seconds between a wrong PIN and the next try."""
    longest: int = 15
    """Digits that no PIN of this number has more than: the last one ends the collection."""
    digit_timeout: float = 5.0
    """Seconds after a digit that end the collection."""
    overall_timeout: float = 20.0
    """Seconds after the prompt within which the PIN must be complete."""


@dataclass(frozen=True, slots=True)
class AskPin:
    """Answer the caller and ask who it is. Each PIN goes to the router's `check_pin`."""

    virtual_number: VirtualNumber
    rules: PinRules
    session: Session | None = None
    """Known already, by the caller's number (`force_pin_authentication`); None: the PIN tells."""
    prompted_by: Session | None = None
    """Whose prompts are played."""


@dataclass(frozen=True, slots=True)
class WrongPin:
    """Not this one."""

    locked: bool = False
    """Too many were wrong from this caller or for this number: hang up, whatever tries are left."""


@dataclass(frozen=True, slots=True)
class StartCall:
    """Call the first party of a session, then forward to the second: click-to-call."""

    forward: Forward
    """From the first party, as if it had dialled: `caller_role` is FIRST, `virtual_number` the number it sees."""
    first_party: Number
    trunk: Trunk
    """For the first party's leg."""
    ways: tuple[Way, ...] = field(default=(), compare=False)
    """As those of `Forward`, for the first party."""


@dataclass(frozen=True, slots=True)
class Refuse:
    """End the call; `virtual_number` is None when the dialled number is not ours (facts, but no record)."""

    cause: Cause
    virtual_number: VirtualNumber | None
    session: Session | None = None
    """Whose call it was; None when nobody can tell."""
    prompt: Prompt | None = None
    """Heard by the caller before the refusal."""
    prompted_by: Session | None = None
    """Whose option that is. Sessions share a number, so the call need not be meant for this one."""
    detail: str = ""
    """For the operator, where the cause does not say it all: why an application's answer could not be used. Names no
    number."""


@dataclass(frozen=True, slots=True)
class Dial:
    """A `MakeCall`, looked up: it can be carried out, or is known to fail when its turn comes."""

    callee: Number
    shown: Number
    """The virtual number it shows."""
    shown_reference_id: str = ""
    trunk: Trunk | None = None
    """None: refused."""
    refused: Cause | None = None
    """`NO_ROUTE`, `CALLER_ID_NOT_ALLOWED`, `LOOP` …"""
    record: bool = False
    prompts: tuple[Prompt, ...] = ()
    """Heard by both sides before the two are connected: that the call is recorded, where the installation says so."""
    ways: tuple[Way, ...] = field(default=(), compare=False)
    """As those of `Forward`."""
    permit: Permit | None = field(default=None, compare=False)
    """As that of `Forward`."""


Step = Dial | Say | PlayFile | Capture | Hangup


@dataclass(frozen=True, slots=True)
class RunFlow:
    """Do what the customer's application says; afterwards ask it again where its flow leaves that open."""

    virtual_number: VirtualNumber
    """Leg A's."""
    steps: tuple[Step, ...]
    options: SessionOptions
    """Ring time-out and time limit of what is dialled."""
    client_action_id: str = ""
    asks_again: bool = True
    """False: nobody is there to ask when the flow has come to its end."""


@dataclass(frozen=True, slots=True)
class StartFlow:
    """Begin a call because the API asked for it (`POST callflows`): dial the first step's callee as leg A, then go on
    with the others. Leg A is outbound, and so is leg B if there is one."""

    call_id: str
    """Told to the customer already."""
    flow: RunFlow
    """Its first step is a `Dial`."""
    client_request_id: str = ""
    expired: bool = False
    """`validUntil` has passed: nothing is dialled, the call ends with `FLOW_EXPIRED`."""
    unwanted: bool = False
    """Its end was asked for already: nothing is dialled, the call ends with `ENDED_BY_REQUEST`."""


Decision = Forward | AskPin | RunFlow | Refuse
PinDecision = Forward | WrongPin | Refuse
NextDecision = RunFlow | Refuse
StartDecision = StartCall | Refuse
