"""Ports for programs that start later: of one process alone, outside what the kernel gives away, none twice."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from maskline.lab import ports
from maskline.lab.ports import BLOCK, Ports, free_port, free_ports, give_back, zone


@pytest.fixture
def four_blocks() -> Iterator[range]:
    """Room for so many, which are nobody else's."""
    first, last = free_ports(4 * (BLOCK + 1))
    yield range(first, last + 1)
    give_back(first)


@pytest.fixture
def mine(four_blocks: range) -> Iterator[Ports]:
    found = Ports(four_blocks)
    yield found
    found.close()


@pytest.mark.parametrize(
    ("low", "high", "found"),
    [
        (32_768, 60_999, range(10_000, 32_768)),
        (10_500, 60_999, range(61_000, 65_536)),
        (9_000, 65_535, range(1_024, 9_000)),
        (1_024, 65_535, range(10_000, 32_768)),  # no choice
    ],
)
def test_the_zone_avoids_what_the_kernel_gives_away(low: int, high: int, found: range):
    assert zone(low, high) == found


def test_the_kernels_range_is_read_and_guessed_where_it_cannot(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    (tmp_path / "range").write_text("20000\t30000\n")
    monkeypatch.setattr(ports, "_EPHEMERAL", tmp_path / "range")
    assert ports._ephemeral() == (20_000, 30_000)
    monkeypatch.setattr(ports, "_EPHEMERAL", tmp_path / "none")
    assert ports._ephemeral() == (32_768, 65_535)


def test_a_port_the_kernel_gives_is_none_of_ours():
    low, high = ports._ephemeral()
    assert not low <= free_port() <= high


def test_none_is_given_twice_before_all_are(mine: Ports):
    given = [mine.one() for _ in range(4 * BLOCK)]
    assert len(set(given)) == 4 * BLOCK
    assert mine.one() == given[0]


def test_a_port_in_use_is_passed_over(mine: Ports):
    first = mine.one()
    with socket.socket() as tcp, socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", first + 1))
        tcp.bind(("127.0.0.77", first + 2))
        assert mine.one() == first + 3


def test_several_are_in_a_row_and_begin_even(mine: Ports):
    for count in (3, 4, 7):
        first, last = mine.several(count)
        assert (first % 2, last - first + 1) == (0, count)
    assert not set(range(first, last + 1)) & {mine.one() for _ in range(3 * BLOCK)}


def test_more_than_a_block_are_in_a_row_too(mine: Ports):
    first, last = mine.several(2 * BLOCK + 10)
    assert last - first + 1 == 2 * BLOCK + 10
    with pytest.raises(OSError, match="no 110 ports in a row"):
        mine.several(2 * BLOCK + 10)


def test_what_is_given_back_is_given_again_and_once(mine: Ports):
    row = mine.several(3 * BLOCK)
    mine.give_back(row[0])
    mine.give_back(row[0])
    again = mine.several(3 * BLOCK)
    assert again == row
    with pytest.raises(OSError, match="in a row"):
        mine.several(3 * BLOCK)


def test_a_row_with_a_port_in_use_is_passed_over(mine: Ports):
    first = mine.one() + 1
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", first + 5))
        low, high = mine.several(8)
        assert first + 5 not in range(low, high + 1)


def test_a_row_that_was_passed_over_is_given_once_its_ports_are_free(mine: Ports):
    first = mine.several(3 * BLOCK + 2)[0]
    mine.give_back(first)
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as udp:
        udp.bind(("127.0.0.1", first + 5))
        with pytest.raises(OSError, match="in a row"):
            mine.several(3 * BLOCK + 2)
    assert mine.several(3 * BLOCK + 2)[0] == first


def test_when_all_are_in_use_it_says_so(mine: Ports):
    with ExitStack() as held:
        for _ in range(4 * BLOCK):
            port = mine.one()
            held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)).bind(("127.0.0.1", port))
        with pytest.raises(OSError, match="all ports that the lab may use are taken"):
            mine.one()


_OTHER = """
import sys
from maskline.lab.ports import Ports
other = Ports(range(int(sys.argv[1]), int(sys.argv[2])))
print(*(other.one() for _ in range(int(sys.argv[3]))), flush=True)
sys.stdin.read()
"""


def test_another_process_has_other_blocks_until_it_ends(mine: Ports, four_blocks: range):
    ours = {mine.one() for _ in range(2 * BLOCK)}
    command = [sys.executable, "-c", _OTHER, *map(str, (four_blocks.start, four_blocks.stop, 2 * BLOCK))]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        theirs = set(map(int, other.stdout.readline().split()))
        assert (len(theirs), ours & theirs) == (2 * BLOCK, set())
        assert mine.one() in ours  # no block is left
        other.kill()
    assert mine.one() in theirs


def test_the_process_has_one_set_of_blocks():
    first, last = free_ports(6)
    assert free_port() not in range(first, last + 1)
    give_back(first)
