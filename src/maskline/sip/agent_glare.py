"""Offers of ours inside a dialog, one at a time: they wait for theirs, and for what a 491 or 422 asks for.

What it is: `GlareKeeper`, which sends an offer when nothing else is open, and sends it again after the chance delay of
RFC 3261 §14.1 when the two sides' offers crossed, or at once when the peer demands a longer session timer, so that the
agent's user hears of the last answer only. What it is not: the rule which offers of theirs are refused
(`agent_checks.check_glare`), or how long a timer may be (`agent_sessions`). An offer is sent again as it was written;
a user that writes another SDP for the same dialog meanwhile must not do so before this one is done. Who uses it:
`agent_client`.
"""

from __future__ import annotations

from collections.abc import Callable

from maskline.sip.build import Headers
from maskline.sip.core import Core
from maskline.sip.events import RequestFinished
from maskline.sip.invite_usage import InviteUsage, UsageState

AGAIN = "ga"
SOON = 5
"""Chance delays of §14.1; two sides that cross more often than that do not do it by chance, and wait longer."""
LONGER = 2.0
"""Seconds more."""
MAX_ASKED = 8
"""Times that one offer asks for a longer session timer: each proxy on the way may want another (RFC 4028 §13)."""


class Offer:
    """A re-INVITE of ours, or an UPDATE with SDP, until its last answer."""

    __slots__ = ("asked", "asks", "body", "content_type", "headers", "method", "until", "waits")

    def __init__(self, method: str, body: bytes, content_type: str, headers: Headers) -> None:
        self.method = method
        self.body = body
        self.content_type = content_type
        self.headers = headers
        self.asked = 0
        """Seconds of the session timer that it was sent with last; 0: it said nothing of one."""
        self.asks = 0
        """How often a 422 demanded more."""
        self.waits = 0
        self.until = 0.0
        """Then the user hears 491. Who does not get our ACK has an offer open, and refuses ours, for 64*T1 and no
        longer (§13.3.1.4): giving up before would leave a hold that is over on one side alone."""


class GlareKeeper:
    """Offers of one agent."""

    __slots__ = ("_core", "_send")

    def __init__(self, core: Core, send: Callable[[InviteUsage, Offer, float], None]) -> None:
        self._core = core
        self._send = send

    def offer(self, usage: InviteUsage, offer: Offer, now: float) -> None:
        """Send it, at once or when it can be; `RequestFinished` follows."""
        if usage.dialog is None or usage.state is UsageState.ENDING or usage.offer is not None:
            self._report(usage, offer.method)
            return
        usage.offer = offer
        self._try(usage, offer, now)

    def is_put_off(self, usage: InviteUsage, method: str, status: int, now: float) -> bool:
        """Whether the final response to an offer of ours means that it will be sent again; else it is done."""
        offer = usage.offer
        if offer is None or offer.method != method:
            return False
        if status == 491 and self._wait(usage, offer, now):
            return True
        usage.offer = None
        return False

    def ask_longer(self, usage: InviteUsage, offer: Offer, now: float) -> bool:
        """Send it again: its session timer is longer now. Not too often, as some peer may demand more each time."""
        if offer.asks >= MAX_ASKED or usage.state is UsageState.ENDING:
            return False
        offer.asks += 1
        self._try(usage, offer, now)
        return True

    def fire(self, timer: str, key: str, now: float) -> None:
        """The delay of an offer is over."""
        usage = self._core.usages[key]
        offer = usage.offer
        assert offer is not None
        if usage.state is UsageState.ENDING:
            usage.offer = None
            self._report(usage, offer.method)
        else:
            self._try(usage, offer, now)

    def delay(self, usage: InviteUsage) -> float:
        """§14.1: 2.1 to 4 s for who made the Call-ID, else up to 2 s, in units of 10 ms."""
        chance = int(self._core.ids.token(2), 16)
        return (210 + chance % 191) / 100 if usage.is_client else chance % 201 / 100

    def _try(self, usage: InviteUsage, offer: Offer, now: float) -> None:
        if not is_busy(usage, offer.method):
            self._send(usage, offer, now)
        elif not self._wait(usage, offer, now):
            usage.offer = None
            self._report(usage, offer.method)

    def _wait(self, usage: InviteUsage, offer: Offer, now: float) -> bool:
        offer.until = offer.until or now + 64 * self._core.config.t1
        if now >= offer.until or usage.state is UsageState.ENDING:
            return False
        offer.waits += 1
        delay = self.delay(usage) + (LONGER if offer.waits > SOON else 0.0)
        self._core.timers.set(AGAIN, usage.local_tag, now + delay)
        return True

    def _report(self, usage: InviteUsage, method: str) -> None:
        self._core.emit(RequestFinished(usage, method, 491, None, usage.flow))


def is_busy(usage: InviteUsage, method: str) -> bool:
    """Whether an offer is under way in either direction, so that another must wait (§14.1; before the answer RFC 3311
    §5.1)."""
    return (
        usage.pending is not None
        or usage.remote_pending is not None
        or usage.ack_due is not None
        or usage.unacked is not None
        or (usage.session is not None and usage.session.renewing == method)
        or (method == "INVITE" and usage.transaction is not None)
        or (usage.state not in _ANSWERED and not _is_described(usage))
    )


def _is_described(usage: InviteUsage) -> bool:
    return usage.dialog is not None and usage.is_described(usage.dialog.remote_tag)


_ANSWERED = (UsageState.ANSWERED, UsageState.CONFIRMED)
