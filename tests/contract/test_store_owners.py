"""The store contract: which processes live, and how an engine's calls become another one's."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from maskline.masking.facts import CallReceived, CallRouted
from maskline.masking.session import Role
from maskline.storage.kept import LiveCall, Owner, Tenure
from maskline.storage.live_store import LEASE
from maskline.storage.store import RecordedCall, Store
from tests.support.store_values import ACCOUNT, T0, TRUNK, VN1, call_facts, call_record, new_session, recorded_call

ONE, TWO = (Owner(name, "engine", "host", f"192.0.2.{n}:5060") for n, name in enumerate(("e1", "e2"), 1))


def live(call_id: str = "call-1", **changes: Any) -> LiveCall:
    values: dict[str, Any] = {
        "engine_id": "e1", "account_id": ACCOUNT.id, "session_id": "session-1", "kept_at": T0 + 10, "state": b"state",
    }  # fmt: skip
    return LiveCall(call_id, **(values | changes))


def begun(call_id: str = "call-1", **changes: Any) -> RecordedCall:
    facts = (
        CallReceived(call_id, 1, T0 + 10, TRUNK.id, VN1.digits),
        CallRouted(call_id, 2, T0 + 10, "session-1", Role.FIRST.value),
    )
    kept = live(call_id, **changes)
    return RecordedCall(facts, ACCOUNT.id, session_id="session-1", calls_in_progress_delta=1, live=kept)


def ended(held: Tenure | None, call_id: str = "call-1") -> RecordedCall:
    facts = tuple([replace(fact, subject=call_id) for fact in call_facts()[2:]])
    return recorded_call(
        call_id, facts=facts, record=call_record(call_id), outbox=(), calls_in_progress_delta=-1, held=held
    )


async def clock_of(store: Store) -> float:
    """Wall seconds as the store judges them: PostgreSQL has its own."""
    return (await store.renew_owner(Owner("clock", "test", "", ""), now=T0)).now


async def test_who_says_that_it_lives_is_among_the_owners_until_it_ends(store: Store) -> None:
    first = await store.renew_owner(ONE, now=T0)
    assert (first.in_time, first.others, first.mine) == (False, (), None)
    second = await store.renew_owner(TWO, now=T0 + 1)
    assert [(one.id, one.until) for one in second.living("engine", "serve")] == [("e1", first.now + LEASE)]
    assert second.living("api") == []
    again = await store.renew_owner(ONE, now=T0 + 2)
    assert again.in_time and again.mine == ONE._replace(until=first.until)
    await store.end_owner("e1")
    await store.end_owner("unknown")
    assert next((one.id, one.until) for one in await store.owners()) == ("e1", 0.0)
    assert (await store.renew_owner(TWO, now=T0 + 3)).living("engine") == []
    assert not (await store.renew_owner(ONE, now=T0 + 4)).in_time


async def test_calls_of_a_living_engine_are_its_own(store: Store) -> None:
    await store.renew_owner(ONE, now=T0)
    await store.commit_calls([begun()])
    assert await store.take_live_calls("e2", now=T0 + 1, limit=9) == []
    assert await store.live_calls("e1") == [live()]


async def test_calls_of_a_dead_one_are_taken_a_few_at_a_time(store: Store) -> None:
    await store.renew_owner(ONE, now=T0)
    await store.commit_calls([begun(f"call-{n}", kept_at=T0 + n, engine_id="gone") for n in range(3)])
    assert [one.call_id for one in await store.take_live_calls("e1", now=T0, limit=2)] == ["call-0", "call-1"]
    (last,) = await store.take_live_calls("e1", now=T0, limit=2)
    assert last == live("call-2", kept_at=T0 + 2, engine_id="e1", taken=1)
    assert await store.take_live_calls("e1", now=T0, limit=2) == []
    assert len(await store.live_calls("e1")) == 3


async def test_what_an_engine_leaves_at_its_end_is_anybodys_at_once(store: Store) -> None:
    for one in (ONE, TWO):
        await store.renew_owner(one, now=T0)
    await store.commit_calls([begun()])
    await store.end_owner("e1")
    assert [one.call_id for one in await store.take_live_calls("e2", now=T0, limit=9)] == ["call-1"]


async def test_of_those_who_only_say_nothing_calls_can_be_left_alone(store: Store) -> None:
    await store.commit_calls([begun("silent"), begun("unknown", engine_id="gone"), begun("left", engine_id="e2")])
    for one in (ONE, TWO):
        await store.renew_owner(one, now=T0)
    await store.end_owner("e2")
    far = T0 + 10 * LEASE  # a database on a server goes by its own clock, and there e1 lives
    taken = await store.take_live_calls("e3", now=far, limit=9, ended_only=True)
    assert {one.call_id for one in taken} == {"left", "unknown"}
    assert [one.call_id for one in await store.live_calls("e1")] == ["silent"]


async def test_an_engines_next_start_has_its_calls_whoever_believes_it_lives(store: Store) -> None:
    await store.renew_owner(ONE, now=T0)
    await store.commit_calls([begun(), begun("call-2", engine_id="e2")])
    taken = await store.take_live_calls("e1", now=T0, limit=9, own=True)
    assert taken == [live(taken=1)]
    assert await store.lost_calls({"call-1": Tenure("e1", 0), "call-2": Tenure("e2", 0)}) == ["call-1"]


@pytest.mark.parametrize("held", [Tenure("e1", 0), Tenure("e2", 0), Tenure("e1", 1)])
async def test_who_has_lost_a_call_writes_nothing_of_it(store: Store, held: Tenure) -> None:
    await store.create_session(new_session())
    await store.commit_calls([begun(), begun("call-2")])
    await store.take_live_calls("e2", now=await clock_of(store), limit=1)
    later = RecordedCall((), ACCOUNT.id, live=live(state=b"of the former"), held=held)
    assert await store.commit_calls([later, ended(held), ended(Tenure("e1", 0), "call-2")]) == ["call-1"]
    assert [fact.sequence for fact in await store.facts("call-1")] == [1, 2]
    assert [one.state for one in await store.live_calls("e2")] == [b"state"]
    assert [one.id for one in await store.calls(ACCOUNT.id)] == ["call-2"]
    assert (await store.session(ACCOUNT.id, "session-1")).calls_in_progress == 1


@pytest.mark.parametrize("held", [Tenure("e1", 0), Tenure("e2", 0), Tenure("e1", 1)])
async def test_the_end_of_a_lost_call_is_not_written_and_those_beside_it_are(store: Store, held: Tenure) -> None:
    await store.create_session(new_session())
    await store.commit_calls([begun(), begun("call-2"), begun("call-3")])
    await store.take_live_calls("e2", now=await clock_of(store), limit=1)
    ours = Tenure("e1", 0)
    beside = [ended(ours, "call-2"), RecordedCall((), ACCOUNT.id, live=live("call-3", state=b"later"), held=ours)]
    assert await store.commit_calls([beside[0], ended(held), beside[1]]) == ["call-1"]
    assert [fact.sequence for fact in await store.facts("call-1")] == [1, 2]
    assert [one.state for one in await store.live_calls("e2")] == [b"state"]
    assert [one.state for one in await store.live_calls("e1")] == [b"later"]
    assert [one.id for one in await store.calls(ACCOUNT.id)] == ["call-2"]
    assert len(await store.facts("call-2")) == 3
    assert (await store.session(ACCOUNT.id, "session-1")).calls_in_progress == 2


async def test_who_took_a_call_writes_on(store: Store) -> None:
    await store.create_session(new_session())
    await store.commit_calls([begun()])
    await store.take_live_calls("e2", now=await clock_of(store), limit=1)
    held = Tenure("e2", 1)
    kept = live(state=b"later", engine_id="e2", taken=1)
    assert await store.commit_calls([RecordedCall((), ACCOUNT.id, live=kept, held=held)]) == []
    assert await store.live_calls("e2") == [kept]
    assert await store.commit_calls([ended(held)]) == []
    assert await store.live_calls("e2") == []
    assert (await store.session(ACCOUNT.id, "session-1")).calls_in_progress == 0


async def test_a_commit_that_is_repeated_since_its_answer_was_lost_writes_nothing_twice(store: Store) -> None:
    await store.create_session(new_session())
    await store.commit_calls([begun()])
    over = ended(Tenure("e1", 0))
    assert await store.commit_calls([over]) == []
    await store.commit_calls([over])
    assert len(await store.facts("call-1")) == 3
    assert len(await store.calls(ACCOUNT.id)) == 1
    assert (await store.session(ACCOUNT.id, "session-1")).calls_in_progress == 0


async def test_calls_in_progress_are_as_many_as_live_whoever_starts(store: Store) -> None:
    await store.create_session(new_session())
    await store.commit_calls([begun(), begun("call-2"), replace(begun("call-3"), live=None)])
    assert (await store.session(ACCOUNT.id, "session-1")).calls_in_progress == 3
    assert await store.reset_calls_in_progress() == 1
    assert (await store.session(ACCOUNT.id, "session-1")).calls_in_progress == 2
    assert await store.reset_calls_in_progress() == 0


async def test_the_long_dead_are_forgotten_but_not_while_somebody_has_to_take_their_calls(store: Store) -> None:
    await store.commit_calls([begun()])
    for one in (ONE, TWO, Owner("e3", "engine", "", "")):
        await store.renew_owner(one, now=T0)
        await store.end_owner(one.id)
    assert [one.id for one in await store.owners()] == ["e1", "e3"]


async def test_what_a_newer_program_kept_is_for_who_can_read_it(store: Store) -> None:
    await store.renew_owner(ONE, now=T0)
    await store.commit_calls([begun("old", engine_id="gone"), begun("new", engine_id="gone", form=2)])
    assert [one.call_id for one in await store.take_live_calls("e1", now=T0, limit=9, form=1)] == ["old"]
    assert await store.unread_calls("e1", now=T0, form=1) == ["new"]
    assert await store.unread_calls("e1", now=T0, form=2) == []
    (read,) = await store.take_live_calls("e2", now=T0, limit=9, form=2)
    assert read == live("new", engine_id="e2", taken=1, form=2)


async def test_what_nobody_came_to_read_is_taken_by_who_cannot(store: Store) -> None:
    for one in (ONE, TWO):
        await store.renew_owner(one, now=T0)
    await store.commit_calls([begun("gone-1", engine_id="gone", form=2), begun("read", engine_id="gone")])
    await store.commit_calls([begun("living", engine_id="e2", form=2)])
    asked = ["gone-1", "read", "living", "unknown"]
    (taken,) = await store.take_unread_calls("e1", asked, now=T0, form=1)
    assert taken == live("gone-1", engine_id="e1", taken=1, form=2)
    assert await store.take_unread_calls("e1", asked, now=T0, form=1) == []


async def test_what_a_newer_program_left_under_our_name_is_anybodys_who_can_read_it(store: Store) -> None:
    await store.renew_owner(ONE, now=T0)
    await store.commit_calls([begun("old"), begun("new", form=2)])
    assert [one.call_id for one in await store.take_live_calls("e1", now=T0, limit=9, own=True, form=1)] == ["old"]
    assert await store.lost_calls({"new": Tenure("e1", 0)}) == ["new"]
    assert await store.unread_calls("e1", now=T0, form=1) == ["new"]
    (read,) = await store.take_live_calls("e2", now=await clock_of(store), limit=9, form=2)
    assert (read.call_id, read.engine_id, read.taken) == ("new", "e2", 2)


async def test_a_call_that_is_kept_anew_is_in_the_form_of_who_keeps_it(store: Store) -> None:
    await store.commit_calls([begun(form=2), RecordedCall((), ACCOUNT.id, live=live(form=1))])
    assert [one.form for one in await store.live_calls("e1")] == [1]
