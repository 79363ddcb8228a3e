"""From a finished call to three vendors' receivers over real HTTP, judged as those receivers would."""

from __future__ import annotations

import asyncio
import ipaddress
import json

import pytest
from plivo.utils import validate_v3_signature
from standardwebhooks.webhooks import Webhook

from maskline.clock import SystemClock
from maskline.engine.ports import CallCommit
from maskline.ids import SystemIds
from maskline.lab.inbox import Inbox
from maskline.masking.decision import VirtualNumber
from maskline.masking.facts import CallEnded, CallRouted, Cause, HungUpBy, LegAnswered, LegEnded, LegRinging, Outcome
from maskline.masking.redaction import Redaction
from maskline.masking.session import NewSession, SessionOptions
from maskline.net.post import Poster
from maskline.storage.store import Account, Endpoint
from maskline.webhooks.deliver import Deliverer
from maskline.webhooks.keys import StoreKeys
from maskline.webhooks.send import WebhookSender
from maskline.workflows.record_call import CallRecording
from tests.support.calls import ACCOUNT, CALL_ID, CALLEE, CALLER, SESSION_ID, T0, VIRTUAL, make_context, make_record

TOKEN = "token-of-the-account"
OVER = (Outcome.COMPLETED, Cause.NORMAL)
FACTS = (
    CallRouted(CALL_ID, 1, T0, SESSION_ID, "first_party"),
    LegRinging(CALL_ID, 2, T0 + 3, "b", False),
    LegAnswered(CALL_ID, 3, T0 + 9, "b"),
    LegAnswered(CALL_ID, 4, T0 + 9, "a"),
    LegEnded(CALL_ID, 5, T0 + 22, "b", *OVER, 200, HungUpBy.CALLER),
    LegEnded(CALL_ID, 6, T0 + 22, "a", *OVER, 200, HungUpBy.CALLER),
    CallEnded(CALL_ID, 7, T0 + 22, *OVER, HungUpBy.CALLER),
)
EVENTS = [
    "SessionSecondPartyRing", "SessionSecondPartyAnswer", "SessionFirstPartyAnswer",
    "SessionSecondPartyHangup", "SessionFirstPartyHangup",
]  # fmt: skip


async def test_one_call_reaches_plivo_8x8_and_wavecell_receivers(empty_store):
    inbox, store, clock, ids = Inbox(), empty_store, SystemClock(), SystemIds()
    poster = Poster([ipaddress.ip_network("127.0.0.0/8")])
    await inbox.open()
    await poster.open()
    inbox.answers["/plivo"] = [500]  # the first event once: the others wait for it, in order
    await store.add_account(Account(ACCOUNT, "Acme", None, (TOKEN,), T0))
    await store.set_endpoint(Endpoint(ACCOUNT, "eight.session_summary", inbox.url("/eight"), "Bearer word"))
    await store.set_endpoint(Endpoint(ACCOUNT, "wavecell.call_status", inbox.url("/wavecell")))
    deliverer = Deliverer(store, WebhookSender(poster), StoreKeys(store), clock, ids, spread=lambda: 0.0)
    recorder = CallRecording(store, clock, ids, deliverer.notify)
    tasks = [asyncio.create_task(part.run()) for part in (deliverer, recorder)]

    options = SessionOptions(callback_url=inbox.url("/plivo?tenant=7#ct=2000"))
    await store.add_number(VirtualNumber(VIRTUAL, ACCOUNT, None, "PSTN1", "SG"), T0)
    session = await store.create_session(NewSession(SESSION_ID, ACCOUNT, None, CALLER, CALLEE, options, T0))
    recorder.record(CallCommit(make_context(session), FACTS, make_record()))
    plivo = await inbox.wait_for(6, "/plivo", within=30)
    eight = await inbox.wait_for(1, "/eight", within=30)
    wavecell = await inbox.wait_for(1, "/wavecell", within=30)
    for part in (recorder, deliverer):
        part.stop()
    await asyncio.gather(*tasks)
    await poster.close()
    await inbox.close()

    assert [item.event for item in plivo] == [EVENTS[0], *EVENTS]
    assert plivo[0].body == plivo[1].body
    for item in plivo:
        url = inbox.url("/plivo?tenant=7")
        signature, nonce = item.headers["X-Plivo-Signature-V3"], item.headers["X-Plivo-Signature-V3-Nonce"]
        assert validate_v3_signature("POST", url, nonce, TOKEN, signature, item.values) is True
    assert plivo[0].headers["webhook-id"] == plivo[1].headers["webhook-id"]
    assert plivo[0].headers["X-Plivo-Signature-V3-Nonce"] != plivo[1].headers["X-Plivo-Signature-V3-Nonce"]
    assert eight[0].headers["Authorization"] == "Bearer word"
    assert json.loads(eight[0].body)["payload"]["sessionStatus"] == "COMPLETED"
    assert json.loads(wavecell[0].body)["status"] == "Completed"
    assert {row.state for row in await store.outbox(None)} == {"done"}
    kept = await store.session(ACCOUNT, SESSION_ID)
    assert (kept.calls_in_progress, kept.total_call_count, kept.total_call_billed_duration) == (0, 2, 26)
    assert [done.call_id for done in kept.interactions] == [CALL_ID]


@pytest.mark.row("8x8:14/signature", "8x8:2/transport", "8x8:5/values", "8x8:8/httpAuthHeader")
async def test_call_statuses_arrive_in_order_and_signed_though_the_receiver_stumbles(empty_store):
    inbox, store, clock, ids = Inbox(), empty_store, SystemClock(), SystemIds()
    poster = Poster([ipaddress.ip_network("127.0.0.0/8")])
    await inbox.open()
    await poster.open()
    inbox.answers["/vcs"] = [503]
    await store.add_account(Account(ACCOUNT, "Acme", None, (TOKEN,), T0, redaction=Redaction.LAST4))
    secret = "whsec_" + "A" * 32
    await store.set_endpoint(
        Endpoint(ACCOUNT, "eight.call_status", inbox.url("/vcs"), "Bearer word", "8x8_test", secret=secret)
    )
    deliverer = Deliverer(store, WebhookSender(poster), StoreKeys(store), clock, ids, spread=lambda: 0.0)
    recorder = CallRecording(store, clock, ids, deliverer.notify)
    tasks = [asyncio.create_task(part.run()) for part in (deliverer, recorder)]

    recorder.record(CallCommit(make_context(callee=CALLEE), FACTS, make_record()))
    items = await inbox.wait_for(5, "/vcs", within=30)
    for part in (recorder, deliverer):
        part.stop()
    await asyncio.gather(*tasks)
    await poster.close()
    await inbox.close()

    told = [json.loads(item.body)["payload"] for item in items]
    assert [(one["callStatus"], one["callDirection"]) for one in told] == [
        ("CALL_CONNECTED", "OUTBOUND"), ("CALL_CONNECTED", "OUTBOUND"), ("CALL_CONNECTED", "INBOUND"),
        ("CALL_DISCONNECTED", "OUTBOUND"), ("CALL_DISCONNECTED", "INBOUND"),
    ]  # fmt: skip
    assert [item.headers["x-maskline-retry"] for item in items] == ["0", "1", "0", "0", "0"]
    assert told[2]["source"] == "*******7870"
    for item, one in zip(items, told, strict=True):
        assert item.headers["x-maskline-event-id"] == item.headers["webhook-id"] == one["eventId"]
        assert item.headers["Authorization"] == "Bearer word"
        assert Webhook(secret).verify(item.body, dict(item.headers))["eventType"] == "CALL_STATUS"
