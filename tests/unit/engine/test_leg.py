import pytest

from maskline.engine import effects as e
from maskline.engine.call_states import LEG_IN, LEG_OUT, LegAction, LegSignal, LegState
from maskline.engine.leg import Leg
from maskline.masking.facts import LegName


def run(leg: Leg, *signals: LegSignal) -> list[e.Effect]:
    out: list[e.Effect] = []
    for signal in signals:
        leg.step(signal, out, e.Answer(b"carried"))
    return out


def test_a_callers_leg_hung_up_before_its_ack_is_told_once() -> None:
    leg = Leg(LegName.A, "x", inbound=True)
    assert run(leg, LegSignal.ANSWER, LegSignal.HANG_UP) == [e.Answer(b"carried"), e.Bye(LegName.A)]
    assert run(leg, LegSignal.ACKED, LegSignal.ACK_MISSING) == []


def test_a_callers_leg_whose_ack_is_lost_gets_a_bye() -> None:
    leg = Leg(LegName.A, "x", inbound=True)
    run(leg, LegSignal.ANSWER)
    assert run(leg, LegSignal.ACK_MISSING) == [e.Bye(LegName.A)]
    run(leg, LegSignal.BYE_DONE)
    assert leg.ended


def test_a_200_that_crosses_our_cancel_is_acknowledged_and_hung_up() -> None:
    leg = Leg(LegName.B, "x", inbound=False)
    run(leg, LegSignal.DIAL)
    assert run(leg, LegSignal.HANG_UP) == [e.Cancel(LegName.B)]
    assert run(leg, LegSignal.ANSWER) == [e.Ack(LegName.B), e.Bye(LegName.B)]
    assert not leg.ended


def test_a_leg_never_dialled_ends_without_a_message() -> None:
    leg = Leg(LegName.B, "x", inbound=False)
    assert run(leg, LegSignal.HANG_UP) == []
    assert leg.ended


def test_a_late_signal_changes_nothing() -> None:
    leg = Leg(LegName.B, "x", inbound=False)
    out: list[e.Effect] = []
    leg.step(LegSignal.FAR_BYE, out)
    assert leg.state is LegState.IDLE and out == []


def test_an_action_that_needs_content_cannot_be_taken_without_it() -> None:
    with pytest.raises(AssertionError):
        Leg(LegName.A, "x", inbound=True).step(LegSignal.ANSWER, [])


@pytest.mark.parametrize("table", [LEG_IN, LEG_OUT], ids=["inbound", "outbound"])
def test_every_leg_can_be_ended_from_every_state_and_only_another_try_leaves_the_end(table: dict) -> None:
    assert {signal for state, signal in table if state is LegState.ENDED} <= {LegSignal.REDIAL}
    states = {state for state, _ in table} - {LegState.ENDING, LegState.CANCELLING, LegState.ENDED}
    assert {state for state, signal in table if signal is LegSignal.HANG_UP} == states


@pytest.mark.parametrize("table", [LEG_IN, LEG_OUT], ids=["inbound", "outbound"])
def test_every_dialog_that_was_answered_ends_by_bye_of_one_side(table: dict) -> None:
    for (state, signal), (after, actions) in table.items():
        if after is LegState.ENDED and state in (LegState.TALKING, LegState.ENDING, LegState.ANSWERED):
            assert signal in (LegSignal.FAR_BYE, LegSignal.BYE_DONE)
        if after is LegState.ENDING and state is not LegState.ENDING:
            assert LegAction.BYE in actions
