"""Who calls whom, read from an INVITE; and the INVITE we write ourselves for the callee.

What it is: the one place where a real number enters the engine from SIP, and the only one that writes URIs and
identity headers of leg B (architecture decision 2): callee's number in Request-URI and To, the virtual number
where the trunk wants it (`presentation.py`), nothing of the caller. What it is not: trust; only requests from a known
trunk come here, so its P-Asserted-Identity (RFC 3325) is believed before From, which any phone can fill in.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from maskline.engine.effects import SendInvite
from maskline.engine.inputs import Elsewhere
from maskline.engine.presentation import dialled, in_context, read_number, show
from maskline.engine.trunk_credentials import credentials_for
from maskline.masking.e164 import Number
from maskline.masking.trunk import USUAL_PRESENTATION, IdentityHeader, Presentation, Trunk, own_target
from maskline.masking.trunk_state import ANSWER_SECONDS
from maskline.sip.agent import OutgoingInvite
from maskline.sip.grammar import ParseError
from maskline.sip.headers import Address
from maskline.sip.message import Request, Response
from maskline.sip.uri import bracketed

LOOP_HEADER = "Maskline-Loop"
"""Marks INVITEs that this installation sent; its value names the installation, never a call."""
_NATIONAL = re.compile(r"\+?0[0-9().-]+\Z")
_Q_VALUE = re.compile(r"0(?:\.[0-9]{0,3})?|1(?:\.0{0,3})?")
_WITHHELD = ("full", "uri")
"""How values of `privacy` begin that hide the number."""
DEFAULT_MAX_FORWARDS = 70
"""RFC 3261 §8.1.1.6, for a request that came without."""


def caller_of(request: Request, how: Presentation = USUAL_PRESENTATION, places: Sequence[str] = ()) -> Number | None:
    """The caller's real number; None when it is withheld or no number. With several asserted identities
    (a SIP and a tel URI, RFC 3325 §9.1) the first that is a number counts. One in national form (0791…) is of the
    trunk's country, and one with a `phone-context` of where that says; `places`: the domains that are the trunk's or
    ours. Without that it names somebody, but nobody can tell whom: then From, which the caller may have chosen, does
    not count either. Between the two stands Remote-Party-ID, of trunks that want it from us too: others may pass on
    what a phone wrote there."""
    is_somebody = False
    for address in _asserted(request):
        number, named = _read(address, how, places)
        if number is not None:
            return number
        is_somebody = is_somebody or named
    if not is_somebody and IdentityHeader.REMOTE_PARTY in how.headers:
        for element in request.values("remote-party-id"):
            number, named = _read_remote_party(element, how, places)
            if number is not None or named:
                return number
    return None if is_somebody else _number_of(request.from_address, how, places)


def _asserted(request: Request) -> list[Address]:
    """The agent lets none through that cannot be read."""
    try:
        return request.asserted
    except ParseError:
        return []


def _read(address: Address, how: Presentation, places: Sequence[str]) -> tuple[Number | None, bool]:
    """The number, and whether this names somebody all the same if it is none."""
    try:
        user, context = address.uri.user, _context_of(address)
    except ParseError:
        return None, False
    return read_number(in_context(user, context, places), how), context is not None or bool(_NATIONAL.match(user))


def _read_remote_party(element: str, how: Presentation, places: Sequence[str]) -> tuple[Number | None, bool]:
    """The same of a Remote-Party-ID (draft-ietf-sip-privacy-01 §6): one that nobody checked says nothing, and who wants
    to be nobody is."""
    try:
        address = Address(element)
        said = address.parameters
    except ParseError:
        return None, False
    if said.get("party", "calling").lower() != "calling" or said.get("screen", "").lower() == "no":
        return None, False
    if said.get("privacy", "off").lower().startswith(_WITHHELD):
        return None, True
    return _read(address, how, places)


def _number_of(address: Address, how: Presentation, places: Sequence[str]) -> Number | None:
    return read_number(in_context(address.uri.user, _context_of(address), places), how)


def _context_of(address: Address) -> str | None:
    """Without angle brackets the parameters of a URI are the header's (RFC 3261 §20.10), whatever was meant."""
    context = address.uri.context
    if context is None and "phone-context" in address.parameters:
        return address.parameters["phone-context"].lower()
    return context


def called_of(request: Request, how: Presentation = USUAL_PRESENTATION, places: Sequence[str] = ()) -> Number | None:
    """The dialled number, from the Request-URI; None when it is none. `places` as above."""
    uri = request.request_uri
    return read_number(in_context(uri.user, uri.context, places), how)


def reading_of(trunk: Trunk | None, here: str) -> tuple[Presentation, tuple[str, ...]]:
    """How a trunk writes numbers, and the domains that are its own or ours; `here`: our host as it knows it."""
    if trunk is None:
        return USUAL_PRESENTATION, ()
    how = trunk.presentation
    return how, (trunk.host.lower(), trunk.tls_name.lower(), how.from_domain or here.lower(), here.lower())


def has_looped(request: Request, token: str) -> bool:
    return request.header(LOOP_HEADER) == token


def outgoing_invite(effect: SendInvite, host: str, loop_token: str) -> OutgoingInvite:
    """The INVITE for the party we dial; `host` is our own address."""
    trunk = effect.trunk
    flow = effect.target or own_target(trunk)
    how = trunk.presentation
    there, port = bracketed(flow.host), f":{flow.port}"
    if trunk.named and not effect.moved:
        # DNS says where to send, not whom to ask for (RFC 3263 §4): some carriers know their customers by this domain.
        there, port = trunk.host, f":{trunk.port}" if trunk.port else ""
    target = f"sip:{dialled(effect.callee, how)}@{there}"
    shown = show(effect.virtual_number, bracketed(host), how)
    return OutgoingInvite(
        flow=flow,
        request_uri=f"{target}{port}",
        from_uri=shown.from_uri,
        to_uri=target,
        body=effect.body,
        content_type="application/sdp",
        max_forwards=effect.max_forwards,
        headers=(*shown.headers, (LOOP_HEADER, loop_token)),
        credentials=credentials_for(trunk, flow),
        reliable=trunk.reliable,
        session_seconds=trunk.session_seconds,
        from_display=shown.from_display,
        try_seconds=ANSWER_SECONDS if effect.has_next else 0.0,
    )


def elsewhere(response: Response) -> tuple[Elsewhere, ...]:
    """Where a 3xx says that somebody can be reached; whom it means there is read by the trunk's own way of writing
    (`call_retry.py`). What it likes best comes first (RFC 3261 §8.1.3.4)."""
    found = []
    for element in response.values("contact"):
        try:
            address = Address(element)
            uri, user = address.uri, in_context(address.uri.user, _context_of(address))
        except ParseError:
            continue
        if user and uri.scheme == "sip":
            found.append((_preference(address), Elsewhere(user, uri.host, uri.port or 0, uri.transport)))
    found.sort(key=lambda one: one[0], reverse=True)
    return tuple(place for _, place in found)


def _preference(contact: Address) -> float:
    """Of a Contact; one that cannot be read comes last (RFC 3261 §20.10, §25.1)."""
    text = contact.parameters.get("q", "1")
    return float(text) if _Q_VALUE.fullmatch(text) else 0.0
