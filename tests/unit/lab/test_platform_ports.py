"""lab.platform: the ports of its relay are others' again once nobody has it any more."""

from __future__ import annotations

from pathlib import Path

import pytest

from maskline.lab import platform
from maskline.lab.platform import Platform
from maskline.lab.ports import give_back


def test_more_platforms_than_there_are_ports_for_follow_each_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    back: list[int] = []
    monkeypatch.setattr(platform, "give_back", lambda first: (back.append(first), give_back(first)))
    for number in range(60):
        (tmp_path / str(number)).mkdir()
        one = Platform(tmp_path / str(number))
        first, last = map(int, one.environment["MASKLINE_MEDIA_PORTS"].split("-"))
        assert last - first == 599
    del one
    assert len(back) == 60
