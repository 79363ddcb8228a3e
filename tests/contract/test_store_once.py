"""The store contract: a write that is asked for twice happens once."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from maskline.errors import Conflict, IdempotencyMismatch, NotFound, PoolExhausted
from maskline.masking.session import Session, SessionChange
from maskline.storage.store import Account, Once, Store
from tests.support.store_values import ACCOUNT, CAROL, OTHER, SUB, T0, VN1, VN2, new_session, virtual_number

ONCE = Once(ACCOUNT.id, "key-1", "POST /Session a=b", T0 + 60)


async def test_a_repeated_create_returns_the_first_session_as_it_is_now(store: Store) -> None:
    created = await store.create_session(new_session(), once=ONCE)
    assert await store.create_session(new_session("2"), once=ONCE) == created
    ended = await store.end_session(ACCOUNT.id, "session-1", now=T0 + 1, by_request=True, outbox=())
    assert await store.create_session(new_session("3", created_at=T0 + 59), once=ONCE) == ended
    assert (await store.counts())["sessions"] == 1


async def test_creates_that_race_under_one_key_make_one_session(store: Store) -> None:
    made = await asyncio.gather(*(store.create_session(new_session(str(i)), once=ONCE) for i in range(4)))
    assert [session.id for session in made] == ["0"] * 4


async def test_a_repeat_without_a_key_of_its_own_makes_a_new_session_once_the_first_is_over(store: Store) -> None:
    once = replace(ONCE, live_only=True)
    await store.create_session(new_session(), once=once)
    await store.end_session(ACCOUNT.id, "session-1", now=T0 + 1, by_request=True, outbox=())
    again = await store.create_session(new_session("2", created_at=T0 + 2), once=once)
    assert again.id == "2"
    assert (await store.create_session(new_session("3", created_at=T0 + 3), once=once)).id == "2"


async def test_a_key_is_forgotten_when_its_time_is_over(store: Store) -> None:
    await store.create_session(new_session(), once=ONCE)
    later = replace(ONCE, until=T0 + 120)
    assert (await store.create_session(new_session("2", created_at=T0 + 60), once=later)).id == "2"
    assert (await store.create_session(new_session("3", created_at=T0 + 119), once=later)).id == "2"


async def test_a_key_with_another_request_is_a_mistake_and_changes_nothing(store: Store) -> None:
    await store.create_session(new_session(), once=ONCE)
    before = await store.counts()
    with pytest.raises(IdempotencyMismatch):
        await store.create_session(new_session("2"), once=replace(ONCE, fingerprint="another"))
    assert await store.counts() == before


async def test_a_repeat_finds_its_session_when_no_number_is_left(store: Store) -> None:
    created = await store.create_session(new_session(), once=ONCE)
    for i in range(2):
        await store.create_session(new_session(str(i)))
    with pytest.raises(PoolExhausted):
        await store.create_session(new_session("3"))
    assert await store.create_session(new_session("3"), once=ONCE) == created
    with pytest.raises(IdempotencyMismatch):
        await store.create_session(new_session("3"), once=replace(ONCE, fingerprint="another"))


async def test_a_key_is_its_accounts_own(store: Store) -> None:
    await store.create_session(new_session(), once=ONCE)
    assert (await store.create_session(new_session("2"), once=replace(ONCE, account_id=OTHER.id))).id == "2"


async def test_a_create_that_failed_may_be_repeated(store: Store) -> None:
    for i in range(3):
        await store.create_session(new_session(str(i)))
    with pytest.raises(PoolExhausted):
        await store.create_session(new_session("3", second_party=CAROL), once=ONCE)
    await store.end_session(ACCOUNT.id, "0", now=T0 + 1, by_request=True, outbox=())
    again = new_session("4", second_party=CAROL, created_at=T0 + 2)
    assert (await store.create_session(again, once=ONCE)).id == "4"


async def test_a_repeated_update_is_carried_out_once(store: Store) -> None:
    session = await store.create_session(new_session())

    async def update(expires_at: float) -> Session:
        change = SessionChange(
            session.options, expires_at, T0 + 10, ("session_expiry",), session.first_party, session.second_party
        )
        return await store.update_session(ACCOUNT.id, session.id, change, once=ONCE)

    updated = await update(T0 + 700)
    assert await update(T0 + 900) == updated
    assert [fact.name for fact in await store.facts(session.id)] == ["SessionCreated", "SessionUpdated"]


async def test_a_repeated_subaccount_is_made_once(store: Store) -> None:
    first = replace(SUB, id="SA-new", created_at=T0)
    assert await store.add_account(first, once=ONCE) == first
    assert await store.add_account(replace(first, id="SA-newer"), once=ONCE) == first
    assert [account.id for account in await store.accounts(ACCOUNT.id)] == ["SA-new", SUB.id]
    await store.remove_subaccount("SA-new", T0 + 1)
    third: Account = replace(first, id="SA-third")
    assert await store.add_account(third, once=ONCE) == third


async def test_a_key_whose_session_was_forgotten_makes_a_new_one(store: Store) -> None:
    once = replace(ONCE, until=T0 + 999_999)
    await store.create_session(new_session(), once=once)
    await store.end_session(ACCOUNT.id, "session-1", now=T0 + 1, by_request=True, outbox=())
    assert await store.forget(T0 + 2, T0 + 3, 9) > 0
    assert (await store.create_session(new_session("2", created_at=T0 + 4), once=once)).id == "2"


async def test_a_repeated_change_of_a_number_is_carried_out_once(store: Store) -> None:
    assert await store.update_number(virtual_number(VN1, alias="Desk"), T0, once=ONCE) is True
    await store.update_number(virtual_number(VN1, subaccount_id=SUB.id), T0 + 1)
    before = await store.configuration_version()
    assert await store.update_number(virtual_number(VN1, alias="Desk"), T0 + 2, once=ONCE) is False
    found = await store.number(VN1)
    assert found is not None
    assert (found.alias, found.subaccount_id) == ("", SUB.id)
    assert await store.configuration_version() == before
    with pytest.raises(IdempotencyMismatch):
        await store.update_number(virtual_number(VN2), T0 + 3, once=replace(ONCE, fingerprint="another"))
    assert await store.update_number(virtual_number(VN1, alias="Desk"), T0 + 60, once=ONCE) is True


async def test_a_repeated_change_of_an_account_is_carried_out_once(store: Store) -> None:
    first = replace(SUB, name="first", modified_at=T0 + 1)
    assert await store.update_account(first, was=SUB, once=ONCE) is True
    second = replace(SUB, name="second", modified_at=T0 + 2)
    assert await store.update_account(second, was=first) is True
    before = await store.configuration_version()
    # Not even `Conflict`: what it was to change is long another.
    assert await store.update_account(replace(first, modified_at=T0 + 3), was=SUB, once=ONCE) is False
    assert await store.account(SUB.id) == second
    assert await store.configuration_version() == before
    with pytest.raises(IdempotencyMismatch):
        await store.update_account(second, once=replace(ONCE, fingerprint="another"))


async def test_a_change_that_failed_may_be_repeated(store: Store) -> None:
    with pytest.raises(NotFound):
        await store.update_number(virtual_number(VN1, subaccount_id="SA-nobody"), T0, once=ONCE)
    with pytest.raises(Conflict):
        await store.update_account(SUB, was=replace(SUB, modified_at=T0 + 9), once=ONCE)
    assert await store.update_number(virtual_number(VN1), T0, once=ONCE) is True
