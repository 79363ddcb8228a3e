"""What the engine counts since its start; `maskline` exports them as metrics.

What it is: plain totals. What it is not: labels; none of these may ever carry a number or an address.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from maskline.engine import inputs as i
from maskline.masking.facts import Outcome

_RESULTS: dict[type[i.Input], str] = {
    i.MediaFailed: "media_failed",
    i.RouteFailed: "routes_failed",
    i.PlayFailed: "prompts_failed",
    i.PlayDone: "prompts_heard",
    i.RecordingOn: "recordings_started",
    i.RecordingOff: "recordings_cut",
}


@dataclass(slots=True)
class EngineCounters:
    strangers: int = 0
    """Datagrams from an address of no trunk: dropped unread."""
    calls: int = 0
    """INVITEs that became a call."""
    requested_calls: int = 0
    """Calls that we started because a session, or a call flow by API, asked for them."""
    recovered: int = 0
    """Calls that a process before this one had, and that go on."""
    lost: int = 0
    """Calls that another engine has taken over."""
    unknown_numbers: int = 0
    """Calls to a number that is not ours, or to no number: refused with 404, no record."""
    wrong_passwords: int = 0
    """Requests of trunks that have to prove who they are, with a wrong name or password: refused with 403."""
    drained: int = 0
    """INVITEs refused with 503 because the engine is draining."""
    trunk_full: int = 0
    """INVITEs refused with 503 because their trunk is at its limits."""
    overloaded: int = 0
    """INVITEs refused with 503 because there was no time or no room for them."""
    flooded: int = 0
    """INVITEs dropped because there were too many even to refuse them."""
    capped: int = 0
    """Messages from trunks dropped because their address had sent too many."""
    acks_absorbed: int = 0
    """ACKs of refusals that nobody remembers."""
    routes_failed: int = 0
    """Calls refused because the router could not decide (store away, or a fault)."""
    media_failed: int = 0
    """Media steps that failed because the driver was away."""
    prompts_failed: int = 0
    """Prompts that could not be had or played."""
    prompts_heard: int = 0
    """Prompts that were played to their end."""
    recordings_started: int = 0
    """Recordings of calls."""
    recordings_cut: int = 0
    """Recordings that did not start, or ended before their call."""
    dropped_progress: int = 0
    """Provisional responses that are not passed on: 181, 182, 199 and the like."""
    dropped_info: int = 0
    """SIP INFO inside a leg that told of no key."""
    finished: int = 0
    """Call records made."""
    outcomes: dict[str, int] = field(default_factory=dict)
    """Call records by outcome."""
    faults: int = 0
    """Exceptions at the process edge; each is a bug, logged with its traceback."""
    unreachable: int = 0
    """ICMP errors for datagrams we sent."""

    def note(self, kind: type[i.Input]) -> None:
        """One more result of outside work, if its kind is counted."""
        name = _RESULTS.get(kind)
        if name is not None:
            setattr(self, name, getattr(self, name) + 1)

    def count(self, outcome: Outcome) -> None:
        """One more call record."""
        self.finished += 1
        name = outcome._value_
        self.outcomes[name] = self.outcomes.get(name, 0) + 1
