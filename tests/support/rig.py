"""A whole platform with carrier, two phones and an inbox, for wire tests: real processes, real sockets."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from maskline.lab.carrier import Carrier
from maskline.lab.inbox import Inbox, Received
from maskline.lab.leaks import find_leaks
from maskline.lab.phone import Behaviour, Phone
from maskline.lab.platform import Platform
from maskline.masking.e164 import Number, parse_number
from maskline.workflows.add_number import add_number
from maskline.workflows.add_trunk import TrunkWish, add_trunk
from maskline.workflows.create_account import create_account
from maskline.workflows.set_webhook import set_webhook
from tests.support.platform_commands import typed
from tests.support.platform_store import services_of

HOST = "127.0.0.1"
CALLER, CALLEE, VIRTUAL = "+6591110042", "+6598760007", "+6531580001"


async def happened(event: asyncio.Event, seconds: float = 30.0) -> bool:
    try:
        await asyncio.wait_for(event.wait(), seconds)
    except TimeoutError:
        return False
    return True


KINDS = {"eight.session_summary": "/8x8", "eight.call_status": "/vcs", "wavecell.call_status": "/wavecell"}
"""Endpoints, with where they go in the inbox."""


class Rig:
    """`open` provisions one account, one number, one trunk and one session; `call` plays one call."""

    def __init__(self, folder: Path, *, prefixes: tuple[str, ...] = (), **settings: str) -> None:
        self.platform = Platform(folder, HOST, **settings)
        self.carrier = Carrier(self.platform.sip_address)
        self.caller = Phone("caller", parse_number(CALLER), 440)
        self.callee = Phone("callee", parse_number(CALLEE), 1000)
        self.stranger = Phone("stranger", parse_number("+6590000099"), 700)
        self.inbox = Inbox(HOST)
        self.prefixes = prefixes
        self.account_id = ""
        self.token = ""
        self.session_uuid = ""
        self.virtual: Number = parse_number(VIRTUAL)

    async def open(self, **session: Any) -> None:
        await self.carrier.open(HOST)
        for phone in (self.caller, self.callee, self.stranger):
            await phone.open(HOST)
            self.carrier.add_line(phone.number, phone.address)
        await self.inbox.open()
        await self._provision()
        await self.platform.start()
        await self.create_session(**session)

    async def _provision(self) -> None:
        async with services_of(self.platform) as services:
            store, clock, ids = services.store, services.clock, services.ids
            account = await create_account(store, clock, ids, "test")
            self.account_id, self.token = account.id, account.auth_token
            await add_number(store, clock, VIRTUAL, account.id, reference_id="pool-1")
            host, port = self.carrier.address
            await add_trunk(store, clock, ids, TrunkWish("carrier", host, port, prefixes=self.prefixes))
            for kind, path in KINDS.items():
                await set_webhook(store, account.id, kind, self.inbox.url(path))

    async def create_session(self, **options: Any) -> None:
        body = {"first_party": CALLER, "second_party": CALLEE, "callback_url": self.inbox.url("/plivo"), **options}
        status, answer = await self.rest("POST", "", body)
        assert status == 201, answer
        self.session_uuid = answer["session_uuid"]

    async def rest(self, method: str, path: str, body: dict[str, Any] | None = None) -> tuple[int, Any]:
        base = f"/v1/Account/{self.account_id}/Masking/Session/{path}"
        return await self.platform.rest(method, base, (self.account_id, self.token), body)

    async def cli(self, *arguments: str) -> Any:
        return await asyncio.to_thread(typed, self.platform, *arguments)

    async def close(self) -> None:
        leaks = self.leaks()
        for phone in (self.caller, self.callee, self.stranger):
            phone.close()
        self.carrier.close()
        await self.inbox.close()
        await asyncio.to_thread(self.platform.stop)
        assert leaks == []

    async def prepare(self, behaviour: Behaviour, *, refuse_with: int = 486) -> None:
        """Fresh phones and an empty inbox for the next call; the one before must have kept its secrets."""
        self.assert_nothing_leaked()
        await self.caller.reset(Behaviour.ANSWER)
        await self.stranger.reset(Behaviour.ANSWER)
        await self.callee.reset(behaviour, refuse_with=refuse_with)
        self.inbox.received.clear()

    def dial(self, phone: Phone | None = None, number: Number | None = None) -> None:
        (phone or self.caller).dial(number or self.virtual, self.carrier.address)

    async def summary(self, within: float = 30.0) -> dict[str, Any]:
        """The payload of the one SESSION_SUMMARY of this call."""
        bodies = await self.inbox.wait_for(1, "/8x8", within)
        assert len(bodies) == 1, f"{len(bodies)} session summaries"
        payload: dict[str, Any] = bodies[0].values["payload"]
        return payload

    async def hooks(self, path: str, wanted: int, within: float = 30.0) -> list[Received]:
        return await self.inbox.wait_for(wanted, path, within)

    def leaks(self) -> list[str]:
        """What the phones got of each other in the latest call, SIP and media."""
        found: list[str] = []
        for phone, other in ((self.caller, self.callee), (self.callee, self.caller)):
            if phone.received:
                secret = f"{other.address[0]}:{other.address[1]}".encode()
                found += find_leaks(phone.received, other.number, secrets=[secret])
        return found

    def assert_nothing_leaked(self) -> None:
        """Done for every call as soon as the next one is prepared, and at the end; sooner where a test asks for it."""
        assert self.leaks() == []


@asynccontextmanager
async def opened_rig(folder: Path, **settings: str) -> AsyncIterator[Rig]:
    """A rig that is up, and closed whatever happens, also when it did not come up."""
    rig = Rig(folder, **settings)
    try:
        await rig.open()
        yield rig
    finally:
        await rig.close()
