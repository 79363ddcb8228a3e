"""A call's effects on SIP, performed on the agent.

What it is: one line per effect, from the call's words to the agent's. What it is not: a decision (`call.py`), or the
way back (`core.py` reads the agent's events). Who uses it: `core.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from maskline.engine import effects as e
from maskline.engine import inputs as i
from maskline.engine.call import Call
from maskline.engine.identity import outgoing_invite
from maskline.engine.leg import Leg
from maskline.engine.trunk_gate import TrunkGate
from maskline.masking.facts import LegName
from maskline.masking.trunk import Reliable, own_target
from maskline.sip.agent import Agent
from maskline.sip.invite_usage import InviteUsage

RETRY_LATER = (("Retry-After", "5"),)
"""With each 503 of ours: without it the caller's carrier has to take it for a 500 (RFC 3261 §21.5.4)."""


class SipEffects:
    def __init__(self, agent: Agent, gate: TrunkGate, loop_token: str) -> None:
        self._agent = agent
        self._gate = gate
        self._loop_token = loop_token
        self.unsent: list[tuple[Call, i.Failed]] = []
        """What calls that dialled over a trunk without room are to be told, once the step in which they did is done."""
        self.table: dict[type, Callable[[Call, Any, float], None]] = {
            e.SendInvite: self._send_invite,
            e.Progress: self._progress,
            e.Answer: self._answer,
            e.Reject: self._reject,
            e.Ack: self._ack,
            e.Cancel: self._cancel,
            e.Bye: self._bye,
            e.RespondRequest: self._respond,
            e.SendOffer: self._send_offer,
        }

    def take_down(self, call: Call, now: float) -> None:
        """End both dialogs as their own state allows, for a call that cannot say it itself any more."""
        for leg in (call.leg_a, call.leg_b):
            if leg.usage is not None:
                self._agent.reject(leg.usage, 500, now)  # does nothing unless it is an INVITE we have not answered
                self._agent.bye(leg.usage, now)

    def _send_invite(self, call: Call, effect: e.SendInvite, now: float) -> None:
        if not self._gate.take(call.id, effect.leg, effect.trunk, now):
            self.unsent.append((call, i.Failed(503, leg=effect.leg, full=True)))
            return
        target = effect.target or own_target(effect.trunk)
        invite = outgoing_invite(effect, self._agent.host_for(target), self._loop_token)
        leg = _leg(call, effect.leg)
        usage = leg.usage = self._agent.invite(invite, now)
        usage.owner = leg

    def _progress(self, call: Call, effect: e.Progress, now: float) -> None:
        reliable = call.offer.trunk.reliable is Reliable.REQUIRED
        self._agent.progress(_usage(call.leg_a), effect.status, now, body=effect.body, reliable=reliable)

    def _answer(self, call: Call, effect: e.Answer, now: float) -> None:
        seconds = call.offer.trunk.session_seconds
        self._agent.answer(_usage(call.leg_a), now, effect.body, session_seconds=seconds)

    def _reject(self, call: Call, effect: e.Reject, now: float) -> None:
        headers = RETRY_LATER if effect.status == 503 else ()
        self._agent.reject(_usage(call.leg_a), effect.status, now, headers=headers)

    def _ack(self, call: Call, effect: e.Ack, now: float) -> None:
        self._agent.ack(_usage(_leg(call, effect.leg)), now)

    def _cancel(self, call: Call, effect: e.Cancel, now: float) -> None:
        self._agent.cancel(_usage(_leg(call, effect.leg)), now)

    def _bye(self, call: Call, effect: e.Bye, now: float) -> None:
        self._agent.bye(_usage(_leg(call, effect.leg)), now)

    def _respond(self, call: Call, effect: e.RespondRequest, now: float) -> None:
        self._agent.respond(effect.key, effect.status, now, body=effect.body)

    def _send_offer(self, call: Call, effect: e.SendOffer, now: float) -> None:
        self._agent.request(_usage(_leg(call, effect.leg)), "INVITE", now, body=effect.body)


def _leg(call: Call, name: LegName) -> Leg:
    return call.leg_a if name is LegName.A else call.leg_b


def _usage(leg: Leg) -> InviteUsage:
    assert leg.usage is not None, "the leg has no dialog"
    return leg.usage
