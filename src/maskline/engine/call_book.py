"""The calls in progress: opened, found by id or by session, forgotten.

What it is: who is in which call, that a session carries one call at a time, and that a call without session that comes
round is stopped. What it is not: what a call does (`call.py`), or where its inputs come from (`core.py`, which owns the
book).
"""

from __future__ import annotations

from maskline.clock import Clock
from maskline.engine.call import USUAL, Call, CallPolicy
from maskline.engine.call_keep import restore
from maskline.engine.call_kept import KeptTalk
from maskline.engine.call_media import CallMedia
from maskline.engine.call_record_builder import CallRecordBuilder
from maskline.engine.leg import Leg
from maskline.engine.ports import CutOff
from maskline.ids import Ids
from maskline.masking.facts import LegName
from maskline.masking.session import Session

MOST_AHEAD = 2
"""Calls of the same caller to the same number that wait for an answer with more hops left. One may have come by another
way; behind a second this is the same call on its third round: between two installations only the numbers tell."""
MOST_ALIKE = 10
"""The same whatever their hops, which a carrier in between may have set anew. A firm whose telephones show one number
has fewer calls to one number ringing at a time."""


class CallBook:
    __slots__ = (
        "_alike",
        "_alike_of",
        "_clock",
        "_encrypts",
        "_ids",
        "_in_session",
        "_new_id",
        "_policy",
        "_relay",
        "_session_of",
        "_transcodes",
        "calls",
    )

    def __init__(
        self,
        ids: Ids,
        clock: Clock,
        *,
        relay: bool,
        policy: CallPolicy = USUAL,
        transcodes: bool = False,
        encrypts: bool = False,
    ) -> None:
        self._ids = ids
        self._new_id = ids.uuid
        self._clock = clock
        self._relay = relay
        self._transcodes = transcodes
        self._encrypts = encrypts
        self._policy = policy
        self.calls: dict[str, Call] = {}
        """Calls in progress by id."""
        self._in_session: dict[str, Call] = {}
        """Session's id → the call it has, until that call's record is made. The store learns of a call some
        milliseconds later, with a group commit, which is too late when both parties dial at the same moment."""
        self._session_of: dict[str, str] = {}
        """Call's id → id of the session it is in."""
        self._alike: dict[tuple[str, str], list[Call]] = {}
        """Caller and number → calls that are in no session."""
        self._alike_of: dict[str, tuple[str, str]] = {}

    def wall(self, now: float) -> float:
        return self._clock.wall(now)

    def open(self, now: float, *, inbound: bool = True, call_id: str = "") -> Call:
        """A new call, its legs still without dialogs. `inbound`: its leg A is a caller's, not one that we dial.
        `call_id`: the id it was given already; empty: a new one."""
        new_id = self._new_id
        leg_a, leg_b = Leg(LegName.A, new_id(), inbound=inbound), Leg(LegName.B, new_id(), inbound=False)
        call_id, sdp_ids = call_id or new_id(), self._ids.token(8)
        media = CallMedia(
            self._relay, int(sdp_ids[:8], 16), int(sdp_ids[8:], 16),
            transcodes=self._transcodes, encrypts=self._encrypts,
        )  # fmt: skip
        record = CallRecordBuilder(call_id, leg_a.id, leg_b.id, self._clock.wall(now) - now)
        call = self.calls[call_id] = Call(call_id, (leg_a, leg_b), media, record, new_id, self._policy)
        leg_a.call = leg_b.call = call
        return call

    def restore(self, past: CutOff, talk: KeptTalk, now: float) -> Call:
        """A call that a process before this one had; in its session, its legs still without dialogs."""
        call = self.calls[past.kept.call_id] = restore(
            past.kept, talk, past.context, past.facts, self._clock.wall(now) - now, self._new_id, self._policy,
            transcodes=self._transcodes, encrypts=self._encrypts,
        )  # fmt: skip
        if past.context.session is not None:
            self.enter(call, past.context.session.id)
        return call

    def abandon(self, call_id: str) -> None:
        """One that could not be restored, if it came as far as this."""
        if call_id in self.calls:
            self.forget(self.calls[call_id])

    def enter(self, call: Call, session_id: str) -> bool:
        """Put the call into a session; False when that has a call already (plivo-vts.md §6: the second hears busy). One
        that is over, and only waits for what its relay has counted, is in nobody's way."""
        other = self._in_session.setdefault(session_id, call)
        if other is not call:
            if not other.record.closed:
                return False
            self.leave(other)
            self._in_session[session_id] = call
        self._session_of[call.id] = session_id
        return True

    def has_come_back(self, call: Call) -> bool:
        """Whether this call, which enters no session, is one that we sent on and that came round through somebody who
        keeps nothing of ours but the numbers. A session needs no such question: it carries one call at a time."""
        offer = call.offer
        if offer.caller is None:
            return False
        key = (offer.caller.digits, offer.called.digits)
        alike = self._alike.get(key, ())
        waiting = [other.offer.max_forwards for other in alike if not other.leg_a.answered]
        if len(waiting) >= MOST_ALIKE or sum(hops > offer.max_forwards for hops in waiting) >= MOST_AHEAD:
            return True
        self._alike.setdefault(key, []).append(call)
        self._alike_of[call.id] = key
        return False

    def leave(self, call: Call) -> None:
        """Its record is made: the session is free again."""
        session_id = self._session_of.pop(call.id, None)
        if session_id is not None:
            del self._in_session[session_id]

    def in_session(self, session_id: str) -> Call | None:
        """The call that the session has."""
        return self._in_session.get(session_id)

    def on_request(self) -> list[Session]:
        """Sessions whose requested call is on its way: their parties do not hear each other yet."""
        asked = [call.request.forward.session for call in self.calls.values() if call.request and not call.talked]
        return [session for session in asked if session is not None]

    def forget(self, call: Call) -> None:
        """Drop the call and cut its cycles: a thousand calls a second must not wait for the collector."""
        self.leave(call)
        if self._alike_of:
            self._forget_alike(call)
        del self.calls[call.id]
        for leg in (call.leg_a, call.leg_b):
            if leg.usage is not None:
                leg.usage.owner = None
            leg.usage = leg.call = None

    def _forget_alike(self, call: Call) -> None:
        key = self._alike_of.pop(call.id, None)
        if key is not None:
            self._alike[key].remove(call)
            if not self._alike[key]:
                del self._alike[key]
