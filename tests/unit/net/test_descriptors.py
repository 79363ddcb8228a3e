"""The limit of sockets is raised as far as it may be, and never lowered."""

from __future__ import annotations

import resource

import pytest

from maskline.net.descriptors import raise_limit

INFINITY = resource.RLIM_INFINITY


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ((1024, 524_288), (65_536, 524_288)),
        ((1024, 4096), (4096, 4096)),
        ((1024, INFINITY), (65_536, INFINITY)),
        ((100_000, 524_288), (100_000, 524_288)),
        ((INFINITY, INFINITY), (INFINITY, INFINITY)),
    ],
)
def test_the_soft_limit_follows_the_hard_one(monkeypatch, before, after):
    limits = [before]
    monkeypatch.setattr(resource, "getrlimit", lambda _: limits[-1])
    monkeypatch.setattr(resource, "setrlimit", lambda _, both: limits.append(both))
    assert raise_limit() == after[0]
    assert limits[-1] == after
