"""What a request must satisfy before the agent's user sees it (RFC 3261 §8.2), as pure checks.

What it is: request -> `Refusal` or None, in the order of §8.2: method, addresses, extensions, content. What it
is not: anything that needs a look at other state (481, 482: `agent_server`). Who uses it: `agent_server`.
"""

from __future__ import annotations

from typing import NamedTuple

from maskline.sip.build import AgentConfig, Builder
from maskline.sip.flow import Flow
from maskline.sip.grammar import ParseError
from maskline.sip.invite_usage import InviteUsage, UsageState
from maskline.sip.message import Request
from maskline.sip.option_tags import SHORTEST
from maskline.sip.session_timer import is_too_brief
from maskline.sip.uri import is_plain

KNOWN_METHODS = frozenset((
    "INVITE", "ACK", "CANCEL", "BYE", "OPTIONS", "REGISTER", "INFO", "UPDATE", "PRACK", "SUBSCRIBE", "NOTIFY", "REFER",
    "MESSAGE", "PUBLISH",
))  # fmt: skip
"""Methods with an RFC: not allowed here is 405; anything else is 501 (§21.5.2)."""
OFFER_METHODS = frozenset(("INVITE", "UPDATE"))
"""Methods that may make an offer, and renew a session."""
SDP_METHODS = OFFER_METHODS | {"PRACK"}
"""Methods whose body must be SDP."""
UNANSWERED = (UsageState.CALLING, UsageState.CANCELLING)
"""States in which our own INVITE, an offer by itself, has no final response."""
_ACCEPTABLE = frozenset(("application/sdp", "application/*", "*/*"))


class Refusal(NamedTuple):
    """The response that ends a request; `headers` are complete lines."""

    status: int
    headers: str = ""
    reason: str = ""


def check_method(request: Request, config: AgentConfig, build: Builder) -> Refusal | None:
    if request.method in config.allow:
        return None
    return Refusal(405 if request.method in KNOWN_METHODS else 501, build.allow)


def check_outside_dialog(request: Request, flow: Flow, config: AgentConfig, build: Builder) -> Refusal | None:
    """Everything the user may read of a request that opens a dialog, or of OPTIONS, is sound after this: the
    URIs of Request-Line, From, To and Contact parse."""
    try:
        refusal = _check_scheme(request, flow)
        if refusal is not None:
            return refusal
        contact = request.contact
        others = (request.uri_text, "" if contact is None else contact.uri_text)  # looked at anyway
        for address in (request.from_address, request.to_address):
            if address.uri_text not in others and not is_plain(address.uri_text):
                _ = address.uri
        if contact is not None:
            _ = contact.uri
        _check_identities(request)
    except ParseError as error:
        return Refusal(error.status, reason=error.reason)
    if request.method == "INVITE" and request.max_forwards == 0:
        # We are the end of an INVITE only formally: answering means sending another one (RFC 5393 §5 counts on
        # B2BUAs to hold the limit). OPTIONS ends here and is answered whatever it says (§11, RFC 4475 §3.3.11).
        return Refusal(483)
    refusal = check_content(request, config, build)
    if refusal is None and request.method == "INVITE" and ("replaces" in request.headers or "join" in request.headers):
        # Nobody joins or takes over a call that is masked: no dialog here ever matches (RFC 3891 §3, RFC 3911 §4).
        # Ignored as unknown, the header would make a second, ordinary call of it.
        return Refusal(481)
    return refusal


def check_content(request: Request, config: AgentConfig, build: Builder) -> Refusal | None:
    """Extensions and body (§8.2.2.3, §8.2.3)."""
    if "require" in request.headers:
        unsupported = [tag for tag in request.values("require") if tag.lower() not in config.supported]
        if unsupported:
            return Refusal(420, f"Unsupported: {', '.join(unsupported)}\r\n")
    if request.method not in SDP_METHODS:
        return None
    if "session-expires" in request.headers:
        refusal = _check_session(request)
        if refusal is not None:
            return refusal
    if request.body and request.content_type not in ("application/sdp", ""):
        if not request.may_be_ignored:
            return Refusal(415, build.accept)
        request.take_part("", b"")
    if request.body:
        encoding = request.headers.get("content-encoding", "identity").lower()
        if encoding != "identity":
            return Refusal(415, build.accept + "Accept-Encoding: identity\r\n")
    if "accept" in request.headers:
        offered = {element.partition(";")[0].strip().lower() for element in request.values("accept")}
        if offered and not offered & _ACCEPTABLE:
            return Refusal(406)
    return None


def check_glare(usage: InviteUsage, request: Request, retry_after: int) -> Refusal | None:
    """One offer at a time (§14.2, RFC 3311 §5.2): 500 while theirs is open, 491 while ours is, which includes the one
    in our reliable 18x. `retry_after`: the seconds of chance §14.2 asks for."""
    if usage.state is UsageState.ENDING:
        return Refusal(481)
    if request.method != "INVITE" and not request.body:
        return None
    incoming, unanswered = usage.state is UsageState.INCOMING, usage.state in UNANSWERED
    if (incoming or unanswered) and request.method == "UPDATE" and usage.is_described(request.from_tag):
        incoming = unanswered = False  # the INVITE's offer is answered, by a reliable 18x: this is the next one
    elif usage.reliable is not None and usage.reliable.awaits_answer:
        incoming, unanswered = False, True
    if usage.remote_pending is not None or incoming:
        return Refusal(500, f"Retry-After: {retry_after}\r\n")
    # An ACK still to come belongs to an offer still open (RFC 5407 §3.1.4).
    is_open = any(offer is not None for offer in (usage.pending, usage.unacked, usage.ack_due))
    return Refusal(491) if is_open or unanswered else None


def _check_session(request: Request) -> Refusal | None:
    """RFC 4028 §9; what reads the two headers later cannot fail any more."""
    try:
        return Refusal(422, f"Min-SE: {SHORTEST}\r\n") if is_too_brief(request) else None
    except ParseError as error:
        return Refusal(error.status, reason=error.reason)


def _check_scheme(request: Request, flow: Flow) -> Refusal | None:
    scheme = request.request_uri.scheme
    if scheme in ("sip", "tel") or (scheme == "sips" and flow.transport == "tls"):
        return None
    return Refusal(416)


def _check_identities(request: Request) -> None:
    """P-Asserted-Identity decides who calls; it must not fail later, in the engine's hands."""
    for address in request.asserted:
        _ = address.uri
