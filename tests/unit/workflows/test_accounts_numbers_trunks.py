"""Accounts, numbers, trunks and webhook targets: what the operator sets up."""

from __future__ import annotations

import pytest

from maskline.errors import Conflict, InvalidParameter, MissingParameter, NotFound, NotSupported
from maskline.masking.decision import NumberState
from maskline.masking.e164 import Number
from maskline.masking.redaction import Redaction
from maskline.masking.session import SessionOptions
from maskline.storage.store import Endpoint
from maskline.workflows.add_number import add_number
from maskline.workflows.add_trunk import TrunkWish, add_trunk
from maskline.workflows.api_keys import create_api_key, list_api_keys, remove_api_key, switch_api_key
from maskline.workflows.create_session import CreateSession, SessionWish
from maskline.workflows.create_subaccount import create_subaccount
from maskline.workflows.find_account import find_account
from maskline.workflows.list_accounts import list_accounts
from maskline.workflows.list_numbers import list_numbers
from maskline.workflows.list_trunks import list_trunks
from maskline.workflows.remove_trunk import remove_trunk
from maskline.workflows.scope import Scope
from maskline.workflows.set_number import NumberChange, set_number
from maskline.workflows.set_policy import PolicyWish, set_policy
from maskline.workflows.set_webhook import KINDS, OPTIONS, list_webhook_targets, remove_webhook, set_webhook
from tests.support.api_world import FIRST, NUMBER, SECOND, World


class TestAccounts:
    async def test_get_ids_as_the_vendors_clients_demand(self):
        world = World()
        account = await world.account(" Acme ")
        subaccount = await world.subaccount(account)
        assert account.id[:2] == "MA"
        assert subaccount.id[:2] == "SA"
        for one in (account, subaccount):
            assert len(one.id) == 20
            assert one.id.isalnum()
            assert len(one.auth_token) >= 40
        assert (account.name, account.owner_id, subaccount.owner_id) == ("Acme", account.id, account.id)
        assert account.created_at == world.clock.wall()
        assert await find_account(world.store, subaccount.id) == subaccount

    async def test_need_a_name(self):
        world = World()
        with pytest.raises(MissingParameter, match="name must be present"):
            await world.account("  ")

    async def test_are_listed_by_level(self):
        world = World()
        account = await world.account()
        subaccount = await world.subaccount(account)
        assert await list_accounts(world.store) == [account]
        assert await list_accounts(world.store, account.id) == [subaccount]
        with pytest.raises(NotFound):
            await list_accounts(world.store, "MA0")

    @pytest.mark.row("8x8:3/subAccountId", "8x8:8/subAccountId")
    async def test_a_subaccount_has_8x8s_name_for_it_and_says_what_of_numbers_it_shows(self):
        world = World()
        account = await world.account()
        named = await create_subaccount(
            world.store, world.clock, world.ids, account.id, "Riders", external_id="riders-1.a_b&c"
        )
        assert (named.external_id, named.shown_id) == ("riders-1.a_b&c", "riders-1.a_b&c")
        wish = PolicyWish(external_id="", redaction=Redaction.HASH)
        changed = await set_policy(world.store, world.clock, named.id, wish)
        assert changed == await find_account(world.store, named.id)
        assert (changed.shown_id, changed.redaction, changed.policy) == ("Riders", Redaction.HASH, None)
        assert await set_policy(world.store, world.clock, named.id, PolicyWish()) == changed

    @pytest.mark.parametrize("text", ["ab", "x" * 51, "two words", "slash/es", "ümlaut", "SA" + "B" * 18, "ab\n"])
    async def test_an_external_id_that_is_none_is_refused(self, text):
        world = World()
        account = await world.account()
        with pytest.raises(InvalidParameter, match="external_id should be"):
            await set_policy(world.store, world.clock, account.id, PolicyWish(external_id=text))

    async def test_have_keys_that_are_switched_off_and_removed(self):
        world = World()
        account = await world.account()
        key, text = await create_api_key(world.store, world.clock, world.ids, account.id, " booking ")
        assert (key.name, key.account_id, key.created_at) == ("booking", account.id, world.clock.wall())
        assert len(text) >= 40
        assert await world.store.api_key(text) == key
        await switch_api_key(world.store, account.id, key.id, enabled=False)
        assert [one.enabled for one in await list_api_keys(world.store, account.id)] == [False]
        await remove_api_key(world.store, account.id, key.id)
        assert await list_api_keys(world.store, account.id) == []
        with pytest.raises(NotFound):
            await list_api_keys(world.store, "MA0")

    async def test_a_subaccount_has_no_subaccounts(self):
        world = World()
        subaccount = await world.subaccount(await world.account())
        with pytest.raises(InvalidParameter, match="is a subaccount itself"):
            await world.subaccount(subaccount)

    async def test_become_scopes(self):
        world = World()
        account = await world.account()
        subaccount = await world.subaccount(account)
        assert Scope.of(account) == Scope(account.id)
        assert Scope.of(subaccount) == Scope(account.id, subaccount.id)


class TestNumbers:
    async def test_know_their_country_and_label(self):
        world = World()
        account = await world.account()
        added = await add_number(world.store, world.clock, "+65 3158-0001", account.id, reference_id="shop-1")
        assert (added.number, added.country, added.reference_id) == (Number("6531580001"), "SG", "shop-1")
        assert await list_numbers(world.store, account.id) == [added]

    async def test_belong_to_one_account_only(self):
        world = World()
        await world.number(await world.account())
        other = await world.account("Other")
        with pytest.raises(Conflict):
            await world.number(other)

    async def test_that_are_retired_say_so_and_come_back_for_their_own_account(self):
        world = World()
        account, other = await world.account(), await world.account("Other")
        await world.number(account)
        await set_number(world.store, world.clock, NUMBER, NumberChange(state=NumberState.RETIRED))
        for owner in (account, other):
            with pytest.raises(
                Conflict, match="exists already and is retired; bring it back with: maskline number set"
            ):
                await world.number(owner)
        back = await set_number(world.store, world.clock, NUMBER, NumberChange(state=NumberState.ACTIVE))
        assert back.account_id == account.id
        assert await list_numbers(world.store, account.id) == [back]

    async def test_are_nobodys_telephone(self):
        world = World()
        account = await world.account()
        await add_number(world.store, world.clock, NUMBER, account.id, fallback=SECOND)
        wish = SessionWish(Number(FIRST[1:]), Number("6590000033"), SessionOptions())
        await CreateSession(world.store, world.clock, world.ids)(Scope(account.id), wish)
        for telephone, what in ((FIRST, "a party of a session"), (SECOND, "the fallback of a virtual number")):
            with pytest.raises(Conflict, match=what) as caught:
                await world.number(await world.account("Other"), telephone)
            assert telephone[-4:] not in caught.value.sentence

    async def test_of_a_subaccount_are_named_either_way(self):
        world = World()
        account = await world.account()
        subaccount = await world.subaccount(account)
        one = await add_number(world.store, world.clock, "+6531580001", account.id, subaccount.id)
        two = await add_number(world.store, world.clock, "+6531580002", subaccount.id)
        assert one.account_id == two.account_id == account.id
        assert await list_numbers(world.store, subaccount.id) == [one, two]
        assert await list_numbers(world.store, account.id) == [one, two]

    async def test_cannot_go_to_a_foreign_subaccount(self):
        world = World()
        account, other = await world.account(), await world.account("Other")
        foreign = await world.subaccount(other)
        for wrong in (foreign.id, "SA0", other.id):
            with pytest.raises(InvalidParameter, match="not a subaccount of this account"):
                await add_number(world.store, world.clock, NUMBER, account.id, wrong)

    async def test_must_be_numbers_of_known_accounts(self):
        world = World()
        with pytest.raises(InvalidParameter, match="number is not a valid phone number"):
            await add_number(world.store, world.clock, "x", "MA0")
        with pytest.raises(InvalidParameter, match="number is not a valid phone number"):
            await add_number(world.store, world.clock, "911", "MA0")
        with pytest.raises(InvalidParameter, match="fallback is not a valid phone number"):
            await add_number(world.store, world.clock, NUMBER, (await world.account()).id, fallback="112")
        with pytest.raises(NotFound):
            await add_number(world.store, world.clock, NUMBER, "MA0")


class TestTrunks:
    async def test_are_kept_as_asked(self):
        world = World()
        account = await world.account()
        wish = TrunkWish("carrier", "192.0.2.1", 5070, prefixes=("+65", "+1"), account_id=account.id, nat=True)
        trunk = await add_trunk(world.store, world.clock, world.ids, wish)
        assert (trunk.name, trunk.host, trunk.port, trunk.prefixes) == ("carrier", "192.0.2.1", 5070, ("+65", "+1"))
        assert (trunk.account_id, trunk.nat, trunk.transport) == (account.id, True, "udp")
        assert await list_trunks(world.store) == [trunk]
        await remove_trunk(world.store, "carrier")
        assert await list_trunks(world.store) == []

    async def test_have_distinct_names(self):
        world = World()
        await add_trunk(world.store, world.clock, world.ids, TrunkWish("a", "192.0.2.1"))
        with pytest.raises(Conflict):
            await add_trunk(world.store, world.clock, world.ids, TrunkWish("a", "192.0.2.2"))

    @pytest.mark.parametrize(
        ("wish", "error", "parameter"),
        [
            (TrunkWish(" ", "192.0.2.1"), MissingParameter, "name"),
            (TrunkWish("a", "sip example.com"), InvalidParameter, "host"),
            (TrunkWish("a", "192.0.2.256"), InvalidParameter, "host"),
            (TrunkWish("a", "192.0.2.1", 0), InvalidParameter, "port"),
            (TrunkWish("a", "192.0.2.1", 65_536), InvalidParameter, "port"),
            (TrunkWish("a", "192.0.2.1", transport="sctp"), InvalidParameter, "transport"),
            (TrunkWish("a", "192.0.2.1", media="zrtp"), InvalidParameter, "media"),
            (TrunkWish("a", "192.0.2.1", media="srtp"), NotSupported, "media"),
            (TrunkWish("a", "192.0.2.1", prefixes=("65",)), InvalidParameter, "prefix"),
            (TrunkWish("a", "192.0.2.1", password="secret"), MissingParameter, "username"),
        ],
    )
    async def test_with_a_wrong_value_are_refused_by_its_name(self, wish, error, parameter):
        world = World()
        with pytest.raises(error) as caught:
            await add_trunk(world.store, world.clock, world.ids, wish)
        assert caught.value.parameter == parameter

    async def test_of_an_unknown_account_are_refused(self):
        world = World()
        with pytest.raises(NotFound):
            await add_trunk(world.store, world.clock, world.ids, TrunkWish("a", "192.0.2.1", account_id="MA0"))

    def test_do_not_print_their_password(self):
        assert "secret" not in repr(TrunkWish("a", "192.0.2.1", username="u", password="secret"))


class TestWebhookTargets:
    async def test_are_set_replaced_and_removed(self):
        world = World()
        account = await world.account()
        await set_webhook(world.store, account.id, "eight.session_summary", "https://h.example/one")
        second = await set_webhook(
            world.store, account.id, "eight.session_summary", "https://h.example/two",
            authorization="Bearer x", external_id="acme_hq",
        )  # fmt: skip
        assert await list_webhook_targets(world.store, account.id) == [second]
        assert second == Endpoint(account.id, "eight.session_summary", "https://h.example/two", "Bearer x", "acme_hq")
        await remove_webhook(world.store, account.id, "eight.session_summary")
        assert await list_webhook_targets(world.store, account.id) == []

    @pytest.mark.parametrize(
        ("kind", "url", "authorization", "parameter"),
        [
            ("plivo", "https://h.example/", "", "kind"),
            ("wavecell.call_status", "h.example", "", "url"),
            ("wavecell.call_status", "https://h.example/", "a\r\nX-Evil: 1", "authorization"),
            ("wavecell.call_status", "https://h.example/", "Bearer ü", "authorization"),
            ("wavecell.call_status", "https://h.example/", "x" * 4097, "authorization"),
            ("wavecell.call_status", "https://user:word@h.example/", "", "url"),
            ("wavecell.call_status", "https://user@h.example/", "", "url"),
        ],
    )
    async def test_with_a_wrong_value_are_refused_by_its_name(self, kind, url, authorization, parameter):
        world = World()
        account = await world.account()
        with pytest.raises(InvalidParameter) as caught:
            await set_webhook(world.store, account.id, kind, url, authorization=authorization)
        assert caught.value.parameter == parameter

    async def test_keep_how_their_bodies_are_written_and_signed(self):
        world = World()
        account = await world.account()
        options = {"generation": "g2", "event_data": "string", "updates": "on"}
        secret = "whsec_" + "QUJD" * 8
        stored = await set_webhook(
            world.store, account.id, "eight.call_status", "https://h.example/", enabled=False, options=options,
            secret=secret, now=12.0,
        )  # fmt: skip
        assert await list_webhook_targets(world.store, account.id) == [stored]
        assert (stored.enabled, stored.options, stored.secret, stored.created_at) == (False, options, secret, 12.0)
        assert secret not in repr(stored)

    @pytest.mark.parametrize("kind", KINDS)
    async def test_every_kind_can_be_set(self, kind):
        world = World()
        account = await world.account()
        options = {name: values[-1] for name, values in OPTIONS[kind].items()}
        assert (await set_webhook(world.store, account.id, kind, "https://h.example/", options=options)).kind == kind

    @pytest.mark.parametrize(
        ("kind", "wrong", "parameter"),
        [
            ("eight.call_status", {"options": {"generation": "g1"}}, "options"),
            ("eight.call_status", {"options": {"case": "upper"}}, "options"),
            ("eight.number", {"options": {"generation": "g3"}}, "options"),
            ("eight.number", {"secret": "plain words"}, "secret"),
            ("eight.number", {"secret": "QUJD" * 8}, "secret"),
            ("eight.number", {"secret": "whsec_QUJD"}, "secret"),
            ("eight.number", {"secret": "whsec_" + "QUJD" * 22}, "secret"),
        ],
    )
    async def test_with_a_wrong_option_or_secret_are_refused(self, kind, wrong, parameter):
        world = World()
        account = await world.account()
        with pytest.raises(InvalidParameter) as caught:
            await set_webhook(world.store, account.id, kind, "https://h.example/", **wrong)
        assert caught.value.parameter == parameter

    async def test_of_an_unknown_account_are_refused(self):
        world = World()
        with pytest.raises(NotFound):
            await set_webhook(world.store, "MA0", "wavecell.call_status", "https://h.example/")
        with pytest.raises(NotFound):
            await list_webhook_targets(world.store, "MA0")
