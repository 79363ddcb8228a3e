"""Rates and bans, and that nobody can make them grow without end."""

from __future__ import annotations

import pytest

from maskline.engine.guard import (
    LINES_WINDOW,
    LOUD,
    MAX_LINES,
    MAX_STRANGERS,
    STRANGER_LIMIT,
    STRANGER_WINDOW,
    Guard,
)

WHO, OTHER = "198.51.100.66", "198.51.100.67"


def knock(guard: Guard, host: str, times: int, now: float = 0.0) -> None:
    for _ in range(times):
        guard.stranger(host, now)


def test_a_stranger_that_goes_on_is_banned_for_a_while_and_told_once() -> None:
    guard = Guard(ban_seconds=300.0)
    knock(guard, WHO, STRANGER_LIMIT - 1)
    assert not guard.is_banned(WHO, 0.0) and guard.told == []
    knock(guard, WHO, 100)
    assert guard.is_banned(WHO, 299.9) and not guard.is_banned(OTHER, 0.0)
    assert (guard.told, guard.banned) == ([WHO], 1)
    assert not guard.is_banned(WHO, 300.0) and not guard.is_banned(WHO, 0.0)
    assert guard.sizes() == {"strangers": 0, "banned": 0, "buckets": 0, "knocks": 1, "loud": 0, "vain": 0}


def test_only_a_banned_source_that_goes_on_loudly_is_to_be_shut_out_and_until_its_ban_is_over() -> None:
    guard = Guard(ban_seconds=300.0)
    for who in (WHO, OTHER):
        knock(guard, who, STRANGER_LIMIT)
    knock(guard, WHO, LOUD + 1, 1.0)
    knock(guard, OTHER, LOUD, 1.0)
    assert guard.loud(1.0) == [WHO]
    knock(guard, OTHER, LOUD, 2.0)
    assert guard.loud(2.0) == [WHO] and guard.sizes()["knocks"] == 0
    assert guard.loud(299.9) == [WHO] and guard.loud(300.0) == []


def test_who_was_forgotten_meanwhile_is_not_shut_out() -> None:
    guard = Guard(ban_seconds=1.0)
    knock(guard, WHO, STRANGER_LIMIT + LOUD + 1)
    assert not guard.is_banned(WHO, 1.0) and guard.loud(1.0) == []


def test_who_knocks_now_and_then_is_never_banned() -> None:
    guard = Guard()
    for minute in range(10):
        knock(guard, WHO, STRANGER_LIMIT - 1, minute * STRANGER_WINDOW)
    assert guard.banned == 0


def test_bans_may_be_off() -> None:
    guard = Guard(ban_seconds=0.0)
    knock(guard, WHO, 1000)
    assert guard.banned == 0 and not any(guard.sizes().values())


def test_forged_sources_fill_neither_memory_nor_log() -> None:
    guard = Guard()
    for number in range(MAX_STRANGERS + 500):
        guard.stranger(f"host-{number}", 0.0)
    assert guard.sizes()["strangers"] == MAX_STRANGERS
    for number in range(MAX_STRANGERS + 500):
        knock(guard, f"host-{number}", STRANGER_LIMIT)
    assert guard.sizes()["banned"] == MAX_STRANGERS
    assert guard.banned >= MAX_STRANGERS + 500 and len(guard.told) == MAX_LINES
    knock(guard, WHO, STRANGER_LIMIT, LINES_WINDOW)
    assert guard.told[MAX_LINES:] == [WHO]


def test_a_trunks_address_has_its_rate() -> None:
    guard = Guard(rate=10.0)
    assert sum(guard.spend(WHO, 5.0) for _ in range(100)) == 20
    assert sum(guard.spend(WHO, 5.5) for _ in range(100)) == 5
    assert sum(guard.spend(OTHER, 5.5) for _ in range(100)) == 20
    assert sum(guard.spend(WHO, 500.0) for _ in range(100)) == 20


@pytest.mark.parametrize("new", [False, True])
def test_what_comes_to_nothing_has_a_rate_of_its_own(new: bool) -> None:
    guard = Guard(vain_rate=10.0)
    assert not guard.is_in_vain(WHO, 5.0, new)
    for _ in range(20):
        assert not guard.is_in_vain(WHO, 5.0, new)
        guard.charge(WHO, 5.0, new)
    assert guard.is_in_vain(WHO, 5.0, new) and not guard.is_in_vain(OTHER, 5.0, new)
    assert not guard.is_in_vain(WHO, 5.125, new)
    guard.charge(WHO, 5.125, new)
    assert guard.is_in_vain(WHO, 5.125, new)
    guard.charge(WHO, 5.125, new, -1.0)
    assert not guard.is_in_vain(WHO, 5.125, new)
    guard.charge(WHO, 500.0, new, -1.0)
    assert guard.sizes()["vain"] == 1
    for _ in range(20):
        guard.charge(WHO, 500.0, new)
    assert guard.is_in_vain(WHO, 500.0, new), "nothing is saved up"
    for _ in range(10_000):
        guard.charge(WHO, 500.0, new)
    assert guard.is_in_vain(WHO, 502.0, new) and not guard.is_in_vain(WHO, 502.125, new), "nor owed for long"
    assert not guard.is_in_vain(WHO, 500.0, not new), "new calls and the rest are counted apart"


def test_forged_addresses_of_a_trunks_network_fill_no_memory() -> None:
    guard = Guard(rate=10.0, vain_rate=10.0)
    for number in range(MAX_STRANGERS + 500):
        assert guard.spend(f"host-{number}", 0.0) and guard.spend_check(f"host-{number}", 0.0)
        for new in (False, True):
            guard.charge(f"host-{number}", 0.0, new)
    assert (guard.sizes()["buckets"], guard.sizes()["vain"]) == (2 * MAX_STRANGERS, 2 * MAX_STRANGERS)
