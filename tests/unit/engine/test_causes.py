import pytest

from maskline.engine.causes import answer_to_caller, cause_of_failure, hung_up_by, outcome_of
from maskline.errors import MediaUnavailable, SessionEnded
from maskline.masking.facts import Cause, HungUpBy, Outcome


@pytest.mark.parametrize(
    ("status", "rang", "cause"),
    [
        (486, False, Cause.BUSY),
        (600, True, Cause.BUSY_EVERYWHERE),
        (603, True, Cause.DECLINED),
        (480, False, Cause.OUT_OF_SERVICE),
        (480, True, Cause.NO_ANSWER),
        (408, False, Cause.REQUEST_TIMEOUT),
        (408, True, Cause.NO_ANSWER),
        (487, True, Cause.NO_ANSWER),
        (487, False, Cause.CARRIER_ERROR),
        (404, False, Cause.UNALLOCATED),
        (410, False, Cause.OUT_OF_SERVICE),
        (484, False, Cause.INVALID_DESTINATION),
        (488, True, Cause.NOT_ACCEPTABLE),
        (500, False, Cause.CARRIER_ERROR),
        (503, False, Cause.CONGESTION),
        (302, False, Cause.REDIRECTED),
        (399, True, Cause.REDIRECTED),
        (499, False, Cause.CARRIER_ERROR),
        (599, False, Cause.CARRIER_ERROR),
        (607, True, Cause.DECLINED),
        (608, False, Cause.DECLINED),
        (699, False, Cause.BUSY_EVERYWHERE),
    ],
)
@pytest.mark.row("8x8:6.1/sip-failed", "8x8:6.1/sip-no-answer", "8x8:6.1/sip-busy")
def test_a_status_of_the_callee_becomes_the_cause_of_the_8x8_table(status: int, rang: bool, cause: Cause) -> None:
    assert cause_of_failure(status, None, rang=rang) is cause


@pytest.mark.parametrize(
    ("q850", "rang", "cause"),
    [
        (17, False, Cause.BUSY),
        (19, False, Cause.NO_ANSWER),
        (18, True, Cause.NO_ANSWER),
        (18, False, Cause.OUT_OF_SERVICE),
        (20, True, Cause.OUT_OF_SERVICE),
        (34, False, Cause.CONGESTION),
        (127, False, Cause.OUT_OF_SERVICE),
    ],
)
@pytest.mark.row("8x8:6.1/q850")
def test_a_q850_cause_beats_the_status_unless_it_says_nothing(q850: int, rang: bool, cause: Cause) -> None:
    assert cause_of_failure(480, q850, rang=rang) is cause


def test_no_response_at_all_is_a_network_error() -> None:
    assert cause_of_failure(503, None, rang=False, network=True) is Cause.NETWORK_ERROR


@pytest.mark.parametrize(
    ("cause", "answered", "dialled", "outcome"),
    [
        (Cause.NORMAL, True, True, Outcome.COMPLETED),
        (Cause.MEDIA_TIMEOUT, True, True, Outcome.COMPLETED),
        (Cause.ACK_TIMEOUT, True, True, Outcome.FAILED),
        (Cause.BUSY, False, True, Outcome.BUSY),
        (Cause.DECLINED, False, True, Outcome.BUSY),
        (Cause.RING_TIMEOUT, False, True, Outcome.NO_ANSWER),
        (Cause.CANCELED, False, False, Outcome.CANCELED),
        (Cause.MEDIA_UNAVAILABLE, False, False, Outcome.REJECTED),
        (Cause.MEDIA_UNAVAILABLE, False, True, Outcome.FAILED),
        (Cause.INTERNAL_ERROR, True, True, Outcome.ERROR),
        (Cause.ENDED_BY_REQUEST, True, True, Outcome.COMPLETED),
        (Cause.ENDED_BY_REQUEST, False, True, Outcome.CANCELED),
        (Cause.ENDED_BY_REQUEST, False, False, Outcome.CANCELED),
    ],
)
def test_the_outcome_follows_from_cause_and_progress(
    cause: Cause, answered: bool, dialled: bool, outcome: Outcome
) -> None:
    assert outcome_of(cause, answered=answered, dialled=dialled) is outcome


def test_every_cause_has_a_final_status_for_the_caller() -> None:
    for cause in Cause:
        assert 400 <= answer_to_caller(cause) < 700


def test_errors_and_causes_that_mean_the_same_have_the_same_status() -> None:
    assert SessionEnded.sip_status == answer_to_caller(Cause.SESSION_EXPIRED)
    assert MediaUnavailable.sip_status == answer_to_caller(Cause.MEDIA_UNAVAILABLE)


def test_a_server_that_cannot_on_the_callees_side_does_not_make_us_one() -> None:
    """RFC 3261 §16.7: the caller's carrier would take a 503 for ours, and send its calls elsewhere."""
    said = [
        cause_of_failure(503, None, rang=rang, network=network) for rang in (False, True) for network in (False, True)
    ]
    assert {answer_to_caller(cause) for cause in said} == {500}
    assert answer_to_caller(Cause.TRUNK_FULL) == 500
    ours = (Cause.STORE_UNAVAILABLE, Cause.MEDIA_UNAVAILABLE, Cause.SHUTDOWN)
    assert {answer_to_caller(cause) for cause in ours} == {503}


def test_a_redirection_is_never_passed_on() -> None:
    assert answer_to_caller(Cause.REDIRECTED) == 480


def test_a_person_hangs_up_by_busy_and_a_carrier_by_congestion() -> None:
    assert hung_up_by(Cause.BUSY) is HungUpBy.CALLEE
    assert hung_up_by(Cause.CONGESTION) is HungUpBy.CARRIER
