"""The composition, from a call of no session over the customer's application to the summary that it gets."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from maskline.app import Application, registry_of
from maskline.lab.ports import free_port
from maskline.masking.trunk import Trunk
from maskline.masking.verify import Certificate
from maskline.setting_values import MediaChoice
from maskline.settings import Settings
from maskline.sip import events as sip
from maskline.sip.agent_client import OutgoingInvite
from maskline.sip.events import Event, Flow
from maskline.storage.store import Endpoint
from maskline.workflows.verify_pool import verify_pool
from tests.support.call_machine import A_SDP, B_SDP
from tests.support.logging import configured_logs
from tests.support.store_values import ACCOUNT, ALICE, BOB, T0, VN1, virtual_number
from tests.support.udp_phone import UdpPhone
from tests.support.waiting import until
from tests.support.web_receiver import Receiver, receiving

HOST = "127.0.0.1"

pytestmark = pytest.mark.usefixtures("tuned_interpreter")


def carrier(phone: UdpPhone, event: Event, now: float) -> None:
    """Bob's and Alice's: he answers, she acknowledges."""
    if isinstance(event, sip.InviteReceived):
        phone.agent.answer(event.usage, now, B_SDP)
    if isinstance(event, sip.InviteAnswered):
        phone.agent.ack(event.usage, now)


class Customer:
    """An application that knows 8x8's bodies only."""

    def __init__(self, receiver: Receiver) -> None:
        self.receiver = receiver
        self.replies: list[web.Response] = []
        receiver.answer = self.answer

    async def answer(self, _request: web.Request) -> web.Response:
        is_question = json.loads(self.receiver.requests[-1][3])["eventType"] == "CALL_ACTION"
        return self.replies.pop(0) if is_question else web.Response()

    def heard(self, event: str) -> list[dict[str, Any]]:
        bodies = [json.loads(body) for _, _, _, body in self.receiver.requests]
        return [body["payload"] for body in bodies if body["eventType"] == event]


async def call(phone: UdpPhone, port: int, summaries: int, customer: Customer) -> dict[str, Any]:
    """Alice calls; returns the summary of her call."""
    phone.heard.clear()
    flow = Flow("udp", HOST, port)
    target = f"sip:{VN1.e164}@{HOST}:{port}"
    invite = OutgoingInvite(flow, target, f"sip:{ALICE.e164}@phone", target, A_SDP)
    usage = phone.do(lambda now: phone.agent.invite(invite, now))
    await until(lambda: any(isinstance(one, sip.InviteAnswered | sip.InviteFailed) for one in phone.heard))
    if any(isinstance(one, sip.InviteAnswered) for one in phone.heard):
        phone.do(lambda now: phone.agent.bye(usage, now))
    await until(lambda: len(customer.heard("SESSION_SUMMARY")) == summaries)
    return customer.heard("SESSION_SUMMARY")[-1]


@pytest.mark.row("8x8:3/when", "8x8:3.1/webhook-fails", "8x8:3/sessionId")
async def test_an_application_masks_a_call_and_its_failures_are_told(tmp_path: Path) -> None:
    settings = Settings(
        database_url=f"sqlite:///{tmp_path / 'maskline.db'}", key_file=tmp_path / "maskline.key",
        data_dir=tmp_path / "data", http_port=free_port(),
        sip_port=free_port(), media=MediaChoice.NONE, egress_allow="127.0.0.0/8",
    )  # fmt: skip
    with configured_logs() as log:
        async with receiving() as receiver:
            customer, phone = Customer(receiver), UdpPhone(carrier)
            application = Application(settings)
            await application.start()
            store = application.services.store
            await store.add_account(ACCOUNT)
            await store.add_number(virtual_number(), T0)
            await store.add_trunk(Trunk("t", "carrier", None, HOST, phone.flow.port), T0)
            for kind in ("eight.call_action", "eight.session_summary"):
                await store.set_endpoint(Endpoint(ACCOUNT.id, kind, receiver.url))
            await application.router.refresh()
            make_call = {"action": "makeCall", "params": {"source": VN1.digits, "destination": BOB.e164}}
            customer.replies = [
                web.json_response({"callflow": [make_call], "clientActionId": "1"}),
                web.json_response({"callflow": []}),
                web.Response(status=403),
                web.json_response({"callflow": [{"action": "say"}]}),
                web.json_response({"callflow": [make_call | {"params": make_call["params"] | {"source": BOB.e164}}]}),
            ]
            port = settings.sip_port
            summaries = [await call(phone, port, count, customer) for count in range(1, 6)]
            certificate = await verify_pool(store)
            text = registry_of(application)
            await application.stop()
            phone.close()
    assert [one["sessionStatus"] for one in summaries] == ["COMPLETED", "COMPLETED", "ERROR", "ERROR", "ERROR"]
    assert [one["callCount"] for one in summaries] == [2, 1, 1, 1, 1]
    assert [one.get("errorDetails", {}).get("errorCode") for one in summaries] == [None, None, -2002, -2003, -2008]
    assert summaries[0]["details"]["callB"]["destination"] == BOB.e164
    assert summaries[0]["details"]["callB"]["source"] == VN1.e164
    assert isinstance(certificate, Certificate) and certificate.calls == 5
    asked = customer.heard("CALL_ACTION")
    assert [one["sessionId"] for one in asked] == [one["sessionId"] for one in summaries]
    assert {one["callStatus"] for one in asked} == {"CALL_RECEIVED"}
    assert application.asker.results == {"answered": 4, "http_4xx": 1}
    assert text.get_sample_value("maskline_call_actions_invalid_total") == 1
    assert "call_action_failed" in log.getvalue()
    assert ALICE.digits not in log.getvalue()
