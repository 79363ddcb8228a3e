"""What `maskline doctor` says of the certificate of SIP over TLS: can it be used, until when, by which names.

What it is: checks of the files that are set, as (name, state, what was found, what to do). What it is not: a connection
to anybody. Who uses it: `doctor.py`.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from maskline.errors import ConfigurationError
from maskline.net.tls import Tls, TlsFiles, read_certificate
from maskline.settings import Settings

SOON_DAYS = 14.0
"""Automatic renewal (ACME) begins thirty days before the end: with two weeks left it does not work."""
Found = tuple[str, str, str, str]


def check_certificates(settings: Settings, wall: float) -> Iterator[Found]:
    """`wall`: seconds since 1970. Nothing where no file is set."""
    files = TlsFiles(*settings.sip_tls_files)
    if files == TlsFiles():
        return
    try:
        Tls(files)
    except ConfigurationError as error:
        advice = "Correct the file or the variable; the key must be that of the certificate."
        yield "certificate", "fail", error.sentence, advice
        return
    if files.certificate is None:
        yield "certificate", "ok", "none: trunks over TLS can be called, nobody can connect", ""
        return
    yield from _read(files.certificate, settings.advertised_sip_hosts, wall)


def _read(path: Path, hosts: tuple[str, ...], wall: float) -> Iterator[Found]:
    facts = read_certificate(path, wall)
    days = facts.days_left
    if days < 0:
        advice = "Renew it and send SIGHUP: everybody refuses it."
        yield "certificate", "fail", f"{path} expired {-days:.0f} days ago", advice
    elif days < SOON_DAYS:
        yield "certificate", "warn", f"{path} ends in {days:.0f} days", "Renew it."
    else:
        yield "certificate", "ok", f"{path}, for {days:.0f} days", ""
    if not facts.names:
        advice = "Have one with subjectAltName: peers look for the name they connect to there (RFC 5922)."
        yield "certificate name", "warn", "the certificate names nobody", advice
    elif set(hosts) <= set(facts.names):
        yield "certificate name", "ok", ", ".join(facts.names), ""
    else:
        yield (
            "certificate name", "ok",
            f"{', '.join(facts.names)}: peers must connect by that name, not by {' or '.join(hosts)}", "",
        )  # fmt: skip
