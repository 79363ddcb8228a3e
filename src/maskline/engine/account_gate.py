"""What the calls of this engine use of their accounts' limits.

What it is: the bridge between calls and `masking/usage_book.py`: a call enters, its legs are answered and end, it
leaves. What it is not: the limits, or the choice of what is allowed (`workflows/check_limits.py`). Who uses it:
`core.py`. A call of an account without limits has no permit, and costs one look at that.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

from maskline.clock import Clock
from maskline.engine import inputs as i
from maskline.engine.call_kept import KeptCall
from maskline.masking.decision import Dial, Forward, Refuse, RunFlow
from maskline.masking.facts import Cause, Fact, LegAnswered, LegEnded, LegName
from maskline.masking.permit import Permit
from maskline.masking.usage_book import UsageBook
from maskline.masking.usage_day import Past


class AccountGate:
    __slots__ = ("_book", "_clock")

    def __init__(self, book: UsageBook, clock: Clock) -> None:
        self._book = book
        self._clock = clock

    def take(self, call_id: str, permit: Permit | None, now: float) -> Cause | None:
        """The call enters; or why it may not after all."""
        if permit is None:
            return None
        cause = self._book.enter(call_id, permit, now, self._clock.wall(now))
        if cause is not None:
            self._book.refused[cause] += 1
        return cause

    def admit(self, call_id: str, forwarded: i.Forwarded, now: float) -> i.Forwarded | i.Refused:
        """Between the choice and this moment other calls may have used up what was left."""
        decision = forwarded.decision
        cause = self.take(call_id, decision.permit, now)
        return forwarded if cause is None else i.Refused(_refusal(decision, cause))

    def admit_flow(self, call_id: str, flow: RunFlow, now: float, first: LegName = LegName.B) -> RunFlow:
        """The same for what a call flow dials: such a step fails when its turn comes. `first`: the leg that its first
        step dials; all others dial leg B."""
        if not any(isinstance(step, Dial) and step.permit is not None for step in flow.steps):
            return flow
        steps, told = list(flow.steps), set[LegName]()
        for place, step in enumerate(steps):
            leg = LegName.B if place else first
            # Each leg is dialled once. A second step for it will not be carried out, and must not count instead of it.
            if isinstance(step, Dial) and leg not in told:
                told.add(leg)
                steps[place] = self._admit_step(call_id, step, leg, now)
        return replace(flow, steps=tuple(steps))

    def _admit_step(self, call_id: str, step: Dial, leg: LegName, now: float) -> Dial:
        if step.permit is None:
            return step
        permit = step.permit
        permit = replace(permit, dialled=tuple([replace(one, leg=leg) for one in permit.dialled]))
        cause = self.take(call_id, permit, now)
        return step if cause is None else replace(step, trunk=None, ways=(), refused=cause)

    def note(self, call_id: str, facts: Sequence[Fact], now: float) -> None:
        """What a call told. Durations count from the answer to the end of each leg."""
        usage = self._book.calls.get(call_id)
        if usage is None:
            return
        for fact in facts:
            if type(fact) is LegAnswered:
                usage.answered(call_id, fact.leg, now, self._clock.wall(now))
            elif type(fact) is LegEnded:
                usage.hung_up(call_id, fact.leg, now, self._clock.wall(now))

    def leave(self, call_id: str, now: float) -> None:
        """The call is over."""
        if call_id in self._book.calls:
            self._book.leave(call_id, now, self._clock.wall(now))

    def permit_of(self, call_id: str) -> Permit | None:
        """What the call uses at this moment; None: its account has no limits."""
        return self._book.permit_of(call_id)

    def restore(self, kept: KeptCall, now: float) -> None:
        """A call that an engine before this one left is in, as it was."""
        if kept.permit is None:
            return
        legs = ((LegName.A, kept.record.a.answered_at), (LegName.B, kept.record.b.answered_at))
        past = Past(kept.record.started_at, {leg: at for leg, at in legs if at is not None})
        self._book.restore(kept.call_id, kept.permit, past, now, self._clock.wall(now))

    def look(self, end: Callable[[str, i.Input, float], None], now: float) -> None:
        """End the calls whose minutes or money are used up; call it about once a second."""
        for call_id in self._book.run_out(now, self._clock.wall(now)):
            end(call_id, i.Stopped(Cause.ACCOUNT_SPENT), now)


def _refusal(decision: Forward, cause: Cause) -> Refuse:
    return Refuse(cause, decision.virtual_number, decision.session)
