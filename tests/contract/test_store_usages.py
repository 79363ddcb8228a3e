"""The store contract: limits that several engines hold together."""

from __future__ import annotations

import asyncio
from dataclasses import replace

import pytest

from maskline.masking.limits import Limits
from maskline.masking.meter import Line
from maskline.masking.usage_shared import Running, Share, Wish
from maskline.storage.store import Store
from maskline.storage.usage_store import ShareElsewhere
from tests.support.store_values import ACCOUNT, OTHER, T0, call_facts, call_record, recorded_call

pytestmark = pytest.mark.usefixtures("our_clock")

MA = ACCOUNT.id
RUNNING = Running(739_000, Line(12.5, 2.0), Line(1e6, 0.0), (("+65", Line(0.0, 1.0)), ("+44", Line(7.0, 0.0))))


def wish(held: int = 0, least: int = 1, limit: int = 10, number: str = "") -> Wish:
    return Wish(MA, number, limit, held, least)


async def take(store: Store, engine: str, *wishes: Wish, now: float = T0, until: float = T0 + 15) -> list[int]:
    return await store.take_places(engine, wishes, now=now, until=until)


async def test_of_all_engines_together_no_more_places_are_given_than_there_are(store: Store) -> None:
    assert await take(store, "e1", wish(least=6)) == [6]
    assert await take(store, "e2", wish(least=6)) == [4]
    assert await take(store, "e1", wish(held=6)) == [0]
    assert await take(store, "e3", wish(), wish(number="+6531580001", limit=2, least=3)) == [0, 2]


async def test_engines_that_ask_at_the_same_moment_get_no_place_twice(store: Store) -> None:
    given = await asyncio.gather(*[take(store, f"e{at}", wish(least=3)) for at in range(5)])
    assert sorted(given) == [[0], [1], [3], [3], [3]]


async def test_a_busy_engine_takes_some_in_advance(store: Store) -> None:
    assert await take(store, "e1", wish(limit=64)) == [4]
    assert await take(store, "e1", wish(limit=64, held=4, least=50)) == [50]
    assert await take(store, "e2", wish(limit=64, least=20)) == [10]


async def test_what_is_given_back_is_there_for_others(store: Store) -> None:
    assert await take(store, "e1", wish(least=10)) == [10]
    await store.tell_usage("e1", [Share(MA, "", 3, 40, RUNNING)], now=T0, until=T0 + 15)
    assert await take(store, "e2", wish(least=10)) == [7]


async def test_an_engine_that_is_silent_holds_its_places_no_longer_than_it_said(store: Store) -> None:
    assert await take(store, "e1", wish(least=10)) == [10]
    assert await take(store, "e2", wish(), now=T0 + 14) == [0]
    assert await take(store, "e2", wish(), now=T0 + 15, until=T0 + 30) == [1]


async def test_engines_hear_what_the_others_told_last(store: Store) -> None:
    quiet = Share(OTHER.id, "+6531580001", 0, 3)
    await store.tell_usage("e1", [Share(MA, "", 1, 1, None)], now=T0, until=T0 + 15)
    await store.tell_usage("e1", [Share(MA, "", 2, 9, RUNNING), quiet], now=T0, until=T0 + 15)
    await store.tell_usage("e2", [quiet], now=T0, until=T0 + 5)
    told = [ShareElsewhere("e1", Share(MA, "", 2, 9, RUNNING)), ShareElsewhere("e1", quiet)]
    assert sorted(await store.usage_elsewhere("e2", T0 + 1)) == told
    assert await store.usage_elsewhere("e1", T0 + 1) == [ShareElsewhere("e2", quiet)]
    assert await store.usage_elsewhere("e1", T0 + 5) == []
    await store.tell_usage("e3", [quiet], now=T0 + 10_000, until=T0 + 10_015)
    assert await store.usage_elsewhere("e2", T0 + 1) == [ShareElsewhere("e3", quiet)]


async def test_a_call_that_took_a_place_is_heard_of_before_it_is_told(store: Store) -> None:
    assert await take(store, "e1", wish(least=2)) == [2]
    assert await store.usage_elsewhere("e2", T0) == [ShareElsewhere("e1", Share(MA, "", 2, 0, None))]


async def test_ends_of_calls_are_followed_in_the_order_of_their_records(store: Store) -> None:
    await store.update_account(replace(ACCOUNT, limits=Limits(concurrent=10), modified_at=T0 + 1))
    begin, nothing = await store.ended_calls(None, 10)
    assert nothing == []
    for name in ("call-1", "call-2", "call-3"):
        await store.commit_calls([recorded_call(name, facts=call_facts(name), record=call_record(name))])
    at, first = await store.ended_calls(begin, 2)
    assert first == [(MA, "call-1"), (MA, "call-2")]
    at, rest = await store.ended_calls(at, 2)
    assert rest == [(MA, "call-3")]
    assert await store.ended_calls(at, 2) == (at, [])


async def test_calls_of_accounts_without_limits_are_not_followed(store: Store) -> None:
    await store.commit_calls([recorded_call()])
    assert (await store.ended_calls(0, 10))[1] == []
