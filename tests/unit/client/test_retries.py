"""Waits double up to a limit, follow the server's wish, and end."""

from __future__ import annotations

from maskline.client import Retries


def test_waits_double_from_the_first_to_the_longest_within_their_upper_half():
    retries = Retries(tries=100, first_wait=1.0, longest_wait=6.0)
    for tries, most in ((1, 1.0), (2, 2.0), (3, 4.0), (4, 6.0), (60, 6.0)):
        waits = [retries.wait(tries) for _ in range(200)]
        assert most / 2 <= min(waits) < max(waits) <= most


def test_after_the_last_try_there_is_no_wait():
    assert Retries(tries=3).wait(2) is not None
    assert Retries(tries=3).wait(3) is None
    assert Retries(tries=1).wait(1) is None


def test_the_server_is_waited_for_as_long_as_it_says_and_a_little_more():
    wait = Retries(first_wait=0.5).wait(1, 7.0)
    assert 7.25 <= wait <= 7.5


def test_a_server_that_asks_for_too_long_is_not_waited_for():
    assert Retries(longest_retry_after=10).wait(1, 11.0) is None
