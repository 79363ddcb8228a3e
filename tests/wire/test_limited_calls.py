"""Every limit of an account and of a trunk, as a carrier meets it: the SIP status of who calls, the record's cause, and
what the operator is told. One server for all; no limit here has its way by the time something takes."""

from __future__ import annotations

from collections.abc import AsyncIterator

import pytest
import pytest_asyncio

from tests.support.limited_field import DEAR, NARROW, SELDOM, SLOW, LimitedField, Plan, opened_field
from tests.support.waiting import until

pytestmark = [pytest.mark.wire, pytest.mark.asyncio(loop_scope="module")]
DONE, TRUNK_FULL = ("completed", "normal"), ("rejected", "trunk_full")
FULL, SPENT, STOPPED = ("rejected", "account_full"), ("rejected", "account_spent"), ("rejected", "account_stopped")
TALKERS = 30
"""They use up a minute within two or three seconds."""
ANYWHERE = {"countries": ("anywhere",), "refused": ("none",)}

PLANS = {
    "at a time": Plan({"concurrent": 1}),
    "a second": Plan({"calls_per_second": SELDOM}),
    "a number at a time": Plan({"number_concurrent": 1}, second_number=True),
    "a number a second": Plan({"number_calls_per_second": SELDOM}, second_number=True),
    "a trunk at a time": Plan({}, callee=NARROW),
    "a trunk a second": Plan({}, couples=2, callee=SLOW),
    "attempts": Plan({"attempts_per_session": 1}, couples=2),
    "minutes": Plan({"minutes_per_day": 1}, couples=TALKERS),
    "minutes to a prefix": Plan({"prefix_minutes": ("+9199=1",)}, couples=TALKERS),
    "money": Plan({"spend_per_day": "1.5"}, callee=DEAR),
    "abroad": Plan({"countries": ("US",)}, couples=1),
    "denied": Plan({**ANYWHERE, "deny": ("+91990",)}, couples=1),
    "premium": Plan({"countries": ("anywhere",)}, couples=1, callee="+449098790000"),
    "satellite": Plan({"countries": ("anywhere",)}, couples=1, callee="+881612345678"),
    "premium allowed": Plan({"countries": ("anywhere",), "allow": ("+4490",)}, couples=1, callee="+449098790001"),
    "new country": Plan({**ANYWHERE, "new_country": True}, couples=1),
    "short calls": Plan({"short_calls": 2, "stop_on": ("short_calls",)}, couples=4),
    "stopped by hand": Plan({}, couples=1),
}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def field(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[LimitedField]:
    async with opened_field(tmp_path_factory.mktemp("limited"), PLANS) as made:
        yield made


# -- calls ------------------------------------------------------------------------------------------------------------


async def test_an_account_has_so_many_calls_at_a_time(field: LimitedField) -> None:
    tenant = field.tenants["at a time"]
    one, two, three = tenant.couples
    call = await field.talk(one)
    assert await field.refused(two) == 480
    await field.finish(call)
    await field.finish(await field.talk(three))
    assert await field.causes(tenant, 3) == [DONE, DONE, FULL]


async def test_a_refused_call_is_told_by_its_facts(field: LimitedField) -> None:
    tenant = field.tenants["a second"]
    one, two, _ = tenant.couples
    await field.finish(await field.talk(one))
    assert await field.refused(two) == 480
    assert await field.causes(tenant, 2) == [DONE, FULL]
    newest = (await field.records(tenant, 2))[0]
    assert newest["session_id"] == two.session_id
    assert "LegDialed" not in await field.facts(newest["call_id"])


async def test_a_trunk_takes_so_many_calls_a_second(field: LimitedField) -> None:
    tenant = field.tenants["a trunk a second"]
    one, two = tenant.couples
    await field.finish(await field.talk(one))
    assert await field.refused(two) == 500
    assert await field.causes(tenant, 2) == [DONE, TRUNK_FULL]


@pytest.mark.parametrize("name", ["a number at a time", "a number a second"])
async def test_one_number_s_calls_leave_those_of_another_alone(field: LimitedField, name: str) -> None:
    tenant = field.tenants[name]
    one, two, other = tenant.couples
    assert one.virtual == two.virtual != other.virtual
    call = await field.talk(one)
    assert await field.refused(two) == 480
    await field.finish(await field.talk(other))
    await field.finish(call)
    assert await field.causes(tenant, 3) == [DONE, DONE, FULL]


async def test_a_trunk_has_so_many_calls_at_a_time(field: LimitedField) -> None:
    tenant = field.tenants["a trunk at a time"]
    one, two, three = tenant.couples
    call = await field.talk(one)
    assert await field.refused(two) == 500
    await field.finish(call)
    await field.finish(await field.talk(three))
    assert await field.causes(tenant, 3) == [DONE, DONE, TRUNK_FULL]


async def test_a_session_has_so_many_calls_a_day(field: LimitedField) -> None:
    tenant = field.tenants["attempts"]
    one, two = tenant.couples
    await field.finish(await field.talk(one))
    await field.records(tenant, 1)
    assert await field.refused(one) == 480
    await field.finish(await field.talk(two))
    assert await field.causes(tenant, 3) == [DONE, DONE, SPENT]


# -- minutes and money ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["minutes", "minutes to a prefix"])
async def test_calls_that_talk_on_used_up_minutes_are_ended_by_us(field: LimitedField, name: str) -> None:
    tenant = field.tenants[name]
    # One after the other: thirty at once are too many for a machine that is busy with other things.
    calls = [await field.dialled(couple) for couple in tenant.couples]
    await until(lambda: all(call.over for call in calls), what="the end of all", within=60)
    # On a slow machine the minute may be over before the last of them has its answer.
    assert {call.status for call in calls} <= {200, 480}
    await field.records(tenant, TALKERS)
    assert await field.refused(tenant.couples[0]) == 480
    causes = await field.causes(tenant, TALKERS + 1)
    # The last ones that were let in have so many seconds as were left, and may come to their end by themselves.
    assert {cause for _, cause in causes} - {"call_time_limit"} == {"account_spent"}
    assert SPENT in causes
    told = await field.operator_heard(tenant, "account.alarmed")
    assert [one["data"]["alarm"] for one in told] == ["day_spent"]


async def test_money_of_the_day_is_spent(field: LimitedField) -> None:
    tenant = field.tenants["money"]
    one, two, _ = tenant.couples
    await field.finish(await field.talk(one))
    assert await field.refused(two) == 480
    assert await field.causes(tenant, 2) == [DONE, SPENT]


# -- destinations -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "cause"),
    [
        ("abroad", "country_barred"), ("denied", "destination_barred"), ("premium", "destination_barred"),
        ("satellite", "destination_barred"),
    ],
)  # fmt: skip
async def test_who_may_not_be_called_does_not_ring(field: LimitedField, name: str, cause: str) -> None:
    tenant = field.tenants[name]
    assert await field.refused(tenant.couples[0]) == 403
    assert await field.causes(tenant, 1) == [("rejected", cause)]


async def test_a_prefix_that_is_allowed_is_called_whatever_it_is(field: LimitedField) -> None:
    await field.finish(await field.talk(field.tenants["premium allowed"].couples[0]))


async def test_a_session_with_who_may_not_be_called_is_refused_and_says_what_allows_it(field: LimitedField) -> None:
    tenant = field.tenants["abroad"]
    body = {"first_party": "+12025550123", "second_party": "+442079460000", "geomatch": False}
    path = f"/v1/Account/{tenant.id}/Masking/Session/"
    status, answer = await field.platform.rest("POST", path, (tenant.id, tenant.token), body)
    assert status == 400
    assert f"maskline account limits {tenant.id} --country GB" in answer["error"]


# -- alarms and stops -------------------------------------------------------------------------------------------------


async def test_the_first_call_to_a_country_is_told_to_the_operator(field: LimitedField) -> None:
    tenant = field.tenants["new country"]
    await field.finish(await field.talk(tenant.couples[0]))
    (told,) = await field.operator_heard(tenant, "account.alarmed")
    assert (told["data"]["alarm"], told["data"]["country"]) == ("new_country", "IN")


async def test_an_alarm_stops_an_account_by_itself(field: LimitedField) -> None:
    tenant = field.tenants["short calls"]
    *short, held, late = tenant.couples
    call = await field.talk(held)
    for couple in short:
        await field.finish(await field.talk(couple))
    told = await field.operator_heard(tenant, "account.alarmed", "account.stopped")
    assert {(one["type"], one["data"]["alarm"], one["data"]["reason"]) for one in told} == {
        ("account.alarmed", "short_calls", None), ("account.stopped", None, "short_calls"),
    }  # fmt: skip
    assert await field.refused(late) == 480
    assert call.talks, "calls in progress go on"
    await field.finish(call)
    assert await field.causes(tenant, 4) == [DONE, DONE, DONE, STOPPED]
    assert (await field.cli("account", "show", tenant.id))["stopped"] == "short_calls"


# -- a restart, and an operator; the last one here, since it ends every call ------------------------------------------


async def test_a_restart_gives_nothing_back_and_an_operator_resumes(field: LimitedField) -> None:
    by_hand = field.tenants["stopped by hand"]
    await field.cli("account", "stop", by_hand.id)
    await field.restart()
    for name, couple, cause in (
        ("attempts", 0, SPENT), ("minutes", 1, SPENT), ("money", 2, SPENT), ("short calls", 3, STOPPED),
        ("stopped by hand", 0, STOPPED),
    ):  # fmt: skip
        tenant = field.tenants[name]
        before = len((await field.cli("call", "list", "--account", tenant.id, "--limit", "100"))["calls"])
        assert await field.refused(tenant.couples[couple]) == 480, name
        assert cause in await field.causes(tenant, before + 1), name
    await field.cli("account", "resume", by_hand.id)
    await field.operator_heard(by_hand, "account.stopped", "account.resumed")
    await field.answered_in_the_end(by_hand.couples[0])
