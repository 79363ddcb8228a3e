"""The operator's API on limits: by his key alone, and every limit as the command line sets it."""

from __future__ import annotations

import json
from typing import Any

import pytest

from maskline.api.native.operator import read_wish
from maskline.api.services import OperatorAccess
from maskline.errors import InvalidParameter
from maskline.masking.limits import SAFE_LIMITS, Limits
from maskline.workflows.account_events import AccountEvents
from maskline.workflows.set_limits import LimitsWish, set_limits
from maskline.workflows.tell_operator import OperatorWebhook
from tests.support.eight_api import EightApi, bearer

KEY = "k" * 24
ALL: dict[str, Any] = {
    "callsPerSecond": 2.5, "concurrent": 50, "numberCallsPerSecond": 1, "numberConcurrent": 4, "attemptsPerSession": 30,
    "minutesPerDay": 6_000, "spendPerDay": "250.00000", "prefixMinutes": {"+44": 600, "+882": 5},
    "timeZone": "Asia/Singapore",
    "destinations": {"countries": ["GB", "FR"], "allow": ["+4470"], "deny": ["+4490"], "refuse": ["premium"]},
    "nightCalls": 9, "shortCalls": 8, "newCountry": True, "stopOn": ["short_calls", "day_spent"],
}  # fmt: skip


class OperatorApi(EightApi):
    operator_key = KEY

    async def begin(self) -> OperatorApi:
        self.told = 0
        operator = OperatorAccess(
            self.operator_key, AccountEvents(self.store, self.ids, OperatorWebhook("https://ops.example/m", ""))
        )
        await self.start(operator=operator, committed=self.hear)
        self.path = "/maskline/v1"
        self.customer = bearer(await self.new_key(self.acme))
        return self

    def hear(self) -> None:
        self.told += 1

    async def operate(self, method: str, rest: str, body: Any = None, *, account: str = "") -> tuple[int, Any]:
        path = f"/operator/accounts/{account or self.acme.id}{rest}"
        return await self.ask(method, path, json=body, headers={"Authorization": f"Bearer {KEY}"})


@pytest.fixture
async def api() -> OperatorApi:
    return await OperatorApi().begin()


async def test_what_is_set_is_what_is_shown(api: OperatorApi) -> None:
    nothing = {"accountId": api.acme.id, "stopped": None, "limits": None, "countriesSeen": []}
    assert await api.operate("GET", "/limits") == (200, nothing)
    assert await api.operate("PATCH", "/limits", ALL) == (200, {**nothing, "limits": ALL})
    assert await api.operate("PATCH", "/limits", {}) == (200, {**nothing, "limits": ALL})
    assert await api.operate("PATCH", "/limits", {"concurrent": 7}) == (
        200,
        {**nothing, "limits": ALL | {"concurrent": 7}},
    )
    assert (await api.operate("GET", "/limits"))[1]["limits"]["concurrent"] == 7


async def test_lists_are_emptied_and_rules_on_destinations_taken_away(api: OperatorApi) -> None:
    await api.operate("PATCH", "/limits", ALL)
    rules: dict[str, list[str]] = {"countries": [], "allow": [], "deny": [], "refuse": []}
    empty = {"destinations": rules, "stopOn": [], "prefixMinutes": {}}
    assert (await api.operate("PATCH", "/limits", empty))[1]["limits"] == ALL | empty
    everywhere = await api.operate("PATCH", "/limits", {"destinations": {"countries": "anywhere"}})
    assert everywhere[1]["limits"]["destinations"]["countries"] == "anywhere"
    assert (await api.operate("PATCH", "/limits", {"destinations": None}))[1]["limits"]["destinations"] is None


async def test_an_account_gets_the_limits_of_a_new_one_or_none(api: OperatorApi) -> None:
    await api.operate("PATCH", "/limits", ALL)
    assert (await api.operate("PATCH", "/limits", {"reset": "safe", "concurrent": 3}))[0] == 200
    limits = (await api.store.account(api.acme.id)).limits
    assert limits is not None
    assert (limits.concurrent, limits.attempts_per_session) == (3, SAFE_LIMITS.attempts_per_session)
    assert (await api.operate("PATCH", "/limits", {"reset": "unlimited"}))[1]["limits"] is None


@pytest.mark.parametrize(
    "body",
    [
        {"reset": "all"}, {"reset": ["safe"]}, {"reset": True}, {"reset": "safe", "concurrent": -1},
        {"reset": "safe", "timeZone": "Mars"}, {"colour": 1}, {"concurrent": True}, {"concurrent": 1.5},
        {"concurrent": -1},
        {"callsPerSecond": "2"}, {"spendPerDay": 250}, {"spendPerDay": "much"}, {"prefixMinutes": {"44": 5}},
        {"prefixMinutes": []}, {"stopOn": "short_calls"}, {"stopOn": ["whim"]}, {"stopOn": [1]}, {"timeZone": "Mars"},
        {"destinations": []}, {"destinations": {"colour": []}}, {"destinations": {"countries": "GB"}},
        {"destinations": {"countries": ["Britain"]}}, {"destinations": {"refuse": ["rude"]}},
    ],
)  # fmt: skip
async def test_what_cannot_be_meant_is_refused_and_changes_nothing(api: OperatorApi, body: dict[str, Any]) -> None:
    status, answer = await api.operate("PATCH", "/limits", body)
    assert (status, answer["error"]["code"]) == (400, "invalid_parameter")
    assert (await api.store.account(api.acme.id)).limits is None


async def test_a_reset_beside_a_limit_that_cannot_be_meant_is_not_done(api: OperatorApi) -> None:
    await api.operate("PATCH", "/limits", ALL)
    for reset in ("safe", "unlimited"):
        for wrong in ({"spendPerDay": "much"}, {"concurrent": -1}, {"prefixMinutes": {"44": 5}}, {"timeZone": "Mars"}):
            assert (await api.operate("PATCH", "/limits", {"reset": reset, **wrong}))[0] == 400
            assert (await api.operate("GET", "/limits"))[1]["limits"] == ALL


async def test_nobody_ever_finds_an_account_between_its_reset_and_the_rest(api: OperatorApi) -> None:
    await api.operate("PATCH", "/limits", ALL)
    before = await api.store.configuration_version()
    await api.operate("PATCH", "/limits", {"reset": "unlimited", "concurrent": 1})
    assert await api.store.configuration_version() == before + 1
    assert (await api.store.account(api.acme.id)).limits == Limits(concurrent=1)


async def test_a_stop_and_its_end_are_told_to_account_and_operator(api: OperatorApi) -> None:
    assert (await api.operate("POST", "/stop"))[1]["stopped"] == "operator"
    assert (await api.operate("POST", "/resume"))[1]["stopped"] is None
    status, answer = await api.operate("POST", "/resume")
    assert (status, answer["error"]["code"]) == (409, "conflict")
    assert api.told == 2
    rows = sorted(await api.store.outbox(None), key=lambda row: row.sequence)
    told = [(row.event, row.url, json.loads(row.body)["data"]) for row in rows]
    data = {"accountId": api.acme.id, "alarm": None, "country": None, "reason": "operator"}
    assert told == [(event, "https://ops.example/m", data) for event in ("account.stopped", "account.resumed")]


@pytest.mark.parametrize("rest", ["/limits", "/stop", "/resume"])
async def test_only_the_operator_is_let_in(api: OperatorApi, rest: str) -> None:
    method = "GET" if rest == "/limits" else "POST"
    path = f"/operator/accounts/{api.acme.id}{rest}"
    strange: Any = {"Authorization": b"Bearer \xff"}
    for headers in ({}, api.customer, {"Authorization": "Bearer " + "x" * 24}, strange):
        status, answer = await api.ask(method, path, headers=headers)
        assert (status, answer["error"]["code"]) == (401, "not_authenticated")


async def test_nobody_is_let_in_where_no_key_is_set() -> None:
    api = OperatorApi()
    api.operator_key = ""
    await api.begin()
    assert (await api.operate("GET", "/limits"))[0] == 401


async def test_limits_are_those_of_main_accounts_that_are_there(api: OperatorApi) -> None:
    assert (await api.operate("GET", "/limits", account="MA-none"))[0] == 404
    status, answer = await api.operate("PATCH", "/limits", {"concurrent": 1}, account=api.rides.id)
    assert (status, answer["error"]["code"]) == (400, "invalid_parameter")


async def test_a_customer_reads_its_own(api: OperatorApi) -> None:
    await set_limits(api.store, api.clock, api.acme.id, LimitsWish(concurrent=5))
    for key in (api.customer, bearer(await api.new_key(api.rides))):
        status, answer = await api.ask("GET", "/limits", headers=key)
        assert (status, answer["accountId"], answer["limits"]["concurrent"]) == (200, api.acme.id, 5)
    assert (await api.ask("PATCH", "/limits", headers=api.customer, json={}))[0] == 405


def test_a_body_without_a_word_wishes_nothing() -> None:
    assert read_wish({}) == LimitsWish()
    with pytest.raises(InvalidParameter, match="nightCalls"):
        read_wish({"nightCalls": None})
