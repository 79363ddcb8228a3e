"""A running platform between many SIPps whose calls are told what to do by a customer's own application.

What it is: `sipp_field.Field` without sessions: one subaccount with numbers and all webhooks at the customer's, and a
carrier for each person who is called, so that any number of calls run at once. What it is not: scenarios or judgement.
Who uses it: tests/wire/test_call_action*.py.
"""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from base64 import b64encode
from pathlib import Path
from typing import Any

from maskline.lab.ports import free_port
from maskline.workflows.add_number import add_number
from maskline.workflows.add_trunk import TrunkWish, add_trunk
from maskline.workflows.api_keys import create_api_key
from maskline.workflows.create_account import create_account
from maskline.workflows.create_subaccount import create_subaccount
from maskline.workflows.set_webhook import set_webhook
from tests.support.customer import KINDS, Customer
from tests.support.platform_store import services_of
from tests.support.sipp_field import CALLERS, Field, FieldCall, Way, callee_host

SUBACCOUNT, LABEL = "acme-masking_1", "pool-sg"
"""What the customer knows its subaccount and its range of numbers as."""
VIRTUAL, OTHER_VIRTUAL = "+6531580001", "+6531580002"
AUTHORIZATION = "Key 8f0e-2c"
SECRET = "whsec_" + b64encode(bytes(range(40, 72))).decode()


class ActionField(Field):
    """`seats`: how many people are called at most."""

    def __init__(self, folder: Path, seats: int, **settings: str) -> None:
        super().__init__(folder, **settings)
        self.virtual = VIRTUAL[1:]
        self.ports = [free_port() for _ in range(seats)]
        self.customer = Customer(folder)
        self.key = ""
        self.account_id = ""
        self._taken = 0

    def open(self) -> None:
        self.customer.start()
        asyncio.run(self.provision())
        asyncio.run(self.platform.start())

    def close(self) -> int:
        code = self.platform.stop()
        self.customer.stop()
        return code

    async def provision(self) -> None:
        async with services_of(self.platform) as services:
            store, clock, ids = services.store, services.clock, services.ids
            main = await create_account(store, clock, ids, "Acme")
            owner = await create_subaccount(store, clock, ids, main.id, "masking", external_id=SUBACCOUNT)
            self.account_id = owner.id
            _, self.key = await create_api_key(store, clock, ids, main.id, "test")
            for number in (VIRTUAL, OTHER_VIRTUAL):
                await add_number(store, clock, number, main.id, owner.id, LABEL)
            for kind, path in KINDS.items():
                await set_webhook(
                    store, owner.id, kind, self.customer.url(path), authorization=AUTHORIZATION, secret=SECRET
                )
            self.customer.expect_signatures(SECRET)
            await add_trunk(store, clock, ids, TrunkWish("callers", CALLERS, 5060, prefixes=("+6591",)))
            for seat, port in enumerate(self.ports):
                wish = TrunkWish(f"seat {seat}", callee_host(seat), port, prefixes=(f"+{_callee(seat)}",))
                await add_trunk(store, clock, ids, wish)

    def callee_transport(self, slot: int) -> str:
        return "udp"

    def seat(self, *, booked: bool = True) -> FieldCall:
        """Two new people, booked with each other on the virtual number or not."""
        seat, self._taken = self._taken, self._taken + 1
        call = FieldCall(self, seat, seat, "", Way(_caller(seat), _callee(seat), VIRTUAL[1:]))
        if booked:
            self.customer.book(f"+{call.caller_number}", VIRTUAL, f"+{call.callee_number}")
        return call

    def post(self, flow: dict[str, Any], *, headers: dict[str, str] | None = None) -> tuple[int, dict[str, Any]]:
        """POST callflows as the customer does; status and body."""
        return self._request("POST", "callflows", json.dumps(flow).encode(), headers or {})

    def get(self, path: str) -> tuple[int, dict[str, Any]]:
        return self._request("GET", path, None, {})

    def _request(
        self, method: str, path: str, body: bytes | None, headers: dict[str, str]
    ) -> tuple[int, dict[str, Any]]:
        url = f"{self.platform.url}/api/v1/subaccounts/{SUBACCOUNT}/{path}"
        given = {"Authorization": f"Bearer {self.key}", "Content-Type": "application/json", **headers}
        request = urllib.request.Request(url, body, given, method=method)
        try:
            with urllib.request.urlopen(request, timeout=30) as answer:
                return answer.status, json.loads(answer.read())
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read())


def make_call(callee: str, source: str = VIRTUAL, **more: Any) -> dict[str, Any]:
    return {"action": "makeCall", "params": {"source": source, "destination": callee, **more}}


def say(text: str, **more: Any) -> dict[str, Any]:
    return {"action": "say", "params": {"text": text, "voiceProfile": "en-us-f", **more}}


HANGUP = {"action": "hangup"}


def _caller(seat: int) -> str:
    return f"659111{seat:04d}"


def _callee(seat: int) -> str:
    return f"659876{seat:04d}"
