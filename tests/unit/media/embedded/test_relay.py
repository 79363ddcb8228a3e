"""The relay of one worker, driven by hand: real sockets on loopback, time as an argument."""

from __future__ import annotations

import secrets
import selectors
import socket
import struct
import time
from dataclasses import replace
from pathlib import Path

import pytest

from maskline.lab.ports import free_ports
from maskline.media.embedded.relay import LINGER, NoPorts, Relay, UnknownCall
from maskline.media.embedded.sockets import UnusableAddress, open_socket
from maskline.media.g711 import MU_TO_A
from maskline.media.port import FarMedia, LocalMedia
from maskline.media.rtp import Goodbye, Report, RtpPacket, build, parse, parse_rtcp
from maskline.sdp.session import Codec
from tests.support.relay_bench import A, B, Bench
from tests.support.rtp_party import PCMU, VOICE, Party
from tests.support.wav_clip import tone, write_clip


class TestWhatCrosses:
    def test_the_ssrc_of_a_party_does_not(self, bench: Bench, alice: Party, bob: Party) -> None:
        bench.connect(alice, bob)
        heard = [bench.pass_on(alice, bob, alice.next()) for _ in range(3)]
        assert {packet.ssrc for packet in heard} != {alice.ssrc}
        assert len({packet.ssrc for packet in heard}) == 1

    def test_contributors_extensions_and_padding_do_not(self, bench: Bench, alice: Party, bob: Party) -> None:
        bench.connect(alice, bob)
        packet = struct.pack(">BBHII", 0x80 | 0x20 | 0x10 | 1, 0, 1, 2, alice.ssrc)
        packet += b"CSRC" + struct.pack(">HH", 0xBEDE, 1) + b"WHO!" + b"audio" + b"\0\0\x03"
        alice.rtp.sendto(packet, alice.to)
        bench.turn()
        data = bob.rtp.recv(2048)
        assert data[0] == 0x80
        assert data[12:] == b"audio"

    def test_a_new_stream_of_a_party_continues_ours(self, bench: Bench, alice: Party, bob: Party) -> None:
        bench.connect(alice, bob)
        first = bench.pass_on(alice, bob, alice.next())
        second = bench.pass_on(alice, bob, RtpPacket(0, 60_000, 9, 0x77777777, b"x" * 160))
        third = bench.pass_on(alice, bob, RtpPacket(0, 60_001, 169, 0x77777777, b"x" * 160))
        assert second.ssrc == first.ssrc
        assert [(packet.sequence - first.sequence) & 0xFFFF for packet in (second, third)] == [1, 2]
        assert (second.timestamp - first.timestamp) & 0xFFFFFFFF < 8000
        assert (third.timestamp - second.timestamp) & 0xFFFFFFFF == 160

    def test_rubbish_and_payload_types_nobody_agreed_on_do_not(self, bench: Bench, alice: Party, bob: Party) -> None:
        bench.connect(alice, bob)
        for rubbish in (b"", b"short", b"\x00" * 60, b"\xbf" * 12):
            alice.rtp.sendto(rubbish, alice.to)
        alice.send(payload_type=34)
        alice.send(payload_type=72)  # what RTCP looks like on the RTP port
        assert bench.pass_on(alice, bob, alice.next(b"good" * 40)).payload == b"good" * 40
        assert not bob.queued()

    def test_duplicates_do_not(self, bench: Bench, alice: Party, bob: Party) -> None:
        bench.connect(alice, bob)
        packet = alice.next()
        bench.pass_on(alice, bob, packet)
        alice.rtp.sendto(build(packet), alice.to)
        bench.turn()
        assert not bob.queued()
        assert bench.relay.stats("call")[A].packets_received == 1

    def test_the_other_law_is_recoded(self, bench: Bench, alice: Party) -> None:
        with Party(2, codecs=(Codec(8, "PCMA"),)) as bob:
            bench.connect(alice, bob)
            heard = bench.pass_on(alice, bob, alice.next(bytes(range(160))))
            assert (heard.payload_type, heard.payload) == (8, bytes(range(160)).translate(MU_TO_A))

    def test_telephone_events_change_their_payload_type_with_the_leg(self, bench: Bench, alice: Party) -> None:
        with Party(2, codecs=(PCMU, Codec(96, "telephone-event"))) as bob:
            bench.connect(alice, bob)
            assert bench.pass_on(alice, bob, alice.next(b"\x01\x0a\x00\xa0", 101)).payload_type == 96


class TestBefore:
    def test_nothing_is_relayed_before_the_bridge(self, bench: Bench, alice: Party, bob: Party) -> None:
        alice.aim(bench.relay.open_leg("call", A, alice.far, VOICE, 0.0))
        bob.aim(bench.relay.open_leg("call", B, None, VOICE, 0.0))
        alice.send()
        bench.turn()
        bench.relay.attach("call", B, bob.far, 0.0)
        bench.relay.bridge("call", 0.0)
        bench.turn()
        assert not bob.queued()

    def test_a_leg_that_never_is_bridged_has_figures_of_what_it_sent(
        self, bench: Bench, alice: Party, bob: Party
    ) -> None:
        alice.aim(bench.relay.open_leg("call", A, alice.far, VOICE, 0.0))
        alice.send()
        alice.rtp.sendto(build(alice.next(b"?" * 160, 3)), alice.to)  # GSM, which nobody offered
        alice.send()
        bench.turn()
        figures = bench.relay.close("call", 0.0)
        assert figures.keys() == {A}
        assert (figures[A].packets_received, figures[A].packets_lost) == (2, 1)

    def test_the_figures_of_a_conversation_leave_out_what_came_before(
        self, bench: Bench, alice: Party, bob: Party
    ) -> None:
        alice.aim(bench.relay.open_leg("call", A, alice.far, VOICE, 0.0))
        for _ in range(3):
            alice.send()
        bench.turn()
        bob.aim(bench.relay.open_leg("call", B, bob.far, VOICE, 0.0))
        bench.relay.bridge("call", 0.0)
        bench.pass_on(alice, bob, alice.next(b"m" * 160))
        assert bench.relay.close("call", 0.0)[A].packets_received == 1

    def test_a_stranger_in_the_queue_is_sifted_out_at_the_attach(self, bench: Bench, alice: Party, bob: Party) -> None:
        with Party(0x666) as stranger:
            alice.aim(bench.relay.open_leg("call", A, alice.far, VOICE, 0.0))
            local = bench.relay.open_leg("call", B, bob.far, VOICE, 0.0)
            bench.relay.bridge("call", 0.0)
            bob.aim(local)
            bob.send(b"x" * 160)  # in the queue when the far side moves to the stranger
            bench.relay.attach("call", B, stranger.far, 0.0)
            assert not alice.queued()

    def test_a_call_needs_both_legs_to_be_bridged(self, bench: Bench, alice: Party) -> None:
        bench.relay.open_leg("call", A, alice.far, VOICE, 0.0)
        with pytest.raises(UnknownCall):
            bench.relay.bridge("call", 0.0)
        with pytest.raises(UnknownCall):
            bench.relay.attach("other", A, alice.far, 0.0)

    @pytest.mark.parametrize("address", ["phone.example", "", "300.1.1.1", "2001:db8::1"])
    def test_an_address_that_cannot_be_used_holds_no_ports(self, bench: Bench, address: str) -> None:
        free = len(bench.relay._ports)
        with pytest.raises(UnusableAddress):
            bench.relay.open_leg("call", A, FarMedia(address, 4000, 4001, VOICE), VOICE, 0.0)
        assert len(bench.relay) == 0
        assert len(bench.relay._ports) == free

    def test_a_far_side_offered_again_may_change(self, bench: Bench, alice: Party, bob: Party) -> None:
        with Party(3) as moved:
            bench.connect(alice, bob)
            local = bench.relay.open_leg("call", A, moved.far, VOICE, 0.0)
            moved.aim(local)
            assert bench.pass_on(bob, moved, bob.next(b"m" * 160)).payload == b"m" * 160


class TestHold:
    def test_a_far_side_that_wants_nothing_gets_nothing_and_is_still_heard(
        self, bench: Bench, alice: Party, bob: Party
    ) -> None:
        bench.connect(alice, bob)
        bench.relay.attach("call", B, FarMedia("0.0.0.0", bob.port, bob.port + 1, VOICE), 0.0)
        alice.send()
        assert bench.pass_on(bob, alice, bob.next(b"b" * 160)).payload == b"b" * 160
        assert not bob.queued()
        assert bench.relay.stats("call")[A].packets_relayed == 0
        bench.relay.attach("call", B, bob.far, 0.0)
        assert bench.pass_on(alice, bob, alice.next(b"a" * 160)).payload == b"a" * 160

    def test_an_ended_far_side_costs_packets_but_no_call(self, bench: Bench, alice: Party, bob: Party) -> None:
        bench.connect(alice, bob)
        bob.rtp.close()
        for _ in range(6):
            alice.send()
        leg = bench.relay._calls["call"].legs[A]
        for _ in range(6):  # each send leaves an ICMP error on Bob's leg, which the next one meets
            leg.on_rtp()
        bench.turn()
        assert bench.relay.stats("call")[A].packets_received == 6
        bench.relay._calls["call"].legs[B].put = None
        assert not bench.relay._calls["call"].legs[B].put_again(12)


class TestNat:
    def test_it_is_sent_to_the_sdp_address_until_it_sends_itself(self, bench: Bench, bob: Party) -> None:
        with Party(1, nat=True) as alice, Party(1) as behind:
            bench.connect(alice, bob)
            assert bench.pass_on(bob, alice, bob.next(b"1" * 160)).payload == b"1" * 160
            behind.to = alice.to
            assert bench.pass_on(behind, bob, behind.next(b"2" * 160)).payload == b"2" * 160
            assert bench.pass_on(bob, behind, bob.next(b"3" * 160)).payload == b"3" * 160

    def test_only_rtp_latches(self, bench: Bench, bob: Party) -> None:
        with Party(1, nat=True) as alice, Party(1) as behind, Party(6) as scanner:
            bench.connect(alice, bob)
            scanner.rtp.sendto(b"probe", alice.to)
            behind.to = alice.to
            bench.turn()
            assert bench.pass_on(behind, bob, behind.next(b"2" * 160)).payload == b"2" * 160

    def test_a_stranger_queued_behind_the_first_sender_is_sifted_out(self, bench: Bench, bob: Party) -> None:
        with Party(1, nat=True) as alice, Party(1) as behind, Party(6) as stranger:
            bench.connect(alice, bob)
            behind.to = stranger.to = alice.to
            behind.send(b"1" * 160)
            stranger.send(b"x" * 160)
            assert bench.pass_on(behind, bob, behind.next(b"2" * 160)).payload == b"1" * 160
            assert parse(bob.rtp.recv(2048)) is not None
            assert not bob.queued()

    def test_the_same_far_side_again_keeps_the_latch_and_another_one_is_looked_for(
        self, bench: Bench, bob: Party
    ) -> None:
        with Party(1, nat=True) as alice, Party(1) as behind, Party(3, nat=True) as moved:
            bench.connect(alice, bob)
            behind.to = alice.to
            bench.pass_on(behind, bob, behind.next())
            bench.relay.attach("call", A, alice.far, 0.0)
            assert bench.pass_on(bob, behind, bob.next(b"k" * 160)).payload == b"k" * 160
            bench.relay.attach("call", A, moved.far, 0.0)
            moved.to = alice.to
            assert bench.pass_on(moved, bob, moved.next(b"m" * 160)).payload == b"m" * 160
            assert bench.pass_on(bob, moved, bob.next(b"n" * 160)).payload == b"n" * 160

    def test_a_held_party_behind_nat_gets_nothing_until_it_sends(self, bench: Bench, bob: Party) -> None:
        with Party(1) as behind:
            far = FarMedia("0.0.0.0", 0, 0, VOICE, nat=True)
            behind.aim(bench.relay.open_leg("call", A, far, VOICE, 0.0))
            bob.aim(bench.relay.open_leg("call", B, bob.far, VOICE, 0.0))
            bench.relay.bridge("call", 0.0)
            bob.send()
            bench.turn()
            assert bench.pass_on(behind, bob, behind.next(b"2" * 160)).payload == b"2" * 160


class TestReports:
    def test_each_side_gets_ours_every_five_seconds_or_so(self, bench: Bench, alice: Party, bob: Party) -> None:
        bench.connect(alice, bob)
        bench.pass_on(alice, bob, alice.next())
        bench.relay.tick(100.0)
        (report,) = parse_rtcp(bob.rtcp.recv(2048))
        assert isinstance(report, Report)
        assert report.sender is not None
        assert report.sender.packets == 1
        (report,) = parse_rtcp(alice.rtcp.recv(2048))
        assert isinstance(report, Report)
        assert [block.ssrc for block in report.blocks] == [alice.ssrc]
        deadline = bench.relay.next_deadline()
        assert deadline is not None
        assert 2.5 <= deadline - 100.0 <= 7.5

    def test_theirs_end_here_and_those_of_strangers_are_ignored(self, bench: Bench, alice: Party, bob: Party) -> None:
        bench.connect(alice, bob)
        bench.pass_on(bob, alice, bob.next())
        alice.counts.count(1, 2, 3, 4.0)
        leg = bench.relay._calls["call"].legs[A]
        with Party(6) as stranger:
            stranger.rtcp_to = alice.rtcp_to
            stranger.counts.ssrc = leg.rtcp.reports.ssrc
            stranger.send_report()
            bench.turn()
        assert leg.rtcp.foreign == 1
        alice.counts.ssrc = leg.rtcp.reports.ssrc
        alice.counts.lost = 1
        alice.send_report()
        alice.rtcp.sendto(b"rubbish", alice.rtcp_to)
        bench.turn()
        assert leg.rtcp.reports.far.loss == 0.5
        assert leg.rtcp.refused == 1
        with pytest.raises(BlockingIOError):
            bob.rtcp.recv(2048)

    def test_behind_nat_they_come_from_the_host_of_the_audio(self, bench: Bench, bob: Party) -> None:
        with Party(1, nat=True) as alice:
            bench.connect(alice, bob)
            leg = bench.relay._calls["call"].legs[A]
            alice.send_report()
            bench.turn()
            assert leg.rtcp.foreign == 1
            bench.pass_on(alice, bob, alice.next())
            alice.send_report()
            bench.turn()
            assert leg.rtcp.foreign == 1
            bench.relay.tick(100.0)
            assert parse_rtcp(alice.rtcp.recv(2048))

    def test_a_goodbye_ends_them(self, bench: Bench, alice: Party, bob: Party) -> None:
        bench.connect(alice, bob)
        bench.relay.close("call", 1.0)
        assert isinstance(parse_rtcp(alice.rtcp.recv(2048))[-1], Goodbye)

    def test_an_address_the_kernel_refuses_is_counted(self, bench: Bench, alice: Party, bob: Party) -> None:
        bench.connect(alice, bob)
        leg = bench.relay._calls["call"].legs[A]
        leg.rtcp.aim(("192.0.2.1", 9))  # a loopback socket cannot send there
        leg.report(1.0, 1.0)
        assert leg.rtcp.unsent == 1


class TestTime:
    def test_silence_on_a_bridged_call_is_told_once_and_freed_later(self, alice: Party, bob: Party) -> None:
        bench = Bench(timeout=10.0)
        bench.connect(alice, bob)
        bench.relay.tick(9.9)
        assert bench.timed_out == []
        bench.relay.tick(10.0)
        bench.relay.tick(20.0)
        assert bench.timed_out == ["call"]
        bench.relay.tick(10.0 + LINGER + 8.0)
        assert len(bench.relay) == 0

    def test_a_party_alone_again_is_neither_relayed_nor_timed_out_and_hears_and_is_heard(
        self, alice: Party, bob: Party, tmp_path: Path
    ) -> None:
        bench = Bench(timeout=10.0)
        now = time.monotonic()
        bench.connect(alice, bob, now=now)
        before = bench.pass_on(bob, alice, bob.next())
        bench.pass_on(alice, bob, alice.next())
        bench.relay.unbridge("call")
        bench.relay.unbridge("call")
        counted = bench.relay.stats("call")
        for sender in (alice, bob):
            sender.send()
        bench.turn()
        assert not alice.queued() and not bob.queued()
        assert bench.relay.stats("call") == counted, "the figures are those of the conversation"
        bench.relay.tick(now + 30.0)
        assert bench.timed_out == []
        clip = write_clip(tmp_path / "clip.wav", tone(440, 0.1))
        bench.relay.play("call", A, clip.path, 1, 1, now + 31.0)
        heard = parse(alice.rtp.recv(2048))
        assert heard is not None
        assert (heard.ssrc, heard.sequence) == (before.ssrc, (before.sequence + 1) & 0xFFFF)
        bench.relay.close_all(now)

    def test_audio_keeps_a_call_alive(self, alice: Party, bob: Party) -> None:
        bench = Bench(timeout=10.0)
        now = time.monotonic()
        bench.connect(alice, bob, now=now - 9.0)
        bench.pass_on(alice, bob, alice.next())
        bench.relay.tick(now + 1.0)
        assert bench.timed_out == []
        bench.relay.tick(now + 60.0)
        assert bench.timed_out == ["call"]
        bench.relay.close_all(now)

    def test_a_party_on_hold_is_there_by_its_reports(self, alice: Party, bob: Party) -> None:
        bench = Bench(timeout=10.0)
        now = time.monotonic()
        bench.connect(alice, bob, now=now - 9.0)
        alice.send_report()
        bench.turn()
        bench.relay.tick(now + 5.0)
        assert bench.timed_out == []
        bench.relay.close_all(now)

    def test_the_silence_of_a_held_call_is_no_time_out_and_counts_from_its_end(self, alice: Party, bob: Party) -> None:
        bench = Bench(timeout=10.0)
        bench.connect(alice, bob, now=0.0)
        bench.relay.attach("call", B, replace(bob.far, direction="inactive"), 9.0)
        bench.relay.tick(11.0)
        bench.relay.tick(22.0)
        assert bench.timed_out == []
        bench.relay.attach("call", B, bob.far, 31.0)
        bench.relay.tick(32.0)
        assert bench.timed_out == []
        bench.relay.tick(41.0)
        assert bench.timed_out == ["call"]
        bench.relay.close_all(41.0)

    def test_a_held_call_without_controller_is_freed_like_any_other(self, alice: Party, bob: Party) -> None:
        bench = Bench(timeout=10.0)
        bench.connect(alice, bob, now=0.0)
        bench.relay.attach("call", B, replace(bob.far, direction="inactive"), 0.0)
        bench.relay.controlled = False
        bench.relay.tick(time.monotonic() + 11.0)
        assert len(bench.relay) == 0

    def test_a_ringing_call_is_left_to_its_controller_and_freed_without_one(self, alice: Party) -> None:
        bench = Bench(timeout=10.0)
        bench.relay.open_leg("call", A, alice.far, VOICE, 0.0)
        bench.relay.tick(10.0)
        assert (len(bench.relay), bench.timed_out) == (1, [])
        bench.relay.controlled = False
        bench.relay.tick(20.0)
        assert len(bench.relay) == 0


class TestPorts:
    def test_a_port_somebody_else_has_is_skipped(self, alice: Party) -> None:
        bench = Bench(ports=free_ports(8))
        low = bench.ports[0] + (bench.ports[0] & 1)
        taken = [open_socket("127.0.0.1", low + 1), open_socket("127.0.0.1", low + 2)]
        try:
            locals_ = [bench.relay.open_leg(str(index), A, alice.far, VOICE, 0.0) for index in range(2)]
            assert {local.port for local in locals_} == {low + 4, low + 6}
            with pytest.raises(NoPorts):
                bench.relay.open_leg("none left", A, alice.far, VOICE, 0.0)
        finally:
            bench.relay.close_all(0.0)
            for opened in taken:
                opened.close()

    def test_closing_gives_ports_back_after_a_rest(self, alice: Party) -> None:
        bench = Bench(ports=free_ports(2), rest_seconds=5.0)
        local = bench.relay.open_leg("one", A, alice.far, VOICE, 0.0)
        bench.relay.close("one", 0.0)
        with pytest.raises(NoPorts):
            bench.relay.open_leg("two", A, alice.far, VOICE, 4.0)
        assert bench.relay.open_leg("two", A, alice.far, VOICE, 5.0) == local
        bench.relay.close_all(0.0)

    def test_an_address_in_front_of_us_is_told_but_not_bound(self, alice: Party) -> None:
        low, high = free_ports(4)
        bench = Bench()
        relay = Relay(bench.selector, "192.0.2.55", (low, high), timeout=9.0, emit=bench.events.append, wall=time.time)
        local = relay.open_leg("one", A, alice.far, VOICE, 0.0)
        assert local == LocalMedia("192.0.2.55", local.port, local.port + 1)
        with pytest.raises(OSError, match="in use"), socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
            probe.bind(("0.0.0.0", local.port))
        relay.close_all(0.0)

    def test_a_range_that_may_not_be_bound_is_told_as_no_ports(
        self, alice: Party, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        def refuse(*_: object) -> None:
            raise PermissionError(13, "Permission denied")

        monkeypatch.setattr("maskline.media.embedded.far_side.open_pair", refuse)
        bench = Bench()
        with pytest.raises(NoPorts, match="denied"):
            bench.relay.open_leg("one", A, alice.far, VOICE, 0.0)


def test_a_thousand_random_datagrams_change_nothing(bench: Bench, alice: Party, bob: Party) -> None:
    bench.connect(alice, bob)
    for _ in range(1000):
        alice.rtp.sendto(secrets.token_bytes(secrets.randbelow(200)), alice.to)
        alice.rtcp.sendto(secrets.token_bytes(secrets.randbelow(200)), alice.rtcp_to)
        bench.turn()
    while bob.queued():
        bob.rtp.recv(2048)
    assert bench.pass_on(alice, bob, RtpPacket(0, 1, 1, 0x12345678, b"g" * 160)).payload == b"g" * 160


class TestAddressFamilies:
    def test_each_leg_has_an_address_of_its_own(self, alice: Party) -> None:
        selector, ports = selectors.DefaultSelector(), free_ports(40)
        relay = Relay(
            selector, "127.0.0.1,::1", ports, timeout=60.0, emit=lambda _: None, wall=time.time, spool_folder=Path("x")
        )
        ours = relay.open_leg("c", A, alice.far, VOICE, 0.0)
        theirs = relay.open_leg("c", B, None, VOICE, 0.0, ipv6=True)
        assert (ours.address, theirs.address) == ("127.0.0.1", "::1")
        with socket.socket(socket.AF_INET6, socket.SOCK_DGRAM) as bob:
            bob.bind(("::1", 0))
            bob.settimeout(30.0)
            relay.attach("c", B, FarMedia("::1", bob.getsockname()[1], 9, VOICE), 0.0)
            relay.bridge("c", 0.0)
            alice.rtp.sendto(build(alice.next(b"hello" * 32)), (ours.address, ours.port))
            for key, _ in selector.select(2.0):
                key.data()
            assert bob.recv(2048)[12:] == b"hello" * 32
        with pytest.raises(UnusableAddress):
            relay.attach("c", A, FarMedia("::1", 9, 10, VOICE), 0.0)
        relay.close_all(0.0)

    def test_a_relay_of_one_family_gives_what_it_has(self) -> None:
        relay = Relay(
            selectors.DefaultSelector(), "127.0.0.1", free_ports(40), timeout=60.0, emit=lambda _: None, wall=time.time
        )
        assert relay.open_leg("c", A, None, VOICE, 0.0, ipv6=True).address == "127.0.0.1"
        relay.close_all(0.0)
