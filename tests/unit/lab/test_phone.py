"""Two lab phones and the carrier, without the platform: what the judge sees when nothing masks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from maskline.lab import sound
from maskline.lab.carrier import Carrier
from maskline.lab.ladder import draw
from maskline.lab.leaks import find_leaks
from maskline.lab.offer import EVENTS, PCMA, PCMU
from maskline.lab.phone import Behaviour, Keys, Phone
from maskline.lab.tones import heard_tone
from maskline.masking.e164 import Number
from tests.support.rig import happened
from tests.support.waiting import until

HOST = "127.0.0.1"


class Street:
    def __init__(self) -> None:
        self.carrier = Carrier(("127.0.0.1", 9))
        self.anna = Phone("anna", Number("6591110042"), 440)
        self.ben = Phone("ben", Number("6598760007"), 1000)

    def call(self) -> None:
        self.anna.dial(self.ben.number, self.carrier.address)


@pytest.fixture
async def street() -> AsyncIterator[Street]:
    made = Street()
    await made.carrier.open(HOST)
    for phone in (made.anna, made.ben):
        phone.ring_for = 0.05
        await phone.open(HOST)
        made.carrier.add_line(phone.number, phone.address)
    yield made
    for phone in (made.anna, made.ben):
        phone.close()
    made.carrier.close()


async def test_an_answered_call_carries_both_tones_and_the_leak_check_finds_the_unmasked_number(street: Street) -> None:
    street.call()
    assert await happened(street.anna.answered)
    assert await happened(street.ben.answered)
    audio = [phone.audio for phone in (street.anna, street.ben)]
    await until(lambda: all(one is not None and one.heard_packets >= 25 for one in audio), what="half a second of both")
    street.anna.hang_up()
    assert await happened(street.ben.ended)
    assert await happened(street.anna.ended)
    assert street.anna.audio
    assert street.ben.audio
    assert heard_tone(street.anna.audio.heard, (440, 1000)) == 1000
    assert heard_tone(street.ben.audio.heard, (440, 1000)) == 440
    assert "digits" in find_leaks(street.ben.received, street.anna.number)
    drawn = "\n".join(draw(street.anna, street.ben))
    assert "INVITE" in drawn
    assert "200 OK" in drawn
    assert street.anna.number.digits not in drawn


@pytest.mark.parametrize("behaviour", [Behaviour.REFUSE, Behaviour.RING_THEN_REFUSE])
async def test_a_refusal_reaches_the_caller(street: Street, behaviour: Behaviour) -> None:
    await street.ben.reset(behaviour, refuse_with=603)
    street.call()
    assert await happened(street.anna.ended)
    assert street.anna.final_status == 603
    assert street.anna.ringing.is_set() is (behaviour is Behaviour.RING_THEN_REFUSE)


async def test_a_caller_may_give_up(street: Street) -> None:
    await street.ben.reset(Behaviour.RING)
    street.call()
    assert await happened(street.anna.ringing)
    street.anna.cancel()
    assert await happened(street.anna.ended)
    assert (street.anna.final_status, street.ben.final_status) == (487, 487)


async def test_the_callee_may_hang_up(street: Street) -> None:
    street.call()
    assert await happened(street.anna.answered)
    street.ben.hang_up()
    assert await happened(street.anna.ended)
    assert await happened(street.ben.ended)


async def test_a_silent_phone_answers_nothing(street: Street) -> None:
    await street.ben.reset(Behaviour.SILENT)
    street.call()
    assert not await happened(street.anna.ringing, 0.3)
    assert not any(item.sent for item in street.ben.trace)
    assert street.ben.trace


async def talking(street: Street) -> None:
    street.call()
    assert await happened(street.anna.answered)
    assert await happened(street.ben.answered)


async def test_what_one_says_the_other_hears_in_the_law_they_share(street: Street) -> None:
    sentence = sound.speech(1, 0.4)
    street.anna.codecs, street.anna.line = (PCMU, PCMA, EVENTS), sentence
    street.ben.codecs = (PCMA, EVENTS)
    await street.anna.reset(Behaviour.ANSWER)
    await talking(street)
    for _ in range(3):  # a machine that pauses tears holes into what is said
        if (await street.ben.ear.wait_for(sentence, 10.0)).heard:
            break
        street.anna.mouth.say(sentence)
    else:
        raise AssertionError("what was said three times was not heard")
    assert {item.kind for item in street.ben.ear.voices} == {8}


async def test_keys_come_as_events_as_tones_or_as_info_of_both_kinds(street: Street) -> None:
    await talking(street)
    street.anna.press("12#")
    street.anna.press("7", Keys.TONE)
    assert (await street.ben.ear.wait_for(sound.digit_tone("7", 0.1), 30.0)).heard
    assert street.ben.ear.digits == "12#"
    street.anna.press("3*", Keys.RELAY)
    street.anna.press("4", Keys.PLAIN)
    await until(lambda: len(street.anna.key_statuses) == 3, within=30, what="the answers to three INFO")
    bodies = [item.data.partition(b"\r\n\r\n")[2] for item in street.ben.trace if item.data.startswith(b"INFO ")]
    assert bodies == [b"Signal=3\r\nDuration=100\r\n", b"Signal=*\r\nDuration=100\r\n", b"4"]
    assert street.anna.key_statuses == [200, 200, 200]


async def test_who_offers_no_events_gets_tones(street: Street) -> None:
    street.ben.codecs = (PCMU,)
    await talking(street)
    street.anna.press("5")
    assert (await street.ben.ear.wait_for(sound.digit_tone("5", 0.1), 30.0)).heard
    assert street.ben.ear.digits == ""


async def test_a_held_call_is_silent_both_ways_and_goes_on_when_taken_back(street: Street) -> None:
    await talking(street)
    street.anna.hold()
    await until(lambda: any(b"a=sendonly" in item.data for item in street.ben.trace), within=30, what="the hold")
    before = street.anna.mouth.sent_packets
    await asyncio.sleep(0.1)
    assert street.anna.mouth.sent_packets == before
    street.anna.hold(False)
    await until(lambda: street.anna.mouth.sent_packets > before + 2, within=30, what="sound again")
    assert street.anna.audio is not None
    assert not street.anna.audio.muted


async def test_a_phone_may_lose_a_share_of_what_it_says(street: Street) -> None:
    street.anna.loss = 0.5
    await street.anna.reset(Behaviour.ANSWER)
    await talking(street)
    mouth = street.anna.mouth
    await until(lambda: mouth.sent_packets + mouth.lost_packets >= 30, within=30, what="thirty packets")
    assert street.anna.mouth.lost_packets > 3


async def test_a_phone_that_is_not_open_hears_nothing() -> None:
    with pytest.raises(RuntimeError, match="not open"):
        _ = Phone("nobody", Number("6591110042"), 440).ear
