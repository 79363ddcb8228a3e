"""The media port's contract, over both drivers with real packets on loopback."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable

import pytest

from maskline.errors import MediaUnavailable
from maskline.masking.facts import LegName
from maskline.media.g711 import A_TO_LINEAR, MU_TO_LINEAR
from maskline.media.port import HeldLeg, HeldMedia, LocalMedia, MediaEvent, MediaLost, MediaTimedOut
from maskline.media.rtp import RtpPacket, build, parse_rtcp
from maskline.sdp.session import Codec
from tests.support.media_harness import CALL, Harness, connect
from tests.support.media_sound import press
from tests.support.rtp_party import EVENTS, PCMA, PCMU, VOICE, Party
from tests.support.waiting import until

pytestmark = pytest.mark.wire

A, B = LegName.A, LegName.B


async def speak(sender: Party, receiver: Party, packets: int, *, drop: Callable[[int], bool] = lambda _: False) -> int:
    """Send `packets` one by one, each awaited at the other end; returns how many were sent."""
    sent = 0
    for index in range(packets):
        if drop(index):
            sender.next()
            continue
        sender.send()
        await receiver.receive()
        sent += 1
    return sent


async def tell_quality(media: Harness, listener: Party) -> None:
    """rtpengine knows loss and jitter from a report that quotes one of its own, and reads it in its own time."""
    if not media.needs_reports:
        return
    while not listener.last_sr:
        await listener.receive_rtcp()
    deadline = time.monotonic() + 3.0
    while time.monotonic() < deadline:
        listener.send_report()
        figures = await media.driver.stats(CALL)
        if figures[A].packets_lost or figures[A].jitter_ms:
            return
        await asyncio.sleep(0.05)


async def test_audio_is_relayed_both_ways_with_its_payload_untouched(media: Harness) -> None:
    with Party(0x0A0A0A0A) as alice, Party(0x0B0B0B0B) as bob:
        await connect(media, alice, bob)
        alice.send(b"a" * 160)
        assert (await bob.receive()).payload == b"a" * 160
        bob.send(b"b" * 160)
        assert (await alice.receive()).payload == b"b" * 160
        event = alice.send(b"\x05\x0a\x00\xa0", payload_type=101)
        heard = await bob.receive()
        assert (heard.payload_type, heard.payload) == (101, event.payload)


async def test_neither_party_sees_the_address_of_the_other(media: Harness) -> None:
    with Party(0x0A0A0A0A) as alice, Party(0x0B0B0B0B) as bob:
        await connect(media, alice, bob)
        alice.send()
        _, source = await bob.receive_bytes()
        assert source == bob.to
        bob.send()
        _, source = await alice.receive_bytes()
        assert source == alice.to


async def test_each_leg_has_ports_of_its_own_even_for_rtp_and_odd_for_rtcp(media: Harness) -> None:
    with Party(1) as alice:
        first = await media.driver.open_leg(CALL, A, alice.far, codecs=VOICE)
        second = await media.driver.open_leg(CALL, B, None, codecs=VOICE)
    assert first.port % 2 == second.port % 2 == 0
    assert (first.rtcp_port, second.rtcp_port) == (first.port + 1, second.port + 1)
    assert first.port != second.port


async def test_opening_an_open_leg_again_returns_the_same_ports(media: Harness) -> None:
    with Party(1) as alice:
        first = await media.driver.open_leg(CALL, A, alice.far, codecs=VOICE)
        assert await media.driver.open_leg(CALL, A, alice.far, codecs=VOICE) == first
        leg_b = await media.driver.open_leg(CALL, B, None, codecs=VOICE)
        assert await media.driver.open_leg(CALL, B, None, codecs=VOICE) == leg_b


async def test_a_stranger_who_sends_first_is_not_heard_and_shuts_nobody_out(media: Harness) -> None:
    with Party(1) as alice, Party(2) as bob, Party(0x666) as stranger:
        await connect(media, alice, bob)
        stranger.to = alice.to
        for _ in range(5):
            stranger.send(b"x" * 160)
        alice.send(b"a" * 160)
        assert (await bob.receive()).payload == b"a" * 160
        assert not bob.queued()
        bob.send(b"b" * 160)
        assert (await alice.receive()).payload == b"b" * 160
        assert not stranger.queued()


async def test_a_stranger_who_sends_later_is_not_heard(media: Harness) -> None:
    with Party(1) as alice, Party(2) as bob, Party(0x666) as stranger:
        await connect(media, alice, bob)
        await speak(alice, bob, 3)
        await speak(bob, alice, 3)
        for target in (alice.to, bob.to):
            stranger.to = target
            for _ in range(5):
                stranger.send(b"x" * 160)
        alice.send(b"a" * 160)
        assert (await bob.receive()).payload == b"a" * 160
        bob.send(b"b" * 160)
        assert (await alice.receive()).payload == b"b" * 160
        assert not alice.queued()
        assert not bob.queued()
        assert not stranger.queued()


async def test_a_party_behind_nat_is_followed_to_the_port_it_sends_from_and_no_other(media: Harness) -> None:
    with Party(1, nat=True) as alice, Party(2) as bob, Party(1) as behind, Party(0x666) as stranger:
        await connect(media, alice, bob)
        behind.to = alice.to  # what the router really sends from; Alice's SDP names another port
        behind.send(b"a" * 160)
        assert (await bob.receive()).payload == b"a" * 160
        stranger.to = alice.to
        for _ in range(5):
            stranger.send(b"x" * 160)
        bob.send(b"b" * 160)
        assert (await behind.receive()).payload == b"b" * 160
        behind.send(b"c" * 160)
        assert (await bob.receive()).payload == b"c" * 160
        assert not stranger.queued()


async def test_a_new_far_side_is_used_at_once_and_our_ports_stay(media: Harness) -> None:
    with Party(1) as alice, Party(2) as bob, Party(3) as moved:
        await connect(media, alice, bob)
        await speak(bob, alice, 3)
        await media.driver.attach(CALL, B, moved.far)
        await media.driver.bridge(CALL)
        moved.to = bob.to
        alice.send(b"a" * 160)
        assert (await moved.receive()).payload == b"a" * 160
        bob.send(b"x" * 160)
        moved.send(b"m" * 160)
        assert (await alice.receive()).payload == b"m" * 160
        local = await media.driver.open_leg(CALL, B, None, codecs=VOICE)
        assert (local.address, local.port) == bob.to


async def test_a_caller_without_an_offer_is_attached_after_the_callee(media: Harness) -> None:
    """A late offer: our own goes to both, and the caller says where it listens in its ACK."""
    with Party(0x0A0A0A0A) as alice, Party(0x0B0B0B0B) as bob:
        driver = media.driver
        alice.aim(await driver.open_leg(CALL, A, None, codecs=alice.codecs))
        bob.aim(await driver.open_leg(CALL, B, None, codecs=bob.codecs))
        await driver.attach(CALL, B, bob.far)
        await driver.attach(CALL, A, alice.far)
        await driver.bridge(CALL)
        alice.send(b"a" * 160)
        assert (await bob.receive()).payload == b"a" * 160
        bob.send(b"b" * 160)
        assert (await alice.receive()).payload == b"b" * 160


async def test_a_law_and_mu_law_legs_understand_each_other(media: Harness) -> None:
    with Party(1, codecs=(PCMU, EVENTS)) as alice, Party(2, codecs=(PCMA, EVENTS)) as bob:
        await connect(media, alice, bob)
        bob.send(b"\xd5" * 160, payload_type=8)
        heard = await alice.receive()
        assert (heard.payload_type, len(heard.payload)) == (0, 160)
        assert all(abs(MU_TO_LINEAR[byte]) <= 8 for byte in heard.payload)  # silence stays silence
        alice.send(b"\xff" * 160)
        heard = await bob.receive()
        assert (heard.payload_type, len(heard.payload)) == (8, 160)
        assert all(abs(A_TO_LINEAR[byte]) <= 8 for byte in heard.payload)


async def test_both_parties_get_reports_and_neither_gets_the_cname_of_the_other(media: Harness) -> None:
    with Party(0x0A0A0A0A) as alice, Party(0x0B0B0B0B) as bob:
        await connect(media, alice, bob)
        await speak(alice, bob, 5)
        await speak(bob, alice, 5)
        alice.send_report(b"alice@home.example")
        bob.send_report(b"bob@home.example")
        for party in (alice, bob):
            data = await party.receive_rtcp()
            assert parse_rtcp(data)
            assert b"alice" not in data
            assert b"bob" not in data


async def test_clean_audio_has_figures_without_loss(media: Harness) -> None:
    with Party(1) as alice, Party(2) as bob:
        await connect(media, alice, bob)
        await speak(alice, bob, 100)
        await speak(bob, alice, 50)
        figures = await media.driver.stats(CALL)
        assert (figures[A].packets_received, figures[A].packets_relayed) == (100, 100)
        assert (figures[B].packets_received, figures[B].packets_relayed) == (50, 50)
        assert figures[A].packets_lost == figures[B].packets_lost == 0
        assert figures[A].packet_loss == 0.0
        assert 4.2 <= figures[A].mos <= 4.5
        assert await media.driver.close(CALL) == figures


async def test_a_leg_that_never_sent_a_packet_has_no_figures(media: Harness) -> None:
    with Party(1) as alice, Party(2) as bob:
        await connect(media, alice, bob)
        await speak(alice, bob, 5)
        assert set(await media.driver.close(CALL)) == {A}


async def test_lost_packets_are_counted_and_lower_the_mos(media: Harness) -> None:
    with Party(1) as alice, Party(2) as bob:
        await connect(media, alice, bob)
        sent = await speak(alice, bob, 400, drop=lambda index: index % 20 == 10)
        await tell_quality(media, bob)
        figures = await media.driver.close(CALL)
        assert figures[A].packets_received == sent
        assert figures[A].packets_lost == 20
        assert figures[A].packet_loss == pytest.approx(0.05, abs=0.005)
        assert 3.3 <= figures[A].mos <= 4.1


async def test_uneven_arrival_is_measured_as_jitter(media: Harness) -> None:
    """Timestamps that run 0 to 40 ms ahead of the packets are the same to a receiver as packets that come late."""
    with Party(1) as alice, Party(2) as bob:
        await connect(media, alice, bob)
        for index in range(60):
            packet = alice.next()
            uneven = RtpPacket(0, packet.sequence, packet.timestamp + 320 * (index % 2), packet.ssrc, packet.payload)
            alice.rtp.sendto(build(uneven), alice.to)
            await bob.receive()
        await tell_quality(media, bob)
        figures = await media.driver.close(CALL)
        assert 20.0 <= figures[A].jitter_ms <= 60.0


async def test_silence_from_both_sides_of_a_bridged_call_times_out(make_harness: Callable[..., Harness]) -> None:
    media = make_harness(timeout=1.0)
    await media.start()
    try:
        with Party(1) as alice, Party(2) as bob:
            await connect(media, alice, bob)
            await speak(alice, bob, 2)
            await until(lambda: MediaTimedOut(CALL) in media.events, within=30.0)
            assert set(await media.driver.close(CALL)) <= {A}
        assert media.events == [MediaTimedOut(CALL)]
    finally:
        await media.stop()


async def test_a_call_that_rings_does_not_time_out_while_one_that_is_silent_does(
    make_harness: Callable[..., Harness],
) -> None:
    media = make_harness(timeout=1.0)
    await media.start()
    try:
        with Party(1) as alice, Party(2) as bob:
            await media.driver.open_leg("ringing", A, alice.far, codecs=VOICE)
            await connect(media, alice, bob)
            await until(lambda: bool(media.events), within=30.0)
        assert media.events == [MediaTimedOut(CALL)]
    finally:
        await media.stop()


async def test_closing_a_call_ends_the_relay(media: Harness) -> None:
    with Party(1) as alice, Party(2) as bob, Party(3) as carol, Party(4) as dave:
        await connect(media, alice, bob)
        await media.driver.close(CALL)
        alice.send(b"x" * 160)
        await connect(media, carol, dave, "another")
        await speak(carol, dave, 1)
        assert not bob.queued()
        assert await media.driver.close("another")


async def test_more_calls_than_ports_are_refused_and_closing_frees_them(make_harness: Callable[..., Harness]) -> None:
    media = make_harness()
    await media.start()
    try:
        with Party(1) as alice:
            with pytest.raises(MediaUnavailable):
                for index in range(60):
                    await media.driver.open_leg(f"call-{index}", A, alice.far, codecs=VOICE)
            for index in range(60):
                await media.driver.close(f"call-{index}")

            async def opens() -> bool:
                try:
                    await media.driver.open_leg("again", A, alice.far, codecs=VOICE)
                except MediaUnavailable:
                    return False
                return True

            deadline = time.monotonic() + 30.0  # freed ports rest for some seconds
            while not await opens():
                assert time.monotonic() < deadline
                await asyncio.sleep(0.2)
    finally:
        await media.stop()


async def test_closing_an_unknown_call_gives_nothing(media: Harness) -> None:
    assert await media.driver.close("never-opened") == {}
    with Party(1) as alice, Party(2) as bob:
        await connect(media, alice, bob)
        await media.driver.close(CALL)
    assert await media.driver.close(CALL) == {}


async def test_a_driver_that_does_not_answer_refuses_within_two_seconds(media: Harness) -> None:
    with Party(1) as alice:
        media.freeze()
        try:
            started = time.monotonic()
            with pytest.raises(MediaUnavailable):
                await media.driver.open_leg(CALL, A, alice.far, codecs=VOICE)
            waited = time.monotonic() - started
            assert waited < 3.0  # 1.5 s when nothing else runs
            assert not media.driver.available
            started = time.monotonic()
            with pytest.raises(MediaUnavailable):
                await media.driver.open_leg(CALL, A, alice.far, codecs=VOICE)
            assert time.monotonic() - started < waited / 2, "known to be away: refused at once"
        finally:
            media.thaw()
        await until(lambda: media.driver.available)
        await media.driver.open_leg(CALL, A, alice.far, codecs=VOICE)


async def test_a_call_closed_while_the_driver_was_away_is_freed_when_it_is_back(media: Harness) -> None:
    with Party(1) as alice, Party(2) as bob:
        await connect(media, alice, bob)
        await speak(alice, bob, 1)
        media.freeze()
        try:
            with pytest.raises(MediaUnavailable):
                await media.driver.close(CALL)
        finally:
            media.thaw()

        async def freed() -> bool:
            try:
                await media.driver.stats(CALL)
            except MediaUnavailable:
                return media.driver.available
            return False

        deadline = time.monotonic() + 30.0
        while not await freed():
            assert time.monotonic() < deadline
            await asyncio.sleep(0.05)
        alice.send(b"x" * 160)
        await connect(media, alice, bob, "next")
        await speak(alice, bob, 1)
        assert media.events == []


async def test_after_the_media_process_died_its_calls_go_on_or_are_reported_lost_and_new_ones_work(
    media: Harness,
) -> None:
    with Party(1) as alice, Party(2) as bob:
        await connect(media, alice, bob)
        before = media.pid
        await media.kill()
        await media.revive()
        await until(lambda: media.driver.available and media.pid != before)
        if media.restores:
            await speak(alice, bob, 3)
            assert media.events == []
            await media.driver.close(CALL)
        else:
            await until(lambda: MediaLost(CALL) in media.events)
        await connect(media, alice, bob, "after")
        await speak(alice, bob, 3)
        assert media.events == ([] if media.restores else [MediaLost(CALL)])
        assert await media.driver.close(CALL) == {}


async def test_digits_cross_between_payload_types_that_differ(media: Harness) -> None:
    other = Codec(96, "telephone-event", fmtp="0-15")
    with Party(1, codecs=(PCMU, EVENTS)) as alice, Party(2, codecs=(PCMU, other)) as bob:
        await connect(media, alice, bob)
        for speaker, listener, mine, theirs in ((alice, bob, 101, 96), (bob, alice, 96, 101)):
            for _ in range(5):  # a transcoder's first packets may be late
                speaker.send()
            await press(speaker, "5", payload_type=mine)
            heard = [await listener.receive()]
            while len(heard[-1].payload) == 160:
                heard.append(await listener.receive())
            assert (heard[-1].payload_type, heard[-1].payload[0]) == (theirs, 5)
            assert {packet.payload_type for packet in heard[:-1]} == {0}


async def test_a_call_is_taken_over_by_a_driver_of_a_later_process(media: Harness) -> None:
    with Party(0x0A0A0A0A) as alice, Party(0x0B0B0B0B) as bob:
        await connect(media, alice, bob)
        await speak(alice, bob, 3)
        later, events = media.later_driver(), list[MediaEvent]()
        await later.start(events.append)
        try:
            await until(lambda: later.available, within=30.0, what="the later driver")
            legs = tuple(
                HeldLeg(name, LocalMedia("127.0.0.1", party.to[1], party.to[1] + 1), party.far, party.codecs)
                for name, party in ((A, alice), (B, bob))
            )
            await later.adopt(CALL, HeldMedia(legs))
            await speak(alice, bob, 3)
            assert A in await later.stats(CALL)
            with pytest.raises(MediaUnavailable):
                await later.adopt("nobody's", HeldMedia(legs))
            assert A in await later.close(CALL)
        finally:
            await later.leave()
        assert events == []
