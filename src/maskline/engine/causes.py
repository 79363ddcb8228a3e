"""What a SIP status means, and which status a cause becomes: the tables between SIP and the product's words.

What it is: pure look-ups, both ways, on 8x8-wavecell.md §6.1 and plivo-vts.md §8. What it is not: behaviour;
`call.py` asks, formats of webhooks translate `Cause` and `Outcome` on their own. A Q.850 cause in a Reason
header (RFC 3326) beats the SIP status, since gateways often squeeze very different ISUP causes into one 480.

Nothing of the callee's answer but its meaning crosses: the caller gets a status from here, with the reason
phrase of the standard.
"""

from __future__ import annotations

from maskline.masking.facts import Cause, HungUpBy, Outcome

BY_STATUS: dict[int, Cause] = {
    # 401 and 407 reach the engine only when the agent could not answer the challenge.
    401: Cause.FORBIDDEN,
    403: Cause.FORBIDDEN,
    404: Cause.UNALLOCATED,
    407: Cause.FORBIDDEN,
    408: Cause.REQUEST_TIMEOUT,
    410: Cause.OUT_OF_SERVICE,
    415: Cause.NOT_ACCEPTABLE,
    480: Cause.OUT_OF_SERVICE,
    482: Cause.LOOP,
    483: Cause.LOOP,
    484: Cause.INVALID_DESTINATION,
    486: Cause.BUSY,
    488: Cause.NOT_ACCEPTABLE,
    503: Cause.CONGESTION,
    600: Cause.BUSY_EVERYWHERE,
    603: Cause.DECLINED,
    # RFC 8197 and RFC 8688: the person, or somebody for it, does not want this call.
    607: Cause.DECLINED,
    608: Cause.DECLINED,
    604: Cause.DOES_NOT_EXIST,
    606: Cause.NOT_ACCEPTABLE,
}
AFTER_RINGING: dict[int, Cause] = {408: Cause.NO_ANSWER, 480: Cause.NO_ANSWER, 487: Cause.NO_ANSWER}
"""The phone did ring, so these say that nobody took it (8x8-wavecell.md §6.1)."""

BY_Q850: dict[int, Cause] = {
    1: Cause.UNALLOCATED,
    2: Cause.INVALID_DESTINATION,
    3: Cause.INVALID_DESTINATION,
    17: Cause.BUSY,
    18: Cause.OUT_OF_SERVICE,
    19: Cause.NO_ANSWER,
    20: Cause.OUT_OF_SERVICE,
    21: Cause.DECLINED,
    22: Cause.UNALLOCATED,
    27: Cause.OUT_OF_SERVICE,
    28: Cause.INVALID_DESTINATION,
    34: Cause.CONGESTION,
    38: Cause.CARRIER_ERROR,
    41: Cause.CARRIER_ERROR,
    42: Cause.CONGESTION,
    44: Cause.CONGESTION,
    47: Cause.CONGESTION,
    55: Cause.FORBIDDEN,
    57: Cause.FORBIDDEN,
    58: Cause.NOT_ACCEPTABLE,
    65: Cause.NOT_ACCEPTABLE,
    79: Cause.NOT_ACCEPTABLE,
    88: Cause.NOT_ACCEPTABLE,
    102: Cause.REQUEST_TIMEOUT,
}
"""ITU-T Q.850; 16 (normal), 31 and 127 say nothing that the SIP status does not say better."""

_OUTCOMES: dict[Cause, Outcome] = {
    Cause.NORMAL: Outcome.COMPLETED,
    Cause.CALL_TIME_LIMIT: Outcome.COMPLETED,
    Cause.CANCELED: Outcome.CANCELED,
    Cause.ENDED_BY_REQUEST: Outcome.CANCELED,
    Cause.BUSY: Outcome.BUSY,
    Cause.BUSY_EVERYWHERE: Outcome.BUSY,
    # 603 counts as busy in the summary of 8x8 (§6.1, last row); the cause keeps the difference.
    Cause.DECLINED: Outcome.BUSY,
    Cause.NO_ANSWER: Outcome.NO_ANSWER,
    Cause.RING_TIMEOUT: Outcome.NO_ANSWER,
    Cause.INTERNAL_ERROR: Outcome.ERROR,
    Cause.ENGINE_RESTARTED: Outcome.ERROR,
    Cause.FLOW_ENDED: Outcome.COMPLETED,
    Cause.CALL_ACTION_FAILED: Outcome.ERROR,
    Cause.CALL_FLOW_INVALID: Outcome.ERROR,
    Cause.SPEECH_FAILED: Outcome.ERROR,
    Cause.FILE_FAILED: Outcome.ERROR,
    Cause.FLOW_EXPIRED: Outcome.ERROR,
    Cause.CALLER_ID_NOT_ALLOWED: Outcome.ERROR,
    Cause.SCENARIO_UNKNOWN: Outcome.ERROR,
}

NOWHERE = 404
"""What a caller gets whom the routing order refuses, whether or not the number is one of ours."""

_ANSWERS: dict[Cause, int] = {
    Cause.CANCELED: 487,
    Cause.BUSY: 486,
    # The callee's 600 speaks of all its phones, which is not the caller's business.
    Cause.BUSY_EVERYWHERE: 486,
    Cause.NO_ANSWER: 480,
    Cause.RING_TIMEOUT: 480,
    Cause.DECLINED: 603,
    Cause.FORBIDDEN: 403,
    Cause.UNALLOCATED: 404,
    Cause.INVALID_DESTINATION: 484,
    Cause.OUT_OF_SERVICE: 480,
    Cause.NOT_ACCEPTABLE: 488,
    # A 3xx is never passed, and followed only by a trunk with `redirects`, to the same number at its own addresses
    # (decision 0052): its Contact may be any number, and only the session's parties may be called (toll fraud).
    Cause.REDIRECTED: 480,
    Cause.REQUEST_TIMEOUT: 408,
    Cause.CARRIER_ERROR: 500,
    # 500 for what is said of the callee's side, as a proxy does (RFC 3261 §16.7): of a 503 the caller's carrier would
    # conclude that this server is down, and send it no calls for a while.
    Cause.CONGESTION: 500,
    Cause.DOES_NOT_EXIST: 404,
    Cause.NETWORK_ERROR: 500,
    Cause.NO_ROUTE: 404,
    # One trunk is full, of several that this caller's carrier may need: after 503 with Retry-After it would send us
    # none of its calls for so long (RFC 3261 §21.5.4). Where its own trunk is full it hears 503 (`core.py`).
    Cause.TRUNK_FULL: 500,
    # That a number may not be called is final: another way would end here again.
    Cause.COUNTRY_BARRED: 403,
    Cause.DESTINATION_BARRED: 403,
    # 480 and not 503, of which carriers conclude that the trunk is down: it is one customer's limit.
    Cause.ACCOUNT_FULL: 480,
    Cause.ACCOUNT_SPENT: 480,
    Cause.ACCOUNT_STOPPED: 480,
    Cause.LOOP: 482,
    # Nobody who dials through a carrier learns which numbers are ours or whose session is over: a number that leads
    # nowhere for this caller is answered as one that does not exist (decision 0058). 404 is not retried either.
    Cause.UNKNOWN_NUMBER: NOWHERE,
    Cause.UNKNOWN_CALLER: NOWHERE,
    # RFC 5079: the request would be taken if it named its caller.
    Cause.WITHHELD_CALLER: 433,
    Cause.SESSION_EXPIRED: NOWHERE,
    Cause.SESSION_BUSY: 486,
    # That a PIN would open the way is said by the prompt, not by SIP.
    Cause.PIN_REQUIRED: NOWHERE,
    Cause.WRONG_PIN: NOWHERE,
    # Somebody may call and be called back later; nothing is wrong with the caller.
    Cause.NO_OTHER_PARTY: 480,
    # The customer's application wants no conversation; its `hangup` is a person's decline. So is a wish for the end.
    Cause.FLOW_ENDED: 603,
    Cause.ENDED_BY_REQUEST: 603,
    # 480 and not 503, of which carriers conclude that the trunk is down: it is one customer's server.
    Cause.CALL_ACTION_FAILED: 480,
    Cause.CALL_FLOW_INVALID: 480,
    Cause.SPEECH_FAILED: 480,
    Cause.FILE_FAILED: 480,
    Cause.FLOW_EXPIRED: 480,
    Cause.CALLER_ID_NOT_ALLOWED: 480,
    Cause.SCENARIO_UNKNOWN: 480,
    # What is 503 speaks of this server as a whole, and passes: a carrier does well to try elsewhere.
    Cause.STORE_UNAVAILABLE: 503,
    Cause.MEDIA_UNAVAILABLE: 503,
    Cause.SHUTDOWN: 503,
    Cause.ENGINE_RESTARTED: 503,
    Cause.INTERNAL_ERROR: 500,
    # Of a caller that never acknowledged that it rings (RFC 3262 §3); for an answered call nobody needs it.
    Cause.ACK_TIMEOUT: 504,
}

_BY_CALLEE = frozenset({Cause.BUSY, Cause.BUSY_EVERYWHERE, Cause.DECLINED, Cause.NO_ANSWER})

_STAYS_FAILED = frozenset({Cause.ACK_TIMEOUT, Cause.NOT_ACCEPTABLE, Cause.INTERNAL_ERROR, Cause.ENGINE_RESTARTED})
"""Ends of an answered call that never became a conversation."""


def cause_of_failure(status: int, q850: int | None, *, rang: bool, network: bool = False) -> Cause:
    """Why the callee's leg failed. `rang`: a 180 was seen before; `network`: no response came, the transport
    failed."""
    if network:
        return Cause.NETWORK_ERROR
    if q850 in BY_Q850:
        cause = BY_Q850[q850]
        # 18 "no user responding" after ringing is a phone nobody took.
        return Cause.NO_ANSWER if rang and q850 == 18 else cause
    if rang and status in AFTER_RINGING:
        return AFTER_RINGING[status]
    if 300 <= status < 400:
        return Cause.REDIRECTED
    # What nobody knows means what x00 of its class does (RFC 3261 §8.1.3.2): 6xx is final, 500 would be tried again.
    return BY_STATUS.get(status, Cause.CARRIER_ERROR if status < 600 else BY_STATUS[600])


def outcome_of(cause: Cause, *, answered: bool, dialled: bool) -> Outcome:
    """How a call that ended for `cause` counts. `answered`: both sides talked; `dialled`: leg B existed."""
    if answered and cause not in _STAYS_FAILED:
        return Outcome.COMPLETED
    outcome = _OUTCOMES.get(cause)
    if outcome is not None:
        return outcome
    return Outcome.FAILED if dialled else Outcome.REJECTED


def answer_to_caller(cause: Cause) -> int:
    """Status that ends the caller's INVITE. An unlisted cause is one that ends answered calls; should it end
    an early one, 480 says nothing."""
    return _ANSWERS.get(cause, 480)


def hung_up_by(cause: Cause) -> HungUpBy:
    """Who ended a leg B that failed for `cause`: the person, or the network on the way."""
    return HungUpBy.CALLEE if cause in _BY_CALLEE else HungUpBy.CARRIER
