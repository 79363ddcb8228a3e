"""masking.trunk: who sent this, and who may call that."""

from __future__ import annotations

from maskline.masking.e164 import Number
from maskline.masking.trunk import Trunk, choose_outbound, match_inbound

HOST = "192.0.2.1"
SINGAPORE = Number("6581234567")


def trunk(name: str, account_id: str | None = None, host: str = HOST, port: int = 5060, **more: object) -> Trunk:
    return Trunk(name, name, account_id, host, port, **more)  # type: ignore[arg-type]


def test_a_datagram_belongs_to_the_trunk_of_its_exact_address() -> None:
    trunks = [trunk("a"), trunk("b", port=5070)]
    assert match_inbound(trunks, HOST, 5070, "udp") is trunks[1]


def test_the_host_alone_is_enough_when_no_port_matches() -> None:
    trunks = [trunk("a"), trunk("b", port=5070)]
    assert match_inbound(trunks, HOST, 40000, "udp") is trunks[0]


def test_another_host_or_transport_is_a_stranger() -> None:
    assert match_inbound([trunk("a")], "192.0.2.2", 5060, "udp") is None
    assert match_inbound([trunk("a")], HOST, 5060, "tcp") is None


def test_the_longest_prefix_wins() -> None:
    trunks = [trunk("any"), trunk("sg", prefixes=("+6", "+65")), trunk("six", prefixes=("+6",))]
    assert choose_outbound(trunks, "MA", SINGAPORE) is trunks[1]


def test_an_own_trunk_wins_over_a_shared_one_and_then_the_first() -> None:
    trunks = [trunk("shared"), trunk("own", "MA"), trunk("own too", "MA")]
    assert choose_outbound(trunks, "MA", SINGAPORE) is trunks[1]


def test_a_foreign_trunk_and_a_trunk_without_the_prefix_are_not_used() -> None:
    assert choose_outbound([trunk("theirs", "MB"), trunk("uk", prefixes=("+44",))], "MA", SINGAPORE) is None
