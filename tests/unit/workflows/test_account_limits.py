"""What an account may use: judged at each call and each new session, told of, stopped and resumed."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
from structlog.testing import capture_logs

from maskline.errors import Conflict, InvalidParameter, PoolExhausted, StoreUnavailable
from maskline.logs import EVENTS
from maskline.masking.call_flow import CallFlow, MakeCall
from maskline.masking.decision import Forward, Refuse, StartCall
from maskline.masking.e164 import parse_number
from maskline.masking.facts import AccountAlarmed, AccountResumed, AccountStopped, Cause, LegName, Outcome
from maskline.masking.limits import SAFE_LIMITS, Alarm, Limits
from maskline.masking.number_kind import Kind
from maskline.masking.price import Direction
from maskline.masking.session import RequestedCall, SessionOptions
from maskline.metrics import read_limits
from maskline.storage.store import RecordedCall
from maskline.workflows.account_events import AccountEvents
from maskline.workflows.add_trunk import TrunkWish, add_trunk
from maskline.workflows.create_session import CreateSession, SessionWish
from maskline.workflows.guard_accounts import GuardAccounts
from maskline.workflows.route_call import RouteCall
from maskline.workflows.scope import Scope
from maskline.workflows.set_limits import LimitsWish, Reset, resume_account, set_limits, stop_account
from maskline.workflows.set_price import PriceWish, set_price
from maskline.workflows.set_webhook import set_webhook
from maskline.workflows.tell_operator import OperatorWebhook
from maskline.workflows.update_session import UpdateSession
from tests.support.api_world import FIRST, NUMBER, SECOND, World
from tests.support.calls import make_leg, make_record

pytestmark = pytest.mark.usefixtures("each_store")
CALLER, CALLEE, VIRTUAL = parse_number(FIRST), parse_number(SECOND), parse_number(NUMBER)
LONDON, PREMIUM = parse_number("+442079460000"), parse_number("+19002345678")
OTHER = parse_number("+6590000055")
B = LegName.B
SECRET = "whsec_" + "A" * 32


class Limited(World):
    async def start(self, **wish):
        await self.store.open()
        self.acme = await self.account()
        await self.number(self.acme)
        self.trunk = await add_trunk(self.store, self.clock, self.ids, TrunkWish("carrier", "192.0.2.1"))
        if wish:
            await self.limit(**wish)
        self.session = await self.create(CALLER, CALLEE)
        self.begin()
        await self.router.refresh()
        return self

    def begin(self):
        """A new process."""
        self.router = RouteCall(self.store, self.clock)
        self.book = self.router.limits.book
        self.guard = GuardAccounts(self.store, self.clock, self.book)

    async def limit(self, **wish):
        account = await set_limits(self.store, self.clock, self.acme.id, LimitsWish(**wish))
        self.clock.advance(1.0)
        return account

    async def create(self, first, second):
        create = CreateSession(self.store, self.clock, self.ids)
        return await create(Scope(self.acme.id), SessionWish(first, second, SessionOptions(geomatch=False)))

    async def route(self, caller=CALLER):
        return await self.router.route(caller, VIRTUAL, self.trunk, self.clock.wall())

    async def cause(self, caller=CALLER):
        decision = await self.route(caller)
        return decision.cause if isinstance(decision, Refuse) else None

    def enter(self, name, decision):
        return self.book.enter(name, decision.permit, self.clock.now(), self.clock.wall())

    async def record(self, name, seconds, started=-10.0, amount=0, callee=CALLEE, **changes):
        at = self.clock.wall() + started
        legs = (
            make_leg(LegName.A, id=f"{name}-a", initiated_at=at, answered_at=at, ended_at=at + seconds),
            make_leg(
                B, id=f"{name}-b", initiated_at=at, answered_at=at, ended_at=at + seconds, destination=callee,
                amount=amount,
            ),
        )  # fmt: skip
        record = make_record(*legs, id=name, account_id=self.acme.id, session_id=self.session.id, **changes)
        await self.store.commit_calls([RecordedCall((), self.acme.id, record=record)])


# -- calls ------------------------------------------------------------------------------------------------------------


async def test_an_account_without_limits_has_no_permit():
    world = await Limited().start()
    decision = await world.route()
    assert isinstance(decision, Forward)
    assert decision.permit is None


async def test_a_call_has_a_permit_and_is_cut_to_what_is_left_of_the_day():
    world = await Limited().start(minutes_per_day=1, prefix_minutes=("+65=30", "+44=5"), new_country=True)
    decision = await world.route()
    assert (decision.options.call_time_limit, decision.permit.session_id) == (60, world.session.id)
    (dialled,) = decision.permit.dialled
    assert (dialled.leg, dialled.prefixes, dialled.country, dialled.price) == (B, ("+65",), "SG", None)
    assert world.enter("a", decision) is None
    world.book.answered("a", B, world.clock.now(), world.clock.wall())
    world.clock.advance(50)
    assert (await world.route()).options.call_time_limit == 10
    world.clock.advance(10)
    assert await world.cause() is Cause.ACCOUNT_SPENT
    assert world.book.run_out(world.clock.now(), world.clock.wall()) == ["a"]


async def test_money_is_counted_by_the_price_of_the_trunk():
    world = await Limited().start(spend_per_day="1")
    await set_price(world.store, world.ids, PriceWish(Direction.OUTBOUND, "carrier", "+65", "0.9", "0.1"))
    world.clock.advance(1)
    decision = await world.route()
    assert decision.permit.dialled[0].price.per_minute == 900_000
    assert decision.options.call_time_limit == 58
    await set_price(world.store, world.ids, PriceWish(Direction.OUTBOUND, "carrier", "+65", "0.9", "1.1"))
    world.clock.advance(1)
    assert await world.cause() is Cause.ACCOUNT_SPENT


async def test_refusals_are_counted_and_said_once_a_minute():
    world = await Limited().start(concurrent=1)
    world.enter("a", await world.route())
    with capture_logs() as log:
        assert [await world.cause(), await world.cause(CALLEE)] == [Cause.ACCOUNT_FULL] * 2
        world.clock.advance(60)
        assert await world.cause() is Cause.ACCOUNT_FULL
    said = [(line["event"], line["cause"], line["calls"]) for line in log]
    assert said == [("calls_refused_by_limits", "account_full", 1), ("calls_refused_by_limits", "account_full", 2)]
    assert {line["event"] for line in log} <= set(EVENTS)
    assert FIRST[1:] not in str(log)
    assert world.book.refused[Cause.ACCOUNT_FULL] == 3


async def test_only_whom_we_dial_is_judged_by_destination():
    world = await Limited().start()
    await world.create(OTHER, LONDON)
    await world.limit(countries=("none",))
    assert await world.cause(LONDON) is None, "who calls may be anywhere"
    assert await world.cause(OTHER) is Cause.COUNTRY_BARRED
    await world.limit(countries=("GB",), deny=("+44207",))
    assert await world.cause(OTHER) is Cause.DESTINATION_BARRED
    await world.limit(destinations=False)
    assert await world.cause(OTHER) is None


async def test_a_change_of_the_own_numbers_or_of_the_limits_holds_within_a_second():
    world = await Limited().start(countries=("none",))
    assert await world.cause() is None
    await world.limit(reset=Reset.UNLIMITED)
    world.clock.advance(1)
    assert (await world.route()).permit is None


async def test_both_legs_of_a_requested_call_are_judged_and_counted():
    world = await Limited().start(minutes_per_day=2)
    request = RequestedCall(world.session.id, world.acme.id, world.clock.wall())
    decision = await world.router.start(request, world.clock.wall())
    assert isinstance(decision, StartCall)
    assert [one.leg for one in decision.forward.permit.dialled] == [LegName.A, B]
    assert decision.forward.options.call_time_limit == 60
    await world.limit(deny=(FIRST,))
    refused = await world.router.start(request, world.clock.wall())
    assert (refused.cause, refused.session) == (Cause.DESTINATION_BARRED, world.session)


async def test_a_call_flow_s_step_is_judged_like_any_call():
    world = await Limited().start(minutes_per_day=1, countries=("none",))
    virtual = await world.store.number(VIRTUAL)
    flow = CallFlow((MakeCall(VIRTUAL, CALLEE), MakeCall(VIRTUAL, LONDON)))
    planned = await world.router.plan(flow, virtual, CALLER)
    first, second = planned.steps
    assert (first.permit.dialled[0].leg, first.refused) == (B, None)
    assert (second.permit, second.refused, second.trunk, second.ways) == (None, Cause.COUNTRY_BARRED, None, ())
    assert planned.options.call_time_limit == 60
    await world.limit(reset=Reset.UNLIMITED)
    world.clock.advance(1)
    await world.router.table.look()
    planned = await world.router.plan(flow, virtual, CALLER)
    assert [(step.permit, step.refused) for step in planned.steps] == [(None, None)] * 2


async def test_a_restart_counts_what_the_day_s_records_tell():
    world = await Limited().start(minutes_per_day=2, prefix_minutes=("+44=1",), attempts_per_session=3)
    await world.record("one", 30)
    await world.record("two", 20, callee=LONDON)
    await world.record("yesterday", 9_000, started=-172_800.0)
    world.begin()
    await world.router.refresh()
    assert await world.router.limits.recall() == 2
    assert (await world.route()).options.call_time_limit == 70
    await world.record("three", 5)
    world.begin()
    await world.router.limits.recall()
    assert await world.cause() is Cause.ACCOUNT_SPENT, "the session's three attempts"


async def test_a_call_that_was_refused_is_no_attempt_after_a_restart_either():
    world = await Limited().start(attempts_per_session=1)
    await world.record("refused", 0, outcome=Outcome.REJECTED, cause=Cause.ACCOUNT_FULL)
    world.begin()
    await world.router.refresh()
    assert await world.router.limits.recall() == 0
    assert await world.cause() is None
    await world.router.limits._recall_call(world.acme.id, "refused")
    assert await world.cause() is None


async def test_what_calls_of_another_engine_count_in_is_there_before_they_go_on_here():
    world = await Limited().start(concurrent=2)
    limits = world.router.limits
    await limits.know([world.acme.id, "one that is gone"])
    usage = world.book.find(world.acme.id)
    assert usage is not None
    await limits.know([world.acme.id])
    assert world.book.find(world.acme.id) is usage


async def test_calls_of_an_account_without_limits_count_in_nothing():
    world = await Limited().start()
    await world.router.limits.know([world.acme.id])
    assert world.book.find(world.acme.id) is None


async def test_a_long_day_is_recalled_page_by_page(monkeypatch):
    monkeypatch.setattr("maskline.workflows.check_limits._PAGE", 2)
    world = await Limited().start(minutes_per_day=100)
    for at in range(5):
        await world.record(f"call-{at}", 60)
    world.begin()
    assert await world.router.limits.recall() == 5
    assert world.book.find(world.acme.id).seconds(0) == 300


# -- sessions ---------------------------------------------------------------------------------------------------------


async def test_a_party_that_may_not_be_called_is_refused_with_its_name():
    world = await Limited().start(countries=("none",))
    for first, second, wrong, words in (
        (CALLER, LONDON, "second_party", "of a country that this account may not call"),
        (PREMIUM, CALLEE, "first_party", "of a kind or prefix that this account may not call; whoever"),
    ):
        with pytest.raises(InvalidParameter, match=words) as refused:
            await world.create(first, second)
        assert refused.value.parameter == wrong
        assert str(first.digits) not in str(refused.value)
        assert f"maskline account limits {world.acme.id} " in str(refused.value)
    with pytest.raises(InvalidParameter, match="--country GB"):
        await world.create(CALLER, LONDON)
    with pytest.raises(InvalidParameter, match="--allow PREFIX"):
        await world.create(CALLER, parse_number("+881612345678"))
    with pytest.raises(InvalidParameter, match=r"first_party is not a valid phone number$"):
        await world.create(parse_number("+65001449098790000"), CALLEE)
    await world.limit(countries=("GB",))
    await world.create(OTHER, LONDON)


async def test_a_party_that_joins_later_is_judged_too():
    world = await Limited().start(countries=("none",))
    await world.number(world.acme, "+6531580002")
    create = CreateSession(world.store, world.clock, world.ids)
    options = SessionOptions(create_session_with_single_party=True)
    single = await create(Scope(world.acme.id), SessionWish(parse_number("+6590000077"), None, options))
    update = UpdateSession(world.store, world.clock, world.ids)
    with pytest.raises(InvalidParameter, match="second_party is a number of a country"):
        await update(Scope(world.acme.id), single.id, {"second_party": LONDON})


async def test_an_account_without_numbers_hears_that_it_has_none():
    world = Limited()
    await world.store.open()
    world.acme = await world.account()
    await set_limits(world.store, world.clock, world.acme.id, LimitsWish(reset=Reset.SAFE))
    with pytest.raises(PoolExhausted):
        await world.create(CALLER, CALLEE)


# -- stops and alarms --------------------------------------------------------------------------------------------------


async def test_an_operator_stops_and_resumes_an_account_with_limits_or_without():
    for wish in ({}, {"concurrent": 5}):
        world = await Limited().start(**wish)
        store, clock, account_id = world.store, world.clock, world.acme.id
        assert (await stop_account(store, clock, account_id)).stopped == "operator"
        assert (await stop_account(store, clock, account_id)).stopped == "operator"
        clock.advance(1)
        assert await world.cause() is Cause.ACCOUNT_STOPPED
        assert (await resume_account(store, clock, account_id)).stopped == ""
        clock.advance(1)
        assert await world.cause() is None
        with pytest.raises(Conflict, match="not stopped"):
            await resume_account(store, clock, account_id)
        kinds = [(type(fact), fact.reason, fact.sequence) for fact in await store.facts(account_id)]
        assert kinds == [(AccountStopped, "operator", 1), (AccountResumed, "operator", 2)]


async def test_an_alarm_is_told_and_what_it_stops_stays_stopped_after_a_restart():
    world = await Limited().start(new_country=True, countries=("anywhere",), stop_on=("new_country",))
    decision = await world.route()
    permit = replace(decision.permit, dialled=(replace(decision.permit.dialled[0], country="GB"),))
    world.enter("a", replace(decision, permit=permit))
    with capture_logs() as log:
        await world.guard()
        await world.guard()
    assert [(line["event"], line["account"]) for line in log] == [
        ("account_alarm", world.acme.id), ("account_stopped", world.acme.id),
    ]  # fmt: skip
    assert {line["event"] for line in log} <= set(EVENTS)
    facts = await world.store.facts(world.acme.id)
    assert [(type(fact), fact.sequence) for fact in facts] == [(AccountAlarmed, 1), (AccountStopped, 2)]
    assert (facts[0].alarm, facts[0].country, facts[1].reason) == ("new_country", "GB", "new_country")
    account = await world.store.account(world.acme.id)
    assert (account.stopped, account.countries) == ("new_country", ("GB",))
    world.begin()
    await world.router.refresh()
    assert await world.cause() is Cause.ACCOUNT_STOPPED
    await resume_account(world.store, world.clock, world.acme.id)
    world.clock.advance(1)
    decision = await world.route()
    world.enter("b", replace(decision, permit=permit))
    assert list(world.book.raised()) == [], "an operator knows this country"


async def test_account_and_operator_hear_by_webhook_of_alarms_and_stops():
    world = await Limited().start(new_country=True, countries=("anywhere",), stop_on=("new_country",))
    await set_webhook(world.store, world.acme.id, "native", "https://acme.example/m")
    notified = []
    events = AccountEvents(world.store, world.ids, OperatorWebhook("https://ops.example/m", SECRET))
    world.guard.tell_by(events, lambda: notified.append(1))
    decision = await world.route()
    permit = replace(decision.permit, dialled=(replace(decision.permit.dialled[0], country="GB"),))
    world.enter("a", replace(decision, permit=permit))
    await world.guard()
    rows = sorted(await world.store.outbox(None), key=lambda row: (row.url, row.sequence))
    assert [(row.event, row.url, row.account_id, row.secret) for row in rows] == [
        (event, url, account_id, secret)
        for url, account_id, secret in (
            ("https://acme.example/m", world.acme.id, ""), ("https://ops.example/m", "operator", SECRET),
        )
        for event in ("account.alarmed", "account.stopped")
    ]  # fmt: skip
    assert json.loads(rows[0].body)["data"] == {
        "accountId": world.acme.id, "alarm": "new_country", "country": "GB", "reason": None,
    }  # fmt: skip
    assert json.loads(rows[1].body)["data"]["reason"] == "new_country"
    assert notified == [1]


async def test_an_alarm_of_a_day_is_told_once_and_does_not_stop_again_what_was_resumed():
    world = await Limited().start(spend_per_day="1", stop_on=("day_spent",))
    for expected in (2, 3, 3):  # the resumption is the third fact
        world.book.find(world.acme.id) or await world.route()
        world.book.find(world.acme.id)._raise(Alarm.DAY_SPENT)
        world.clock.advance(1)
        await world.guard()
        assert len(await world.store.facts(world.acme.id)) == expected
        if expected == 2:
            await resume_account(world.store, world.clock, world.acme.id)
        world.clock.advance(1)
        world.begin()
        await world.router.refresh()
        assert await world.cause() is None


async def test_a_stop_holds_while_the_store_is_away_and_is_kept_when_it_is_back(monkeypatch):
    world = await Limited().start(new_country=True, countries=("anywhere",), stop_on=("new_country",))
    decision = await world.route()
    permit = replace(decision.permit, dialled=(replace(decision.permit.dialled[0], country="GB"),))
    world.enter("a", replace(decision, permit=permit))

    async def away(*args, **more):
        raise StoreUnavailable

    with monkeypatch.context() as patch:
        patch.setattr(world.store, "update_account", away)
        with pytest.raises(StoreUnavailable):
            await world.guard()
    world.clock.advance(1)
    assert await world.cause() is Cause.ACCOUNT_STOPPED
    await world.guard()
    assert (await world.store.account(world.acme.id)).stopped == "new_country"
    assert (world.guard.alarms[Alarm.NEW_COUNTRY], world.guard.stops) == (1, 1)


async def test_an_account_that_is_changed_at_the_same_moment_is_stopped_at_the_next_try(monkeypatch):
    world = await Limited().start(new_country=True, countries=("anywhere",))
    decision = await world.route()
    permit = replace(decision.permit, dialled=(replace(decision.permit.dialled[0], country=None),))
    world.enter("a", replace(decision, permit=permit))
    update, tries = world.store.update_account, []

    async def changed_meanwhile(*args, **more):
        tries.append(1)
        if len(tries) == 1:
            raise Conflict("This account was changed meanwhile. Try again.")
        return await update(*args, **more)

    monkeypatch.setattr(world.store, "update_account", changed_meanwhile)
    await world.guard()
    assert len(tries) == 2
    assert (await world.store.account(world.acme.id)).countries == ("unknown",)


async def test_an_account_that_is_gone_has_no_alarms(monkeypatch):
    world = await Limited().start(concurrent=1)
    usage = world.router.limits.book.usage("MA-gone", Limits(spend_per_day=1), 0, world.clock.wall())
    usage.recall(world.clock.wall(), "", [])
    world.enter("a", await world.route())
    usage._raise(Alarm.DAY_SPENT)
    await world.guard()
    assert world.guard.alarms[Alarm.DAY_SPENT] == 1


async def test_metrics_name_causes_and_alarms_and_no_account():
    world = await Limited().start(concurrent=1)
    world.enter("a", await world.route())
    await world.cause()
    samples = {(name, labels): value for name, labels, value in read_limits(world.book, world.guard)}
    assert samples["maskline_calls_refused_limits", ("account_full",)] == 1
    assert samples["maskline_account_alarms", ("day_spent",)] == 0
    assert samples["maskline_account_stops", ()] == samples["maskline_accounts_stopped", ()] == 0


# -- what an operator types -------------------------------------------------------------------------------------------


async def test_each_wish_changes_its_own_part():
    world = await Limited().start()
    limits = (await world.limit(
        calls_per_second=2.5, concurrent=10, number_calls_per_second=1, number_concurrent=2, attempts_per_session=9,
        minutes_per_day=600, spend_per_day="12.5", prefix_minutes=("+882=5",), time_zone="Asia/Singapore",
        countries=("gb",), allow=("+44",), deny=("+4490",), refused=("premium",), night_calls=7, short_calls=8,
        new_country=True, stop_on=("Short_Calls", "day_spent"),
    )).limits  # fmt: skip
    assert (limits.calls_per_second, limits.concurrent, limits.spend_per_day) == (2.5, 10, 12_500_000)
    assert (limits.prefixes[0].prefix, limits.prefixes[0].minutes_per_day) == ("+882", 5)
    rules, watch = limits.destinations, limits.watch
    assert (rules.countries, rules.allow, rules.deny, rules.refused) == (
        ("GB",), ("+44",), ("+4490",), (Kind.PREMIUM,),
    )  # fmt: skip
    assert (watch.night_calls, watch.stop_on) == (7, (Alarm.SHORT_CALLS, Alarm.DAY_SPENT))
    again = (await world.limit(prefix_minutes=("none",), stop_on=("none",), countries=("anywhere",))).limits
    assert (again.prefixes, again.watch.stop_on, again.destinations.everywhere) == ((), (), True)
    assert again.concurrent == 10
    assert (await world.limit()).limits == again
    assert (await world.limit(reset=Reset.SAFE)).limits == SAFE_LIMITS


@pytest.mark.parametrize(
    ("wish", "parameter"),
    [
        ({"prefix_minutes": ("+882",)}, "prefix_minutes"),
        ({"prefix_minutes": ("882=1",)}, "prefix_minutes"),
        ({"prefix_minutes": ("+882=-1",)}, "prefix_minutes"),
        ({"refused": ("cheap",)}, "refuse"),
        ({"stop_on": ("boredom",)}, "stop_on"),
        ({"spend_per_day": "lots"}, "spend_per_day"),
        ({"concurrent": -1}, "concurrent"),
        ({"countries": ("SGP",)}, "country"),
    ],
)
async def test_what_cannot_be_meant_is_refused(wish, parameter):
    world = await Limited().start()
    with pytest.raises(InvalidParameter) as refused:
        await world.limit(**wish)
    assert refused.value.parameter == parameter


async def test_a_subaccount_has_the_limits_of_its_account():
    world = await Limited().start()
    sub = await world.subaccount(world.acme)
    with pytest.raises(InvalidParameter, match="those of the main account"):
        await set_limits(world.store, world.clock, sub.id, LimitsWish(concurrent=1))


async def test_every_alarm_has_a_metric():
    world = await Limited().start()
    labels = {labels for name, labels, _ in read_limits(world.book, world.guard) if name == "maskline_account_alarms"}
    assert labels == {(alarm.value,) for alarm in Alarm}
