"""What `maskline doctor` says of the trunks: those that cannot work, and those that mean something else than they say.

What it is: checks of what is stored, as (name, state, what was found, what to do). What it is not: a call to a carrier.
Who uses it: `doctor.py`.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Iterator
from itertools import combinations

from maskline.masking.trunk import Trunk, TrunkMedia
from maskline.setting_values import MediaChoice
from maskline.settings import Settings

Found = tuple[str, str, str, str]
_Network = ipaddress.IPv4Network | ipaddress.IPv6Network


def check_trunks(trunks: list[Trunk], settings: Settings) -> Iterator[Found]:
    yield from _encrypted(trunks, settings)
    yield from _without_certificate(trunks, settings)
    yield from _without_password(trunks)
    yield from _shared_sources(trunks)


def _encrypted(trunks: list[Trunk], settings: Settings) -> Iterator[Found]:
    names = ", ".join(trunk.name for trunk in trunks if trunk.media is not TrunkMedia.PLAIN)
    if names and settings.media is not MediaChoice.RTPENGINE:
        yield "encrypted trunks", "fail", f"no call can go out by {names}", "Set MASKLINE_MEDIA=rtpengine."


def _without_certificate(trunks: list[Trunk], settings: Settings) -> Iterator[Found]:
    names = ", ".join(trunk.name for trunk in trunks if trunk.transport == "tls")
    certificate, *_ = settings.sip_tls_files
    if names and certificate is None:
        found = f"{names} can be called over TLS, but nobody listens there for a connection of theirs"
        advice = "Set MASKLINE_SIP_TLS_CERTIFICATE, unless they send all of a call by the connection it came by."
        yield "certificate", "warn", found, advice


def _without_password(trunks: list[Trunk]) -> Iterator[Found]:
    names = ", ".join(trunk.name for trunk in trunks if trunk.username and not trunk.password)
    if names:
        advice = "maskline trunk set NAME --password-file FILE"
        yield "trunk passwords", "warn", f"no challenge to {names} can be answered: user name, no password", advice


def _shared_sources(trunks: list[Trunk]) -> Iterator[Found]:
    """Calls from an address of two trunks are told apart by certificate, user name, or whose number is dialled. Where
    none of these does, the port they come from is left, which carriers change."""
    for trunk, other in combinations(trunks, 2):
        if trunk.transport != other.transport or _told_apart(trunk, other) or not _overlap(trunk, other):
            continue
        found, advice = (
            "have addresses in common",
            "Let only one name it (--host, --source), or give each an --account.",
        )
        if trunk.challenge != other.challenge:
            found += ", and only one is challenged"
            advice = "Challenge both: a call that proves nothing is taken for the other's, and not for its own."
        elif trunk.presentation != other.presentation and trunk.account_id != other.account_id:
            found += " and write numbers in different ways"
            advice = "Let both write them alike, or challenge both: what each reads as another number is refused."
        yield "trunk sources", "warn", f"{trunk.name} and {other.name} {found}", advice


def _told_apart(trunk: Trunk, other: Trunk) -> bool:
    if trunk.transport == "tls" and trunk.tls_name and other.tls_name and trunk.tls_name != other.tls_name:
        return True
    if trunk.challenge != other.challenge:
        return False
    if trunk.challenge and trunk.username != other.username:
        # The user name is read before the number, but numbers are read by the trunk it names.
        return True
    return trunk.account_id != other.account_id and trunk.presentation == other.presentation


def _overlap(trunk: Trunk, other: Trunk) -> bool:
    return any(one.overlaps(two) for one in _networks(trunk) for two in _networks(other) if one.version == two.version)


def _networks(trunk: Trunk) -> list[_Network]:
    found = [ipaddress.ip_network(source) for source in trunk.sources]
    try:
        return [*found, ipaddress.ip_network(trunk.host)]
    except ValueError:
        # A name, which is looked up by the server only.
        return found
