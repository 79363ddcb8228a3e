"""Digest sums against the RFCs' own examples, `requests`, and hashlib by hand."""

from __future__ import annotations

import hashlib
from dataclasses import replace

import pytest
from requests.auth import HTTPDigestAuth

from maskline.sip.digest import (
    Answer,
    Challenge,
    Credentials,
    authorization,
    is_right,
    parse_answer,
    parse_challenges,
    parse_parameters,
    quote,
    response_of,
)

URI = "/dir/index.html"
NONCE_7616 = "7ypf/xlj9XXwfDPEoM4URrv/xwf94BcCAzFZH4GiTo0v"
CNONCE_7616 = "f2/wE4q74E6zIJEtWaHKaf5wv/H5QzzpXusqGemxURZJ"


@pytest.mark.parametrize(
    ("algorithm", "expected"),
    [
        ("MD5", "8ca523f5e9506fed4657c9700eebdbec"),
        ("SHA-256", "753927fa0e85d155564e2e272a28d1802ca10daf4496794697cf8db5856cb6c1"),
    ],
)
def test_the_examples_of_rfc_7616_come_out(algorithm: str, expected: str) -> None:
    assert expected == response_of(
        "Mufasa", "http-auth@example.org", "Circle of Life", algorithm=algorithm, nonce=NONCE_7616, method="GET",
        uri=URI, qop="auth", nc=1, cnonce=CNONCE_7616,
    )  # fmt: skip


def test_the_example_of_rfc_2617_comes_out() -> None:
    assert response_of(
        "Mufasa", "testrealm@host.com", "Circle Of Life", algorithm="", nonce="dcd98b7102dd2f0e8b11d0f600bfb0c093",
        method="GET", uri=URI, qop="auth", nc=1, cnonce="0a4f113b",
    ) == "6629fae49393a05397450978507c4ef1"  # fmt: skip


@pytest.mark.parametrize("qop", ["", "auth", "auth-int"])
@pytest.mark.parametrize(("algorithm", "name"), [("MD5", "md5"), ("SHA-256", "sha256"), ("SHA-512-256", "sha512_256")])
@pytest.mark.parametrize("session", [False, True])
def test_every_form_is_the_formula_written_out(algorithm: str, name: str, qop: str, session: bool) -> None:
    def h(text: str) -> str:
        return hashlib.new(name, text.encode()).hexdigest()

    a1 = h("bob:biloxi.com:zanzibar")
    if session:
        a1 = h(f"{a1}:n1:c1")
    a2 = h("INVITE:sip:bob@biloxi.com" + (f":{h('v=0')}" if qop == "auth-int" else ""))
    expected = h(f"{a1}:n1:00000002:c1:{qop}:{a2}") if qop else h(f"{a1}:n1:{a2}")
    assert expected == response_of(
        "bob", "biloxi.com", "zanzibar", algorithm=algorithm + ("-sess" if session else ""), nonce="n1",
        method="INVITE", uri="sip:bob@biloxi.com", qop=qop, nc=2, cnonce="c1", body=b"v=0",
    )  # fmt: skip


def test_sha_512_256_is_not_a_shortened_sha_512() -> None:
    expected = "c672b8d1ef56ed28ab87c3622c5114069bdd3ad7b8f9737498d0c01ecef0967a"
    assert hashlib.new("sha512_256", b"").hexdigest() == expected  # FIPS 180-4


@pytest.mark.parametrize("algorithm", ["MD5", "MD5-SESS", "SHA-256"])
@pytest.mark.parametrize("qop", ["auth", ""])
def test_another_programs_answers_are_right(algorithm: str, qop: str) -> None:
    other = HTTPDigestAuth("bob", "zanzibar")
    other.init_per_thread_state()
    other._thread_local.chal = {"realm": "biloxi.com", "nonce": "n1", "algorithm": algorithm} | (
        {"qop": qop} if qop else {}
    )
    line = other.build_digest_header("GET", "http://biloxi.com/a?b=c")
    assert line is not None
    answer = parse_answer(line)
    assert answer is not None
    if algorithm == "MD5-SESS" and not qop:
        return  # it does not send the cnonce that its sum needs
    assert is_right(answer, Credentials("bob", "zanzibar"), "GET", b"")
    assert not is_right(answer, Credentials("bob", "zanzibar!"), "GET", b"")
    assert not is_right(answer, Credentials("bobby", "zanzibar"), "GET", b"")


@pytest.mark.parametrize("algorithm", ["", "MD5", "SHA-512-256", "SHA-256-sess"])
@pytest.mark.parametrize("qop", ["", "auth", "auth-int"])
def test_what_we_write_reads_back(algorithm: str, qop: str) -> None:
    who = Credentials('b"o\\b', "zanz🗝bar", "x")
    asked = Challenge('a "realm"', "n,1", algorithm, qop, "o=p", stale=False)
    line = authorization(who, asked, method="BYE", uri="sip:b@x", nc=17, cnonce="c1", body=b"b")
    answer = parse_answer(line)
    assert answer is not None
    assert (answer.username, answer.realm, answer.nonce, answer.uri) == ('b"o\\b', 'a "realm"', "n,1", "sip:b@x")
    assert (answer.qop, answer.nc, answer.algorithm) == (qop, 17 if qop else 0, algorithm)
    assert is_right(answer, who, "BYE", b"b")
    assert not is_right(answer, who, "INVITE", b"b")
    assert is_right(answer, who, "BYE", b"c") == (qop != "auth-int")
    assert not is_right(replace(answer, nonce="n2"), who, "BYE", b"b")
    assert ("opaque" in line, "zanz" in line) == (True, False)


def test_parameters_that_were_not_asked_with_are_not_answered_with() -> None:
    line = authorization(Credentials("b", "p"), Challenge("r", "n", "", "", None, stale=False), method="BYE",
                         uri="sip:b@x", nc=1, cnonce="c")  # fmt: skip
    assert list(parse_parameters(line) or {}) == ["username", "realm", "nonce", "uri", "response"]


def test_challenges_we_cannot_answer_are_passed_over() -> None:
    lines = [
        'Basic realm="x"',
        'Digest realm="x"',
        'Digest nonce="x"',
        'Digest realm="x", nonce="n", algorithm=AKAv1-MD5',
        'Digest realm="x", nonce="n", qop="auth-conf"',
        'Digest realm="x", realm="y", nonce="n"',
        'Digest realm="x nonce="n"',
        "Digest ,",
        "Digest",
        'digest realm="x" , nonce = "a\\"b", algorithm=sha-256 , qop="auth-int , AUTH", opaque="", STALE=TRUE',
        'Digest realm="z",nonce=abc,stale=false,qop="auth-int"',
        'Digest realm="old", nonce="n"',
    ]
    assert parse_challenges("\n".join(lines)) == [
        Challenge("x", 'a"b', "sha-256", "auth", "", stale=True),
        Challenge("z", "abc", "", "auth-int", None, stale=False),
        Challenge("old", "n", "", "", None, stale=False),
    ]


GOOD = 'Digest username="u", realm="r", nonce="n", uri="sip:x", response="AB", qop=auth, nc=0000000a, cnonce="c"'


def test_an_answer_is_read() -> None:
    assert parse_answer(GOOD) == Answer("u", "r", "n", "sip:x", "ab", "", "auth", 10, "c")


@pytest.mark.parametrize(
    ("what", "instead"),
    [
        ("Digest", "Basic"), ('username="u"', 'user="u"'), ('uri="sip:x", ', ""), ("nc=0000000a, ", ""),
        ("nc=0000000a", "nc=a"), ("nc=0000000a", "nc=0000000g"), (', cnonce="c"', ""), ('response="AB", ', ""),
    ],
)  # fmt: skip
def test_an_answer_that_lacks_something_is_none(what: str, instead: str) -> None:
    assert what in GOOD
    assert parse_answer(GOOD.replace(what, instead)) is None


def test_a_line_break_cannot_be_quoted() -> None:
    with pytest.raises(ValueError, match="line break"):
        quote("a\r\nX: y")


def test_knowing_no_password_proves_nothing() -> None:
    nobody = Credentials("", "")
    line = authorization(nobody, Challenge("r", "n", "", "", None, stale=False), method="BYE", uri="sip:b", nc=1,
                         cnonce="c")  # fmt: skip
    answer = parse_answer(line)
    assert answer is not None and not is_right(answer, nobody, "BYE", b"")


def test_a_password_is_never_printed() -> None:
    assert "zanzibar" not in repr(Credentials("bob", "zanzibar"))
