"""Calls over TLS between telephones nobody here wrote, with digest, and what a whole server makes of certificates."""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from maskline.workflows.add_trunk import TrunkWish
from tests.support.heard_field import Voices
from tests.support.stream_peer import StreamPeer, right_response
from tests.support.tls_field import HOST, PASSWORD, USER, VIRTUAL, TlsField, options

pytestmark = pytest.mark.wire
CALLER, CALLEE, CALLEE_HOST = "+447700900101", "+919900000102", "127.0.0.2"


@pytest.fixture(scope="module")
def field(tmp_path_factory: pytest.TempPathFactory) -> Iterator[TlsField]:
    if shutil.which("baresip") is None:
        pytest.skip("baresip is not installed (tools/apt-packages.txt)")
    if os.geteuid() != 0:
        pytest.skip("telephones get a processor of their own: root alone may")
    made = TlsField(tmp_path_factory.mktemp("tls"))
    try:
        made.open(TrunkWish("caller", HOST, 5061, "tls", USER, PASSWORD, ("+44",), challenge=True, challenge_md5=True))
        yield made
    finally:
        made.close()


@pytest.fixture
def peer(field: TlsField) -> Iterator[Callable[..., StreamPeer]]:
    """Makes peers, each with a trunk of its own."""
    made: list[StreamPeer] = []

    def make(host: str, prefix: str, *, tls: bool = False) -> StreamPeer:
        made.append(StreamPeer(host, field.authority.issue(f"{host}.pem", [host]) if tls else None))
        kind = "tls" if tls else "tcp"
        field.trunk(TrunkWish(host, host, made[-1].port, kind, USER, PASSWORD, (prefix,), realm="carrier.example"))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_two_telephones_over_tls_hear_each_other_when_the_caller_proves_itself(field: TlsField) -> None:
    caller = field.baresip(CALLER, HOST, 21, USER, PASSWORD)
    callee = field.baresip(CALLEE, CALLEE_HOST, 22)
    field.trunk(TrunkWish("callee", CALLEE_HOST, callee.port + 1, "tls", prefixes=("+9199",), nat=True))
    field.session(CALLER, CALLEE)
    caller.dial(VIRTUAL, field.address)
    callee.wait_to_hear_talk(Voices.of(21))
    caller.wait_to_hear_talk(Voices.of(22))
    caller.hang_up()
    callee.wait_for("CALL_CLOSED")
    assert field.record(CALLER) == ("completed", "normal")


def test_a_renewed_certificate_is_shown_after_sighup(field: TlsField) -> None:
    before = field.shown()
    assert field.renew() != before


def test_a_trunk_whose_certificate_has_another_name_is_not_called(field: TlsField) -> None:
    host, number = "127.0.0.3", "+919800000104"
    callee = field.baresip(number, host, 22, certified="127.0.0.99")
    field.trunk(TrunkWish("another", host, callee.port + 1, "tls", prefixes=("+9198",)))
    assert field.ring(number) == ("failed", "network_error")
    assert not callee.was_called
    assert field.platform.log_lines("connection_failed")


def test_a_carrier_over_tls_that_challenges_is_answered(field: TlsField, peer: Callable[..., StreamPeer]) -> None:
    carrier, number = peer("127.0.0.4", "+9197", tls=True), "+919700000105"
    field.session(number, "+447700900198", initiate_call_to_first_party=True)
    carrier.take()
    invite = carrier.read("INVITE")
    assert "Authorization" not in invite
    ask = 'WWW-Authenticate: Digest realm="carrier.example", nonce="n1", qop="auth", algorithm=SHA-256'
    carrier.send(carrier.answer(invite, "401 Unauthorized", ask))
    carrier.read("ACK")
    again = carrier.read("INVITE")
    response, right = right_response(again, USER, PASSWORD)
    assert response == right
    carrier.send(carrier.answer(again, "486 Busy Here"))
    carrier.read("ACK")
    assert field.record(number) == ("busy", "busy")


def test_a_call_outlives_its_reset_connection_and_messages_come_as_the_stream_cuts_them(
    field: TlsField, peer: Callable[..., StreamPeer]
) -> None:
    first, second = peer("127.0.0.5", "+9196"), peer("127.0.0.6", "+9195")
    numbers = "+919600000106", "+919500000107"
    field.session(*numbers, initiate_call_to_first_party=True)
    first.take()
    to_first = first.read("INVITE")
    trying = first.answer(to_first, "100 Trying")
    first.send(trying[:20], trying[20:-3], trying[-3:])
    first.send(first.answer(to_first, "180 Ringing") + first.answer(to_first, "200 OK", sdp=True))
    first.read("ACK")
    second.take()
    to_second = second.read("INVITE")
    answer = second.answer(to_second, "200 OK", sdp=True)
    second.send(answer[:-30], answer[-30:])
    second.read("ACK")
    first.reset()
    second.send(second.hang_up(to_second))
    first.take()  # at the port its Contact names
    bye = first.read("BYE")
    first.send(first.answer(bye, "200 OK"))
    assert field.record(numbers[0]) == ("completed", "normal")


def test_a_trunk_known_by_its_certificate_alone_is_heard_from_any_address(tmp_path: Path) -> None:
    field = TlsField(tmp_path, MASKLINE_SIP_TLS_CLIENT_CA=str(tmp_path / "authority.pem"))
    try:
        trunk = TrunkWish(
            "anywhere",
            "192.0.2.77",
            5061,
            "tls",
            tls_name="anywhere.example",
            prefixes=("+9194",),
            alias=True,
            nat=True,
        )
        field.open(TrunkWish("here", HOST, 5061), trunk)
        for name in ("anywhere.example", "else.example"):
            field.authority.issue(f"{name}.pem", [name])
        assert field.is_answered("127.0.0.9", tmp_path / "anywhere.example.pem")
        assert not field.is_answered("127.0.0.9", tmp_path / "else.example.pem")
        assert not field.is_answered("127.0.0.9", None)
        assert field.platform.log_lines("stranger_dropped")
        _is_called_over_its_connection(field, "127.0.0.9", tmp_path / "anywhere.example.pem")
    finally:
        field.close()


def _is_called_over_its_connection(field: TlsField, host: str, certificate: Path) -> None:
    """RFC 5923: what it connected by carries both parties of a call, to the last request of each dialog."""
    first, second = "+919400000108", "+919400000109"
    peer = StreamPeer(host, certificate)
    try:
        peer.reach(field.address, HOST, field.authority.path, certificate)
        peer.send(options("TLS", host, peer.port))
        peer.read("SIP/2.0")
        field.session(first, second, initiate_call_to_first_party=True)
        peer.send(peer.answer(peer.read("INVITE"), "200 OK", sdp=True))
        peer.read("ACK")
        peer.send(peer.answer(peer.read("INVITE"), "486 Busy Here"))
        peer.read("ACK")
        peer.send(peer.answer(peer.read("BYE"), "200 OK"))  # after the tone
        assert field.record(first) == ("busy", "busy")
        assert not field.platform.log_lines("connection_failed")
    finally:
        peer.close()
