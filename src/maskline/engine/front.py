"""A proxy of the operator's in front of this engine, and the one header that it and the engine tell each other by.

What it is: SIP of an engine behind a proxy (deploy/kamailio) is between the two alone, over UDP. A request that the
proxy brings says in `X-Maskline-Peer` from where it had it; a request of ours says there where it is to go. So a flow
is the far peer's, as without a proxy, and trunks, limits and digests are bound to it as ever. What it is not: routing,
or trust in anybody else: what does not come from the proxy's address is a stranger's. Who uses it: `runner.py`.
"""

from __future__ import annotations

import re

from maskline.sip.flow import Flow
from maskline.sip.uri import bracketed

HEADER = b"X-Maskline-Peer"
_PEER = re.compile(
    rb"\r\nX-Maskline-Peer: sip:(\[[0-9A-Fa-f:.]+\]|[0-9.]+):([0-9]{1,5});transport=(udp|tcp|tls)"
    rb"(?:;name=([A-Za-z0-9.\-]+))?\r\n"
)
"""The first one counts: the proxy writes its own before all headers, and takes out what others have written."""


class Front:
    __slots__ = ("_flow", "host", "port")

    def __init__(self, host: str, port: int) -> None:
        """Where the proxy speaks to engines."""
        self.host, self.port = host, port
        self._flow = Flow("udp", host, port)

    @property
    def flow(self) -> Flow:
        """The proxy itself: whose OPTIONS are answered, and from which responses come."""
        return self._flow

    def peer(self, data: bytes, host: str, port: int) -> Flow | None:
        """Whose message this is: the far peer's, or the proxy's own; None: a stranger's."""
        if port != self.port or host != self.host:
            return None
        if data.startswith(b"SIP/2.0 "):
            return self._flow
        found = _PEER.search(data, 0, data.find(b"\r\n\r\n") + 2)
        if found is None:
            return self._flow
        address, digits, transport, name = found.groups()
        return Flow(
            transport.decode(), address.decode().strip("[]").lower(), int(digits), (name or b"").decode().lower()
        )

    def address(self, data: bytes, flow: Flow) -> bytes:
        """A message to `flow` as the proxy is given it. Responses go back the way that their Via says."""
        if flow == self._flow or data.startswith(b"SIP/2.0 "):
            return data
        line, _, rest = data.partition(b"\r\n")
        name = f";name={flow.name}" if flow.name else ""
        peer = f"sip:{bracketed(flow.host)}:{flow.port};transport={flow.transport}{name}"
        return b"%b\r\n%b: %b\r\n%b" % (line, HEADER, peer.encode(), rest)
