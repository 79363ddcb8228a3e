"""Who calls whom, read from an INVITE; and the INVITE we write ourselves for the callee.

What it is: the one place where a real number enters the engine from SIP, and the only one that writes URIs and
identity headers of leg B (architecture decision 2): callee's number in Request-URI and To, the virtual number
in From and P-Asserted-Identity, nothing of the caller. What it is not: trust; only requests from a known trunk
come here, so its P-Asserted-Identity (RFC 3325) is believed before From, which any phone can fill in.
"""

from __future__ import annotations

import re

from maskline.engine.effects import SendInvite
from maskline.errors import InvalidParameter
from maskline.masking.e164 import Number, parse_number
from maskline.sip.agent import OutgoingInvite
from maskline.sip.events import Flow
from maskline.sip.grammar import ParseError
from maskline.sip.headers import Address
from maskline.sip.message import Request
from maskline.sip.uri import Uri, bracketed

LOOP_HEADER = "Maskline-Loop"
"""Marks INVITEs that this installation sent; its value names the installation, never a call."""
_NATIONAL = re.compile(r"\+?0[0-9().-]+\Z")
DEFAULT_MAX_FORWARDS = 70
"""RFC 3261 §8.1.1.6, for a request that came without."""


def caller_of(request: Request) -> Number | None:
    """The caller's real number; None when it is withheld or no number. With several asserted identities
    (a SIP and a tel URI, RFC 3325 §9.1) the first that is a number counts. One in national form (0791…) names somebody,
    but nobody can tell whom: then From, which the caller may have chosen, does not count either."""
    national = False
    for element in request.values("p-asserted-identity"):
        try:
            uri = Address(element).uri
        except ParseError:
            continue
        number = _number(uri)
        if number is not None:
            return number
        national = national or _NATIONAL.match(uri.user or "") is not None
    return None if national else _number(request.from_uri)


def called_of(request: Request) -> Number | None:
    """The dialled number, from the Request-URI; None when it is none."""
    return _number(request.request_uri)


def has_looped(request: Request, token: str) -> bool:
    return request.header(LOOP_HEADER) == token


def outgoing_invite(effect: SendInvite, host: str, loop_token: str) -> OutgoingInvite:
    """The INVITE for leg B; `host` is our own address."""
    trunk = effect.trunk
    far, here = bracketed(trunk.host), bracketed(host)
    target = f"sip:{effect.callee.e164}@{far}"
    shown = f"sip:{effect.virtual_number.e164}@{here}"
    return OutgoingInvite(
        flow=Flow(trunk.transport, trunk.host, trunk.port),
        request_uri=f"{target}:{trunk.port}",
        from_uri=shown,
        to_uri=target,
        body=effect.body,
        content_type="application/sdp",
        max_forwards=effect.max_forwards,
        headers=(("P-Asserted-Identity", f"<{shown}>"), (LOOP_HEADER, loop_token)),
    )


def _number(uri: Uri) -> Number | None:
    if not uri.user:
        return None
    try:
        return parse_number(uri.user)
    except InvalidParameter:
        return None
