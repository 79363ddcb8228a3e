"""What a simulated call is about: its places, what everybody does, and how the routing order finds its way.

The world that plays it is `engine_world.py`.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from maskline.masking.e164 import Number
from maskline.masking.facts import Cause
from maskline.masking.match import Ask, AskApplication, AskLastOutside, AskOurs, Entries, Found, match_call
from maskline.masking.routing_rules import RoutingRules
from maskline.masking.session import PoolMode, Session, SessionOptions
from maskline.masking.trunk import Trunk
from maskline.sip.digest import Credentials
from maskline.sip.events import Flow
from tests.support.call_machine import CALLEE, CALLER, NUMBER, WALL, sdp, session

ENGINE = Flow("udp", "203.0.113.1", 5060)
ALICE = Flow("udp", "192.0.2.10", 5060)
BOB = Flow("udp", "192.0.2.20", 5060)
BOB_2 = Flow("udp", "192.0.2.21", 5060)
TRUNKS = tuple(Trunk(flow.host, flow.host, None, flow.host, flow.port) for flow in (ALICE, BOB, BOB_2))
REALM = "carrier.example"
ASKING_TRUNKS = tuple(
    replace(trunk, username="maskline", password="s3cret-8v1", realm=REALM, challenge=True) for trunk in TRUNKS
)


def proof(flow: Flow) -> Credentials:
    """What the engine and the phones know of each other where everybody asks; for messages to `flow`."""
    return Credentials("maskline", "s3cret-8v1", REALM, (flow,))


A_MEDIA, B_MEDIA = "198.51.100.7", "198.51.100.99"
A_SDP, A_MOVED = sdp(A_MEDIA, 4000), sdp(A_MEDIA, 4010)
B_SDP, B_MOVED = sdp(B_MEDIA, 6000, "0 101"), sdp(B_MEDIA, 6010, "0 101")
RING_TIMEOUT, TIME_LIMIT = 20, 60


@dataclass(frozen=True)
class Scenario:
    """What everybody does. Times are seconds after the moment they refer to; None: never."""

    late_offer: bool = False
    offer: bytes = A_SDP
    answer: bytes = B_SDP
    """Bob's, whatever his 18x said."""
    cancel_after: float | None = None
    """Alice gives up, after her INVITE."""
    expires: int | None = None
    """What her INVITE says of it, and she does nothing."""
    alice_bye: float | None = 8.0
    """After her answer."""
    alice_acks: bool = True
    rings: tuple[tuple[float, int, bytes], ...] = ((1.0, 180, b""),)
    """Bob's provisional responses: (after the INVITE, status, body)."""
    verdict: int | None = 200
    verdict_after: float = 3.0
    bob_bye: float | None = None
    """After his answer."""
    fork: bool = False
    """A second phone rings too and answers at `fork_after`."""
    fork_after: float | None = None
    bob_dies: float | None = None
    """After the INVITE: nothing reaches him or leaves him any more."""
    alice_hold: float | None = None
    """Alice's re-INVITE, after her answer."""
    alice_asks: float | None = None
    """Alice's re-INVITE without an offer, after her answer; her answer comes in the ACK."""
    bob_moves: float | None = None
    """Bob's UPDATE with a new address, after his answer."""
    elsewhere: int | None = None
    """Bob's verdict at a second place, where he is tried when the first cannot reach him; None: there is no second."""
    presses: tuple[tuple[float, str, str], ...] = ()
    """Buttons on the phones, as in `Phone.press`: (after the answer, `alice` or `bob`, what)."""
    early_presses: tuple[tuple[float, str, str], ...] = ()
    """The same after the INVITE, for a phone whose 18x with SDP was acknowledged and that has no answer yet."""
    refused: Cause | None = None
    digest: bool = False
    """Everybody asks everybody who they are."""
    reliable: bool = False
    """Both phones want 100rel: Alice demands it of us, Bob rings by it."""
    session: int = 0
    """Session timer that Alice asks for, and Bob."""
    ours: bool = True
    store_away: bool = False
    media_fails_at: int | None = None
    """Number of the media step that finds the driver away, from 0."""
    media_event: float | None = None
    """The driver loses the call, after the INVITE."""
    route_delay: float = 0.0
    max_forwards: int = 70
    relay: bool = True
    caller_prompts: int = 0
    callee_prompts: int = 0
    prompt_fails: str = ""
    """The option whose prompt cannot be had."""
    refused_aloud: bool = False
    answer_for_prompts: bool = False
    pins: tuple[str, ...] | None = None
    """What Alice enters at each question; None: she is not asked."""
    pin_after: float = 0.5
    """Of the question's begin, which takes two seconds: below that she barges in."""
    by_info: bool = False
    """Keys come as SIP INFO."""
    locked: bool = False
    store_away_for_pins: bool = False
    record: bool = False
    keys_at: float | None = None
    """Alice presses a key, after her answer."""
    click: bool = False
    """We call Alice, and then Bob."""
    alice_verdict: int | None = 200
    alice_after: float = 1.0
    """Her answer, after our INVITE."""
    session_ends: float | None = None
    """After the beginning."""
    flow: tuple[str, ...] | None = None
    """What the customer's application wants done, in words of `sim_flow.step`; with `click` the API asks for it. `pins`
    are what Alice enters then, `refused` that she may not be called, and `callee_prompts` what both hear."""
    replies: tuple[tuple[str, ...] | Cause, ...] = ()
    """What it says when it is asked again, in order; then that there is nothing more to do."""
    action_id: str = ""
    asks_again: bool = True
    expired: bool = False
    kind: str = "shared"
    """How the call finds its way: `shared`, `split`, `open` (any caller of a single party), `withheld` (the same, with
    no number), `callback` (the single party calls back), `fallback`, or `flow` with a call flow."""


RIGHT_PIN = "4711"
KINDS = ("shared", "split", "open", "withheld", "callback", "fallback")
SHOWN = Number("6531590777")
"""What the callee of a split session knows."""
LIMITS = SessionOptions(ring_timeout=RING_TIMEOUT, call_time_limit=TIME_LIMIT)


def find_way(kind: str, caller: Number | None) -> Found:
    """Decide by the real routing order over a store that always has a stranger's session at hand."""
    mine = replace(session(), options=LIMITS)
    only = replace(mine, first_party=CALLEE, second_party=None, pool_mode=PoolMode.OPEN)
    strangers = replace(mine, id="strangers", first_party=Number("6590009001"), second_party=Number("6590009002"))
    known: dict[str, dict[Ask, Session]] = {
        "shared": {Ask.PARTY: mine},
        "split": {Ask.PARTY: replace(mine, second_virtual_number=SHOWN, pool_mode=PoolMode.SPLIT)},
        "open": {Ask.OPEN: only},
        "withheld": {Ask.OPEN: only},
        "callback": {Ask.PARTY: replace(only, first_party=CALLER)},
        "fallback": {},
        "flow": {},
    }
    number = replace(NUMBER, fallback=CALLEE) if kind == "fallback" else NUMBER
    steps, answer = match_call(caller, number, WALL, RoutingRules(fallback=LIMITS)), None
    while True:
        try:
            question = steps.send(answer)
        except StopIteration as done:
            return done.value  # type: ignore[no-any-return]
        if isinstance(question, AskLastOutside):
            answer = CALLEE
        elif isinstance(question, AskApplication):
            answer = kind == "flow"
        elif isinstance(question, AskOurs):
            answer = question.number in (NUMBER.number, SHOWN)
        elif question is Ask.ENTRIES:
            answer = Entries(4, WALL + 1.0)
        else:
            answer = [strangers] if question is Ask.ON_NUMBER else known[kind].get(question, strangers)
