"""Links to recordings that cannot be forged."""

from __future__ import annotations

from urllib.parse import parse_qs, urlsplit

import pytest

from maskline.workflows.recording_links import RecordingLinks

LINKS = RecordingLinks(b"k" * 32, "https://masking.example", 600.0)


def test_a_link_holds_for_the_time_set_and_names_nothing_but_the_recording() -> None:
    link = urlsplit(LINKS.download("rec-1", "mp3", 1000.9))
    assert (link.netloc, link.path) == ("masking.example", "/recordings/rec-1.mp3")
    asked = {name: values[0] for name, values in parse_qs(link.query).items()}
    assert asked["expires"] == "1600"
    assert set(asked) == {"expires", "signature"}
    assert LINKS.is_genuine("rec-1", "mp3", 1600, asked["signature"])


@pytest.mark.parametrize(
    ("recording", "form", "expires"), [("rec-2", "mp3", 1600), ("rec-1", "wav", 1600), ("rec-1", "mp3", 1601)]
)
def test_a_changed_link_is_not_genuine(recording: str, form: str, expires: int) -> None:
    signature = parse_qs(urlsplit(LINKS.download("rec-1", "mp3", 1000.0)).query)["signature"][0]
    assert not LINKS.is_genuine(recording, form, expires, signature)


def test_another_key_makes_other_links_and_odd_signatures_are_only_wrong() -> None:
    other = RecordingLinks(b"x" * 32, "https://masking.example", 600.0)
    signature = parse_qs(urlsplit(other.download("rec-1", "mp3", 1000.0)).query)["signature"][0]
    for wrong in (signature, "", "é", "a" * 5000):
        assert not LINKS.is_genuine("rec-1", "mp3", 1600, wrong)


def test_a_link_may_begin_as_the_request_did() -> None:
    assert LINKS.resource("MA1", "rec-1", "http://here") == "http://here/v1/Account/MA1/Recording/rec-1/"
    assert LINKS.resource("MA1", "rec-1").startswith("https://masking.example/v1/")
    assert LINKS.download("rec-1", "mp3", 0.0, "http://here").startswith("http://here/recordings/rec-1.mp3?")
