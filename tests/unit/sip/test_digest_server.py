"""Who is let in: counts, old nonces, and what must not be asked."""

from __future__ import annotations

import pytest

from maskline.ids import SeededIds
from maskline.sip.digest import Challenge, Credentials, authorization, parse_challenges
from maskline.sip.digest_server import NONCE_SECONDS, DigestServer, Wanted
from maskline.sip.flow import Flow
from maskline.sip.message import Request
from tests.support.sip_wire import PEER, read_request, request

WHO = Credentials("bob", "zanzibar")
URI = "sip:+15550100@192.0.2.1"


def asked(headers: str = "", method: str = "INVITE", body: bytes = b"") -> Request:
    return read_request(request(method, branch="x", headers=headers, body=body))


class Door:
    def __init__(self, *who: Credentials | None) -> None:
        self.who = who or (WHO,)
        self.server = DigestServer(self.wanted, "us.example", SeededIds(1))

    def wanted(self, flow: Flow) -> Wanted:
        return self.who if flow == PEER else ()

    def challenge(self, now: float = 0.0, at: int = 0) -> Challenge:
        refusal = self.server.check(asked(), PEER, now)
        assert refusal is not None and refusal.status == 401
        values = [line.partition(": ")[2] for line in refusal.headers.split("\r\n")[:-1]]
        return parse_challenges("\n".join(values))[at]

    def verdict(
        self, challenge: Challenge, now: float = 0.0, nc: int = 1, uri: str = URI, who: Credentials = WHO,
        body: bytes = b"", sent: bytes | None = None,
    ) -> tuple[int, bool]:  # fmt: skip
        """Status (0: may pass) and whether `stale` was said."""
        value = authorization(who, challenge, method="INVITE", uri=uri, nc=nc, cnonce="c", body=body)
        line = f"Authorization: {value}\r\n"
        refusal = self.server.check(asked(line, body=body if sent is None else sent), PEER, now)
        return (0, False) if refusal is None else (refusal.status, "stale=true" in refusal.headers)


@pytest.mark.parametrize("at", [0, 1])
def test_who_knows_the_password_may_pass_by_either_algorithm(at: int) -> None:
    door = Door()
    challenge = door.challenge(at=at)
    assert (challenge.algorithm, challenge.realm) == (("SHA-256", "MD5")[at], "us.example")
    assert door.verdict(challenge) == (0, False)


@pytest.mark.parametrize("at", [0, 1, 2])
def test_where_it_is_wanted_the_strongest_is_asked_for_first(at: int) -> None:
    door = Door(Credentials("bob", "zanzibar", sha512=True))
    challenge = door.challenge(at=at)
    assert challenge.algorithm == ("SHA-512-256", "SHA-256", "MD5")[at]
    assert door.verdict(challenge) == (0, False)
    assert door.verdict(challenge, nc=2, who=Credentials("bob", "wrong")) == (403, False)


def test_a_right_answer_by_the_strongest_holds_where_it_was_not_asked_for() -> None:
    door = Door()
    asked_with = door.challenge()
    strong = Challenge(asked_with.realm, asked_with.nonce, "SHA-512-256", "auth", None, stale=False)
    assert door.verdict(strong) == (0, False)
    assert door.verdict(strong) == (401, True)
    assert door.verdict(strong, nc=2, who=Credentials("bob", "wrong")) == (403, False)


def test_a_peer_that_gives_up_at_what_it_does_not_know_is_asked_with_md5_alone() -> None:
    door = Door(Credentials("bob", "zanzibar", md5_only=True))
    challenge = door.challenge()
    assert challenge.algorithm == "MD5"
    with pytest.raises(IndexError):
        door.challenge(at=1)
    assert door.verdict(challenge) == (0, False)


def test_the_trunks_own_realm_is_asked_for() -> None:
    door = Door(Credentials("bob", "zanzibar", "carrier.example"))
    assert door.challenge().realm == "carrier.example"


@pytest.mark.parametrize("who", [Credentials("bob", "wrong"), Credentials("eve", "zanzibar")])
def test_a_wrong_name_or_password_is_forbidden(who: Credentials) -> None:
    door = Door()
    assert door.verdict(door.challenge(), who=who) == (403, False)


@pytest.mark.parametrize("method", ["ACK", "CANCEL", "BYE", "PRACK", "OPTIONS"])
def test_what_cannot_or_need_not_be_asked_passes(method: str) -> None:
    assert Door().server.check(asked(method=method), PEER, 0.0) is None


@pytest.mark.parametrize("method", ["INVITE", "UPDATE", "INFO", "REGISTER"])
def test_everything_else_is_asked(method: str) -> None:
    refusal = Door().server.check(asked(method=method), PEER, 0.0)
    assert refusal is not None and refusal.status == 401


def test_who_has_to_prove_nothing_is_not_asked() -> None:
    assert Door(None).server.check(asked(), PEER, 0.0) is None


def test_a_count_holds_once_in_whatever_order() -> None:
    door = Door()
    challenge = door.challenge()
    counts = [1, 2, 5, 4, 3, 200, 199, 136, 266, 202]
    assert [door.verdict(challenge, nc=nc) for nc in counts] == [(0, False)] * len(counts)
    assert {door.verdict(challenge, nc=nc) for nc in (*counts, 100, 0)} == {(401, True)}
    assert door.verdict(challenge, nc=2**32 - 1) == (0, False)


def test_an_answer_without_count_holds_once() -> None:
    door = Door()
    asked_with = door.challenge()
    old = Challenge(asked_with.realm, asked_with.nonce, "SHA-256", "", None, stale=False)
    assert door.verdict(old) == (0, False)
    assert door.verdict(old) == (401, True)


def test_a_nonce_grows_old() -> None:
    door = Door()
    challenge = door.challenge(now=10.0)
    assert door.verdict(challenge, now=10.0 + NONCE_SECONDS - 1) == (0, False)
    assert door.verdict(challenge, now=10.0 + NONCE_SECONDS, nc=2) == (401, True)
    assert door.verdict(challenge, now=10.0 + NONCE_SECONDS, nc=3, who=Credentials("bob", "x")) == (403, False)


def test_a_nonce_of_another_maker_is_not_looked_at() -> None:
    door = Door()
    challenge = door.challenge()
    for nonce in ("", "x", challenge.nonce[:-1] + "g", "f" * 46):
        forged = Challenge(challenge.realm, nonce, "MD5", "auth", None, stale=False)
        assert door.verdict(forged) == (401, False)


def test_the_place_that_was_signed_is_the_one_asked_for() -> None:
    door = Door()
    challenge = door.challenge()
    assert door.verdict(challenge, nc=1, uri="sip:+15550100@proxy.example;x=y") == (0, False)
    assert door.verdict(challenge, nc=2, uri="sip:+15550199@192.0.2.1") == (401, False)
    assert door.verdict(challenge, nc=3, uri="nonsense") == (401, False)


def test_a_body_is_protected_where_the_peer_does_so() -> None:
    door = Door()
    challenge = door.challenge()
    whole = Challenge(challenge.realm, challenge.nonce, "SHA-256", "auth-int", None, stale=False)
    assert door.verdict(whole, nc=1, body=b"v=0\r\n") == (0, False)
    assert door.verdict(whole, nc=2, body=b"v=0\r\n", sent=b"v=1\r\n") == (403, False)


def test_a_body_of_several_parts_is_protected_as_it_came() -> None:
    door = Door()
    challenge = door.challenge()
    whole = Challenge(challenge.realm, challenge.nonce, "SHA-256", "auth-int", None, stale=False)
    headers = authorization(WHO, whole, method="INVITE", uri=URI, nc=1, cnonce="c", body=b"all parts")
    request = asked(f"Authorization: {headers}\r\n", body=b"all parts")
    request.take_part("application/sdp", b"v=0\r\n")
    assert door.server.check(request, PEER, 0.0) is None


def test_answers_for_others_are_passed_over() -> None:
    door = Door()
    challenge = door.challenge()
    line = "Authorization: {}\r\n"
    value = authorization(WHO, challenge, method="INVITE", uri=URI, nc=1, cnonce="c")
    other = value.replace("us.example", "them.example")
    strange = value.replace("qop=auth", "qop=auth-conf")
    unknown = value.replace("algorithm=SHA-256", "algorithm=SHA-512")
    headers = "".join(line.format(each) for each in ("Basic eA==", other, strange, value))
    assert door.server.check(asked(headers), PEER, 0.0) is None
    refusal = door.server.check(asked(line.format(unknown)), PEER, 0.0)
    assert refusal is not None and refusal.status == 401


def test_the_memory_of_counts_is_bounded_and_forgetting_lets_nobody_in_again() -> None:
    door = Door()
    door.server.max_nonces = 3
    challenges = [door.challenge(now=float(n)) for n in range(5)]
    assert {door.verdict(challenge, now=9.0) for challenge in challenges[:4]} == {(0, False)}
    assert [door.verdict(challenge, now=9.0) for challenge in challenges[:4]] == [(401, True)] * 4
    assert door.verdict(challenges[4], now=9.0) == (0, False)


# ---- several at one address

OTHER = Credentials("alice", "wonderland")


def test_the_user_name_says_which_of_several_is_meant() -> None:
    door = Door(WHO, OTHER)
    challenge = door.challenge()
    for nc, who in enumerate((WHO, OTHER), 1):
        assert door.verdict(challenge, nc=nc, who=who) == (0, False)
        assert door.server.proved == (who,)
    crossed = Credentials("alice", "zanzibar")
    assert door.verdict(challenge, nc=3, who=crossed) == (403, False)
    assert door.server.proved == ()


def test_who_is_two_at_once_has_proved_both_and_of_one_name_the_password_tells() -> None:
    twin, namesake = Credentials("bob", "zanzibar", md5_only=True), Credentials("bob", "other")
    door = Door(WHO, twin, namesake)
    challenge = door.challenge()
    assert challenge.algorithm == "MD5", "as the one of them that knows no other needs it"
    assert door.verdict(challenge) == (0, False)
    assert door.server.proved == (WHO, twin)
    assert door.verdict(challenge, nc=2, who=namesake) == (0, False)
    assert door.server.proved == (namesake,)


def test_each_realm_is_asked_for_and_its_password_holds_there_alone() -> None:
    there = Credentials("alice", "wonderland", "them.example")
    door = Door(WHO, there)
    assert [door.challenge(at=at).realm for at in (0, 2)] == ["us.example", "them.example"]
    assert door.verdict(door.challenge(at=2), who=there) == (0, False)
    assert door.verdict(door.challenge(at=0), who=there) == (403, False)


def test_beside_one_that_need_not_prove_anything_only_wrong_proof_is_refused() -> None:
    door = Door(WHO, None)
    assert door.server.check(asked(), PEER, 0.0) is None
    assert door.server.proved == ()
    challenge = Door(WHO).challenge()
    assert door.verdict(challenge) == (0, False)
    assert door.server.proved == (WHO,)
    assert door.verdict(challenge, nc=2, who=Credentials("bob", "wrong")) == (403, False)
