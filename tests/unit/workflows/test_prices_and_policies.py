"""What an operator says of prices and of how accounts hold numbers."""

from __future__ import annotations

import pytest

from maskline.errors import InvalidParameter, NotFound
from maskline.masking.policy import AccountPolicy
from maskline.masking.price import Direction, read_amount
from maskline.masking.session import PoolMode
from maskline.workflows.add_trunk import TrunkWish, add_trunk
from maskline.workflows.find_policy import FindPolicy
from maskline.workflows.remove_trunk import remove_trunk
from maskline.workflows.scope import Scope
from maskline.workflows.set_policy import PolicyWish, read_cooloff, set_policy
from maskline.workflows.set_price import PriceWish, list_prices, remove_price, set_price
from tests.support.api_world import World

OUT, IN = Direction.OUTBOUND, Direction.INBOUND


class TestPrices:
    async def test_a_row_is_kept_and_replaced_by_its_key(self):
        world = World()
        await set_price(world.store, world.ids, PriceWish(OUT, None, "+65", "0.012", "0.01", 60))
        await set_price(world.store, world.ids, PriceWish(OUT, None, "+65", "0.02"))
        await set_price(world.store, world.ids, PriceWish(IN))
        found = {(price.direction, price.prefix): price for price, _ in await list_prices(world.store)}
        assert set(found) == {(OUT, "+65"), (IN, "+")}
        assert (found[OUT, "+65"].per_minute, found[OUT, "+65"].connection) == (20_000, 0)

    async def test_a_trunk_is_named_and_shown_by_its_id_once_it_is_gone(self):
        world = World()
        trunk = await add_trunk(world.store, world.clock, world.ids, TrunkWish("carrier", "192.0.2.1"))
        made = await set_price(world.store, world.ids, PriceWish(OUT, "carrier", "+65", "0.01"))
        assert made.trunk_id == trunk.id
        assert [name for _, name in await list_prices(world.store)] == ["carrier"]
        await remove_trunk(world.store, "carrier")
        assert [name for _, name in await list_prices(world.store)] in ([], [trunk.id])
        with pytest.raises(NotFound, match="no such trunk"):
            await set_price(world.store, world.ids, PriceWish(OUT, "carrier"))

    async def test_a_row_is_removed_by_its_key(self):
        world = World()
        await set_price(world.store, world.ids, PriceWish(OUT, None, "+65"))
        for direction, prefix in ((IN, "+65"), (OUT, "+6")):
            with pytest.raises(NotFound, match="no such price"):
                await remove_price(world.store, direction, None, prefix)
        await remove_price(world.store, OUT, None, "+65")
        assert await list_prices(world.store) == []

    @pytest.mark.parametrize(
        ("change", "parameter"),
        [
            ({"prefix": "65"}, "prefix"),
            ({"per_minute": "-1"}, "per_minute"),
            ({"connection": "0,5"}, "connection"),
            ({"increment": 0}, "increment"),
            ({"increment": 3601}, "increment"),
        ],
    )
    async def test_a_wrong_value_is_named_by_its_parameter(self, change, parameter):
        world = World()
        with pytest.raises(InvalidParameter, match=parameter):
            await set_price(world.store, world.ids, PriceWish(OUT, **change))
        assert await list_prices(world.store) == []


@pytest.mark.parametrize(
    ("text", "millionths"), [("0", 0), ("1", 1_000_000), (" 0.0125 ", 12_500), ("0.000001", 1), ("12.5", 12_500_000)]
)
def test_an_amount_is_read_exactly(text, millionths):
    assert read_amount(text, parameter="x") == millionths


@pytest.mark.parametrize("text", ["", "1.", ".5", "1e3", "0.0000001", "1,5", "-1", "\u0661"])
def test_what_is_no_amount_is_refused(text):
    with pytest.raises(InvalidParameter, match="session_fee"):
        read_amount(text, parameter="session_fee")


class TestPolicies:
    async def test_what_is_left_out_stays(self):
        world = World()
        account = await world.account()
        await set_policy(world.store, world.clock, account.id, PolicyWish(pool="split-then-pin", session_fee="0.01"))
        world.clock.advance(5)
        changed = await set_policy(
            world.store, world.clock, account.id, PolicyWish(cooloff_first_party="7d", cooloff_second_party="1h")
        )
        assert changed.policy == AccountPolicy((PoolMode.SPLIT, PoolMode.PIN), 7 * 86_400, 3_600, 10_000)
        assert changed.modified_at == world.clock.wall()
        assert (await world.store.account(account.id)).policy == changed.policy

    async def test_a_subaccount_starts_from_its_main_accounts(self):
        world = World()
        account = await world.account()
        sub = await world.subaccount(account)
        await set_policy(world.store, world.clock, account.id, PolicyWish(pool="split", cooloff_first_party="60"))
        await set_policy(world.store, world.clock, sub.id, PolicyWish(cooloff_first_party="90"))
        find = FindPolicy(world.store)
        assert await find(Scope(account.id, sub.id)) == AccountPolicy((PoolMode.SPLIT,), 90)
        assert await find(Scope(account.id)) == AccountPolicy((PoolMode.SPLIT,), 60)

    async def test_a_wish_for_what_holds_writes_nothing(self):
        world = World()
        account = await world.account()
        await set_policy(world.store, world.clock, account.id, PolicyWish(pool="split"))
        version = await world.store.configuration_version()
        await set_policy(world.store, world.clock, account.id, PolicyWish(pool="split"))
        assert await world.store.configuration_version() == version

    async def test_wrong_values_are_refused(self):
        world = World()
        account = await world.account()
        for wish in (PolicyWish(pool="best"), PolicyWish(session_fee="x"), PolicyWish(cooloff_second_party="91d")):
            with pytest.raises(InvalidParameter):
                await set_policy(world.store, world.clock, account.id, wish)
        with pytest.raises(NotFound):
            await set_policy(world.store, world.clock, "MA0", PolicyWish())
        assert (await world.store.account(account.id)).policy is None


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("0", 0), ("90", 90), ("90s", 90), ("30m", 1_800), ("12 h", 43_200), ("7D", 604_800), ("90d", 7_776_000)],
)
def test_a_cooloff_has_a_unit(text, seconds):
    assert read_cooloff(text, parameter="x") == seconds


@pytest.mark.parametrize("text", ["", "d", "1w", "-1", "1.5h", "91d"])
def test_what_is_no_cooloff_is_refused_with_examples(text):
    with pytest.raises(InvalidParameter, match="such as 90s, 30m, 12h or 7d"):
        read_cooloff(text, parameter="cooloff_first_party")
