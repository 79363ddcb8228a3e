"""Where digest meets the agent: a request of ours that was challenged, and one of theirs that may have to be.

What it is: the step between a 401 or 407 and whoever waits for the response, who hears nothing of a challenge that was
answered (RFC 3261 §8.1.3.5); and the step before a request of theirs is looked at. What it is not: whether and how to
answer or ask (`digest_client`, `digest_server`). Who uses it: `agent_client`, `agent_server`.
"""

from __future__ import annotations

from maskline.sip.agent_checks import Refusal
from maskline.sip.agent_requests import OutgoingRequests
from maskline.sip.core import Core
from maskline.sip.events import ProofRefused
from maskline.sip.flow import Flow
from maskline.sip.invite_usage import InviteUsage, UsageState
from maskline.sip.message import Request, Response
from maskline.sip.transaction_client import ClientTransaction


def answer_challenge(
    requests: OutgoingRequests, transaction: ClientTransaction, response: Response, sent: bytes | None, now: float
) -> bool:
    """Whether the request, whose bytes were `sent`, went out again with an answer to the 401 or 407."""
    usage, digest = transaction.usage, transaction.digest
    if digest is None or sent is None or not _is_wanted(transaction, usage):
        return False
    in_dialog = ";tag=" in transaction.envelope.to_value
    transaction.tries = transaction.tries or {}
    if not digest.takes(response, transaction.flow, transaction.tries, in_dialog=in_dialog):
        return False
    cseq = transaction.envelope.cseq + 1
    if in_dialog and usage is not None:
        # Of several forks that ring each has numbers of its own.
        dialog = usage.dialog_with(transaction.envelope.to_value.rpartition(";tag=")[2])
        if dialog is not None:
            cseq = dialog.next_cseq()
            if isinstance(usage.transaction, ClientTransaction):
                usage.transaction.last_cseq = max(usage.transaction.last_cseq, cseq)
    again = requests.again(transaction, sent, cseq, now)
    if usage is not None and usage.transaction is transaction:
        usage.transaction = again
    if usage is not None and transaction.is_initial:
        # What rang before the challenge is over with it.
        usage.early = usage.dialog = usage.early_acks = None
        usage.provisional_seen = False
    return True


def ask_for_proof(core: Core, request: Request, flow: Flow, now: float) -> Refusal | None:
    """401 or 403 unless the request proves who sent it, where that is asked for."""
    refusal = None if core.doorman is None else core.doorman.check(request, flow, now)
    if refusal is None and core.doorman is not None and core.doorman.proved:
        core.counters.proved += 1
    if refusal is not None:
        core.counters.unproven += 1
        if refusal.status == 403:
            core.emit(ProofRefused(flow))
    return refusal


def _is_wanted(transaction: ClientTransaction, usage: InviteUsage | None) -> bool:
    """Whether somebody still waits for what the request is to bring. The BYE of a fork nobody wants has no usage."""
    if usage is None:
        return not transaction.is_initial
    return not usage.is_over and (not transaction.is_initial or usage.state is UsageState.CALLING)
