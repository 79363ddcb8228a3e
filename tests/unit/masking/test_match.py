"""masking.match: the decision on (caller, virtual number)."""

from __future__ import annotations

from dataclasses import replace

import pytest

from maskline.masking.decision import Refuse
from maskline.masking.e164 import Number
from maskline.masking.facts import Cause
from maskline.masking.match import Matched, match_call
from maskline.masking.session import Role, Session, SessionOptions
from tests.support.store_values import ALICE, BOB, CAROL, OTHER, T0, VN1, VN2, virtual_number

SESSION = Session(
    id="s", account_id=virtual_number().account_id, subaccount_id=None, first_party=ALICE, second_party=BOB,
    virtual_number=VN1, options=SessionOptions(), created_at=T0, modified_at=T0, expires_at=T0 + 600,
    planned_duration=600,
)  # fmt: skip


@pytest.mark.parametrize(("caller", "role", "callee"), [(ALICE, Role.FIRST, BOB), (BOB, Role.SECOND, ALICE)])
def test_either_party_reaches_the_other_one(caller: Number, role: Role, callee: Number) -> None:
    assert match_call(SESSION, caller, virtual_number(), T0) == Matched(SESSION, role, callee)


@pytest.mark.parametrize(
    ("session", "caller", "number", "cause"),
    [
        (SESSION, None, virtual_number(), Cause.WITHHELD_CALLER),
        (None, ALICE, virtual_number(), Cause.UNKNOWN_CALLER),
        (SESSION, CAROL, virtual_number(), Cause.UNKNOWN_CALLER),
        (SESSION, ALICE, virtual_number(VN2), Cause.UNKNOWN_CALLER),
        (SESSION, ALICE, virtual_number(account_id=OTHER.id), Cause.UNKNOWN_CALLER),
        (replace(SESSION, second_party=None), ALICE, virtual_number(), Cause.UNKNOWN_CALLER),
    ],
)
def test_a_call_that_belongs_to_no_session_is_refused(session, caller, number, cause) -> None:  # type: ignore[no-untyped-def]
    assert match_call(session, caller, number, T0) == Refuse(cause, number)


def test_a_call_is_refused_from_the_second_at_which_the_session_expires() -> None:
    assert isinstance(match_call(SESSION, ALICE, virtual_number(), T0 + 599.9), Matched)
    expired = match_call(SESSION, ALICE, virtual_number(), T0 + 600)
    assert expired == Refuse(Cause.SESSION_EXPIRED, virtual_number(), SESSION)


def test_an_ended_session_is_expired_even_before_its_planned_end() -> None:
    ended = replace(SESSION, ended_at=T0 + 1)
    assert match_call(ended, ALICE, virtual_number(), T0 + 2) == Refuse(Cause.SESSION_EXPIRED, virtual_number(), ended)


def test_a_second_call_in_a_session_hears_busy() -> None:
    busy = replace(SESSION, calls_in_progress=1)
    assert match_call(busy, BOB, virtual_number(), T0) == Refuse(Cause.SESSION_BUSY, virtual_number(), busy)
