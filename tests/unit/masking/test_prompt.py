import pytest

from maskline.masking.prompt import Prompt, before_bridge, said_or_fetched
from maskline.masking.session import Role, SessionOptions


def test_a_setting_names_a_url_or_a_text_or_nothing() -> None:
    assert said_or_fetched("consent", "") is None
    assert said_or_fetched("consent", "https://h.example/a.mp3") == Prompt("consent", url="https://h.example/a.mp3")
    assert said_or_fetched("consent", "say:Recorded: yes") == Prompt("consent", text="Recorded: yes")
    assert said_or_fetched("consent", "say@en-gb:Hello") == Prompt("consent", text="Hello", voice="en-gb")


def test_what_is_said_and_fetched_is_not_in_a_repr() -> None:
    assert "secret" not in repr(Prompt("consent", url="https://h.example/a.mp3?secret"))
    assert "secret" not in repr(Prompt("consent", text="secret"))


@pytest.mark.row("2/first_party_play_url", "2/second_party_play_url")
def test_each_side_hears_its_own_prompt_and_then_that_the_call_is_recorded() -> None:
    consent = Prompt("consent", text="Recorded")
    options = SessionOptions(record=True, first_party_play_url="https://h.example/1")
    first = Prompt("first_party_play_url", url="https://h.example/1")
    assert before_bridge(options, Role.FIRST, consent) == (first, consent)
    assert before_bridge(options, Role.SECOND, consent) == (consent,)
    assert before_bridge(options, Role.FIRST, None) == (first,)
    quiet = SessionOptions(second_party_play_url="https://h.example/2")
    assert before_bridge(quiet, Role.FIRST, consent) == ()
    assert before_bridge(quiet, Role.SECOND, consent) == (Prompt("second_party_play_url", url="https://h.example/2"),)
