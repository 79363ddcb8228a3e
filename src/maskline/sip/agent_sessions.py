"""The session timers of the dialogs of one agent: renew in time, or say that a session was not renewed.

What it is: `SessionKeeper`, the clocks on what `session_timer` makes of the headers, in both roles and for both ends of
a dialog. A renewal of ours is an UPDATE without SDP if the peer allows UPDATE, else a re-INVITE with our last SDP. Its
answer may move the peer's media: `SessionDescribed`. What it is not: the end of a call: `SessionExpired` asks the
agent's user for a BYE. Who uses it: both halves of the agent. Dialogs without a timer have nothing here.
"""

from __future__ import annotations

from collections.abc import Callable

from maskline.sip.core import Core
from maskline.sip.events import SessionDescribed, SessionExpired
from maskline.sip.invite_usage import InviteUsage, UsageState
from maskline.sip.kept_usage import KeptSession, terms_of
from maskline.sip.message import Message, Request, Response
from maskline.sip.option_tags import SHORTEST
from maskline.sip.session_timer import (
    Terms,
    agree_as_client,
    agree_as_server,
    lapse,
    longer_wish,
    read_shortest,
    renewal_lines,
)  # fmt: skip

RENEW, EXPIRE = "er", "ee"
GONE = (408, 481)
"""What says that the dialog is no more at the far side, if only by silence (RFC 3261 §12.2.1.2)."""
UNKNOWN = (405, 501)
SHORT_DELAY = 5.0
"""Seconds until the next look when an offer is in the way, which renews the session by itself if it succeeds."""
SOON, SPREAD = 1.0, 10.0
"""Seconds after a restart in which sessions are renewed, not all at once."""


class Session:
    """The timer of one dialog. `usage.session`."""

    __slots__ = ("by_update", "expires_at", "heard", "is_over", "renewing", "sdp", "shortest", "terms")

    def __init__(self, terms: Terms, sdp: bytes, *, by_update: bool) -> None:
        self.terms = terms
        self.by_update = by_update
        self.sdp = sdp
        """What we said last, for a renewal by re-INVITE."""
        self.heard = 0
        """A hash of the peer's last SDP, which is some 300 bytes; 0: not known."""
        self.shortest = SHORTEST
        self.renewing: str | None = None
        """Method of our renewal under way."""
        self.expires_at = 0.0
        self.is_over = False
        """Its end was told."""


class SessionKeeper:
    """Session timers of one agent."""

    __slots__ = ("_core", "_renew")

    def __init__(self, core: Core, renew: Callable[[InviteUsage, str, bytes, float], None]) -> None:
        """`renew` sends a request of this method and body inside the dialog."""
        self._core = core
        self._renew = renew

    # ---- what was agreed

    def answer(self, usage: InviteUsage, request: Request, ours: int, body: bytes, now: float) -> str:
        """Header lines of our 2xx to an INVITE or UPDATE, whose session begins or goes on with it."""
        session = usage.session
        if session is None and not ours and "session-expires" not in request.headers:
            return ""
        held = None if session is None else session.terms
        agreed = agree_as_server(request, ours if held is None else held.seconds, held)
        if agreed is not None:
            self._start(usage, agreed[0], request, body, now, read_shortest(request))
        elif session is not None:
            self._forget_unless_ours(usage, session)
        self.heard(usage, request.sdp)
        return "" if agreed is None else agreed[1]

    def accepted(
        self, usage: InviteUsage, response: Response, body: bytes, now: float, shortest: int = SHORTEST
    ) -> None:
        """A 2xx to an INVITE or UPDATE of ours, whose SDP was `body`; `shortest`: the Min-SE that the INVITE had."""
        session = usage.session
        terms = agree_as_client(response, None if session is None else session.terms)
        if terms is not None:
            self._start(usage, terms, response, body, now, shortest)
        elif session is not None:
            self._forget_unless_ours(usage, session)
        self.described(usage, body)
        self.heard(usage, response.sdp)

    def lines(self, usage: InviteUsage) -> str:
        """Header lines of an INVITE or UPDATE of ours inside the dialog."""
        session = usage.session
        return "" if session is None else renewal_lines(session.terms, session.shortest)

    def described(self, usage: InviteUsage, body: bytes) -> None:
        """We said another SDP."""
        if usage.session is not None and body:
            usage.session.sdp = body

    def heard(self, usage: InviteUsage, sdp: bytes) -> None:
        """The peer said another SDP."""
        session = usage.session
        if session is not None and sdp:
            # Before the answer another may have taken its place, by PRACK or UPDATE; INVITE and 2xx know the first.
            is_incoming = usage.state is UsageState.INCOMING and usage.reliable is not None
            session.heard = 0 if is_incoming or usage.early_acks is not None else hash(sdp)

    def _start(
        self, usage: InviteUsage, terms: Terms, message: Message, body: bytes, now: float, shortest: int
    ) -> None:  # fmt: skip
        session = usage.session
        if session is None:
            session = usage.session = Session(terms, body, by_update=_allows_update(message))
        else:
            session.terms = terms
            session.sdp = body or session.sdp
            if "allow" in message.headers:
                session.by_update = _allows_update(message)
        # §7.4: the most that was heard of in the dialog is said in each renewal; more than the interval is nonsense.
        session.shortest = min(max(session.shortest, shortest), terms.seconds)
        session.expires_at = now + lapse(terms.seconds)
        timers, tag = self._core.timers, usage.local_tag
        timers.set(EXPIRE, tag, session.expires_at)
        if terms.we_refresh:
            timers.set(RENEW, tag, now + terms.seconds / 2)
        else:
            timers.cancel(RENEW, tag)

    def _forget_unless_ours(self, usage: InviteUsage, session: Session) -> None:
        """The peer dropped the timer. Who has to renew goes on: it finds out when the peer is gone."""
        if not session.terms.we_refresh:
            usage.session = None
            self._stop(usage)

    def _stop(self, usage: InviteUsage) -> None:
        for timer in (RENEW, EXPIRE):
            self._core.timers.cancel(timer, usage.local_tag)

    def resume(self, usage: InviteUsage, kept: KeptSession, now: float) -> None:
        """After a restart. When it was renewed last nobody knows: who has to renew does so soon, and the other side is
        given a whole interval."""
        session = usage.session = Session(terms_of(kept), kept.sdp.encode(), by_update=kept.by_update)
        session.shortest = kept.shortest
        session.expires_at = now + lapse(kept.seconds)
        timers, tag = self._core.timers, usage.local_tag
        timers.set(EXPIRE, tag, session.expires_at)
        if kept.we_refresh:
            spread = int(tag[:4], 16) / 0x10000 if tag else 0.0
            timers.set(RENEW, tag, now + SOON + SPREAD * spread)

    # ---- renewals of ours

    @staticmethod
    def lengthen(session: Session, response: Response, asked: int) -> bool:
        """Whether a 422 to a request that `asked` for so many seconds demands an interval that we can go up to; then
        the next request asks for it. What another request was told meanwhile is no less true."""
        longer = longer_wish(response, asked) if asked else None
        if longer is None:
            return False
        session.terms = session.terms._replace(seconds=max(session.terms.seconds, longer))
        session.shortest = max(session.shortest, longer)
        return True

    def finished(
        self, usage: InviteUsage, session: Session, status: int, response: Response | None, delay: float, now: float
    ) -> None:
        """A renewal got its final response, or none; `delay`: what a 491 has to wait."""
        method, session.renewing = session.renewing, None
        if session.is_over:
            return
        if response is not None and status < 300:
            self._take_renewal(usage, session, method, response, now)
        elif status in GONE:
            self._expire(usage, session)
        elif status == 422 and response is not None and self.lengthen(session, response, session.terms.seconds):
            self._again(usage, 0.0, now)
        elif status in UNKNOWN and method == "UPDATE":
            session.by_update = False
            self._again(usage, 0.0, now)
        else:
            left = session.expires_at - now
            self._again(usage, delay if status == 491 else left / 2, now)

    def _take_renewal(
        self, usage: InviteUsage, session: Session, method: str | None, response: Response, now: float
    ) -> None:  # fmt: skip
        before = session.heard
        self.accepted(usage, response, b"", now)
        sdp = response.sdp
        if method == "INVITE" and sdp and hash(sdp) != before:
            self._core.emit(SessionDescribed(usage, sdp))

    def _again(self, usage: InviteUsage, delay: float, now: float) -> None:
        self._core.timers.set(RENEW, usage.local_tag, now + delay)

    def fire(self, timer: str, key: str, now: float) -> None:
        """Time to renew, or to say that nobody has."""
        usage = self._core.usages[key]
        session = usage.session
        assert session is not None
        if timer == EXPIRE:
            self._expire(usage, session)
        elif usage.pending is not None or usage.remote_pending is not None or usage.state is not UsageState.CONFIRMED:
            self._again(usage, SHORT_DELAY, now)
        elif session.by_update or not session.sdp:
            session.renewing = "UPDATE"
            self._renew(usage, "UPDATE", b"", now)
        else:
            session.renewing = "INVITE"
            self._renew(usage, "INVITE", session.sdp, now)

    def _expire(self, usage: InviteUsage, session: Session) -> None:
        session.is_over = True
        self._stop(usage)
        if usage.state is not UsageState.ENDING:
            self._core.emit(SessionExpired(usage))


def _allows_update(message: Message) -> bool:
    return "UPDATE" in message.values("allow")
