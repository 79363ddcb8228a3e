"""The calls in progress: opened, found by id or by session, forgotten.

What it is: who is in which call, and that a session carries one call at a time. What it is not: what a call does
(`call.py`), or where its inputs come from (`core.py`, which owns the book).
"""

from __future__ import annotations

from maskline.clock import Clock
from maskline.engine.call import USUAL, Call, CallPolicy
from maskline.engine.call_media import CallMedia
from maskline.engine.call_record_builder import CallRecordBuilder
from maskline.engine.leg import Leg
from maskline.ids import Ids
from maskline.masking.facts import LegName
from maskline.masking.session import Session


class CallBook:
    __slots__ = (
        "_clock",
        "_encrypts",
        "_ids",
        "_in_session",
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

    def open(self, now: float, *, inbound: bool = True, call_id: str = "") -> Call:
        """A new call, its legs still without dialogs. `inbound`: its leg A is a caller's, not one that we dial.
        `call_id`: the id it was given already; empty: a new one."""
        ids = self._ids
        leg_a, leg_b = Leg(LegName.A, ids.uuid(), inbound=inbound), Leg(LegName.B, ids.uuid(), inbound=False)
        call_id, sdp_ids = call_id or ids.uuid(), ids.token(8)
        media = CallMedia(
            self._relay, int(sdp_ids[:8], 16), int(sdp_ids[8:], 16),
            transcodes=self._transcodes, encrypts=self._encrypts,
        )  # fmt: skip
        record = CallRecordBuilder(call_id, leg_a.id, leg_b.id, self._clock.wall(now) - now)
        call = self.calls[call_id] = Call(call_id, (leg_a, leg_b), media, record, ids.uuid, self._policy)
        leg_a.call = leg_b.call = call
        return call

    def enter(self, call: Call, session_id: str) -> bool:
        """Put the call into a session; False when that has a call already (plivo-vts.md §6: the second hears busy)."""
        if self._in_session.setdefault(session_id, call) is not call:
            return False
        self._session_of[call.id] = session_id
        return True

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
        del self.calls[call.id]
        for leg in (call.leg_a, call.leg_b):
            if leg.usage is not None:
                leg.usage.owner = None
            leg.usage = leg.call = None
