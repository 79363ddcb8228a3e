"""The lab's carrier: a stateless, record-routing SIP proxy between phones and the platform (RFC 3261 §16.11).

What it is: what a trunk looks like from Maskline's side, at one UDP address: it brings calls for virtual
numbers, takes calls to real numbers, and asserts the caller's identity in P-Asserted-Identity as carriers do,
so that the platform has something to leak. What it is not: a B2BUA; it adds and removes only Via,
Record-Route, Route, Max-Forwards and P-Asserted-Identity lines and passes every other byte on. Who uses it:
the demo, wire tests.
"""

from __future__ import annotations

import asyncio
import hashlib
import re

from maskline.masking.e164 import Number

Address = tuple[str, int]

_URI = re.compile(r"sip:(?:([^@;>]*)@)?([^:;>\s]+)(?::(\d+))?", re.IGNORECASE)
_BRANCH = re.compile(r";\s*branch=([^;,\s]+)", re.IGNORECASE)
_RPORT = re.compile(r";\s*(received|rport)=([^;,\s]+)", re.IGNORECASE)
_SENT_BY = re.compile(r"SIP/2\.0/\w+\s+([^:;\s]+)(?::(\d+))?", re.IGNORECASE)


class Carrier(asyncio.DatagramProtocol):
    """One proxy on one socket. Phones are lines by number; everything else goes to the platform."""

    def __init__(self, platform: Address) -> None:
        self.platform = platform
        self.lines: dict[str, tuple[Number, Address]] = {}
        self.address: Address = ("", 0)
        self._transport: asyncio.DatagramTransport | None = None

    async def open(self, host: str) -> None:
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.create_datagram_endpoint(lambda: self, (host, 0))
        self.address = self._transport.get_extra_info("sockname")

    def close(self) -> None:
        if self._transport:
            self._transport.close()

    def add_line(self, number: Number, address: Address) -> None:
        self.lines[number.digits] = (number, address)

    def datagram_received(self, data: bytes, addr: Address) -> None:
        head, separator, body = data.partition(b"\r\n\r\n")
        lines = head.decode("utf-8", "surrogateescape").split("\r\n")
        routed = self._route_response(lines) if lines[0].startswith("SIP/2.0 ") else self._route_request(lines, addr)
        if routed and self._transport:
            out, target = routed
            self._transport.sendto("\r\n".join(out).encode("utf-8", "surrogateescape") + separator + body, target)

    def _route_response(self, lines: list[str]) -> tuple[list[str], Address] | None:
        vias = [i for i, line in enumerate(lines) if _name(line) in ("via", "v")]
        if len(vias) < 2:
            return None
        del lines[vias[0]]
        below = lines[vias[1] - 1]
        sent_by = _SENT_BY.search(below)
        if not sent_by:
            return None
        given: dict[str, str] = {key.lower(): value for key, value in _RPORT.findall(below)}
        host: str = given.get("received", sent_by[1])
        return lines, (host, int(given.get("rport") or sent_by[2] or 5060))

    def _route_request(self, lines: list[str], source: Address) -> tuple[list[str], Address] | None:
        method, uri = lines[0].split(" ")[:2]
        target = self._take_own_route(lines, uri)
        if target is None:
            target = self._line_or_platform(uri)
            if method == "INVITE":
                lines.insert(1, f"Record-Route: <sip:{self.address[0]}:{self.address[1]};lr>")
                self._assert_identity(lines, source)
        if not self._forward_hop(lines):
            return None
        top = next((line for line in lines if _name(line) in ("via", "v")), "")
        self._stamp_source(lines, source)
        # The same incoming branch must give the same outgoing one, or CANCEL and retransmissions miss (§16.11).
        branch = hashlib.sha256("".join(_BRANCH.findall(top)).encode()).hexdigest()[:16]
        lines.insert(1, f"Via: SIP/2.0/UDP {self.address[0]}:{self.address[1]};branch=z9hG4bK{branch}")
        return lines, target

    def _take_own_route(self, lines: list[str], uri: str) -> Address | None:
        """Remove the Route that names us and return where the request goes next; None: no such Route."""
        for index, line in enumerate(lines):
            if _name(line) != "route":
                continue
            found = _URI.search(line)
            if not found or (found[2], int(found[3] or 5060)) != self.address:
                return None
            _own, _, rest = line.partition(",")
            if rest:
                lines[index] = "Route: " + rest.strip()
                return _address(_URI.search(rest))
            del lines[index]
            return _address(_URI.search(uri))
        return None

    def _line_or_platform(self, uri: str) -> Address:
        found = _URI.search(uri)
        line = self.lines.get((found[1] or "").lstrip("+")) if found else None
        return line[1] if line else self.platform

    def _assert_identity(self, lines: list[str], source: Address) -> None:
        for number, address in self.lines.values():
            if address == source:
                lines.append(f"P-Asserted-Identity: <sip:{number.e164}@{self.address[0]}>")

    @staticmethod
    def _forward_hop(lines: list[str]) -> bool:
        for index, line in enumerate(lines):
            if _name(line) == "max-forwards":
                hops = int(line.partition(":")[2])
                lines[index] = f"Max-Forwards: {hops - 1}"
                return hops > 0
        return True

    @staticmethod
    def _stamp_source(lines: list[str], source: Address) -> None:
        """RFC 3581: write where the request came from into its topmost Via, for the way back."""
        for index, line in enumerate(lines):
            if _name(line) in ("via", "v"):
                bare = re.sub(r";\s*rport(?=[;,]|$)", "", line)
                lines[index] = f"{bare};received={source[0]};rport={source[1]}"
                return


def _name(line: str) -> str:
    return line.partition(":")[0].strip().lower()


def _address(found: re.Match[str] | None) -> Address | None:
    return (found[2], int(found[3] or 5060)) if found else None
