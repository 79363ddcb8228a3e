"""The usage of all accounts that have limits, and which of them are stopped: one object a process.

What it is: what routing asks (*may this call be?*) and the engine tells (*it entered, was answered, is over*), by
account and by call. What it is not: the counters (`usage.py`), or reading limits (`workflows/check_limits.py`, which
fills this). Accounts without limits are not in here, and their calls cost one look at a field that says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from maskline.masking.facts import Cause, LegName
from maskline.masking.limits import Limits
from maskline.masking.permit import Permit
from maskline.masking.usage import Usage
from maskline.masking.usage_day import Past, Raised
from maskline.masking.usage_shared import SharedUsage


class AccountRaised(NamedTuple):
    account_id: str
    raised: Raised
    stops: bool
    """The account was stopped by it."""


class UsageBook:
    __slots__ = ("_kind", "_usages", "calls", "own", "refused", "stopped", "unsaved")

    def __init__(self) -> None:
        self._usages: dict[str, Usage] = {}
        self._kind: type[Usage] = Usage
        self.own: set[str] | None = None
        """Where engines share: calls that were counted here and whose records were not seen yet, so that they are not
        counted twice."""
        self.calls: dict[str, Usage] = {}
        """By call that entered: what it is counted by. Whoever tells of calls looks here first; most are not in it."""
        self.stopped: set[str] = set()
        """Accounts whose calls are refused."""
        self.unsaved: set[str] = set()
        """Those of them of which the store has not heard yet."""
        self.refused: Counter[Cause] = Counter()
        """Calls that were not allowed, by cause."""

    def share(self) -> None:
        """Before anything is counted: other engines have calls of the same accounts."""
        self._kind, self.own = SharedUsage, set()

    def usage(self, account_id: str, limits: Limits, now: float, wall: float) -> Usage:
        """Of an account, by these limits from now on."""
        usage = self._usages.get(account_id)
        if usage is None:
            usage = self._usages[account_id] = self._kind(limits, wall)
        elif usage.limits != limits:
            usage.change(limits, now, wall)
        return usage

    def heed(self, account_id: str, stopped: bool) -> None:
        """What the store says of an account. A stop of this process that is not in the store yet stays."""
        if stopped:
            self.stopped.add(account_id)
        elif account_id not in self.unsaved:
            self.stopped.discard(account_id)

    def find(self, account_id: str) -> Usage | None:
        return self._usages.get(account_id)

    def shared(self) -> dict[str, SharedUsage]:
        """By account, where engines share; else nothing."""
        return {account_id: usage for account_id, usage in self._usages.items() if isinstance(usage, SharedUsage)}

    # -- what calls do ------------------------------------------------------------------------------------------

    def look(self, permit: Permit, now: float, wall: float) -> Cause | None:
        """Why one more call is not allowed at this moment; None: it is."""
        if permit.account_id in self.stopped:
            return Cause.ACCOUNT_STOPPED
        usage = self._usages.get(permit.account_id)
        return None if usage is None else usage.look(permit, now, wall)

    def seconds_left(self, permit: Permit, now: float, wall: float) -> float:
        """How long it may talk; inf: there is no limit."""
        usage = self._usages.get(permit.account_id)
        return float("inf") if usage is None else usage.seconds_left(permit, now, wall)

    def enter(self, call_id: str, permit: Permit, now: float, wall: float) -> Cause | None:
        """The call begins, or is refused: between the look and this moment others may have begun. One that is in
        already dials once more."""
        if permit.account_id in self.stopped:
            return Cause.ACCOUNT_STOPPED
        usage = self._usages.get(permit.account_id)
        if usage is None:
            return None
        if call_id in self.calls:
            return usage.redial(call_id, permit, now, wall)
        refused = usage.enter(call_id, permit, now, wall)
        if refused is None:
            self._note(call_id, usage)
        return refused

    def restore(self, call_id: str, permit: Permit, past: Past, now: float, wall: float) -> None:
        """A call that an engine before this one began: it is in, whatever the limits are."""
        usage = self._usages.get(permit.account_id)
        if usage is not None:
            usage.restore(call_id, permit, past, now, wall)
            self._note(call_id, usage)

    def permit_of(self, call_id: str) -> Permit | None:
        """What a call that is in here uses at this moment; None: it is not."""
        usage = self.calls.get(call_id)
        return None if usage is None else usage.permit_of(call_id)

    def _note(self, call_id: str, usage: Usage) -> None:
        self.calls[call_id] = usage
        if self.own is not None:
            self.own.add(call_id)

    def answered(self, call_id: str, leg: LegName, now: float, wall: float) -> None:
        usage = self.calls.get(call_id)
        if usage is not None:
            usage.answered(call_id, leg, now, wall)

    def hung_up(self, call_id: str, leg: LegName, now: float, wall: float) -> None:
        usage = self.calls.get(call_id)
        if usage is not None:
            usage.hung_up(call_id, leg, now, wall)

    def leave(self, call_id: str, now: float, wall: float) -> None:
        usage = self.calls.pop(call_id, None)
        if usage is not None:
            usage.leave(call_id, now, wall)

    def run_out(self, now: float, wall: float) -> list[str]:
        """Calls to be ended, since what they use is used up; ask it every second."""
        return [call_id for usage in self._usages.values() if usage.concurrent for call_id in usage.run_out(now, wall)]

    # -- what operators hear --------------------------------------------------------------------------------------

    def raised(self) -> Sequence[AccountRaised]:
        """Alarms since the last time; those that stop an account have stopped it here."""
        found = []
        for account_id, usage in self._usages.items():
            for one in usage.raised:
                stops = one.alarm in usage.limits.watch.stop_on and account_id not in self.stopped
                if stops:
                    self.stopped.add(account_id)
                    self.unsaved.add(account_id)
                found.append(AccountRaised(account_id, one, stops))
            usage.raised.clear()
        return found
