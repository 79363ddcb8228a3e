"""The one failure of this package.

What it is: `SdpError` with the SIP status that refuses the offer. What it is not: part of the tree in
`maskline.errors`; it ends at the engine, which answers the INVITE with it.
"""

from __future__ import annotations


class SdpError(Exception):
    """A body that cannot be used: 400 not SDP at all, 415 a kind of body we do not read, 488 nothing in it we
    can take part in (RFC 3261 §21.4.26)."""

    def __init__(self, status: int, reason: str) -> None:
        super().__init__(reason)
        self.status = status
        self.reason = reason
