"""maskline doctor on the kernel's limits."""

from __future__ import annotations

from pathlib import Path

from maskline.cli.doctor_kernel import check_kernel
from maskline.net.udp import RECEIVE_BUFFER


def test_a_buffer_that_the_kernel_cuts_is_said(tmp_path: Path) -> None:
    told = tmp_path / "rmem_max"
    told.write_text("212992\n")
    ((check, state, found, advice),) = check_kernel(told)
    assert (check, state) == ("receive buffer", "warn")
    assert found == "the kernel gives a socket 208 kB at most, SIP over UDP asks for 4096"
    assert advice.startswith(f"sysctl -w net.core.rmem_max={RECEIVE_BUFFER} ")


def test_one_that_is_large_enough_is_fine(tmp_path: Path) -> None:
    told = tmp_path / "rmem_max"
    told.write_text(f"{RECEIVE_BUFFER}\n")
    assert [state for _, state, *_ in check_kernel(told)] == ["ok"]


def test_a_kernel_that_does_not_tell_is_not_asked_again(tmp_path: Path) -> None:
    assert list(check_kernel(tmp_path / "none")) == []


def test_the_shipped_setting_is_what_is_asked_for() -> None:
    shipped = (Path(__file__).parents[3] / "contrib/sysctl.d/maskline.conf").read_text()
    assert f"net.core.rmem_max = {RECEIVE_BUFFER}\n" in shipped
