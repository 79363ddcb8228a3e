from maskline.engine import inputs as i
from maskline.engine.call import action_of
from maskline.engine.call_states import CALL, CallState

BEFORE_THE_BRIDGE = set(CallState) - {
    CallState.NEW, CallState.ROUTING, CallState.ABANDONED, CallState.TALKING, CallState.PARTING, CallState.ENDING,
    CallState.ENDED,
}  # fmt: skip
UNANSWERED = {CallState.OPENING_FIRST, CallState.OPENING_CALLER, CallState.CALLING_FIRST}
IN_FLOW = {CallState.SAYING, CallState.CAPTURING, CallState.ASKING_NEXT}
"""Also after a bridge."""


def with_row(*events: object) -> set[CallState]:
    return {state for state, event in CALL if event in events}


def test_every_action_of_the_table_is_a_function_and_every_state_can_be_left() -> None:
    for _, action in CALL.values():
        assert callable(action_of(action))
    assert {state for state, _ in CALL} == set(CallState) - {CallState.ENDED}


def test_every_state_is_reached_and_none_leads_back_to_the_start() -> None:
    # These are entered by actions that wait for something to be heard, or to be told what comes next.
    reached = {state for (before, _), (state, _) in CALL.items() if state is not before}
    by_action = {CallState.ASKING, CallState.INFORMING, CallState.BRIDGING, CallState.REFUSING} | IN_FLOW
    assert reached | by_action == set(CallState) - {CallState.NEW, CallState.ENDED}


def test_the_caller_can_leave_at_every_moment() -> None:
    answered_or_ours = IN_FLOW | {
        CallState.ACCEPTING, CallState.ASKING, CallState.MEETING, CallState.CALLING_FIRST, CallState.OPENING_FIRST,
    }  # fmt: skip
    assert with_row(i.Cancelled) == BEFORE_THE_BRIDGE - answered_or_ours | {CallState.ROUTING}
    on_the_line = BEFORE_THE_BRIDGE - {CallState.OPENING_FIRST}
    assert with_row(i.HungUp) == on_the_line | {CallState.ROUTING, CallState.TALKING, CallState.PARTING}


def test_the_engine_can_stop_a_call_and_its_session_can_end_once_it_has_one() -> None:
    assert with_row(i.Stopped) == BEFORE_THE_BRIDGE | {
        CallState.ROUTING, CallState.ABANDONED, CallState.TALKING, CallState.PARTING,
    }  # fmt: skip
    without = {CallState.OPENING_CALLER, CallState.ASKING, CallState.REFUSING}
    assert with_row(i.SessionEnded) == BEFORE_THE_BRIDGE - IN_FLOW - without


def test_media_that_fails_and_changes_inside_a_leg_are_noticed_wherever_there_is_media() -> None:
    somewhere = BEFORE_THE_BRIDGE | {CallState.TALKING, CallState.PARTING, CallState.ENDING}
    assert with_row(i.MediaFailed) == somewhere - {CallState.CALLING_FIRST}
    assert with_row(i.Offered) == somewhere - {CallState.OPENING_FIRST} | {CallState.ROUTING}
    moments = {CallState.OPENING, CallState.ACCEPTING, CallState.MEETING, CallState.ENDING}
    assert with_row(i.Renewed) == somewhere - {*moments, *UNANSWERED}
    assert with_row(i.ChangeReady) == somewhere - UNANSWERED - {CallState.MEETING}


def test_a_prompt_that_never_ends_is_noticed_wherever_one_is_heard() -> None:
    heard = with_row(i.PlayDone)
    assert heard == {
        CallState.ASKING, CallState.ANNOUNCING, CallState.REFUSING, CallState.INFORMING, CallState.SAYING,
        CallState.CAPTURING,
    }  # fmt: skip
    assert with_row(i.TimerName.PIN) == heard | {CallState.PARTING}
    assert with_row(i.FlowGiven) == {CallState.ROUTING, CallState.ABANDONED, CallState.ASKING_NEXT}
    assert with_row(i.PlayFailed) == heard | {CallState.PARTING, CallState.RINGING}
