"""masking.facts: every fact survives its JSON form."""

from __future__ import annotations

import json

import pytest

from maskline.masking import facts
from maskline.masking.facts import Cause, Fact, HungUpBy, Outcome

NOTE = facts.ClaimNote("0a0b", "party", "first_party", "+6531000001", 601.5)
EXAMPLES: list[Fact] = [
    facts.CallReceived("c", 1, 1.5, "trunk", "6531000001"),
    facts.CallRouted("c", 2, 1.5, "s", "first_party"),
    facts.LegDialed("c", 3, 1.5, "b", "trunk"),
    facts.LegRinging("c", 4, 1.5, "b", True),
    facts.LegAnswered("c", 5, 1.5, "b"),
    facts.LegEnded("c", 6, 1.5, "b", Outcome.BUSY, Cause.BUSY, 486, HungUpBy.CALLEE),
    facts.CallEnded("c", 7, 1.5, Outcome.BUSY, Cause.BUSY, HungUpBy.CALLEE),
    facts.PromptNotPlayed("c", 8, 1.5, "a", "unknown_caller_play", "timeout"),
    facts.CallRequested("c", 1, 1.5, "s", "+6531580001"),
    facts.CallNotStarted("c", 1, 1.5, "s", Cause.NO_ROUTE),
    facts.PromptPlayed("c", 8, 1.5, "a", "pin_prompt_play", False),
    facts.PinChecked("c", 8, 1.5, "s", True, 1, True),
    facts.FlowGiven("c", 3, 1.5, "PLAY_TTS,HANGUP"),
    facts.CallActionFailed("c", 3, 1.5, "Invalid call flow: $.callflow[0].params.text is missing"),
    facts.DigitsCaptured("c", 4, 1.5, "a", 4),
    facts.LegRedialed("c", 9, 1.5, "b", "trunk-2", 503),
    facts.LegChanged("c", 9, 1.5, "a"),
    facts.CallRecovered("c", 9, 1.5, True),
    facts.RecordingStarted("c", 8, 1.5, "r", "{}"),
    facts.RecordingStopped("c", 9, 1.5, "r", False),
    facts.RecordingNotStarted("c", 9, 1.5, "r", "media_unavailable"),
    facts.RecordingCompleted("r", 1, 1.5, "c", 30000, False),
    facts.RecordingFailed("r", 1, 1.5, "c", "not_stored"),
    facts.SessionCreated("s", 1, 1.5, 601.5, (NOTE,), "shared"),
    facts.SessionUpdated("s", 2, 1.5, 601.5, (NOTE,), ("session_expiry", "record"), (NOTE,)),
    facts.SessionExpired("s", 3, 1.5, 1.5, (NOTE,), False),
    facts.VirtualNumberReplaced("s", 4, 1.5, 601.5, (NOTE,), (NOTE, NOTE)),
    facts.AccountAlarmed("MA1", 1, 1.5, "new_country", "GB"),
    facts.AccountStopped("MA1", 2, 1.5, "operator"),
    facts.AccountResumed("MA1", 3, 1.5, "short_calls"),
]


@pytest.mark.parametrize("fact", EXAMPLES, ids=lambda fact: fact.name)
def test_a_fact_survives_json(fact: Fact) -> None:
    details = json.loads(json.dumps(facts.fact_details(fact)))
    restored = facts.restore_fact(fact.name, fact.subject, fact.sequence, fact.at, details)
    assert restored == fact
    assert [type(getattr(restored, key)) for key in details] == [type(getattr(fact, key)) for key in details]


def test_every_fact_has_an_example_here() -> None:
    assert {fact.name for fact in EXAMPLES} == set(facts.FACTS)


def test_digits_are_in_no_fact_log_and_no_repr() -> None:
    fact = facts.DigitsCaptured("c", 4, 1.5, "a", 4, "2580")
    assert facts.fact_details(fact) == {"leg": "a", "count": 4}
    assert "2580" not in repr(fact)


def test_a_fact_of_a_later_version_is_a_key_error() -> None:
    with pytest.raises(KeyError):
        facts.restore_fact("OfALaterVersion", "c", 1, 1.5, {})
