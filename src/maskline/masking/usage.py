"""What one account uses at this moment and has used today, held against its limits.

What it is: the counters and the decision *allowed or why not*, for one main account and one process. What it is not:
destinations (`destinations.py`), a clock, or a store: at the start of a process what the day's records tell is given by
`recall`. Who uses it: `usage_book.py`.

Times: `now` is monotonic, `wall` seconds UTC. Calls a second, durations and money go by `now`, so that a wall clock
that jumps makes no second longer. Only which day it is goes by `wall`. The last days are kept, so that a clock that
jumps ahead and back finds the day's counts again: no jump gives back what was used, but for the calls of sessions when
it was wrong for an hour (`usage_day.Days`).
"""

from __future__ import annotations

from collections.abc import Sequence

from maskline.masking.facts import Cause
from maskline.masking.limits import HOUR, MINUTE, Alarm, Day, Limits, day_of
from maskline.masking.meter import Bucket, Meter
from maskline.masking.permit import Permit
from maskline.masking.usage_day import Days, HeldCall, Past, Raised, Spoken, Talk

_DUST = 1e-6
"""Of floats: a limit that is reached but for this is reached."""
_UNBOUNDED = float("inf")


class Usage:
    """Of one account. Calls enter once and leave once."""

    __slots__ = (
        "_bucket", "_calls", "_countries", "_day", "_days", "_is_metered", "_numbers", "_on_number", "_prefixes",
        "_today", "limits", "raised",
    )  # fmt: skip

    def __init__(self, limits: Limits, wall: float) -> None:
        self._bucket = Bucket()
        self._numbers: dict[str, Bucket] = {}
        self._on_number: dict[str, int] = {}
        self._calls: dict[str, HeldCall] = {}
        self._countries: set[str | None] = set()
        self._days = Days()
        self._today = day_of(wall, limits.time_zone)
        self._day = self._days.use(self._today.key, 0.0)
        self.raised: list[Raised] = []
        """Alarms since the last time; whoever takes them clears it."""
        self._hold_to(limits)

    def _hold_to(self, limits: Limits) -> None:
        self.limits = limits
        self._prefixes = {one.prefix: one.minutes_per_day * MINUTE for one in limits.prefixes}
        self._is_metered = bool(limits.minutes_per_day or limits.spend_per_day or limits.prefixes)

    @property
    def concurrent(self) -> int:
        return len(self._calls)

    def seconds(self, now: float) -> float:
        """Talked today, calls in progress with it."""
        return self._day.talked.at(now)

    def spent(self, now: float) -> float:
        """Millionths of today, with what is set aside for calls in progress."""
        return self._day.money.at(now)

    def change(self, limits: Limits, now: float, wall: float) -> None:
        """Other limits from now on; what was used stays used."""
        self._hold_to(limits)
        self._turn(now, day_of(wall, limits.time_zone))

    def know(self, countries: frozenset[str | None]) -> None:
        """These are not new."""
        self._countries |= countries

    # -- a call -------------------------------------------------------------------------------------------------

    def look(self, permit: Permit, now: float, wall: float) -> Cause | None:
        """Whether one more call is within the limits, at this moment."""
        limits = self.limits
        self._see(now, wall)
        number = permit.number
        if limits.concurrent and len(self._calls) >= limits.concurrent:
            return Cause.ACCOUNT_FULL
        if limits.number_concurrent and self._on_number.get(number, 0) >= limits.number_concurrent:
            return Cause.ACCOUNT_FULL
        if limits.calls_per_second and not self._bucket.has_room(limits.calls_per_second, now):
            return Cause.ACCOUNT_FULL
        if limits.number_calls_per_second and not self._bucket_of(number).has_room(limits.number_calls_per_second, now):
            return Cause.ACCOUNT_FULL
        attempts = limits.attempts_per_session
        if attempts and permit.session_id and self._day.attempts.get(permit.session_id, 0) >= attempts:
            return Cause.ACCOUNT_SPENT
        if self._is_metered and permit.dialled and self._left(permit, now) < 1:
            return Cause.ACCOUNT_SPENT
        return None

    def seconds_left(self, permit: Permit, now: float, wall: float) -> float:
        """How long the call may talk by what is left of the day; inf: there is no limit."""
        if not self._is_metered:
            return _UNBOUNDED
        self._see(now, wall)
        return self._left(permit, now)

    def _left(self, permit: Permit, now: float) -> float:
        limits, day, dialled, left = self.limits, self._day, permit.dialled, _UNBOUNDED
        if limits.minutes_per_day:
            left = day.talked.room(limits.minutes_per_day * MINUTE, len(dialled), now)
        ahead = dear = 0.0
        for one in dialled:
            if one.price is not None:
                ahead += one.ahead
                dear += one.a_second
            for prefix in one.prefixes:
                most = self._prefixes.get(prefix)
                if most is not None:  # else the limits are others since it was allowed
                    rate = 1 if len(dialled) == 1 else sum([prefix in other.prefixes for other in dialled])
                    left = min(left, day.prefix(prefix).room(most, rate, now))
        if limits.spend_per_day and ahead:
            left = min(left, day.money.room(limits.spend_per_day - ahead, dear, now))
        return left

    def enter(self, call_id: str, permit: Permit, now: float, wall: float) -> Cause | None:
        """One more call; or why it is not one, and then nothing is counted."""
        refused = self.look(permit, now, wall)
        if refused is not None:
            return refused
        limits = self.limits
        if limits.calls_per_second:
            self._bucket.take()
        if limits.number_calls_per_second:
            self._bucket_of(permit.number).take()
        call = self._hold(call_id, permit)
        for talk in call.talks:
            self._day.hold(talk)
        self._attempt(permit.session_id, wall)
        if limits.watch.new_country:
            for dialled in permit.dialled:
                self._meet(dialled.country)
        return None

    def _hold(self, call_id: str, permit: Permit) -> HeldCall:
        self._on_number[permit.number] = self._on_number.get(permit.number, 0) + 1
        call = self._calls[call_id] = HeldCall(permit)
        return call

    def restore(self, call_id: str, permit: Permit, past: Past, now: float, wall: float) -> None:
        """A call that is in already, as an engine before this one left it; nothing is refused."""
        self._see(now, wall)
        today = self._today.start
        if today <= past.started:
            self._note(self._hour(past.started), permit.session_id)
        call = self._hold(call_id, permit)
        for talk in call.talks:
            at = past.answered.get(talk.dialled.leg)
            if at is None:
                self._day.hold(talk)
                continue
            talk.begun, talk.since = now - (wall - at), now - (wall - max(at, today))
            if at < today:
                talk.ahead = 0.0  # set aside, and paid, on the day of its answer
            self._day.hold(talk)
            self._day.run(talk, talk.since)

    def permit_of(self, call_id: str) -> Permit:
        """Of a call that is in, with the legs that it dials at this moment."""
        return self._calls[call_id].current

    def answered(self, call_id: str, leg: str, now: float, wall: float) -> None:
        """A leg that we dialled is answered: it costs from now on."""
        call = self._calls.get(call_id)
        for talk in () if call is None else call.talks:
            if talk.dialled.leg == leg and talk.begun is None:
                self._see(now, wall)
                talk.begun = talk.since = now
                self._day.run(talk, now)

    def leave(self, call_id: str, now: float, wall: float) -> None:
        """The call is over. One that never entered leaves nothing."""
        call = self._calls.pop(call_id, None)
        if call is None:
            return
        self._see(now, wall)
        number = call.permit.number
        self._on_number[number] -= 1
        if not self._on_number[number]:
            del self._on_number[number]
        for talk in call.talks:
            self._finish(talk, now, wall)

    def hung_up(self, call_id: str, leg: str, now: float, wall: float) -> None:
        """A leg that we dialled is over; the call may go on without it."""
        call = self._calls.get(call_id)
        if call is None:
            return
        for talk in [talk for talk in call.talks if talk.dialled.leg == leg]:
            self._see(now, wall)
            call.talks.remove(talk)
            call.changed()
            self._finish(talk, now, wall)

    def redial(self, call_id: str, permit: Permit, now: float, wall: float) -> Cause | None:
        """A call that is in dials once more, as a call flow may, or may not. It is no other call."""
        if permit.dialled and self.seconds_left(permit, now, wall) < 1:
            return Cause.ACCOUNT_SPENT
        call = self._calls[call_id]
        for dialled in permit.dialled:
            self.hung_up(call_id, dialled.leg, now, wall)
            talk = Talk(dialled)
            call.talks.append(talk)
            call.changed()
            self._day.hold(talk)
            if self.limits.watch.new_country:
                self._meet(dialled.country)
        return None

    def run_out(self, now: float, wall: float) -> list[str]:
        """Calls that talk on minutes or money which are used up: they are to be ended. Ask it every second."""
        if not self._is_metered:
            return []
        self._see(now, wall)
        limits, day = self.limits, self._day
        spent: set[str] = set()
        everything = bool(limits.minutes_per_day) and _is_spent(day.talked, limits.minutes_per_day * MINUTE, now)
        everything = everything or (bool(limits.spend_per_day) and _is_spent(day.money, limits.spend_per_day, now))
        for one in limits.prefixes:
            meter = day.prefixes.get(one.prefix)
            if meter is not None and _is_spent(meter, one.minutes_per_day * MINUTE, now):
                spent.add(one.prefix)
        if not everything and not spent:
            return []
        self._raise(Alarm.DAY_SPENT)
        return [
            call_id
            for call_id, call in self._calls.items()
            for talk in call.talks
            if talk.begun is not None and (everything or not spent.isdisjoint(talk.dialled.prefixes))
        ]

    # -- the past -----------------------------------------------------------------------------------------------

    def recall(self, started: float, session_id: str, legs: Sequence[Spoken]) -> None:
        """A call that was carried elsewhere, or before this process began: when it started, and the legs that were
        dialled. Of what was spoken yesterday nothing is left."""
        today = self._today
        if started >= today.end:
            return
        if started >= today.start:
            self._note(self._hour(started), session_id)
        for leg in legs:
            share = 1.0 if started >= today.start else min((leg.ended - today.start) / max(leg.seconds, _DUST), 1.0)
            if share <= 0:
                continue
            self._day.spend(leg.dialled, leg.seconds * share, leg.amount * share)
            if leg.seconds:
                self._day.note_talk(max(0, self._hour(leg.ended)), leg.seconds < self.limits.watch.short_seconds)
            self._countries.add(leg.dialled.country)

    # -- days ---------------------------------------------------------------------------------------------------

    def _see(self, now: float, wall: float) -> None:
        """A day that has begun meanwhile, or that the clock was set back to."""
        if not self._today.start <= wall < self._today.end:
            self._turn(now, day_of(wall, self.limits.time_zone))
        elif now >= self._days.forgets_at:
            self._days.forget()

    def _turn(self, now: float, today: Day) -> None:
        """Calls go on at the cost of the other day."""
        before, self._today = self._today, today
        if today.key == before.key:
            return
        for call in self._calls.values():
            for talk in call.talks:
                self._day.drop(talk)
                if talk.begun is not None:
                    self._day.book(talk, now)
        self._day = self._days.use(today.key, now)
        for call in self._calls.values():
            for talk in call.talks:
                if talk.begun is not None:
                    talk.ahead, talk.since = 0.0, now  # set aside, and paid, on the day of its answer
                self._day.hold(talk)
                if talk.begun is not None:
                    self._day.run(talk, now)

    def _hour(self, wall: float) -> int:
        return int((wall - self._today.start) // HOUR)

    def _note(self, hour: int, session_id: str) -> None:
        self._day.note(hour, session_id if self.limits.attempts_per_session else "")

    def _finish(self, talk: Talk, now: float, wall: float) -> None:
        self._day.drop(talk)
        if talk.begun is not None:
            self._day.book(talk, now)
            self._note_talk(now - talk.begun, wall)

    def _bucket_of(self, number: str) -> Bucket:
        bucket = self._numbers.get(number)
        if bucket is None:
            bucket = self._numbers[number] = Bucket()
        return bucket

    # -- alarms -------------------------------------------------------------------------------------------------

    def _attempt(self, session_id: str, wall: float) -> None:
        day, watch, hour = self._day, self.limits.watch, self._hour(wall)
        self._note(hour, session_id)
        if watch.night_calls and day.hours.get(hour, 0) > watch.night_calls and watch.is_night(hour):
            self._raise(Alarm.NIGHT_PEAK)

    def _note_talk(self, seconds: float, wall: float) -> None:
        day, watch, hour = self._day, self.limits.watch, self._hour(wall)
        day.note_talk(hour, seconds < watch.short_seconds)
        talks, short = day.talks[hour], day.short.get(hour, 0)
        if watch.short_calls and talks >= watch.short_calls and 100 * short >= watch.short_share * talks:
            self._raise(Alarm.SHORT_CALLS)

    def _meet(self, country: str | None) -> None:
        if country not in self._countries:
            self._countries.add(country)
            self.raised.append(Raised(Alarm.NEW_COUNTRY, country or "unknown"))

    def _raise(self, alarm: Alarm) -> None:
        if alarm not in self._day.raised:
            self._day.raised.add(alarm)
            self.raised.append(Raised(alarm))


def _is_spent(meter: Meter, limit: float, now: float) -> bool:
    return meter.at(now) >= limit - _DUST
