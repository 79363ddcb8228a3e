"""Session timers: what two sides agree on, as tables of RFC 4028."""

from __future__ import annotations

import pytest

from maskline.sip.grammar import ParseError
from maskline.sip.message import Request, Response
from maskline.sip.option_tags import invite_lines, names
from maskline.sip.session_timer import (
    Terms,
    Wish,
    agree_as_client,
    agree_as_server,
    is_too_brief,
    lapse,
    longer_wish,
    read_shortest,
    read_wish,
    renewal_lines,
)


def asked(**headers: str) -> Request:
    return Request("INVITE", "sip:x", {name.replace("_", "-"): value for name, value in headers.items()}, b"")


def answered(**headers: str) -> Response:
    return Response(200, "OK", {name.replace("_", "-"): value for name, value in headers.items()}, b"")


@pytest.mark.parametrize(
    ("text", "wish"),
    [(None, None), ("1800", Wish(1800, "")), (" 90 ;refresher=UAC", Wish(90, "uac")),
     ("90;refresher=uas;x=1", Wish(90, "uas"))],
)  # fmt: skip
def test_session_expires_is_read(text: str | None, wish: Wish | None) -> None:
    assert read_wish(asked() if text is None else asked(session_expires=text)) == wish


@pytest.mark.parametrize("text", ["", "x", "90;refresher=me", "99999999999", "-1", "90;;"])
def test_what_is_no_interval_is_an_error(text: str) -> None:
    with pytest.raises(ParseError):
        read_wish(asked(session_expires=text))


@pytest.mark.parametrize(("text", "seconds"), [(None, 90), ("120", 120), ("30", 90), ("x", 90), ("600;a=b", 600)])
def test_min_se_is_at_least_the_rfcs_own(text: str | None, seconds: int) -> None:
    assert read_shortest(asked() if text is None else asked(min_se=text)) == seconds


@pytest.mark.parametrize(
    ("headers", "brief"),
    [({}, False), ({"session_expires": "89", "supported": "timer"}, True), ({"session_expires": "89"}, False),
     ({"session_expires": "90", "supported": "timer"}, False)],
)  # fmt: skip
def test_422_is_for_those_who_know_it(headers: dict[str, str], brief: bool) -> None:
    assert is_too_brief(asked(**headers)) is brief


@pytest.mark.parametrize(
    ("min_se", "seconds", "longer"), [("600", 90, 600), ("90", 90, None), ("86401", 90, None), ("x", 90, None)]
)
def test_a_422_is_followed_upwards_within_a_day(min_se: str, seconds: int, longer: int | None) -> None:
    assert longer_wish(Response(422, "", {"min-se": min_se}, b""), seconds) == longer


@pytest.mark.parametrize(
    ("wish", "knows", "ours", "held", "seconds", "refresher"),
    [
        # §9, table 2: no wish of theirs
        (None, False, 0, None, 0, ""),
        (None, False, 1800, None, 0, ""),
        (None, True, 0, None, 0, ""),
        (None, True, 1800, None, 1800, "uas"),
        (None, True, 1800, Terms(1800, True), 1800, "uas"),
        (None, True, 1800, Terms(1800, False), 1800, "uac"),
        # a proxy's wish, for a caller that does not know the timer
        ("600", False, 0, None, 600, "uas"),
        ("30", False, 0, None, 90, "uas"),
        ("600;refresher=uac", False, 0, None, 600, "uas"),
        # theirs
        ("600", True, 1800, None, 600, "uac"),
        ("600", True, 0, Terms(600, True), 600, "uas"),
        ("600", True, 0, Terms(600, False), 600, "uac"),
        ("600;refresher=uac", True, 0, Terms(600, True), 600, "uac"),
        ("600;refresher=uas", True, 0, None, 600, "uas"),
    ],
)
def test_what_our_2xx_says(
    wish: str | None, knows: bool, ours: int, held: Terms | None, seconds: int, refresher: str
) -> None:
    headers = {"session_expires": wish} if wish is not None else {}
    if knows:
        headers["supported"] = "100rel, timer"
    agreed = agree_as_server(asked(**headers), ours, held)
    if not seconds:
        assert agreed is None
        return
    required = "Require: timer\r\n" if refresher == "uac" else ""
    lines = f"{required}Session-Expires: {seconds};refresher={refresher}\r\n"
    assert agreed == (Terms(seconds, refresher == "uas"), lines)


def test_our_wish_is_not_below_their_min_se() -> None:
    agreed = agree_as_server(asked(supported="timer", min_se="2000"), 1800)
    assert agreed is not None
    assert agreed[0] == Terms(2000, True)


@pytest.mark.parametrize(
    ("text", "held", "terms"),
    [
        (None, None, None),
        (None, Terms(90, False), None),
        (None, Terms(90, True), Terms(90, True)),
        ("x", None, None),
        ("600;refresher=uac", None, Terms(600, True)),
        ("600;refresher=uas", Terms(90, True), Terms(600, False)),
        ("600", None, Terms(600, True)),
        ("10;refresher=uac", None, Terms(90, True)),
    ],
)
def test_what_their_2xx_means(text: str | None, held: Terms | None, terms: Terms | None) -> None:
    assert agree_as_client(answered() if text is None else answered(session_expires=text), held) == terms


def test_what_a_renewal_says() -> None:
    assert renewal_lines(Terms(600, True)) == (
        "Supported: timer\r\nSession-Expires: 600;refresher=uac\r\nMin-SE: 90\r\n"
    )
    assert "refresher=uas" in renewal_lines(Terms(600, False), 120)


@pytest.mark.parametrize(("seconds", "after"), [(90, 60.0), (96, 64.0), (1800, 1768.0)])
def test_a_session_lapses_before_its_time_is_over(seconds: int, after: float) -> None:
    """§10: minimum of 32 seconds and a third of the interval."""
    assert lapse(seconds) == after


@pytest.mark.parametrize(
    ("reliable", "seconds", "lines"),
    [
        ("off", 0, "Supported: timer\r\n"),
        ("supported", 0, "Supported: 100rel, timer\r\n"),
        ("required", 0, "Supported: 100rel, timer\r\nRequire: 100rel\r\n"),
        ("off", 1800, "Supported: timer\r\nSession-Expires: 1800\r\nMin-SE: 90\r\n"),
    ],
)
def test_what_an_invite_says(reliable: str, seconds: int, lines: str) -> None:
    assert invite_lines(reliable, seconds) == lines


def test_a_tag_is_one_of_a_list_in_any_case() -> None:
    assert names(asked(supported="path, TIMER"), "supported", "timer")
    assert not names(asked(supported="timers"), "supported", "timer")
    assert not names(asked(), "supported", "timer")
