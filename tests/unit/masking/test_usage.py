"""masking.usage and masking.meter: no limit of an account is ever exceeded, whatever calls and clocks do."""

from __future__ import annotations

import weakref
from collections import Counter, defaultdict, deque
from dataclasses import replace

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from maskline.masking.facts import Cause, LegName
from maskline.masking.limits import Alarm, Limits, PrefixLimit, Watch, day_of
from maskline.masking.meter import Bucket, Meter
from maskline.masking.permit import Dialled, Permit
from maskline.masking.price import Direction, Price, charge
from maskline.masking.usage import Usage
from maskline.masking.usage_day import Past, Raised, Spoken

A, B = LegName.A, LegName.B
NOON = 1_790_000_000.0 // 86_400 * 86_400 + 43_200
"""Wall seconds."""
DAY = 86_400.0
PRICE = Price("p", None, Direction.OUTBOUND, "+", 60_000, 10_000, 6)


def permit(*dialled: Dialled, number: str = "+6531230000", session: str = "s") -> Permit:
    return Permit("MA1", number, session, dialled or (Dialled(B),))


def opened(limits: Limits) -> Usage:
    return Usage(limits, NOON)


def test_as_many_calls_at_a_time_as_are_allowed() -> None:
    usage = opened(Limits(concurrent=2))
    assert [usage.enter(name, permit(), 0, NOON) for name in "abc"] == [None, None, Cause.ACCOUNT_FULL]
    usage.leave("a", 1, NOON)
    usage.leave("a", 1, NOON)
    assert (usage.concurrent, usage.enter("c", permit(), 1, NOON)) == (1, None)


def test_each_number_has_its_own_limits() -> None:
    usage = opened(Limits(number_concurrent=1, number_calls_per_second=1))
    other = permit(number="+6531230001")
    assert [usage.enter("a", permit(), 0, NOON), usage.enter("b", permit(), 5, NOON)] == [None, Cause.ACCOUNT_FULL]
    assert usage.enter("c", other, 5, NOON) is None
    usage.leave("c", 5.5, NOON)
    assert usage.enter("d", other, 5.9, NOON) is Cause.ACCOUNT_FULL, "the second is not over"
    assert usage.enter("d", other, 6, NOON) is None


def test_a_bucket_gives_no_more_than_its_rate_whatever_the_clock_does() -> None:
    bucket = Bucket()
    given = 0
    for now in (0.0, 0.0, 0.0, 0.25, 0.5, 0.1, 0.1, 0.5, 1.0):
        if bucket.has_room(2, now):
            bucket.take()
            given += 1
    assert given == 4, "two at once, and two in the second after it"


def test_a_session_s_attempts_are_counted_by_the_local_day() -> None:
    usage = opened(Limits(attempts_per_session=1, time_zone="Asia/Singapore"))
    midnight = day_of(NOON, "Asia/Singapore").end
    assert usage.enter("a", permit(), 0, NOON) is None
    assert usage.enter("b", permit(), 1, midnight - 1) is Cause.ACCOUNT_SPENT
    assert usage.enter("b", permit(session="other"), 1, midnight - 1) is None
    assert usage.enter("c", permit(session=""), 1, midnight - 1) is None, "a call of no session"
    assert usage.enter("d", permit(), 2, midnight) is None


def test_the_minutes_of_a_day_are_used_by_what_is_answered() -> None:
    usage = opened(Limits(minutes_per_day=2))
    assert usage.seconds_left(permit(), 0, NOON) == 120
    usage.enter("a", permit(), 0, NOON)
    assert usage.seconds_left(permit(), 30, NOON + 30) == 120, "it rings"
    usage.answered("a", B, 30, NOON + 30)
    usage.answered("a", B, 40, NOON + 40)
    usage.answered("a", A, 40, NOON + 40)
    usage.answered("gone", B, 40, NOON + 40)
    assert usage.seconds_left(permit(), 60, NOON + 60) == 90
    assert usage.run_out(149, NOON + 149) == []
    assert usage.run_out(150, NOON + 150) == ["a"]
    usage.leave("a", 150, NOON + 150)
    assert usage.seconds(150) == 120
    assert usage.enter("b", permit(), 151, NOON + 151) is Cause.ACCOUNT_SPENT
    assert usage.enter("b", permit(), 151, NOON + DAY) is None


def test_both_legs_of_a_call_that_we_start_count() -> None:
    usage = opened(Limits(minutes_per_day=2))
    both = permit(Dialled(A), Dialled(B))
    assert usage.seconds_left(both, 0, NOON) == 60
    usage.enter("a", both, 0, NOON)
    usage.answered("a", A, 0, NOON)
    usage.answered("a", B, 10, NOON + 10)
    usage.leave("a", 20, NOON + 20)
    assert usage.seconds(20) == 30


def test_a_leg_that_is_over_uses_nothing_more() -> None:
    usage = opened(Limits(minutes_per_day=2))
    usage.enter("a", permit(Dialled(A), Dialled(B)), 0, NOON)
    usage.answered("a", A, 0, NOON)
    usage.answered("a", B, 0, NOON)
    usage.hung_up("a", B, 10, NOON + 10)
    usage.hung_up("a", B, 15, NOON + 15)
    usage.hung_up("b", B, 15, NOON + 15)
    usage.leave("a", 20, NOON + 20)
    assert usage.seconds(30) == 30


def test_what_is_kept_of_a_call_names_the_legs_that_it_dials_at_this_moment() -> None:
    usage = opened(Limits(concurrent=1))
    both = permit(Dialled(A), Dialled(B))
    usage.enter("a", both, 0, NOON)
    assert usage.permit_of("a") is both
    usage.hung_up("a", A, 5, NOON + 5)
    assert usage.permit_of("a") == permit(Dialled(B))
    usage.redial("a", permit(Dialled(B, country="GB")), 6, NOON + 6)
    assert usage.permit_of("a") == permit(Dialled(B, country="GB"))


def test_where_no_minutes_or_money_are_limited_none_run_out() -> None:
    usage = opened(Limits(concurrent=1))
    usage.enter("a", permit(), 0, NOON)
    usage.answered("a", B, 0, NOON)
    assert (usage.run_out(1e9, NOON), usage.seconds_left(permit(), 1e9, NOON)) == ([], float("inf"))


def test_a_price_of_nothing_is_no_money() -> None:
    usage = opened(Limits(spend_per_day=1))
    free = permit(Dialled(B, price=replace(PRICE, connection=0, per_minute=0)))
    assert usage.enter("a", free, 0, NOON) is None
    usage.answered("a", B, 0, NOON)
    usage.leave("a", 1_000, NOON + 1_000)
    assert (usage.spent(1_000), usage.enter("b", free, 1_000, NOON + 1_000)) == (0, None)


def test_a_prefix_has_minutes_of_its_own() -> None:
    usage = opened(Limits(prefixes=(PrefixLimit("+44", 1), PrefixLimit("+1", 5))))
    british = permit(Dialled(B, ("+44",)))
    usage.enter("a", british, 0, NOON)
    usage.enter("b", permit(Dialled(B, ("+1",))), 0, NOON)
    for call in "ab":
        usage.answered(call, B, 0, NOON)
    assert usage.run_out(60, NOON + 60) == ["a"]
    assert (usage.seconds_left(british, 60, NOON), usage.seconds_left(permit(), 60, NOON)) == (0, float("inf"))
    usage.leave("a", 60, NOON + 60)
    assert usage.enter("c", british, 61, NOON + 61) is Cause.ACCOUNT_SPENT


def test_money_is_set_aside_when_a_call_enters_and_booked_when_it_ends() -> None:
    usage = opened(Limits(spend_per_day=50_000))
    dear = permit(Dialled(B, price=PRICE))
    assert usage.enter("a", dear, 0, NOON) is None
    assert usage.spent(0) == pytest.approx(16_002)
    assert usage.seconds_left(dear, 0, NOON) == pytest.approx(17.996, abs=0.001)
    assert usage.seconds_left(permit(), 0, NOON) == float("inf"), "what is free may be called"
    usage.answered("a", B, 5, NOON + 5)
    assert usage.spent(15) == pytest.approx(26_002)
    usage.leave("a", 15, NOON + 15)
    assert usage.spent(15) == charge(PRICE, 10).amount == 22_000
    assert (
        usage.enter("b", permit(Dialled(B, price=replace(PRICE, connection=30_000))), 15, NOON) is Cause.ACCOUNT_SPENT
    )
    usage.enter("c", dear, 20, NOON + 20)
    usage.leave("c", 30, NOON + 30)
    assert usage.spent(30) == 22_000, "never answered"


def test_a_call_over_midnight_is_of_both_days() -> None:
    usage = opened(Limits(minutes_per_day=100_000, spend_per_day=10**9))
    usage.enter("a", permit(Dialled(B, ("+44",), PRICE)), 0, NOON)
    usage.enter("b", permit(Dialled(B, price=PRICE)), 0, NOON)
    usage.answered("a", B, 0, NOON)
    assert usage.seconds_left(permit(), 43_200, NOON + 43_200) == 100_000 * 60
    assert usage.spent(43_200) == pytest.approx(16_002), "what rings keeps what is set aside for it"
    usage.leave("b", 43_200, NOON + 43_200)
    usage.leave("a", 43_260, NOON + 43_260)
    assert (usage.seconds(43_260), usage.spent(43_260)) == (60, pytest.approx(60_000))


def test_a_clock_that_jumps_ahead_and_back_gives_nothing_back() -> None:
    usage = opened(Limits(attempts_per_session=1))
    usage.enter("a", permit(), 0, NOON)
    for day in range(1, 3):
        assert usage.enter(f"{day}", permit(), day, NOON + day * DAY) is None
    assert usage.enter("b", permit(), 4, NOON) is Cause.ACCOUNT_SPENT
    for day in range(3, 9):
        usage.look(permit(), 5, NOON + day * DAY)
    assert usage.enter("c", permit(), 9, NOON) is None, "a day long ago is forgotten"


class Watched(str):
    """A session's id of which can be told whether anything has it still."""


def test_how_often_sessions_of_a_day_were_called_is_forgotten_an_hour_after_it() -> None:
    """A million of them are 120 MB."""
    usage = opened(Limits(attempts_per_session=1, minutes_per_day=1))
    session = Watched("s")
    held = weakref.ref(session)
    usage.enter("a", permit(session=session), 0, NOON)
    usage.answered("a", B, 0, NOON)
    usage.leave("a", 60, NOON + 60)
    del session
    assert usage.enter("b", permit(session="t"), 100, NOON + DAY) is None
    usage.look(permit(), 3_699, NOON + DAY + 3_599)
    assert held() is not None, "a clock may be set back yet"
    usage.look(permit(), 3_700, NOON + DAY + 3_600)
    assert held() is None
    assert usage.look(permit(session="t"), 3_700, NOON + DAY + 3_600) is Cause.ACCOUNT_SPENT, "of today"
    usage.look(permit(), 3_701, NOON + 3_601)
    assert usage.seconds(3_701) == 60, "minutes of each day stay"


def test_a_jump_back_within_the_hour_starts_another_hour() -> None:
    usage = opened(Limits(attempts_per_session=1))
    usage.enter("a", permit(), 0, NOON)
    usage.look(permit(), 10, NOON + DAY)
    usage.look(permit(), 3_600, NOON)
    usage.look(permit(), 5_000, NOON + DAY)
    usage.look(permit(), 8_599, NOON + DAY)
    assert usage.look(permit(), 8_599, NOON) is Cause.ACCOUNT_SPENT


def test_sessions_are_not_counted_where_their_calls_are_not_limited() -> None:
    usage = opened(Limits(concurrent=5))
    sessions = [Watched("s"), Watched("t"), Watched("u")]
    held = [weakref.ref(one) for one in sessions]
    usage.enter("a", permit(session=sessions[0]), 0, NOON)
    usage.leave("a", 1, NOON)
    usage.restore("b", permit(session=sessions[1]), Past(NOON, {}), 1, NOON)
    usage.leave("b", 1, NOON)
    usage.recall(NOON, sessions[2], [])
    sessions.clear()
    assert [one() for one in held] == [None, None, None]
    usage.change(Limits(attempts_per_session=1), 2, NOON)
    assert [usage.enter(name, permit(), 2, NOON) for name in "cd"] == [None, Cause.ACCOUNT_SPENT], "from now on"


def test_other_limits_hold_at_once_and_what_was_used_stays_used() -> None:
    usage = opened(Limits(minutes_per_day=10))
    usage.enter("a", permit(), 0, NOON)
    usage.answered("a", B, 0, NOON)
    usage.change(Limits(minutes_per_day=1), 60, NOON + 60)
    assert usage.run_out(60, NOON + 60) == ["a"]
    usage.change(Limits(minutes_per_day=1, time_zone="Pacific/Kiritimati"), 61, NOON + 61)
    assert usage.seconds(61) == 0, "their day began two hours ago"


def test_what_records_tell_of_today_counts() -> None:
    usage = opened(Limits(minutes_per_day=2, attempts_per_session=1, watch=Watch(new_country=True)))
    leg = Spoken(Dialled(B, ("+44",), PRICE, "GB"), 60.0, 70_000, NOON - 40)
    usage.recall(NOON - 100, "s", [leg])
    usage.recall(NOON - 100, "", [])
    usage.recall(NOON - DAY, "s", [leg._replace(ended=NOON - DAY + 60)])
    usage.recall(NOON + DAY, "s", [leg])
    assert (usage.seconds(0), usage.spent(0)) == (60, 70_000)
    assert usage.look(permit(), 0, NOON) is Cause.ACCOUNT_SPENT
    usage.enter("a", permit(Dialled(B, country="GB"), session="t"), 0, NOON)
    assert usage.raised == [], "known since before"


def test_of_a_call_over_midnight_its_part_of_today_counts() -> None:
    usage = opened(Limits(minutes_per_day=2, attempts_per_session=1))
    midnight = NOON - 43_200
    usage.recall(midnight - 60, "s", [Spoken(Dialled(B, ("+44",)), 80.0, 1_000, midnight + 20)])
    usage.recall(midnight - 60, "s", [Spoken(Dialled(B), 0.0, 0, midnight + 20)])
    assert (usage.seconds(0), usage.spent(0)) == (20, 250)
    assert usage.look(permit(), 0, NOON) is None, "its try was yesterday's"


def test_short_calls_of_before_count_for_the_alarm() -> None:
    usage = opened(Limits(watch=Watch(short_calls=3, short_share=100, short_seconds=10)))
    for at in range(2):
        usage.recall(NOON, "", [Spoken(Dialled(B), 1.0 + at, 0, NOON)])
    usage.enter("a", permit(), 0, NOON)
    usage.answered("a", B, 0, NOON)
    usage.leave("a", 1, NOON)
    assert usage.raised == [Raised(Alarm.SHORT_CALLS)]


def test_a_call_of_an_engine_that_died_is_in_as_it_was() -> None:
    limits = Limits(concurrent=1, minutes_per_day=10, spend_per_day=10**9, attempts_per_session=1)
    lived, restored = opened(limits), opened(limits)
    legs = permit(Dialled(B, ("+44",), PRICE), Dialled(A, ("+44",), PRICE))
    lived.enter("a", legs, 0, NOON)
    lived.answered("a", B, 10, NOON + 10)
    restored.restore("a", lived.permit_of("a"), Past(NOON, {B: NOON + 10}), 1_030, NOON + 30)
    assert restored.look(permit(), 1_030, NOON + 30) is Cause.ACCOUNT_FULL
    spent = lived.spent(30)
    for usage, ahead in ((lived, 0), (restored, 1_000)):
        assert (usage.seconds(ahead + 30), usage.spent(ahead + 30)) == (20, pytest.approx(spent))
        usage.leave("a", ahead + 40, NOON + 40)
        assert usage.seconds(ahead + 40) == 30
        assert usage.look(permit(), ahead + 40, NOON + 40) is Cause.ACCOUNT_SPENT, "its try"
    assert lived.spent(40) == restored.spent(1_040) == charge(PRICE, 30).amount


def test_of_one_that_began_yesterday_the_part_of_today_is_in() -> None:
    usage = opened(Limits(minutes_per_day=1_000, spend_per_day=10**9, attempts_per_session=1))
    midnight = NOON - 43_200
    legs = permit(Dialled(B, (), PRICE), session="")
    usage.restore("a", legs, Past(midnight - 100, {B: midnight - 90}), 0, NOON)
    usage.restore("b", legs, Past(NOON - 5, {}), 0, NOON)
    assert usage.seconds(0) == 43_200
    assert usage.spent(0) == pytest.approx(43_200 * PRICE.per_minute / 60 + legs.dialled[0].ahead)


# -- alarms ---------------------------------------------------------------------------------------------------------


def test_a_new_country_is_told_of_once() -> None:
    usage = opened(Limits(watch=Watch(new_country=True)))
    usage.know(frozenset({"SG"}))
    for at, country in enumerate(("SG", "GB", "GB", None)):
        usage.enter(f"{at}", permit(Dialled(B, country=country)), 0, NOON)
    assert usage.raised == [Raised(Alarm.NEW_COUNTRY, "GB"), Raised(Alarm.NEW_COUNTRY, "unknown")]


def test_many_calls_in_an_hour_of_the_night_are_told_of_once_a_day() -> None:
    usage = opened(Limits(watch=Watch(night_calls=2, night_from=11, night_until=13)))
    for at in range(6):
        usage.enter(f"{at}", permit(), 0, NOON)
    assert usage.raised == [Raised(Alarm.NIGHT_PEAK)]
    usage.raised.clear()
    for at in range(6, 9):
        usage.enter(f"{at}", permit(), 0, NOON + 3 * 3_600)
    assert usage.raised == [], "by day"


def test_most_calls_of_an_hour_being_short_is_told_of() -> None:
    usage = opened(Limits(watch=Watch(short_calls=4, short_share=75, short_seconds=10)))
    for at, seconds in enumerate((60, 2, 3, 4, 5)):
        usage.enter(f"{at}", permit(), 0, NOON)
        usage.answered(f"{at}", B, 0, NOON)
        usage.leave(f"{at}", seconds, NOON)
        assert bool(usage.raised) == (at >= 3)
    assert usage.raised == [Raised(Alarm.SHORT_CALLS)]


def test_a_spent_day_is_told_of() -> None:
    usage = opened(Limits(spend_per_day=1))
    assert usage.run_out(0, NOON) == []
    usage.recall(NOON, "", [Spoken(Dialled(B), 1.0, 5, NOON)])
    assert (usage.run_out(0, NOON), usage.raised) == ([], [Raised(Alarm.DAY_SPENT)])


def test_a_meter_without_calls_has_no_dust() -> None:
    meter = Meter()
    meter.hold(0.1)
    meter.run(0.1, 0.3)
    meter.drop(0.1, 0.1, 0.3)
    assert (meter.at(1e9), meter.room(1, 0, 0)) == (0, float("inf"))


# -- all of it ------------------------------------------------------------------------------------------------------

LIMITS = Limits(
    calls_per_second=2, concurrent=4, number_calls_per_second=1, number_concurrent=2, attempts_per_session=20,
    minutes_per_day=3, spend_per_day=300_000, prefixes=(PrefixLimit("+44", 1),),
)  # fmt: skip


class Account(RuleBasedStateMachine):
    """One account, its calls, and two clocks of which one jumps. Everything is counted a second time, by hand."""

    def __init__(self) -> None:
        super().__init__()
        self.now, self.wall = 100.0, NOON
        self.usage = opened(LIMITS)
        self.numbers: dict[str, str] = {}
        self.begun: dict[str, float] = {}
        self.permits: dict[str, Permit] = {}
        self.entered: deque[tuple[float, str]] = deque()
        self.attempts: Counter[tuple[int, str]] = Counter()
        self.talked: defaultdict[tuple[int, str], float] = defaultdict(float)
        self.money: defaultdict[int, float] = defaultdict(float)
        self.count = 0

    @property
    def day(self) -> int:
        return day_of(self.wall, "UTC").key

    @rule(number=st.sampled_from("12"), session=st.sampled_from("st"), prefix=st.sampled_from(((), ("+44",))))
    def dial(self, number: str, session: str, prefix: tuple[str, ...]) -> None:
        self.count += 1
        one = permit(Dialled(B, prefix, PRICE), number=number, session=session)
        left = self.usage.seconds_left(one, self.now, self.wall)
        if self.usage.enter(f"{self.count}", one, self.now, self.wall) is None:
            assert left >= 1
            self.permits[f"{self.count}"] = one
            self.entered.append((self.now, number))
            self.attempts[self.day, session] += 1

    @precondition(lambda self: self.permits.keys() - self.begun.keys())
    @rule(data=st.data())
    def answer(self, data: st.DataObject) -> None:
        name = data.draw(st.sampled_from(sorted(self.permits.keys() - self.begun.keys())))
        self.usage.answered(name, B, self.now, self.wall)
        self.begun[name] = self.now

    @precondition(lambda self: self.permits)
    @rule(data=st.data())
    def hang_up(self, data: st.DataObject) -> None:
        self.end(data.draw(st.sampled_from(sorted(self.permits))))

    def end(self, name: str) -> None:
        self.usage.leave(name, self.now, self.wall)
        begun = self.begun.pop(name, None)
        if begun is not None:
            self.money[self.day] += charge(PRICE, self.now - begun).amount
        del self.permits[name]

    @rule(seconds=st.integers(1, 40))
    def wait(self, seconds: int) -> None:
        for _ in range(4 * seconds):
            self.now += 0.25
            self.wall += 0.25
            for name in self.begun:
                self.talked[self.day, ""] += 0.25
                for prefix in self.permits[name].dialled[0].prefixes:
                    self.talked[self.day, prefix] += 0.25
            for name in set(self.usage.run_out(self.now, self.wall)):
                self.end(name)

    @precondition(lambda self: not self.begun)
    @rule(days=st.sampled_from((-1, 1, 1)))
    def jump(self, days: int) -> None:
        if 0 <= self.wall + days * DAY - NOON < 3 * DAY:
            self.wall += days * DAY

    @invariant()
    def calls_at_a_time(self) -> None:
        on_number = Counter(one.number for one in self.permits.values())
        assert len(self.permits) == self.usage.concurrent <= LIMITS.concurrent
        assert not on_number or max(on_number.values()) <= LIMITS.number_concurrent

    @invariant()
    def calls_a_second(self) -> None:
        while self.entered and self.entered[0][0] <= self.now - 1:
            self.entered.popleft()
        assert len(self.entered) <= 2 * LIMITS.calls_per_second, "as many at once, and as many within the second"
        on_number = Counter(number for _, number in self.entered)
        assert not on_number or max(on_number.values()) <= 2 * LIMITS.number_calls_per_second

    @invariant()
    def a_day(self) -> None:
        assert not self.attempts or max(self.attempts.values()) <= LIMITS.attempts_per_session
        # A quarter of a second is how often this test asks what has run out.
        late = 0.25 * LIMITS.concurrent
        for (_, prefix), seconds in self.talked.items():
            assert seconds <= (60 if prefix else 180) + late
        assert all(amount <= LIMITS.spend_per_day + late * PRICE.per_minute / 60 for amount in self.money.values())


Account.TestCase.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)
TestAccount = Account.TestCase
