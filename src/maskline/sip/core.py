"""What the parts of one agent share: configuration, ids, timers, the two output queues, counters, usages.

What it is: plain state with the four one-line ways to add to it. What it is not: protocol. Who uses it: the
transaction layers and both halves of the agent; `Agent` owns it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from maskline.ids import Ids
from maskline.sip.build import AgentConfig, Builder
from maskline.sip.digest_server import DigestServer
from maskline.sip.events import Event
from maskline.sip.flow import RELIABLE, Datagram, Flow
from maskline.sip.invite_usage import InviteUsage
from maskline.timers import Timers

REFUSED_SECONDS = 300.0
"""For so long a host that refused TCP gets by UDP what is too large for it. Where nothing answers at all, each attempt
costs the caller the seconds a connection may take."""
MAX_REFUSED = 1024


@dataclass(slots=True)
class Counters:
    """Totals since start."""

    received: int = 0
    """Datagrams given to `receive`."""
    keepalives: int = 0
    """Datagrams of line breaks or zero bytes only, which NATed peers send."""
    malformed: int = 0
    """Datagrams that were no valid SIP message; answered where possible."""
    stray: int = 0
    """Well-formed messages that belong to nothing: late responses, ACKs and the like."""
    unproven: int = 0
    """Requests answered 401 or 403 because who sent them had not proved who it is (yet)."""
    proved: int = 0
    """Requests that proved who sent them, where that was asked for."""
    refused: int = 0
    """Requests the agent refused by itself (405, 416, 420, 481, 483 …)."""
    retransmits_sent: int = 0
    """Requests and responses sent again by a timer."""
    retransmits_absorbed: int = 0
    """Requests and responses received again and not shown to the user."""
    timeouts: int = 0
    """Client transactions that got no final response."""


def _nothing_to_refuse(usage: InviteUsage, now: float) -> None:
    """An agent without its server half."""


def _nobody(flow: Flow) -> bool:
    """Where no user has said who is behind a NAT."""
    return False


class Core:
    """Shared state of one agent."""

    __slots__ = (
        "behind_nat",
        "build",
        "config",
        "counters",
        "datagrams",
        "doorman",
        "ended",
        "events",
        "ids",
        "no_stream",
        "refuse_unanswered",
        "timers",
        "usages",
    )

    def __init__(self, config: AgentConfig, ids: Ids) -> None:
        self.config = config
        self.ids = ids
        self.build = Builder(config, stateless_key=ids.token(16))
        self.timers: Timers[str, str] = Timers()
        """By kind, and by transaction key or local tag. Strings only: a cancelled timer stays in its line until its
        time, and must not keep a finished call alive there."""
        self.datagrams: list[Datagram] = []
        self.events: list[Event] = []
        self.usages: dict[str, InviteUsage] = {}
        """By our own tag, which is unique (128 bits of chance would not be fewer than the whole dialog id)."""
        self.ended: list[InviteUsage] = []
        """Over, but their last events may not have been read yet; see `Agent.events`."""
        self.counters = Counters()
        self.no_stream: dict[str, float] = {}
        """Hosts that refused TCP when a request was too large for UDP (§18.1.1), and until when they are not asked."""
        self.behind_nat: Callable[[Flow], bool] = _nobody
        """Whether private addresses that a peer on this flow names are behind a NAT, out of our reach."""
        self.doorman: DigestServer | None = None
        """Who has to prove who they are, if anybody."""
        self.refuse_unanswered: Callable[[InviteUsage, float], None] = _nothing_to_refuse
        """Set by the server half: what of theirs is unanswered when a usage ends, whoever ends it, gets its
        final response, or it would be held for ever."""

    def takes_stream(self, host: str, now: float) -> bool:
        """Whether this host may be asked over TCP. A proxy in front of us sees to that by itself."""
        return not self.config.fronted and now >= self.no_stream.get(host, now)

    def may_lose(self, flow: Flow) -> bool:
        """Whether a message on its way to this flow, or back, may get lost without anybody being told."""
        return self.config.fronted or flow.transport not in RELIABLE

    def note_refused_stream(self, host: str, now: float) -> None:
        """Bounded, since a Contact can name any address: whoever refused first is asked again."""
        self.no_stream.pop(host, None)
        if len(self.no_stream) >= MAX_REFUSED:
            del self.no_stream[next(iter(self.no_stream))]
        self.no_stream[host] = now + REFUSED_SECONDS

    def send(self, data: bytes, flow: Flow) -> None:
        self.datagrams.append((data, flow))

    def resend(self, data: bytes, flow: Flow) -> None:
        self.counters.retransmits_sent += 1
        self.datagrams.append((data, flow))

    def emit(self, event: Event) -> None:
        self.events.append(event)

    def end(self, usage: InviteUsage, now: float) -> None:
        """The usage is over: forget it, its timers and the transactions' way back to it."""
        if self.usages.pop(usage.local_tag, None) is None:
            return
        if usage.unanswered:
            self.refuse_unanswered(usage, now)
        for timer in ("1xx", "2xx", "2xx end"):
            self.timers.cancel(timer, usage.local_tag)
        if usage.reliable is not None or usage.session is not None or usage.offer is not None:
            for timer in ("pr", "pe", "er", "ee", "ga"):
                self.timers.cancel(timer, usage.local_tag)
        usage.end()
        self.ended.append(usage)
