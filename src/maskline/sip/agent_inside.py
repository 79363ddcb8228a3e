"""Requests of ours inside a dialog, other than BYE, CANCEL and PRACK: sent, and finished.

What it is: re-INVITE, UPDATE and INFO of the agent's user, and the renewals of session timers; what goes out says when
the session ends. What it is not: their responses' way here (`agent_client`), or the waiting for a free dialog
(`agent_glare`) and for the time to renew (`agent_sessions`). Who uses it: `agent_client`, `agent`.
"""

from __future__ import annotations

from maskline.sip.agent_glare import GlareKeeper, Offer
from maskline.sip.agent_requests import OutgoingRequests
from maskline.sip.agent_sessions import SessionKeeper
from maskline.sip.build import Headers, header_lines
from maskline.sip.core import Core
from maskline.sip.dialog import Dialog
from maskline.sip.events import RequestFinished
from maskline.sip.flow import way_of
from maskline.sip.invite_usage import InviteUsage, UsageState
from maskline.sip.message import Response
from maskline.sip.transaction_client import ClientTransaction

_RENEWING = ("INVITE", "UPDATE")


class RequestsInside:
    """The dialogs' requests of one agent."""

    __slots__ = ("_core", "_requests", "glare", "sessions")

    def __init__(self, core: Core, requests: OutgoingRequests) -> None:
        self._core = core
        self._requests = requests
        self.glare = GlareKeeper(core, self._send)
        self.sessions = SessionKeeper(core, self._renew)

    def request(
        self, usage: InviteUsage, method: str, now: float, body: bytes, content_type: str, headers: Headers
    ) -> None:
        dialog = usage.dialog
        if usage.is_over:
            return
        if method == "INVITE" or (method == "UPDATE" and body):
            self.glare.offer(usage, Offer(method, body, content_type, headers), now)
        elif dialog is None or usage.state is UsageState.ENDING:
            self._core.emit(RequestFinished(usage, method, 491, None, usage.flow))
        else:
            extra = self._renewal_lines(usage, dialog) if method == "UPDATE" else ""
            self._requests.in_dialog(method, dialog, usage, now, extra + header_lines(headers), body, content_type)

    def _send(self, usage: InviteUsage, offer: Offer, now: float) -> None:
        offer.asked = 0 if usage.session is None else usage.session.terms.seconds
        self._offer(usage, offer.method, offer.body, offer.content_type, header_lines(offer.headers), now)

    def _offer(
        self, usage: InviteUsage, method: str, body: bytes, content_type: str, extra: str, now: float
    ) -> None:  # fmt: skip
        dialog = usage.dialog
        assert dialog is not None
        usage.pending = method
        extra = self._renewal_lines(usage, dialog) + extra
        transaction = self._requests.in_dialog(method, dialog, usage, now, extra, body, content_type)
        transaction.carries_offer = bool(body)
        if method == "INVITE":
            usage.transaction = transaction

    def _renew(self, usage: InviteUsage, method: str, body: bytes, now: float) -> None:
        """A renewal of the session, which changes nothing else."""
        if body:
            self._offer(usage, method, body, "application/sdp", "", now)
        else:
            dialog = usage.dialog
            assert dialog is not None
            self._requests.in_dialog(method, dialog, usage, now, self._renewal_lines(usage, dialog))

    def _renewal_lines(self, usage: InviteUsage, dialog: Dialog) -> str:
        return self._core.build.contact(way_of(dialog.hop), dialog.target) + self.sessions.lines(usage)

    def finish(
        self, usage: InviteUsage | None, transaction: ClientTransaction, status: int, response: Response | None,
        now: float,
    ) -> None:  # fmt: skip
        """The final response to a request inside a dialog, or to OPTIONS; none came: `response` is None."""
        method = transaction.method
        if usage is not None:
            if usage.is_over:
                return
            if usage.pending == method:
                usage.pending = None
            if usage.transaction is transaction:
                usage.transaction = None
            if response is not None and status < 300 and usage.dialog is not None:
                usage.dialog.refresh_target(response)
            if usage.session is not None and method in _RENEWING and self._renews(usage, method, status, response, now):
                return
            if self.glare.is_put_off(usage, method, status, now):
                return
        self._core.emit(RequestFinished(usage, method, status, response, transaction.flow))

    def _renews(
        self, usage: InviteUsage, method: str, status: int, response: Response | None, now: float
    ) -> bool:  # fmt: skip
        """What a final response means to the session timer; whether the agent's user need not hear of it: it was to a
        renewal of the agent's own, or to an offer that was sent again with a longer timer."""
        session = usage.session
        assert session is not None
        if session.renewing == method:
            self.sessions.finished(usage, session, status, response, self.glare.delay(usage), now)
            return True
        offer = usage.offer
        if response is not None and status < 300:
            self.sessions.accepted(usage, response, b"" if offer is None else offer.body, now)
        elif response is not None and status == 422 and offer is not None and offer.method == method:
            # Our timer is none of the other party's, so that its hold must not fail by it (RFC 4028 §7.4).
            return self.sessions.lengthen(session, response, offer.asked) and self.glare.ask_longer(usage, offer, now)
        return False
