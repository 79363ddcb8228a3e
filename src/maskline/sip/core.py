"""What the parts of one agent share: configuration, ids, timers, the two output queues, counters, usages.

What it is: plain state with the four one-line ways to add to it. What it is not: protocol. Who uses it: the
transaction layers and both halves of the agent; `Agent` owns it.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from maskline.ids import Ids
from maskline.sip.build import AgentConfig, Builder
from maskline.sip.events import Event
from maskline.sip.flow import Datagram, Flow
from maskline.sip.invite_usage import InviteUsage
from maskline.timers import Timers

TimerKey = tuple[str, str]
"""(kind, transaction key or local tag). Strings only: a cancelled timer stays in the heap until its time, and
must not keep a finished call alive there."""


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


class Core:
    """Shared state of one agent."""

    __slots__ = (
        "build",
        "config",
        "counters",
        "datagrams",
        "ended",
        "events",
        "ids",
        "refuse_unanswered",
        "timers",
        "usages",
    )

    def __init__(self, config: AgentConfig, ids: Ids) -> None:
        self.config = config
        self.ids = ids
        self.build = Builder(config, stateless_key=ids.token(16))
        self.timers: Timers[TimerKey] = Timers()
        self.datagrams: list[Datagram] = []
        self.events: list[Event] = []
        self.usages: dict[str, InviteUsage] = {}
        """By our own tag, which is unique (128 bits of chance would not be fewer than the whole dialog id)."""
        self.ended: list[InviteUsage] = []
        """Over, but their last events may not have been read yet; see `Agent.events`."""
        self.counters = Counters()
        self.refuse_unanswered: Callable[[InviteUsage, float], None] = _nothing_to_refuse
        """Set by the server half: what of theirs is unanswered when a usage ends, whoever ends it, gets its
        final response, or it would be held for ever."""

    def send(self, data: bytes, flow: Flow) -> None:
        self.datagrams.append(Datagram(data, flow))

    def resend(self, data: bytes, flow: Flow) -> None:
        self.counters.retransmits_sent += 1
        self.datagrams.append(Datagram(data, flow))

    def emit(self, event: Event) -> None:
        self.events.append(event)

    def end(self, usage: InviteUsage, now: float) -> None:
        """The usage is over: forget it, its timers and the transactions' way back to it."""
        if self.usages.pop(usage.local_tag, None) is None:
            return
        if usage.unanswered:
            self.refuse_unanswered(usage, now)
        for timer in ("1xx", "2xx", "2xx end"):
            self.timers.cancel((timer, usage.local_tag))
        usage.end()
        self.ended.append(usage)
