from maskline.masking.prompt import Prompt, said_or_fetched


def test_a_setting_names_a_url_or_a_text_or_nothing() -> None:
    assert said_or_fetched("consent", "") is None
    assert said_or_fetched("consent", "https://h.example/a.mp3") == Prompt("consent", url="https://h.example/a.mp3")
    assert said_or_fetched("consent", "say:Recorded: yes") == Prompt("consent", text="Recorded: yes")
    assert said_or_fetched("consent", "say@en-gb:Hello") == Prompt("consent", text="Hello", voice="en-gb")


def test_what_is_said_and_fetched_is_not_in_a_repr() -> None:
    assert "secret" not in repr(Prompt("consent", url="https://h.example/a.mp3?secret"))
    assert "secret" not in repr(Prompt("consent", text="secret"))
