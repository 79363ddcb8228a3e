"""The two UDP sockets of a leg.

What it is: opening a pair on given ports, with one buffer size and one rule for addresses that are not ours.
What it is not: port choice (`ports.py`) or relaying (`leg.py`). Who uses it: `far_side.py`.
"""

from __future__ import annotations

import errno
import ipaddress
import socket

RECEIVE_BUFFER = 131_072
"""Asked of the kernel, which doubles it: about 340 G.711 packets of 768 bytes each with overhead, 6.8 s of one leg.
A stall that long is heard anyway; more would only play it back late."""

Address = tuple[str, int]


class UnusableAddress(ValueError):
    """This media address cannot be used from here."""


def literal(address: str) -> str:
    """`address` in the spelling that `recvfrom` uses; raises `UnusableAddress` for names and rubbish."""
    try:
        return ipaddress.ip_address(address).compressed
    except ValueError as error:
        raise UnusableAddress("The media address is not an IP address.") from error


def unspecified(address: str, port: int) -> bool:
    """The far side wants nothing sent: hold in the manner of RFC 2543 (0.0.0.0), or a refused stream."""
    return port == 0 or ipaddress.ip_address(address).is_unspecified


def open_socket(host: str, port: int) -> socket.socket:
    """A non-blocking UDP socket; raises `OSError`, EADDRINUSE among others."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    opened = socket.socket(family, socket.SOCK_DGRAM)
    try:
        opened.setblocking(False)
        opened.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER)
        try:
            opened.bind((host, port))
        except OSError as error:
            if error.errno != errno.EADDRNOTAVAIL:
                raise
            # The address in the SDP belongs to a 1:1 NAT in front of us, as on most clouds: listen on all of ours.
            opened.bind(("", port))
    except OSError:
        opened.close()
        raise
    return opened


def open_pair(host: str, port: int) -> tuple[socket.socket, socket.socket]:
    """RTP on `port`, RTCP on `port + 1`; raises `OSError` with both closed."""
    rtp = open_socket(host, port)
    try:
        return rtp, open_socket(host, port + 1)
    except OSError:
        rtp.close()
        raise
