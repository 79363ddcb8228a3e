"""Who hears of a (sub)account's calls, as the store has it."""

from __future__ import annotations

import pytest

from maskline.masking.redaction import Redaction, Redactor
from maskline.storage.memory import MemoryStore
from maskline.storage.store import Account, Endpoint
from maskline.webhooks.formats.shape import Generation, Shape
from maskline.workflows.receivers import NOBODY, audience_of, owner_of, read_audience
from tests.support.calls import ACCOUNT, SUBACCOUNT, T0, make_context

KEY = bytes(32)
SECRET = "whsec_" + "A" * 32


async def store_with(*endpoints, **account):
    store = MemoryStore()
    await store.add_account(Account(ACCOUNT, "Acme", None, ("token",), T0, **account))
    for endpoint in endpoints:
        await store.set_endpoint(endpoint)
    return store


@pytest.mark.row("8x8:13/C27", "8x8:7.2/opt-in")
async def test_endpoints_are_sorted_by_what_they_want_to_hear():
    kinds = ["eight.call_action", "eight.call_status", "eight.session_summary", "wavecell.call_status", "later.kind"]
    store = await store_with(*(Endpoint(ACCOUNT, kind, f"https://{kind}.example/") for kind in kinds))
    audience = await read_audience(store, ACCOUNT, KEY)
    assert [one.kind for one in audience.followers] == ["eight.call_status"]
    assert [one.kind for one in audience.summaries] == ["eight.session_summary", "wavecell.call_status"]


@pytest.mark.row("8x8:14/redaction", "8x8:8/httpAuthHeader")
async def test_a_receiver_has_all_that_its_endpoint_and_account_say():
    endpoint = Endpoint(
        ACCOUNT, "eight.session_summary", "https://h.example/", "Bearer t", options={"generation": "g3v5"},
        secret=SECRET,
    )  # fmt: skip
    store = await store_with(endpoint, external_id="acme_nm", redaction=Redaction.HASH)
    (one,) = (await read_audience(store, ACCOUNT, KEY)).summaries
    assert one.shape == Shape("acme_nm", Redactor(Redaction.HASH, KEY), Generation.G3V5)
    assert (one.url, one.authorization, one.secret) == ("https://h.example/", "Bearer t", SECRET)
    assert "example" not in repr(one)
    assert SECRET not in repr(one)


@pytest.mark.parametrize(
    ("external_id", "of_account", "expected"),
    [("of_endpoint", "of_account", "of_endpoint"), ("", "of_account", "of_account"), ("", "", "Acme")],
)
@pytest.mark.row("8x8:6/ids")
async def test_a_receiver_knows_the_account_by_its_endpoints_name_or_the_accounts(external_id, of_account, expected):
    endpoint = Endpoint(ACCOUNT, "eight.session_summary", "https://h.example/", external_id=external_id)
    store = await store_with(endpoint, external_id=of_account)
    assert (await read_audience(store, ACCOUNT, KEY)).summaries[0].shape.sub_account_id == expected


async def test_a_disabled_endpoint_hears_nothing():
    store = await store_with(Endpoint(ACCOUNT, "eight.session_summary", "https://h.example/", enabled=False))
    assert await read_audience(store, ACCOUNT, KEY) == audience_of([])


async def test_an_account_that_is_gone_has_nobody():
    assert await read_audience(MemoryStore(), ACCOUNT, KEY) == NOBODY


def test_a_subaccounts_endpoints_apply_where_the_number_is_a_subaccounts():
    assert owner_of(make_context()) == ACCOUNT
    assert owner_of(make_context(subaccount_id=SUBACCOUNT)) == SUBACCOUNT
