"""The composition, from POST /callflows to telephones that ring, and what is left of a flow by a stop or a crash."""

from __future__ import annotations

import asyncio
import json
import urllib.request
from collections.abc import AsyncIterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from maskline.app import Application
from maskline.lab.ports import free_port, free_ports
from maskline.masking.call_record import CallRecord
from maskline.masking.facts import Cause, LegName, Outcome
from maskline.masking.session import REQUEST_AGE
from maskline.masking.trunk import Trunk
from maskline.setting_values import MediaChoice
from maskline.settings import Settings
from maskline.sip import events as sip
from maskline.sip.events import Event
from maskline.storage.store import Endpoint
from maskline.workflows.api_keys import create_api_key
from tests.support.logging import configured_logs
from tests.support.store_values import ACCOUNT, ALICE, BOB, SUB, T0, VN1, virtual_number
from tests.support.udp_phone import UdpPhone

HOST = "127.0.0.1"

pytestmark = pytest.mark.usefixtures("tuned_interpreter")


def busy(phone: UdpPhone, event: Event, now: float) -> None:
    if isinstance(event, sip.InviteReceived):
        phone.agent.reject(event.usage, 486, now)


@dataclass
class Field:
    settings: Settings
    application: Application
    phone: UdpPhone
    key: str = ""

    async def start(self) -> None:
        await self.application.start()
        store, services = self.application.services.store, self.application.services
        if not self.key:
            for account in (ACCOUNT, SUB):
                await store.add_account(account)
            await store.add_number(virtual_number(subaccount_id=SUB.id), T0)
            await store.add_trunk(Trunk("t", "carrier", None, HOST, self.phone.flow.port), T0)
            await store.set_endpoint(Endpoint(SUB.id, "eight.session_summary", "http://192.0.2.1/vss"))
            _, self.key = await create_api_key(store, services.clock, services.ids, SUB.id, "test")
        await self.application.router.refresh()

    async def again(self) -> None:
        """Another process on the same data, once this one is over."""
        await self.application.stop()
        self.application = Application(self.settings)
        await self.start()

    async def send(self, *calls: tuple[Any, Any], **more: Any) -> dict[str, Any]:
        flow = [
            {"action": "makeCall", "params": {"source": source.e164, "destination": to.e164}} for source, to in calls
        ]
        url = f"http://{HOST}:{self.settings.http_port}/api/v1/subaccounts/{SUB.id}/callflows"
        request = urllib.request.Request(url, json.dumps({"callflow": flow, **more}).encode())
        request.add_header("Authorization", f"Bearer {self.key}")

        def read() -> dict[str, Any]:
            with urllib.request.urlopen(request, timeout=30) as response:
                return dict(json.loads(response.read()))

        return await asyncio.to_thread(read)

    async def record(self, call_id: str) -> CallRecord:
        """Of a call that is over."""
        store = self.application.services.store
        async with asyncio.timeout(30):
            while True:
                found = [call for call in await store.calls(ACCOUNT.id, limit=9) if call.id == call_id]
                if found:
                    return found[0]
                await asyncio.sleep(0.01)

    async def summary(self, call_id: str) -> dict[str, Any]:
        """Payload of the session summary."""
        rows = await self.application.services.store.outbox(None)
        (row,) = [row for row in rows if row.subject == call_id and row.event == "SESSION_SUMMARY"]
        return dict(json.loads(row.body)["payload"])


@pytest.fixture
async def field(tmp_path: Path) -> AsyncIterator[Field]:
    low, high = free_ports(8)
    settings = Settings(
        database_url=f"sqlite:///{tmp_path / 'maskline.db'}", key_file=tmp_path / "maskline.key",
        data_dir=tmp_path / "data", http_port=free_port(),
        sip_port=free_port(), media=MediaChoice.EMBEDDED, media_ports=f"{low}-{high}",
    )  # fmt: skip
    with configured_logs():
        field = Field(settings, Application(settings), UdpPhone(busy))
        await field.start()
        yield field
        await field.application.stop()
        field.phone.close()


@pytest.mark.row("8x8:8/POST-callflows", "8x8:6/clientRequestId", "8x8:6.1/first-leg-fails")
async def test_the_telephone_of_the_first_makecall_rings_and_the_summary_tells_what_came_of_it(field: Field) -> None:
    told = await field.send((VN1, ALICE), (VN1, BOB), clientRequestId="order 7")
    invite = (await field.phone.hears(sip.InviteReceived)).request
    assert (invite.request_uri.user, invite.from_uri.user) == (ALICE.e164, VN1.e164)
    record = await field.record(told["sessionId"])
    assert (record.account_id, record.subaccount_id, record.cause) == (ACCOUNT.id, SUB.id, Cause.BUSY)
    assert record.leg(LegName.B) is None
    assert BOB.digits.encode() not in b"".join(field.phone.received)
    summary = await field.summary(told["sessionId"])
    assert (summary["sessionStatus"], summary["lastAction"]) == ("BUSY", "MAKE_CALL")
    assert (summary["clientRequestId"], summary["callCount"]) == ("order 7", 1)
    assert summary["details"]["callA"]["callDirection"] == "OUTBOUND"


@pytest.mark.row("8x8:4/makeCall.destination", "8x8:6.2/-2004")
async def test_a_destination_that_is_one_of_our_own_numbers_is_not_dialled(field: Field) -> None:
    told = await field.send((VN1, VN1))
    record = await field.record(told["sessionId"])
    assert (record.cause, record.outcome) == (Cause.LOOP, Outcome.ERROR)
    assert field.phone.received == []


async def test_what_is_acknowledged_while_the_process_ends_is_begun_by_the_next_one(field: Field) -> None:
    draining = asyncio.create_task(field.application.drain(asyncio.Event().wait()))
    await draining
    told = await field.send((VN1, ALICE))
    await field.again()
    assert (await field.phone.hears(sip.InviteReceived)).request.request_uri.user == ALICE.e164
    assert (await field.record(told["sessionId"])).cause is Cause.BUSY


async def test_what_a_killed_process_may_have_dialled_ends_untold_to_anybody_but_its_customer(field: Field) -> None:
    field.application.flows.stop()
    told = await field.send((VN1, ALICE))
    store, clock = field.application.services.store, field.application.services.clock
    long_ago = clock.wall() - REQUEST_AGE
    (leased,) = await store.lease_requested_flows("killed", now=clock.wall(), until=long_ago, limit=9)
    assert leased.id == told["sessionId"]
    await field.again()
    record = await field.record(told["sessionId"])
    assert (record.cause, record.outcome) == (Cause.FLOW_EXPIRED, Outcome.ERROR)
    summary = await field.summary(told["sessionId"])
    assert (summary["sessionStatus"], summary["errorDetails"]["errorCode"]) == ("ERROR", -2007)
    assert field.phone.received == []
    assert await store_of(field).lease_requested_flows("x", now=clock.wall() + 3600, until=0.0, limit=9) == []


def store_of(field: Field) -> Any:
    return field.application.services.store


@pytest.mark.row("8x8:4/validUntil", "8x8:6.2/-2007", "8x8:13/C26")
async def test_a_flow_whose_validity_ends_while_it_waits_is_not_dialled(field: Field) -> None:
    field.application.flows.stop()
    told = await field.send((VN1, ALICE), validUntil="2999-01-01T00:00:00Z")
    store, clock = store_of(field), field.application.services.clock
    (flow,) = await store.lease_requested_flows("me", now=clock.wall(), until=clock.wall() + 9, limit=9)
    starts = field.application.flows
    starts._held[flow.id] = None
    await starts._take(replace(flow, valid_until=clock.wall() - 1), clock.wall())
    assert (await field.record(told["sessionId"])).cause is Cause.FLOW_EXPIRED
    assert field.phone.received == []
