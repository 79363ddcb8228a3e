"""Two lab phones and the carrier, without the platform: what the judge sees when nothing masks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator

import pytest

from maskline.lab.carrier import Carrier
from maskline.lab.ladder import draw
from maskline.lab.leaks import find_leaks
from maskline.lab.phone import Behaviour, Phone
from maskline.lab.tones import heard_tone
from maskline.masking.e164 import Number
from tests.support.rig import happened

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
    await asyncio.sleep(0.5)
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
