"""masking.session: what a session says of itself at a moment."""

from __future__ import annotations

from dataclasses import replace

from maskline.masking.session import Role, Session, SessionOptions, SessionStatus
from tests.support.store_values import ALICE, BOB, CAROL, T0, VN1

SESSION = Session("s", "MA", None, ALICE, BOB, VN1, SessionOptions(), T0, T0, T0 + 60, 60)


def test_a_session_is_live_until_its_end_and_not_at_it() -> None:
    assert SESSION.is_live(T0 + 59.99)
    assert not SESSION.is_live(T0 + 60)
    assert not replace(SESSION, ended_at=T0).is_live(T0)


def test_a_call_in_progress_outranks_everything_in_the_status() -> None:
    assert SESSION.status(T0) is SessionStatus.ACTIVE
    assert SESSION.status(T0 + 60) is SessionStatus.EXPIRED
    assert replace(SESSION, calls_in_progress=1).status(T0 + 60) is SessionStatus.IN_PROGRESS


def test_a_party_has_one_role_and_the_other_party_the_other() -> None:
    assert SESSION.role_of(ALICE) is Role.FIRST
    assert SESSION.role_of(BOB) is Role.SECOND
    assert SESSION.role_of(CAROL) is None
    assert (SESSION.party(Role.FIRST), SESSION.party(Role.SECOND)) == (ALICE, BOB)
    assert (Role.FIRST.other, Role.SECOND.other) == (Role.SECOND, Role.FIRST)


def test_what_may_be_heard_is_each_prompt_that_was_given() -> None:
    options = SessionOptions(first_party_play_url="https://a.example/1.mp3", pin_prompt_play="tone:pin")
    assert options.prompt_sources == ("https://a.example/1.mp3", "tone:pin")
    assert SessionOptions().prompt_sources == ()
