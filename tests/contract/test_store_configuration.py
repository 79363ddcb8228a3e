"""The store contract: accounts, numbers, trunks, endpoints."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from maskline.errors import Conflict, InvalidParameter, NotFound
from maskline.masking.decision import NumberState, NumberUse
from maskline.masking.destinations import Destinations
from maskline.masking.e164 import Number
from maskline.masking.facts import AccountAlarmed, AccountResumed, AccountStopped
from maskline.masking.limits import SAFE_LIMITS, Limits, PrefixLimit
from maskline.masking.number_kind import Kind
from maskline.masking.policy import AccountPolicy
from maskline.masking.price import Direction, Price
from maskline.masking.session import PoolMode, SessionOptions
from maskline.storage.store import Account, Endpoint, Once, Store
from tests.support.store_values import (
    ACCOUNT,
    ALICE,
    BOB,
    OTHER,
    SUB,
    T0,
    TRUNK,
    VN1,
    VN2,
    VN3,
    new_session,
    outbox_row,
    virtual_number,
)

ENDPOINT = Endpoint(SUB.id, "eight.session_summary", "https://hooks.example/8", "Bearer s3cret", "riders")


async def test_an_account_is_read_back_with_its_token(store: Store) -> None:
    assert await store.account(ACCOUNT.id) == ACCOUNT
    assert await store.account(SUB.id) == SUB


async def test_an_unknown_account_is_not_found(store: Store) -> None:
    with pytest.raises(NotFound):
        await store.account("MA-nobody")


async def test_the_character_nul_is_the_askers_fault_and_nobody_elses(store: Store) -> None:
    """PostgreSQL's text has no such character; JSON and paths have."""
    named = [replace(ACCOUNT, id=f"MA-{number}", name=name) for number, name in enumerate(("one", "t\0o", "three"))]
    read = await asyncio.gather(store.account("MA\0"), store.account(SUB.id), return_exceptions=True)
    added = await asyncio.gather(*map(store.add_account, named), return_exceptions=True)
    assert isinstance(read[0], NotFound | InvalidParameter)
    assert read[1] == SUB
    assert isinstance(added[1], Account | InvalidParameter)
    assert [await store.account(each.id) for each in (named[0], named[2])] == [added[0], added[2]]


async def test_an_account_is_added_once(store: Store) -> None:
    with pytest.raises(Conflict):
        await store.add_account(replace(ACCOUNT, name="again"))
    assert await store.account(ACCOUNT.id) == ACCOUNT


async def test_a_subaccount_needs_its_parent(store: Store) -> None:
    with pytest.raises(NotFound):
        await store.add_account(replace(SUB, id="SA-orphan", parent_id="MA-nobody"))


async def test_accounts_are_listed_by_age_and_subaccounts_by_their_parent(store: Store) -> None:
    assert await store.accounts() == [ACCOUNT, OTHER]
    assert await store.accounts(ACCOUNT.id) == [SUB]
    assert await store.accounts(OTHER.id) == []


async def test_all_tokens_of_an_account_are_kept_in_their_order_and_a_change_is_noticed(store: Store) -> None:
    for tokens in (("newer", "token"), ("c", "b", "a"), ("c",)):
        before = await store.configuration_version()
        changed = replace(SUB, auth_tokens=tokens, modified_at=T0 + 60)
        await store.update_account(changed)
        assert await store.account(SUB.id) == changed
        assert await store.configuration_version() != before
    assert await store.account(ACCOUNT.id) == ACCOUNT


async def test_an_account_is_changed_in_all_but_its_origin(store: Store) -> None:
    policy = AccountPolicy((PoolMode.SPLIT, PoolMode.SHARED), 60, 120, 250_000)
    changed = replace(SUB, name="riders", auth_tokens=("new", "old"), enabled=False, policy=policy, modified_at=T0 + 9)
    await store.update_account(replace(changed, parent_id=OTHER.id, created_at=0.0))
    assert await store.account(SUB.id) == changed
    assert changed.auth_token == "new"
    with pytest.raises(NotFound):
        await store.update_account(replace(changed, id="SA-nobody"))


async def test_what_changes_of_an_account_is_told_with_it_and_once(store: Store) -> None:
    once = Once(ACCOUNT.id, "alarm", "alarm", T0 + 100)
    changed = replace(ACCOUNT, stopped="short_calls", modified_at=T0 + 1)
    assert await store.update_account(changed, was=ACCOUNT, once=once, outbox=[outbox_row("told")])
    assert not await store.update_account(changed, was=changed, once=once, outbox=[outbox_row("again")])
    with pytest.raises(Conflict):
        await store.update_account(ACCOUNT, was=ACCOUNT, outbox=[outbox_row("late")])
    assert [row.id for row in await store.outbox(None)] == ["told"]


async def test_limits_and_a_stop_are_kept_with_the_facts_that_tell_of_them(store: Store) -> None:
    limits = replace(
        SAFE_LIMITS, calls_per_second=2.5, spend_per_day=10**12, time_zone="Asia/Singapore",
        prefixes=(PrefixLimit("+44", 10), PrefixLimit("+1", 0)),
        destinations=Destinations(("GB", "SG"), True, ("+4420",), ("+44", "+1"), (Kind.PREMIUM,)),
    )  # fmt: skip
    for at, one in enumerate((limits, Limits(), SAFE_LIMITS, None)):
        changed = replace(ACCOUNT, limits=one, stopped="short_calls", countries=("GB", "FR"), modified_at=T0 + at)
        facts = [AccountAlarmed(ACCOUNT.id, 0, T0, "new_country", "FR"), AccountStopped(ACCOUNT.id, 0, T0, "operator")]
        await store.update_account(changed, facts=facts[at % 2 :])
        assert await store.account(ACCOUNT.id) == changed
    assert [(fact.sequence, fact.name) for fact in await store.facts(ACCOUNT.id)] == [
        (1, "AccountAlarmed"), (2, "AccountStopped"), (3, "AccountStopped"),
        (4, "AccountAlarmed"), (5, "AccountStopped"), (6, "AccountStopped"),
    ]  # fmt: skip
    with pytest.raises(Conflict):
        await store.update_account(ACCOUNT, was=ACCOUNT, facts=[AccountResumed(ACCOUNT.id, 0, T0, "operator")])
    assert len(await store.facts(ACCOUNT.id)) == 6


async def test_the_countries_of_an_accounts_numbers_are_known(store: Store) -> None:
    assert await store.number_countries("MA-nobody") == frozenset()
    before = await store.number_countries(ACCOUNT.id)
    await store.add_number(replace(virtual_number(Number("6531000099")), country="FJ"), T0)
    await store.add_number(replace(virtual_number(Number("6531000098")), country=None), T0)
    assert await store.number_countries(ACCOUNT.id) == before | {"FJ", None}


async def test_of_two_changes_of_one_account_the_later_is_refused(store: Store) -> None:
    was = await store.account(SUB.id)
    first = replace(was, auth_tokens=("new",), modified_at=T0 + 1)
    await store.update_account(first, was=was)
    with pytest.raises(Conflict):
        await store.update_account(replace(was, name="stale", modified_at=T0 + 2), was=was)
    assert await store.account(SUB.id) == first
    await store.update_account(replace(first, name="fresh", modified_at=T0 + 3), was=first)
    assert (await store.account(SUB.id)).auth_tokens == ("new",)
    with pytest.raises(NotFound):
        await store.update_account(replace(was, id="SA-nobody"), was=was)


async def test_a_removed_subaccount_is_unknown(store: Store) -> None:
    await store.remove_subaccount(SUB.id, T0)
    with pytest.raises(NotFound):
        await store.account(SUB.id)
    assert await store.accounts(ACCOUNT.id) == []
    for again in (SUB.id, ACCOUNT.id, "SA-nobody"):
        with pytest.raises(NotFound):
            await store.remove_subaccount(again, T0)
    with pytest.raises(NotFound):
        await store.update_account(SUB)
    with pytest.raises(Conflict):
        await store.add_account(SUB)
    with pytest.raises(NotFound):
        await store.add_number(virtual_number(Number("6531000099"), subaccount_id=SUB.id), T0)


async def test_who_hears_of_a_removed_subaccounts_numbers_is_written_with_the_removal(store: Store) -> None:
    with pytest.raises(NotFound):
        await store.remove_subaccount("SA-nobody", T0, outbox=[outbox_row("never")])
    await store.remove_subaccount(SUB.id, T0, outbox=[outbox_row("row-1"), outbox_row("row-2", sequence=2)])
    assert {row.id for row in await store.outbox(None)} == {"row-1", "row-2"}


async def test_a_removed_subaccount_stays_when_its_webhooks_cannot_be_written(store: Store) -> None:
    await store.announce([outbox_row("row-1")])
    with pytest.raises(Conflict):
        await store.remove_subaccount(SUB.id, T0, outbox=[outbox_row("row-1")])
    assert await store.account(SUB.id)


async def test_a_number_is_changed_in_all_but_its_account(store: Store) -> None:
    changed = virtual_number(
        VN2, reference_id="ref-9", country="GB", state=NumberState.RESTING, use=NumberUse.PIN, alias="front desk",
        fallback=Number("6581234599"),
    )  # fmt: skip
    await store.update_number(replace(changed, account_id=OTHER.id, added_at=9.0), T0)
    assert await store.number(VN2) == changed
    assert [number.number for number in await store.numbers(ACCOUNT.id)] == [VN1, VN2, VN3]
    with pytest.raises(NotFound):
        await store.update_number(virtual_number(Number("6531000099")), T0)


async def test_a_number_goes_to_the_end_of_another_pool(store: Store) -> None:
    await store.update_number(virtual_number(VN1, subaccount_id=SUB.id), T0)
    assert [number.number for number in await store.numbers(SUB.id)] == [VN1]
    await store.update_number(virtual_number(VN1), T0)
    assert [number.number for number in await store.numbers(ACCOUNT.id)] == [VN2, VN3, VN1]
    assert await store.numbers(SUB.id) == []
    with pytest.raises(NotFound):
        await store.update_number(virtual_number(VN1, subaccount_id="SA-nobody"), T0)
    assert await store.number(VN1) == virtual_number(VN1)


async def test_a_price_is_set_replaced_and_removed(store: Store) -> None:
    any_trunk = Price("p1", None, Direction.OUTBOUND, "+65", 12_000, 500, 6)
    of_trunk = replace(any_trunk, id="p2", trunk_id="trunk-1")
    inbound = replace(any_trunk, id="p3", direction=Direction.INBOUND, prefix="+")
    for price in (of_trunk, any_trunk, inbound):
        await store.set_price(price)
    assert await store.prices() == [inbound, any_trunk, of_trunk]
    dearer = replace(of_trunk, id="p4", per_minute=15_000)
    await store.set_price(dearer)
    assert await store.prices() == [inbound, any_trunk, dearer]
    with pytest.raises(Conflict):
        await store.set_price(replace(inbound, prefix="+1"))
    await store.remove_price("p1")
    assert await store.prices() == [inbound, dearer]
    with pytest.raises(NotFound):
        await store.remove_price("p2")


async def test_a_dialled_number_is_looked_up(store: Store) -> None:
    assert await store.number(VN2) == virtual_number(VN2)
    assert await store.number(Number("4420000000")) is None


async def test_a_number_is_added_once_whoever_has_it(store: Store) -> None:
    with pytest.raises(Conflict):
        await store.add_number(virtual_number(VN1, account_id=OTHER.id), T0)
    assert await store.number(VN1) == virtual_number(VN1)


async def test_a_retired_number_says_how_it_comes_back(store: Store) -> None:
    await store.update_number(virtual_number(VN1, state=NumberState.RETIRED), T0)
    for account_id in (ACCOUNT.id, OTHER.id):
        with pytest.raises(Conflict, match="is retired; bring it back with: maskline number set"):
            await store.add_number(virtual_number(VN1, account_id=account_id), T0)


@pytest.mark.parametrize("account_id", [ACCOUNT.id, OTHER.id])
@pytest.mark.parametrize("mode", [PoolMode.SHARED, PoolMode.PIN])
async def test_a_party_of_a_session_is_no_virtual_number_until_its_cool_off_is_over(
    store: Store, mode: PoolMode, account_id: str
) -> None:
    await store.update_number(virtual_number(VN3, use=NumberUse.PIN), T0)
    options = SessionOptions(session_expiry=600, first_party_cooloff=60, second_party_cooloff=60)
    new = new_session(options=options, modes=(mode,), pin_candidates=("1234", "5678"))
    await store.create_session(new)
    over = T0 + (660 if mode is PoolMode.SHARED else 600)
    for party in (ALICE, BOB):
        with pytest.raises(Conflict, match="is a party of a session") as caught:
            await store.add_number(virtual_number(party, account_id=account_id), over - 1)
        assert party.digits not in str(caught.value)
        assert await store.number(party) is None
    for party in (ALICE, BOB):
        await store.add_number(virtual_number(party, account_id=account_id), over)
        assert await store.number(party) is not None


async def test_a_fallback_is_no_virtual_number(store: Store) -> None:
    await store.update_number(virtual_number(VN1, fallback=ALICE), T0)
    with pytest.raises(Conflict, match="is the fallback of a virtual number"):
        await store.add_number(virtual_number(ALICE, account_id=OTHER.id), T0)
    await store.add_number(virtual_number(BOB), T0)


@pytest.mark.parametrize(
    "owner",
    [{"account_id": "MA-nobody"}, {"subaccount_id": "SA-nobody"}, {"account_id": OTHER.id, "subaccount_id": SUB.id}],
)
async def test_a_number_needs_an_owner_that_exists(store: Store, owner: dict[str, str]) -> None:
    with pytest.raises(NotFound):
        await store.add_number(virtual_number(Number("6531000099"), **owner), T0)
    assert await store.number(Number("6531000099")) is None


async def test_numbers_are_listed_in_order_for_the_account_and_for_the_subaccount(store: Store) -> None:
    of_sub = virtual_number(Number("6531000000"), subaccount_id=SUB.id, country=None, reference_id="", added_at=T0)
    await store.add_number(of_sub, T0)
    assert await store.numbers(ACCOUNT.id) == [*map(virtual_number, (VN1, VN2, VN3)), of_sub]
    assert await store.numbers(SUB.id) == [of_sub]
    assert await store.numbers(OTHER.id) == []


async def test_trunks_are_kept_in_order_and_removed_by_name(store: Store) -> None:
    second = replace(TRUNK, id="trunk-0", name="second", account_id=ACCOUNT.id, prefixes=(), nat=False, username="")
    await store.add_trunk(TRUNK, T0)
    await store.add_trunk(second, T0)
    assert await store.trunks() == [TRUNK, second]
    changed = replace(TRUNK, host="192.0.2.9", nat=False, password="other", weight=1, codecs=())
    await store.update_trunk(changed)
    assert await store.trunks() == [changed, second]
    await store.remove_trunk(TRUNK.name)
    assert await store.trunks() == [second]


async def test_a_trunk_name_and_id_are_taken_once(store: Store) -> None:
    await store.add_trunk(TRUNK, T0)
    for again in (replace(TRUNK, id="other"), replace(TRUNK, name="other")):
        with pytest.raises(Conflict):
            await store.add_trunk(again, T0)


async def test_an_unknown_trunk_is_neither_changed_nor_removed(store: Store) -> None:
    await store.add_trunk(TRUNK, T0)
    with pytest.raises(NotFound):
        await store.remove_trunk("nobody")
    for unknown in (replace(TRUNK, name="nobody"), replace(TRUNK, id="another since")):
        with pytest.raises(NotFound):
            await store.update_trunk(unknown)
    assert await store.trunks() == [TRUNK]


async def test_an_endpoint_is_set_replaced_and_removed(store: Store) -> None:
    await store.set_endpoint(ENDPOINT)
    other_kind = replace(ENDPOINT, kind="wavecell.call_status", authorization="", external_id="")
    await store.set_endpoint(other_kind)
    moved = replace(ENDPOINT, url="https://hooks.example/9", authorization="Bearer other", external_id="x")
    await store.set_endpoint(moved)
    assert await store.endpoints(SUB.id) == [moved, other_kind]
    assert await store.endpoints(ACCOUNT.id) == []
    await store.remove_endpoint(SUB.id, ENDPOINT.kind)
    assert await store.endpoints(SUB.id) == [other_kind]


async def test_an_endpoint_needs_an_account_and_removing_an_unknown_one_is_not_found(store: Store) -> None:
    with pytest.raises(NotFound):
        await store.set_endpoint(replace(ENDPOINT, account_id="SA-nobody"))
    with pytest.raises(NotFound):
        await store.remove_endpoint(SUB.id, ENDPOINT.kind)


async def test_the_configuration_version_moves_with_each_write_of_configuration_and_with_nothing_else(
    store: Store,
) -> None:
    seen = [await store.configuration_version()]
    await store.add_account(replace(SUB, id="SA-new"))
    seen.append(await store.configuration_version())
    await store.add_number(virtual_number(Number("6531000099")), T0)
    seen.append(await store.configuration_version())
    await store.add_trunk(TRUNK, T0)
    seen.append(await store.configuration_version())
    await store.update_trunk(TRUNK)
    seen.append(await store.configuration_version())
    await store.remove_trunk(TRUNK.name)
    seen.append(await store.configuration_version())
    await store.set_endpoint(ENDPOINT)
    seen.append(await store.configuration_version())
    await store.remove_endpoint(SUB.id, ENDPOINT.kind)
    seen.append(await store.configuration_version())
    await store.update_account(SUB)
    seen.append(await store.configuration_version())
    await store.remove_subaccount(SUB.id, T0)
    seen.append(await store.configuration_version())
    await store.update_number(virtual_number(VN1), T0)
    seen.append(await store.configuration_version())
    await store.set_price(Price("p1", None, Direction.OUTBOUND, "+65", 1))
    seen.append(await store.configuration_version())
    await store.remove_price("p1")
    seen.append(await store.configuration_version())
    assert len(set(seen)) == 13
    with pytest.raises(NotFound):
        await store.remove_trunk("nobody")
    await store.trunks()
    assert await store.configuration_version() == seen[-1]


async def test_counts_name_every_table(store: Store) -> None:
    assert await store.counts() == {
        "accounts": 3, "numbers": 3, "trunks": 0, "endpoints": 0, "sessions": 0, "claims": 0, "calls": 0, "facts": 0,
        "recordings": 0, "outbox": {},
    }  # fmt: skip
