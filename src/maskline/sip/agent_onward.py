"""Requests of ours that nobody says anything to: an INVITE whose user can go elsewhere (RFC 3263 §4.3), what was on a
connection that ended, and what took one for its size alone.

What it is: the end of the wait, long before timer B, and what is left of the INVITE. What it is not: the choice of the
next place (`engine/call_retry.py`). Who uses it: `agent_client`.
"""

from __future__ import annotations

from maskline.sip.core import Core
from maskline.sip.events import InviteFailed
from maskline.sip.invite_usage import InviteUsage, UsageState
from maskline.sip.transaction_client import SILENCE, ClientTransaction, ClientTransactions
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
    if transaction.fallback is not None:
        return  # it begins again by UDP when nobody takes it where it is
    transactions.rest(transaction)
    core.end(usage, now)
    core.emit(InviteFailed(usage, 408, None))
    rest = InviteUsage(usage.local_tag, usage.flow, is_client=True)
    rest.state, rest.transaction, transaction.usage = UsageState.CANCELLING, transaction, rest
    core.usages[rest.local_tag] = rest


def leave_stream(core: Core, transactions: ClientTransactions, transaction: ClientTransaction, now: float) -> None:
    """What took a stream for its size alone (§18.1.1) goes by UDP: nobody takes it there, or who does says nothing, as
    firewalls that accept for a server that has no TCP."""
    core.note_refused_stream(transaction.flow.host, now)
    transactions.fall_back(transaction, now)
    usage = transaction.usage
    if transaction.is_initial and usage is not None and usage.outgoing is not None and usage.outgoing.try_seconds:
        core.timers.set(SILENCE, transaction.key, now + usage.outgoing.try_seconds)


def take_another(core: Core, transactions: ClientTransactions, transaction: ClientTransaction, now: float) -> None:
    """The connection that a request without any answer was on is gone: it goes on a new one, once."""
    if transaction.again:
        leave_stream(core, transactions, transaction, now)
        return
    transaction.again = True
    usage = transaction.usage
    is_inside = usage is not None and usage.dialog is not None and not transaction.is_initial
    if is_inside and transaction.fallback is None:
        assert usage is not None and usage.dialog is not None
        transaction.flow = usage.dialog.hop  # who connected to us does not listen where that came from
    assert transaction.data is not None
    core.resend(transaction.data, transaction.flow)


def leave_unheard(core: Core, transactions: ClientTransactions, key: str, now: float) -> None:
    """The stream stands, or would have failed by now. For a caller that gave up meanwhile no telephone has to ring."""
    transaction = transactions.get(key)
    if transaction is None or transaction.fallback is None or transaction.state not in _WAITING:
        return
    usage = transaction.usage
    if not transaction.is_initial or (usage is not None and usage.state is UsageState.CALLING):
        leave_stream(core, transactions, transaction, now)


_WAITING = (State.CALLING, State.TRYING)
