"""Keys and rules of SIP over TLS: TLS 1.2 at least, certificates checked by name, files that may change.

What it is: two SSL contexts, made of files and made anew when these change; connections that stand keep theirs. What
it is not: connections (`streams.py`). Who uses it: streams, `app.py` (which asks it to look again), `maskline doctor`.

Names are checked by OpenSSL as RFC 6125 has it, which is RFC 5922 §7.2 but for wildcards: those it forbids and carriers
use. An IP address must be in the certificate too when no name is known.
"""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from cryptography import x509

from maskline.errors import ConfigurationError

_ALPN = ["sip/2"]


@dataclass(frozen=True, slots=True)
class TlsFiles:
    """PEM files; None where there is none."""

    certificate: Path | None = None
    """Ours, with its chain. Without it nobody can connect to us."""
    key: Path | None = None
    """Its key; None: in the same file."""
    trusted: Path | None = None
    """Authorities whose certificates we believe; None: those the system believes."""
    client_trusted: Path | None = None
    """Authorities of peers that connect to us; with it each must show a certificate of theirs."""


class Tls:
    """Both contexts, as the files were when last read. Raises `ConfigurationError` with a sentence for the operator."""

    __slots__ = ("_files", "_seen", "client", "server")

    server: ssl.SSLContext | None
    """None: no certificate of ours."""
    client: ssl.SSLContext

    def __init__(self, files: TlsFiles) -> None:
        self._files = files
        self._seen = self._look()
        self.server, self.client = _server_context(files), _client_context(files)

    @property
    def asks(self) -> bool:
        """Whether who connects must prove a name."""
        return self._files.client_trusted is not None

    def reload(self) -> None:
        """Read all files again; when one cannot be used, everything stays as it was and `ConfigurationError` is
        raised."""
        self._seen = self._look()
        server, client = _server_context(self._files), _client_context(self._files)
        self.server, self.client = server, client

    def has_changed(self) -> bool:
        """Whether a file is another one than when they were last read."""
        return self._look() != self._seen

    def _look(self) -> tuple[tuple[int, int] | None, ...]:
        files = self._files
        return tuple(map(_mark, (files.certificate, files.key, files.trusted, files.client_trusted)))


def _mark(path: Path | None) -> tuple[int, int] | None:
    try:
        found = None if path is None else path.stat()
    except OSError:
        return None
    return None if found is None else (found.st_ino, found.st_mtime_ns)


def _server_context(files: TlsFiles) -> ssl.SSLContext | None:
    if files.certificate is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.options |= ssl.OP_NO_RENEGOTIATION | ssl.OP_CIPHER_SERVER_PREFERENCE
    context.set_alpn_protocols(_ALPN)
    _load_own(context, files)
    if files.client_trusted is not None:
        _trust(context, files.client_trusted, "MASKLINE_SIP_TLS_CLIENT_CA")
        context.verify_mode = ssl.CERT_REQUIRED
    return context


def _client_context(files: TlsFiles) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)  # checks the chain and the name
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(_ALPN)
    if files.trusted is None:
        context.load_default_certs(ssl.Purpose.SERVER_AUTH)
    else:
        _trust(context, files.trusted, "MASKLINE_SIP_TLS_CA")
    if files.certificate is not None:
        _load_own(context, files)
    return context


def _load_own(context: ssl.SSLContext, files: TlsFiles) -> None:
    assert files.certificate is not None
    try:
        context.load_cert_chain(files.certificate, files.key, password=_no_password)
    except (OSError, ValueError) as error:
        raise ConfigurationError(
            f"The certificate {files.certificate} or its key cannot be used: {_why(error)} "
            "(MASKLINE_SIP_TLS_CERTIFICATE, MASKLINE_SIP_TLS_KEY)."
        ) from None


def _trust(context: ssl.SSLContext, path: Path, setting: str) -> None:
    try:
        context.load_verify_locations(path)
    except (OSError, ValueError) as error:
        raise ConfigurationError(f"The authorities in {path} cannot be read: {_why(error)} ({setting}).") from None


def _no_password() -> str:
    raise ValueError("the key is encrypted")


def _why(error: Exception) -> str:
    if isinstance(error, ssl.SSLError):
        return (error.reason or "it is no PEM file").replace("_", " ").lower()
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def peer_names(certificate: Mapping[str, Any] | None) -> tuple[str, ...]:
    """What a peer's verified certificate (as `getpeercert` has it) proves, lower case: SIP domains, DNS names and
    addresses (RFC 5922 §7.1), the common name only when there is none of these."""
    if not certificate:
        return ()
    kinds: dict[str, list[str]] = {"URI": [], "DNS": [], "IP Address": []}
    for kind, value in certificate.get("subjectAltName", ()):
        if kind in kinds:
            kinds[kind].append(value.lower())
    domains = [uri.partition(":")[2] for uri in kinds["URI"] if uri.startswith("sip:") and "@" not in uri]
    names = tuple(dict.fromkeys([*domains, *kinds["DNS"], *kinds["IP Address"]]))
    if names:
        return names
    subject = dict(pair for part in certificate.get("subject", ()) for pair in part)
    return (subject["commonName"].lower(),) if "commonName" in subject else ()


@dataclass(frozen=True, slots=True)
class CertificateFacts:
    """What an operator wants to know of a certificate file."""

    names: tuple[str, ...]
    days_left: float
    """Negative: it has expired."""


def read_certificate(path: Path, wall: float) -> CertificateFacts:
    """Of the first certificate in the file. Raises `OSError` or `ValueError`."""
    certificate = x509.load_pem_x509_certificate(path.read_bytes())
    names: list[str] = []
    for extension in certificate.extensions:
        if isinstance(found := extension.value, x509.SubjectAlternativeName):
            names += [*found.get_values_for_type(x509.DNSName), *map(str, found.get_values_for_type(x509.IPAddress))]
    left = certificate.not_valid_after_utc - datetime.fromtimestamp(wall, UTC)
    return CertificateFacts(tuple(names), left.total_seconds() / 86_400)
