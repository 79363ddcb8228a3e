"""One account with twenty numbers behind the API, for tests of what the session operations take and show."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from tests.support.api_world import PARTIES, ApiWorld, credentials

OUTSIDE, NO_INTEGER = "is outside the allowed range", "should be an integer"
NO_BOOLEAN, NO_URL, TOO_LONG = (
    "allowed values are true or false",
    "should be a valid URL",
    "should be under 1000 characters",
)


class SessionApi(ApiWorld):
    """Twenty numbers, so that the same pair can be masked as often."""

    async def start(self) -> SessionApi:
        self.acme = await self.account()
        for number in range(20):
            await self.number(self.acme, f"+65315800{number:02}")
        self.http = self.client(rate_limit=0)
        return self

    async def ask(self, method: str, path: str = "", **more: Any) -> tuple[int, Any]:
        url = f"/v1/Account/{self.acme.id}/Masking/Session/{path}"
        response = await self.http.request(method, url, headers=dict(credentials(self.acme)), **more)
        return response.status_code, response.json()

    async def create(self, **body: Any) -> tuple[int, Any]:
        """Status and session, or the sentence of the refusal."""
        status, answer = await self.ask("POST", json=PARTIES | body)
        return status, answer.get("session") or answer["error"]


@dataclass(frozen=True)
class Case:
    """What is expected of one attribute."""

    default: object
    """Shown when it is left out."""
    taken: tuple[tuple[object, object], ...]
    """(sent, shown)."""
    refused: tuple[tuple[object, str], ...]
    """(sent, end of the sentence)."""


async def check(api: SessionApi, name: str, expected: Case, base: dict[str, Any] | None = None) -> None:
    """`base`: what each create says besides."""
    base = base or {}
    status, session = await api.create(**base)
    assert status == 201, session
    assert (session[name], type(session[name])) == (expected.default, type(expected.default))
    for sent, shown in expected.taken:
        status, session = await api.create(**(base | {name: sent}))
        assert status == 201, (sent, session)
        assert (session[name], type(session[name])) == (shown, type(shown)), sent
        _, body = await api.ask("GET", session["session_uuid"])
        assert body["response"][name] == shown
    for sent, ending in expected.refused:
        assert await api.create(**(base | {name: sent})) == (400, f"Invalid parameter. {name} {ending}"), sent
