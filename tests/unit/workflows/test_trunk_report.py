"""What a server tells the command line of its trunks."""

from __future__ import annotations

import fcntl
from pathlib import Path

from maskline.masking.trunk import Trunk
from maskline.masking.trunk_state import TrunkState
from maskline.sip.locate import Place
from maskline.workflows.trunk_report import FILE, LOCK, LiveAddress, TrunkReport, read_live
from tests.support.api_world import World

PLAIN = Trunk("t", "carrier", None, "2001:db8::1", 5060, options_seconds=10)
NAMED = Trunk("n", "named", None, "carrier.example", 0)


def test_what_changes_is_told_and_nothing_is_written_twice(tmp_path: Path) -> None:
    world, state = World(), TrunkState()
    clock = world.clock
    report = TrunkReport(tmp_path, state, clock)
    with (tmp_path / LOCK).open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert read_live(tmp_path) is None, "it has not written yet"
        report.look((PLAIN, NAMED))
        assert read_live(tmp_path) == {"t": (LiveAddress("udp:[2001:db8::1]:5060", "unchecked", None, None),), "n": ()}
        assert (tmp_path / FILE).stat().st_mode & 0o077 == 0
        before = (tmp_path / FILE).stat().st_ino
        report.look((PLAIN, NAMED))
        assert (tmp_path / FILE).stat().st_ino == before
        state.due(PLAIN, clock.now())
        state.checked(state.targets(PLAIN, float)[0], 200, True, clock.now())
        state.locate("n", [Place("tcp", 1, 1, 5060, ("192.0.2.7",))])
        wall = clock.wall()
        report.look((PLAIN, NAMED))
        live = read_live(tmp_path)
        assert live == {
            "t": (LiveAddress("udp:[2001:db8::1]:5060", "up", round(wall), 200),),
            "n": (LiveAddress("tcp:192.0.2.7:5060", "unchecked", None, None),),
        }  # fmt: skip
        (tmp_path / FILE).write_text("{")
        assert read_live(tmp_path) is None
    assert read_live(tmp_path) is None, "nobody is there any more"
    report.close()
    report.close()
    assert not (tmp_path / FILE).exists()


def test_no_server_and_no_folder_is_nobody(tmp_path: Path) -> None:
    assert read_live(tmp_path / "none") is None
    (tmp_path / LOCK).touch()
    assert read_live(tmp_path) is None


def test_a_folder_that_cannot_be_written_is_tried_again(tmp_path: Path) -> None:
    report = TrunkReport(tmp_path / "gone", TrunkState(), World().clock)
    report.look((PLAIN,))
    (tmp_path / "gone").mkdir()
    report.look((PLAIN,))
    assert (tmp_path / "gone" / FILE).exists()
