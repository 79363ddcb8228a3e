"""What is heard before two people are connected, by telephones nobody here wrote."""

from __future__ import annotations

import pytest

from maskline.lab.likeness import find
from tests.support.heard_field import Evening, Voices, together

pytestmark = pytest.mark.wire


@together
def test_each_party_hears_its_own_prompt_and_then_the_other_party(evening: Evening) -> None:
    """The caller's comes as early media, before anybody else rings; the callee's after it answered."""
    caller, callee = evening.baresip(1), evening.baresip(2, answers=False)
    evening.session(caller.number, callee.number, first_party_play_url="PROMPT", second_party_play_url="SECOND_PROMPT")
    evening.dial(caller)
    caller.wait_to_hear(Voices.PROMPT)
    callee.wait_for("CALL_INCOMING")
    assert not caller.has("CALL_ESTABLISHED")
    callee.answer()
    callee.wait_to_hear(Voices.SECOND_PROMPT)
    caller.wait_to_hear_talk(Voices.of(2))
    callee.wait_to_hear_talk(Voices.of(1))  # it has been talking since the early media
    caller.hang_up()
    callee.wait_for("CALL_CLOSED")
    assert not find(Voices.SECOND_PROMPT, caller.heard).heard
    assert not find(Voices.PROMPT, callee.heard).heard
    record = evening.record(caller.number)
    assert (record.outcome, record.cause) == ("completed", "normal")
    first, second = evening.facts(record, "PromptPlayed")
    assert (first["leg"], first["prompt"], first["completed"]) == ("a", "first_party_play_url", True)
    assert (second["leg"], second["prompt"], second["completed"]) == ("b", "second_party_play_url", True)
    (dialled,) = evening.facts(record, "LegDialed")
    assert first["sequence"] < dialled["sequence"] < second["sequence"]
    assert [item.path for item in evening.customer.received].count("/prompt.wav") >= 1


@together
def test_a_prompt_that_cannot_be_had_does_not_keep_people_apart(evening: Evening) -> None:
    caller, callee = evening.baresip(3), evening.baresip(4)
    evening.session(caller.number, callee.number, first_party_play_url=evening.customer.url("/nothing-here.wav"))
    evening.dial(caller)
    callee.wait_to_hear_talk(Voices.of(3))
    caller.hang_up()
    callee.wait_for("CALL_CLOSED")
    (missed,) = evening.facts(evening.record(caller.number), "PromptNotPlayed")
    assert (missed["leg"], missed["prompt"]) == ("a", "first_party_play_url")
