"""What the user agent itself must say again: ringing each minute, and a 2xx until its ACK.

What it is: the two timers that RFC 3261 gives to the user of the INVITE server transaction, not to the
transaction. What it is not: the transaction's own retransmission (`transaction_server`). Who uses it:
`agent_server`.
"""

from __future__ import annotations

from maskline.sip.core import Core
from maskline.sip.invite_usage import InviteUsage, UsageState
from maskline.sip.transaction_server import ServerTransaction, ServerTransactions

RING, REPEAT, GIVE_UP = "1xx", "2xx", "2xx end"
RINGING_INTERVAL = 60.0
"""§13.3.1.1: a provisional response each minute, or proxies on the way (Timer C) give the call up."""


class Repeats:
    """Timers of INVITE usages we serve."""

    __slots__ = ("_core", "_transactions")

    def __init__(self, core: Core, transactions: ServerTransactions) -> None:
        self._core = core
        self._transactions = transactions

    def ringing(self, usage: InviteUsage, now: float) -> None:
        """A provisional response went out."""
        self._core.timers.set(RING, usage.local_tag, now + RINGING_INTERVAL)

    def answered(self, usage: InviteUsage, data: bytes, now: float) -> None:
        """A 2xx went out: repeated from T1 up to T2, over any transport, until the ACK or 64*T1 (§13.3.1.4)."""
        core, tag = self._core, usage.local_tag
        usage.unacked = data
        usage.interval = core.config.t1
        core.timers.cancel(RING, tag)
        core.timers.set(REPEAT, tag, now + usage.interval)
        core.timers.set(GIVE_UP, tag, now + 64 * core.config.t1)

    def settled(self, usage: InviteUsage) -> None:
        """The ACK came, or nobody waits for it any more."""
        self._core.timers.cancel(REPEAT, usage.local_tag)
        self._core.timers.cancel(GIVE_UP, usage.local_tag)
        usage.unacked = usage.request = None
        if usage.state is UsageState.ANSWERED:
            usage.state = UsageState.CONFIRMED

    def fire(self, timer: str, key: str, now: float) -> InviteUsage | None:
        """A timer ran out; the usage if its 2xx was given up."""
        usage = self._core.usages.get(key)
        if usage is None:
            return None
        if timer == GIVE_UP:
            self.settled(usage)
            return usage
        if timer == REPEAT:
            assert usage.unacked is not None
            self._core.resend(usage.unacked, usage.flow)
            usage.interval = min(2 * usage.interval, self._core.config.t2)
            self._core.timers.set(REPEAT, key, now + usage.interval)
        else:
            self._ring_again(usage, now)
        return None

    def _ring_again(self, usage: InviteUsage, now: float) -> None:
        transaction = usage.transaction
        assert isinstance(transaction, ServerTransaction)
        assert transaction.response is not None
        self._transactions.respond(transaction, 180, transaction.response, now)
        self.ringing(usage, now)
