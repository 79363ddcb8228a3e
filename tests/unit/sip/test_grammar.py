"""Limits, tokens, lists and parameters."""

from __future__ import annotations

import contextlib
import time

import pytest

from maskline.sip import grammar
from maskline.sip.grammar import ParseError


def test_compact_and_long_names_share_a_key_in_any_case() -> None:
    assert grammar.header_key("V") == grammar.header_key("vIa  ") == grammar.header_key("Via") == "via"
    assert grammar.header_key("X-Anything") == "x-anything"


@pytest.mark.parametrize("name", ["", "Two words", "Ünicode", " Via", "a:b"])
def test_a_header_name_that_is_no_token_is_refused(name: str) -> None:
    with pytest.raises(ParseError) as caught:
        grammar.header_key(name)
    assert caught.value.status == 400


def test_folded_lines_are_joined_with_one_space() -> None:
    assert grammar.unfold("Subject: a\r\n \t b\r\n\tc\r\nTo: x") == "Subject: a b c\r\nTo: x"
    assert grammar.unfold("Subject: a\r\nTo: x") == "Subject: a\r\nTo: x"


def test_commas_inside_quotes_and_angle_brackets_do_not_split() -> None:
    assert grammar.split_list('"A, B" <sip:a,b@x>, <sip:c>') == ['"A, B" <sip:a,b@x>', "<sip:c>"]
    assert grammar.split_list("a , b") == ["a", "b"]
    assert grammar.split_list("one") == ["one"]
    assert grammar.split_list("a, b\nc") == ["a", "b", "c"]


@pytest.mark.parametrize("text", ['"open, b', '"open\\', "<open, b"])
def test_what_is_never_closed_swallows_the_rest(text: str) -> None:
    assert grammar.split_list("x, " + text) == ["x", text]


def test_parameters_are_read_with_lower_case_names_and_without_quotes() -> None:
    assert grammar.parse_parameters(' ; Tag = aB ;lr; x="a;\\"b"') == {"tag": "aB", "lr": "", "x": 'a;"b'}
    assert grammar.parse_parameters(";a=1;a=2") == {"a": "1"}
    assert grammar.parse_parameters("") == grammar.parse_parameters("  ") == {}


@pytest.mark.parametrize("text", ["x;a=1", ";", ";;a", ";a=", ";a b=1", ';a="open', ';a=x"y"'])
def test_malformed_parameters_are_refused(text: str) -> None:
    with pytest.raises(ParseError):
        grammar.parse_parameters(text)


def test_a_leading_quoted_string_is_separated_from_the_rest() -> None:
    assert grammar.split_quoted('"a \\"b\\"" <sip:x>') == ('a "b"', " <sip:x>")
    with pytest.raises(ParseError):
        grammar.split_quoted('"never closed')


@pytest.mark.parametrize("text", ["", "-1", "1.0", "²", "9" * 21, "101"])
def test_numbers_outside_their_range_are_refused(text: str) -> None:
    with pytest.raises(ParseError):
        grammar.parse_number(text, 100, "It")


def test_numbers_inside_their_range_are_read() -> None:
    assert grammar.parse_number("0068", 100, "It") == 68


def test_line_breaks_are_found() -> None:
    assert grammar.has_line_break("a\rb")
    assert grammar.has_line_break("a\nb")
    assert not grammar.has_line_break("a b")


@pytest.mark.parametrize("text", ['"' + '\\"' * 40000, '"\\' * 40000, "<" * 80000, '"<' * 40000, ";" + '"' * 80001])
def test_hostile_quoting_costs_linear_time(text: str) -> None:
    started = time.process_time()
    grammar.split_list("," + text)
    with contextlib.suppress(ParseError):
        grammar.parse_parameters(";a=" + text)
    assert time.process_time() - started < 2.0  # 0.02 when measured; a square of the length would be minutes
