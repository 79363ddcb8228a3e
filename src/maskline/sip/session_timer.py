"""Session timers (RFC 4028): who renews a session, how often, and when it is over without it.

What it is: the two headers read and written, and what two sides agree on, as functions of one message. What it is not:
clocks or requests (`agent_sessions`). Who uses it: `agent_sessions`, `agent_checks`, `agent_client`.
"""

from __future__ import annotations

from typing import NamedTuple

from maskline.sip.grammar import ParseError, parse_number, parse_parameters
from maskline.sip.message import Message, Request, Response
from maskline.sip.option_tags import SHORTEST, TIMER, names

LONGEST = 86_400
"""Seconds: a peer that insists on more than a day between renewals is refused."""
_MAX_SECONDS = 2**32 - 1


class Wish(NamedTuple):
    """A Session-Expires header."""

    seconds: int
    refresher: str
    """`uac`, `uas` or empty, as seen from the request it belongs to."""


class Terms(NamedTuple):
    """What both sides hold to."""

    seconds: int
    we_refresh: bool


def read_wish(message: Message) -> Wish | None:
    """None without the header; raises `ParseError`."""
    text = message.header("session-expires")
    if text is None:
        return None
    seconds, semicolon, parameters = text.partition(";")
    refresher = parse_parameters(semicolon + parameters).get("refresher", "").lower()
    if refresher not in ("uac", "uas", ""):
        raise ParseError(400, "Malformed Session-Expires")
    return Wish(parse_number(seconds.strip(), _MAX_SECONDS, "Session-Expires"), refresher)


def read_shortest(message: Message) -> int:
    """Min-SE, or the RFC's own when there is none that can be read."""
    text = message.header("min-se")
    try:
        asked = SHORTEST if text is None else parse_number(text.partition(";")[0].strip(), _MAX_SECONDS, "Min-SE")
    except ParseError:
        return SHORTEST
    return max(SHORTEST, asked)


def is_too_brief(request: Request) -> bool:
    """Whether a request asks for less than we let pass; 422 is only for those that know what it means (§9). Raises
    `ParseError`, and so makes sure that nothing that reads the header after it does."""
    wish = read_wish(request)
    return wish is not None and wish.seconds < SHORTEST and names(request, "supported", TIMER)


def longer_wish(response: Response, asked: int) -> int | None:
    """The seconds a 422 to a request of ours demands; None when they make no sense."""
    shortest = read_shortest(response)
    return shortest if asked < shortest <= LONGEST else None


def agree_as_server(request: Request, ours: int, held: Terms | None = None) -> tuple[Terms, str] | None:
    """What our 2xx says to a request that opens or renews a session (§9, table 2), and its header lines; None: no
    timer. `ours`: what we want when nobody asks; `held`: what held before."""
    wish, knows = read_wish(request), names(request, "supported", TIMER)
    if wish is None:
        if not knows or not ours:
            return None
        we_refresh = held is None or held.we_refresh
        wish = Wish(max(ours, read_shortest(request)), "uas" if we_refresh else "uac")
    elif not knows:
        wish = Wish(max(wish.seconds, SHORTEST), "uas")  # a proxy asks, and the peer would not know how
    elif not wish.refresher:
        wish = Wish(wish.seconds, "uas" if held is not None and held.we_refresh else "uac")
    required = f"Require: {TIMER}\r\n" if wish.refresher == "uac" else ""
    lines = f"{required}Session-Expires: {wish.seconds};refresher={wish.refresher}\r\n"
    return Terms(wish.seconds, wish.refresher == "uas"), lines


def agree_as_client(response: Response, held: Terms | None = None) -> Terms | None:
    """What a 2xx to a request of ours says (§7.2). Without the header there is no timer, but who has to renew goes on
    doing it: it costs nothing, and finds out when the peer is gone. A malformed header is none."""
    try:
        wish = read_wish(response)
    except ParseError:
        wish = None
    if wish is None:
        return held if held is not None and held.we_refresh else None
    return Terms(max(wish.seconds, SHORTEST), wish.refresher != "uas")


def renewal_lines(terms: Terms, shortest: int = SHORTEST) -> str:
    """What a re-INVITE or UPDATE of ours says of the session it renews (§7.4)."""
    refresher = "uac" if terms.we_refresh else "uas"
    return f"Supported: {TIMER}\r\nSession-Expires: {terms.seconds};refresher={refresher}\r\nMin-SE: {shortest}\r\n"


def lapse(seconds: int) -> float:
    """After how long without a renewal a session is over (§10)."""
    return seconds - min(32.0, seconds / 3)
