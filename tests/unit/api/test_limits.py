"""The request limit is exact in every window, and per account."""

from __future__ import annotations

import random

import pytest

from maskline.api.limits import RequestLimiter
from maskline.errors import TooManyRequests


def granted(limiter, key, now):
    try:
        limiter.take(key, now)
    except TooManyRequests:
        return False
    return True


@pytest.mark.row("1.1/rate limit")
def test_the_301st_request_in_five_seconds_is_refused_and_told_when_to_come_back():
    limiter = RequestLimiter(300)
    assert all(granted(limiter, "MA1", 1.0 + i / 1000) for i in range(300))
    with pytest.raises(TooManyRequests) as caught:
        limiter.take("MA1", 3.0)
    assert caught.value.retry_after == pytest.approx(3.0)
    assert granted(limiter, "MA1", 6.0)


def test_one_account_does_not_use_up_anothers():
    limiter = RequestLimiter(1)
    assert granted(limiter, "MA1", 0.0)
    assert granted(limiter, "MA2", 0.0)
    assert not granted(limiter, "MA1", 0.0)


def test_a_refused_request_counts_nothing():
    limiter = RequestLimiter(1)
    assert granted(limiter, "MA1", 0.0)
    assert not granted(limiter, "MA1", 4.9)
    assert granted(limiter, "MA1", 5.0)


def test_zero_is_no_limit():
    limiter = RequestLimiter(0)
    assert all(granted(limiter, "MA1", 0.0) for _ in range(10_000))


def test_no_window_of_five_seconds_ever_holds_more():
    rng = random.Random(7)
    limiter = RequestLimiter(20)
    now, times = 0.0, []
    for _ in range(2_000):
        now += rng.expovariate(10.0)
        if granted(limiter, "MA1", now):
            times.append(now)
    assert all(later - earlier >= 5.0 for earlier, later in zip(times, times[20:], strict=False))
    assert len(times) > 500
