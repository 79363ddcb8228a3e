"""The native API on calls: their end by request."""

from __future__ import annotations

import pytest

from maskline.api.native.openapi import openapi_document
from maskline.masking.facts import CallReceived
from maskline.storage.kept import LiveCall
from maskline.storage.store import RecordedCall
from tests.support.eight_api import EightApi, bearer
from tests.support.store_values import OTHER, T0, TRUNK, VN1, call_record


class CallApi(EightApi):
    """Acme has a call in progress, one of its subaccount, and one that is over."""

    async def begin(self) -> CallApi:
        self.asked: list[str] = []
        await self.start(end_asked=self.asked.append)
        self.path = "/maskline/v1/calls"
        await self.store.add_account(OTHER)
        await self.store.commit_calls([
            self.live("talking", self.acme.id, None), self.live("riders", self.acme.id, self.rides.id),
            self.live("foreign", OTHER.id, None),
            RecordedCall((), self.acme.id, record=call_record("over", account_id=self.acme.id)),
        ])  # fmt: skip
        self.riders_key = bearer(await self.new_key(self.rides))
        return self

    def live(self, call_id: str, account_id: str, subaccount_id: str | None) -> RecordedCall:
        fact = CallReceived(call_id, 1, T0, TRUNK.id, VN1.digits)
        kept = LiveCall(call_id, "e1", account_id, None, T0, b"state", subaccount_id=subaccount_id)
        return RecordedCall((fact,), account_id, live=kept)


@pytest.fixture
async def api() -> CallApi:
    return await CallApi().begin()


async def test_a_call_in_progress_is_being_ended(api: CallApi) -> None:
    for _ in range(2):
        assert await api.ask("POST", "/talking/end") == (
            202, {"callId": "talking", "status": "ending", "endedAt": None, "outcome": None, "cause": None}
        )  # fmt: skip
    assert api.asked == ["talking", "talking"]
    assert await api.store.calls_to_end("e1") == ["talking"]


async def test_of_one_that_is_over_it_is_told_how_it_ended(api: CallApi) -> None:
    assert await api.ask("POST", "/over/end") == (
        200,
        {
            "callId": "over", "status": "ended", "endedAt": "2023-11-14T22:14:00.000Z", "outcome": "completed",
            "cause": "normal",
        },
    )  # fmt: skip
    assert api.asked == []


@pytest.mark.parametrize("call_id", ["foreign", "nothing"])
async def test_a_foreign_or_unknown_call_is_not_found(api: CallApi, call_id: str) -> None:
    status, body = await api.ask("POST", f"/{call_id}/end")
    assert (status, body["error"]["code"]) == (404, "not_found")
    assert (api.asked, await api.store.calls_to_end("e1")) == ([], [])


async def test_a_subaccount_ends_its_own_calls_alone(api: CallApi) -> None:
    said = [(await api.ask("POST", f"/{one}/end", headers=api.riders_key))[0] for one in ("riders", "talking", "over")]
    assert said == [202, 404, 404]
    assert api.asked == ["riders"]


async def test_without_a_key_nobody_ends_anything(api: CallApi) -> None:
    assert (await api.ask("POST", "/talking/end", headers={}))[0] == 401
    assert (await api.ask("GET", "/talking/end"))[0] == 405
    assert api.asked == []


def test_both_answers_and_the_refusal_are_published() -> None:
    operation = openapi_document()["paths"]["/maskline/v1/calls/{id}/end"]["post"]
    assert {"200", "202", "404"} < set(operation["responses"])
