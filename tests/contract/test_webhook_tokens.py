"""Callbacks of a subaccount while its token is exchanged, by POST and GET, judged by the vendor's validators.

The whole way: facts → outbox → deliverer → a receiver over real HTTP, which knows one token only.
"""

from __future__ import annotations

import asyncio
import ipaddress
from contextlib import asynccontextmanager
from dataclasses import replace

import pytest
from plivo.utils import validate_signature, validate_v3_signature

from maskline.clock import SystemClock
from maskline.engine.ports import CallCommit
from maskline.ids import SystemIds
from maskline.lab.inbox import Inbox
from maskline.masking.facts import LegRinging
from maskline.masking.session import SessionOptions
from maskline.net.post import Poster
from maskline.storage.memory import MemoryStore
from maskline.webhooks.deliver import Deliverer
from maskline.webhooks.keys import StoreKeys
from maskline.webhooks.send import WebhookSender
from maskline.workflows.add_token import add_token
from maskline.workflows.create_account import create_account
from maskline.workflows.create_subaccount import create_subaccount
from maskline.workflows.record_call import CallRecording
from maskline.workflows.revoke_token import revoke_token
from tests.support.calls import T0, make_context, make_session

PATH = "/masking?tenant=7&name=a%20b"
FRAGMENT = "#ct=2000&rt=9000&rc=2&rp=5xx,ct&er=nearest"


class Customer:
    """A subaccount with a receiver of its own."""

    async def open(self):
        self.clock, self.ids, self.store, self.inbox = SystemClock(), SystemIds(), MemoryStore(), Inbox()
        await self.inbox.open()
        self.main = await create_account(self.store, self.clock, self.ids, "Acme")
        self.own = await create_subaccount(self.store, self.clock, self.ids, self.main.id, "riders")
        self.poster = Poster([ipaddress.ip_network("127.0.0.0/8")])
        await self.poster.open()
        self.deliverer = Deliverer(
            self.store, WebhookSender(self.poster), StoreKeys(self.store), self.clock, self.ids, spread=lambda: 0.0
        )
        self.recorder = CallRecording(self.store, self.clock, self.ids, self.deliverer.notify)
        return self

    async def close(self):
        await self.poster.close()
        await self.inbox.close()

    async def ring(self, method, number):
        """One event of a call goes out; returns it as it arrived."""
        options = SessionOptions(callback_url=self.inbox.url(PATH) + FRAGMENT, callback_method=method)
        session = replace(make_session(options=options), account_id=self.main.id, subaccount_id=self.own.id)
        call_id = f"call-{number}"
        context = make_context(session, call_id=call_id, account_id=self.main.id, subaccount_id=self.own.id)
        self.recorder.record(CallCommit(context, (LegRinging(call_id, 1, T0, "b", False),)))
        return (await self.inbox.wait_for(number, "/masking", within=30))[number - 1]


@asynccontextmanager
async def customer():
    one = await Customer().open()
    tasks = [asyncio.create_task(part.run()) for part in (one.recorder, one.deliverer)]
    try:
        yield one
    finally:
        for part in (one.recorder, one.deliverer):
            part.stop()
        await asyncio.gather(*tasks)
        await one.close()


def accepted(item, url, token, *, family="V3", ma=""):
    """What a receiver written with the vendor's package says of a request, knowing one token."""
    nonce = item.headers[f"X-Plivo-Signature-{family}-Nonce"]
    signature = item.headers[f"X-Plivo-Signature-{ma}{family}"]
    called = f"{url.partition('?')[0]}?{item.query}"
    if family == "V2":
        return validate_signature(called, nonce, signature, token)
    return validate_v3_signature(
        item.method, called, nonce, token, signature, {} if item.method == "GET" else item.values
    )


@pytest.mark.row("7/transport", "7.4/fragment is stripped", "7.5/headers", "7.5/GET", "7.5/POST with parameters")
@pytest.mark.parametrize("method", ["POST", "GET"])
async def test_old_and_new_token_validate_until_the_old_one_is_revoked(method):
    async with customer() as one:
        url, old, main = one.inbox.url(PATH), one.own.auth_token, one.main.auth_token
        item = await one.ring(method, 1)
        assert item.method == method
        assert (item.values["EventName"], item.values["SequenceNumber"]) == ("SessionSecondPartyRing", "1")
        assert item.query.startswith("tenant=7&name=a%20b")
        assert (item.body == b"") == (method == "GET")
        assert accepted(item, url, old) and accepted(item, url, old, family="V2")
        assert accepted(item, url, main, ma="Ma-") and accepted(item, url, main, family="V2", ma="Ma-")
        assert not accepted(item, url, main)

        new = (await add_token(one.store, one.clock, one.ids, one.own.id)).auth_token
        item = await one.ring(method, 2)
        assert accepted(item, url, old) and accepted(item, url, new) and accepted(item, url, old, family="V2")

        await revoke_token(one.store, one.clock, one.own.id, old)
        item = await one.ring(method, 3)
        assert accepted(item, url, new) and accepted(item, url, new, family="V2")
        assert not accepted(item, url, old) and not accepted(item, url, old, family="V2")
