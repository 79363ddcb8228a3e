"""What a lab phone says: the stream's numbers, digits as events with three ends, loss on purpose."""

from __future__ import annotations

from itertools import pairwise

import pytest

from maskline.lab import sound
from maskline.lab.ear import Ear
from maskline.lab.mouth import Mouth
from maskline.media.rtp import RtpPacket, parse


def spoken(mouth: Mouth, turns: int) -> list[RtpPacket]:
    packets = [parse(packet) for _ in range(turns) for packet in mouth.next_packets()]
    assert None not in packets
    return [packet for packet in packets if packet is not None]


def test_it_repeats_its_tone_until_it_has_something_to_say_and_is_silent_after_that() -> None:
    mouth = Mouth(440)
    first = spoken(mouth, 2)
    mouth.say(sound.speech(1, 0.03))
    assert mouth.busy
    then = spoken(mouth, 3)
    assert not mouth.busy
    assert [packet.sequence - first[0].sequence for packet in first + then] == [0, 1, 2, 3, 4]
    assert [packet.timestamp - first[0].timestamp for packet in first + then] == [0, 160, 320, 480, 640]
    assert [packet.marker for packet in first + then] == [True, False, False, False, False]
    assert then[-1].payload == b"\xff" * 160
    assert (mouth.said[320:560] == sound.speech(1, 0.03)).all()
    assert len(mouth.said) == 5 * 160


def test_it_speaks_the_law_it_is_told() -> None:
    mouth = Mouth(0)
    mouth.law = sound.PCMA
    mouth.say(sound.speech(1, 0.02))
    (packet,) = spoken(mouth, 1)
    assert packet.payload_type == 8
    assert packet.payload == sound.encode(sound.speech(1, 0.02), sound.PCMA)


def test_a_digit_is_one_event_with_one_time_a_growing_length_and_three_ends() -> None:
    mouth = Mouth(0)
    mouth.event_type = 97
    spoken(mouth, 1)
    mouth.press("#")
    packets = spoken(mouth, 10)
    events = [packet for packet in packets if packet.payload_type == 97]
    assert {packet.timestamp for packet in events} == {events[0].timestamp}
    assert [packet.marker for packet in events] == [True] + [False] * 6
    lengths = [int.from_bytes(packet.payload[2:], "big") for packet in events]
    assert lengths == [160, 320, 480, 640, 800, 800, 800]
    assert [packet.payload[1] >> 7 for packet in events] == [0, 0, 0, 0, 1, 1, 1]
    assert {packet.payload[0] for packet in events} == {11}
    assert [b.sequence - a.sequence for a, b in pairwise(packets)] == [1] * (len(packets) - 1)
    # The voice goes on where its clock is, five packets later.
    after = next(packet for packet in packets if packet.payload_type == 0)
    assert after.timestamp - events[0].timestamp == 800


@pytest.mark.parametrize(("event_type", "as_tones"), [(None, False), (101, True)])
def test_digits_are_tones_where_no_events_are_taken_or_wanted(event_type: int | None, as_tones: bool) -> None:
    mouth = Mouth(0)
    mouth.event_type = event_type
    mouth.press("5", as_tones=as_tones)
    assert {packet.payload_type for packet in spoken(mouth, 9)} == {0}
    assert (mouth.said[:800] == sound.digit_tone("5", 0.1)).all()


def test_events_that_are_no_longer_taken_are_a_fault_of_the_test() -> None:
    mouth = Mouth(0)
    mouth.event_type = 101
    mouth.press("1")
    mouth.event_type = None
    with pytest.raises(RuntimeError, match="no longer takes"):
        mouth.next_packets()


def test_what_is_pressed_is_heard_as_such_also_twice_the_same() -> None:
    mouth, ear = Mouth(0), Ear()
    mouth.event_type = 101
    mouth.press("1123#")
    for _ in range(60):
        for packet in mouth.next_packets():
            ear.hear(packet, 0.0)
    assert ear.digits == "1123#"


def test_lost_packets_leave_a_gap_in_the_numbers_and_are_counted() -> None:
    mouth = Mouth(440, seed=5)
    mouth.loss = 0.2
    packets = spoken(mouth, 500)
    assert mouth.sent_packets == len(packets)
    assert mouth.sent_packets + mouth.lost_packets == 500
    assert 60 < mouth.lost_packets < 140
    assert packets[-1].sequence - packets[0].sequence > len(packets)
    assert len(mouth.said) == 500 * 160


def test_who_said_nothing_said_nothing() -> None:
    assert len(Mouth(440).said) == 0
    assert Mouth(0).next_packets()[0][12:] == b"\xff" * 160
