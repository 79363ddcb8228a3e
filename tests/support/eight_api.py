"""The API world with a Bearer key: what tests of the 8x8 dialect begin with."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from maskline.media.speech.voice import Voice
from maskline.storage.store import Account
from maskline.workflows.api_keys import create_api_key
from tests.support.api_world import ApiWorld

RIDES = "acme-rides"
AMY = Voice("en-us-f", "en-US", "English (America)", "F", "en-us+f2")


class Speech:
    """A speech engine with the voices it is made with."""

    name = "test"

    def __init__(self, *voices: Voice) -> None:
        self._voices = voices

    async def voices(self) -> tuple[Voice, ...]:
        return self._voices

    async def render(self, text: str, voice: Voice, speed: float) -> bytes:
        raise AssertionError("nobody speaks here")


def bearer(key: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {key}"}


class EightApi(ApiWorld):
    """Acme with a number, its subaccount `rides` (external id `acme-rides`) with none, a key of Acme, a client."""

    async def start(self, **settings: Any) -> EightApi:
        await self.store.open()
        self.acme = await self.account()
        self.rides = await self.name(await self.subaccount(self.acme), RIDES)
        await self.number(self.acme)
        self.key = await self.new_key(self.acme)
        self.http = self.client(**{"speech": Speech(AMY), **settings})
        self.path = f"/api/v1/subaccounts/{self.acme.id}"
        return self

    async def new_key(self, account: Account) -> str:
        """The text of a new key of this account."""
        _, text = await create_api_key(self.store, self.clock, self.ids, account.id, "test")
        return text

    async def name(self, account: Account, external_id: str) -> Account:
        """Give it an external id; returns the account with it."""
        named = replace(account, external_id=external_id)
        await self.store.update_account(named)
        return named

    async def ask(self, method: str, path: str, *, headers: dict[str, str] | None = None, **more: Any) -> Any:
        """(Status, body) of a request below the path of the account."""
        headers = bearer(self.key) if headers is None else headers
        response = await self.http.request(method, self.path + path, headers=headers, **more)
        assert response.headers["content-type"] == "application/json"
        assert response.headers["cache-control"] == "no-store"
        return response.status_code, response.json()
