"""Where a recording is pushed: whose configuration counts, and which servers customers may name."""

from __future__ import annotations

import ipaddress
from dataclasses import replace

import pytest

from maskline.media.recordings.job import Destination
from maskline.storage.kept import PushConfig
from maskline.storage.memory import MemoryStore
from maskline.workflows.push_destination import PushDestinations, PushRefused, look_up
from tests.support.recordings import recording
from tests.support.store_values import ACCOUNT, SUB, T0

OURS = Destination("s3", "all", bucket="ours")
S3 = PushConfig(SUB.id, "S3", "ap-southeast-1", 443, "AKIA", "/calls/riders/", "s3cret", changed_at=T0)
SFTP = PushConfig(ACCOUNT.id, "SFTP", "files.example", 2222, "u", "/in/", "pw", host_key="ssh-ed25519 AAAA")


async def resolved(*addresses: str, **options: object) -> PushDestinations:
    store = MemoryStore()
    for account in (ACCOUNT, SUB):
        await store.add_account(account)

    async def resolve(_host: str, _port: int) -> list[str]:
        if not addresses:
            raise OSError
        return list(addresses)

    return PushDestinations(store, OURS, resolve=resolve, **options)


async def test_the_nearest_configuration_counts():
    where = await resolved()
    store = where._store
    of_sub = recording(subaccount_id=SUB.id)
    assert await where.config_of(of_sub) is None
    assert await where.of(None) == OURS
    await store.set_push_config(SFTP)
    assert (await where.config_of(of_sub), await where.config_of(recording())) == (SFTP, SFTP)
    await store.set_push_config(S3)
    assert (await where.config_of(of_sub), await where.config_of(recording())) == (S3, SFTP)


@pytest.mark.row("8x8:9/protocol", "8x8:13/C22")
async def test_s3_is_where_the_operator_says_in_the_region_and_bucket_that_the_customer_says():
    where = await resolved(s3_endpoint="https://s3.example")
    assert await where.of(S3) == Destination(
        "s3", "riders", bucket="calls", endpoint="https://s3.example", region="ap-southeast-1", key_id="AKIA",
        secret="s3cret", by_day=False,
    )  # fmt: skip


async def test_sftp_goes_to_the_address_that_was_judged():
    where = await resolved("203.0.112.7", "203.0.112.8")
    assert await where.of(SFTP) == Destination(
        "sftp", "/in", host="203.0.112.7", port=2222, username="u", secret="pw", host_key="ssh-ed25519 AAAA",
        trust_first=True, shown_host="files.example", by_day=False,
    )  # fmt: skip


@pytest.mark.parametrize("addresses", [("10.0.0.7",), ("203.0.112.7", "127.0.0.1"), ("169.254.169.254",), ()])
async def test_a_server_inside_or_without_an_address_is_refused_without_its_name(addresses: tuple[str, ...]):
    where = await resolved(*addresses)
    with pytest.raises(PushRefused) as raised:
        await where.of(SFTP)
    assert "files" not in str(raised.value)


async def test_an_internal_server_that_the_operator_allows_is_taken():
    where = await resolved("10.0.0.7", allowed=[ipaddress.ip_network("10.0.0.0/8")])
    found = await where.of(SFTP)
    assert found is not None
    assert found.host == "10.0.0.7"


async def test_an_address_is_its_own_name():
    assert await look_up("127.0.0.1", 22) == ["127.0.0.1"]
    where = PushDestinations(MemoryStore(), None)
    with pytest.raises(PushRefused):
        await where.of(replace(SFTP, host="127.0.0.1"))
