"""Calls that a process before this one had when it died: put together again, or brought to their end.

What it is: for a call whose parties talked both dialogs, its media, its places on trunks, what it uses of
its account's limits and the rest of its time; for any other one its last facts and its record. What it is not: the
state of a call (`call_keep.py`), or reading it from the store (`workflows/recover_calls.py`). Who uses it: `core.py`,
before it hears anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from maskline.engine import effects as e
from maskline.engine.account_gate import AccountGate
from maskline.engine.call import Call
from maskline.engine.call_book import CallBook
from maskline.engine.call_end import end
from maskline.engine.call_keep import end_begun, ending_of, keep
from maskline.engine.call_kept import KeptCall, KeptTalk
from maskline.engine.counters import EngineCounters
from maskline.engine.leg import Leg
from maskline.engine.ports import CallCommit, CutOff
from maskline.engine.trunk_book import TrunkBook
from maskline.engine.trunk_credentials import credentials_for, credentials_of
from maskline.engine.trunk_gate import TrunkGate
from maskline.masking.facts import Cause, HungUpBy, LegName
from maskline.media.port import HeldLeg, HeldMedia
from maskline.sip.agent import Agent
from maskline.sip.kept_usage import KeptUsage

A, B = LegName.A, LegName.B


class Revival:
    def __init__(
        self, book: CallBook, agent: Agent, gate: TrunkGate, accounts: AccountGate, trunks: TrunkBook,
        counters: EngineCounters, note_fault: Callable[[Exception], None],
    ) -> None:  # fmt: skip
        self._agent = agent
        self._book = book
        self._gate = gate
        self._accounts = accounts
        self._permit_of = accounts.permit_of
        self._trunks = trunks
        self._counters = counters
        self._note_fault = note_fault

    def keep(self, call: Call, now: float) -> KeptCall | None:
        """As `call_keep.keep`. A call that cannot be kept is a call all the same."""
        try:
            return keep(call, now, self._permit_of)
        except Exception as fault:  # noqa: BLE001 - as said
            self._note_fault(fault)
            return None

    def revive(
        self, past: CutOff, now: float, perform: Callable[[Call, Iterator[e.Effect], float], None],
        ask: Callable[[Iterable[tuple[str, e.AdoptMedia | e.CloseMedia]]], None],
        commit: Callable[[Iterable[CallCommit]], None],
    ) -> None:  # fmt: skip
        """A call whose two parties talked goes on; any other one, and one that cannot go on, has its end now."""
        kept = past.kept
        wall = self._book.wall(now)
        self._accounts.restore(kept, now)
        if kept.talk is not None:
            try:
                revived = self._go_on(past, kept.talk, wall, now)
            except Exception as fault:  # noqa: BLE001 - one call that cannot go on must not keep the others from it
                self._note_fault(fault)
                self._book.abandon(kept.call_id)
            else:
                self._counters.recovered += 1
                perform(*revived, now)
                return
        for invite in kept.ringing:
            self._agent.take_back(invite, now)
        commit(end_begun(kept, past.context, past.facts, wall, asked=past.end_asked))
        self._accounts.leave(kept.call_id, now)
        self._gate.leave(kept.call_id)
        # Whatever the driver still has of it; a daemon is told of it only when it is ours.
        ask(((kept.call_id, e.AdoptMedia(HeldMedia(()))), (kept.call_id, e.CloseMedia())))

    def let_go(
        self, forget: Callable[[Call, e.Forget, float], None], calls: Iterable[str], now: float
    ) -> None:  # fmt: skip
        """Calls that another engine has by now: without a word to anybody, and their media is that one's."""
        for call_id in calls:
            call = self._book.calls.get(call_id)
            if call is None:
                continue
            self._counters.lost += 1
            for leg in (call.leg_a, call.leg_b):
                if leg.usage is not None:
                    self._agent.let_go(leg.usage, now)
            forget(call, e.Forget(), now)

    def _go_on(self, past: CutOff, talk: KeptTalk, wall: float, now: float) -> tuple[Call, Iterator[e.Effect]]:
        call = self._book.restore(past, talk, now)
        for leg, usage in ((call.leg_a, talk.a), (call.leg_b, talk.b)):
            self._connect(call, leg, usage, wall - past.kept.at, now)
        out: list[e.Effect] = []
        call.record.recovered(now, out, goes_on=True)
        if call.media.relay:
            out.append(e.AdoptMedia(held_media(call)))
        if talk.ends_at is not None:
            out.append(e.StartTimer(max(0.0, talk.ends_at - wall)))
        if (ending := ending_of(past.kept, past.facts)) is not None:
            end(call, ending.cause, ending.by, now - (wall - ending.at), out)
        elif past.end_asked:
            end(call, Cause.ENDED_BY_REQUEST, HungUpBy.PLATFORM, now, out)
        return call, iter(out)

    def _connect(self, call: Call, leg: Leg, kept: KeptUsage, age: float, now: float) -> None:
        """Its dialog, and its place on a trunk that is still there."""
        wanted = call.record.trunk_of(leg.name)
        trunk = next((each for each in self._trunks.all() if each.id == wanted), None)
        read = credentials_of if leg.name is LegName.A else credentials_for
        credentials = None if trunk is None else read(trunk, kept.flow)
        usage = leg.usage = self._agent.restore(kept, age, now, credentials)
        usage.owner = leg
        if trunk is not None:
            self._gate.restore(call.id, leg.name, trunk)


def held_media(call: Call) -> HeldMedia:
    """What the driver had been asked for."""
    legs = []
    for name in (A, B):
        leg = call.media.leg(name)
        if leg.local is not None:
            far = None if leg.far is None else leg.far_media()
            legs.append(HeldLeg(name, leg.local, far, leg.agreed, leg.demands_keys, leg.ipv6))
    return HeldMedia(tuple(legs), call.record.recording_id)
