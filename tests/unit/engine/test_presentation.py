from __future__ import annotations

from dataclasses import replace

import pytest

from maskline.engine.presentation import dialled, means, read_number, show, written
from maskline.masking.e164 import Number
from maskline.masking.trunk import USUAL_PRESENTATION, IdentityHeader, NumberFormat, Presentation
from tests.support.call_machine import CALLEE, VIRTUAL

FROM, ASSERTED, REMOTE, DIVERSION = IdentityHeader
ABROAD = Number("442079460000")
SHORT = Number("116117")
HERE = "203.0.113.1"


def shaped(number_format: NumberFormat, dial_prefix: str = "") -> Presentation:
    return Presentation(
        number_format=number_format, country_code="+65", dial_prefix=dial_prefix, national_prefix="0"
    )  # fmt: skip


def of(country_code: str, number_format: NumberFormat = NumberFormat.NATIONAL) -> Presentation:
    """As its country dials."""
    return Presentation(number_format=number_format, country_code=country_code)


@pytest.mark.parametrize(
    ("number", "number_format", "text"),
    [
        (CALLEE, NumberFormat.PLUS, "+6583334444"),
        (CALLEE, NumberFormat.E164, "6583334444"),
        (CALLEE, NumberFormat.NATIONAL, "083334444"),
        (ABROAD, NumberFormat.NATIONAL, "00442079460000"),
        (SHORT, NumberFormat.NATIONAL, "116117"),
        (SHORT, NumberFormat.E164, "116117"),
        (SHORT, NumberFormat.PLUS, "+116117"),
    ],
)
def test_a_number_is_written_as_the_trunk_reads_it(number: Number, number_format: NumberFormat, text: str) -> None:
    assert written(number, shaped(number_format)) == text
    assert dialled(number, shaped(number_format)) == text


@pytest.mark.parametrize(
    ("number_format", "prefix", "text"),
    [
        (NumberFormat.PLUS, "9011", "90116583334444"),
        (NumberFormat.E164, "9011", "90116583334444"),
        (NumberFormat.NATIONAL, "9", "9083334444"),
        (NumberFormat.E164, "*7#", "*7%236583334444"),
    ],
)
def test_the_dialled_number_alone_stands_behind_the_prefix(number_format: NumberFormat, prefix: str, text: str) -> None:
    how = shaped(number_format, prefix)
    assert dialled(CALLEE, how) == text
    assert show(VIRTUAL, HERE, how).from_uri == f"sip:{written(VIRTUAL, how)}@{HERE}"


@pytest.mark.parametrize(
    ("user", "country_code", "digits"),
    [
        ("083334444", "+65", "6583334444"),
        ("0-8333.4444", "+65", "6583334444"),
        ("(0)8333.4444", "+65", None),
        ("0(8333)4444", "+65", "6583334444"),
        ("00442079460000", "+65", "442079460000"),
        ("+442079460000", "+65", "442079460000"),
        ("6583334444", "+65", "6583334444"),
        ("+083334444", "+65", None),
        ("000", "+65", None),
        ("alice", "+65", None),
        ("", "+65", None),
        ("083334444", "", None),
        ("00442079460000", "", "442079460000"),
    ],
)
def test_a_number_is_read_as_the_trunk_writes_it(user: str, country_code: str, digits: str | None) -> None:
    number = read_number(user, Presentation(country_code=country_code, national_prefix="0"))
    assert (None if number is None else number.digits) == digits


@pytest.mark.parametrize("number", [CALLEE, ABROAD, SHORT])
@pytest.mark.parametrize("number_format", NumberFormat)
def test_what_we_write_we_read_as_the_same(number: Number, number_format: NumberFormat) -> None:
    assert read_number(written(number, shaped(number_format)), shaped(number_format)) == number


@pytest.mark.parametrize(
    ("country_code", "digits", "text", "abroad"),
    [
        ("+1", "16502530000", "6502530000", "011442079460000"),
        ("+34", "34612345678", "612345678", "00442079460000"),
        ("+39", "390612345678", "0612345678", "00442079460000"),
        ("+39", "393312345678", "3312345678", "00442079460000"),
        ("+65", "6583334444", "83334444", "00442079460000"),
        ("+49", "4930123456", "030123456", "00442079460000"),
        ("+36", "3612345678", "0612345678", "00442079460000"),
        ("+7", "79123456789", "89123456789", "810442079460000"),
        ("+61", "61412345678", "0412345678", "0011442079460000"),
        ("+81", "819012345678", "09012345678", "010442079460000"),
        ("+225", "2250123456789", "0123456789", "00442079460000"),
    ],
)
def test_national_numbers_are_written_and_read_as_their_country_dials(
    country_code: str, digits: str, text: str, abroad: str
) -> None:
    how = of(country_code)
    assert (written(Number(digits), how), written(ABROAD, how)) == (text, abroad)
    for number in (Number(digits), ABROAD, SHORT):
        assert read_number(written(number, how), how) == number
        assert read_number(number.e164, how) == number
    # A trunk that should write national numbers and does not.
    assert read_number(ABROAD.digits, how) == ABROAD
    assert read_number(digits, how) == Number(digits)


@pytest.mark.parametrize(
    ("digits", "country_code", "text"),
    [
        ("4407700900123", "+44", "004407700900123"),
        ("1011449098790000", "+1", "0111011449098790000"),
        ("65001449098790000", "+65", "0065001449098790000"),
        ("8110449098790000", "+81", "0108110449098790000"),
    ],
)
def test_no_number_of_a_country_becomes_one_of_another_by_how_it_is_dialled(
    digits: str, country_code: str, text: str
) -> None:
    """+44 0 7700 900123 behind a 0 is 00 7 700 900123, a number of Kazakhstan."""
    assert written(Number(digits), of(country_code)) == text
    usual = replace(of(country_code), national_prefix="0", international_prefix="0")
    assert written(Number(digits), usual) == "0" + digits[len(country_code) - 1 :]


@pytest.mark.parametrize(
    ("country_code", "user", "digits"),
    [
        ("+1", "01144207946000", "44207946000"),
        ("+1", "6502530000", "6502530000"),
        ("+39", "06.1234.5678", "390612345678"),
        ("+65", "083334444", None),
        ("+7", "89123456789", "89123456789"),
        ("+7", "810442079460000", "810442079460000"),
        ("+44", "02079460000", "442079460000"),
    ],
)
def test_without_the_national_format_only_what_begins_with_0_is_a_countrys(
    country_code: str, user: str, digits: str | None
) -> None:
    number = read_number(user, of(country_code, NumberFormat.PLUS))
    assert (None if number is None else number.digits) == digits


def test_a_trunk_may_dial_otherwise_than_its_country() -> None:
    how = replace(of("+1"), national_prefix="1", international_prefix="00")
    assert (written(Number("16502530000"), how), written(ABROAD, how)) == ("16502530000", "00442079460000")
    assert read_number("16502530000", how) == Number("16502530000")
    assert written(CALLEE, replace(of("+65"), national_prefix="0")) == "083334444"


@pytest.mark.parametrize(
    ("user", "how"),
    [
        ("+6583334444", shaped(NumberFormat.PLUS)),
        ("6583334444", shaped(NumberFormat.PLUS)),
        ("083334444", shaped(NumberFormat.PLUS)),
        ("83334444", of("+65")),
        ("*7#6583334444", shaped(NumberFormat.E164, "*7#")),
        ("6583334444", shaped(NumberFormat.E164, "*7#")),
        ("9083334444", shaped(NumberFormat.NATIONAL, "9")),
        ("90116583334444", shaped(NumberFormat.PLUS, "9011")),
    ],
)
def test_a_contact_means_the_number_in_every_form_the_trunk_may_write(user: str, how: Presentation) -> None:
    assert means(user, CALLEE, how)


@pytest.mark.parametrize(
    "user", ["", "bob", "+6583334445", "9083334444", "083334444", "90116583334444", "+90116583334444", "9011"]
)
def test_a_contact_of_somebody_else_means_somebody_else(user: str) -> None:
    assert not means(user, CALLEE, Presentation(dial_prefix="9012"))


def test_the_usual_presentation_is_the_same_whether_it_is_the_one_object_or_not() -> None:
    other = Presentation((FROM, ASSERTED))
    assert other == USUAL_PRESENTATION and other is not USUAL_PRESENTATION
    assert show(VIRTUAL, HERE, other) == show(VIRTUAL, HERE, USUAL_PRESENTATION)
    assert dialled(CALLEE, other) == dialled(CALLEE, USUAL_PRESENTATION)


@pytest.mark.parametrize(
    ("headers", "privacy", "lines"),
    [
        ((FROM,), False, ()),
        ((FROM, ASSERTED), True, ("P-Asserted-Identity: <{}>", "Privacy: id")),
        ((FROM, REMOTE), False, ("Remote-Party-ID: <{}>;party=calling;screen=yes;privacy=off",)),
        ((FROM, REMOTE), True, ("Remote-Party-ID: <{}>;party=calling;screen=yes;privacy=full", "Privacy: id")),
        ((FROM, DIVERSION), False, ("Diversion: <{}>;reason=unconditional;privacy=off",)),
        (
            (DIVERSION, ASSERTED), True,
            ("Diversion: <{}>;reason=unconditional;privacy=full", "P-Asserted-Identity: <{}>", "Privacy: id"),
        ),
        ((), False, ()),
    ],
)  # fmt: skip
def test_the_virtual_number_stands_in_the_headers_that_are_asked_for(
    headers: tuple[IdentityHeader, ...], privacy: bool, lines: tuple[str, ...]
) -> None:
    shown = show(VIRTUAL, HERE, Presentation(headers, privacy=privacy))
    uri = "sip:+6531590001@203.0.113.1"
    assert tuple(f"{name}: {value}" for name, value in shown.headers) == tuple(line.format(uri) for line in lines)
    if FROM in headers:
        assert (shown.from_display, shown.from_uri) == ("", uri)
    else:
        assert (shown.from_display, shown.from_uri) == ('"Anonymous" ', "sip:anonymous@anonymous.invalid")


def test_the_domain_of_the_caller_id_is_the_one_the_carrier_knows_us_by() -> None:
    how = Presentation((FROM, ASSERTED), from_domain="customer.example")
    shown = show(VIRTUAL, HERE, how)
    assert shown.from_uri == "sip:+6531590001@customer.example"
    assert shown.headers == (("P-Asserted-Identity", "<sip:+6531590001@customer.example>"),)
