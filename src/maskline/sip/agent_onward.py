"""An INVITE of ours that nobody says anything to, whose user can go elsewhere (RFC 3263 §4.3).

What it is: the end of the wait, long before timer B, and what is left of the INVITE. What it is not: the choice of the
next place (`engine/call_retry.py`). Who uses it: `agent_client`.
"""

from __future__ import annotations

from maskline.sip.core import Core
from maskline.sip.events import InviteFailed
from maskline.sip.invite_usage import InviteUsage, UsageState
from maskline.sip.transaction_client import SILENCE, ClientTransactions
from maskline.sip.transaction_states import State


def go_on(core: Core, transactions: ClientTransactions, key: str, now: float) -> None:
    """The INVITE has failed for its user. What comes yet is for nobody: it is cancelled at its first 1xx (§9.1), and
    its 2xx is hung up, as after a CANCEL of ours."""
    transaction = transactions.get(key)
    if transaction is None or transaction.state is not State.CALLING:
        return
    usage = transaction.usage
    if usage is None or usage.state is not UsageState.CALLING:
        return
    if transaction.fallback is not None:  # its connection is not refused yet, after which it begins again
        core.timers.set(SILENCE, key, now + core.config.t2)
        return
    transactions.rest(transaction)
    core.end(usage, now)
    core.emit(InviteFailed(usage, 408, None))
    rest = InviteUsage(usage.local_tag, usage.flow, is_client=True)
    rest.state, rest.transaction, transaction.usage = UsageState.CANCELLING, transaction, rest
    core.usages[rest.local_tag] = rest
