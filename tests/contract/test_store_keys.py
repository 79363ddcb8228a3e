"""The store contract: external ids and redaction of accounts, bearer keys, and what endpoints and webhooks carry."""

from __future__ import annotations

from dataclasses import replace

import pytest

from maskline.errors import Conflict, NotFound
from maskline.masking.redaction import Redaction
from maskline.storage.kept import ApiKey
from maskline.storage.store import Endpoint, Store
from tests.support.store_values import ACCOUNT, OTHER, SUB, T0, outbox_row, recorded_call

KEY = ApiKey("key-1", ACCOUNT.id, "booking service", T0)
TEXT = "of-the-booking-service"


@pytest.mark.row("8x8:3/subAccountId")
async def test_an_account_is_found_by_its_external_id_within_its_own(store: Store) -> None:
    main = replace(ACCOUNT, external_id="acme_hq", modified_at=T0 + 1)
    sub = replace(SUB, external_id="acme-riders.sg", redaction=Redaction.LAST4, modified_at=T0 + 1)
    for account in (main, sub):
        await store.update_account(account)
    assert await store.account_of_external_id(ACCOUNT.id, "acme_hq") == main
    assert await store.account_of_external_id(ACCOUNT.id, "acme-riders.sg") == sub
    assert await store.account(SUB.id) == sub
    for owner, wanted in (
        (OTHER.id, "acme_hq"), (SUB.id, "acme-riders.sg"), (ACCOUNT.id, ""), (ACCOUNT.id, "ACME_HQ"),
    ):  # fmt: skip
        with pytest.raises(NotFound):
            await store.account_of_external_id(owner, wanted)


async def test_an_external_id_is_one_accounts_among_a_main_account_and_its_subaccounts(store: Store) -> None:
    await store.update_account(replace(SUB, external_id="riders", modified_at=T0 + 1))
    second = replace(SUB, id="SA" + "D" * 18, external_id="riders")
    with pytest.raises(Conflict, match="has this external id"):
        await store.add_account(second)
    with pytest.raises(Conflict, match="has this external id"):
        await store.update_account(replace(ACCOUNT, external_id="riders", modified_at=T0 + 1))
    await store.add_account(replace(second, parent_id=OTHER.id))
    await store.update_account(replace(SUB, external_id="riders", name="again", modified_at=T0 + 2))
    assert (await store.account_of_external_id(ACCOUNT.id, "riders")).id == SUB.id
    assert (await store.account_of_external_id(OTHER.id, "riders")).id == second.id


async def test_a_removed_subaccounts_external_id_is_free(store: Store) -> None:
    await store.update_account(replace(SUB, external_id="riders", modified_at=T0 + 1))
    await store.remove_subaccount(SUB.id, T0 + 2)
    with pytest.raises(NotFound):
        await store.account_of_external_id(ACCOUNT.id, "riders")
    await store.add_account(replace(SUB, id="SA" + "D" * 18, external_id="riders"))
    assert (await store.account_of_external_id(ACCOUNT.id, "riders")).id == "SA" + "D" * 18


@pytest.mark.row("8x8:8/auth")
async def test_a_key_is_found_by_itself_switched_off_and_removed(store: Store) -> None:
    of_sub = ApiKey("key-2", SUB.id, "", T0 + 1)
    await store.add_api_key(KEY, TEXT)
    await store.add_api_key(of_sub, "another")
    assert await store.api_key(TEXT) == KEY
    assert await store.api_key("another") == of_sub
    assert await store.api_key("nobody's") is None
    assert (await store.api_keys(ACCOUNT.id), await store.api_keys(SUB.id)) == ([KEY], [of_sub])
    await store.set_api_key_enabled(ACCOUNT.id, KEY.id, False)
    assert await store.api_key(TEXT) == replace(KEY, enabled=False)
    await store.set_api_key_enabled(ACCOUNT.id, KEY.id, True)
    assert await store.api_key(TEXT) == KEY
    await store.remove_api_key(ACCOUNT.id, KEY.id)
    assert await store.api_key(TEXT) is None
    assert await store.api_keys(ACCOUNT.id) == []


async def test_a_key_is_its_accounts_alone_and_is_added_once(store: Store) -> None:
    await store.add_api_key(KEY, TEXT)
    for again in ((KEY, "other text"), (replace(KEY, id="key-9"), TEXT)):
        with pytest.raises(Conflict):
            await store.add_api_key(*again)
    with pytest.raises(NotFound):
        await store.add_api_key(replace(KEY, id="key-9", account_id="MA-nobody"), "other text")
    for account_id, key_id in ((OTHER.id, KEY.id), (ACCOUNT.id, "key-9")):
        with pytest.raises(NotFound):
            await store.set_api_key_enabled(account_id, key_id, False)
        with pytest.raises(NotFound):
            await store.remove_api_key(account_id, key_id)
    assert await store.api_key(TEXT) == KEY


async def test_the_configuration_version_moves_with_keys(store: Store) -> None:
    seen = [await store.configuration_version()]
    await store.add_api_key(KEY, TEXT)
    seen.append(await store.configuration_version())
    await store.set_api_key_enabled(ACCOUNT.id, KEY.id, False)
    seen.append(await store.configuration_version())
    await store.remove_api_key(ACCOUNT.id, KEY.id)
    seen.append(await store.configuration_version())
    assert len(set(seen)) == 4


async def test_an_endpoint_keeps_its_options_its_secret_and_whether_it_is_on(store: Store) -> None:
    options = {"generation": "g2", "event_data": "string"}
    endpoint = Endpoint(
        SUB.id, "eight.call_status", "https://h.example/", "Bearer x", "", False, options, "whsec_c2VjcmV0", T0
    )
    await store.set_endpoint(endpoint)
    assert await store.endpoints(SUB.id) == [endpoint]
    plain = Endpoint(SUB.id, "eight.call_status", "https://h.example/two", created_at=T0 + 1)
    await store.set_endpoint(plain)
    assert await store.endpoints(SUB.id) == [plain]
    assert (plain.enabled, dict(plain.options), plain.secret) == (True, {}, "")


async def test_a_webhook_carries_the_secret_it_is_signed_with(store: Store) -> None:
    row = outbox_row(secret="whsec_c2VjcmV0", subject="call-1")
    bare = outbox_row("row-2", authorization="", subject="call-1", sequence=2)
    await store.commit_calls([recorded_call(outbox=(row, bare))])
    first, second = sorted(await store.outbox(ACCOUNT.id), key=lambda one: one.sequence)
    assert (first.secret, first.authorization, first.body) == (row.secret, row.authorization, row.body)
    assert (second.secret, second.authorization, second.body) == ("", "", bare.body)
