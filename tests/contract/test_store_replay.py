"""The store contract: the log of a store, replayed by rules of its own, shows no violation."""

from __future__ import annotations

import pytest

from maskline.masking.call_record import CallParties
from maskline.masking.claims import party_key
from maskline.masking.facts import CallEnded
from maskline.masking.verify import Certificate
from maskline.storage.crypto import KEY_BYTES, Sealer
from maskline.storage.store import Store
from maskline.workflows.verify_pool import verify_pool
from tests.support.fact_log import FactLog
from tests.support.store_values import ACCOUNT, ALICE, BOB, T0, VN1, new_session, recorded_call, virtual_number

SEALER = Sealer(bytes(KEY_BYTES))


@pytest.mark.parametrize("seed", range(100, 103))
async def test_a_random_walk_over_the_store_is_certified(empty_store: Store, seed: int) -> None:
    log = FactLog(empty_store, seed)
    await log.walk(300)
    found = await verify_pool(empty_store)
    assert isinstance(found, Certificate), found
    assert found.facts == len(await log.entries()) > 100
    assert found.records == found.routed == found.calls > 5


async def test_the_end_of_a_call_comes_with_whom_its_record_names_and_nothing_else_does(empty_store: Store) -> None:
    await empty_store.add_account(ACCOUNT)
    await empty_store.add_number(virtual_number(VN1), T0)
    await empty_store.create_session(new_session())
    await empty_store.commit_calls([recorded_call(), recorded_call("call-2", record=None, interaction=None, outbox=())])
    lines = await empty_store.replay_since(0, 100)
    assert [line[:2] for line in lines] == await empty_store.facts_since(0, 100)
    named = {fact.subject: parties for _, fact, parties in lines if isinstance(fact, CallEnded)}
    first, second = (SEALER.key_hash(party_key(party)).hex() for party in (ALICE, BOB))
    assert named == {"call-1": CallParties(first, second), "call-2": None}
    assert all(parties is None for _, fact, parties in lines if not isinstance(fact, CallEnded))
    assert [line[0] for line in await empty_store.replay_since(lines[1][0], 2)] == [line[0] for line in lines[2:4]]
