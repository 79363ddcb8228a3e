"""A small world for workflow and API tests: store, virtual clock, seeded ids, an account with numbers, a client.

Every test builds its own; nothing here is shared between tests.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping
from typing import Any

import httpx2
from prometheus_client import CollectorRegistry

from maskline.api.app import build_http_app
from maskline.api.dispatch import AsgiApp
from maskline.clock import VirtualClock
from maskline.ids import SeededIds
from maskline.storage.memory import MemoryStore
from maskline.storage.store import Account
from maskline.workflows.add_number import add_number
from maskline.workflows.create_account import create_account
from maskline.workflows.create_subaccount import create_subaccount

FIRST, SECOND = "+6590000001", "+6590000002"
NUMBER = "+6531580001"
PARTIES = {"first_party": FIRST, "second_party": SECOND}


class World:
    make_store: Callable[[], Any] = MemoryStore
    """Replaced where a whole test module runs over another store."""

    def __init__(self) -> None:
        self.clock = VirtualClock()
        self.ids = SeededIds(1)
        self.store: Any = type(self).make_store()

    async def account(self, name: str = "Acme") -> Account:
        return await create_account(self.store, self.clock, self.ids, name)

    async def subaccount(self, account: Account, name: str = "Acme rides") -> Account:
        return await create_subaccount(self.store, self.clock, self.ids, account.id, name)

    async def number(self, account: Account, text: str = NUMBER) -> None:
        await add_number(self.store, self.clock, text, account.id)


class ApiWorld(World):
    """The same with an HTTP client in front; `settings` go to `build_http_app`."""

    def __init__(self, **settings: Any) -> None:
        super().__init__()
        self.settings = settings

    def app(self, **settings: Any) -> AsgiApp:
        return build_http_app(
            store=self.store, clock=self.clock, ids=self.ids, registry=CollectorRegistry(), **(self.settings | settings)
        )

    def client(self, **settings: Any) -> httpx2.AsyncClient:
        transport = httpx2.ASGITransport(app=self.app(**settings), raise_app_exceptions=False)
        return httpx2.AsyncClient(transport=transport, base_url="http://api.test")


def basic(account_id: str, token: str) -> dict[str, str]:
    return {"Authorization": "Basic " + base64.b64encode(f"{account_id}:{token}".encode()).decode()}


def credentials(account: Account) -> Mapping[str, str]:
    return basic(account.id, account.auth_token)
