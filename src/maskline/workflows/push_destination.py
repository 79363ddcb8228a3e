"""Where one recording is to be pushed: by its subaccount's own configuration, its account's, or the installation's.

What it is: the choice, and the judgement on an SFTP server that a customer names: its address must be one that
customers may reach (`net/guard.py`), and it is that very address the job connects to, so a name cannot change it in
between. What it is not: the push (`media/recordings/push.py`). Who uses it: `process_recordings.py`.

S3 has no address of the customer's: the region is a word, and where S3 is, is the operator's word (AWS, or
MASKLINE_RECORDING_S3_ENDPOINT).
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Awaitable, Callable, Iterable

from maskline.masking.recording import Recording
from maskline.media.recordings.job import Destination
from maskline.net.guard import AddressGuard, Network
from maskline.storage.kept import PushConfig
from maskline.storage.store import Store

Resolve = Callable[[str, int], Awaitable[list[str]]]
"""Addresses of a name; raises `OSError`."""
_NAME_SECONDS = 10.0


class PushRefused(Exception):
    """There is no way there at present. The sentence names no host."""


async def look_up(host: str, port: int) -> list[str]:
    loop = asyncio.get_running_loop()
    async with asyncio.timeout(_NAME_SECONDS):
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_ADDRCONFIG)
    return [str(address[0]) for *_, address in found]


class PushDestinations:
    """`default`: the installation's; `s3_endpoint`: of S3-compatible storage, empty for AWS; `allowed`: internal
    networks that customers may reach."""

    __slots__ = ("_default", "_guard", "_resolve", "_s3_endpoint", "_store")

    def __init__(
        self, store: Store, default: Destination | None, *, s3_endpoint: str = "", allowed: Iterable[Network] = (),
        resolve: Resolve = look_up,
    ) -> None:  # fmt: skip
        self._store = store
        self._default = default
        self._s3_endpoint = s3_endpoint
        self._guard = AddressGuard(allowed)
        self._resolve = resolve

    async def config_of(self, recording: Recording) -> PushConfig | None:
        """The nearest that somebody has set."""
        for owner in filter(None, (recording.subaccount_id, recording.account_id)):
            config = await self._store.push_config(owner)
            if config is not None:
                return config
        return None

    async def of(self, config: PushConfig | None) -> Destination | None:
        """None: recordings stay here. Raises `PushRefused`."""
        if config is None:
            return self._default
        if config.protocol == "S3":
            return s3_destination(config, self._s3_endpoint)
        return sftp_destination(config, await self._address(config))

    async def _address(self, config: PushConfig) -> str:
        try:
            addresses = await self._resolve(config.host, config.port)
        except (OSError, UnicodeError):
            raise PushRefused("The name of the SFTP server has no address.") from None
        if not addresses or not all(self._guard.allows(address) for address in addresses):
            raise PushRefused("The SFTP server has an address that customers may not reach (MASKLINE_EGRESS_ALLOW).")
        return addresses[0]


def s3_destination(config: PushConfig, endpoint: str) -> Destination:
    bucket, _, prefix = config.path.strip("/").partition("/")
    return Destination(
        "s3", prefix, bucket=bucket, endpoint=endpoint, region=config.host, key_id=config.username,
        secret=config.password, by_day=False,
    )  # fmt: skip


def sftp_destination(config: PushConfig, address: str) -> Destination:
    return Destination(
        "sftp", config.path.rstrip("/"), host=address, port=config.port, username=config.username,
        secret=config.password, private_key=config.private_key, host_key=config.host_key, trust_first=True,
        shown_host=config.host, by_day=False,
    )  # fmt: skip
