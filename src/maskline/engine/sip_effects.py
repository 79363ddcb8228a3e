"""A call's effects on SIP, performed on the agent.

What it is: one line per effect, from the call's words to the agent's. What it is not: a decision (`call.py`), or the
way back (`core.py` reads the agent's events). Who uses it: `core.py`.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from maskline.engine import effects as e
from maskline.engine.call import Call
from maskline.engine.identity import outgoing_invite
from maskline.engine.leg import Leg
from maskline.masking.facts import LegName
from maskline.sip.agent import Agent
from maskline.sip.invite_usage import InviteUsage


class SipEffects:
    def __init__(self, agent: Agent, host: str, loop_token: str) -> None:
        self._agent = agent
        self._host = host
        self._loop_token = loop_token
        self.table: dict[type, Callable[[Call, Any, float], None]] = {
            e.SendInvite: self._send_invite,
            e.Progress: self._progress,
            e.Answer: self._answer,
            e.Reject: self._reject,
            e.Ack: self._ack,
            e.Cancel: self._cancel,
            e.Bye: self._bye,
            e.RespondRequest: self._respond,
        }

    def take_down(self, call: Call, now: float) -> None:
        """End both dialogs as their own state allows, for a call that cannot say it itself any more."""
        for leg in (call.leg_a, call.leg_b):
            if leg.usage is not None:
                self._agent.reject(leg.usage, 500, now)  # does nothing unless it is an INVITE we have not answered
                self._agent.bye(leg.usage, now)

    def _send_invite(self, call: Call, effect: e.SendInvite, now: float) -> None:
        invite = outgoing_invite(effect, self._host, self._loop_token)
        leg = _leg(call, effect.leg)
        usage = leg.usage = self._agent.invite(invite, now)
        usage.owner = leg

    def _progress(self, call: Call, effect: e.Progress, now: float) -> None:
        self._agent.progress(_usage(call.leg_a), effect.status, now, body=effect.body)

    def _answer(self, call: Call, effect: e.Answer, now: float) -> None:
        self._agent.answer(_usage(call.leg_a), now, effect.body)

    def _reject(self, call: Call, effect: e.Reject, now: float) -> None:
        self._agent.reject(_usage(call.leg_a), effect.status, now)

    def _ack(self, call: Call, effect: e.Ack, now: float) -> None:
        self._agent.ack(_usage(_leg(call, effect.leg)), now)

    def _cancel(self, call: Call, effect: e.Cancel, now: float) -> None:
        self._agent.cancel(_usage(_leg(call, effect.leg)), now)

    def _bye(self, call: Call, effect: e.Bye, now: float) -> None:
        self._agent.bye(_usage(_leg(call, effect.leg)), now)

    def _respond(self, call: Call, effect: e.RespondRequest, now: float) -> None:
        self._agent.respond(effect.key, effect.status, now, body=effect.body)


def _leg(call: Call, name: LegName) -> Leg:
    return call.leg_a if name is LegName.A else call.leg_b


def _usage(leg: Leg) -> InviteUsage:
    assert leg.usage is not None, "the leg has no dialog"
    return leg.usage
