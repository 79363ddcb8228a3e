"""One leg of a call: the state of one SIP dialog, and what it owes the far side.

What it is: a machine over `call_states.LEG_IN` or `LEG_OUT`, one instance per leg, composed by `call.py`: leg A is
inbound when the caller dialled us, and outbound like leg B when we start the call ourselves. What it is not: SIP (the
agent holds the dialog) or the call's purpose. `usage` and `call` are for `core.py` alone, the
way from an agent's event to the call and back; it clears them when the call is forgotten.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from maskline.engine import effects as e
from maskline.engine.call_states import LEG_IN, LEG_OUT, LegAction, LegSignal, LegState, LegTable
from maskline.masking.facts import LegName

if TYPE_CHECKING:
    from maskline.engine.call import Call
    from maskline.sip.invite_usage import InviteUsage

# Named once: to name a member of an `Enum` is a Python call in 3.11.
_TRYING, _IDLE, _ENDED = LegState.TRYING, LegState.IDLE, LegState.ENDED


class Leg:
    """Feed it signals, get effects. What an effect carries (body, status) is given with the signal."""

    __slots__ = ("_rows", "call", "id", "inbound", "name", "state", "usage")

    def __init__(self, name: LegName, leg_id: str, *, inbound: bool) -> None:
        self.name = name
        self.id = leg_id
        self.inbound = inbound
        self._rows = _IN if inbound else _OUT
        self.state = _TRYING if inbound else _IDLE
        self.usage: InviteUsage | None = None
        self.call: Call | None = None

    @property
    def ended(self) -> bool:
        return self.state is _ENDED

    @property
    def answered(self) -> bool:
        """Its INVITE has a 200, and nobody has hung up."""
        return self.state in _UP

    @property
    def dialled(self) -> bool:
        return self.state is not _IDLE

    @property
    def on_its_way(self) -> bool:
        """Its INVITE has no final response."""
        return self.state in _ON_ITS_WAY

    def step(self, signal: LegSignal, out: list[e.Effect], carried: e.Effect | None = None) -> None:
        """Take `signal` and append what follows to `out`; nothing when the signal came too late to matter.

        `carried` is the effect to use where the table says INVITE, PROGRESS, ANSWER or REJECT, since only the
        call knows what to write there.
        """
        row = self._rows[self.state].get(signal)
        if row is None:
            return
        self.state, actions = row
        for action in actions:
            own = _OWN[self.name].get(action, carried)
            assert own is not None, (action, "needs an effect to carry")
            out.append(own)


Rows = dict[LegState, dict[LegSignal, tuple[LegState, tuple[LegAction, ...]]]]


def _by_state(table: LegTable) -> Rows:
    """A pair of state and signal would be made and hashed for each look."""
    rows: Rows = {state: {} for state in LegState}
    for (state, signal), row in table.items():
        rows[state][signal] = row
    return rows


_IN, _OUT = _by_state(LEG_IN), _by_state(LEG_OUT)
_UP = (LegState.ANSWERED, LegState.TALKING)
_ON_ITS_WAY = (LegState.TRYING, LegState.EARLY)
_OWN: dict[LegName, dict[LegAction, e.Effect]] = {
    name: {LegAction.ACK: e.Ack(name), LegAction.CANCEL: e.Cancel(name), LegAction.BYE: e.Bye(name)} for name in LegName
}
"""Effects that say the same each time, made once."""
