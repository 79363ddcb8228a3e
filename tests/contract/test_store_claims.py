"""The store contract: which keys name a session, and how updates, ends and new numbers move its claims."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from maskline.errors import InvalidParameter, MissingParameter, NotFound, PoolExhausted, SessionEnded
from maskline.masking.decision import NumberState, NumberUse
from maskline.masking.e164 import Number
from maskline.masking.facts import SessionCreated, SessionUpdated, VirtualNumberReplaced
from maskline.masking.session import PoolMode, Role, Session, SessionChange, SessionOptions
from maskline.storage.filters import SessionFilter
from maskline.storage.store import Store
from tests.support.store_values import (
    ACCOUNT,
    ALICE,
    BOB,
    CAROL,
    DAVE,
    OTHER,
    SUB,
    T0,
    VN1,
    VN2,
    VN3,
    call_facts,
    call_record,
    interaction,
    new_session,
    outbox_row,
    recorded_call,
    virtual_number,
)  # fmt: skip

OPTIONS = SessionOptions(session_expiry=600)
PINS = replace(OPTIONS, is_pin_authentication_required=True)
ALONE = replace(OPTIONS, create_session_with_single_party=True)
SPLIT = (PoolMode.SPLIT,)
BY_PIN = (PoolMode.PIN,)


async def create(store: Store, session_id: str = "session-1", **changes: Any) -> Session:
    return await store.create_session(new_session(session_id, **{"options": OPTIONS, **changes}))


async def update(store: Store, session: Session, now: float = T0 + 10, **values: Any) -> Session:
    fields = {"options": session.options, "expires_at": session.expires_at, "now": now, "changed": (*values,),
              "first_party": session.first_party, "second_party": session.second_party}  # fmt: skip
    return await store.update_session(ACCOUNT.id, session.id, SessionChange(**{**fields, **values}))


async def end(store: Store, session_id: str = "session-1", now: float = T0 + 20) -> Session:
    return await store.end_session(ACCOUNT.id, session_id, now=now, by_request=True, outbox=())


# -- split -------------------------------------------------------------------------------------------------------
async def test_split_gives_each_party_the_first_number_it_does_not_hold(store: Store) -> None:
    one = await create(store, modes=SPLIT)
    two = await create(store, "2", modes=SPLIT, second_party=CAROL)
    assert (one.numbers, one.pool_mode) == ((VN1, VN1), PoolMode.SPLIT)
    assert two.numbers == (VN2, VN1)
    assert await store.session(ACCOUNT.id, "2") == two
    assert await store.session_for_call(ALICE, VN2) == await store.session_for_call(CAROL, VN1) == two
    assert await store.session_for_call(CAROL, VN2) is None


async def test_a_session_is_listed_under_both_of_its_numbers(store: Store) -> None:
    await create(store, modes=SPLIT)
    two = await create(store, "2", modes=SPLIT, second_party=CAROL)
    for number, ids in ((VN1, ["session-1", "2"]), (VN2, ["2"]), (VN3, [])):
        wanted = SessionFilter(virtual_number=number)
        found, total = await store.sessions(ACCOUNT.id, wanted, limit=9, offset=0, wall=T0)
        assert (sorted(session.id for session in found), total) == (sorted(ids), len(ids))
    assert two.created_at == T0


async def test_the_next_mode_is_tried_when_a_mode_has_no_number(store: Store) -> None:
    for i, (first, second) in enumerate(((ALICE, CAROL), (ALICE, DAVE), (Number("6589000001"), BOB))):
        await create(store, str(i), first_party=first, second_party=second)
    # Alice holds 1 and 2, Bob 1; with one more of Bob's on 3 the two share no number, but each has one.
    await create(store, "3", first_party=CAROL, second_party=BOB)
    await create(store, "4", first_party=DAVE, second_party=BOB, options=OPTIONS)
    with pytest.raises(PoolExhausted):
        await create(store, "5")
    await end(store, "3")
    session = await create(store, "6", modes=(PoolMode.SHARED, PoolMode.SPLIT), created_at=T0 + 21)
    assert (session.pool_mode, session.numbers) == (PoolMode.SPLIT, (VN3, VN2))


# -- PINs --------------------------------------------------------------------------------------------------------
async def test_a_given_pin_names_the_session_on_its_number(store: Store) -> None:
    session = await create(store, options=PINS, first_party_pin="1234", second_party_pin="99887766")
    assert (session.first_party_pin, session.second_party_pin) == ("1234", "99887766")
    assert await store.session(ACCOUNT.id, session.id) == session
    assert await store.session_for_pin("1234", VN1) == await store.session_for_pin("99887766", VN1) == session
    assert await store.session_for_pin("1234", VN2) is None
    assert await store.session_for_pin("0000", VN1) is None


async def test_one_pin_alone_is_read_back(store: Store) -> None:
    options = replace(PINS, create_session_with_single_party=True)
    session = await create(store, options=options, second_party=None, second_party_pin="7", pin_candidates=("1",))
    assert (session.first_party_pin, session.second_party_pin) == ("1", "7")
    assert await store.session(ACCOUNT.id, session.id) == session


async def test_a_made_pin_is_the_first_candidate_that_is_free_on_the_number(store: Store) -> None:
    candidates = tuple(f"{i:04}" for i in range(20))
    one = await create(store, options=PINS, pin_candidates=candidates)
    two = await create(store, "2", options=PINS, first_party=CAROL, second_party=DAVE, pin_candidates=candidates)
    assert (one.virtual_number, two.virtual_number) == (VN1, VN1)
    assert (one.first_party_pin, one.second_party_pin) == ("0000", "0001")
    assert (two.first_party_pin, two.second_party_pin) == ("0002", "0003")
    with pytest.raises(PoolExhausted):
        await create(store, "3", options=PINS, first_party=Number("6589000001"), second_party=Number("6589000002"),
                     pin_candidates=candidates[:4])  # fmt: skip


async def test_numbers_for_pins_are_shared_by_all_and_given_to_nobody_else(store: Store) -> None:
    await store.update_number(virtual_number(VN1, use=NumberUse.PIN), T0)
    one = await create(store, modes=BY_PIN, pin_candidates=("1", "2"))
    two = await create(store, "2", modes=BY_PIN, pin_candidates=("1", "2", "3", "4"))
    assert (one.virtual_number, two.virtual_number) == (VN1, VN1)
    assert (two.first_party_pin, two.second_party_pin) == ("3", "4")
    assert two.options.is_pin_authentication_required
    assert await store.session_for_call(ALICE, VN1) is None
    assert (await create(store, "3")).virtual_number == VN2
    with pytest.raises(PoolExhausted):
        await create(store, "4", modes=BY_PIN, pin_candidates=("1", "2", "3", "4"))


async def test_the_session_that_asks_for_a_pin_is_the_live_one_that_ends_last(store: Store) -> None:
    assert await store.pin_session(VN1, T0) is None
    longer = replace(PINS, session_expiry=900)
    first = await create(store, options=longer, first_party_pin="1", second_party_pin="2")
    other = {"first_party": CAROL, "second_party": DAVE}
    await create(store, "2", options=PINS, first_party_pin="3", second_party_pin="4", **other)
    assert await store.pin_session(VN1, T0 + 1) == first
    ended = await end(store)
    assert not ended.is_live(T0 + 21)
    assert (await store.pin_session(VN1, T0 + 21)).id == "2"  # type: ignore[union-attr]
    assert await store.pin_session(VN1, T0 + 600) is None


# -- a single party ----------------------------------------------------------------------------------------------
async def test_anyone_reaches_a_single_party_on_a_number_of_its_own(store: Store) -> None:
    session = await create(store, options=ALONE, second_party=None)
    assert (session.pool_mode, session.virtual_number, session.missing) == (PoolMode.OPEN, VN3, Role.SECOND)
    assert await store.open_session(VN3) == await store.session_for_call(ALICE, VN3) == session
    assert await store.open_session(VN1) is None
    for i, second in enumerate((BOB, CAROL)):
        assert (await create(store, f"x{i}", first_party=DAVE, second_party=second)).virtual_number != VN3
    with pytest.raises(PoolExhausted):
        await create(store, "y", first_party=DAVE)
    (fact,) = await store.facts(session.id)
    assert isinstance(fact, SessionCreated)
    assert [(note.kind, note.role) for note in fact.claims] == [("party", "first_party"), ("anyone", "second_party")]


async def test_an_open_number_is_free_again_after_the_end_and_the_cool_off(store: Store) -> None:
    options = replace(ALONE, first_party_cooloff=30, second_party_cooloff=60)
    await create(store, options=options, first_party=None, second_party=BOB)
    await end(store, now=T0 + 20)
    for i, second in enumerate((CAROL, DAVE)):
        await create(store, f"x{i}", second_party=second)
    with pytest.raises(PoolExhausted):
        await create(store, "y", second_party=Number("6589000001"), created_at=T0 + 79)
    late = await create(store, "z", second_party=Number("6589000001"), created_at=T0 + 80)
    assert late.virtual_number == VN3


async def test_a_single_party_needs_a_number_that_nobody_holds(store: Store) -> None:
    for i, (first, second) in enumerate(((ALICE, BOB), (ALICE, CAROL), (ALICE, DAVE))):
        await create(store, str(i), first_party=first, second_party=second)
    with pytest.raises(PoolExhausted):
        await create(store, "x", options=ALONE, first_party=Number("6589000001"), second_party=None)
    await end(store, "1")
    alone = await create(
        store, "y", options=ALONE, first_party=Number("6589000001"), second_party=None, created_at=T0 + 21
    )
    assert alone.virtual_number == VN2


async def test_a_single_party_may_ask_for_a_number_of_any_country(store: Store) -> None:
    british = Number("442079460000")
    await store.add_number(virtual_number(british, country="GB"), T0)
    assert (await create(store, options=ALONE, second_party=None, geomatch=True)).virtual_number == VN3
    other = {"options": ALONE, "first_party": CAROL, "second_party": None}
    assert (await create(store, "2", geomatch=False, **other)).virtual_number == british


async def test_a_party_may_be_left_out_only_where_that_was_asked_for(store: Store) -> None:
    with pytest.raises(MissingParameter):
        await create(store, second_party=None)


async def test_once_the_missing_party_is_known_nobody_else_is_connected(store: Store) -> None:
    session = await create(store, options=ALONE, second_party=None)
    updated = await update(store, session, second_party=BOB)
    assert updated.second_party == BOB
    assert await store.session(ACCOUNT.id, session.id) == updated
    assert await store.session_for_call(BOB, VN3) == updated
    fact = (await store.facts(session.id))[-1]
    assert isinstance(fact, SessionUpdated)
    assert ([note.kind for note in fact.claims], [note.kind for note in fact.released]) == (["party"] * 2, ["anyone"])
    # The number may be shared from now on.
    for i, second in enumerate((Number("6589000001"), Number("6589000002"), Number("6589000003"))):
        shared = await create(store, str(i), first_party=CAROL, second_party=second, created_at=T0 + 11)
    assert shared.virtual_number == VN3


async def test_the_last_outside_party_is_who_called_or_was_called_last(store: Store) -> None:
    session = await create(store, options=ALONE, second_party=None)
    assert await store.last_outside_party(session) is None

    async def called(name: str, at: float, **changes: Any) -> None:
        record = call_record(name, started_at=at, caller=Role.SECOND, **changes)
        await store.commit_calls([recorded_call(name, record=record, interaction=interaction(name, started_at=at))])

    leg = call_record().legs[0]
    await called("1", T0 + 1, legs=(replace(leg, source=CAROL),))
    await called("2", T0 + 2, legs=(replace(leg, source=None),))
    assert await store.last_outside_party(session) == CAROL
    back = call_record("3", started_at=T0 + 3, legs=(leg, replace(call_record().legs[1], destination=DAVE)))
    await store.commit_calls([recorded_call("3", record=back, interaction=interaction("3", started_at=T0 + 3))])
    assert await store.last_outside_party(session) == DAVE
    assert await store.last_outside_party(replace(session, second_party=BOB)) is None


# -- updates of parties ------------------------------------------------------------------------------------------
async def test_a_new_party_takes_the_place_of_the_old_one_which_is_in_quarantine(store: Store) -> None:
    options = replace(OPTIONS, second_party_cooloff=60)
    session = await create(store, options=options)
    updated = await update(store, session, second_party=CAROL)
    assert await store.session_for_call(CAROL, VN1) == updated
    fact = (await store.facts(session.id))[-1]
    assert isinstance(fact, SessionUpdated)
    assert fact.parameters == ("second_party",)
    assert [(note.role, note.held_until) for note in fact.released] == [("second_party", T0 + 70)]
    assert [note.held_until for note in fact.claims] == [T0 + 600, T0 + 660]
    # Bob's pair is in quarantine: he is no party any more, and nobody gets it yet.
    assert (await create(store, "2", first_party=BOB, second_party=DAVE, created_at=T0 + 69)).virtual_number == VN2
    later = await create(store, "3", first_party=BOB, second_party=Number("6589000001"), created_at=T0 + 70)
    assert later.virtual_number == VN1
    found, _ = await store.sessions(ACCOUNT.id, SessionFilter(second_party=CAROL), limit=9, offset=0, wall=T0 + 11)
    assert found == [updated]


async def test_a_party_that_comes_back_takes_its_own_pair_out_of_quarantine(store: Store) -> None:
    session = await create(store, options=replace(OPTIONS, second_party_cooloff=60))
    changed = await update(store, session, second_party=CAROL)
    back = await update(store, changed, now=T0 + 20, second_party=BOB)
    assert await store.session_for_call(BOB, VN1) == back


async def test_a_party_that_holds_the_number_in_another_session_is_refused_and_nothing_changes(store: Store) -> None:
    session = await create(store)
    await create(store, "2", first_party=CAROL, second_party=DAVE)
    facts, counts = await store.facts(session.id), await store.counts()
    with pytest.raises(InvalidParameter) as caught:
        await update(store, session, second_party=DAVE, expires_at=T0 + 9999)
    assert caught.value.parameter == "second_party"
    assert await store.session(ACCOUNT.id, session.id) == session
    assert await store.session_for_call(BOB, VN1) == session
    assert (await store.facts(session.id), await store.counts()) == (facts, counts)


async def test_parties_that_change_places_keep_their_pairs(store: Store) -> None:
    session = await create(store)
    swapped = await update(store, session, first_party=BOB, second_party=ALICE)
    assert await store.session_for_call(ALICE, VN1) == swapped
    fact = (await store.facts(session.id))[-1]
    assert isinstance(fact, SessionUpdated) and fact.released == () and len(fact.claims) == 2


async def test_an_update_queues_its_webhooks(store: Store) -> None:
    session = await create(store)
    change = SessionChange(session.options, session.expires_at, T0 + 1, (), session.first_party, session.second_party)
    row = outbox_row(subject=session.id)
    await store.update_session(ACCOUNT.id, session.id, change, outbox=[row])
    assert await store.outbox(ACCOUNT.id) == [row]


# -- numbers that are not to be used -----------------------------------------------------------------------------
@pytest.mark.parametrize("state", [NumberState.RESTING, NumberState.RETIRED])
async def test_a_number_that_is_not_active_gets_no_new_sessions_and_keeps_its_own(
    store: Store, state: NumberState
) -> None:
    session = await create(store)
    await store.update_number(virtual_number(VN1, state=state), T0)
    assert (await create(store, "2", first_party=CAROL, second_party=DAVE)).virtual_number == VN2
    assert await store.session_for_call(ALICE, VN1) == session
    alone = await create(store, "3", options=ALONE, first_party=Number("6589000001"), second_party=None)
    assert alone.virtual_number == VN3


async def test_a_session_gets_another_number_for_one_that_is_not_active(store: Store) -> None:
    session = await create(store, options=replace(OPTIONS, first_party_cooloff=60))
    assert await store.replace_numbers(ACCOUNT.id, session.id, now=T0 + 5, outbox=lambda _: ()) == session
    await store.update_number(virtual_number(VN1, state=NumberState.RETIRED), T0)
    moved = await store.replace_numbers(
        ACCOUNT.id, session.id, now=T0 + 10, outbox=lambda new: [outbox_row(subject=new.id)]
    )
    assert moved == replace(session, virtual_number=VN2, modified_at=T0 + 10)
    assert await store.session(ACCOUNT.id, session.id) == moved
    assert await store.session_for_call(ALICE, VN2) == await store.session_for_call(BOB, VN2) == moved
    # Who dials the old number in quarantine is still known.
    assert await store.session_for_call(ALICE, VN1) == moved
    fact = (await store.facts(session.id))[-1]
    assert isinstance(fact, VirtualNumberReplaced)
    assert [(note.virtual_number, note.held_until) for note in fact.claims] == [
        (VN2.e164, T0 + 660), (VN2.e164, T0 + 600)
    ]  # fmt: skip
    assert [(note.virtual_number, note.held_until) for note in fact.released] == [
        (VN1.e164, T0 + 70), (VN1.e164, T0 + 10)
    ]  # fmt: skip
    assert [row.subject for row in await store.outbox(ACCOUNT.id)] == [session.id]


async def test_no_other_number_leaves_the_session_as_it_is(store: Store) -> None:
    session = await create(store)
    for number in (VN1, VN2, VN3):
        await store.update_number(virtual_number(number, state=NumberState.RESTING), T0)
    with pytest.raises(PoolExhausted):
        await store.replace_numbers(ACCOUNT.id, session.id, now=T0 + 1, outbox=lambda _: ())
    assert await store.session_for_call(ALICE, VN1) == session
    with pytest.raises(NotFound):
        await store.replace_numbers(OTHER.id, session.id, now=T0 + 1, outbox=lambda _: ())
    with pytest.raises(SessionEnded):
        await store.replace_numbers(ACCOUNT.id, session.id, now=T0 + 600, outbox=lambda _: ())


async def test_live_sessions_of_a_number_are_listed_the_last_to_end_first(store: Store) -> None:
    one = await create(store)
    longer = {"options": replace(OPTIONS, session_expiry=900), "first_party": CAROL, "second_party": DAVE}
    two = await create(store, "2", **longer)
    await create(store, "3", first_party=Number("6589000001"), second_party=Number("6589000002"))
    await end(store, "3")
    assert await store.sessions_on(VN1, now=T0 + 30, limit=9) == [two, one]
    assert await store.sessions_on(VN1, now=T0 + 30, limit=1) == [two]
    assert await store.sessions_on(VN1, now=T0 + 600, limit=9) == [two]
    assert await store.sessions_on(VN2, now=T0 + 30, limit=9) == []
    await update(store, two, second_party=Number("6589000003"))
    assert [session.id for session in await store.sessions_on(VN1, now=T0 + 30, limit=9)] == ["2", "session-1"]


async def test_numbers_of_a_removed_subaccount_are_at_the_end_of_its_accounts_pool(store: Store) -> None:
    of_sub = Number("6531000000")
    await store.add_number(virtual_number(of_sub, subaccount_id=SUB.id), T0)
    session = await create(store, subaccount_id=SUB.id)
    await store.remove_subaccount(SUB.id, T0)
    assert [number.number for number in await store.numbers(ACCOUNT.id)] == [VN1, VN2, VN3, of_sub]
    assert await store.session_for_call(ALICE, of_sub) == session
    assert (await end(store)).subaccount_id == SUB.id
    with pytest.raises(NotFound):
        await create(store, "2", subaccount_id=SUB.id)


async def test_amounts_add_up_in_the_session(store: Store) -> None:
    session = await create(store, amount=250_000)
    assert session.amount == 250_000
    calls = [recorded_call(f"c{i}", interaction=interaction(f"c{i}", amount=1000 + i)) for i in range(2)]
    await store.commit_calls(calls)
    after = await store.session(ACCOUNT.id, session.id)
    assert (after.amount, after.total_call_amount) == (250_000, 2001)
    assert [done.amount for done in after.interactions] == [1000, 1001]
    charged = call_record("c9", legs=tuple(replace(leg, amount=7, billed_duration=60) for leg in call_record().legs))
    await store.commit_calls([recorded_call("c9", facts=call_facts("c9"), record=charged)])
    assert await store.call(ACCOUNT.id, "c9") == charged
