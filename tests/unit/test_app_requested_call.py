"""The composition, from a session that asks for a call to a telephone that rings."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from maskline.app import Application
from maskline.lab.ports import free_port, free_ports
from maskline.masking.facts import Cause
from maskline.masking.session import SessionOptions
from maskline.masking.trunk import Trunk
from maskline.setting_values import MediaChoice
from maskline.settings import Settings
from maskline.sip import events as sip
from maskline.sip.events import Event
from tests.support.logging import configured_logs
from tests.support.store_values import ACCOUNT, ALICE, BOB, T0, VN1, new_session, virtual_number
from tests.support.udp_phone import UdpPhone

HOST = "127.0.0.1"

pytestmark = pytest.mark.usefixtures("tuned_interpreter")


def busy(phone: UdpPhone, event: Event, now: float) -> None:
    if isinstance(event, sip.InviteReceived):
        phone.agent.reject(event.usage, 486, now)


async def test_a_session_that_asks_for_it_has_its_first_party_rung_once(tmp_path: Path) -> None:
    low, high = free_ports(8)
    settings = Settings(
        database_url=f"sqlite:///{tmp_path / 'maskline.db'}", key_file=tmp_path / "maskline.key",
        data_dir=tmp_path / "data", http_port=free_port(),
        sip_port=free_port(), media=MediaChoice.EMBEDDED, media_ports=f"{low}-{high}",
    )  # fmt: skip
    with configured_logs():
        application, phone = Application(settings), UdpPhone(busy)
        await application.start()
        store, clock = application.services.store, application.services.clock
        await store.add_account(ACCOUNT)
        await store.add_number(virtual_number(), T0)
        await store.add_trunk(Trunk("t", "carrier", None, HOST, phone.flow.port), T0)
        await application.router.refresh()
        options = SessionOptions(initiate_call_to_first_party=True)
        wish = new_session(options=options, created_at=clock.wall())
        application._on_created(await store.create_session(wish))
        invite = (await phone.hears(sip.InviteReceived)).request
        assert (invite.request_uri.user, invite.from_uri.user) == (ALICE.e164, VN1.e164)
        assert BOB.digits.encode() not in b"".join(phone.received)
        await application.drain(asyncio.Event().wait())  # until the call is over
        later = clock.wall() + 3_600
        await application.stop()
        await store.open()
        assert await store.lease_requested_calls("another", now=later, until=later, limit=9) == []
        assert [call.cause for call in await store.calls(ACCOUNT.id, limit=9)] == [Cause.BUSY]
        await store.close()
        phone.close()
