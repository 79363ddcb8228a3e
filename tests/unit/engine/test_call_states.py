from maskline.engine import inputs as i
from maskline.engine.call import Call
from maskline.engine.call_states import CALL, CallState


def test_every_action_of_the_table_is_a_method_and_every_state_can_be_left() -> None:
    for _, action in CALL.values():
        assert callable(getattr(Call, f"_{action}"))
    assert {state for state, _ in CALL} == set(CallState) - {CallState.ENDED}


def test_every_state_is_reached_and_none_leads_back_to_the_start() -> None:
    reached = {state for state, _ in CALL.values()}
    assert reached == set(CallState) - {CallState.NEW, CallState.ENDED}


def test_the_caller_can_leave_at_every_moment_before_the_answer() -> None:
    before = {
        CallState.ROUTING, CallState.OPENING, CallState.DIALING, CallState.RINGING, CallState.ANSWERING,
    }  # fmt: skip
    assert {state for state, kind in CALL if kind is i.Cancelled} == before


def test_media_that_fails_is_noticed_in_every_state_that_waits_for_it() -> None:
    waiting = {CallState.OPENING, CallState.RINGING, CallState.ANSWERING, CallState.TALKING, CallState.ENDING}
    assert {state for state, kind in CALL if kind is i.MediaFailed} == waiting
