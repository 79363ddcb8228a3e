"""Connect a carrier. Called by the CLI and the demo.

What it is: the checks on a trunk and its row. What it is not: a connection; the engine learns of the trunk
within a second (`workflows/route_call.py` reads trunks again).
"""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field

from maskline.clock import Clock
from maskline.errors import InvalidParameter, MissingParameter, NotSupported
from maskline.ids import Ids
from maskline.masking.trunk import Trunk, TrunkMedia
from maskline.storage.store import Store

_PREFIX = re.compile(r"\+[0-9]{1,17}\Z")


@dataclass(frozen=True, slots=True)
class TrunkWish:
    """What the operator asks for, as typed."""

    name: str
    host: str
    port: int = 5060
    transport: str = "udp"
    username: str = ""
    password: str = field(default="", repr=False)
    prefixes: tuple[str, ...] = ()
    account_id: str | None = None
    nat: bool = False
    media: str = TrunkMedia.PLAIN
    encrypts: bool = False
    """Whether the media driver of this installation can encrypt."""


async def add_trunk(store: Store, clock: Clock, ids: Ids, wish: TrunkWish) -> Trunk:
    """Keep and return the trunk.

    Raises `InvalidParameter` naming the parameter, `NotSupported` for TCP, TLS, and encryption without a driver
    that can, `NotFound` for an unknown
    account, `Conflict` when the name is taken.
    """
    _check(wish)
    if wish.account_id is not None:
        await store.account(wish.account_id)
    trunk = Trunk(
        ids.uuid(), wish.name.strip(), wish.account_id, str(ipaddress.ip_address(wish.host)), wish.port,
        wish.transport, wish.username, wish.prefixes, wish.nat, TrunkMedia(wish.media),
    )  # fmt: skip
    await store.add_trunk(trunk, wish.password, clock.wall())
    return trunk


def _check(wish: TrunkWish) -> None:
    if not wish.name.strip():
        raise MissingParameter("Mandatory parameter missing. name must be present", parameter="name")
    try:
        ipaddress.ip_address(wish.host)
    except ValueError:
        # A name would need RFC 3263 and could change under an address rule that decides who may call.
        raise InvalidParameter("Invalid parameter. host is not an IP address", parameter="host") from None
    if not 0 < wish.port < 65_536:
        raise InvalidParameter("Invalid parameter. port is outside the allowed range", parameter="port")
    if wish.transport not in ("udp", "tcp", "tls"):
        raise InvalidParameter("Invalid parameter. transport allowed values are udp, tcp or tls", parameter="transport")
    if wish.transport != "udp":
        raise NotSupported(f"Invalid parameter. transport {wish.transport} is not supported yet", parameter="transport")
    _check_media(wish)
    if not all(_PREFIX.match(prefix) for prefix in wish.prefixes):
        raise InvalidParameter("Invalid parameter. prefix is not + and digits", parameter="prefix")
    if wish.password and not wish.username:
        raise MissingParameter("Mandatory parameter missing. username must be present", parameter="username")


def _check_media(wish: TrunkWish) -> None:
    if wish.media not in list(TrunkMedia):
        raise InvalidParameter("Invalid parameter. media allowed values are plain or srtp", parameter="media")
    if wish.media != TrunkMedia.PLAIN and not wish.encrypts:
        raise NotSupported(
            f"Invalid parameter. media {wish.media} needs MASKLINE_MEDIA=rtpengine, the only driver that encrypts",
            parameter="media",
        )
