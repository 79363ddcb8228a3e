"""A SIP peer on a TCP or TLS socket of its own, for what no foreign one does on request: challenges, messages in
pieces, a connection that is reset.

What it is: one connection at a time, messages as text, blocking. What it is not: a SIP stack; the test says each
message. Who uses it: `tests/wire/test_tls_calls.py`.
"""

from __future__ import annotations

import hashlib
import re
import secrets
import socket
import ssl
import struct
import time
from pathlib import Path

_PATIENCE = 10.0


class StreamPeer:
    """Listens on `host`, over TLS with a `certificate`."""

    def __init__(self, host: str, certificate: Path | None = None) -> None:
        self.host = host
        self._context: ssl.SSLContext | None = None
        if certificate is not None:
            self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
            self._context.load_cert_chain(certificate)
        self._listener = socket.create_server((host, 0))
        self._listener.settimeout(_PATIENCE)
        self.port: int = self._listener.getsockname()[1]
        self._connection: socket.socket | None = None
        self._unread = b""
        self._tag = secrets.token_hex(8)

    def close(self) -> None:
        self._listener.close()
        if self._connection is not None:
            self._connection.close()

    def take(self) -> None:
        """The next connection."""
        self._connection, _ = self._listener.accept()
        self._connection.settimeout(_PATIENCE)
        self._connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if self._context is not None:
            self._connection = self._context.wrap_socket(self._connection, server_side=True)
        self._unread = b""

    def reach(self, address: tuple[str, int], name: str, authority: Path, certificate: Path) -> None:
        """Connect to `address`, whose certificate must prove `name`, and show this certificate."""
        context = ssl.create_default_context(cafile=str(authority))
        context.load_cert_chain(certificate)
        plain = socket.create_connection(address, _PATIENCE, source_address=(self.host, 0))
        plain.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._connection = context.wrap_socket(plain, server_hostname=name)
        self._unread = b""

    def reset(self) -> None:
        """End the connection as a middlebox does, without a FIN."""
        assert self._connection is not None
        self._connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._connection.close()

    def read(self, method: str) -> str:
        """The next message, which must be this request."""
        assert self._connection is not None
        while True:
            head, blank, rest = self._unread.partition(b"\r\n\r\n")
            if blank:
                length = int(header(head.decode(), "Content-Length") or 0)
                if len(rest) >= length:
                    self._unread = rest[length:]
                    text = head.decode() + "\r\n\r\n" + rest[:length].decode()
                    assert text.startswith(method + " "), text
                    return text
            data = self._connection.recv(65_536)
            assert data, "the other side closed"
            self._unread += data

    def send(self, *pieces: bytes) -> None:
        """Each piece as a segment of its own."""
        assert self._connection is not None
        for piece in pieces:
            self._connection.sendall(piece)
            time.sleep(0.05 if len(pieces) > 1 else 0.0)

    def answer(self, request: str, status: str, *more: str, sdp: bool = False) -> bytes:
        """A response to `request`."""
        transport = "tls" if self._context else "tcp"
        body = (
            f"v=0\r\no=- {secrets.randbelow(10**9)} 1 IN IP4 {self.host}\r\ns=-\r\nc=IN IP4 {self.host}\r\nt=0 0\r\n"
            "m=audio 29998 RTP/AVP 0\r\na=rtpmap:0 PCMU/8000\r\n"
            if sdp else ""
        )  # fmt: skip
        kept = [f"{name}: {header(request, name)}" for name in ("Via", "From", "Call-ID", "CSeq")]
        to = header(request, "To")
        lines = [
            f"SIP/2.0 {status}", *kept, f"To: {to}" + ("" if ";tag=" in to else f";tag={self._tag}"),
            f"Contact: <sip:{self.host}:{self.port};transport={transport}>", *more,
            *(["Content-Type: application/sdp"] if sdp else []), f"Content-Length: {len(body)}", "", body,
        ]  # fmt: skip
        return "\r\n".join(lines).encode()

    def hang_up(self, invite: str) -> bytes:
        """A BYE in the dialog that answered `invite` began."""
        target = re.search(r"<(.*?)>", header(invite, "Contact"))
        assert target is not None
        transport = "TLS" if self._context else "TCP"
        lines = [
            f"BYE {target[1]} SIP/2.0",
            f"Via: SIP/2.0/{transport} {self.host}:{self.port};branch=z9hG4bK{secrets.token_hex(8)}",
            "Max-Forwards: 70", f"From: {header(invite, 'To')};tag={self._tag}", f"To: {header(invite, 'From')}",
            f"Call-ID: {header(invite, 'Call-ID')}", "CSeq: 7 BYE", "Content-Length: 0", "", "",
        ]  # fmt: skip
        return "\r\n".join(lines).encode()


def header(text: str, name: str) -> str:
    found = re.search(rf"^{name}:[ \t]*(.*?)\r?$", text, re.M | re.I)
    return found[1] if found else ""


def right_response(request: str, user: str, password: str) -> tuple[str, str]:
    """What `response` in a SHA-256 Authorization of this request is, and has to be (RFC 7616 §3.4.1)."""
    line = header(request, "Authorization")
    said = dict(re.findall(r'(\w+)="?([^",]*)"?', line))
    method, uri, _ = request.split(" ", 2)
    assert said["uri"] == uri

    def digest(*parts: str) -> str:
        return hashlib.sha256(":".join(parts).encode()).hexdigest()

    first, second = digest(user, said["realm"], password), digest(method, uri)
    return said["response"], digest(first, said["nonce"], said["nc"], said["cnonce"], said["qop"], second)
