"""A dialog: tags, route set, sequence numbers, remote target (RFC 3261 §12).

What it is: the state two user agents share and the addressing that follows from it. What it is not: messages
in flight or usages. Who uses it: `invite_usage` and the agent; `snapshot`/`restore` let the engine keep it
across a restart.
"""

from __future__ import annotations

import ipaddress
from functools import lru_cache
from typing import Any

from maskline.sip.build import Envelope
from maskline.sip.flow import DEFAULT_PORTS, Flow, way_of
from maskline.sip.grammar import ParseError
from maskline.sip.headers import Address
from maskline.sip.message import Message, Request, Response
from maskline.sip.uri import Uri
from maskline.values import leaf

MAX_ROUTES = 32
"""Record-Route entries of one dialog; more is a loop or an attack."""


@leaf
class Dialog:
    """One dialog. `hop` is where its next request is sent, `target` and `routes` how it is addressed."""

    __slots__ = (
        "call_id", "hop", "local_cseq", "local_tag", "local_uri", "nat", "remote_cseq", "remote_tag", "remote_target",
        "remote_uri", "route_set", "routes", "target",
    )  # fmt: skip

    def __init__(
        self, *, call_id: str, local_tag: str, remote_tag: str, local_uri: str, remote_uri: str,
        remote_target: Uri | str, route_set: tuple[str, ...], local_cseq: int, remote_cseq: int | None, flow: Flow,
        nat: bool = False,
    ) -> None:  # fmt: skip
        """`flow` is the way that worked so far, taken whenever routes or target name no usable IP address; with `nat`
        no private one is.
        Raises `ParseError` when the remote target or a route is malformed."""
        self.call_id = call_id
        self.local_tag = local_tag
        self.remote_tag = remote_tag
        self.local_uri = local_uri
        self.remote_uri = remote_uri
        self.route_set = route_set
        self.local_cseq = local_cseq
        self.remote_cseq = remote_cseq
        self.hop = flow
        self.nat = nat
        self._address(remote_target if isinstance(remote_target, Uri) else Uri(remote_target))

    def refresh_target(self, message: Message) -> None:
        """A re-INVITE, UPDATE or the 2xx to one moves the remote target (§12.2); a bad Contact moves nothing."""
        try:
            contact = message.contact
            if contact is not None and contact.uri_text != self.remote_target:
                self._address(contact.uri)
        except ParseError:
            return

    def _address(self, remote_target: Uri) -> None:
        """Request-URI, Route lines and next hop (§12.2.1.1)."""
        target, routes, hop = remote_target.text, self.route_set, remote_target
        if routes:
            hop = Address(routes[0]).uri
            if not hop.is_loose_router:
                # §12.2.1.1: a strict router wants itself in the Request-URI and the target as last route.
                target, routes = Address(routes[0]).uri_text, (*routes[1:], f"<{remote_target.text}>")
        self.hop = _next_hop(hop, self.hop, self.nat)
        self.remote_target = remote_target.text
        self.target = target
        self.routes = "".join([f"Route: {route}\r\n" for route in routes])

    def leave_connection(self) -> None:
        """The connection of `hop` is gone: the next request opens one to where target or route lead."""
        self._address(Uri(self.remote_target))

    def envelope(self, branch: str, cseq: int) -> Envelope:
        """The addressing of one request in this dialog."""
        remote_tag = f";tag={self.remote_tag}" if self.remote_tag else ""
        return Envelope(
            self.target, self.routes, f"<{self.local_uri}>;tag={self.local_tag}", f"<{self.remote_uri}>{remote_tag}",
            self.call_id, cseq, branch, way_of(self.hop),
        )  # fmt: skip

    def is_confirmed_by(self, response: Response) -> bool:
        """Whether the 2xx says the same of target and routes as the 1xx that made this early dialog."""
        if response.headers.get("contact") != f"<{self.remote_target}>":  # as nearly every peer writes it
            contact = response.contact
            if contact is None or contact.uri_text != self.remote_target:
                return False
        return self.route_set == _route_set(response)[::-1]

    def next_cseq(self) -> int:
        self.local_cseq += 1
        return self.local_cseq

    def accepts_cseq(self, cseq: int) -> bool:
        """Whether a request may follow those seen so far (§12.2.2), and if so, note it."""
        if self.remote_cseq is not None and cseq < self.remote_cseq:
            return False
        self.remote_cseq = cseq
        return True

    def snapshot(self) -> dict[str, Any]:
        """Plain JSON values; `restore` makes an equal dialog of them. Holds URIs with real numbers: seal it."""
        return {
            "call_id": self.call_id, "local_tag": self.local_tag, "remote_tag": self.remote_tag,
            "local_uri": self.local_uri, "remote_uri": self.remote_uri, "remote_target": self.remote_target,
            "route_set": list(self.route_set), "local_cseq": self.local_cseq, "remote_cseq": self.remote_cseq,
            "flow": list(self.hop), "nat": self.nat,
        }  # fmt: skip

    @classmethod
    def restore(cls, values: dict[str, Any]) -> Dialog:
        return cls(**{**values, "route_set": tuple(values["route_set"]), "flow": Flow(*values["flow"])})


def dialog_of_request(
    request: Request, flow: Flow, local_tag: str, *, nat: bool = False, fronted: bool = False
) -> Dialog:
    """The dialog an INVITE opens at the side that received it (§12.1.1); `nat`: its sender is behind one; `fronted`:
    its topmost Via is that of a proxy of ours, which has the sender's connection. Raises `ParseError`."""
    contact = request.contact
    listens = flow if fronted or flow.transport == "udp" else listener_of(request, flow)
    dialog = Dialog(
        call_id=request.call_id,
        local_tag=local_tag,
        remote_tag=request.from_tag,
        local_uri=request.to_address.uri_text,
        remote_uri=request.from_address.uri_text,
        # An RFC 2543 caller may send no Contact; its From is then the only address we know.
        remote_target=contact.uri if contact is not None else request.from_uri,
        route_set=_route_set(request),
        local_cseq=0,
        remote_cseq=request.cseq,
        flow=listens,
        nat=nat,
    )
    if dialog.hop == listens:
        dialog.hop = flow  # whom we would connect to has connected to us: phones behind a NAT take nothing else
    return dialog


def listener_of(request: Request, flow: Flow) -> Flow:
    """Where whoever opened the connection `flow` takes connections itself: the port its Via names (§18.2.2)."""
    return flow._replace(port=request.via.port or DEFAULT_PORTS[flow.transport])


def dialog_of_response(
    response: Response, flow: Flow, local_tag: str, envelope: Envelope, *, is_usable: bool = True,
    nat: bool = False,
) -> Dialog:  # fmt: skip
    """The dialog a response to our INVITE opens (§12.1.2); routes are in reverse. Raises `ParseError`, unless
    the response's Contact and routes are not looked at (`is_usable` False)."""
    contact = response.contact if is_usable else None
    return Dialog(
        call_id=response.call_id,
        local_tag=local_tag,
        remote_tag=response.to_tag,
        local_uri=envelope.from_value.partition("<")[2].partition(">")[0],
        remote_uri=envelope.to_value.partition("<")[2].partition(">")[0],
        remote_target=contact.uri if contact is not None else envelope.uri,
        route_set=_route_set(response)[::-1] if is_usable else (),
        local_cseq=envelope.cseq,
        remote_cseq=None,
        flow=flow,
        nat=nat,
    )


def hop_transport(response: Response) -> str:
    """The transport that the first Route or the Contact of a dialog names, which `response` to our INVITE opens; empty:
    none. Raises `ParseError`."""
    routes = _route_set(response)
    hop = Address(routes[-1]) if routes else response.contact
    return "" if hop is None else hop.uri.transport


def _route_set(message: Message) -> tuple[str, ...]:
    if "record-route" not in message.headers:
        return ()
    routes = tuple(message.values("record-route"))
    if len(routes) > MAX_ROUTES:
        raise ParseError(400, "Too many Record-Route entries")
    for route in routes:
        _ = Address(route).uri
    return routes


def _next_hop(uri: Uri, flow: Flow, nat: bool) -> Flow:
    """The address a URI names, if it is one we can and should send to; else the way that worked so far. Names
    are not resolved (RFC 3263 is another layer's), and a private address behind a public source is a NAT's
    inside, or an attempt to make us knock at our own machines."""
    host = uri.parameters.get("maddr", uri.host)
    if uri.transport not in ("", flow.transport):
        return flow
    port = uri.port or DEFAULT_PORTS[flow.transport]
    if host == flow.host:
        return flow if port == flow.port else flow._replace(port=port)
    return flow._replace(host=host, port=port) if _is_reachable(host, flow.host, nat) else flow


@lru_cache(maxsize=1024)
def _is_reachable(host: str, source_host: str, nat: bool) -> bool:
    """Whether `host` is an address to send to for a peer at `source_host`, which may have private addresses of its own
    behind a NAT of ours (`nat`). Remembered: a carrier has few."""
    try:
        address, source = ipaddress.ip_address(host), ipaddress.ip_address(source_host)
    except ValueError:
        return False
    if address.version != source.version or address.is_multicast or address.is_unspecified:
        return False
    return not address.is_private or (source.is_private and not nat)
