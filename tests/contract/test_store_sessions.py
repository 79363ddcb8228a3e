"""The store contract: sessions, claims and the "no stranger" rule."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import Any

import pytest

from maskline.errors import Conflict, InvalidParameter, NotFound, PoolExhausted, SessionEnded
from maskline.masking.claims import FORGET_AFTER, claims_of
from maskline.masking.e164 import Number
from maskline.masking.facts import ClaimNote, SessionCreated, SessionExpired, SessionUpdated
from maskline.masking.session import Session, SessionChange, SessionOptions
from maskline.storage.crypto import KEY_BYTES, Sealer
from maskline.storage.filters import SessionFilter
from maskline.storage.memory import MemoryStore
from maskline.storage.store import Once, Store
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
    interaction,
    new_session,
    outbox_row,
    recorded_call,
    virtual_number,
)  # fmt: skip

OPTIONS = SessionOptions(session_expiry=600)
COOL_OFF = replace(OPTIONS, first_party_cooloff=60, second_party_cooloff=60)
SEALER = Sealer(bytes(KEY_BYTES))


def notes(session: Session, until: float) -> tuple[ClaimNote, ...]:
    """What a fact tells of a session's claims, all of which are held until one moment."""
    return tuple(
        ClaimNote(
            SEALER.key_hash(claim.key).hex(), claim.key.kind.value, claim.role.value, claim.virtual_number.e164, until
        )
        for claim in claims_of(session)
    )


def change(session: Session, now: float, *changed: str, **values: Any) -> SessionChange:
    """An update of a session's own fields and, in `options`, its options."""
    fields = {"options": session.options, "expires_at": session.expires_at, "now": now, "changed": changed,
              "first_party": session.first_party, "second_party": session.second_party}  # fmt: skip
    return SessionChange(**{**fields, **values})


async def end(store: Store, session_id: str = "session-1", now: float = T0 + 1, by_request: bool = True) -> Session:
    return await store.end_session(ACCOUNT.id, session_id, now=now, by_request=by_request, outbox=())


async def test_a_session_gets_the_first_number_and_is_read_back(store: Store) -> None:
    options = replace(
        OPTIONS, callback_url="https://hooks.example/s?x=1", callback_method="GET", record=True, ring_timeout=15,
        unknown_caller_play="sorry", first_party_play_url="https://a.example/1.mp3", geomatch=True,
    )  # fmt: skip
    created = await store.create_session(new_session(options=options))
    assert created == Session(
        "session-1", ACCOUNT.id, None, ALICE, BOB, VN1, options, T0, T0, T0 + 600, planned_duration=600
    )
    assert await store.session(ACCOUNT.id, "session-1") == created
    (fact,) = await store.facts("session-1")
    assert fact == SessionCreated("session-1", 1, T0, T0 + 600, notes(created, T0 + 600), "shared")


async def test_a_session_of_another_account_is_not_found_by_any_method(store: Store) -> None:
    created = await store.create_session(new_session())
    with pytest.raises(NotFound):
        await store.session(OTHER.id, "session-1")
    with pytest.raises(NotFound):
        await store.update_session(OTHER.id, "session-1", change(created, T0))
    with pytest.raises(NotFound):
        await store.end_session(OTHER.id, "session-1", now=T0, by_request=True, outbox=())
    assert await store.sessions(OTHER.id, SessionFilter(), limit=20, offset=0, wall=T0) == ([], 0)


async def test_an_unknown_session_is_not_found(store: Store) -> None:
    created = await store.create_session(new_session())
    with pytest.raises(NotFound):
        await store.session(ACCOUNT.id, "nothing")
    with pytest.raises(NotFound):
        await store.update_session(ACCOUNT.id, "nothing", change(created, T0))
    with pytest.raises(NotFound):
        await end(store, "nothing")


@pytest.mark.parametrize(
    "owner",
    [{"account_id": "MA-nobody"}, {"subaccount_id": "SA-nobody"}, {"account_id": OTHER.id, "subaccount_id": SUB.id}],
)
async def test_a_session_needs_an_owner_that_exists(store: Store, owner: dict[str, str]) -> None:
    with pytest.raises(NotFound):
        await store.create_session(new_session(**owner))


async def test_a_session_id_is_taken_once(store: Store) -> None:
    await store.create_session(new_session())
    with pytest.raises(Conflict):
        await store.create_session(new_session(first_party=CAROL))
    assert await store.session_for_call(CAROL, VN1) is None


async def test_a_session_of_a_number_with_itself_is_refused(store: Store) -> None:
    with pytest.raises(InvalidParameter):
        await store.create_session(new_session(second_party=ALICE))
    assert (await store.counts())["claims"] == 0


@pytest.mark.row("6.2/many sessions on one number", "6.2/no stranger")
async def test_first_fit_skips_what_either_party_holds_and_reuses_the_rest(store: Store) -> None:
    one = await store.create_session(new_session("1"))
    two = await store.create_session(new_session("2", first_party=CAROL))
    three = await store.create_session(new_session("3", first_party=CAROL, second_party=DAVE))
    assert [one.virtual_number, two.virtual_number, three.virtual_number] == [VN1, VN2, VN1]


@pytest.mark.row("6.2/the same pair again")
async def test_an_empty_pool_and_a_full_one_refuse_and_leave_nothing(store: Store) -> None:
    for number in range(3):
        await store.create_session(new_session(str(number)))
    before = await store.counts()
    with pytest.raises(PoolExhausted):
        await store.create_session(new_session("4", second_party=CAROL))
    with pytest.raises(PoolExhausted):
        await store.create_session(new_session("5", account_id=OTHER.id))
    assert await store.counts() == before


@pytest.mark.row("6.2/subaccount")
async def test_a_subaccount_draws_from_its_own_pool_and_the_account_does_not(store: Store) -> None:
    of_sub = Number("6531000000")
    with pytest.raises(PoolExhausted):
        await store.create_session(new_session("1", subaccount_id=SUB.id))
    await store.add_number(virtual_number(of_sub, subaccount_id=SUB.id), T0)
    assert (await store.create_session(new_session("2", subaccount_id=SUB.id))).virtual_number == of_sub
    assert (await store.create_session(new_session("3", first_party=CAROL, second_party=DAVE))).virtual_number == VN1


@pytest.mark.row("6.2/geomatch")
async def test_geomatch_takes_only_numbers_of_the_first_partys_country(store: Store) -> None:
    british = Number("442079460000")
    await store.add_number(virtual_number(british, country="GB"), T0)
    caller = Number("442079461111")
    assert (await store.create_session(new_session("1", first_party=caller, geomatch=True))).virtual_number == british
    with pytest.raises(PoolExhausted):
        await store.create_session(new_session("2", first_party=caller, geomatch=True, second_party=CAROL))


async def test_two_racing_creates_never_share_a_pair(store: Store) -> None:
    results = await asyncio.gather(
        *(store.create_session(new_session(str(i), second_party=Number(f"658900000{i}"))) for i in range(5)),
        return_exceptions=True,
    )
    numbers = [result.virtual_number for result in results if isinstance(result, Session)]
    assert sorted(number.digits for number in numbers) == [VN1.digits, VN2.digits, VN3.digits]
    assert [type(result) for result in results if not isinstance(result, Session)] == [PoolExhausted] * 2


async def test_either_party_is_matched_and_nobody_else(store: Store) -> None:
    created = await store.create_session(new_session())
    assert await store.session_for_call(ALICE, VN1) == created
    assert await store.session_for_call(BOB, VN1) == created
    assert await store.session_for_call(CAROL, VN1) is None
    assert await store.session_for_call(ALICE, VN2) is None


@pytest.mark.row("3/clock restarts")
async def test_an_update_restarts_the_clock_and_moves_the_claims(store: Store) -> None:
    created = await store.create_session(new_session())
    options = replace(OPTIONS, session_expiry=900, ring_timeout=20)
    wanted = change(created, T0 + 100, "session_expiry", options=options, expires_at=T0 + 1000)
    updated = await store.update_session(ACCOUNT.id, "session-1", wanted)
    assert (updated.options, updated.expires_at, updated.modified_at) == (options, T0 + 1000, T0 + 100)
    assert updated.planned_duration == 1000
    assert await store.session(ACCOUNT.id, "session-1") == updated
    assert (await store.facts("session-1"))[1:] == [
        SessionUpdated("session-1", 2, T0 + 100, T0 + 1000, notes(updated, T0 + 1000), ("session_expiry",))
    ]
    for i in range(2, 4):
        await store.create_session(new_session(str(i), created_at=T0 + 700, second_party=CAROL))
    with pytest.raises(PoolExhausted):
        await store.create_session(new_session("4", created_at=T0 + 999))
    assert (await store.create_session(new_session("5", created_at=T0 + 1000))).virtual_number == VN1


async def test_an_update_may_shorten_the_session(store: Store) -> None:
    created = await store.create_session(new_session())
    await store.update_session(ACCOUNT.id, "session-1", change(created, T0 + 5, expires_at=T0 + 10))
    again = await store.create_session(new_session("2", created_at=T0 + 10))
    assert again.virtual_number == VN1


async def test_a_session_whose_time_is_over_cannot_be_updated(store: Store) -> None:
    created = await store.create_session(new_session())
    with pytest.raises(SessionEnded):
        await store.update_session(ACCOUNT.id, "session-1", change(created, T0 + 600, expires_at=T0 + 9999))
    await end(store, now=T0 + 601, by_request=False)
    with pytest.raises(SessionEnded):
        await store.update_session(ACCOUNT.id, "session-1", change(created, T0 + 5, expires_at=T0 + 9999))


async def test_an_end_by_request_moves_the_end_writes_its_fact_and_queues_its_webhook(store: Store) -> None:
    created = await store.create_session(new_session())
    row = outbox_row(subject="session-1", event="SessionTimeout")
    ended = await store.end_session(ACCOUNT.id, "session-1", now=T0 + 10, by_request=True, outbox=[row])
    assert ended == replace(created, ended_at=T0 + 10, modified_at=T0 + 10, expires_at=T0 + 10)
    assert ended.planned_duration == 600
    assert await store.session(ACCOUNT.id, "session-1") == ended
    assert (await store.facts("session-1"))[1:] == [
        SessionExpired("session-1", 2, T0 + 10, T0 + 10, notes(ended, T0 + 10), True)
    ]
    assert await store.outbox(ACCOUNT.id) == [row]


async def test_an_end_by_time_keeps_the_planned_end(store: Store) -> None:
    await store.create_session(new_session())
    ended = await end(store, now=T0 + 603.5, by_request=False)
    assert (ended.expires_at, ended.ended_at) == (T0 + 600, T0 + 603.5)
    assert (await store.facts("session-1"))[1:] == [
        SessionExpired("session-1", 2, T0 + 603.5, T0 + 600, notes(ended, T0 + 600), False)
    ]


async def test_a_session_ends_once(store: Store) -> None:
    await store.create_session(new_session())
    await end(store)
    for by_request in (True, False):
        with pytest.raises(SessionEnded):
            await end(store, by_request=by_request)
    assert len(await store.facts("session-1")) == 2


async def test_a_request_cannot_end_what_is_over_by_time_but_the_sweep_can(store: Store) -> None:
    await store.create_session(new_session())
    with pytest.raises(SessionEnded):
        await end(store, now=T0 + 600)
    assert (await end(store, now=T0 + 600, by_request=False)).ended_at == T0 + 600


async def test_without_cool_off_the_pairs_are_free_at_once(store: Store) -> None:
    await store.create_session(new_session())
    await end(store, now=T0 + 5)
    assert (await store.create_session(new_session("2", created_at=T0 + 5))).virtual_number == VN1
    assert (await store.session_for_call(ALICE, VN1)).id == "2"  # type: ignore[union-attr]


@pytest.mark.row("2/virtual_number_cooloff_period", "6.2/cool-off")
async def test_the_cool_off_holds_the_pairs_and_not_the_number(store: Store) -> None:
    await store.create_session(new_session(options=COOL_OFF))
    await end(store, now=T0 + 5)
    during = await store.create_session(new_session("2", created_at=T0 + 64.9, second_party=Number("6589000001")))
    strangers = await store.create_session(new_session("3", first_party=CAROL, second_party=DAVE, created_at=T0 + 6))
    after = await store.create_session(new_session("4", created_at=T0 + 65, second_party=CAROL))
    assert [s.virtual_number for s in (during, strangers)] == [VN2, VN1]
    # Alice's own pair with VN1 is free again, Carol's is held by session 3.
    assert after.virtual_number == VN3


@pytest.mark.row("6.2/cool-off")
async def test_the_cool_off_after_an_end_by_time_counts_from_the_planned_end(store: Store) -> None:
    await store.create_session(new_session(options=COOL_OFF))
    with_carol = new_session("2", created_at=T0 + 659, second_party=CAROL)
    assert (await store.create_session(with_carol)).virtual_number == VN2
    await end(store, now=T0 + 659, by_request=False)
    with_dave = new_session("3", created_at=T0 + 660, second_party=DAVE)
    assert (await store.create_session(with_dave)).virtual_number == VN1


@pytest.mark.row("6.2/cool-off")
async def test_the_same_pair_gets_its_number_again_even_during_the_cool_off(store: Store) -> None:
    await store.create_session(new_session(options=COOL_OFF))
    again = await store.create_session(new_session("2", created_at=T0 + 600, first_party=BOB, second_party=ALICE))
    assert again.virtual_number == VN1
    assert (await store.session_for_call(ALICE, VN1)) == again
    # Its end came late: the claims are its successor's by now, and its fact does not say otherwise.
    await end(store, now=T0 + 601, by_request=False)
    fact = (await store.facts("session-1"))[-1]
    assert isinstance(fact, SessionExpired) and fact.claims == ()
    assert (await store.session_for_call(ALICE, VN1)) == again


async def test_ending_a_session_late_does_not_touch_the_claims_of_its_successor(store: Store) -> None:
    await store.create_session(new_session())
    await store.create_session(new_session("2", created_at=T0 + 600))
    await end(store, now=T0 + 700, by_request=False)
    assert (await store.create_session(new_session("3", created_at=T0 + 701))).virtual_number == VN2
    assert (await store.session_for_call(ALICE, VN1)).id == "2"  # type: ignore[union-attr]


async def test_an_ended_session_is_still_matched_until_it_is_forgotten(store: Store) -> None:
    await store.create_session(new_session())
    ended = await end(store, now=T0 + 5)
    assert await store.session_for_call(ALICE, VN1) == ended
    await store.create_session(new_session("2", first_party=CAROL, second_party=DAVE, created_at=T0 + 10))
    await end(store, "2", now=T0 + 5 + FORGET_AFTER, by_request=False)
    assert await store.session_for_call(ALICE, VN1) == ended
    await store.create_session(new_session("3", first_party=CAROL, second_party=DAVE, created_at=T0 + FORGET_AFTER))
    await end(store, "3", now=T0 + 6 + FORGET_AFTER)
    assert await store.session_for_call(ALICE, VN1) is None
    assert await store.session(ACCOUNT.id, "session-1") == ended


async def test_sessions_whose_time_is_over_are_due_oldest_first(store: Store) -> None:
    for i, expiry in enumerate((300, 100, 200)):
        parties = {"first_party": Number(f"65810000{i}0"), "second_party": Number(f"65820000{i}0")}
        await store.create_session(new_session(str(i), options=SessionOptions(session_expiry=expiry), **parties))
    assert await store.sessions_due(T0 + 99, 10) == []
    assert [s.id for s in await store.sessions_due(T0 + 200, 10)] == ["1", "2"]
    assert [s.id for s in await store.sessions_due(T0 + 300, 2)] == ["1", "2"]
    await end(store, "1", now=T0 + 200, by_request=False)
    assert [s.id for s in await store.sessions_due(T0 + 300, 10)] == ["2", "0"]


async def listed(store: Store, wall: float = T0 + 50, limit: int = 20, offset: int = 0, **wanted: object) -> list[str]:
    found, total = await store.sessions(
        ACCOUNT.id,
        SessionFilter(**wanted),
        limit=limit,
        offset=offset,
        wall=wall,  # type: ignore[arg-type]
    )
    assert total >= len(found)
    return [session.id for session in found]


async def three_sessions(store: Store) -> None:
    """1: active Alice-Bob on VN1; 2: ended Alice-Carol on VN2; 3: in progress Dave-Bob on VN2, shorter."""
    await store.create_session(new_session("1"))
    await store.create_session(new_session("2", second_party=CAROL, created_at=T0 + 10))
    await end(store, "2", now=T0 + 20)
    options = SessionOptions(session_expiry=60)
    await store.create_session(new_session("3", first_party=DAVE, created_at=T0 + 30, options=options))
    await store.commit_calls(
        [recorded_call("c", session_id="3", record=None, interaction=None, calls_in_progress_delta=1)]
    )


@pytest.mark.row("4/order and windows", "4/plain offset")
async def test_sessions_are_listed_newest_first_in_pages_with_their_total(store: Store) -> None:
    await three_sessions(store)
    assert await listed(store) == ["3", "2", "1"]
    assert await listed(store, limit=2) == ["3", "2"]
    assert await listed(store, limit=2, offset=2) == ["1"]
    found, total = await store.sessions(ACCOUNT.id, SessionFilter(), limit=1, offset=1, wall=T0)
    assert (total, found) == (3, [await store.session(ACCOUNT.id, "2")])


@pytest.mark.row("4/parties and number", "4/status", "4/times", "4/duration")
@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        ({"first_party": ALICE}, ["2", "1"]),
        ({"second_party": BOB}, ["3", "1"]),
        ({"first_party": ALICE, "second_party": BOB}, ["1"]),
        ({"virtual_number": VN2}, ["3", "2"]),
        ({"status": "all"}, ["3", "2", "1"]),
        ({"status": "active"}, ["3", "1"]),
        ({"status": "expired"}, ["2"]),
        ({"status": "in-progress"}, ["3"]),
        ({"subaccount_id": SUB.id}, []),
        ({"created": (("eq", T0 + 10),)}, ["2"]),
        ({"created": (("gt", T0), ("lt", T0 + 30))}, ["2"]),
        ({"created": (("gte", T0), ("lte", T0 + 10))}, ["2", "1"]),
        ({"expires": (("lt", T0 + 90),)}, ["2"]),
        ({"expires": (("gte", T0 + 90),)}, ["3", "1"]),
        ({"duration": (("gt", 60.0),)}, ["2", "1"]),
        ({"duration": (("eq", 60.0),)}, ["3"]),
    ],
    ids=str,
)
async def test_sessions_are_filtered(store: Store, wanted: dict[str, object], ids: list[str]) -> None:
    await three_sessions(store)
    assert await listed(store, **wanted) == ids


async def test_the_status_filter_follows_the_time(store: Store) -> None:
    await three_sessions(store)
    # The third one's call goes on: until its end the session is not over.
    assert await listed(store, wall=T0 + 600, status="expired") == ["2", "1"]
    assert await listed(store, wall=T0 + 600, status="active") == ["3"]
    assert await listed(store, wall=T0 + 600, status="in-progress") == ["3"]
    await store.commit_calls(
        [recorded_call("d", session_id="3", record=None, interaction=None, calls_in_progress_delta=-1)]
    )
    assert await listed(store, wall=T0 + 600, status="active") == []
    assert await listed(store, wall=T0 + 600, status="expired") == ["3", "2", "1"]


@pytest.mark.row("4/subaccount")
async def test_sessions_of_a_subaccount_are_listed_under_the_account(store: Store) -> None:
    await store.add_number(virtual_number(Number("6531000000"), subaccount_id=SUB.id), T0)
    await store.create_session(new_session("1", subaccount_id=SUB.id))
    await store.create_session(new_session("2", second_party=CAROL))
    assert await listed(store, subaccount_id=SUB.id) == ["1"]
    assert len(await listed(store)) == 2


async def test_calls_in_progress_are_counted_and_never_negative(store: Store) -> None:
    await store.create_session(new_session())
    for name, delta, expected in (("a", 1, 1), ("b", 1, 2), ("c", -1, 1), ("d", -1, 0), ("e", -1, 0)):
        call = recorded_call(name, interaction=None, record=None, calls_in_progress_delta=delta)
        await store.commit_calls([call])
        assert (await store.session(ACCOUNT.id, "session-1")).calls_in_progress == expected


async def test_calls_in_progress_of_a_former_process_are_reset(store: Store) -> None:
    for i in range(3):
        await store.create_session(new_session(str(i)))
    calls = [
        recorded_call(f"c{i}", session_id=str(i), interaction=None, record=None, calls_in_progress_delta=1)
        for i in range(2)
    ]
    await store.commit_calls(calls)
    assert await store.reset_calls_in_progress() == 2
    assert await store.reset_calls_in_progress() == 0
    assert (await store.session(ACCOUNT.id, "0")).calls_in_progress == 0


@pytest.mark.row(
    "5/total_call_count",
    "5/total_call_billed_duration",
    "5/last_interaction_time",
    "5.1/two legs, many interactions",
)
async def test_a_finished_call_moves_the_totals_of_its_session(store: Store) -> None:
    created = await store.create_session(new_session())
    later = interaction(
        "call-2", started_at=T0 + 50, ended_at=T0 + 60, legs=1, billed_duration=0, second_party_leg_id=None
    )
    await store.commit_calls([recorded_call("call-2", interaction=later), recorded_call("call-1")])
    session = await store.session(ACCOUNT.id, "session-1")
    assert session == replace(
        created, interactions=(interaction("call-1"), later), last_interaction_at=T0 + 60, total_call_count=3,
        total_call_billed_duration=120,
    )  # fmt: skip
    assert (await store.sessions(ACCOUNT.id, SessionFilter(), limit=20, offset=0, wall=T0))[0] == [session]
    assert await store.session_for_call(ALICE, VN1) == replace(session, interactions=())


async def test_many_calls_of_one_session_in_one_commit_all_count(store: Store) -> None:
    await store.create_session(new_session())
    calls = [
        recorded_call(f"c{i}", interaction=interaction(f"c{i}", started_at=T0 + i, ended_at=T0 + 50 - i))
        for i in range(5)
    ]
    started = recorded_call("c9", interaction=None, record=None, calls_in_progress_delta=1)
    await store.commit_calls([*calls, started, recorded_call("c10", interaction=None, record=None)])
    session = await store.session(ACCOUNT.id, "session-1")
    assert [done.call_id for done in session.interactions] == ["c0", "c1", "c2", "c3", "c4"]
    assert (session.total_call_count, session.calls_in_progress, session.last_interaction_at) == (10, 1, T0 + 50)


async def test_a_call_of_a_session_that_is_gone_is_still_recorded(store: Store) -> None:
    await store.commit_calls([recorded_call(session_id="gone")])
    assert await store.facts("call-1") == list(call_facts())


async def test_what_tells_of_a_new_session_is_kept_with_it_and_only_the_first_time(store: Store) -> None:
    once = Once(ACCOUNT.id, "key", "same", T0 + 60)
    for name in ("told", "again"):
        made = await store.create_session(
            new_session(name), once=once, outbox=lambda one: [outbox_row(f"of {one.id}", subject=one.id)]
        )
        assert made.id == "told"
    assert [(row.id, row.subject, row.state) for row in await store.outbox(None)] == [("of told", "told", "due")]


async def test_a_session_whose_webhook_cannot_be_kept_is_not_made(store: Store) -> None:
    await store.announce([outbox_row("there")])
    with pytest.raises(Conflict):
        await store.create_session(new_session("one"), outbox=lambda _: [outbox_row("there")])
    if not isinstance(store, MemoryStore):
        with pytest.raises(NotFound):
            await store.session(ACCOUNT.id, "one")
