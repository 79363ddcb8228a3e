"""masking.claims: what a session holds, and until when."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from maskline.masking.claims import ANYONE, Claim, claims_of, held_until, number_free_at, party_key, pin_key
from maskline.masking.session import PoolMode, Role, Session, SessionChange, SessionOptions
from tests.support.store_values import ACCOUNT, ALICE, BOB, T0, VN1, VN2

FIRST, SECOND = Role.FIRST, Role.SECOND


def session(**changes: Any) -> Session:
    options = SessionOptions(session_expiry=600, first_party_cooloff=100, second_party_cooloff=5)
    base = Session("session-1", ACCOUNT.id, None, ALICE, BOB, VN1, options, T0, T0, T0 + 600, 600)
    return replace(base, **changes)


def test_a_shared_session_claims_its_number_for_each_party() -> None:
    assert claims_of(session()) == (Claim(party_key(ALICE), VN1, FIRST), Claim(party_key(BOB), VN1, SECOND))


def test_a_split_session_claims_each_partys_own_number() -> None:
    split = session(pool_mode=PoolMode.SPLIT, second_virtual_number=VN2)
    assert claims_of(split) == (Claim(party_key(ALICE), VN1, FIRST), Claim(party_key(BOB), VN2, SECOND))


def test_pins_are_claimed_beside_the_parties() -> None:
    found = claims_of(session(first_party_pin="1111", second_party_pin="2222"))
    assert [claim.key for claim in found] == [party_key(ALICE), pin_key("1111"), party_key(BOB), pin_key("2222")]


def test_on_a_number_reserved_for_pins_only_the_pins_are_claimed() -> None:
    found = claims_of(session(pool_mode=PoolMode.PIN, first_party_pin="1111", second_party_pin="2222"))
    assert [claim.key for claim in found] == [pin_key("1111"), pin_key("2222")]


def test_an_open_session_claims_its_number_for_anyone_while_a_party_is_missing() -> None:
    alone = session(pool_mode=PoolMode.OPEN, second_party=None)
    assert claims_of(alone) == (Claim(party_key(ALICE), VN1, FIRST), Claim(ANYONE, VN1, SECOND))
    assert ANYONE not in [claim.key for claim in claims_of(replace(alone, second_party=BOB))]


def test_each_role_has_its_own_cooloff() -> None:
    one = session()
    assert (held_until(one, FIRST), held_until(one, SECOND)) == (T0 + 700, T0 + 605)
    assert number_free_at(one) == T0 + 700


def test_a_key_shows_no_number_and_no_pin() -> None:
    assert ALICE.digits not in repr(party_key(ALICE))
    assert "1111" not in repr(pin_key("1111"))


def test_a_sessions_own_text_shows_no_pin() -> None:
    assert "7777" not in repr(session(first_party_pin="7777", second_party_pin="7777"))


def test_no_address_that_a_customer_gave_is_in_the_text_of_options() -> None:
    addresses = [one.name for one in fields(SessionOptions) if one.name.endswith(("_url", "_play"))]
    assert len(addresses) == 7
    assert "secret" not in repr(SessionOptions(**dict.fromkeys(addresses, "https://h.example/a?secret")))  # type: ignore[arg-type]


def test_an_update_moves_the_planned_end_and_keeps_the_start() -> None:
    change = SessionChange(SessionOptions(ring_timeout=9), T0 + 900, T0 + 60, ("ring_timeout",), BOB, ALICE)
    changed = session().changed(change)
    assert (changed.expires_at, changed.modified_at, changed.planned_duration) == (T0 + 900, T0 + 60, 900)
    assert (changed.first_party, changed.second_party, changed.options.ring_timeout) == (BOB, ALICE, 9)


def test_an_end_before_its_time_moves_the_planned_end_to_now() -> None:
    ended = session().ended(T0 + 60)
    assert (ended.expires_at, ended.ended_at, ended.planned_duration) == (T0 + 60, T0 + 60, 600)


def test_a_late_end_keeps_the_planned_end() -> None:
    assert session().ended(T0 + 700).expires_at == T0 + 600


def test_the_missing_party_is_told() -> None:
    assert session().missing is None
    assert session(first_party=None).missing is FIRST
    assert session(second_party=None).missing is SECOND


def test_each_party_has_its_number_and_pin() -> None:
    one = session(second_virtual_number=VN2, first_party_pin="1111", second_party_pin="2222")
    assert (one.number_of(FIRST), one.number_of(SECOND)) == (VN1, VN2)
    assert (one.pin(FIRST), one.pin(SECOND)) == ("1111", "2222")
    assert session().number_of(SECOND) == VN1
