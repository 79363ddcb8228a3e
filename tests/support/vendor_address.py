"""A running `maskline serve` behind the vendor's own addresses: what an unmodified SDK is pointed at.

    SDK → lab proxy (CONNECT, TLS with a private authority) → HttpTap → maskline serve (a process)

Only the SDK's own options for a proxy and a trusted authority are used; nothing in it is changed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from maskline.lab.platform import Platform
from maskline.lab.proxy import Proxy
from maskline.workflows.add_number import add_number
from maskline.workflows.create_account import create_account
from maskline.workflows.create_subaccount import create_subaccount
from tests.support.http_tap import HttpTap, Sent
from tests.support.loop_thread import LoopThread
from tests.support.platform_store import services_of

NUMBERS = ("+6531580001", "+6531580002", "+6531580003")
SUBACCOUNT_NUMBER = "+6531580009"


class VendorAddress:
    """`account` and `subaccount` have credentials (`id`, `auth_token`) and numbers; `authority` is a PEM file."""

    def __init__(self, folder: Path, thread: LoopThread) -> None:
        self._thread = thread
        self.platform = Platform(folder, MASKLINE_MEDIA="none", MASKLINE_VTS_HOSTS="api.vtscom.net")
        self.tap = HttpTap(self.platform.url)
        self.authority = folder / "authority.pem"
        self.account: Any = None
        self.subaccount: Any = None
        self._proxy: Proxy | None = None

    async def open(self) -> None:
        await self._provision()
        await self.platform.start()
        await self.tap.open()
        self._proxy = Proxy(self.tap.address)
        await self._proxy.open()
        self.authority.write_bytes(self._proxy.authority)

    async def _provision(self) -> None:
        """Into the database the server will open."""
        async with services_of(self.platform) as services:
            store, clock, ids = services.store, services.clock, services.ids
            self.account = await create_account(store, clock, ids, "Acme")
            self.subaccount = await create_subaccount(store, clock, ids, self.account.id, "Rides")
            for number in NUMBERS:
                await add_number(store, clock, number, self.account.id)
            await add_number(store, clock, SUBACCOUNT_NUMBER, self.subaccount.id)

    async def close(self) -> None:
        if self._proxy is not None:
            await self._proxy.close()
        await self.tap.close()
        await asyncio.to_thread(self.platform.stop)

    @property
    def proxy_url(self) -> str:
        """The HTTPS proxy to give to an SDK."""
        assert self._proxy is not None
        return self._proxy.url

    @property
    def collection(self) -> str:
        """Path of the main account's sessions."""
        return f"/v1/Account/{self.account.id}/Masking/Session/"

    def sent(self) -> list[Sent]:
        """What came since this was asked last."""
        seen, self.tap.sent = self.tap.sent, []
        return seen


@contextmanager
def vendor_address(folder: Path) -> Iterator[VendorAddress]:
    thread = LoopThread("vendor-address")
    address = VendorAddress(folder, thread)
    try:
        thread.run(address.open())
        yield address
    finally:
        thread.run(address.close())
        thread.close()
